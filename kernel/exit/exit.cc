// do_exit: the order of a task's end. Spec 21 sections 1 to 3.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/exit/exit.hh"

#include <linux/hardirq.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/task_work.h>

#include "arch/contract/arch.hh"
#include "fs/coredump/coredump.hh"
#include "fs/vfs/vfs.hh"
#include "init/init.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/exit/internal.hh"
#include "kernel/fork/fork.hh"
#include "ipc/ipc_namespace.hh"
#include "kernel/futex/futex.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/io_context.hh"
#include "kernel/task/neighbours.hh"
#include "kernel/time/time.hh"
#include "kernel/trace/trace.hh"
#include "mm/mm_struct.hh"

namespace {

// the code of the last thread that begins to exit is the process's, unless a group exit came first.
// A core dump under way waits for who has not been here (step 3): what it returns is to be joined.
CoreDump* agree_on_group_code(task_struct* self, long code) {
  IrqOffSpinGuard guard(self->sighand->siglock);
  signal_struct* s = self->signal;
  WRITE_ONCE(self->flags, self->flags | PF_POSTCOREDUMP);
  if (--s->quick_threads || (s->flags & SIGNAL_GROUP_EXIT)) return s->core;
  start_group_exit(self, static_cast<int>(code));
  return nullptr;
}

//
void check_init(task_struct* self, long code) {
  if (!is_global_init(self) || system_is_ending()) return;
  int shown = self->signal->group_exit_code ? self->signal->group_exit_code : static_cast<int>(code);
  panic("init has ended: nothing can go on without it. exitcode=0x%08x\n", static_cast<unsigned>(shown));
}

unsigned long peak_rss_kib(mm_struct* mm) {
  long pages = 0;
  for (int which : {MM_FILEPAGES, MM_ANONPAGES, MM_SHMEMPAGES}) pages += atomic_long_read(&mm->rss_stat[which]);
  return max(static_cast<unsigned long>(pages), mm->hiwater_rss) * 4;
}

// Step 9: nothing of the process may signal it any more.
void end_of_group(task_struct* self, long code) {
  check_init(self, code);
  signal_struct* s = self->signal;
  if (hrtimer_active(&s->real_timer)) hrtimer_cancel(&s->real_timer);
  if (!list_empty(&s->posix_timers)) exit_itimers(self);
  if (self->mm) s->maxrss = max(s->maxrss, peak_rss_kib(self->mm));
}

// Section 3. Afterwards the task runs on its old page tables without owning them.
void exit_mm(task_struct* self) {
  exit_mm_release(self);
  mm_struct* mm = self->mm;
  if (!mm) return;
  mmgrab(mm);  // for active_mm; finish_task_switch drops it
  {
    SpinGuard guard(self->alloc_lock);
    smp_mb();  // 22 C-72: user accesses come before the store that membarrier looks at
    IrqGuard no_irqs;
    WRITE_ONCE(self->mm, nullptr);
    arch::enter_lazy_tlb(mm);
  }
  mmput(mm);
}

}  // namespace

// What a task does before it lets go of an address space, by exit or by exec.
void exit_mm_release(task_struct* self) {
  futex_exit_release(self);
  if (self->clear_child_tid) futex_clear_child_tid(self);
  mm_release_vfork(self);
}

void exec_mm_release(task_struct* self) {
  futex_exec_release(self);
  if (self->clear_child_tid) futex_clear_child_tid(self);
  mm_release_vfork(self);
}

void do_exit(long code) {
  task_struct* self = current;
  WARN_ON(in_atomic());
  if (CoreDump* core = agree_on_group_code(self, code)) [[unlikely]] core_dump_join(core);
  ptrace_event(PTRACE_EVENT_EXIT, static_cast<unsigned long>(code));
  exit_signals(self);
  const bool group_dead = atomic_dec_and_test(&self->signal->live);
  if (group_dead) end_of_group(self, code);
  self->exit_code = static_cast<int>(code);
  exit_mm(self);
  trace_sched_process_exit(self);
  exit_sem(self);
  exit_files(self);
  exit_fs(self);
  if (group_dead) disassociate_ctty(1);
  exit_task_namespaces(self);
  exit_task_work(self);  // files closed above are put here, before the parent hears of us
  if constexpr (arch::kCheckLocks) lockorder_task_exit(self);  // a mutex held at exit is a bug (spec 33 W-45)
  cgroup_exit(self);
  exit_notify(self, group_dead);
  exit_io_context(self);
  preempt_disable();
  do_task_dead();
}

//
void do_group_exit(int code) {
  task_struct* self = current;
  signal_struct* s = self->signal;
  if (READ_ONCE(s->flags) & SIGNAL_GROUP_EXIT) {
    code = s->group_exit_code;
  } else if (s->group_exec_task) {
    code = 0;
  } else {
    IrqOffSpinGuard guard(self->sighand->siglock);
    if (s->flags & SIGNAL_GROUP_EXIT) {
      code = s->group_exit_code;
    } else if (s->group_exec_task) {
      code = 0;
    } else {
      start_group_exit(self, code);
      zap_other_threads(self);
    }
  }
  do_exit(code);
}

// The end of a task that oopsed..
extern "C" void make_task_dead(int sig) {
  task_struct* self = current;
  if (in_interrupt()) panic("fatal exception in an interrupt");
  if (!self->pid) panic("fatal exception in the idle task");
  if (in_atomic()) {
    pr_info("%s[%d] dies with preempt_count %#x\n", self->comm, self->pid, static_cast<unsigned>(preempt_count()));
    preempt_count_sub(preempt_count());
  }
  arch::irq_enable();
  if (self->flags & PF_EXITING) {
    pr_alert("%s[%d]: recursive fault, left as it is\n", self->comm, self->pid);
    futex_exit_recursive(self);
    self->exit_state = EXIT_DEAD;
    preempt_disable();
    do_task_dead();
  }
  do_exit(sig);
}

SYSCALL_DEFINE1(exit, int, code) { do_exit((code & 0xff) << 8); }
SYSCALL_DEFINE1(exit_group, int, code) { do_group_exit((code & 0xff) << 8); }
