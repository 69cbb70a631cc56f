// Between the two halves of queue_cost: queue_ops.cc is kernel code, queue_cost.cc the host program. Builtin types only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

extern "C" {
unsigned long queue_entity_size();
/// A fair queue of n runnable tasks of nice -5 to 5 and one that sleeps; memory: (n + 1) * queue_entity_size() zeroed bytes.
void queue_fill(unsigned long n, void* memory);
/// The running task has used some time and goes to sleep, the sleeping one is woken, the next is picked and runs.
void queue_round();
}
