// Root domains: which CPUs make which, and whose deadline bandwidth counts where. Spec 32 section 7.1.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/root_domain.hh"

#include "kernel/sched/dl.hh"
#include "kernel/sched/pelt.hh"
#include "kernel/sync/guards.hh"

namespace {

u64 capacity_of(unsigned long cpus) {
  return u64{static_cast<unsigned>(__builtin_popcountl(cpus & READ_ONCE(cpu_active_mask->bits[0])))} * pelt::kCapacityScale;
}

// Where p runs, or would if it woke.
root_domain* home_of(const task_struct* p, unsigned long allowed) {
  allowed &= READ_ONCE(cpu_active_mask->bits[0]);
  const unsigned cpu = !allowed || allowed >> task_cpu(p) & 1 ? task_cpu(p) : static_cast<unsigned>(__builtin_ctzl(allowed));
  return READ_ONCE(cpu_rq(cpu)->rd);
}

// dl_lock held.
void count_in(root_domain* rd, sched_dl_entity* e) {
  if (e->rd == rd) return;
  if (e->rd) e->rd->admitted.total -= e->admitted_bw;
  rd->admitted.total += e->admitted_bw;
  e->rd = rd;
}

}  // namespace

root_domain* dl_root_domain(const task_struct* p) { return home_of(p, READ_ONCE(p->cpus_mask.bits[0])); }

bool dl_covers_root_domain(const task_struct* p) {
  const root_domain* rd = dl_root_domain(p);
  return READ_ONCE(rd->admitted.bw) && !(READ_ONCE(rd->span) & READ_ONCE(cpu_active_mask->bits[0]) & ~READ_ONCE(p->cpus_ptr->bits[0]));
}

// Someone who has bandwidth is on a list, for when the CPUs are divided anew.
Result<void> dl_admit(task_struct* p, u64 new_bw) {
  IrqSpinGuard guard(sched_state->dl_lock);
  sched_dl_entity* e = &p->dl;
  root_domain* rd = dl_root_domain(p);
  if (!new_bw || (new_bw == e->admitted_bw && e->rd == rd)) return {};
  if (rd->admitted.refuses(capacity_of(rd->span), e->rd == rd ? e->admitted_bw : 0, new_bw)) return fail(EBUSY);
  if (e->rd)
    e->rd->admitted.total -= e->admitted_bw;
  else
    list_add_tail(&e->admitted_node, &sched_state->dl_admitted);
  rd->admitted.total += e->admitted_bw = new_bw;
  e->rd = rd;
  return {};
}

void dl_give_back_admission(sched_dl_entity* e) {
  SpinGuard guard(sched_state->dl_lock);
  if (!e->rd) return;
  e->rd->admitted.total -= e->admitted_bw;
  e->admitted_bw = 0;
  e->rd = nullptr;
  list_del_init(&e->admitted_node);
}

Result<void> dl_reserve(task_struct* p, const cpumask_t* mask) {
  IrqSpinGuard guard(sched_state->dl_lock);
  sched_dl_entity* e = &p->dl;
  root_domain* rd = home_of(p, mask->bits[0]);
  if (!e->rd || e->rd == rd || p->policy != SCHED_DEADLINE) return {};
  if (rd->admitted.refuses(capacity_of(rd->span), 0, e->admitted_bw)) return fail(EBUSY);
  count_in(rd, e);
  return {};
}

void dl_settle(task_struct* p) {
  if (!READ_ONCE(p->dl.rd)) [[likely]]
    return;
  IrqSpinGuard guard(sched_state->dl_lock);
  if (p->dl.rd) count_in(dl_root_domain(p), &p->dl);
}

Result<void> dl_cpus_needed(unsigned long cpus, unsigned long rest) {
  IrqSpinGuard guard(sched_state->dl_lock);
  for (unsigned long left = cpus & READ_ONCE(cpu_active_mask->bits[0]); left; left &= left - 1) {
    const root_domain* rd = READ_ONCE(cpu_rq(static_cast<unsigned>(__builtin_ctzl(left)))->rd);
    const dl::Admission& a = rd->admitted;
    if (rd->span && a.total && a.refuses(capacity_of(rd->span & ~(cpus & ~rest)), 0, 0)) return fail(EBUSY);
  }
  return {};
}

Result<void> dl_limit_admission(u64 bw) {
  IrqSpinGuard guard(sched_state->dl_lock);
  for (const root_domain& rd : sched_state->root_domains) {
    dl::Admission next = rd.admitted;
    next.bw = bw;
    if (rd.span && next.total && next.refuses(capacity_of(rd.span), 0, 0)) return fail(EBUSY);
  }
  for (root_domain& rd : sched_state->root_domains) rd.admitted.bw = bw;
  return {};
}

u64 dl_admitted_total() {
  IrqSpinGuard guard(sched_state->dl_lock);
  u64 total = sched_state->unbalanced.admitted.total;
  for (const root_domain& rd : sched_state->root_domains) total += rd.admitted.total;
  return total;
}

// A part without CPUs keeps its place, so that those after it stay what they are while a CPU goes.
void assign_root_domains(const DomainParts& parts) {
  {
    IrqSpinGuard guard(sched_state->dl_lock);
    unsigned cpu;
    unsigned long rest = cpu_possible_mask->bits[0];
    for (unsigned i = 0; i < std::size(sched_state->root_domains); i++) {
      root_domain& rd = sched_state->root_domains[i];
      WRITE_ONCE(rd.span, i < parts.n ? parts.of[i] : 0);
      rest &= ~rd.span;
      for_each_possible_cpu(cpu)
        if (rd.span >> cpu & 1) WRITE_ONCE(cpu_rq(cpu)->rd, &rd);
    }
    WRITE_ONCE(sched_state->unbalanced.span, rest);
    for_each_possible_cpu(cpu)
      if (rest >> cpu & 1) WRITE_ONCE(cpu_rq(cpu)->rd, &sched_state->unbalanced);
    sched_dl_entity* e;
    list_for_each_entry(e, &sched_state->dl_admitted, admitted_node) count_in(dl_root_domain(task_of_dl(e)), e);
  }
  unsigned cpu;
  for_each_online_cpu(cpu) {  // whoever waits may have a place now
    WRITE_ONCE(cpu_rq(cpu)->rd->overload, true);
    IrqGuard off;
    push_rt_tasks(cpu_rq(cpu));
    dl_kick(cpu_rq(cpu));
  }
}
