// Helpers for suites about waiting: threads that are started, watched until they sleep, and waited for.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "kernel/sync/guards.hh"
#include "kernel/task/task.hh"

// A thread that runs fn(data); join() waits for its end and gives what it returned. The object outlives the thread.
struct Thread {
  int (*fn)(void*) = nullptr;
  void* data = nullptr;
  task_struct* task = nullptr;
  completion done;
  int result = 0;

  static int main(void* p) {
    auto* t = static_cast<Thread*>(p);
    t->result = t->fn(t->data);
    complete(&t->done);
    return 0;
  }
  void start(kunit* test, int (*f)(void*), void* d) {
    fn = f;
    data = d;
    init_completion(&done);
    task = kthread_create(main, this, "thread");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
    wake_up_process(task);
  }
  int join() {
    wait_for_completion(&done);
    put_task_struct(task);
    return result;
  }
  bool finished() { return completion_done(&done); }
  // Until it sleeps in one of the states; false if it does not within a second.
  bool wait_asleep(unsigned states = TASK_NORMAL) {
    for (int i = 0; i < 1000; i++) {
      if ((READ_ONCE(task->__state) & states) && !READ_ONCE(task->on_cpu)) return true;
      msleep(1);
    }
    return false;
  }
};

// Lets everybody else get as far as they can: all sleep, or have slept, by then.
inline void settle() { msleep(20); }

// cond becomes true within two seconds, however slow the machine is.
#define EXPECT_SOON(test, cond)                                   \
  do {                                                            \
    for (int n_ = 0; n_ < 1000 && !(cond); n_++) msleep(1);       \
    KUNIT_EXPECT_TRUE(test, cond);                                \
  } while (0)

// While it lives, current has a signal pending that an interruptible sleep accepts.
class PendingSignal {
 public:
  PendingSignal() { set_thread_flag(TIF_NOTIFY_SIGNAL); }
  ~PendingSignal() { clear_thread_flag(TIF_NOTIFY_SIGNAL); }
};
