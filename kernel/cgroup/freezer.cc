// Freezing and killing what is in a cgroup. A task that is to freeze gets JOBCTL_TRAP_FREEZE and sleeps in get_signal(), where
// SIGKILL still reaches it; stopped and traced tasks count as frozen where they are. cgroups(7), "cgroup.freeze".
//
// A cgroup is frozen (CGRP_FROZEN, and "frozen 1" in cgroup.events) if it is to freeze (CGRP_FREEZE, by itself or from above),
// all its own tasks are frozen, and so are all its descendants. css_set_lock guards the flags and the counts.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/internal.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"

namespace {

bool is_kthread(const task_struct* t) { return data_race(t->flags) & PF_KTHREAD; }

int count_tasks(const struct cgroup* c) {
  int n = 0;
  css_set* set;
  list_for_each_entry(set, &c->csets, cgrp_link) n += set->nr_tasks;
  return n;
}

bool should_be_frozen(const struct cgroup* c) {
  return (c->flags & CGRP_FREEZE) && c->freezer.nr_frozen_descendants == c->nr_descendants &&
         c->freezer.nr_frozen_tasks == count_tasks(c);
}

void count_frozen(struct cgroup* c, int delta) {
  for (struct cgroup* up = cgroup_parent(c); up; up = cgroup_parent(up)) up->freezer.nr_frozen_descendants += delta;
}

// siglock is inside css_set_lock.
void freeze_task(task_struct* t, bool freeze) {
  unsigned long flags;
  if (!lock_task_sighand(t, &flags)) return;
  if (freeze) {
    WRITE_ONCE(t->jobctl, t->jobctl | JOBCTL_TRAP_FREEZE);
    signal_wake_up(t, Wake::Normal);
  } else {
    WRITE_ONCE(t->jobctl, t->jobctl & ~JOBCTL_TRAP_FREEZE);
    wake_up_process(t);  // it sleeps in the trap, or in a stop that it goes back to
  }
  unlock_task_sighand(t, flags);
}

void do_freeze(struct cgroup* c, bool freeze) {
  IrqSpinGuard guard(css_set_lock);
  WRITE_ONCE(c->flags, freeze ? c->flags | CGRP_FREEZE : c->flags & ~CGRP_FREEZE);
  for_each_task_in(c, [&](task_struct* t) {
    if (!is_kthread(t)) freeze_task(t, freeze);
  });
  cgroup_update_frozen(c);
}

// current is one more, or one fewer, of its cgroup's frozen tasks. css_set_lock held.
void count_current(int delta) {
  struct cgroup* c = task_dfl_cgroup(current);
  c->freezer.nr_frozen_tasks += delta;
  WRITE_ONCE(current->frozen, delta > 0);
  cgroup_update_frozen(c);
}

}  // namespace

// Something that c's state depends on has changed: c and those above it follow.
void cgroup_update_frozen(struct cgroup* c) {
  for (; c; c = cgroup_parent(c)) {
    const bool should = should_be_frozen(c);
    if (should == ((c->flags & CGRP_FROZEN) != 0)) return;
    WRITE_ONCE(c->flags, c->flags ^ CGRP_FROZEN);
    if (c->events_file) cgroup_file_notify(c->events_file);
    count_frozen(c, should ? 1 : -1);
  }
}

// ---- The task's side ----------------------------------------------------------------------------------------------------------

void cgroup_enter_frozen() {
  if (current->frozen) return;
  IrqSpinGuard guard(css_set_lock);
  count_current(1);
}

void cgroup_leave_frozen(Leave how) {
  task_struct* self = current;
  if (!self->frozen) return;
  IrqSpinGuard guard(css_set_lock);
  if (how == Leave::Always || !(task_dfl_cgroup(self)->flags & CGRP_FREEZE)) return count_current(-1);
  // It was stopped, or waited for a vfork child, and goes on; but its cgroup is frozen: into the trap.
  SpinGuard siglock(self->sighand->siglock);
  if (self->jobctl & JOBCTL_TRAP_FREEZE) return;
  WRITE_ONCE(self->jobctl, self->jobctl | JOBCTL_TRAP_FREEZE);
  set_tsk_thread_flag(self, TIF_SIGPENDING);
}

// ---- The cgroup's side ----------------------------------------------------------------------------------------------------------

void cgroup_freeze(struct cgroup* top, int freeze) {
  if (top->freezer.freeze == freeze) return;
  top->freezer.freeze = freeze;
  struct cgroup* c;
  for_each_descendant_pre(c, top) {
    const int before = c->freezer.e_freeze;
    c->freezer.e_freeze += freeze ? 1 : -1;
    if (!before != !c->freezer.e_freeze) do_freeze(c, freeze);
  }
  // Children become frozen one by one, and this cgroup with the last of them.
  IrqSpinGuard guard(css_set_lock);
  cgroup_update_frozen(top);
}

void cgroup_freezer_migrate_task(task_struct* t, struct cgroup* src, struct cgroup* dst) {
  if (is_kthread(t) || src == dst) {
    if (src != dst) {  // they count among the tasks, which is why a cgroup with one never is frozen
      cgroup_update_frozen(src);
      cgroup_update_frozen(dst);
    }
    return;
  }
  if (t->frozen) {
    src->freezer.nr_frozen_tasks--;
    dst->freezer.nr_frozen_tasks++;
  }
  cgroup_update_frozen(dst);
  cgroup_update_frozen(src);
  const bool freeze = dst->flags & CGRP_FREEZE;
  if (freeze || (src->flags & CGRP_FREEZE) || t->frozen) freeze_task(t, freeze);
}

// A fork into a cgroup that is to freeze: the child goes into the trap before its first instruction, so it counts as frozen
// from now on, and a frozen cgroup does not blink.
void cgroup_freeze_new_task(task_struct* t) {
  WRITE_ONCE(t->frozen, 1);
  task_dfl_cgroup(t)->freezer.nr_frozen_tasks++;
  SpinGuard siglock(t->sighand->siglock);
  WRITE_ONCE(t->jobctl, t->jobctl | JOBCTL_TRAP_FREEZE);
}

void cgroup_freezer_online(struct cgroup* c) {
  c->freezer.e_freeze = cgroup_parent(c)->freezer.e_freeze;
  IrqSpinGuard guard(css_set_lock);
  for (struct cgroup* up = cgroup_parent(c); up; up = cgroup_parent(up)) WRITE_ONCE(up->nr_descendants, up->nr_descendants + 1);
  if (!c->freezer.e_freeze) return;
  WRITE_ONCE(c->flags, c->flags | CGRP_FREEZE | CGRP_FROZEN);  // there is nobody in it yet
  count_frozen(c, 1);
}

void cgroup_freezer_offline(struct cgroup* c) {
  IrqSpinGuard guard(css_set_lock);
  for (struct cgroup* up = cgroup_parent(c); up; up = cgroup_parent(up)) WRITE_ONCE(up->nr_descendants, up->nr_descendants - 1);
  if (c->flags & CGRP_FROZEN) count_frozen(c, -1);
}

// ---- cgroup.kill ------------------------------------------------------------------------------------------------------------------

// A child that is published but not in its set yet is not seen here: cgroup_post_fork() finds the number changed. It
// changes at the end: a fork that reads it before, its parent not killed yet, may be published before that is.
void cgroup_kill(struct cgroup* top) {
  struct cgroup* c;
  for_each_descendant_pre(c, top) {
    IrqSpinGuard guard(css_set_lock);
    for_each_task_in(c, [](task_struct* t) {
      if (!is_kthread(t) && !(data_race(t->flags) & PF_EXITING)) do_send_sig_info(SIGKILL, SEND_SIG_NOINFO, t, PIDTYPE_TGID);
    });
    // Pairs with the acquire in cgroup_can_fork(): a parent that reads the new number has its signal, and gives up.
    __atomic_store_n(&c->kill_seq, c->kill_seq + 1, __ATOMIC_RELEASE);
  }
}
