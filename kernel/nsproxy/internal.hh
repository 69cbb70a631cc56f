// Between the files of kernel/nsproxy.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/nsproxy/nsproxy.hh"

// A set like old, with new ones where flags say so. fs: whose paths move with a new mount namespace.
Result<struct nsproxy*> create_new_namespaces(u64 flags, const struct nsproxy* old, user_namespace* user_ns, fs_struct* fs);
