// usage: queue_cost N [ROUNDS]: N runnable tasks in the kernel's fair queue, and ROUNDS times queue_round(); says the host's time for one.
// queue_cost.py counts its instructions.
// SPDX-License-Identifier: Apache-2.0
#include "bench/queue_cost.hh"

#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const unsigned long n = argc > 1 ? strtoul(argv[1], nullptr, 10) : 1000, rounds = argc > 2 ? strtoul(argv[2], nullptr, 10) : 100000;
  if (!n || !rounds) return 2;
  queue_fill(n, calloc(n + 1, queue_entity_size()));
  const auto start = std::chrono::steady_clock::now();
  for (unsigned long i = 0; i < rounds; i++) queue_round();
  const double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  printf("%lu runnable: %.1f ns\n", n, ns / static_cast<double>(rounds));
  return 0;
}
