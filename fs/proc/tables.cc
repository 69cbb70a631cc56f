// What is in /proc: the tables.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/proc/mountinfo.hh"
#include "fs/nsfs/nsfs.hh"
#include "fs/proc/proc.hh"
#include "fs/proc/sysctl.hh"
#include "fs/proc/system.hh"
#include "fs/vfs/super.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/cred/cred.hh"
#include "ipc/sysvipc.hh"
#include "kernel/cred/userns_proc.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

// ---- /proc/PID -------------------------------------------------------------------------------------------------------------

// Copies [from, to) of the process's memory into the text.
int show_memory(seq_file* m, task_struct* t, unsigned long mm_struct::* from, unsigned long mm_struct::* to) {
  mm_struct* mm = get_task_mm(t);
  if (!mm) return 0;
  unsigned long at = mm->*from, end = mm->*to;
  char* page = static_cast<char*>(kmalloc(4096, GFP_KERNEL));
  while (page && at < end) {
    long n = access_remote_vm(mm, at, page, static_cast<long>(min(end - at, 4096ul)), RemoteAccess::ForceRead);
    if (n <= 0) break;
    seq_write(m, page, static_cast<size_t>(n));
    at += static_cast<unsigned long>(n);
  }
  kfree(page);
  mmput(mm);
  return page ? 0 : -ENOMEM;
}
int show_args(seq_file* m, task_struct* t) { return show_memory(m, t, &mm_struct::arg_start, &mm_struct::arg_end); }
int show_environ(seq_file* m, task_struct* t) { return show_memory(m, t, &mm_struct::env_start, &mm_struct::env_end); }

int show_auxv(seq_file* m, task_struct* t) {
  mm_struct* mm = get_task_mm(t);
  if (!mm) return 0;
  size_t words = 0;
  do words += 2;
  while (words < ARRAY_SIZE(mm->saved_auxv) && mm->saved_auxv[words - 2]);
  seq_write(m, mm->saved_auxv, words * sizeof(unsigned long));
  mmput(mm);
  return 0;
}

int show_comm(seq_file* m, task_struct* t) {
  seq_printf(m, "%s\n", t->comm);
  return 0;
}

int show_oom_score_adj(seq_file* m, task_struct* t) {
  seq_printf(m, "%d\n", t->signal->oom_score_adj);
  return 0;
}

int show_coredump_filter(seq_file* m, task_struct* t) {
  mm_struct* mm = get_task_mm(t);
  if (!mm) return 0;
  seq_printf(m, "%08lx\n", (READ_ONCE(mm->flags) & MMF_DUMP_FILTER_MASK) >> MMF_DUMP_FILTER_SHIFT);
  mmput(mm);
  return 0;
}
long store_coredump_filter(file*, task_struct* t, char* text, size_t n, loff_t) {
  unsigned filter;
  if (kstrtouint(strim(text), 0, &filter)) return -EINVAL;
  mm_struct* mm = get_task_mm(t);
  if (!mm) return -ESRCH;
  const unsigned long bits = (static_cast<unsigned long>(filter) << MMF_DUMP_FILTER_SHIFT) & MMF_DUMP_FILTER_MASK;
  unsigned long old = READ_ONCE(mm->flags);
  while (!try_cmpxchg(&mm->flags, &old, (old & ~MMF_DUMP_FILTER_MASK) | bits)) {
  }
  mmput(mm);
  return static_cast<long>(n);
}

int show_wchan(seq_file* m, task_struct*) {
  seq_putc(m, '0');  // addresses and symbols of the kernel are not shown
  return 0;
}

struct LimitRow {
  const char *name, *unit;
};
constexpr LimitRow kLimits[RLIM_NLIMITS] = {
    {"Max cpu time", "seconds"},      {"Max file size", "bytes"},           {"Max data size", "bytes"},
    {"Max stack size", "bytes"},      {"Max core file size", "bytes"},      {"Max resident set", "bytes"},
    {"Max processes", "processes"},   {"Max open files", "files"},          {"Max locked memory", "bytes"},
    {"Max address space", "bytes"},   {"Max file locks", "locks"},          {"Max pending signals", "signals"},
    {"Max msgqueue size", "bytes"},   {"Max nice priority", nullptr},       {"Max realtime priority", nullptr},
    {"Max realtime timeout", "us"},
};
int show_limits(seq_file* m, task_struct* t) {
  auto value = [m](unsigned long v) {
    if (v == RLIM_INFINITY)
      seq_printf(m, "%-20s ", "unlimited");
    else
      seq_printf(m, "%-20lu ", v);
  };
  seq_printf(m, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
    seq_printf(m, "%-25s ", kLimits[i].name);
    value(READ_ONCE(t->signal->rlim[i].rlim_cur));
    value(READ_ONCE(t->signal->rlim[i].rlim_max));
    if (kLimits[i].unit) seq_printf(m, "%-10s", kLimits[i].unit);
    seq_putc(m, '\n');
  }
  return 0;
}

int show_filesystems(seq_file* m) {
  for_each_filesystem(
      [](const file_system_type* t, void* to) {
        seq_printf(static_cast<seq_file*>(to), "%s\t%s\n", t->fs_flags & FS_REQUIRES_DEV ? "" : "nodev", t->name);
      },
      m);
  return 0;
}

// ---- Links -------------------------------------------------------------------------------------------------------------------

Result<path> exe_link(task_struct* t) {
  mm_struct* mm = get_task_mm(t);
  if (!mm) return fail(ENOENT);
  Result<path> p = fail(ENOENT);
  if (mm->exe_file) {
    p = mm->exe_file->f_path;
    path_get(&*p);
  }
  mmput(mm);
  return p;
}

Result<path> fs_link(task_struct* t, void (*get)(fs_struct*, path*)) {
  SpinGuard guard(t->alloc_lock);
  if (!t->fs) return fail(ENOENT);
  path p;
  get(t->fs, &p);
  return p;
}
Result<path> cwd_link(task_struct* t) { return fs_link(t, get_fs_pwd); }
Result<path> root_link(task_struct* t) { return fs_link(t, get_fs_root); }

template <const proc_ns_operations& Ops>
Result<path> ns_link(task_struct* t) {
  return ns_get_path(t, &Ops);
}

constexpr PidEntry text(const char* name, umode_t mode, int (*show)(seq_file*, task_struct*)) {
  return {name, PidKind::File, mode, show, nullptr, nullptr, nullptr, true};
}
// Of the process alone, not of its threads.
constexpr PidEntry process_text(const char* name, umode_t mode, int (*show)(seq_file*, task_struct*)) {
  return {name, PidKind::File, mode, show, nullptr, nullptr, nullptr, false};
}
constexpr PidEntry written(const char* name, umode_t mode, int (*show)(seq_file*, task_struct*),
                          long (*store)(file*, task_struct*, char*, size_t, loff_t)) {
  return {name, PidKind::File, mode, show, nullptr, nullptr, nullptr, true, store};
}
constexpr PidEntry guarded(const char* name, umode_t mode, int (*show)(seq_file*, task_struct*)) {
  return {name, PidKind::File, mode, show, nullptr, nullptr, nullptr, true, nullptr, true};
}
constexpr PidEntry raw(const char* name, umode_t mode, const file_operations* fops) {
  return {name, PidKind::Raw, mode, nullptr, nullptr, fops, nullptr, true};
}
constexpr PidEntry link(const char* name, Result<path> (*to)(task_struct*)) {
  return {name, PidKind::Link, 0777, nullptr, to, nullptr, nullptr, true};
}
constexpr PidEntry directory(const char* name, umode_t mode, bool in_task) {
  return {name, PidKind::Directory, mode, nullptr, nullptr, nullptr, nullptr, in_task};
}

constexpr ProcFile file_row(const char* name, int (*show)(seq_file*)) { return {name, 0444, show, nullptr, nullptr}; }

int show_own_mounts(seq_file* m) { return show_mounts(m, current); }

constexpr ProcFile kRootFiles[] = {
    file_row("cgroups", show_proc_cgroups),
    file_row("cmdline", show_cmdline),
    file_row("buddyinfo", show_buddyinfo),
    file_row("cpuinfo", show_cpuinfo),
    file_row("filesystems", show_filesystems),
    file_row("loadavg", show_loadavg),
    file_row("meminfo", show_meminfo),
    file_row("mounts", show_own_mounts),
    file_row("schedstat", show_schedstat),
    {"slabinfo", 0400, show_slabinfo, nullptr, nullptr},
    file_row("stat", show_proc_stat),
    file_row("uptime", show_uptime),
    file_row("version", show_version),
    {"sysrq-trigger", 0200, nullptr, write_sysrq, nullptr},
    {},
};
constexpr ProcFile kOwnFiles[] = {
    file_row("enosys", show_enosys),
    {"provoke-crash", 0600, show_crashes, provoke_crash, nullptr},
    {},
};
constexpr ProcFile kSysvFiles[] = {
    file_row("msg", show_sysvipc_msg),
    file_row("sem", show_sysvipc_sem),
    {},
};
constexpr ProcDir kRootDirs[] = {
    {"cleanfork", kOwnFiles, nullptr},
    {"sys", nullptr, kSysctlDirs},
    {"sysvipc", kSysvFiles, nullptr},
    {},
};

}  // namespace

constinit const ProcDir kProcRoot = {"", kRootFiles, kRootDirs};

constinit const PidEntry kNsEntries[] = {
    link("cgroup", ns_link<cgroupns_operations>),
    link("ipc", ns_link<ipcns_operations>),
    link("mnt", ns_link<mntns_operations>),
    link("net", ns_link<netns_operations>),
    link("pid", ns_link<pidns_operations>),
    link("pid_for_children", ns_link<pidns_for_children_operations>),
    link("time", ns_link<timens_operations>),
    link("time_for_children", ns_link<timens_for_children_operations>),
    link("user", ns_link<userns_operations>),
    link("uts", ns_link<utsns_operations>),
    {},
};

constinit const PidEntry kPidEntries[] = {
    {"autogroup", PidKind::File, 0644, show_pid_autogroup, nullptr, nullptr, nullptr, false, write_pid_autogroup},
    guarded("auxv", 0400, show_auxv),
    text("cgroup", 0444, show_pid_cgroup),
    text("cmdline", 0444, show_args),
    {"coredump_filter", PidKind::File, 0644, show_coredump_filter, nullptr, nullptr, nullptr, false, store_coredump_filter},
    text("comm", 0444, show_comm),
    link("cwd", cwd_link),
    guarded("environ", 0400, show_environ),
    link("exe", exe_link),
    directory("fd", 0500, true),
    directory("fdinfo", 0555, true),
    written("gid_map", 0644, show_gid_map, write_gid_map),
    text("limits", 0444, show_limits),
    guarded("maps", 0444, show_pid_maps),
    raw("mem", 0600, &mem_fops),
    text("mountinfo", 0444, show_mountinfo),
    text("mounts", 0444, show_mounts),
    {"ns", PidKind::Directory, 0511, nullptr, nullptr, nullptr, kNsEntries, true},
    text("mountstats", 0400, show_mountstats),
    text("oom_score_adj", 0444, show_oom_score_adj),
    written("projid_map", 0644, show_projid_map, write_projid_map),
    link("root", root_link),
    {"sched", PidKind::File, 0644, show_pid_sched, nullptr, nullptr, nullptr, false, write_pid_sched},
    text("schedstat", 0444, show_pid_schedstat),
    written("setgroups", 0644, show_setgroups, write_setgroups),
    text("stat", 0444, show_pid_stat),
    text("statm", 0444, show_pid_statm),
    text("status", 0444, show_pid_status),
    directory("task", 0555, false),
    process_text("timers", 0444, show_pid_timers),
    written("timens_offsets", 0644, show_timens_offsets, write_timens_offsets),
    written("uid_map", 0644, show_uid_map, write_uid_map),
    text("wchan", 0444, show_wchan),
    {},
};
