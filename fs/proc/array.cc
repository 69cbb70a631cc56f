// /proc/PID/stat, statm and status, in the formats of proc(5).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "fs/proc/proc.hh"
#include "fs/tty/tty.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

constexpr u64 kTickNs = 10000000;  // USER_HZ 100

class MmRef {
 public:
  explicit MmRef(task_struct* t) : mm_(get_task_mm(t)) {}
  MmRef(const MmRef&) = delete;
  ~MmRef() {
    if (mm_) mmput(mm_);
  }
  mm_struct* get() const { return mm_; }
  mm_struct* operator->() const { return mm_; }
  explicit operator bool() const { return mm_; }

 private:
  mm_struct* mm_;
};

// What is read of a process's shared parts in one go, under siglock.
struct SignalView {
  int threads = 0, tty_nr = 0, tty_pgrp = -1, queued = 0;
  u64 shared_pending = 0, ignored = 0, caught = 0;
  u64 cutime = 0, cstime = 0;
  unsigned long min_flt = 0, maj_flt = 0, cmin_flt = 0, cmaj_flt = 0, rss_limit = 0;
  int exit_code = 0;
};

SignalView view_signal(task_struct* t) {
  SignalView v;
  unsigned long flags;
  sighand_struct* sighand = lock_task_sighand(t, &flags);
  if (!sighand) return v;
  signal_struct* s = t->signal;
  v.threads = s->nr_threads;
  if (s->tty) {
    v.tty_nr = static_cast<int>(new_encode_dev(tty_devnum(s->tty)));
    v.tty_pgrp = tty_pgrp_nr(s->tty);
  }
  v.shared_pending = s->shared_pending.signal.sig[0];
  for (int sig = 1; sig <= _NSIG; sig++) {
    __sighandler_t h = sighand->action[sig - 1].sa.sa_handler;
    if (h == SIG_IGN) v.ignored |= 1ull << (sig - 1);
    else if (h != SIG_DFL) v.caught |= 1ull << (sig - 1);
  }
  v.queued = static_cast<int>(get_rlimit_value(t->real_cred->ucounts, UCOUNT_RLIMIT_SIGPENDING));
  v.cutime = s->cutime;
  v.cstime = s->cstime;
  v.min_flt = s->min_flt;
  v.maj_flt = s->maj_flt;
  v.cmin_flt = s->cmin_flt;
  v.cmaj_flt = s->cmaj_flt;
  v.rss_limit = s->rlim[RLIMIT_RSS].rlim_cur;
  v.exit_code = s->flags & SIGNAL_GROUP_EXIT ? s->group_exit_code : t->exit_code;
  unlock_task_sighand(t, flags);
  return v;
}

struct Ids {
  int pid, tgid, ppid, pgid, sid, tracer;
};
Ids view_ids(task_struct* t, pid_namespace* ns) {
  RcuReadGuard rcu;
  Ids ids{task_pid_nr_ns(t, PIDTYPE_PID, ns), task_pid_nr_ns(t, PIDTYPE_TGID, ns), 0, 0, 0, 0};
  if (!READ_ONCE(t->sighand)) return ids;
  ids.ppid = task_pid_nr_ns(rcu_dereference(t->real_parent), PIDTYPE_TGID, ns);
  ids.pgid = task_pid_nr_ns(t, PIDTYPE_PGID, ns);
  ids.sid = task_pid_nr_ns(t, PIDTYPE_SID, ns);
  if (t->ptrace) ids.tracer = task_pid_nr_ns(rcu_dereference(t->parent), PIDTYPE_PID, ns);
  return ids;
}

const char* state_name(char c) {
  switch (c) {
    case 'R': return "R (running)";
    case 'S': return "S (sleeping)";
    case 'D': return "D (disk sleep)";
    case 'T': return "T (stopped)";
    case 't': return "t (tracing stop)";
    case 'X': return "X (dead)";
    case 'Z': return "Z (zombie)";
    case 'P': return "P (parked)";
    default: return "I (idle)";
  }
}

unsigned long kib(unsigned long pages) { return pages << 2; }

void status_memory(seq_file* m, mm_struct* mm, const task_struct* t) {
  unsigned long anon = get_mm_counter(mm, MM_ANONPAGES), file = get_mm_counter(mm, MM_FILEPAGES),
                shmem = get_mm_counter(mm, MM_SHMEMPAGES);
  unsigned long text = (((mm->end_code + 4095) & ~4095ul) - (mm->start_code & ~4095ul)) >> 10;
  unsigned long exec = kib(mm->exec_vm);
  if (text > exec) text = exec;
  seq_printf(m, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8lu kB\n", kib(mm_hiwater_vm(mm)), kib(mm->total_vm),
             kib(mm->locked_vm), kib(mm->pinned_vm));
  seq_printf(m, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
             kib(mm_hiwater_rss(mm)), kib(anon + file + shmem), kib(anon), kib(file), kib(shmem));
  seq_printf(m, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\n",
             kib(mm->data_vm), kib(mm->stack_vm), text, exec - text,
             static_cast<unsigned long>(atomic_long_read(&mm->pgtables_bytes)) >> 10, 0ul);
  seq_printf(m, "HugetlbPages:\t       0 kB\nCoreDumping:\t%d\nTHP_enabled:\t0\n", READ_ONCE(t->signal->core) != nullptr);
}

// The numbers in the namespace of the mount and in each below it, down to the task's own.
void status_nested_ids(seq_file* m, task_struct* t) {
  constexpr struct {
    const char* title;
    pid_type type;
  } kRows[] = {{"\nNStgid:", PIDTYPE_TGID}, {"\nNSpid:", PIDTYPE_PID}, {"\nNSpgid:", PIDTYPE_PGID}, {"\nNSsid:", PIDTYPE_SID}};
  RcuReadGuard rcu;
  const struct pid* own = rcu_dereference(t->thread_pid);
  for (const auto& row : kRows) {
    seq_puts(m, row.title);
    for (unsigned level = proc_pid_ns(m)->level; own && level <= own->level; level++)
      seq_printf(m, "\t%d", task_pid_nr_ns(t, row.type, own->numbers[level].ns));
  }
  seq_putc(m, '\n');
}

void status_credentials(seq_file* m, task_struct* t) {
  RcuReadGuard rcu;
  const struct cred* c = rcu_dereference(t->real_cred);
  const user_namespace* viewer = m->file->f_cred->user_ns;
  auto uid = [viewer](kuid_t id) { return from_kuid_munged(viewer, id); };
  auto gid = [viewer](kgid_t id) { return from_kgid_munged(viewer, id); };
  seq_printf(m, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", uid(c->uid), uid(c->euid), uid(c->suid), uid(c->fsuid),
             gid(c->gid), gid(c->egid), gid(c->sgid), gid(c->fsgid));
  unsigned fds = 0;
  {
    SpinGuard guard(t->alloc_lock);
    if (t->files) fds = READ_ONCE(t->files->fdt)->max_fds;
  }
  seq_printf(m, "FDSize:\t%u\nGroups:\t", fds);
  for (int i = 0; c->groups && i < c->groups->ngroups; i++) seq_printf(m, "%s%u", i ? " " : "", gid(c->groups->gid[i]));
  seq_putc(m, ' ');
  status_nested_ids(m, t);
}

void status_capabilities(seq_file* m, task_struct* t) {
  RcuReadGuard rcu;
  const struct cred* c = rcu_dereference(t->real_cred);
  seq_printf(m, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n", c->cap_inheritable.bits,
             c->cap_permitted.bits, c->cap_effective.bits, c->cap_bset.bits, c->cap_ambient.bits);
  seq_printf(m, "NoNewPrivs:\t%u\nSeccomp:\t0\nSeccomp_filters:\t0\n", unsigned{t->no_new_privs});
}

}  // namespace

int show_pid_status(seq_file* m, task_struct* t) {
  Ids ids = view_ids(t, proc_pid_ns(m));
  SignalView sig = view_signal(t);
  MmRef mm(t);
  char comm[TASK_COMM_LEN];
  memcpy(comm, t->comm, sizeof(comm));
  comm[sizeof(comm) - 1] = 0;
  seq_puts(m, "Name:\t");
  seq_escape(m, comm, "\n\\");
  {
    SpinGuard guard(t->alloc_lock);
    if (t->fs) seq_printf(m, "\nUmask:\t%04o", current_umask_of(t->fs));
  }
  seq_printf(m, "\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", state_name(task_state_to_char(t)), ids.tgid,
             ids.pid, ids.ppid, ids.tracer);
  status_credentials(m, t);
  if (mm) status_memory(m, mm.get(), t);
  seq_printf(m, "Threads:\t%d\nSigQ:\t%d/%lu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
             sig.threads, sig.queued, rlimit_of(t, RLIMIT_SIGPENDING), static_cast<u64>(t->pending.signal.sig[0]), sig.shared_pending,
             static_cast<u64>(t->blocked.sig[0]), sig.ignored, sig.caught);
  status_capabilities(m, t);
  unsigned long cpus = t->cpus_mask.bits[0] & cpu_possible_mask->bits[0];
  seq_puts(m, "Speculation_Store_Bypass:\tunknown\nSpeculationIndirectBranch:\tunknown\n");
  seq_printf(m, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", cpus);
  seq_print_list(m, cpus);
  seq_printf(m, "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", t->nvcsw,
             t->nivcsw);
  return 0;
}

int show_pid_stat(seq_file* m, task_struct* t) {
  Ids ids = view_ids(t, proc_pid_ns(m));
  SignalView sig = view_signal(t);
  MmRef mm(t);
  bool whole = thread_group_leader(t) && !proc_inode(file_inode(m->file))->thread;
  u64 utime, stime;
  unsigned long min_flt = t->min_flt, maj_flt = t->maj_flt;
  if (whole && sig.threads) {
    thread_group_cputime_adjusted(t, &utime, &stime);
    min_flt += sig.min_flt;
    maj_flt += sig.maj_flt;
  } else {
    task_cputime_adjusted(t, &utime, &stime);
  }
  seq_printf(m, "%d (%s) %c %d %d %d %d %d %u", ids.pid, t->comm, task_state_to_char(t), ids.ppid, ids.pgid, ids.sid, sig.tty_nr,
             sig.tty_pgrp, t->flags);
  seq_printf(m, " %lu %lu %lu %lu %llu %llu %llu %llu", min_flt, sig.cmin_flt, maj_flt, sig.cmaj_flt, utime / kTickNs,
             stime / kTickNs, sig.cutime / kTickNs, sig.cstime / kTickNs);
  int priority = t->prio - MAX_RT_PRIO;
  seq_printf(m, " %d %d %d 0 %llu %lu %lu %lu", priority, task_nice(t), sig.threads, (t->start_boottime + static_cast<u64>(timens_offset(CLOCK_BOOTTIME))) / kTickNs,
             mm ? mm->total_vm << 12 : 0, mm ? get_mm_rss(mm.get()) : 0, sig.rss_limit);
  bool show = mm && proc_inode(file_inode(m->file))->vfs.i_uid.val == current_cred()->fsuid.val;
  seq_printf(m, " %lu %lu %lu 0 0", show ? mm->start_code : mm ? 1ul : 0, show ? mm->end_code : mm ? 1ul : 0, show ? mm->start_stack : 0);
  seq_printf(m, " %llu %llu %llu %llu 0 0 0 %d %d %u %u 0 0 0", static_cast<u64>(t->pending.signal.sig[0]) & 0x7fffffff,
             static_cast<u64>(t->blocked.sig[0]) & 0x7fffffff, sig.ignored & 0x7fffffff, sig.caught & 0x7fffffff, t->exit_signal,
             static_cast<int>(task_cpu(t)), t->rt_priority, t->policy);
  seq_printf(m, " %lu %lu %lu %lu %lu %lu %lu %d\n", show ? mm->start_data : 0, show ? mm->end_data : 0, show ? mm->start_brk : 0,
             show ? mm->arg_start : 0, show ? mm->arg_end : 0, show ? mm->env_start : 0, show ? mm->env_end : 0,
             ptrace_may_access(t, PTRACE_MODE_READ_FSCREDS) ? sig.exit_code : 0);  // a zombie's too
  return 0;
}

int show_pid_statm(seq_file* m, task_struct* t) {
  MmRef mm(t);
  if (!mm) {
    seq_puts(m, "0 0 0 0 0 0 0\n");
    return 0;
  }
  unsigned long text = (((mm->end_code + 4095) & ~4095ul) - (mm->start_code & ~4095ul)) >> 12;
  unsigned long shared = get_mm_counter(mm.get(), MM_FILEPAGES) + get_mm_counter(mm.get(), MM_SHMEMPAGES);
  seq_printf(m, "%lu %lu %lu %lu 0 %lu 0\n", mm->total_vm, get_mm_rss(mm.get()), shared, text, mm->data_vm + mm->stack_vm);
  return 0;
}
