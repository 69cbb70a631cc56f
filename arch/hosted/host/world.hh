// World: boots the kernel inside this process, runs it until it stops, and says what came of it. One at a time; thousands
// one after the other.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/hosted/host/host_api.hh"

namespace hosted_world {

bool parallel_wanted();  // CF_ENGINE=parallel

struct Options {
  unsigned cpus = 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  unsigned memory_mb = 96;  // kernel stacks are four times as large there
#else
  unsigned memory_mb = 32;
#endif
  uint64_t seed = 1;
  unsigned switch_mean = 12;  // yield points between two changes of CPU, on average
  std::string command_line;
  std::vector<unsigned char> initrd;
  std::string console_input;  // typed at boot
  bool parallel = parallel_wanted();  // a host thread per CPU (CF_ENGINE=parallel); seed and trace mean nothing then
  bool echo = false;          // console output to stderr, too; CF_CONSOLE=1 forces it
};

struct Outcome {
  HostedResult result{};
  std::string console;
  uint64_t trace_hash = 0, trace_length = 0;
  std::vector<HostedEvent> trace;  // the first million events; empty unless asked for
  bool powered_off() const { return result.how == kEndPowerOff; }
  bool clean() const { return powered_off() && result.status == 0; }
};

enum class Trace { HashOnly, Events };
// After an outcome that is not powered_off() the kernel's state is not unmade: this process cannot boot another world.
// usable() says so.
Outcome run(const Options& options, Trace trace = Trace::HashOnly);
bool usable();

const char* end_name(int how);
std::string describe(const HostedEvent& e);
// Where two traces part: a few lines, "" if they are equal.
std::string first_difference(const Outcome& a, const Outcome& b);
uint64_t seed_from_environment(uint64_t fallback);  // CF_SEED

}  // namespace hosted_world
