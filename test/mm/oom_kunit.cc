// The OOM killer's choice (spec 41 M-84, M-85, M-88).
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>

#include "kernel/exit/exit.hh"
#include "kernel/fork/fork.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "mm/page_alloc.hh"
#include "test/mm/user_space.hh"

namespace {

constexpr long kNever = -__LONG_MAX__ - 1;

// A process that owns `pages` pages and waits to be let go or killed.
struct Owner {
  kunit* test;
  unsigned long pages;
  short adj = 0;
  task_struct* task = nullptr;  // referenced
  completion ready, leave, gone;
  bool killed = false;

  Owner(kunit* t, unsigned long n, short a = 0) : test(t), pages(n), adj(a) {
    init_completion(&ready);
    init_completion(&leave);
    init_completion(&gone);
    KUNIT_EXPECT_GT(test, user_mode_thread(main, this, CLONE_FS | CLONE_FILES | SIGCHLD), 0);
    wait_for_completion(&ready);
  }
  ~Owner() {
    complete(&leave);
    wait_for_completion(&gone);
    put_task_struct(task);
  }
  long badness() const {
    RcuReadGuard rcu;
    return oom_badness(task, totalram_pages());
  }

 private:
  static int main(void* arg) {
    auto* o = static_cast<Owner*>(arg);
    flush_signal_handlers(current, 1);  // kernel threads ignore all signals, and children inherit that
    mm_struct* mm = mm_alloc();
    KUNIT_EXPECT_NOT_NULL(o->test, mm);
    exec_mmap(mm);
    current->signal->oom_score_adj = o->adj;
    KUNIT_EXPECT_GT(o->test, call(sys_mmap, kBase, o->pages * kPg, kRW, kAnon | MAP_FIXED | MAP_POPULATE, -1ul, 0), 0l);
    o->task = get_task_struct(current);
    complete(&o->ready);
    o->killed = wait_for_completion_killable(&o->leave) != 0;
    complete(&o->gone);
    do_exit(0);
  }
};

void badness_is_what_death_would_free(kunit* test) {
  Owner o(test, 100);
  long tables = atomic_long_read(&o.task->mm->pgtables_bytes) / 4096;
  KUNIT_EXPECT_EQ(test, o.badness(), 100 + tables);
  o.task->signal->oom_score_adj = 500;
  KUNIT_EXPECT_EQ(test, o.badness(), 100 + tables + 500 * static_cast<long>(totalram_pages() / 1000));
  o.task->signal->oom_score_adj = -500;
  KUNIT_EXPECT_EQ(test, o.badness(), 100 + tables - 500 * static_cast<long>(totalram_pages() / 1000));
}

// M-85
void some_are_never_chosen(kunit* test) {
  Owner o(test, 10, -1000);
  KUNIT_EXPECT_EQ(test, o.badness(), kNever);
  o.task->signal->oom_score_adj = 0;
  KUNIT_EXPECT_NE(test, o.badness(), kNever);
  o.task->mm->flags |= MMF_OOM_SKIP;
  KUNIT_EXPECT_EQ(test, o.badness(), kNever);
  RcuReadGuard rcu;
  KUNIT_EXPECT_EQ(test, oom_badness(current, totalram_pages()), kNever);  // a kernel thread
}

// M-86, and M-85: no second victim while the first one is dying
void the_largest_dies_alone(kunit* test) {
  Owner small(test, 10), large(test, 200), safe(test, 300, -1000);
  KUNIT_EXPECT_TRUE(test, out_of_memory(GFP_KERNEL, 0));
  wait_for_completion(&large.gone);
  KUNIT_EXPECT_TRUE(test, large.killed);
  complete(&large.gone);  // the destructor waits for it, too
  KUNIT_EXPECT_FALSE(test, tsk_is_oom_victim(small.task));
  KUNIT_EXPECT_FALSE(test, fatal_signal_pending(small.task));
  KUNIT_EXPECT_FALSE(test, fatal_signal_pending(safe.task));
}

void adjustment_outweighs_size(kunit* test) {
  Owner modest(test, 10, 900), large(test, 200);
  KUNIT_EXPECT_TRUE(test, out_of_memory(GFP_KERNEL, 0));
  wait_for_completion(&modest.gone);
  KUNIT_EXPECT_TRUE(test, modest.killed);
  KUNIT_EXPECT_FALSE(test, tsk_is_oom_victim(large.task));
  complete(&modest.gone);
}

kunit_case cases[] = {KUNIT_CASE(badness_is_what_death_would_free), KUNIT_CASE(some_are_never_chosen),
                      KUNIT_CASE(the_largest_dies_alone), KUNIT_CASE(adjustment_outweighs_size), {}};
kunit_suite suite = {.name = "oom", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
