// When load is balanced: when a CPU runs dry, at its tick every so often, and by one idle CPU for all that sleep without a
// tick. Spec 31 sections 10.8 to 10.10.
// SPDX-License-Identifier: Apache-2.0
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "init/params.hh"
#include "kernel/rcu/rcu.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/lb_decision.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr unsigned long kNever = 60 * HZ;  // a CPU without domains looks again so late

unsigned long interval_of(const sched_domain* sd, bool busy) {
  return balance_interval_jiffies(READ_ONCE(sd->balance_interval), sd->busy_factor, busy, HZ, num_online_cpus());
}

unsigned long idle_cpus_in_domains() {
  const unsigned long cpus = READ_ONCE(sched_state->idle_cpus) & READ_ONCE(cpu_active_mask->bits[0]);
  const DomainSet* set = rcu_dereference(sched_state->domains);
  return set ? cpus & set->cpus : 0;
}

// ---- Running dry (F-74) -----------------------------------------------------------------------------------------------

// r unlocked, interrupts off. How many tasks came.
int pull_for_new_idler(rq* r, sched_domain* sd) {
  u64 spent = 0, before = arch::clock_ns();
  int pulled = 0;
  bool go_on = true;
  for (; sd && !pulled; sd = sd->parent) {
    if (READ_ONCE(r->avg_idle) < spent + READ_ONCE(sd->max_newidle_lb_cost)) break;
    if (sd->flags & SD_BALANCE_NEWIDLE) {
      pulled = load_balance(r, sd, IdleType::NewlyIdle, &go_on);
      const u64 now = arch::clock_ns(), cost = now - before;
      spent += cost;
      before = now;
      update_newidle_cost(sd, cost, jiffies, HZ);
    }
    if (READ_ONCE(r->nr_running) || READ_ONCE(r->ttwu_pending)) break;
  }
  if (spent > READ_ONCE(r->max_idle_balance_cost)) WRITE_ONCE(r->max_idle_balance_cost, spent);
  return pulled;
}

// ---- The tick's share (F-72) ------------------------------------------------------------------------------------------

bool take_turn(const sched_domain* sd) {
  return !(sd->flags & SD_SERIALIZE) || !__atomic_exchange_n(&sched_state->serialize, 1, __ATOMIC_ACQUIRE);
}
void end_turn(const sched_domain* sd) {
  if (sd->flags & SD_SERIALIZE) __atomic_store_n(&sched_state->serialize, 0, __ATOMIC_RELEASE);
}

// Returns when this domain is due next.
unsigned long rebalance_domain(rq* r, sched_domain* sd, IdleType& idle, bool* go_on) {
  unsigned long interval = interval_of(sd, idle == IdleType::NotIdle);
  if (time_after_eq(jiffies, READ_ONCE(sd->last_balance) + interval) && take_turn(sd)) {
    if (load_balance(r, sd, idle, go_on)) idle = idle_cpu(r->cpu) ? IdleType::Idle : IdleType::NotIdle;
    WRITE_ONCE(sd->last_balance, jiffies);
    interval = interval_of(sd, idle == IdleType::NotIdle);
    end_turn(sd);
  }
  return READ_ONCE(sd->last_balance) + interval;
}

// Preemption off, no lock. For r's CPU, by itself or by another.
void rebalance_domains(rq* r, IdleType idle) {
  unsigned long next = jiffies + kNever;
  u64 cost = 0;
  bool go_on = true, decayed = false;
  for (sched_domain* sd = lowest_domain(r->cpu); sd; sd = sd->parent) {
    const bool decays = update_newidle_cost(sd, 0, jiffies, HZ);
    decayed |= decays;
    cost += READ_ONCE(sd->max_newidle_lb_cost);
    if (!go_on) {  // one that is not responsible down here is not further up
      if (decays) continue;
      break;
    }
    const unsigned long due = rebalance_domain(r, sd, idle, &go_on);
    if (time_before(due, next)) next = due;
  }
  if (decayed) WRITE_ONCE(r->max_idle_balance_cost, max(sched_state->migration_cost, cost));
  WRITE_ONCE(r->next_balance, next);
}

void age(rq* r) {
  IrqSpinGuard guard(r->lock);
  update_rq_clock(r);
  update_busy_averages(r);
  update_blocked_averages(r);
}

// ---- For all that sleep (section 10.10) ---------------------------------------------------------------------------------

// This CPU is idle, has been kicked, and has balanced for itself.
void balance_for_idlers(rq* mine) {
  unsigned long next = jiffies + kNever;
  for (unsigned long left = idle_cpus_in_domains() & ~(1ul << mine->cpu); left; left &= left - 1) {
    if (need_resched()) {  // somebody wants this CPU: the rest at the next opportunity
      next = jiffies + 1;
      break;
    }
    rq* r = cpu_rq(static_cast<unsigned>(__builtin_ctzl(left)));
    if (!idle_cpu(r->cpu)) continue;
    if (time_after_eq(jiffies, READ_ONCE(r->next_balance))) {
      age(r);
      rebalance_domains(r, IdleType::Idle);
    }
    if (const unsigned long due = READ_ONCE(r->next_balance); time_before(due, next)) next = due;
  }
  if (const unsigned long due = READ_ONCE(mine->next_balance); time_before(due, next)) next = due;
  WRITE_ONCE(sched_state->nohz_next_balance, next);
}

void run_balance(softirq_action*) {
  preempt_disable();
  rq* r = this_rq();
  const bool for_all = READ_ONCE(r->nohz_kick);
  WRITE_ONCE(r->nohz_kick, false);
  age(r);
  if (for_all || time_after_eq(jiffies, READ_ONCE(r->next_balance)))
    rebalance_domains(r, idle_cpu(r->cpu) ? IdleType::Idle : IdleType::NotIdle);
  if (for_all && idle_cpu(r->cpu)) balance_for_idlers(r);
  preempt_enable_no_resched();
}

bool wants_idler(const rq* r) {
  if (READ_ONCE(r->nr_running) >= 2) return true;
  const DomainSet::PerCpu* d = domains_of(r);
  if (!d || !d->lowest) return false;
  if (READ_ONCE(r->cfs.h_nr_running) && lb::capacity_is_reduced(READ_ONCE(r->capacity), d->lowest->imbalance_pct)) return true;
  return __builtin_popcountl(d->cache_span & ~READ_ONCE(sched_state->idle_cpus)) > 1;
}

void kick_idler(const rq* r) {
  const unsigned long idle = idle_cpus_in_domains();
  if (!idle || time_before(jiffies, READ_ONCE(sched_state->nohz_next_balance)) || !wants_idler(r)) return;
  const auto cpu = static_cast<unsigned>(__builtin_ctzl(idle));
  if (cpu == r->cpu || __atomic_exchange_n(&cpu_rq(cpu)->nohz_kick, true, __ATOMIC_ACQ_REL)) return;
  arch::send_ipi(cpu, arch::Ipi::Reschedule);
}

// An idle CPU's tick is off, so others see to it that what slept or left there fades. Every 32 ms; whoever ticks first does it.
constexpr unsigned long kBlockedInterval = HZ * 32 / 1000;

void age_idle_cpus() {
  const unsigned long due = READ_ONCE(sched_state->next_blocked_update);
  if (time_before(jiffies, due)) return;
  unsigned long expected = due;
  if (!__atomic_compare_exchange_n(&sched_state->next_blocked_update, &expected, jiffies + kBlockedInterval, false,
                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return;
  unsigned long cpus = READ_ONCE(sched_state->idle_cpus) & READ_ONCE(cpu_active_mask->bits[0]);
  cpus |= 1ul << smp_processor_id();
  for (; cpus; cpus &= cpus - 1) age(cpu_rq(static_cast<unsigned>(__builtin_ctzl(cpus))));
}

}  // namespace

void update_busy_averages(rq* r) {
  const sched_class* running = r->curr->sched_class;
  pelt::update_busy(r->avg_rt, r->clock, running == &rt_sched_class);
  pelt::update_busy(r->avg_dl, r->clock, running == &dl_sched_class);
}

// F-74. Called by __schedule with nothing to run; what was prev may be woken while the lock is dropped.
bool newidle_balance(rq* r) {
  if (single_cpu() || !r->online) return false;
  WRITE_ONCE(r->idle_stamp, r->clock);
  sched_domain* sd = lowest_domain(r->cpu);
  if (sd && READ_ONCE(READ_ONCE(r->rd)->overload) && r->avg_idle >= READ_ONCE(sd->max_newidle_lb_cost)) {
    update_blocked_averages(r);
    r->clock_update_flags = 0;  // it may take a while
    raw_spin_unlock(&r->lock);
    pull_for_new_idler(r, sd);
    raw_spin_lock(&r->lock);
  }
  if (r->nr_running) WRITE_ONCE(r->idle_stamp, 0);
  return r->nr_running != 0;
}

void balance_tick(rq* r) {
  if (!READ_ONCE(r->online)) return;
  age_idle_cpus();
  if (single_cpu() || !READ_ONCE(r->dom)) return;
  if (time_after_eq(jiffies, READ_ONCE(r->next_balance))) raise_softirq_irqoff(SCHED_SOFTIRQ);
  if (r->curr != r->idle) kick_idler(r);
}

void balance_ipi(rq* r) {
  if (r->curr == r->idle && !need_resched())
    raise_softirq_irqoff(SCHED_SOFTIRQ);
  else
    WRITE_ONCE(r->nohz_kick, false);
}

// ---- The domains of this machine ----------------------------------------------------------------------------------------

namespace {

CpuPlaces places_of_this_machine() {
  CpuPlaces places = {};
  std::string_view text;
  const TopologyText told = boot_param("topology", &text) ? TopologyText::parse(text) : TopologyText{};
  unsigned cpu;
  for_each_possible_cpu(cpu) places.of[cpu] = told.valid() ? told.place(cpu) : arch::cpu_place(cpu);
  return places;
}

}  // namespace

// "1,3-5": no CPU of these is in a domain.
static unsigned long isolated_cpus() {
  std::string_view text;
  if (!boot_param("isolcpus", &text)) return 0;
  unsigned long cpus = 0;
  for (size_t at = 0; at < text.size();) {
    unsigned range[2] = {0, 0};
    bool two = false;
    for (; at < text.size() && text[at] != ','; at++) {
      if (text[at] == '-')
        two = true;
      else if (text[at] >= '0' && text[at] <= '9')
        range[two] = range[two] * 10 + static_cast<unsigned>(text[at] - '0');
    }
    at++;
    for (unsigned cpu = range[0]; cpu <= (two ? range[1] : range[0]) && cpu < NR_CPUS; cpu++) cpus |= 1ul << cpu;
  }
  return cpus;
}

namespace {

// The parts that balance, of the CPUs that are active: what the cpusets claim, and first what they leave.
DomainParts parts_that_balance() {
  const unsigned long usable = READ_ONCE(cpu_active_mask->bits[0]) & ~isolated_cpus();
  DomainParts parts = {};
  parts.of[parts.n++] = usable;
  for (const SchedPartition& p : std::span(sched_state->partitions, sched_state->nr_partitions)) {
    parts.of[0] &= ~p.cpus;
    if (p.balances) parts.of[parts.n++] = usable & p.cpus;
  }
  return parts;
}

// domains_lock held.
Result<void> build_all() {
  const DomainParts parts = parts_that_balance();
  DomainSet* set = TRY(build_domains(places_of_this_machine(), nr_cpu_ids, std::span(parts.of, parts.n), jiffies));
  DomainSet* old = sched_state->domains;
  unsigned cpu;
  for_each_possible_cpu(cpu) __atomic_store_n(&cpu_rq(cpu)->dom, &set->cpu[cpu], __ATOMIC_RELEASE);
  __atomic_store_n(&sched_state->domains, set, __ATOMIC_RELEASE);
  assign_root_domains(parts);
  if (!old) return {};
  synchronize_rcu();
  free_domains(old);
  return {};
}

}  // namespace

Result<void> update_sched_domains() {
  MutexGuard guard(sched_state->domains_lock);
  return build_all();
}

Result<void> rebuild_sched_partitions(std::span<const SchedPartition> parts) {
  MutexGuard guard(sched_state->domains_lock);
  sched_state->nr_partitions = 0;
  for (const SchedPartition& p : parts) sched_state->partitions[sched_state->nr_partitions++] = p;
  return single_cpu() ? Result<void>{} : build_all();
}

// Once all CPUs are up. Task context.
void sched_init_smp() {
  if (single_cpu()) return;
  open_softirq(SCHED_SOFTIRQ, run_balance);
  if (!update_sched_domains()) panic("no memory for scheduling domains");
}
