// The kinds of namespaces that are not there: mount, cgroup. A kind that arrives replaces its weak lines here, and its flag
// leaves kCloneUnsupported (kernel/fork/clone_checks.hh), which has asked before any of these is reached.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/nsproxy.hh"

__attribute__((weak)) Result<mnt_namespace*> copy_mnt_ns(u64, mnt_namespace* old, user_namespace*, fs_struct*) { return old; }
__attribute__((weak)) void put_mnt_ns(mnt_namespace*) {}
__attribute__((weak)) Result<cgroup_namespace*> copy_cgroup_ns(u64, user_namespace*, cgroup_namespace* old) { return old; }
__attribute__((weak)) void put_cgroup_ns(cgroup_namespace*) {}
