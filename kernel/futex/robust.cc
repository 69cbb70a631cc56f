// What a task leaves behind when it dies or execs: its robust list, and the tid word its joiner waits on. Spec 60
// sections 4 and 5.
// SPDX-License-Identifier: Apache-2.0
#include <linux/slab.h>

#include "kernel/futex/pi.hh"
#include "kernel/pid/pid.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

constexpr int kRobustListLimit = 2048;  // entries; a circular list must not hang the kernel

// An entry's address carries the PI mark in bit 0.
struct Entry {
  robust_list* at;
  bool pi;
};
bool fetch_entry(Entry* e, robust_list** from) {
  unsigned long raw;
  if (get_user(raw, reinterpret_cast<unsigned long*>(from))) return false;
  *e = {reinterpret_cast<robust_list*>(raw & ~1ul), (raw & 1) != 0};
  return true;
}

enum class Position : unsigned char { InList, Pending };

// False: stop the walk.
bool handle_death(u32* uaddr, task_struct* t, bool pi, Position where) {
  if (reinterpret_cast<unsigned long>(uaddr) % sizeof(u32)) return false;
  u32 word;
  if (get_user(word, uaddr)) return false;
  for (;;) {
    u32 owner = word & FUTEX_TID_MASK;
    if (where == Position::Pending && !pi && !owner) {  // it died between the unlock and the wake
      if (!word) futex_wake(uaddr, 0, 1, FUTEX_BITSET_MATCH_ANY);
      return true;
    }
    if (owner != static_cast<u32>(task_pid_vnr(t))) return true;
    u32 marked = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, found;
    if (!access_ok(uaddr, sizeof(u32))) return false;
    if (arch::raw_cmpxchg_user_u32(reinterpret_cast<unsigned long>(uaddr), word, marked, &found)) {
      if (!fault_in_user_writeable(reinterpret_cast<unsigned long>(uaddr))) return false;
      if (get_user(word, uaddr)) return false;
      continue;
    }
    if (found == word) break;
    word = found;
  }
  if (!pi && (word & FUTEX_WAITERS)) futex_wake(uaddr, 0, 1, FUTEX_BITSET_MATCH_ANY);
  return true;
}

u32* word_of(robust_list* entry, long offset) {
  return reinterpret_cast<u32*>(reinterpret_cast<char*>(entry) + offset);
}

void walk_robust_list(task_struct* t) {
  auto* head = static_cast<robust_list_head*>(t->robust_list);
  Entry entry, next = {}, pending;
  long offset;
  if (!fetch_entry(&entry, &head->list.next)) return;
  if (get_user(offset, &head->futex_offset)) return;
  if (!fetch_entry(&pending, &head->list_op_pending)) return;
  for (int left = kRobustListLimit; entry.at != &head->list && left > 0; left--) {
    // The successor first: once the lock is marked its new owner may free the memory.
    bool have_next = fetch_entry(&next, &entry.at->next);
    if (entry.at != pending.at && !handle_death(word_of(entry.at, offset), t, entry.pi, Position::InList)) return;
    if (!have_next) return;
    entry = next;
  }
  if (pending.at) handle_death(word_of(pending.at, offset), t, pending.pi, Position::Pending);
}

void release(task_struct* t, unsigned final_state) {
  // A full barrier. Pairs with the one in find_owner: who makes a state for t after our look at the list sees this.
  (void)__atomic_exchange_n(&t->futex_state, FUTEX_STATE_EXITING, __ATOMIC_SEQ_CST);
  if (t->robust_list) [[unlikely]] {
    walk_robust_list(t);
    t->robust_list = nullptr;
  }
  if (!list_empty_careful(&t->pi_state_list)) [[unlikely]]
    exit_pi_state_list(t);
  if (t->pi_state_cache) [[unlikely]] {
    kfree(t->pi_state_cache);
    t->pi_state_cache = nullptr;
  }
  // Pairs with the acquire in find_owner: who sees the end sees the words as they were left.
  smp_store_release(&t->futex_state, final_state);
}

}  // namespace

void futex_init_task(task_struct* t) {
  t->robust_list = nullptr;
  INIT_LIST_HEAD(&t->pi_state_list);
  t->pi_state_cache = nullptr;
  t->futex_state = FUTEX_STATE_OK;
}
void futex_exit_recursive(task_struct* t) { WRITE_ONCE(t->futex_state, FUTEX_STATE_DEAD); }
void futex_exit_release(task_struct* t) { release(t, FUTEX_STATE_DEAD); }
void futex_exec_release(task_struct* t) { release(t, FUTEX_STATE_OK); }

// T-1 to T-3, T-7: the last touch of this thread's user memory.
void futex_clear_child_tid(task_struct* t) {
  int* tid = t->clear_child_tid;
  if (!tid) return;
  t->clear_child_tid = nullptr;
  if (!t->mm || atomic_read(&t->mm->mm_users) <= 1) return;
  (void)put_user(0, tid);
  futex_wake(reinterpret_cast<u32*>(tid), 0, 1, FUTEX_BITSET_MATCH_ANY);
}
