// The scenarios: each a race that schedulers have lost before. What is cited is what it is to hold.
// SPDX-License-Identifier: Apache-2.0
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/sched/wake_q.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>

#include "arch/hosted/pilot.hh"
#include "kernel/cpu/hotplug.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/futex/internal.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/polling.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"
#include "mm/mmap.hh"
#include "mm/uaccess.hh"
#include "test/explore/scenario.hh"

extern "C" long sys_mmap(const pt_regs*);

namespace explore {
namespace {

void move_to(task_struct* p, unsigned long cpus) {
  cpumask_t mask = {{cpus}};
  (void)set_cpus_allowed_ptr(p, &mask);
}

// The bare protocol, without a queue's lock to help: run.word counts what was posted.
void sleep_until_posted(Run& run, int at_least, unsigned state = TASK_UNINTERRUPTIBLE) {
  for (;;) {
    set_current_state(state);
    race();
    if (READ_ONCE(run.word) >= at_least) break;
    race();
    schedule();
  }
  __set_current_state(TASK_RUNNING);
}
void post(Run& run, unsigned sleeper) {
  WRITE_ONCE(run.word, run.word + 1);
  race();
  wake_up_process(run.task(sleeper));
}

// Once the first task has said that it listens.
constexpr Part signal_once_it_says = [](Run& r) {
  while (!READ_ONCE(r.word)) cpu_relax();
  send_sig(SIGUSR1, r.task(0), 1);
};

// Kernel threads ignore signals unless they ask for them.
void listen_to_signals() {
  unsigned long flags;
  sighand_struct* sighand = lock_task_sighand(current, &flags);
  set_sighandler(sighand, SIGUSR1, SIG_KTHREAD);
  unlock_task_sighand(current, flags);
}

SchedRequest fifo(unsigned prio) { return {.policy = SCHED_FIFO, .rt_priority = prio}; }
SchedRequest deadline() { return {.policy = SCHED_DEADLINE, .runtime = 2'000'000, .deadline = 10'000'000, .period = 10'000'000}; }
void set_policy(task_struct* p, const SchedRequest& q) { (void)__sched_setscheduler(p, q, SchedCaller::Kernel); }

// ---- try_to_wake_up against schedule -----------------------------------------------------------------------------------

// spec 30 S-39, S-91
void wake_against_sleep(Run& run) {
  run.on(1, [](Run& r) {
       sleep_until_posted(r, 1);
       sleep_until_posted(r, 2);
     }).on(2, [](Run& r) {
    post(r, 0);
    race();
    post(r, 0);
  }).go_and_wait();
}

// spec 30 S-34: one of two wakers wins each sleep
void two_wakers(Run& run) {
  run.early(1, [](Run& r) {
       set_current_state(TASK_UNINTERRUPTIBLE);
       WRITE_ONCE(r.word, 1);
       schedule();
     });
  constexpr Part waker = [](Run& r) {
    if (wake_up_process(r.task(0))) atomic_inc(&r.count);
  };
  run.on(0, waker).on(2, waker).go_and_wait();
  run.check(atomic_read(&run.count) == 1, "exactly one wake-up counts");
}

// spec 30 S-42, S-44: woken while it is still on its way off its CPU; two CPUs are free for it. A fair task may be left to its CPU; for a
// real-time one the waker waits until it is off
void sleeps_twice_anywhere(Run& r) {
  move_to(current, 0b111);
  for (int i = 1; i <= 2; i++) {
    volatile int mine = i;
    sleep_until_posted(r, i);
    r.check(mine == i, "the stack is its own");
  }
}
void posts_twice(Run& r) {
  post(r, 0);
  post(r, 0);
}
void wake_a_task_that_is_leaving(Run& run) { run.on(1, sleeps_twice_anywhere).on(2, posts_twice).go_and_wait(); }
void wake_an_urgent_task_that_is_leaving(Run& run) {
  run.on(1, [](Run& r) {
       set_policy(current, fifo(5));
       sleeps_twice_anywhere(r);
     }).on(2, posts_twice).go_and_wait();
}

// spec 30 S-46: the waker's own CPU is where the sleeper sleeps
void wake_on_the_same_cpu(Run& run) {
  run.early(1, [](Run& r) { sleep_until_posted(r, 2); });
  constexpr Part waker = [](Run& r) {
    __atomic_fetch_add(&r.word, 1, __ATOMIC_SEQ_CST);
    wake_up_process(r.task(0));
  };
  run.on(1, waker).on(2, waker).go_and_wait();
}

// spec 22 C-80: an idle CPU that is about to wait for interrupts does not miss one
void wake_to_an_idle_cpu(Run& run) {
  run.early(1, [](Run& r) { sleep_until_posted(r, 1); });
  run.on(2, [](Run& r) { post(r, 0); }).go_and_wait();
}

// spec 30 S-25, S-46: a real-time task is queued from afar, and its idle CPU marked; a fair one is put on a list. Neither is told by an
// interrupt while the CPU says that it polls
void urgent_wake_to_an_idle_cpu(Run& run) {
  run.early(1, [](Run& r) {
       set_policy(current, fifo(5));
       sleep_until_posted(r, 1);
     }).on(2, [](Run& r) { post(r, 0); }).go_and_wait();
}
void wakes_to_polling_cpus(Run& run) {
  cpu_idle_poll_ctrl(true);
  run.early(1, [](Run& r) { sleep_until_posted(r, 2); }).early(0, [](Run& r) {
       set_policy(current, fifo(5));
       sleep_until_posted(r, 1);
     }).on(2, [](Run& r) {
    post(r, 1);
    race();
    post(r, 0);
  }).go_and_wait();
  cpu_idle_poll_ctrl(false);
}

// spec 30 section 8.1, 32 D-3: of two who give a task a bandwidth at once one comes last, and what is admitted for it is what it has
template <u64 kRuntime>
void gives_a_bandwidth(Run& r) {
  task_struct* p = r.task(0);
  set_policy(p, {.policy = SCHED_DEADLINE, .runtime = kRuntime, .deadline = 10'000'000, .period = 10'000'000});
  if (atomic_inc_return(&r.count) < 2) return;
  const dl::Params has = dl::own_params(p->dl);
  r.check(p->dl.admitted_bw && p->dl.admitted_bw == dl::to_ratio(has.period, has.runtime), "the task has another bandwidth than was admitted");
  post(r, 0);
}
void two_admissions(Run& run) {
  run.early(1, [](Run& r) {
       move_to(current, 0b111);
       sleep_until_posted(r, 1);
     }).on(0, gives_a_bandwidth<2'000'000>).on(2, gives_a_bandwidth<3'000'000>).go_and_wait();
}

// ---- With a store buffer -------------------------------------------------------------------------------------------------

// spec 30 S-37: what the waker stored is seen by whoever it does not wake: the wake-up is a full barrier before the state is read, also if
// it finds nobody asleep
void a_late_store_against_sleep(Run& run) {
  run.on(1, [](Run& r) { sleep_until_posted(r, 1); }).on(2, [](Run& r) {
    hosted::delay_store(reinterpret_cast<unsigned*>(&r.word), 1);
    race();
    wake_up_process(r.task(0));
    race();
    hosted::drain_stores();
  }).go_and_wait();
}

// spec 30 S-40: the state, stored late and without a barrier of the sleeper's own, is out when __schedule() looks for signals
void a_late_state_against_a_signal(Run& run) {
  run.on(1, [](Run& r) {
       listen_to_signals();
       WRITE_ONCE(r.word, 1);
       hosted::delay_store(&current->__state, TASK_INTERRUPTIBLE);
       race();
       schedule();
       r.check(signal_pending(current), "the signal ended it");
       flush_signals(current);
     }).on(2, signal_once_it_says).go_and_wait();
}

// spec 30 S-41: woken from a sleep, it announces another, while a second waker is between its look at the state and that at on_rq
void wakers_of_a_short_sleep(Run& run) {
  run.early(1, [](Run& r) {
    sleep_until_posted(r, 1);
    sleep_until_posted(r, 2);
  });
  constexpr Part waker = [](Run& r) {
    __atomic_fetch_add(&r.word, 1, __ATOMIC_SEQ_CST);
    wake_up_process(r.task(0));
  };
  run.on(0, waker).on(2, waker).go_and_wait();
}

// Preempted with its sleep announced, so that it is queued and on no CPU, it goes on and leaves its queue while a waker looks.
void wake_of_a_preempted_sleeper(Run& run) {
  run.early(1, [](Run& r) {
    set_policy(current, fifo(10));
    while (!READ_ONCE(r.word2)) {
      set_current_state(TASK_INTERRUPTIBLE);
      if (!READ_ONCE(r.word2)) schedule();
      __set_current_state(TASK_RUNNING);
    }
  });
  run.on(1, [](Run& r) {
       move_to(current, 0b111);
       volatile int mine = 5;
       for (;;) {
         set_current_state(TASK_UNINTERRUPTIBLE);
         if (READ_ONCE(r.word)) break;
         wake_up_process(r.task(0));  // preempts us
         schedule();
       }
       __set_current_state(TASK_RUNNING);
       r.check(mine == 5, "the stack is its own");
       WRITE_ONCE(r.word2, 1);
       wake_up_process(r.task(0));
     }).on(2, [](Run& r) { post(r, 1); }).go_and_wait();
}

// spec 30 S-43, S-19: woken twice while it goes to sleep three times. The waker's store of the state comes after the sleeper's CPU has read
// it, and that CPU does not read it again
void wakers_of_two_sleeps(Run& run) {
  run.on(1, [](Run& r) {
       move_to(current, 0b111);
       for (int i = 1; i <= 3; i++) {
         volatile int mine = i;
         sleep_until_posted(r, i);
         r.check(mine == i, "the stack is its own");
       }
     });
  constexpr Part waker = [](Run& r) {
    for (int i = 0; i < 2; i++) {
      __atomic_fetch_add(&r.word, 1, __ATOMIC_SEQ_CST);
      race();
      wake_up_process(r.task(0));
    }
  };
  run.on(0, waker).on(2, waker).go_and_wait();
}

// ---- ... choosing ----------------------------------------------------------------------------------------------------------

// spec 30 S-23: while a CPU that ran dry looks for work without its lock, somebody better than what it finds is woken there (a choice
// against the classes' order is a violated invariant)
void realtime_wake_against_newidle(Run& run) {
  run.early(1, [](Run& r) {
       set_policy(current, fifo(20));
       sleep_until_posted(r, 1);
     });
  run.early(2, [](Run& r) {
       move_to(current, 0b110);
       wait_event(r.wq, READ_ONCE(r.word2));
       for (int i = 0; i < 3; i++) sched_yield_current();
     });
  run.on(2, [](Run& r) {
       WRITE_ONCE(r.word2, 1);
       wake_up(&r.wq);
       for (int i = 0; i < 3; i++) sched_yield_current();
     }).on(0, [](Run& r) { post(r, 0); }).on(1, [](Run&) { schedule_timeout_uninterruptible(1); }).go_and_wait();
}

// ---- ... migration and affinity ------------------------------------------------------------------------------------------

// spec 30 S-45, S-66
void wake_against_affinity(Run& run) {
  run.on(1, [](Run& r) {
       sleep_until_posted(r, 1);
       sleep_until_posted(r, 2);
     }).on(2, [](Run& r) {
       post(r, 0);
       post(r, 0);
     }).on(0, [](Run& r) {
    move_to(r.task(0), 0b100);
    race();
    move_to(r.task(0), 0b001);
    r.check(cpumask_test_cpu(task_cpu(r.task(0)), r.task(0)->cpus_ptr) || !task_curr(r.task(0)), "it does not run where it may not");
  }).go_and_wait();
}

// The sleeper's CPU goes, and comes back.
// spec 30 section 10.5, S-50, S-52
void wake_against_hotplug(Run& run) {
  run.on(1, [](Run& r) { sleep_until_posted(r, 1); }).on(2, [](Run& r) { post(r, 0); }).on(0, [](Run& r) {
    r.check(cpu_down(1).has_value() && cpu_rq(1)->nr_running == 0, "it is taken down, and nobody is left there");
    r.check(cpu_up(1).has_value(), "it comes back");
  }).go_and_wait();
}

// A running task is taken from under its feet while it goes to sleep.
void affinity_against_sleep(Run& run) {
  run.on(1, [](Run& r) {
       sleep_until_posted(r, 1);
       preempt_disable();
       r.check(cpumask_test_cpu(smp_processor_id(), current->cpus_ptr) || current->sched_must_leave, "it runs where it may");
       preempt_enable();
     }).on(2, [](Run& r) {
    move_to(r.task(0), 0b001);
    post(r, 0);
  }).go_and_wait();
}

// spec 30 S-7: two threads chase a third over the CPUs; who locks its queue has the right one, and does not find it in flight
void two_affinity_changes(Run& run) {
  run.on(1, [](Run& r) {
       for (int i = 0; i < 3; i++) sched_yield_current();
       sleep_until_posted(r, 2);
     });
  run.on(0, [](Run& r) {
       move_to(r.task(0), 0b001);
       __atomic_fetch_add(&r.word, 1, __ATOMIC_SEQ_CST);
       wake_up_process(r.task(0));
     }).on(2, [](Run& r) {
    move_to(r.task(0), 0b100);
    __atomic_fetch_add(&r.word, 1, __ATOMIC_SEQ_CST);
    wake_up_process(r.task(0));
  }).go_and_wait();
}

// Newidle and tick balance look for work while others wake and sleep.
void balance_against_wake(Run& run) {
  run.early(1, [](Run& r) {
       move_to(current, 0b110);
       sleep_until_posted(r, 1);
       sched_yield_current();
     });
  run.early(1, [](Run& r) {
       move_to(current, 0b110);
       sleep_until_posted(r, 1);
       sched_yield_current();
     });
  run.on(0, [](Run& r) {
       post(r, 0);
       post(r, 1);
     }).on(2, [](Run&) { schedule_timeout_uninterruptible(1); }).go_and_wait();
}

// ---- ... exit ------------------------------------------------------------------------------------------------------------

// spec 22 C-41: a late wake-up does not bring the dead back
void wake_against_exit(Run& run) {
  run.on(1, [](Run& r) { sleep_until_posted(r, 1); });
  run.on(2, [](Run& r) {
       post(r, 0);
       for (int i = 0; i < 3; i++) {
         race();
         wake_up_process(r.task(0));
       }
     }).go_and_wait();
  wake_up_process(run.task(0));
}

// spec 30 S-20: a task's stack is not given up before its CPU has left it, nor the scheduler's reference
void the_end_is_watched(Run& run) {
  run.on(1, [](Run& r) {
       WRITE_ONCE(r.word, 1);
       race();
     });
  run.on(2, [](Run& r) {
       const task_struct* t = r.task(0);
       while (!READ_ONCE(r.word)) cpu_relax();
       for (int i = 0; i < 40; i++) {
         const unsigned stacks = refcount_read(&t->stack_refcount), users = refcount_read(&t->rcu_users);
         race();
         if (READ_ONCE(t->on_cpu)) r.check(stacks && users, "it stands on its stack");
         race();
       }
     }).go_and_wait();
}

// ---- ... class, priority, group -------------------------------------------------------------------------------------------

// spec 30 section 8.1
void wake_against_class_change(Run& run) {
  run.on(1, [](Run& r) {
       sleep_until_posted(r, 1);
       sleep_until_posted(r, 2);
     }).on(2, [](Run& r) {
       post(r, 0);
       post(r, 0);
     }).on(0, [](Run& r) {
    set_policy(r.task(0), fifo(10));
    set_policy(r.task(0), {});
  }).go_and_wait();
}

// spec 32 D-22, D-24
void wake_against_deadline(Run& run) {
  run.on(1, [](Run& r) {
       move_to(current, 0b111);
       sleep_until_posted(r, 1);
       sleep_until_posted(r, 2);
     }).on(2, [](Run& r) {
       post(r, 0);
       post(r, 0);
     }).on(0, [](Run& r) {
    set_policy(r.task(0), deadline());
    set_policy(r.task(0), {});
  }).go_and_wait();
}

// spec 30 S-63
void wake_against_renice(Run& run) {
  run.on(1, [](Run& r) { sleep_until_posted(r, 2); }).on(2, [](Run& r) {
       post(r, 0);
       post(r, 0);
     }).on(0, [](Run& r) {
    set_user_nice(r.task(0), 5);
    set_user_nice(r.task(0), -5);
  }).go_and_wait();
}

// spec 32 R-24, section 5: pushed and pulled while its priority changes
void push_against_class_change(Run& run) {
  run.early(1, [](Run& r) {
       move_to(current, 0b110);
       set_policy(current, fifo(20));
       sleep_until_posted(r, 1);
     });
  run.early(1, [](Run& r) {
       move_to(current, 0b110);
       set_policy(current, fifo(30));
       sleep_until_posted(r, 1);
     });
  run.on(0, [](Run& r) {
       WRITE_ONCE(r.word, 1);
       wake_up_process(r.task(0));
       wake_up_process(r.task(1));
     }).on(2, [](Run& r) {
    set_policy(r.task(0), {});
    set_policy(r.task(1), fifo(5));
  }).go_and_wait();
}

// spec 31 section 8
void wake_against_group_change(Run& run) {
  auto group = sched_create_group(nullptr);
  run.check(group.has_value(), "a group");
  if (!group) return;
  run.data = *group;
  run.on(1, [](Run& r) { sleep_until_posted(r, 2); }).on(2, [](Run& r) {
       post(r, 0);
       post(r, 0);
     }).on(0, [](Run& r) {
    sched_move_task(r.task(0), static_cast<task_group*>(r.data));
    race();
    sched_move_task(r.task(0), nullptr);
  }).go_and_wait();
  sched_destroy_group(*group);
}

// ---- Signals -------------------------------------------------------------------------------------------------------------

// spec 30 S-38, 33 W-19: a signal ends an interruptible sleep, whenever it comes
void signal_against_sleep(Run& run) {
  run.on(1, [](Run& r) {
       listen_to_signals();
       WRITE_ONCE(r.word, 1);
       long ret = wait_event_interruptible(r.wq, READ_ONCE(r.word2) == 1);
       r.check(ret == -ERESTARTSYS, "the signal ended it");
       flush_signals(current);
     }).on(2, signal_once_it_says).go_and_wait();
}

void signal_against_wake(Run& run) {
  run.on(1, [](Run& r) {
       listen_to_signals();
       WRITE_ONCE(r.word2, 1);
       (void)wait_event_interruptible(r.wq, READ_ONCE(r.word) == 1);
       flush_signals(current);
     }).on(2, [](Run& r) {
       while (!READ_ONCE(r.word2)) cpu_relax();
       send_sig(SIGUSR1, r.task(0), 1);
     }).on(0, [](Run& r) {
    WRITE_ONCE(r.word, 1);
    wake_up(&r.wq);
  }).go_and_wait();
}

// ---- Wait queues and what is built on them --------------------------------------------------------------------------------

// spec 33 W-9, W-14
void wait_event_against_wake(Run& run) {
  run.on(1, [](Run& r) {
       wait_event(r.wq, READ_ONCE(r.word) == 1);
       WRITE_ONCE(r.word, 2);
       wake_up(&r.wq);
     }).on(2, [](Run& r) {
    WRITE_ONCE(r.word, 1);
    wake_up(&r.wq);
    wait_event(r.wq, READ_ONCE(r.word) == 2);
  }).go_and_wait();
}

// Who looks at the queue without its lock needs a barrier: spec 33 W-11
void waitqueue_active_against_wait(Run& run) {
  run.on(1, [](Run& r) { wait_event(r.wq, READ_ONCE(r.word) == 1); }).on(2, [](Run& r) {
    WRITE_ONCE(r.word, 1);
    if (wq_has_sleeper(&r.wq)) wake_up(&r.wq);
  }).go_and_wait();
}

// spec 33 W-15: each exclusive wake-up goes to one waiter, and none is spent on one that leaves
void exclusive_waiters(Run& run) {
  constexpr Part waiter = [](Run& r) {
    wait_event_interruptible_exclusive(r.wq, [&] { return atomic_add_unless(&r.count, -1, 0); }());
  };
  run.on(1, waiter).on(2, waiter).on(0, [](Run& r) {
    atomic_inc(&r.count);
    wake_up(&r.wq);
    race();
    atomic_inc(&r.count);
    wake_up(&r.wq);
  }).go_and_wait();
}

// spec 33 W-10: a waiter that leaves for a signal does not take another's wake-up along
void exclusive_against_signal(Run& run) {
  run.on(1, [](Run& r) {
       listen_to_signals();
       WRITE_ONCE(r.word2, 1);
       const long ret = wait_event_interruptible_exclusive(r.wq, [&] { return atomic_add_unless(&r.count, -1, 0); }());
       flush_signals(current);
       if (ret) return;
       atomic_inc(&r.count);  // it is the other's
       wake_up(&r.wq);
     }).on(2, [](Run& r) {
       wait_event_interruptible_exclusive(r.wq, [&] { return atomic_add_unless(&r.count, -1, 0); }());
     }).on(0, [](Run& r) {
    while (!READ_ONCE(r.word2)) cpu_relax();
    send_sig(SIGUSR1, r.task(0), 1);
    race();
    atomic_inc(&r.count);
    wake_up(&r.wq);
  }).go_and_wait();
}

// A time-out and the event at the same time.
void timeout_against_wake(Run& run) {
  run.on(1, [](Run& r) { (void)wait_event_timeout(r.wq, READ_ONCE(r.word) == 1, 1); }).on(2, [](Run& r) {
    schedule_timeout_uninterruptible(1);
    WRITE_ONCE(r.word, 1);
    wake_up(&r.wq);
  }).go_and_wait();
}

// spec 33 W-27: the completion is on the waiter's stack, and gone when it returns
void completion_on_the_stack(Run& run) {
  run.on(1, [](Run& r) {
       completion c;
       init_completion(&c);
       smp_store_release(&r.data, static_cast<void*>(&c));
       wait_for_completion(&c);
       __builtin_memset(static_cast<void*>(&c), 0x6b, sizeof c);
       race();
     }).on(2, [](Run& r) {
    void* c;
    while (!(c = smp_load_acquire(&r.data))) cpu_relax();
    complete(static_cast<completion*>(c));
  }).go_and_wait();
}

void two_completions(Run& run) {
  constexpr Part waiter = [](Run& r) { wait_for_completion(&r.event); };
  run.on(1, waiter).on(2, waiter).on(0, [](Run& r) {
    complete(&r.event);
    complete(&r.event);
  }).go_and_wait();
}

// spec 33 section 4: the bit is cleared, then whoever waits is woken
void wait_on_bit_against_wake(Run& run) {
  static unsigned long bits;
  bits = 1;
  run.on(1, [](Run&) { (void)wait_on_bit(&bits, 0, TASK_UNINTERRUPTIBLE); }).on(2, [](Run&) {
    __atomic_fetch_and(&bits, ~1ul, __ATOMIC_RELEASE);
    smp_mb();
    wake_up_bit(&bits, 0);
  }).go_and_wait();
}

// spec 33 section 11: a task is in one wake queue at a time; who finds it there may rely on that one
void wake_queues(Run& run) {
  run.on(1, [](Run& r) { sleep_until_posted(r, 2); });
  constexpr Part waker = [](Run& r) {
    DEFINE_WAKE_Q(q);
    __atomic_fetch_add(&r.word, 1, __ATOMIC_SEQ_CST);
    wake_q_add(&q, r.task(0));
    race();
    wake_up_q(&q);
  };
  run.on(2, waker).on(0, waker).go_and_wait();
}

// ---- Locks that sleep ------------------------------------------------------------------------------------------------------

mutex the_mutex;
void mutex_handed_on(Run& run) {
  mutex_init(&the_mutex);
  constexpr Part user = [](Run& r) {
    for (int i = 0; i < 2; i++) {
      mutex_lock(&the_mutex);
      int before = r.word;
      race();
      r.word = before + 1;
      mutex_unlock(&the_mutex);
    }
  };
  run.on(0, user).on(1, user).on(2, user).go_and_wait();
  run.check(run.word == 6, "one at a time");
}

// ---- kthreads --------------------------------------------------------------------------------------------------------------

int stops_when_told(void*) {
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    race();
    if (kthread_should_stop()) break;
    race();
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return 7;
}
// spec 50 part A
void kthread_stop_against_sleep(Run& run) {
  run.data = kthread_create(stops_when_told, nullptr, "told");
  run.check(!IS_ERR(run.data), "a thread");
  move_to(static_cast<task_struct*>(run.data), 0b010);
  run.on(2, [](Run& r) {
       auto* k = static_cast<task_struct*>(r.data);
       wake_up_process(k);
       race();
       const int ret = kthread_stop(k);
       r.check(ret == 7 || ret == -EINTR, "what the thread returned");
     }).on(0, [](Run&) { race(); }).go_and_wait();
}

int parks_when_told(void*) {
  while (!kthread_should_stop()) {
    if (kthread_should_park()) kthread_parkme();
    race();
    schedule_timeout_interruptible(1);
  }
  return 0;
}
void kthread_park_against_unpark(Run& run) {
  run.data = kthread_create_on_cpu(parks_when_told, nullptr, 1, "parks/%u");
  run.check(!IS_ERR(run.data), "a thread");
  kthread_unpark(static_cast<task_struct*>(run.data));
  run.on(2, [](Run& r) {
       auto* k = static_cast<task_struct*>(r.data);
       (void)kthread_park(k);
       kthread_unpark(k);
       (void)kthread_stop(k);
     }).go_and_wait();
}

// ---- Futexes: spec 60 F-9, F-16, F-17, F-20 ----------------------------------------------------------------------------------------

constexpr unsigned long kWords = 0x10000000;
u32* futex_word(unsigned i) { return reinterpret_cast<u32*>(kWords + 1024 * i); }
constexpr unsigned kPrivate = FUTEX_PRIVATE_FLAG;

int maps_the_words(void* mm) {
  kthread_use_mm(static_cast<mm_struct*>(mm));
  pt_regs regs = {};
  regs.di = kWords, regs.si = 4096, regs.dx = PROT_READ | PROT_WRITE, regs.r10 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, regs.r8 = ~0ul;
  const long at = sys_mmap(&regs);
  for (unsigned i = 0; i < 2; i++) (void)put_user(0u, futex_word(i));
  kthread_unuse_mm(static_cast<mm_struct*>(mm));
  return static_cast<unsigned long>(at) == kWords ? 0 : -1;
}
// The actors share an address space.
void go_with_memory(Run& run) {
  mm_struct* mm = mm_alloc();
  run.check(mm, "an address space");
  mm->mmap_base = 0x7f0000000000;
  task_struct* k = kthread_create(maps_the_words, mm, "maps");
  get_task_struct(k);
  wake_up_process(k);
  while (READ_ONCE(k->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
  put_task_struct(k);
  run.data = mm;
  run.go_and_wait();
  mmput(mm);
}
struct WithMemory {
  Run& run;
  explicit WithMemory(Run& r) : run(r) { kthread_use_mm(static_cast<mm_struct*>(r.data)); }
  ~WithMemory() { kthread_unuse_mm(static_cast<mm_struct*>(run.data)); }
};
u32 value_of(u32* word) {
  u32 v = 0;
  (void)get_user(v, word);
  return v;
}

void futex_wait_against_wake(Run& run) {
  run.on(1, [](Run& r) {
       WithMemory m(r);
       while (!value_of(futex_word(0))) (void)futex_wait(futex_word(0), kPrivate, 0, nullptr, ~0u);
     }).on(2, [](Run& r) {
    WithMemory m(r);
    (void)put_user(1u, futex_word(0));
    race();
    (void)futex_wake(futex_word(0), kPrivate, 1, ~0u);
  });
  go_with_memory(run);
}

// Whoever was moved to the other word is woken there.
void futex_wait_against_requeue(Run& run) {
  run.on(1, [](Run& r) {
       WithMemory m(r);
       while (!value_of(futex_word(0))) (void)futex_wait(futex_word(0), kPrivate, 0, nullptr, ~0u);
     }).on(2, [](Run& r) {
    WithMemory m(r);
    (void)put_user(1u, futex_word(0));
    race();
    (void)futex_requeue(futex_word(0), kPrivate, futex_word(1), 0, 5, nullptr);
    race();
    (void)futex_wake(futex_word(1), kPrivate, 5, ~0u);
  });
  go_with_memory(run);
}

// One wake-up for one of two waiters, of whom one is signalled at the same time: it is not lost.
void futex_wake_against_signal(Run& run) {
  run.on(1, [](Run& r) {
       WithMemory m(r);
       listen_to_signals();
       WRITE_ONCE(r.word, 1);
       const long ret = futex_wait(futex_word(0), kPrivate, 0, nullptr, ~0u);
       flush_signals(current);
       if (!ret)
         while (!futex_wake(futex_word(0), kPrivate, 1, ~0u)) cpu_relax();  // it took the other's
     }).on(2, [](Run& r) {
       WithMemory m(r);
       r.check(futex_wait(futex_word(0), kPrivate, 0, nullptr, ~0u) == 0, "woken");
     }).on(0, [](Run& r) {
    WithMemory m(r);
    while (!READ_ONCE(r.word)) cpu_relax();
    send_sig(SIGUSR1, r.task(0), 1);
    race();
    while (!futex_wake(futex_word(0), kPrivate, 1, ~0u)) cpu_relax();
  });
  go_with_memory(run);
}

// The waiter is on the stack of a task that ends as soon as it is woken.
void futex_wake_against_exit(Run& run) {
  run.on(1, [](Run& r) {
       WithMemory m(r);
       if (!value_of(futex_word(0))) (void)futex_wait(futex_word(0), kPrivate, 0, nullptr, ~0u);
     });
  constexpr Part waker = [](Run& r) {
    WithMemory m(r);
    (void)put_user(1u, futex_word(0));
    for (int i = 0; i < 2; i++) {
      race();
      (void)futex_wake(futex_word(0), kPrivate, 1, ~0u);
    }
  };
  run.on(0, waker).on(2, waker);
  go_with_memory(run);
}

constexpr Scenario kScenarios[] = {
#define S(name, about) {#name, 3, about, name}
    S(wake_against_sleep, "state then condition against condition then wake-up"),
    S(two_wakers, "two wakers of one sleep"),
    S(wake_a_task_that_is_leaving, "woken before it has left its CPU"),
    S(wake_an_urgent_task_that_is_leaving, "the same, not left to its CPU"),
    S(wake_on_the_same_cpu, "a waker beside the sleeper, one further away"),
    S(wake_to_an_idle_cpu, "an idle CPU about to wait for interrupts"),
    S(urgent_wake_to_an_idle_cpu, "the same, by its queue"),
    S(wakes_to_polling_cpus, "idle CPUs that poll"),
    S(a_late_store_against_sleep, "the waker's store is late"),
    S(a_late_state_against_a_signal, "the sleeper's state is late"),
    S(wakers_of_a_short_sleep, "two wakers, the second between two sleeps"),
    S(wake_of_a_preempted_sleeper, "woken while it is queued, about to sleep, and on no CPU"),
    S(wakers_of_two_sleeps, "two wakers, each of two sleeps"),
    S(realtime_wake_against_newidle, "a real-time wake-up while a CPU that ran dry looks for work"),
    S(wake_against_affinity, "wake-up against two changes of affinity"),
    S(wake_against_hotplug, "wake-up against the CPU's being taken down and up"),
    S(affinity_against_sleep, "a running task loses its CPU while it goes to sleep"),
    S(two_affinity_changes, "two threads move a third"),
    S(balance_against_wake, "newidle and tick balance against wake-ups"),
    S(wake_against_exit, "late wake-ups of a task that ends"),
    S(the_end_is_watched, "what a dying task stands on"),
    S(wake_against_class_change, "fair to real-time and back"),
    S(two_admissions, "two bandwidths for one task"),
    S(wake_against_deadline, "fair to deadline and back"),
    S(wake_against_renice, "nice values"),
    S(push_against_class_change, "push and pull of tasks that change class"),
    S(wake_against_group_change, "task groups"),
    S(signal_against_sleep, "a signal against an interruptible sleep"),
    S(signal_against_wake, "a signal and a wake-up at once"),
    S(wait_event_against_wake, "wait_event, both ways"),
    S(waitqueue_active_against_wait, "a look at the queue without its lock"),
    S(exclusive_waiters, "two exclusive waiters, two wake-ups"),
    S(exclusive_against_signal, "one of two exclusive waiters leaves for a signal"),
    S(timeout_against_wake, "a time-out against the event"),
    S(completion_on_the_stack, "a completion that is gone when its waiter returns"),
    S(two_completions, "two waiters, two completions"),
    S(wait_on_bit_against_wake, "a bit"),
    S(wake_queues, "one sleeper in two wake queues"),
    S(mutex_handed_on, "three threads, one mutex"),
    S(kthread_stop_against_sleep, "kthread_stop"),
    S(kthread_park_against_unpark, "kthread_park, unpark, stop"),
    S(futex_wait_against_wake, "a futex, its word and its wake-up"),
    S(futex_wait_against_requeue, "moved to another word while it goes to sleep"),
    S(futex_wake_against_signal, "a wake-up for one of two, one of them signalled"),
    S(futex_wake_against_exit, "a waiter that ends when it is woken"),
#undef S
};

}  // namespace

const Scenario* scenario(unsigned i) { return i < ARRAY_SIZE(kScenarios) ? &kScenarios[i] : nullptr; }

}  // namespace explore

extern "C" const char* explore_scenario_name(unsigned i) {
  const explore::Scenario* s = explore::scenario(i);
  return s ? s->name : nullptr;
}
extern "C" const char* explore_scenario_about(unsigned i) { return explore::scenario(i)->about; }
extern "C" unsigned explore_scenario_cpus(unsigned i) { return explore::scenario(i)->cpus; }
