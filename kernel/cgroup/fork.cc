// What fork, exit and reaping mean for cgroups. Spec 20 section 12.10; 21 step 21.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>

#include "kernel/cgroup/cpuset.hh"
#include "kernel/cgroup/internal.hh"
#include "kernel/fork/fork.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/signal/signal.hh"
#include "kernel/task/fault.hh"

namespace {

// ---- CLONE_INTO_CGROUP -------------------------------------------------------------------------------------------------------

// The cgroup behind the descriptor. EBADF: not a cgroup's directory; ENOENT: removed.
Result<struct cgroup*> cgroup_of_fd(int fd) {
  FileRef f(fget_raw(static_cast<unsigned>(fd)));
  if (!f) return fail(EBADF);
  struct cgroup* c = cgroup_of_dir_file(f.get());
  if (!c) return fail(EBADF);
  if (!css_tryget_online(&c->self)) return fail(ENOENT);
  return c;
}

// cgroup_mutex held.
Result<css_set*> set_of_target(struct cgroup* to, u64 flags) {
  if (cgroup_is_dead(to)) return fail(ENODEV);
  TRY(cgroup_may_write(to));
  const Move what = flags & CLONE_THREAD ? Move::Thread : Move::Process;
  TRY(cgroup_attach_permissions(task_dfl_cgroup(current), to, what, {current_cgroup_ns_root()}));
  return find_css_set(to);
}

// On success cgroup_mutex stays locked: the target must not go, nor its rules change, before the child is in it.
Result<void> find_target(const kernel_clone_args& args, CgroupFork* f) {
  f->into = TRY(cgroup_of_fd(args.cgroup));
  mutex_lock(&cgroup_mutex);
  auto set = set_of_target(f->into, args.flags);
  if (set) {
    f->cset = *set;
    return {};
  }
  mutex_unlock(&cgroup_mutex);
  cgroup_put(std::exchange(f->into, nullptr));
  return std::unexpected(set.error());
}

// The end of what can_fork began, apart from the controllers' part. The set's reference is the caller's.
void leave(CgroupFork* f) {
  cgroup_threadgroup_change_end();
  if (!f->into) [[likely]]
    return;
  mutex_unlock(&cgroup_mutex);
  cgroup_put(std::exchange(f->into, nullptr));
}

// Controllers do nothing to the root cgroup, where most systems' tasks are: its set needs none of their hooks.
bool is_controlled(const css_set* set) { return set != &init_css_set; }

// Controllers with a part in fork. Found once: it is asked for at each.
struct ForkHooks {
  SubsysMask can_fork, fork, exit, release;
};
ForkHooks hooks;

void cancel_controllers(unsigned mask, task_struct* child, css_set* cset) {
  while (mask) {  // in reverse
    const int id = 31 - __builtin_clz(mask);
    mask &= ~(1u << id);
    if (auto* cancel = cgroup_subsys_table[id]->cancel_fork) cancel(child, cset);
  }
}

Result<void> ask_controllers(task_struct* child, css_set* cset) {
  unsigned asked = 0;
  for (unsigned left = hooks.can_fork; left; left &= left - 1) {
    const int id = __builtin_ctz(left);
    if (auto r = fault_here("controller") ? fail(EAGAIN) : cgroup_subsys_table[id]->can_fork(child, cset); !r) [[unlikely]] {
      cancel_controllers(asked, child, cset);
      return r;
    }
    asked |= 1u << id;
  }
  return {};
}

}  // namespace

// A controller came or went. cgroup_mutex held.
void cgroup_note_fork_hooks() {
  hooks = {};
  for_each_subsys(cgroup_offered, [](cgroup_subsys& ss) {
    const SubsysMask bit = subsys_bit(ss.id);
    if (ss.can_fork) hooks.can_fork |= bit;
    if (ss.fork) hooks.fork |= bit;
    if (ss.exit) hooks.exit |= bit;
    if (ss.release) hooks.release |= bit;
  });
}

Result<void> cgroup_can_fork(task_struct* child, const kernel_clone_args& args, CgroupFork* f) {
  if (args.flags & CLONE_INTO_CGROUP) [[unlikely]]
    TRY(find_target(args, f));
  cgroup_threadgroup_change_begin();
  if (!f->cset) [[likely]] {
    // Nobody moves current while the lock is held for reading, so its set cannot go.
    f->cset = current->cgroups;
    get_css_set(f->cset);
  }
  f->kill_seq = __atomic_load_n(&f->cset->dfl_cgrp->kill_seq, __ATOMIC_ACQUIRE);
  Result<void> r;
  if (fault_here("a controller's refusal")) {
    r = fail(EAGAIN);
  } else if (is_controlled(f->cset)) {
    r = ask_controllers(child, f->cset);
  } else if (f->into || autogroup_ever()) [[unlikely]] {  // current may be in another
    autogroup_prepare(child);
    child->sched_task_group = autogroup_task_group(child, nullptr);
  }
  if (r) [[likely]]
    return r;
  css_set* set = std::exchange(f->cset, nullptr);
  leave(f);
  put_css_set(set);
  return r;
}

void cgroup_cancel_fork(task_struct* child, CgroupFork* f) {
  css_set* set = std::exchange(f->cset, nullptr);
  if (!set) return;  // an idle task, which is unmade as if its fork had failed
  if (is_controlled(set)) cancel_controllers(hooks.can_fork, child, set);
  leave(f);
  put_css_set(set);
}

void cgroup_post_fork(task_struct* child, CgroupFork* f) {
  css_set* set = f->cset;
  bool kill = false;
  if (child->pid) [[likely]] {
    IrqOffSpinGuard guard(css_set_lock);
    css_set_move_task(child, nullptr, set, &css_set::tasks);
    if ((set->dfl_cgrp->flags & CGRP_FREEZE) && !(child->flags & PF_KTHREAD)) [[unlikely]]
      cgroup_freeze_new_task(child);
    kill = set->dfl_cgrp->kill_seq != f->kill_seq;
  } else {
    put_css_set(set);  // an idle task is in no list and keeps the first set without a reference
  }
  f->cset = nullptr;
  if (is_controlled(set))
    for (unsigned left = hooks.fork; left; left &= left - 1) cgroup_subsys_table[__builtin_ctz(left)]->fork(child);
  else if (READ_ONCE(cpuset_taken_from_root)) [[unlikely]]
    cpuset_fork_in_root(child);
  leave(f);
  if (kill) [[unlikely]]
    do_send_sig_info(SIGKILL, SEND_SIG_NOINFO, child, PIDTYPE_TGID);
}

// ---- Exit -----------------------------------------------------------------------------------------------------------------------------

// Controllers first: as long as the task is in its set's list they may look for it there.
void cgroup_exit(task_struct* t) {
  // Its set is its own business from now on: who exits is not moved (exit_signals()).
  css_set* set = t->cgroups;
  if (is_controlled(set))
    for (unsigned left = hooks.exit; left; left &= left - 1) cgroup_subsys_table[__builtin_ctz(left)]->exit(t);
  else if (t->sched_task_group) [[unlikely]]
    sched_move_task(t, nullptr);  // nobody who exits is in his session's group
  IrqOffSpinGuard guard(css_set_lock);
  if (t->frozen) [[unlikely]] {  // a kernel function that ends without having come by the trap
    t->frozen = 0;
    set->dfl_cgrp->freezer.nr_frozen_tasks--;
  }
  css_set_move_task(t, set, nullptr, nullptr);
  // Who counts zombies: cpu.stat, but not the root's; and lists of processes, whose leader may have gone before its threads.
  if (is_controlled(set) || (thread_group_leader(t) && atomic_read(&t->signal->live))) list_add_tail(&t->cg_list, &set->dying_tasks);
  if (set->dfl_cgrp->flags & CGRP_FREEZE) [[unlikely]]
    cgroup_update_frozen(set->dfl_cgrp);
}

void cgroup_release(task_struct* t) {
  css_set* set = t->cgroups;
  if (data_race(list_empty(&t->cg_list)) && !is_controlled(set)) [[likely]]
    return;
  if (is_controlled(set))
    for (unsigned left = hooks.release; left; left &= left - 1) cgroup_subsys_table[__builtin_ctz(left)]->release(t);
  IrqSpinGuard guard(css_set_lock);
  list_del_init(&t->cg_list);
  if (is_controlled(set)) cgroup_leave_times(t, set->dfl_cgrp);
}

void cgroup_free(task_struct* t) { put_css_set(t->cgroups); }
