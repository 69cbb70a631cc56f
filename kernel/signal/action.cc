// Dispositions: rt_sigaction(2) and what exec and fork do to handlers. Spec 21 S-1..S-3.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>

#include "kernel/entry/syscall.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/queue.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned long kKnownFlags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK |
                                      SA_RESTART | SA_NODEFER | SA_RESETHAND;

long do_sigaction(int sig, const k_sigaction* act, k_sigaction* old) {
  if (sig < 1 || sig > _NSIG || (act && in_set(kSigOnly, sig))) return -EINVAL;
  task_struct* self = current;
  IrqOffSpinGuard guard(self->sighand->siglock);
  *old = self->sighand->action[sig - 1];
  if (!act) return 0;
  k_sigaction ka = *act;
  ka.sa.sa_flags &= kKnownFlags;
  ka.sa.sa_mask.sig[0] &= ~kSigOnly;
  set_sigaction(self->sighand, sig, ka);
  if (action_ignores(ka, sig)) flush_group_signals(self, sig_bit(sig));
  return 0;
}

}  // namespace

void flush_group_signals(task_struct* p, u64 mask) {
  remove_signals(&p->signal->shared_pending, mask);
  task_struct* t;
  for_each_thread(p, t) remove_signals(&t->pending, mask);
}

SYSCALL_DEFINE4(rt_sigaction, int, sig, const struct sigaction __user*, uact, struct sigaction __user*, uold, size_t, size) {
  if (size != sizeof(sigset_t)) return -EINVAL;
  k_sigaction act, old;
  if (uact && get_user(act.sa, uact)) return -EFAULT;
  long error = do_sigaction(sig, uact ? &act : nullptr, &old);
  if (error) return error;
  return uold && put_user(old.sa, uold) ? -EFAULT : 0;
}

// exec: caught signals get their default action, ignored ones stay ignored unless forced. The caller is alone.
void flush_signal_handlers(task_struct* t, int force_default) {
  sighand_struct* s = t->sighand;
  for (u64 used = s->used; used; used &= used - 1) {
    struct sigaction& sa = s->action[__builtin_ctzll(used)].sa;
    const bool keep = !force_default && sa.sa_handler == SIG_IGN;
    sa = {};
    if (keep) sa.sa_handler = SIG_IGN;
  }
}

void clear_sighand(sighand_struct* s) {
  for (u64 used = s->used; used; used &= used - 1) {
    struct sigaction& sa = s->action[__builtin_ctzll(used)].sa;
    sa = {sa.sa_handler == SIG_IGN ? SIG_IGN : SIG_DFL, 0, nullptr, {}};
  }
}

// Only actions that were ever set: the others are SIG_DFL in every sighand_struct that comes from the cache.
void copy_actions(sighand_struct* to, const sighand_struct* from) {
  to->used = from->used;
  for (u64 used = to->used; used; used &= used - 1) {
    const int i = __builtin_ctzll(used);
    to->action[i] = from->action[i];
  }
}

Result<void> unshare_sighand() {
  task_struct* self = current;
  sighand_struct* old = self->sighand;
  sighand_struct* fresh = alloc_sighand();
  if (!fresh) return fail(ENOMEM);
  {
    // Others find our siglock through task->sighand: both are held while it changes.
    IrqOffWriteGuard tasklist(tasklist_lock);
    SpinGuard guard(old->siglock);
    copy_actions(fresh, old);
    __atomic_store_n(&self->sighand, fresh, __ATOMIC_RELEASE);
  }
  __cleanup_sighand(old);
  return {};
}

// Kernel threads that took signals and are done with them.
void flush_signals(task_struct* t) {
  IrqSpinGuard guard(t->sighand->siglock);
  clear_tsk_thread_flag(t, TIF_SIGPENDING);
  flush_sigqueue(&t->pending);
  flush_sigqueue(&t->signal->shared_pending);
}

long do_no_restart_syscall(restart_block*) { return -EINTR; }

SYSCALL_DEFINE0(restart_syscall) {
  restart_block* b = &current->restart_block;
  return b->fn(b);
}
