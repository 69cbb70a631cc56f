// One input, one world. Used by the libFuzzer target and by the stress program.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace fuzz_driver {

struct Verdict {
  std::string finding;  // "": all is well
};
Verdict run_input(const uint8_t* data, size_t size);
// Runs it twice; where the traces of the two worlds part, "" if they do not.
std::string difference_between_runs(const uint8_t* data, size_t size);

// Fixed addresses and sanitizers want the host's addresses where they expect them: runs the program again without
// randomisation. To be called first.
void without_address_randomisation(char** argv);

}  // namespace fuzz_driver
