// What the simulator's scheduling classes share: a pure queue of spec 32 part 4 becomes a sched_class of the kernel, in place of the
// fair class. Only linked into schedlab.
//
// Queue gives: struct Task (with `task_struct* p`); void add(Task&, Added why, u64 now); void remove(Task&, bool sleeps, u64 now);
// Task* pick(); void start(Task&, u64 now), void stop(Task&, u64 ran, bool still_runnable, u64 now) around a stretch on the CPU;
// bool tick(Task&, u64 ran, u64 now): must it give way?; bool preempts(Task& woken, Task& running); void yield(Task&);
// void fork(Task& parent, Task& child); Task* coldest(): whom to give away. The running task is not among the queued ones.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/jiffies.h>

#include "kernel/sched/fair.hh"

enum class Added : unsigned char { Woken, New, Moved, Preempted };

template <class Queue>
struct LabClass {
  using Task = typename Queue::Task;
  static constexpr unsigned kTasks = 4096;
  struct State {
    Queue queues[NR_CPUS];
    Task tasks[kTasks];
    u64 ran[NR_CPUS];  // of the current stretch, already charged
  };
  static inline State* state;

  static Queue& queue(const rq* r) { return state->queues[r->cpu]; }
  // By pid; a number that is used again gets a fresh one. A task that has no number yet has none.
  static Task& of(task_struct* p) {
    Task& t = state->tasks[static_cast<unsigned>(p->pid) % kTasks];
    if (t.p == p && t.born == p->start_time) return t;
    t.reset();
    t.p = p;
    t.born = p->start_time;
    t.set_nice(task_nice(p));
    task_struct* parent = p->real_parent;
    if (parent && parent != p && state->tasks[static_cast<unsigned>(parent->pid) % kTasks].p == parent)
      Queue::fork(state->tasks[static_cast<unsigned>(parent->pid) % kTasks], t);
    return t;
  }
  static bool mine(const rq* r, const task_struct* p) { return p->sched_class == cls() && p != r->idle; }
  static const sched_class* cls();

  static void charge(rq* r, task_struct* p) {
    const u64 d = r->clock - p->se.exec_start;
    if (static_cast<s64>(d) <= 0) return;
    p->se.exec_start = r->clock;
    p->se.sum_exec_runtime += d;
    state->ran[r->cpu] += d;
  }

  static void enqueue(rq* r, task_struct* p, int flags) {
    Task& t = of(p);
    t.set_nice(task_nice(p));
    const bool is_new = !t.seen;
    t.seen = t.on = true;
    t.slept = r->clock > t.since ? r->clock - t.since : 0;
    t.uninterruptible = p->sched_contributes_to_load;
    if (r->curr != p) queue(r).add(t, is_new ? Added::New : flags & ENQUEUE_WAKEUP ? Added::Woken : Added::Moved, r->clock);
    add_nr_running(r, 1);
  }
  static void dequeue(rq* r, task_struct* p, int flags) {
    Task& t = of(p);
    if (r->curr == p) charge(r, p);
    if (r->curr != p) queue(r).remove(t, flags & DEQUEUE_SLEEP, r->clock);
    t.since = r->clock;
    t.on = false;
    add_nr_running(r, -1);
  }
  static void yield(rq* r) { queue(r).yield(of(r->curr)); }
  static void check_preempt(rq* r, task_struct* woken, int) {
    if (queue(r).preempts(of(woken), of(r->curr))) resched_curr(r);
  }

  static void set_next(rq* r, task_struct* p) {
    p->se.exec_start = r->clock;
    p->se.prev_sum_exec_runtime = p->se.sum_exec_runtime;
    state->ran[r->cpu] = 0;
    Task& t = of(p);
    if (t.queued()) queue(r).remove(t, false, r->clock);
    queue(r).start(t, r->clock);
  }
  // An idle CPU, or one about to be: a task that waits on the fullest other CPU. Its rq lock is only tried for.
  static void pull(rq* r) {
    unsigned cpu, fullest = ~0u, most = 1;
    for_each_online_cpu(cpu) {
      const unsigned n = READ_ONCE(cpu_rq(cpu)->nr_running);
      if (cpu != r->cpu && n > most) fullest = cpu, most = n;
    }
    if (fullest == ~0u) return;
    rq* from = cpu_rq(fullest);
    if (!raw_spin_trylock(&from->lock)) return;
    Task* t = queue(from).coldest([&](task_struct* p) { return is_cpu_allowed(p, r->cpu) && p != from->curr; });
    if (t) pull_task(from, t->p, r);
    raw_spin_unlock(&from->lock);
  }
  static task_struct* pick(rq* r) {
    if (!queue(r).nr_queued() && !r->nr_running) pull(r);
    Task* t = queue(r).pick();
    if (!t) return nullptr;
    set_next(r, t->p);
    if (!single_cpu()) unmark_idle(r);
    return t->p;
  }
  static void put_prev(rq* r, task_struct* p) {
    charge(r, p);
    Task& t = of(p);
    queue(r).stop(t, state->ran[r->cpu], t.on, r->clock);
    if (t.on) queue(r).add(t, Added::Preempted, r->clock);
  }
  static void tick(rq* r, task_struct* p) {
    charge(r, p);
    if (queue(r).tick(of(p), state->ran[r->cpu], r->clock)) resched_curr(r);
  }
  // An idle CPU, the previous one first; else the one with the fewest tasks.
  static unsigned select(task_struct* p, unsigned prev, int) {
    unsigned cpu, best = prev, fewest = ~0u;
    for_each_online_cpu(cpu) {
      if (!is_cpu_allowed(p, cpu)) continue;
      const unsigned n = 2 * READ_ONCE(cpu_rq(cpu)->nr_running) + (cpu != prev);
      if (n < fewest) fewest = n, best = cpu;
    }
    return best;
  }
  static void nothing(rq*, task_struct*) {}
  static void migrate(task_struct*, unsigned) {}
  static void switched_to(rq* r, task_struct* p) {
    if (task_on_rq_queued(p) && r->curr != p) check_preempt_curr(r, p, 0);
  }
  static void prio_changed(rq* r, task_struct* p, int) {
    of(p).set_nice(task_nice(p));
    if (r->curr == p) resched_curr(r);
  }
  static unsigned interval(rq*, task_struct*) { return HZ / 10; }
  static void update(rq* r) { charge(r, r->curr); }

  static constexpr sched_class make() {
    return {.rank = 1, .enqueue_task = enqueue, .dequeue_task = dequeue, .yield_task = yield, .check_preempt_curr = check_preempt,
            .pick_next_task = pick, .put_prev_task = put_prev, .set_next_task = set_next, .select_task_rq = select,
            .task_tick = tick, .task_fork = nothing, .migrate_task_rq = migrate, .task_dead = nullptr,
            .task_change_group = nullptr, .switched_from = nothing, .switched_to = switched_to, .prio_changed = prio_changed,
            .get_rr_interval = interval, .update_curr = update};
  }
};

// What every simulated task has.
struct LabTaskBase {
  list_head node{&node, &node};
  task_struct* p = nullptr;
  u64 born = 0, since = 0, slept = 0;
  bool seen = false, on = false, uninterruptible = false;  // on: counted in nr_running, so queued or running
  bool queued() const { return node.next != &node; }
};
