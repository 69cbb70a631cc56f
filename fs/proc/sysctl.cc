// /proc/sys. A row shows a variable; one that may be written says what values it takes.
// SPDX-License-Identifier: Apache-2.0
#include "fs/coredump/coredump.hh"
#include "fs/proc/sysctl.hh"

#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/kstrtox.h>
#include <linux/string.h>

#include "init/version.hh"
#include "ipc/ipc_namespace.hh"
#include "fs/vfs/mount.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/sched/knobs.hh"
#include "mm/internal.hh"

namespace {

struct IntVariable {
  int* value;
  int low, high;
};

// Show and store of an int; the row's data is an IntVariable.
template <const IntVariable& V>
int show_int(seq_file* m) {
  seq_printf(m, "%d\n", READ_ONCE(*V.value));
  return 0;
}
template <const IntVariable& V>
long store_int(const ProcFile*, char* text, size_t n) {
  int v;
  if (kstrtoint(strim(text), 0, &v)) return -EINVAL;
  if (v < V.low || v > V.high) return -EINVAL;
  WRITE_ONCE(*V.value, v);
  return static_cast<long>(n);
}
template <const IntVariable& V>
constexpr ProcFile int_row(const char* name) {
  return {name, 0644, show_int<V>, store_int<V>, nullptr};
}

constexpr IntVariable kOverflowUid{&overflowuid, 0, 65535};
constexpr IntVariable kOverflowGid{&overflowgid, 0, 65535};
constexpr IntVariable kMountMax{&sysctl_mount_max, 1, INT_MAX};
constexpr IntVariable kPidMax{&pid_max, 301, 4194304};
constexpr IntVariable kThreadsMax{&max_threads, 20, 0x3fffffff};
constexpr IntVariable kRandomize{&mm_settings.randomize_va_space, 0, 2};
constexpr IntVariable kOvercommit{&mm_settings.overcommit_memory, 0, 2};
constexpr IntVariable kOvercommitRatio{&mm_settings.overcommit_ratio, 0, 0x7fffffff};
constexpr IntVariable kMaxMapCount{&mm_settings.max_map_count, 0, 0x7fffffff};

int show_ostype(seq_file* m) {
  seq_puts(m, UTS_SYSNAME "\n");
  return 0;
}
int show_osrelease(seq_file* m) {
  seq_puts(m, UTS_RELEASE "\n");
  return 0;
}
int show_os_version(seq_file* m) {
  seq_puts(m, UTS_VERSION "\n");
  return 0;
}
int show_hostname(seq_file* m) {
  seq_printf(m, "%s\n", read_utsname().nodename);
  return 0;
}
long store_hostname(const ProcFile*, char* text, size_t n) {
  if (!may_write_utsname()) return -EPERM;
  text[strcspn(text, "\n")] = 0;
  write_utsname(&new_utsname::nodename, text, min(strlen(text), static_cast<size_t>(__NEW_UTS_LEN)));
  return static_cast<long>(n);
}

int show_core_pattern(seq_file* m) {
  seq_printf(m, "%s\n", core_settings.pattern);
  return 0;
}
long store_core_pattern(const ProcFile*, char* text, size_t n) {
  text[strcspn(text, "\n")] = 0;
  strscpy(core_settings.pattern, text, sizeof(core_settings.pattern));
  return static_cast<long>(n);
}
constexpr IntVariable kCoreUsesPid{&core_settings.uses_pid, -0x7fffffff - 1, 0x7fffffff};
constexpr IntVariable kCorePipeLimit{&core_settings.pipe_limit, 0, 0x7fffffff};

// ---- Limits of the reader's ipc namespace ------------------------------------------------------------------------------------

template <int ipc_namespace::*limit>
int show_ipc_limit(seq_file* m) {
  seq_printf(m, "%d\n", READ_ONCE(current_ipc_ns()->*limit));
  return 0;
}
template <int ipc_namespace::*limit>
long store_ipc_limit(const ProcFile*, char* text, size_t n) {
  int v;
  if (kstrtoint(strim(text), 0, &v) || v < 0) return -EINVAL;
  WRITE_ONCE(current_ipc_ns()->*limit, v);
  return static_cast<long>(n);
}
template <int ipc_namespace::*limit>
constexpr ProcFile ipc_row(const char* name) {
  return {name, 0644, show_ipc_limit<limit>, store_ipc_limit<limit>, nullptr};
}
int show_sem_limits(seq_file* m) {
  const int* l = current_ipc_ns()->sem_limits;
  seq_printf(m, "%d\t%d\t%d\t%d\n", l[0], l[1], l[2], l[3]);
  return 0;
}

// As many of the four as are said.
long store_sem_limits(const ProcFile*, char* text, size_t n) {
  int* limits = current_ipc_ns()->sem_limits;
  for (int i = 0; i < 4; i++) {
    char* word;
    do word = strsep(&text, " \t\n");
    while (word && !*word);
    int v;
    if (!word) break;
    if (kstrtoint(word, 0, &v) || v < 0) return -EINVAL;
    WRITE_ONCE(limits[i], v);
  }
  return static_cast<long>(n);
}

int show_domainname(seq_file* m) {
  seq_printf(m, "%s\n", read_utsname().domainname);
  return 0;
}
long store_domainname(const ProcFile*, char* text, size_t n) {
  if (!may_write_utsname()) return -EPERM;
  text[strcspn(text, "\n")] = 0;
  write_utsname(&new_utsname::domainname, text, min(strlen(text), static_cast<size_t>(__NEW_UTS_LEN)));
  return static_cast<long>(n);
}

// The number given out last in the caller's pid namespace; the next is the first free one above (spec 20 T-21).
int show_last_pid(seq_file* m) {
  seq_printf(m, "%d\n", READ_ONCE(task_active_pid_ns(current)->last));
  return 0;
}
long store_last_pid(const ProcFile*, char* text, size_t n) {
  pid_namespace* ns = task_active_pid_ns(current);
  if (!ns_capable(ns->user_ns, CAP_CHECKPOINT_RESTORE) && !ns_capable(ns->user_ns, CAP_SYS_ADMIN)) return -EPERM;
  int v;
  if (kstrtoint(strim(text), 0, &v) || v < 0 || v > READ_ONCE(pid_max)) return -EINVAL;
  WRITE_ONCE(ns->last, v);
  return static_cast<long>(n);
}

int show_autogroup_enabled(seq_file* m) {
  seq_printf(m, "%d\n", sched_autogroup_enabled());
  return 0;
}
long store_autogroup_enabled(const ProcFile*, char* text, size_t n) {
  int v;
  if (kstrtoint(strim(text), 0, &v) || v < 0 || v > 1) return -EINVAL;
  set_sched_autogroup_enabled(v);
  return static_cast<long>(n);
}

int show_rr_timeslice(seq_file* m) {
  seq_printf(m, "%d\n", sched_rr_timeslice_ms());
  return 0;
}
long store_rr_timeslice(const ProcFile*, char* text, size_t n) {
  int v;
  if (kstrtoint(strim(text), 0, &v)) return -EINVAL;
  set_sched_rr_timeslice_ms(v);
  return static_cast<long>(n);
}
int show_schedstats(seq_file* m) {
  seq_printf(m, "%d\n", sched_schedstats());
  return 0;
}
long store_schedstats(const ProcFile*, char* text, size_t n) {
  int v;
  if (!capable(CAP_SYS_ADMIN)) return -EPERM;
  if (kstrtoint(strim(text), 0, &v) || v < 0 || v > 1) return -EINVAL;
  const long err = to_abi(set_sched_schedstats(v));
  return err ? err : static_cast<long>(n);
}
template <int RtLimits::*Field>
int show_rt_limit(seq_file* m) {
  seq_printf(m, "%d\n", sched_rt_limits().*Field);
  return 0;
}
template <int RtLimits::*Field>
long store_rt_limit(const ProcFile*, char* text, size_t n) {
  RtLimits limits = sched_rt_limits();
  if (kstrtoint(strim(text), 0, &(limits.*Field))) return -EINVAL;
  long err = to_abi(set_sched_rt_limits(limits));
  return err ? err : static_cast<long>(n);
}
template <int RtLimits::*Field>
constexpr ProcFile rt_limit_row(const char* name) {
  return {name, 0644, show_rt_limit<Field>, store_rt_limit<Field>, nullptr};
}

constexpr ProcFile kKernelFiles[] = {
    {"core_pattern", 0644, show_core_pattern, store_core_pattern, nullptr},
    int_row<kCorePipeLimit>("core_pipe_limit"),
    int_row<kCoreUsesPid>("core_uses_pid"),
    {"domainname", 0644, show_domainname, store_domainname, nullptr},
    {"hostname", 0644, show_hostname, store_hostname, nullptr},
    ipc_row<&ipc_namespace::msgmax>("msgmax"),
    ipc_row<&ipc_namespace::msgmnb>("msgmnb"),
    ipc_row<&ipc_namespace::msgmni>("msgmni"),
    {"ns_last_pid", 0666, show_last_pid, store_last_pid, nullptr},
    {"osrelease", 0444, show_osrelease, nullptr, nullptr},
    {"ostype", 0444, show_ostype, nullptr, nullptr},
    int_row<kOverflowGid>("overflowgid"),
    int_row<kOverflowUid>("overflowuid"),
    int_row<kPidMax>("pid_max"),
    int_row<kRandomize>("randomize_va_space"),
    {"sem", 0644, show_sem_limits, store_sem_limits, nullptr},
    {"sched_autogroup_enabled", 0644, show_autogroup_enabled, store_autogroup_enabled, nullptr},
    {"sched_rr_timeslice_ms", 0644, show_rr_timeslice, store_rr_timeslice, nullptr},
    rt_limit_row<&RtLimits::period_us>("sched_rt_period_us"),
    rt_limit_row<&RtLimits::runtime_us>("sched_rt_runtime_us"),
    {"sched_schedstats", 0644, show_schedstats, store_schedstats, nullptr},
    int_row<kThreadsMax>("threads-max"),
    {"version", 0444, show_os_version, nullptr, nullptr},
    {},
};

// ---- /proc/sys/user: how many namespaces of a kind may be made below the reader's ---------------------------------------

bool owns_user_limits() { return ns_capable(current_user_ns(), CAP_SYS_RESOURCE); }

template <ucount_type type>
int show_max_namespaces(seq_file* m) {
  seq_printf(m, "%d\n", READ_ONCE(current_user_ns()->ucount_max[type]));
  return 0;
}
template <ucount_type type>
long store_max_namespaces(const ProcFile*, char* text, size_t n) {
  int v;
  if (kstrtoint(strim(text), 0, &v) || v < 0) return -EINVAL;
  if (!owns_user_limits()) return -EPERM;
  WRITE_ONCE(current_user_ns()->ucount_max[type], v);
  return static_cast<long>(n);
}
template <ucount_type type>
constexpr ProcFile max_row(const char* name) {
  return {name, 0644, show_max_namespaces<type>, store_max_namespaces<type>, nullptr, owns_user_limits};
}
constexpr ProcFile kUserFiles[] = {
    max_row<UCOUNT_CGROUP_NAMESPACES>("max_cgroup_namespaces"),
    max_row<UCOUNT_IPC_NAMESPACES>("max_ipc_namespaces"),
    max_row<UCOUNT_MNT_NAMESPACES>("max_mnt_namespaces"),
    max_row<UCOUNT_NET_NAMESPACES>("max_net_namespaces"),
    max_row<UCOUNT_PID_NAMESPACES>("max_pid_namespaces"),
    max_row<UCOUNT_TIME_NAMESPACES>("max_time_namespaces"),
    max_row<UCOUNT_USER_NAMESPACES>("max_user_namespaces"),
    max_row<UCOUNT_UTS_NAMESPACES>("max_uts_namespaces"),
    {},
};
constexpr ProcFile kFsFiles[] = {
    int_row<kMountMax>("mount-max"),
    {},
};
constexpr ProcFile kVmFiles[] = {
    int_row<kMaxMapCount>("max_map_count"),
    int_row<kOvercommit>("overcommit_memory"),
    int_row<kOvercommitRatio>("overcommit_ratio"),
    {},
};

}  // namespace

constinit const ProcDir kSysctlDirs[] = {
    {"fs", kFsFiles, nullptr},
    {"kernel", kKernelFiles, nullptr},
    {"user", kUserFiles, nullptr},
    {"vm", kVmFiles, nullptr},
    {},
};
