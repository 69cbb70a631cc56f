// The fair queue alone, without a world: n runnable tasks, and rounds of one dequeue, one enqueue and one pick.
// SPDX-License-Identifier: Apache-2.0
#include "bench/queue_cost.hh"
#include "kernel/sched/cfs_queue.hh"

namespace {

CfsTunables tunables;
cfs_rq* queue;
sched_entity *running, *sleeping;
u64 now;
unsigned long chance = 1;

unsigned long draw(unsigned long below) {
  chance = chance * 6364136223846793005ul + 1442695040888963407ul;
  return (chance >> 33) % below;
}

void run_next() {
  running = queue->pick();
  queue->set_next(running, now);
}

}  // namespace

unsigned long queue_entity_size() { return sizeof(sched_entity); }

void queue_fill(unsigned long n, void* memory) {
  alignas(cfs_rq) static char room[sizeof(cfs_rq)];
  tunables = CfsTunables::for_cpus(1);
  queue = ::new (static_cast<void*>(room)) cfs_rq;
  queue->tun = &tunables;
  auto* entities = static_cast<sched_entity*>(memory);
  for (unsigned long i = 0; i <= n; i++) {
    entities[i].load = weight_of_nice(static_cast<int>(draw(11)) - 5);
    entities[i].vruntime = draw(6'000'000);  // as after some time, not all at one place
    if (i) queue->enqueue(&entities[i], now, 0);
  }
  sleeping = &entities[0];
  run_next();
}

void queue_round() {
  now += 500'000 + draw(3'500'000);
  queue->update_curr(now);
  sched_entity* prev = running;
  queue->dequeue(prev, now, DEQUEUE_SLEEP);
  queue->put_prev(prev, now);
  queue->enqueue(sleeping, now, ENQUEUE_WAKEUP);
  sleeping = prev;
  run_next();
}
