// Which of the planted bugs is on: CF_PLANTED=number, 0 or nothing for none. See plant.py.
// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

extern "C" {
int hosted_planted = [] {
  const char* s = std::getenv("CF_PLANTED");
  return s ? std::atoi(s) : 0;
}();
unsigned planted_store_buffer[256];
}
