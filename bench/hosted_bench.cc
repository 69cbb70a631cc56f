// Google Benchmark programs over the hosted machine: boot, boot with the checks at power-off, and the loops of loops.cc.
// SPDX-License-Identifier: Apache-2.0
#include "bench/hosted_bench.hh"

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "arch/hosted/host/world.hh"

unsigned long bench_rounds;

namespace {

using Clock = std::chrono::steady_clock;
Clock::time_point begun, ended;

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
    state.SetIterationTime(std::chrono::duration<double>(ended - begun).count());
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

}  // namespace

void bench_begin() { begun = Clock::now(); }
void bench_end() { ended = Clock::now(); }

BENCHMARK_MAIN();
