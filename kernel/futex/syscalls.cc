// futex(2), futex_waitv(2), set_robust_list(2), get_robust_list(2).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/entry/syscall.hh"

#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "kernel/cred/cred.hh"
#include "kernel/futex/pi.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

bool takes_timeout(int cmd) {
  switch (cmd) {
    case FUTEX_WAIT:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI: return true;
    default: return false;
  }
}

// F-3, F-4: a relative time becomes absolute once.
long read_deadline(int cmd, int clock, const __kernel_timespec* user, ktime_t* deadline) {
  __kernel_timespec ts;
  if (copy_from_user(&ts, user, sizeof(ts))) return -EFAULT;
  if (ts.tv_sec < 0 || static_cast<u64>(ts.tv_nsec) >= static_cast<u64>(NSEC_PER_SEC)) return -EINVAL;
  ktime_t t = ktime_set(ts.tv_sec, ts.tv_nsec);
  *deadline = cmd == FUTEX_WAIT ? ktime_add_safe(ktime_get(), t) : timens_to_host(clock, t);
  return 0;
}

long read_waitv(futex_waitv* e, const futex_waitv* user, unsigned n) {
  if (copy_from_user(e, user, n * sizeof(*e))) return -EFAULT;
  for (unsigned i = 0; i < n; i++) {
    unsigned flags = e[i].flags;
    if ((flags & ~FUTEX_PRIVATE_FLAG) != FUTEX_32 || e[i].__reserved) return -EINVAL;
    e[i].flags &= FUTEX_PRIVATE_FLAG;
  }
  return 0;
}

struct WaitvMemory {
  futex_waitv entries[FUTEX_WAITV_MAX];
  FutexWaiter waiters[FUTEX_WAITV_MAX];
};

}  // namespace

long do_futex(u32* uaddr, int op, u32 val, const ktime_t* deadline, u32* uaddr2, u32 val2, u32 val3) {
  int cmd = op & FUTEX_CMD_MASK;
  unsigned flags = op & (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  if ((flags & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI && cmd != FUTEX_LOCK_PI2)
    return -ENOSYS;  // F-2
  switch (cmd) {
    case FUTEX_WAIT: return futex_wait(uaddr, flags, val, deadline, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET: return futex_wait(uaddr, flags, val, deadline, val3);
    case FUTEX_WAKE: return futex_wake(uaddr, flags, static_cast<int>(val), FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET: return futex_wake(uaddr, flags, static_cast<int>(val), val3);
    case FUTEX_REQUEUE: return futex_requeue(uaddr, flags, uaddr2, val, val2, nullptr);
    case FUTEX_CMP_REQUEUE: return futex_requeue(uaddr, flags, uaddr2, val, val2, &val3);
    case FUTEX_WAKE_OP: return futex_wake_op(uaddr, flags, uaddr2, val, val2, val3);
    case FUTEX_LOCK_PI: return futex_lock_pi(uaddr, flags | FUTEX_CLOCK_REALTIME, deadline, PiBlock::Sleep);  // F-4
    case FUTEX_LOCK_PI2: return futex_lock_pi(uaddr, flags, deadline, PiBlock::Sleep);
    case FUTEX_TRYLOCK_PI: return futex_lock_pi(uaddr, flags, nullptr, PiBlock::Try);
    case FUTEX_UNLOCK_PI: return futex_unlock_pi(uaddr, flags);
    case FUTEX_WAIT_REQUEUE_PI: return futex_wait_requeue_pi(uaddr, flags, val, deadline, FUTEX_BITSET_MATCH_ANY, uaddr2);
    case FUTEX_CMP_REQUEUE_PI:
      return futex_cmp_requeue_pi(uaddr, flags, uaddr2, static_cast<int>(val), static_cast<int>(val2), val3);
    default: return -ENOSYS;
  }
}

SYSCALL_DEFINE6(futex, u32*, uaddr, int, op, u32, val, const __kernel_timespec*, utime, u32*, uaddr2, u32, val3) {
  int cmd = op & FUTEX_CMD_MASK;
  ktime_t deadline, *have = nullptr;
  if (utime && takes_timeout(cmd)) {
    const bool real = (op & FUTEX_CLOCK_REALTIME) || cmd == FUTEX_LOCK_PI;
    if (long err = read_deadline(cmd, real ? CLOCK_REALTIME : CLOCK_MONOTONIC, utime, &deadline)) return err;
    have = &deadline;
  }
  return do_futex(uaddr, op, val, have, uaddr2, static_cast<u32>(reinterpret_cast<unsigned long>(utime)), val3);
}

// F-26.
SYSCALL_DEFINE5(futex_waitv, const futex_waitv*, user, unsigned, n, unsigned, flags, const __kernel_timespec*, utime, int,
                clock) {
  if (flags || !n || n > FUTEX_WAITV_MAX || !user) return -EINVAL;
  ktime_t deadline, *have = nullptr;
  if (utime) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return -EINVAL;
    if (long err = read_deadline(FUTEX_WAIT_BITSET, clock, utime, &deadline)) return err;
    have = &deadline;
  }
  auto* m = static_cast<WaitvMemory*>(kmalloc(sizeof(WaitvMemory), GFP_KERNEL));
  if (!m) return -ENOMEM;
  long ret = read_waitv(m->entries, user, n);
  if (!ret) ret = futex_wait_multiple(m->entries, m->waiters, n, have, clock);
  kfree(m);
  return ret;
}

SYSCALL_DEFINE2(set_robust_list, robust_list_head*, head, size_t, len) {
  if (len != sizeof(*head)) return -EINVAL;
  current->robust_list = head;
  return 0;
}

SYSCALL_DEFINE3(get_robust_list, int, tid, robust_list_head**, head, size_t*, len) {
  robust_list_head* found;
  {
    RcuReadGuard rcu;
    task_struct* t = tid ? find_task_by_vpid(tid) : current;
    if (!t) return -ESRCH;
    const cred *mine = current_cred(), *theirs = READ_ONCE(t->real_cred);
    bool same = uid_eq(mine->fsuid, theirs->uid) && uid_eq(mine->fsuid, theirs->euid) && uid_eq(mine->fsuid, theirs->suid);
    if (t != current && !same && !ns_capable(theirs->user_ns, CAP_SYS_PTRACE)) return -EPERM;
    found = static_cast<robust_list_head*>(READ_ONCE(t->robust_list));
  }
  if (put_user(sizeof(robust_list_head), len)) return -EFAULT;
  return put_user(found, head);
}
