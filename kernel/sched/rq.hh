// The run queue of a CPU and the class interface: private to kernel/sched. Spec 30 sections 2 and 3.
// Lock order: p->pi_lock, then rq locks in CPU order (S-6). All taken with interrupts off.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/stop_machine.h>

#include "arch/contract/arch.hh"
#include "kernel/sched/cfs_queue.hh"
#include "kernel/sched/cpupri.hh"
#include "kernel/sched/dl_queue.hh"
#include "kernel/sched/domains.hh"
#include "kernel/sched/rt_bandwidth.hh"
#include "kernel/sched/root_domain.hh"
#include "kernel/sched/rt_queue.hh"
#include "kernel/sched/sched.hh"
#include "lib/late.hh"

// kernel/sched/stop_machine.cc
struct CpuStopper {
  raw_spinlock_t lock;  // enabled, works
  bool enabled = false;
  list_head works{&works, &works};  // cpu_stop_work::list, the first to be run first
  task_struct* thread = nullptr;    // from before the CPU is enabled for the first time until the world ends
};

inline constexpr int TASK_ON_RQ_QUEUED = 1, TASK_ON_RQ_MIGRATING = 2;
// The clock has just been read, and the CPU is about to switch: its next __schedule need not read it again (spec 30 section 2.3).
// ACT: that __schedule has begun. That the clock is up to date where it is used (UPDATED in Linux) is RQ-clock-current's to see.
inline constexpr unsigned RQCF_REQ_SKIP = 1, RQCF_ACT_SKIP = 2;

struct alignas(64) rq {
  raw_spinlock_t lock;        // everything below unless said otherwise. No checker key: prev locks it, next unlocks it
  unsigned cpu;
  unsigned nr_running = 0;    // all classes; read without the lock as a hint
  task_struct *curr = nullptr, *idle = nullptr;
  task_struct* stop = nullptr;  // the stopper; in no class queue
  u64 clock = 0;              // ns; never goes back (S-8)
  unsigned clock_update_flags = 0;  // RQCF_
  mm_struct* prev_mm = nullptr;  // parked between the switch and its finish (spec 22 C-16)
  u64 nr_switches = 0;
  bool online = false;
  unsigned nr_pinned = 0;     // tasks here with migration disabled. This CPU, preemption off (S-70)
  long nr_uninterruptible = 0;  // only the sum over CPUs means anything
  atomic_t nr_iowait{};
  cfs_rq cfs;
  list_head cfs_tasks{&cfs_tasks, &cfs_tasks};        // all fair tasks queued here, the one that ran last first
  list_head leaf_cfs_rqs{&leaf_cfs_rqs, &leaf_cfs_rqs};  // groups' queues that have load, children before parents
  dl_rq dl;
  u64 dl_earliest = 0;        // deadline of the first in dl, low bit set; 0: none. Read without the lock as a hint
  rt_rq rt;                   // while throttled its tasks are not counted in nr_running
  bool push_busy = false;     // push_work is queued: the stopper pushes the one that ran (spec 32)
  cpu_stop_work push_work;
  bool rt_pull_wanted = false;  // the running task became less urgent: look elsewhere before the next is picked
  RtBandwidth rt_bandwidth;
  hrtimer rt_period_timer;    // started when throttled: this CPU may have nothing else to wake it
  // Balancing (balance.cc, select.cc).
  root_domain* rd = nullptr;  // never null once the queue is made; changed under dl_lock, read as a hint without
  DomainSet::PerCpu* dom = nullptr;  // this CPU's domains; null: not built yet. Replaced as a whole, readers keep preemption off
  unsigned long next_balance = 0;  // jiffies; this CPU, or who balances for it
  u64 idle_stamp = 0;         // when it ran dry; 0: somebody has been woken here since
  u64 avg_idle = 0, max_idle_balance_cost = 0;  // ns (F-74)
  unsigned long capacity = kCpuCapacity;  // what real-time and deadline work leave; read without the lock
  sched_avg avg_rt{}, avg_dl{};  // how busy those kept it lately
  bool active_balance = false;  // active_balance_work is queued, for push_cpu; this lock
  int push_cpu = -1;
  cpu_stop_work active_balance_work;
  bool nohz_kick = false;     // this idle CPU is to balance for all idle ones
  // Remote wake-ups (S-49): tasks in state WAKING, the last one first, by wake_entry. Pushed without the lock.
  task_struct* wake_list = nullptr;
  bool ttwu_pending = false;
  // Ticks that found a task here, in ns. Written by this CPU's tick, read by anybody.
  u64 user_time = 0, system_time = 0, online_since = 0;
  u64 offline_since = 0;  // 0: online
  CpuStopper stopper;
  bool evicting = false;      // evict_work is queued (migrate.cc); atomic
  cpu_stop_work evict_work;
  // Statistics (stats.hh). ns.
  u64 run_delay = 0;          // what tasks waited here for the CPU
  u64 idle_switches = 0, idle_since = 0, idle_time = 0;  // how often idle was picked; 0: it is not; in all, before
  u64 yld_count = 0, sched_count = 0, sched_goidle = 0, ttwu_count = 0, ttwu_local = 0;  // while kernel.sched_schedstats is 1
};

struct sched_class {
  int rank;  // S-5: higher preempts lower
  void (*enqueue_task)(rq*, task_struct*, int flags);
  void (*dequeue_task)(rq*, task_struct*, int flags);
  void (*yield_task)(rq*);
  bool (*yield_to_task)(rq*, task_struct*);  // null: there is none. Both queues locked; false: not accepted
  void (*check_preempt_curr)(rq*, task_struct* woken, int wake_flags);  // same class as curr
  task_struct* (*pick_next_task)(rq*);  // makes it current; null: none
  void (*put_prev_task)(rq*, task_struct*);
  void (*set_next_task)(rq*, task_struct*);
  unsigned (*select_task_rq)(task_struct*, unsigned cpu, int wake_flags);  // pi_lock held, no rq lock
  void (*task_tick)(rq*, task_struct*);
  void (*task_fork)(rq*, task_struct*);  // rq: of the forking CPU, locked
  void (*migrate_task_rq)(task_struct*, unsigned new_cpu);  // about to change CPU; pi_lock or old rq lock
  void (*task_dead)(task_struct*);  // null: nothing to do. After its last switch, no lock held
  void (*task_change_group)(rq*, task_struct*, unsigned cpu);  // null: set_task_rq() is all. p is off its queue
  void (*switched_from)(rq*, task_struct*);
  void (*switched_to)(rq*, task_struct*);
  void (*prio_changed)(rq*, task_struct*, int old_prio);
  unsigned (*get_rr_interval)(rq*, task_struct*);  // jiffies
  void (*update_curr)(rq*);
};
extern const sched_class stop_sched_class, dl_sched_class, rt_sched_class, fair_sched_class, idle_sched_class;
// Best first (S-5). A simulator's class in the place of the fair one, of the same rank (tools/schedlab); an image has none.
const sched_class* stand_in_for_fair() __attribute__((weak));
inline constexpr const sched_class* kSchedClasses[] = {&stop_sched_class, &dl_sched_class, &rt_sched_class, &fair_sched_class, &idle_sched_class};

struct SchedState {
  rq* rqs[NR_CPUS] = {};
  CfsTunables tunables;
  // CPUs whose current task is idle. Set and cleared by the CPU itself; others read it as a hint.
  alignas(64) unsigned long idle_cpus = 0;
  unsigned long rt_overloaded = 0;  // CPUs with several real-time tasks, not all bound to it. Written under that rq's lock
  cpupri pri;
  unsigned long dl_overloaded = 0;  // the same for deadline tasks
  raw_spinlock_t dl_lock;        // admission in the root domains, who has it, dl_inactive; nests inside rq locks
  // Those of the parts that balance, in the cpusets' order; and of the CPUs that are in none.
  root_domain root_domains[NR_CPUS + 1];
  root_domain unbalanced{.admitted = {.bw = 0}};
  list_head dl_admitted{&dl_admitted, &dl_admitted};  // sched_dl_entity::admitted_node: they have bandwidth
  list_head dl_inactive{&dl_inactive, &dl_inactive};  // sched_dl_entity::inactive_node: their inactive_timer runs
  unsigned rr_slice;             // jiffies
  unsigned rr_slice_largest;     // that there has been: slices of before go on
  int rr_slice_ms = 100, rt_period_us = 1'000'000, rt_runtime_us = 950'000;  // as asked for; groups_lock
  DomainSet* domains = nullptr;  // see rq::dom
  mutex domains_lock;            // building and replacing them
  atomic_t idle_polls{};         // not 0: idle CPUs watch NEED_RESCHED instead of halting (cpu_idle_poll_ctrl)
  SchedPartition partitions[NR_CPUS];  // the cpusets' claims; domains_lock
  unsigned nr_partitions = 0;
  raw_spinlock_t stop_order;     // works for several stoppers are queued under it; before a stopper's lock
  mutex stop_cpus_mutex;         // stop_works
  cpu_stop_work stop_works[NR_CPUS];
  unsigned char serialize = 0;   // SD_SERIALIZE domains: one balances at a time
  unsigned long nohz_next_balance = 0;  // jiffies: when an idle CPU is kicked at the earliest. A hint
  u64 migration_cost = 500'000;  // ns; ~0: always hot, 0: never (F-71)
  unsigned nr_migrate = 32;      // tasks looked at in one go
  unsigned long next_blocked_update = 0;  // jiffies: when a busy CPU lets the load of idle ones fade. A hint, raced for
  mutex groups_lock;             // the tree of task groups, their shares
  list_head groups{&groups, &groups};  // those below the root
  bool autogroup_enabled = false, autogroup_ever = false;  // kernel.sched_autogroup_enabled is, has been set
  mutex autogroup_lock;          // their nice values and task_groups; before groups_lock
  atomic_long_t autogroup_last_id = {}, nr_autogroups = {};
  unsigned long autogroup_next_write;  // jiffies: nobody but the administrator sets a nice value before
  raw_spinlock_t load_lock;      // the load averages
  unsigned long load_next;       // jiffies of the next sample
  unsigned long avenrun[3] = {};
};
extern Late<SchedState> sched_state;

inline rq* cpu_rq(unsigned cpu) { return sched_state->rqs[cpu]; }
inline unsigned long root_domain_of(unsigned cpu) { return READ_ONCE(READ_ONCE(cpu_rq(cpu)->rd)->span); }
// Preemption off.
inline rq* this_rq() { return static_cast<rq*>(arch::cpu_block().rq); }
inline rq* task_rq(const task_struct* p) { return cpu_rq(task_cpu(p)); }
// Who runs there: a hint without that queue's lock. Under RCU: it may be another one by now, but stays a task until RCU says so.
inline task_struct* cpu_curr(unsigned cpu) { return rcu_dereference(cpu_rq(cpu)->curr); }
inline bool task_current(const rq* r, const task_struct* p) { return READ_ONCE(r->curr) == p; }
inline bool task_on_cpu(const task_struct* p) { return READ_ONCE(p->on_cpu); }
inline bool task_on_rq_queued(const task_struct* p) { return READ_ONCE(p->on_rq) == TASK_ON_RQ_QUEUED; }
inline bool task_on_rq_migrating(const task_struct* p) { return READ_ONCE(p->on_rq) == TASK_ON_RQ_MIGRATING; }
inline bool single_cpu() { return nr_cpu_ids == 1; }
inline bool fair_policy(unsigned policy) {
  return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
}
inline bool rt_policy(unsigned policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }
inline bool dl_prio(int prio) { return prio < 0; }
inline bool rt_prio(int prio) { return prio < MAX_RT_PRIO; }  // or better

// rq lock held; others read the count as a hint.
inline void add_nr_running(rq* r, int n) { WRITE_ONCE(r->nr_running, r->nr_running + n); }

// Once per lock section (S-10). rq lock held.
inline void update_rq_clock(rq* r) {
  if (r->clock_update_flags & RQCF_ACT_SKIP) return;
  u64 now = arch::clock_ns();
  if (static_cast<s64>(now - r->clock) > 0) r->clock = now;
}

// The clock is up to date, and r's CPU will choose before long. rq lock held.
inline void rq_clock_skip_update(rq* r) { r->clock_update_flags |= RQCF_REQ_SKIP; }

// ---- kernel/sched/core.cc -----------------------------------------------------------------------------------------
void resched_curr(rq* r);
void activate_task(rq* r, task_struct* p, int flags);
void deactivate_task(rq* r, task_struct* p, int flags);
void check_preempt_curr(rq* r, task_struct* p, int wake_flags);
void __set_task_cpu(task_struct* p, unsigned cpu);
void set_task_cpu(task_struct* p, unsigned cpu);  // with the class's migrate hook
unsigned select_task_rq(task_struct* p, unsigned cpu, int wake_flags);
bool is_cpu_allowed(const task_struct* p, unsigned cpu);
unsigned any_allowed_cpu(const task_struct* p);  // an idle one before others; NR_CPUS: none. pi_lock or rq lock held
void evict_from_this_cpu();  // in the stopper: all tasks that may not stay on this CPU leave it
unsigned select_fallback_rq(task_struct* p, unsigned cpu);  // S-52: may widen p's mask. pi_lock held

// The rq of p, locked, p being settled there (S-7). __task_rq_lock: pi_lock is held already.
rq* __task_rq_lock(task_struct* p);
rq* task_rq_lock(task_struct* p, unsigned long* flags);
void task_rq_unlock(rq* r, task_struct* p, unsigned long flags);
struct TaskRqGuard {
  explicit TaskRqGuard(task_struct* p) : task(p), r(task_rq_lock(p, &flags)) {}
  ~TaskRqGuard() { task_rq_unlock(r, task, flags); }
  TaskRqGuard(const TaskRqGuard&) = delete;
  task_struct* task;
  unsigned long flags;
  rq* r;
};
// Locks other, this_rq being locked; true if this_rq had to be dropped for the order (S-6).
bool double_lock_rq(rq* this_rq, rq* other);

// ---- kernel/sched/migrate.cc, balance.cc --------------------------------------------------------------------------
void pull_task(rq* from, task_struct* p, rq* to);  // both locked; p queued on from, not running
void move_queued_task(rq* from, task_struct* p, unsigned to);  // from locked on entry and exit, may be dropped between
bool newidle_balance(rq* r);                       // rq lock held, dropped for a while; true: something is runnable now
void balance_tick(rq* r);                          // hard interrupt, no lock
void balance_ipi(rq* r);                           // hard interrupt, no lock: somebody may want this idle CPU to balance
int load_balance(rq* r, sched_domain* sd, IdleType idle, bool* go_on);  // r for sd's CPU; no lock. How many tasks moved
unsigned long task_h_load(task_struct* p);         // its rq locked, or as a hint
void wake_list_interrupt(rq* r);                   // hard interrupt or interrupts off: activates what was woken from afar
void update_busy_averages(rq* r);                  // those of real-time and deadline work; rq locked

// Of a task that does not run, or current; of one that runs elsewhere it is a hint, since it changes it without a lock.
inline bool is_migration_disabled(const task_struct* p) { return READ_ONCE(p->migration_disabled); }

// This CPU's place in the domains. Preemption off: they are replaced as a whole (RCU).
inline const DomainSet::PerCpu* domains_of(const rq* r) { return rcu_dereference(r->dom); }
inline bool shares_cache(unsigned a, unsigned b) {
  const DomainSet::PerCpu* d = domains_of(cpu_rq(a));
  return a == b || (d && d->cache_span >> b & 1);
}
inline sched_domain* lowest_domain(unsigned cpu) {
  const DomainSet::PerCpu* d = domains_of(cpu_rq(cpu));
  return d ? d->lowest : nullptr;
}
// Nobody runs there, waits there, or is about to (section 6.4 of spec 30). A hint.
inline bool idle_cpu(unsigned cpu) {
  const rq* r = cpu_rq(cpu);
  return READ_ONCE(sched_state->idle_cpus) >> cpu & 1 && !READ_ONCE(r->nr_running) && !READ_ONCE(r->ttwu_pending);
}
inline bool sched_idle_cpu(unsigned cpu) {
  const rq* r = cpu_rq(cpu);
  const unsigned n = READ_ONCE(r->nr_running);
  return n && n == READ_ONCE(r->cfs.idle_h_nr_running);
}
inline unsigned long cpu_load(const rq* r) { return READ_ONCE(r->cfs.avg.load_avg); }
inline unsigned long cpu_util(const rq* r) {  // section 7.8
  const unsigned long util = READ_ONCE(r->cfs.avg.util_avg), estimated = READ_ONCE(r->cfs.avg.util_est.enqueued);
  const unsigned long most = util > estimated ? util : estimated;
  return most < kCpuCapacity ? most : kCpuCapacity;
}
// A CPU has got work: others may find something to pull (F-74). rq lock held.
inline void note_overload(const rq* r) {
  if (r->nr_running <= 1) return;
  root_domain* rd = READ_ONCE(r->rd);  // changed without the rq lock; the new one is taken for overloaded
  if (!READ_ONCE(rd->overload)) WRITE_ONCE(rd->overload, true);
}
void load_average_tick();
void rt_charge(rq* r, u64 ns);  // deadline tasks' time counts against the real-time share
void rt_rq_offline(rq* r);  // rq locked: nothing stays throttled there
void rt_pull(rq* r);
bool wants_rt_pull(const rq* r, const task_struct* prev);
void push_rt_tasks(rq* r);
int find_lowest_rq(const task_struct* p);  // -1: nowhere
void update_cpupri(rq* r);                 // its most urgent work may have changed; rq locked
void rt_mask_changed(task_struct* p);      // p's affinity did; its rq locked

// ---- Changing parameters of a task: kernel/sched/params.cc --------------------------------------------------------
void set_load_weight(task_struct* p);
int normal_prio(const task_struct* p);
const sched_class* class_of_prio(int prio);
