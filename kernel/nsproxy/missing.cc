// The kinds of namespaces that are not there: mount. A kind that arrives replaces its weak lines here, and its flag
// leaves kCloneUnsupported (kernel/fork/clone_checks.hh), which has asked before any of these is reached.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/nsproxy.hh"

__attribute__((weak)) Result<mnt_namespace*> copy_mnt_ns(u64, mnt_namespace* old, user_namespace*, fs_struct*) { return old; }
__attribute__((weak)) void put_mnt_ns(mnt_namespace*) {}
