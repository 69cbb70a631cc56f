// FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP: operations on two words. Spec 60 F-18 to F-25.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/futex/internal.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

void futex_move(FutexWaiter* w, FutexBucket* to, const FutexKey& key) {
  FutexBucket* from = w->bucket;
  __list_del_entry(&w->node);
  if (from != to) {
    bucket_waiter_add(to);
    bucket_waiter_sub(from);
  }
  w->key = key;
  futex_queue(w, to);
}

namespace {

// Both locked. F-20.
long requeue_locked(FutexBucket* from, const FutexKey& key, FutexBucket* to, const FutexKey& key2, int nr_wake,
                    int nr_requeue, wake_q_head* woken) {
  long n = 0;
  FutexWaiter *w, *next;
  list_for_each_entry_safe(w, next, &from->chain, node) {
    if (n - nr_wake >= nr_requeue) break;
    if (w->key != key) continue;
    if (w->pi) return -EINVAL;  // F-22
    if (n++ < nr_wake)
      futex_wake_mark(woken, w);
    else if (key != key2)
      futex_move(w, to, key2);
  }
  return n;
}

long wake_matching(FutexBucket* b, const FutexKey& key, int nr, wake_q_head* woken) {
  long n = 0;
  FutexWaiter *w, *next;
  list_for_each_entry_safe(w, next, &b->chain, node) {
    if (w->key != key) continue;
    if (w->pi) return -EINVAL;
    futex_wake_mark(woken, w);
    if (++n >= nr) break;
  }
  return n;
}

int sign_extend12(u32 v) { return static_cast<int>(v << 20) >> 20; }

// 1 or 0; -ENOSYS for an unknown comparison (F-25: found only after the store).
long compare_old(int cmp, int old, int arg) {
  switch (cmp) {
    case FUTEX_OP_CMP_EQ: return old == arg;
    case FUTEX_OP_CMP_NE: return old != arg;
    case FUTEX_OP_CMP_LT: return old < arg;
    case FUTEX_OP_CMP_LE: return old <= arg;
    case FUTEX_OP_CMP_GT: return old > arg;
    case FUTEX_OP_CMP_GE: return old >= arg;
    default: return -ENOSYS;
  }
}

// F-23. Page faults are off: the bucket locks are held.
long apply_op(u32 encoded, u32* uaddr) {
  unsigned op = encoded >> 28 & 7, cmp = encoded >> 24 & 15;
  int oparg = sign_extend12(encoded >> 12 & 0xfff), cmparg = sign_extend12(encoded & 0xfff);
  if (encoded & FUTEX_OP_OPARG_SHIFT << 28) oparg = 1 << (oparg & 31);
  if (op > FUTEX_OP_XOR) return -ENOSYS;
  if (!access_ok(uaddr, sizeof(u32))) return -EFAULT;
  u32 old;
  if (long err = arch::raw_atomic_op_user_u32(reinterpret_cast<unsigned long>(uaddr), static_cast<int>(op),
                                              static_cast<u32>(oparg), &old))
    return err;
  return compare_old(static_cast<int>(cmp), static_cast<int>(old), cmparg);
}

}  // namespace

long futex_requeue(u32* uaddr, unsigned flags, u32* uaddr2, int nr_wake, int nr_requeue, const u32* expected) {
  if (nr_wake < 0 || nr_requeue < 0) return -EINVAL;
  for (;;) {
    Result<FutexKey> key = futex_key(uaddr, flags);
    if (!key) return key.error().neg();
    Result<FutexKey> key2 = futex_key(uaddr2, flags);
    if (!key2) return key2.error().neg();
    FutexBucket *from = futex_bucket(*key), *to = futex_bucket(*key2);
    DEFINE_WAKE_Q(woken);
    long n = -EFAULT;
    {
      TwoBuckets both(from, to);
      u32 now = 0;
      long err = expected ? futex_read_atomic(&now, uaddr) : 0;
      if (!err && expected && now != *expected) return -EAGAIN;
      if (!err) n = requeue_locked(from, *key, to, *key2, nr_wake, nr_requeue, &woken);
    }
    if (n != -EFAULT) {
      wake_up_q(&woken);
      return n;
    }
    u32 touch;
    if (get_user(touch, uaddr)) return -EFAULT;
  }
}

// F-24: with both buckets locked the store is one step against every other operation on either word.
long futex_wake_op(u32* uaddr, unsigned flags, u32* uaddr2, int nr_wake, int nr_wake2, u32 op) {
  for (;;) {
    Result<FutexKey> key = futex_key(uaddr, flags);
    if (!key) return key.error().neg();
    Result<FutexKey> key2 = futex_key(uaddr2, flags);
    if (!key2) return key2.error().neg();
    FutexBucket *one = futex_bucket(*key), *two = futex_bucket(*key2);
    DEFINE_WAKE_Q(woken);
    long n = 0, held;
    {
      TwoBuckets both(one, two);
      held = apply_op(op, uaddr2);
      if (held >= 0) n = wake_matching(one, *key, nr_wake, &woken);
      if (held > 0 && n >= 0) {
        long more = wake_matching(two, *key2, nr_wake2, &woken);
        n = more < 0 ? more : n + more;
      }
    }
    if (held >= 0) {
      wake_up_q(&woken);
      return n;
    }
    if (held != -EFAULT) return held;
    if (Result<void> r = fault_in_user_writeable(reinterpret_cast<unsigned long>(uaddr2)); !r) return r.error().neg();
  }
}
