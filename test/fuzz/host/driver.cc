// See driver.hh.
// SPDX-License-Identifier: Apache-2.0
#include "test/fuzz/host/driver.hh"

#include <sys/personality.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "arch/hosted/host/world.hh"
#include "test/fuzz/fuzz_world.hh"

namespace fuzz_driver {
namespace {

hosted_world::Options options_for(const uint8_t* data, size_t size) {
  auto byte = [&](size_t i) -> unsigned { return i < size ? data[i] : 0; };
  hosted_world::Options o;
  o.cpus = 1 + byte(0) % 4;
  o.switch_mean = 1 + byte(1) % 32;
  o.seed = byte(2) | byte(3) << 8;
  o.command_line = "kunit.enable=1";
  return o;
}

// What the kernel says only when something is wrong.
bool alarming(const std::string& console) {
  for (const char* word : {"WARNING:", "BUG:", "Oops", "lock order", "world check"})
    if (console.find(word) != std::string::npos) return true;
  return false;
}

void write_trace(const char* path, const hosted_world::Outcome& out) {
  FILE* f = fopen(path, "w");
  if (!f) return;
  for (const HostedEvent& e : out.trace) fprintf(f, "%s\n", hosted_world::describe(e).c_str());
  fclose(f);
}

}  // namespace

Verdict run_input(const uint8_t* data, size_t size) {
  fuzz_input = {data, size};
  const char* trace = getenv("CF_TRACE");
  using hosted_world::Trace;
  hosted_world::Outcome out = hosted_world::run(options_for(data, size), trace ? Trace::Events : Trace::HashOnly);
  if (trace) write_trace(trace, out);
  Verdict v;
  if (!out.clean() || alarming(out.console))
    v.finding = out.console + "the world's end: " + hosted_world::end_name(out.result.how) + ", status " +
                std::to_string(out.result.status) + "\n";
  return v;
}

std::string difference_between_runs(const uint8_t* data, size_t size) {
  fuzz_input = {data, size};
  const hosted_world::Options o = options_for(data, size);
  const hosted_world::Outcome first = hosted_world::run(o, hosted_world::Trace::Events);
  return hosted_world::first_difference(first, hosted_world::run(o, hosted_world::Trace::Events));
}

void without_address_randomisation(char** argv) {
  int persona = personality(0xffffffff);
  if (persona < 0 || (persona & ADDR_NO_RANDOMIZE) || getenv("CF_NO_REEXEC")) return;
  if (personality(static_cast<unsigned long>(persona) | ADDR_NO_RANDOMIZE) < 0) return;
  setenv("CF_NO_REEXEC", "1", 1);
  execv("/proc/self/exe", argv);
}

}  // namespace fuzz_driver
