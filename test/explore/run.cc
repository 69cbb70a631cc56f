// Runs one scenario in a booted world: the kernel's half of the explorer.
// SPDX-License-Identifier: Apache-2.0
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "arch/hosted/pilot.hh"
#include "kernel/sched/sched.hh"
#include "test/explore/scenario.hh"

namespace explore {
namespace {

// The last one to come opens the door; the others turn round and round before it.
void wait_at_the_start(Run& run) {
  if (atomic_dec_and_test(&run.expected)) {
    hosted::pilot_begin();
    smp_store_release(&run.go, 1);
    return;
  }
  while (!smp_load_acquire(&run.go)) cpu_relax();
}

int actor_thread(void* p) {
  auto* a = static_cast<Actor*>(p);
  if (a->waits_for_start) wait_at_the_start(*a->run);
  a->part(*a->run);
  if (atomic_dec_and_test(&a->run->left)) {
    hosted::pilot_end();
    complete(&a->run->done);
  }
  return 0;
}

Run& add(Run& run, unsigned cpu, Part part, bool waits) {
  BUG_ON(run.n == kMaxActors);
  run.actors[run.n++] = {&run, part, cpu, waits, nullptr};
  return run;
}

}  // namespace

Run& Run::on(unsigned cpu, Part part) { return add(*this, cpu, part, true); }
Run& Run::early(unsigned cpu, Part part) { return add(*this, cpu, part, false); }

void Run::check(bool holds, const char* text) {
  if (holds || failed) return;
  failed = true;
  what = text;
}

void Run::go_and_wait() {
  init_completion(&done);
  init_completion(&event);
  init_waitqueue_head(&wq);
  atomic_set(&left, static_cast<int>(n));
  int starters = 0;
  for (unsigned i = 0; i < n; i++) {
    Actor& a = actors[i];
    starters += a.waits_for_start;
    a.task = kthread_create(actor_thread, &a, "actor/%u", i);
    if (IS_ERR(a.task)) panic("explore: no thread");
    get_task_struct(a.task);
    cpumask_t one = {{1ul << a.cpu}};
    (void)set_cpus_allowed_ptr(a.task, &one);
  }
  atomic_set(&expected, starters);
  for (unsigned i = 0; i < n; i++) {
    wake_up_process(actors[i].task);
    if (!actors[i].waits_for_start) schedule_timeout_uninterruptible(1);
  }
  wait_for_completion(&done);
  for (unsigned i = 0; i < n; i++) put_task_struct(actors[i].task);
}

}  // namespace explore

// In place of the suites: kunit.filter names a scenario.
int kunit_run_all(const char* name) {
  using namespace explore;
  for (unsigned i = 0; const Scenario* s = scenario(i); i++) {
    if (strcmp(s->name, name)) continue;
    Run run;
    s->body(run);
    if (run.failed) pr_err("explore: %s: not so: %s\n", name, run.what);
    return run.failed;
  }
  panic("explore: no scenario %s", name);
}
