// Google Benchmark programs over the hosted machine: boot, boot with the checks at power-off, and the loops of loops.cc.
// SPDX-License-Identifier: Apache-2.0
#include "bench/hosted_bench.hh"

#include <benchmark/benchmark.h>
#include <time.h>
#include <ucontext.h>

#include <string>

#include "arch/hosted/host/world.hh"

unsigned long bench_rounds, bench_switches;

namespace {

// This thread's CPU time: the machine may be busy with other things.
double seconds_used() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
double begun, ended;

void run_world(benchmark::State& state, const char* loop, unsigned cpus) {
  hosted_world::Options o;
  o.cpus = cpus;
  o.command_line = std::string("kunit.enable=1 kunit.filter=") + loop;
  hosted_world::Outcome out = hosted_world::run(o);
  if (!out.clean()) state.SkipWithError(("the world did not end cleanly:\n" + out.console).c_str());
}

// A whole world: booted, powered off, unmade and checked for leaks.
void BM_world(benchmark::State& state) {
  for (auto _ : state) run_world(state, "boot", static_cast<unsigned>(state.range(0)));
}
BENCHMARK(BM_world)->ArgName("cpus")->Arg(1)->Arg(4)->Unit(benchmark::kMicrosecond);

// Time per round of a loop inside a world, boot and end not counted.
void measure_loop(benchmark::State& state, const char* loop, unsigned long rounds) {
  bench_rounds = rounds;
  for (auto _ : state) {
    run_world(state, loop, 1);
    state.SetIterationTime(ended - begun);
  }
  state.counters["per_round"] = benchmark::Counter(static_cast<double>(rounds), benchmark::Counter::kIsIterationInvariantRate |
                                                                                    benchmark::Counter::kInvert);
}
#define LOOP(name, rounds)                                                               \
  void BM_##name(benchmark::State& state) { measure_loop(state, #name, rounds); }        \
  BENCHMARK(BM_##name)->UseManualTime()->Unit(benchmark::kMicrosecond)
LOOP(fork_exit_wait, 2000);
LOOP(null_call, 100000);
LOOP(task_switch, 50000);
LOOP(pipe_round_trip, 20000);

void say_per_switch(benchmark::State& state, double switches) {
  state.counters["per_switch"] = benchmark::Counter(switches, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// One task to another by sched_yield: the whole of schedule(). The next is what it is measured against: glibc's swapcontext(), which only
// changes stacks, registers and, by a system call, the signal mask.
void BM_switch(benchmark::State& state) {
  bench_rounds = 200000;
  for (auto _ : state) {
    run_world(state, "task_yield", 1);
    state.SetIterationTime(ended - begun);
  }
  say_per_switch(state, static_cast<double>(bench_switches));
}
BENCHMARK(BM_switch)->UseManualTime()->Unit(benchmark::kMicrosecond);

ucontext_t here, there;
void come_back() {
  for (;;) swapcontext(&there, &here);
}
void BM_swapcontext(benchmark::State& state) {
  constexpr unsigned kRounds = 100000;
  static char stack[64 << 10];
  getcontext(&there);
  there.uc_stack.ss_sp = stack;
  there.uc_stack.ss_size = sizeof(stack);
  makecontext(&there, come_back, 0);
  for (auto _ : state) {
    bench_begin();
    for (unsigned i = 0; i < kRounds; i++) swapcontext(&here, &there);
    bench_end();
    state.SetIterationTime(ended - begun);
  }
  say_per_switch(state, 2 * kRounds);
}
BENCHMARK(BM_swapcontext)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace

void bench_begin() { begun = seconds_used(); }
void bench_end() { ended = seconds_used(); }

BENCHMARK_MAIN();
