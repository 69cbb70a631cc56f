// A multi-level feedback queue: spec 32 section 14. Who uses up its level's allotment goes down; every second all come up again. A pure
// data structure: time is given, in ns.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "tools/schedlab/schedulers/lab_class.hh"

namespace mlfq {

inline constexpr u64 kMs = 1'000'000;
inline constexpr unsigned kLevels = 3;
inline constexpr u64 kQuantum[kLevels] = {10 * kMs, 20 * kMs, 40 * kMs};
inline constexpr u64 kBoost = 1000 * kMs;

enum class Variant : unsigned char { Refined, Basic };  // Rule 4' and 5 (H-13, H-14), or rule 4 alone (H-12)

struct Task : LabTaskBase {
  unsigned level = 0;
  u64 used = 0, charged = 0;  // of the allotment; of the stretch in hand
  u64 boosts = 0;             // seen
  bool to_tail = false;
  void reset() { *this = Task(); node = {&node, &node}; }
  void set_nice(int) {}  // it knows none
};

template <Variant kVariant>
struct Queue {
  using Task = mlfq::Task;
  list_head levels[kLevels];
  unsigned queued = 0;
  u64 boosts = 0;  // how many seconds have begun

  Queue() {
    for (list_head& l : levels) l = {&l, &l};
  }
  unsigned nr_queued() const { return queued; }

  // H-14: order kept, by level, then by place.
  void boost(u64 now) {
    if (kVariant == Variant::Basic || now / kBoost <= boosts) return;
    boosts = now / kBoost;
    for (unsigned l = 1; l < kLevels; l++) list_splice_tail_init(&levels[l], &levels[0]);
    for (list_head* n = levels[0].next; n != &levels[0]; n = n->next) lift(*container_of(n, Task, node));
  }
  void lift(Task& t) {
    t.level = 0;
    t.used = 0;
    t.boosts = boosts;
  }
  void catch_up(Task& t, u64 now) {
    boost(now);
    if (kVariant == Variant::Refined && t.boosts < boosts) lift(t);
  }

  Task* pick() {
    for (list_head& l : levels)
      if (!list_empty(&l)) return container_of(l.next, Task, node);
    return nullptr;
  }
  void add(Task& t, Added why, u64 now) {
    catch_up(t, now);
    if (why == Added::Woken && kVariant == Variant::Basic) t.used = 0;  // H-12: a fresh quantum
    if (why == Added::Preempted && !t.to_tail)
      list_add(&t.node, &levels[t.level]);  // H-15: its place at the head
    else
      list_add_tail(&t.node, &levels[t.level]);
    t.to_tail = false;
    queued++;
  }
  void remove(Task& t, bool, u64) {
    list_del_init(&t.node);
    queued--;
  }
  void start(Task& t, u64 now) {
    t.charged = 0;
    catch_up(t, now);
  }
  // True: the allotment is used up, and the task one level further down.
  bool charge(Task& t, u64 ran, u64 now) {
    t.used += ran - t.charged;
    t.charged = ran;
    catch_up(t, now);
    if (t.used < kQuantum[t.level]) return false;
    t.used = 0;
    if (t.level + 1 < kLevels) t.level++;
    t.to_tail = true;
    return true;
  }
  void stop(Task& t, u64 ran, bool, u64 now) { charge(t, ran, now); }
  bool tick(Task& t, u64 ran, u64 now) {
    const bool down = charge(t, ran, now);
    const Task* best = pick();
    return down || (best && best->level < t.level);
  }
  bool preempts(const Task& woken, const Task& running) const { return woken.level < running.level; }
  void yield(Task& t) { t.to_tail = true; }
  static void fork(Task&, Task&) {}
  template <class May>
  Task* coldest(May may) {
    for (unsigned l = kLevels; l-- > 0;)
      for (list_head* n = levels[l].prev; n != &levels[l]; n = n->prev)
        if (Task* t = container_of(n, Task, node); may(t->p)) return t;
    return nullptr;
  }
};

}  // namespace mlfq
