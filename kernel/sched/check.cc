// The self-checks' frame: what was found, and the invariants of a run queue and of the tasks that belong to it. See INVARIANTS.md.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/check.hh"

#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "init/params.hh"
#include "init/report.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sync/guards.hh"

namespace sched_check {

constinit State state{};

namespace {

constexpr unsigned kMaxFindings = 12;

struct Finding {
  const char* name;
  unsigned cpu, times;
  long found, expected;
  u64 when;
};
// What was seen the last time on a CPU.
struct Seen {
  u64 clock, switches;
  bool in_schedule;
};
struct Findings {
  raw_spinlock_t lock;
  unsigned n = 0;
  Finding list[kMaxFindings];
  Seen seen[NR_CPUS];
};
constinit Late<Findings> findings;

}  // namespace

void begin() {
  state = {};
  if constexpr (!arch::kSelfChecks) return;
  std::string_view how;
  if (!boot_param("sched_check", &how)) return;
  state.exact = how != "loose";
  raw_spin_lock_init(&findings.construct().lock);
  state.on = true;
}

void end(LeakReport& report) {
  if (!state.on) return;
  state.on = false;
  for (unsigned i = 0; i < findings->n; i++) {
    const Finding& f = findings->list[i];
    report.finding("sched invariant %s: CPU %u at %llu ns: found %ld, expected %ld (%u times)", f.name, f.cpu, f.when, f.found,
                   f.expected, f.times);
  }
  findings.destroy();
}

void print_findings() {
  if (!state.on) return;
  for (unsigned i = 0; i < findings->n; i++) {
    const Finding& f = findings->list[i];
    pr_emerg("sched invariant %s: CPU %u at %llu ns: found %ld, expected %ld (%u times)\n", f.name, f.cpu, f.when, f.found,
             f.expected, f.times);
  }
}

// Nothing is printed here: the rq lock is held, and the log wakes its readers.
void fail(const rq* r, const char* name, long found, long expected) {
  Findings& all = *findings;
  for (unsigned i = 0; i < all.n; i++) {
    if (strcmp(all.list[i].name, name)) continue;
    all.list[i].times++;
    return;
  }
  if (all.n == kMaxFindings) return;
  all.list[all.n++] = {name, r->cpu, 1, found, expected, r->clock};
}

// ---- Trees -------------------------------------------------------------------------------------------------------------

namespace {

struct TreeWalk {
  const Where* w;
  bool (*before)(const rb_node*, const rb_node*);
  const char *order, *shape;
  const rb_node* last;
  unsigned n;
};

// Height in black nodes; -1: broken. Depth is bounded by the tree's shape, which is checked first.
int walk(TreeWalk& t, const rb_node* n, const rb_node* parent, int depth) {
  if (!n) return 0;
  if (depth > 64) return -1;
  const bool red = !(n->__rb_parent_color & 1), parent_red = parent && !(parent->__rb_parent_color & 1);
  require(*t.w, rb_parent(n) == parent && !(red && parent_red), t.shape, depth);
  const int left = walk(t, n->rb_left, n, depth + 1);
  if (t.last) require(*t.w, !t.before(n, t.last), t.order, t.n);
  t.last = n;
  t.n++;
  const int right = walk(t, n->rb_right, n, depth + 1);
  if (left < 0 || right < 0) return -1;
  require(*t.w, left == right, t.shape, left, right);
  return left + !red;
}

}  // namespace

unsigned check_tree(const Where& w, const rb_root_cached& root, bool (*before)(const rb_node*, const rb_node*), const char* order,
                    const char* leftmost, const char* shape) {
  TreeWalk t{&w, before, order, shape, nullptr, 0};
  walk(t, root.rb_root.rb_node, nullptr, 0);
  require(w, root.rb_leftmost == rb_first(&root.rb_root), leftmost);
  return t.n;
}

// ---- The run queue ---------------------------------------------------------------------------------------------------

namespace {

// Best class with a task that may be picked; 0: idle's.
int best_rank(const rq* r) {
  if (r->stop && task_on_rq_queued(r->stop)) return stop_sched_class.rank;
  if (r->dl.nr_running) return dl_sched_class.rank;
  if (r->rt.nr_running && !r->rt_bandwidth.throttled) return rt_sched_class.rank;
  return r->cfs.h_nr_running ? fair_sched_class.rank : idle_sched_class.rank;
}

void check_clock(const Where& w) {
  Seen& seen = findings->seen[w.r->cpu];
  require(w, static_cast<s64>(w.r->clock - seen.clock) >= 0, "RQ-clock-monotone", static_cast<long>(w.r->clock),
          static_cast<long>(seen.clock));
  require(w, w.r->nr_switches >= seen.switches, "RQ-switches-monotone", static_cast<long>(w.r->nr_switches));
  require(w, w.r->clock <= arch::clock_ns(), "RQ-clock-not-ahead", static_cast<long>(w.r->clock));
  // Whoever has changed the queue, or chosen from it, has brought its clock up to date before (S-10).
  if (w.when != When::Change && !(w.r->clock_update_flags & RQCF_ACT_SKIP))
    require_if_exact(w, arch::clock_ns() - w.r->clock < 1'000'000, "RQ-clock-current", static_cast<long>(w.r->clock), static_cast<long>(arch::clock_ns()));
  seen.clock = w.r->clock;
  seen.switches = w.r->nr_switches;
}

void check_counts(const Where& w) {
  const rq* r = w.r;
  const unsigned rt = r->rt_bandwidth.throttled ? 0 : r->rt.nr_running;
  const unsigned stop = r->stop && task_on_rq_queued(r->stop);
  require_equal(w, "RQ-nr-running", r->nr_running, r->cfs.h_nr_running + rt + r->dl.nr_running + stop);
  require(w, r->nr_running < 1u << 30, "RQ-nr-running-positive", r->nr_running);
}

void check_curr(const Where& w) {
  const rq* r = w.r;
  const task_struct* curr = r->curr;
  require(w, curr != nullptr, "RQ-curr-set");
  require_equal(w, "RQ-curr-cpu", task_cpu(curr), r->cpu);
  if (w.when != When::Switch) require(w, task_on_cpu(curr), "RQ-curr-on-cpu", curr->pid);
  if (!w.in_schedule) require_equal(w, "RQ-curr-queued", READ_ONCE(curr->on_rq), TASK_ON_RQ_QUEUED);
  unsigned cpu;
  for_each_possible_cpu(cpu) if (cpu != r->cpu) require(w, READ_ONCE(cpu_rq(cpu)->curr) != curr, "RQ-curr-once", curr->pid, cpu);
}

void check_idle(const Where& w) {
  const rq* r = w.r;
  const task_struct* idle = r->idle;
  require(w, idle->sched_class == &idle_sched_class && READ_ONCE(idle->__state) == TASK_RUNNING, "IDLE-class-and-state");
  require(w, !idle->se.on_rq && !idle->rt.on_rq && RB_EMPTY_NODE(&idle->dl.rb_node), "IDLE-never-queued");
  if (single_cpu() || w.in_schedule) return;
  const bool noted = READ_ONCE(sched_state->idle_cpus) >> r->cpu & 1;
  // The boot CPU's first context is idle's without having been picked.
  if (w.when == When::Switch) require_equal(w, "IDLE-mask", noted, r->curr == idle);
  if (w.when == When::Tick && r->curr != idle) require(w, !noted, "IDLE-mask", noted);
}

void check_choice(const Where& w) {
  const rq* r = w.r;
  if (w.when == When::Switch) {
    require(w, r->curr->sched_class->rank >= best_rank(r), "PICK-best-class", r->curr->sched_class->rank, best_rank(r));
    require(w, r->curr != r->idle || !r->nr_running, "PICK-idle-only-when-empty", r->nr_running);
    require(w, r->curr == r->idle || r->curr->sched_class != &idle_sched_class, "PICK-own-idle-task");
    require(w, w.prev == r->curr || !test_tsk_thread_flag(w.prev, TIF_NEED_RESCHED), "SWITCH-resched-cleared");
    require(w, READ_ONCE(r->curr->__state) != TASK_DEAD || r->curr == w.prev, "SWITCH-never-to-the-dead", r->curr->pid);
    return;
  }
  if (w.in_schedule) return;
  const bool wanted = test_tsk_thread_flag(r->curr, TIF_NEED_RESCHED);
  require(w, wanted || r->curr->sched_class->rank >= best_rank(r), "RESCHED-better-class", r->curr->sched_class->rank, best_rank(r));
  if (r->curr->sched_class == &rt_sched_class && !r->rt_bandwidth.throttled)
    require(w, wanted || r->curr->prio <= r->rt.best(), "RESCHED-better-rt-priority", r->curr->prio, r->rt.best());
  if (r->curr == r->idle) require(w, wanted || !r->nr_running, "RESCHED-idle-with-work", r->nr_running);
}

void check_masks(const Where& w) {
  require(w, cpumask_subset(cpu_active_mask, cpu_online_mask), "CPU-active-is-online");
  require(w, cpumask_subset(cpu_online_mask, cpu_possible_mask), "CPU-online-is-possible");
}

// ---- Tasks -------------------------------------------------------------------------------------------------------------

bool somebody_owns(const task_struct* p) { return raw_spin_is_locked(&p->pi_lock); }
bool plain_class(const task_struct* p) { return p->sched_class->rank <= dl_sched_class.rank; }

// p is queued on this CPU.
void check_queued(const Where& w, const task_struct* p) {
  const rq* r = w.r;
  if (p->sched_class == &fair_sched_class) require(w, p->se.on_rq, "TASK-queued-in-fair", p->pid);
  if (p->sched_class == &rt_sched_class) require(w, p->rt.on_rq && p->rt.on_list, "TASK-queued-in-rt", p->pid);
  if (p->sched_class == &dl_sched_class) {
    require(w, !RB_EMPTY_NODE(&p->dl.rb_node) || p->dl.throttled, "TASK-queued-in-dl", p->pid);
    if (p->dl.throttled && !somebody_owns(p)) require(w, hrtimer_active(&p->dl.dl_timer), "DL-throttled-timer", p->pid);
  }
  require(w, p->se.on_rq + p->rt.on_rq + !RB_EMPTY_NODE(&p->dl.rb_node) <= 1, "TASK-in-one-class", p->pid);
  // Whoever took its CPU away sees to it that it goes, or it may not go yet.
  const bool may_be_here = cpumask_test_cpu(r->cpu, p->cpus_ptr) || p->migration_disabled || p->nr_cpus_allowed == 1 || p->sched_must_leave;
  if (r->curr != p && !task_on_cpu(p) && !somebody_owns(p)) require(w, may_be_here, "TASK-affinity", p->pid, r->cpu);
  require(w, READ_ONCE(p->__state) != TASK_NEW, "TASK-new-not-queued", p->pid);
}

// p belongs to this CPU and is in no queue.
void check_off_queue(const Where& w, const task_struct* p) {
  require(w, !p->se.on_rq && !p->rt.on_rq && !p->rt.on_list && RB_EMPTY_NODE(&p->dl.rb_node), "TASK-sleeper-not-queued", p->pid);
  // On its way in by a remote wake-up its list node is that list's (spec 30 S-49).
  if (READ_ONCE(p->__state) == TASK_WAKING) return;
  require(w, list_empty(&p->se.group_node), "TASK-sleeper-not-listed", p->pid);
  if (task_on_cpu(p) || somebody_owns(p)) return;
  require(w, READ_ONCE(p->__state) != TASK_RUNNING, "TASK-runnable-is-queued", p->pid);
}

void check_task(const Where& w, const task_struct* p) {
  const rq* r = w.r;
  if (task_on_cpu(p) && p != w.prev) require(w, r->curr == p, "TASK-on-cpu-is-curr", p->pid);
  require(w, READ_ONCE(p->on_rq) >= 0 && READ_ONCE(p->on_rq) <= TASK_ON_RQ_MIGRATING, "TASK-on-rq-value", p->on_rq);
  require(w, static_cast<unsigned>(p->wake_cpu) < nr_cpu_ids, "TASK-wake-cpu", p->wake_cpu);
  if (task_on_rq_queued(p)) check_queued(w, p);
  if (!READ_ONCE(p->on_rq)) check_off_queue(w, p);
  if (somebody_owns(p) || READ_ONCE(p->__state) == TASK_DEAD) return;  // its parameters may be changing, or mean nothing any more
  if (plain_class(p)) require(w, p->sched_class == class_of_prio(p->prio), "TASK-class-of-priority", p->prio);
  require_equal(w, "TASK-normal-prio", p->normal_prio, normal_prio(p));
  require(w, p->prio <= p->normal_prio, "TASK-boost-only-raises", p->prio, p->normal_prio);
  require_equal(w, "TASK-cpus-counted", p->nr_cpus_allowed, cpumask_weight(&p->cpus_mask));
}

}  // namespace

// All tasks of this CPU, those that sleep too.
void check_tasks(const Where& w) {
  RcuReadGuard rcu;
  task_struct *p, *t;
  for_each_process_thread(p, t)
    if (task_cpu(t) == w.r->cpu && READ_ONCE(t->__state) != TASK_NEW) check_task(w, t);
}

void check_rq(rq* r, When when, task_struct* prev) {
  bool& in_schedule = findings->seen[r->cpu].in_schedule;
  if (when == When::Enter) {
    in_schedule = true;
    return;
  }
  if (when == When::Switch) in_schedule = false;
  const Where w{r, when, prev, in_schedule};
  check_clock(w);
  check_counts(w);
  check_curr(w);
  check_idle(w);
  check_choice(w);
  check_masks(w);
  check_fair(w);
  check_rt(w);
  check_dl(w);
  check_tasks(w);
}

}  // namespace sched_check
