// What hosted_bench measures, inside a booted world: `kunit.enable=1 kunit.filter=NAME` runs the loop NAME instead of
// test suites, since this program has none.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "arch/hosted/user.hh"
#include "bench/hosted_bench.hh"
#include "kernel/sched/sched.hh"

using user::sys;

namespace {

void nothing() {}

// ---- Processes ------------------------------------------------------------------------------------------------------

long fork_exit_wait(unsigned long) {
  bench_begin();
  for (unsigned long i = 0; i < bench_rounds; i++) {
    long child = user::fork([](unsigned long) -> long { return 0; });
    sys(__NR_wait4, child, 0, 0, 0);
  }
  bench_end();
  return 0;
}

long null_calls(unsigned long) {
  bench_begin();
  for (unsigned long i = 0; i < bench_rounds; i++) sys(__NR_getppid);
  bench_end();
  return 0;
}

// ---- Switches -------------------------------------------------------------------------------------------------------

struct Pair {
  task_struct* task[2];
  unsigned long turn = 0;  // whose it is
  completion done;
};

// Hands the turn to and fro: a round is two wake-ups and two switches.
void take_turns(Pair* p, unsigned long me) {
  for (unsigned long i = 0; i < bench_rounds; i++) {
    for (;;) {
      set_current_state(TASK_UNINTERRUPTIBLE);
      if (READ_ONCE(p->turn) == me) break;
      schedule();
    }
    __set_current_state(TASK_RUNNING);
    WRITE_ONCE(p->turn, 1 - me);
    wake_up_process(p->task[1 - me]);
  }
}
int partner(void* d) {
  auto* p = static_cast<Pair*>(d);
  take_turns(p, 1);
  complete(&p->done);
  return 0;
}
void task_switches() {
  Pair p{.task = {current}};
  init_completion(&p.done);
  p.task[1] = kthread_create(partner, &p, "partner");
  get_task_struct(p.task[1]);
  bench_begin();
  wake_up_process(p.task[1]);
  take_turns(&p, 0);
  bench_end();
  wait_for_completion(&p.done);
  put_task_struct(p.task[1]);
}

int yielder(void* d) {
  auto* p = static_cast<Pair*>(d);
  while (!READ_ONCE(p->turn)) yield();
  complete(&p->done);
  return 0;
}
// Two tasks that yield to each other: each switch is one whole schedule(), without a wake-up.
void task_yields() {
  Pair p{};
  init_completion(&p.done);
  task_struct* other = kthread_create(yielder, &p, "yielder");
  other->se.vruntime = current->se.vruntime;  // kernel code takes no virtual time, and whoever is far behind is asked in vain to yield
  wake_up_process(other);
  yield();
  const unsigned long before = current->nvcsw + current->nivcsw;
  bench_begin();
  for (unsigned long i = 0; i < bench_rounds; i++) yield();
  bench_end();
  bench_switches = 2 * (current->nvcsw + current->nivcsw - before);
  WRITE_ONCE(p.turn, 1ul);
  wait_for_completion(&p.done);
}

long pipe_partner(unsigned long fds) {
  user::Var<char> byte;
  for (unsigned long i = 0; i < bench_rounds; i++) {
    sys(__NR_read, fds & 0xffff, byte.addr(), 1);
    sys(__NR_write, fds >> 16, byte.addr(), 1);
  }
  return 0;
}
long pipe_round_trips(unsigned long) {
  user::Var<unsigned long> there, back;
  user::Var<char> byte;
  sys(__NR_pipe, there.addr());
  sys(__NR_pipe, back.addr());
  unsigned long to_read = there.get() & 0xffffffff, to_write = there.get() >> 32;
  unsigned long back_read = back.get() & 0xffffffff, back_write = back.get() >> 32;
  user::fork(pipe_partner, to_read | back_write << 16);
  bench_begin();
  for (unsigned long i = 0; i < bench_rounds; i++) {
    sys(__NR_write, to_write, byte.addr(), 1);
    sys(__NR_read, back_read, byte.addr(), 1);
  }
  bench_end();
  sys(__NR_wait4, -1, 0, 0, 0);
  return 0;
}

struct Loop {
  const char* name;
  void (*run)();
};
constexpr Loop kLoops[] = {
    {"boot", nothing},
    {"fork_exit_wait", [] { user::run_process(fork_exit_wait); }},
    {"null_call", [] { user::run_process(null_calls); }},
    {"task_switch", task_switches},
    {"task_yield", task_yields},
    {"pipe_round_trip", [] { user::run_process(pipe_round_trips); }},
};

}  // namespace

int kunit_run_all(const char* name) {
  for (const Loop& l : kLoops) {
    if (strcmp(l.name, name)) continue;
    l.run();
    return 0;
  }
  return 1;
}
