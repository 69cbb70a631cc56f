// The kinds of namespaces that are not there: mount. A kind that arrives replaces its weak lines here, and its flag
// leaves kCloneUnsupported (kernel/fork/clone_checks.hh), which has asked before any of these is reached.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/nsproxy.hh"

__attribute__((weak)) Result<mnt_namespace*> copy_mnt_ns(u64, mnt_namespace* old, user_namespace*, fs_struct*) { return old; }
__attribute__((weak)) void put_mnt_ns(mnt_namespace*) {}
__attribute__((weak)) extern constinit const proc_ns_operations mntns_operations{
    .name = "mnt",
    .real_ns_name = "mnt",
    .type = 0,
    .get = [](task_struct*) -> ns_common* { return nullptr; },
    .put = nullptr,
    .install = nullptr,
    .owner = nullptr,
    .get_parent = nullptr,
};
