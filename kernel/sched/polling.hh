// The idle task that watches its flags: whoever wants its CPU need not interrupt it. Spec 30 S-14, S-25, S-46.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/sched.h>

void idle_boot();  // idle= on the command line
extern "C" void cpu_idle_poll_ctrl(bool enable);

// Of current, an idle task. A full barrier after the second: pairs with the read-modify-write of those below, so that either they
// see that nobody polls, or their NEED_RESCHED (or what was pushed before it) is seen by what comes after.
inline void start_polling() { __atomic_fetch_or(&current->thread_info.flags, 1ul << TIF_POLLING_NRFLAG, __ATOMIC_RELAXED); }
inline void stop_polling() {
  CF_RACE_POINT();
  __atomic_fetch_and(&current->thread_info.flags, ~(1ul << TIF_POLLING_NRFLAG), __ATOMIC_SEQ_CST);
  CF_RACE_POINT();
}

// Sets NEED_RESCHED. True: p has to be told, since it does not poll.
inline bool set_nr_and_not_polling(task_struct* p) {
  CF_RACE_POINT();
  return !(__atomic_fetch_or(&p->thread_info.flags, 1ul << TIF_NEED_RESCHED, __ATOMIC_SEQ_CST) & 1ul << TIF_POLLING_NRFLAG);
}

// Sets NEED_RESCHED if p polls, and says whether it does.
inline bool set_nr_if_polling(task_struct* p) {
  unsigned long seen = READ_ONCE(p->thread_info.flags);
  do {
    if (!(seen & 1ul << TIF_POLLING_NRFLAG)) return false;
    if (seen & 1ul << TIF_NEED_RESCHED) return true;
  } while (!__atomic_compare_exchange_n(&p->thread_info.flags, &seen, seen | 1ul << TIF_NEED_RESCHED, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  return true;
}
