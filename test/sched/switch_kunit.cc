// What holds around a switch of tasks: counts, borrowed address spaces, dead tasks, per-CPU truth. Spec 22. Both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>

#include "kernel/exit/exit.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/sched/rq.hh"
#include "kernel/signal/signal.hh"
#include "test/fork/helpers.hh"
#include "test/mm/user_space.hh"

namespace {

struct Seen {
  int preempt_count;
  bool irqs_off, queued, on_cpu;
  void* stack;
  unsigned long stack_top, regs, frame;
  long dirty_words;
  completion done;
};

// The words of this stack below the running frame that are not zero, but for the magic one at its end.
noinline __attribute__((no_sanitize("address", "thread"))) long dirty_words_below() {
  auto* word = static_cast<const volatile unsigned long*>(current->stack) + 1;
  const auto* end = reinterpret_cast<const volatile unsigned long*>(reinterpret_cast<unsigned long>(__builtin_frame_address(0)) - 4096);
  long n = 0;
  for (; word < end; word++) n += *word != 0;
  return n;
}
noinline __attribute__((no_sanitize("address", "thread"))) void soil_the_stack() {
  volatile char room[5000];
  for (unsigned i = 0; i < sizeof room; i++) room[i] = 0x5a;
}

int looks_around(void* p) {
  auto* seen = static_cast<Seen*>(p);
  seen->preempt_count = preempt_count();
  seen->irqs_off = irqs_disabled();
  seen->queued = current->on_rq == TASK_ON_RQ_QUEUED;
  seen->on_cpu = current->on_cpu;
  seen->stack = current->stack;
  seen->dirty_words = dirty_words_below();
  preempt_disable();
  seen->stack_top = arch::cpu_block().stack_top;
  preempt_enable();
  seen->regs = reinterpret_cast<unsigned long>(task_pt_regs(current));
  seen->frame = reinterpret_cast<unsigned long>(__builtin_frame_address(0));
  soil_the_stack();
  complete(&seen->done);
  return 0;
}

Seen run_one(kunit* test) {
  Seen seen{};
  init_completion(&seen.done);
  task_struct* t = kthread_run(looks_around, &seen, "looks");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  wait_for_completion(&seen.done);
  msleep(2);
  rcu_barrier();
  return seen;
}

// spec 22 C-61, C-62: a task's first code runs with nothing held
void a_new_task_starts_clean(kunit* test) {
  const Seen seen = run_one(test);
  KUNIT_EXPECT_EQ(test, seen.preempt_count, 0);
  KUNIT_EXPECT_FALSE(test, seen.irqs_off);
  KUNIT_EXPECT_TRUE(test, seen.queued);
  KUNIT_EXPECT_TRUE(test, seen.on_cpu);
}

// spec 22 C-57, C-59; spec 20 T-7
void the_stack_is_where_it_should_be(kunit* test) {
  const Seen seen = run_one(test);
  const auto low = reinterpret_cast<unsigned long>(seen.stack);
  KUNIT_EXPECT_EQ(test, seen.stack_top, low + THREAD_SIZE);
  KUNIT_EXPECT_EQ(test, seen.regs, low + THREAD_SIZE - sizeof(pt_regs));  // kept free, though a kernel thread has no use for it
  KUNIT_EXPECT_LT(test, seen.frame, seen.regs);
  KUNIT_EXPECT_GT(test, seen.frame, low);
  KUNIT_EXPECT_EQ(test, *static_cast<const u64*>(current->stack), u64{STACK_END_MAGIC});
  KUNIT_EXPECT_EQ(test, low % 4096, 0ul);
}

// spec 20 T-8: what a task left on its stack the next one does not find
void a_reused_stack_is_clean(kunit* test) {
  const Seen first = run_one(test), second = run_one(test);
  KUNIT_EXPECT_EQ(test, first.dirty_words, 0l);
  KUNIT_EXPECT_EQ(test, second.dirty_words, 0l);
}

// spec 22 C-7, C-8: a reschedule with nobody else to run clears the wish and counts nothing
void rescheduling_clears_the_wish(kunit* test) {
  set_thread_flag(TIF_NEED_RESCHED);
  local_irq_disable();
  set_preempt_need_resched();
  local_irq_enable();
  schedule();
  KUNIT_EXPECT_FALSE(test, test_thread_flag(TIF_NEED_RESCHED));
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
}

// spec 22 C-5: a signal that the sleep would end for keeps it from beginning
void a_signal_prevents_the_sleep(kunit* test) {
  set_thread_flag(TIF_SIGPENDING);
  set_current_state(TASK_INTERRUPTIBLE);
  schedule();  // nobody would ever wake us
  KUNIT_EXPECT_EQ(test, READ_ONCE(current->__state), unsigned{TASK_RUNNING});
  KUNIT_EXPECT_EQ(test, current->on_rq, TASK_ON_RQ_QUEUED);
  // But not a sleep that only fatal ones end: that goes on until its time.
  const u64 before = ktime_get_ns();
  schedule_timeout_killable(3);
  KUNIT_EXPECT_GE(test, ktime_get_ns() - before, u64{1'000'000});
  clear_thread_flag(TIF_SIGPENDING);
}

// spec 20 T-9, T-11; spec 22 C-40, C-41: the dead cannot be woken, and two references end it
void the_dead_stay_dead(kunit* test) {
  become_parent();
  const pid_t nr = user_mode_thread([](void*) -> int { do_exit(0); }, nullptr, SIGCHLD);
  TaskRef t(nr);
  msleep(5);
  // Two words: what runs it, and how far its end has come.
  KUNIT_EXPECT_EQ(test, READ_ONCE(t->__state), unsigned{TASK_DEAD});
  KUNIT_EXPECT_EQ(test, t->exit_state, EXIT_ZOMBIE);
  KUNIT_EXPECT_EQ(test, wake_up_process(t.get()), 0);
  KUNIT_EXPECT_EQ(test, READ_ONCE(t->__state), unsigned{TASK_DEAD});
  KUNIT_EXPECT_EQ(test, refcount_read(&t->rcu_users), 1u);  // its last switch dropped one
  KUNIT_EXPECT_NULL(test, READ_ONCE(t->stack));             // spec 22 C-35: dropped by who came after it
  KUNIT_EXPECT_EQ(test, wait_for(nr).result, nr);
  KUNIT_EXPECT_EQ(test, refcount_read(&t->rcu_users), 0u);
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, refcount_read(&t->usage), 1u);  // ours
}

// spec 22 C-15, C-16, C-25..C-27, C-93, C-98: adopting an address space, sleeping with it, borrowing it, outliving it
void address_spaces_are_borrowed(kunit* test) {
  mm_struct* mm = mm_alloc();
  KUNIT_ASSERT_NOT_NULL(test, mm);
  mmgrab(mm);  // to look at the end
  KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 2);
  kthread_use_mm(mm);
  KUNIT_EXPECT_PTR_EQ(test, current->mm, mm);
  KUNIT_EXPECT_PTR_EQ(test, current->active_mm, mm);
  const int adopted = atomic_read(&mm->mm_count);
  KUNIT_EXPECT_GE(test, adopted, 2);
  msleep(2);  // while we sleep the idle task borrows it; coming back gives that up
  KUNIT_EXPECT_PTR_EQ(test, current->mm, mm);
  KUNIT_EXPECT_PTR_EQ(test, current->active_mm, mm);
  KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_users), 1);
  kthread_unuse_mm(mm);
  KUNIT_EXPECT_NULL(test, current->mm);
  KUNIT_EXPECT_PTR_EQ(test, current->active_mm, mm);  // a lazy user from now on
  mmput(mm);
  KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_users), 0);
  KUNIT_EXPECT_FALSE(test, mmget_not_zero(mm));
  KUNIT_EXPECT_GE(test, atomic_read(&mm->mm_count), 2);  // ours and the lazy one: the tables stay under us
  KUNIT_EXPECT_NOT_NULL(test, mm->pgd);
  mmdrop(mm);
}

// spec 22 C-95, C-96
void one_task_per_cpu(kunit* test) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    int running = 0;
    preempt_disable();
    if (cpu == smp_processor_id()) {
      KUNIT_EXPECT_NULL(test, cpu_rq(cpu)->prev_mm);
      RcuReadGuard rcu;
      task_struct *p, *t;
      for_each_process_thread(p, t) running += READ_ONCE(t->on_cpu) && task_cpu(t) == cpu;
      running += READ_ONCE(cpu_rq(cpu)->idle->on_cpu);
      KUNIT_EXPECT_EQ(test, running, 1);
      KUNIT_EXPECT_PTR_EQ(test, cpu_rq(cpu)->curr, current);
    }
    preempt_enable();
  }
}

// spec 22 C-80
void the_idle_task_is_special(kunit* test) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    const task_struct* idle = cpu_rq(cpu)->idle;
    KUNIT_EXPECT_PTR_EQ(test, idle->sched_class, &idle_sched_class);
    KUNIT_EXPECT_EQ(test, idle->on_rq, TASK_ON_RQ_QUEUED);
    KUNIT_EXPECT_EQ(test, READ_ONCE(idle->__state), unsigned{TASK_RUNNING});
  }
}

// spec 20 T-4: seen by debuggers and by the crash reader
void signal_flags_have_their_values(kunit* test) {
  KUNIT_EXPECT_EQ(test, SIGNAL_STOP_STOPPED + 0u, 1u);
  KUNIT_EXPECT_EQ(test, SIGNAL_STOP_CONTINUED + 0u, 2u);
  KUNIT_EXPECT_EQ(test, SIGNAL_GROUP_EXIT + 0u, 4u);
  KUNIT_EXPECT_EQ(test, SIGNAL_CLD_STOPPED + 0u, 0x10u);
  KUNIT_EXPECT_EQ(test, SIGNAL_CLD_CONTINUED + 0u, 0x20u);
  KUNIT_EXPECT_EQ(test, SIGNAL_UNKILLABLE + 0u, 0x40u);
}

// spec 20 T-5: a reader under RCU may lock handlers that were given back, and finds a usable lock
void handlers_may_be_locked_late(kunit* test) {
  sighand_struct* s = alloc_sighand();
  KUNIT_ASSERT_NOT_NULL(test, s);
  RcuReadGuard rcu;
  __cleanup_sighand(s);
  IrqSpinGuard guard(s->siglock);
  KUNIT_EXPECT_PTR_EQ(test, s->action[SIGTERM - 1].sa.sa_handler, SIG_DFL);
}

// ---- The copy of an address space (spec 20 section 13) ----------------------------------------------------------------------

// spec 20 F-81: what a copy begins with
void a_copied_address_space(kunit* test) {
  UserSpace user(test);
  constexpr unsigned long at = kBase;
  KUNIT_ASSERT_EQ(test, call(sys_mmap, at, 4 * kPg, kRW, kAnon | MAP_FIXED, ~0ul, 0), static_cast<long>(at));
  KUNIT_ASSERT_EQ(test, call(sys_mlock, at, 2 * kPg), 0l);
  mm_struct* old = current->mm;
  old->def_flags |= VM_LOCKED;  // mlockall(MCL_FUTURE)
  auto copy = dup_mm(current, old);
  KUNIT_ASSERT_TRUE(test, copy.has_value());
  mm_struct* mm = *copy;
  KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_users), 1);
  KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 1);
  KUNIT_EXPECT_EQ(test, mm->map_count, old->map_count);
  KUNIT_EXPECT_EQ(test, mm->total_vm, old->total_vm);
  KUNIT_EXPECT_EQ(test, mm->locked_vm, 0ul);
  KUNIT_EXPECT_EQ(test, mm->pinned_vm, 0ul);
  KUNIT_EXPECT_EQ(test, mm->def_flags & VM_LOCKED, 0ul);
  KUNIT_EXPECT_PTR_NE(test, mm->pgd, old->pgd);
  KUNIT_EXPECT_EQ(test, mm->hiwater_rss, get_mm_rss(mm));
  KUNIT_EXPECT_EQ(test, mm->hiwater_vm, mm->total_vm);
  vm_area_struct* vma;
  for_each_vma_of(mm, vma) KUNIT_EXPECT_EQ(test, vma->vm_flags & VM_LOCKED, 0ul);
  mmput(mm);
}

// spec 20 F-83: large shared mappings are left to fault, private pages are there
void shared_pages_are_left_to_fault(kunit* test) {
  UserSpace user(test);
  constexpr unsigned long shared = kBase, priv = kBase + (1ul << 24), pages = 100;
  KUNIT_ASSERT_GT(test, call(sys_mmap, shared, pages * kPg, kRW, kSharedAnon | MAP_FIXED, ~0ul, 0), 0l);
  KUNIT_ASSERT_GT(test, call(sys_mmap, priv, pages * kPg, kRW, kAnon | MAP_FIXED, ~0ul, 0), 0l);
  for (unsigned long i = 0; i < pages; i++) {
    const char x = 1;
    KUNIT_ASSERT_EQ(test, copy_to_user(reinterpret_cast<void*>(shared + i * kPg), &x, 1), 0ul);
    KUNIT_ASSERT_EQ(test, copy_to_user(reinterpret_cast<void*>(priv + i * kPg), &x, 1), 0ul);
  }
  auto copy = dup_mm(current, current->mm);
  KUNIT_ASSERT_TRUE(test, copy.has_value());
  KUNIT_EXPECT_EQ(test, get_mm_counter(*copy, MM_ANONPAGES), pages);
  KUNIT_EXPECT_EQ(test, get_mm_counter(*copy, MM_SHMEMPAGES) + get_mm_counter(*copy, MM_FILEPAGES), 0ul);
  mmput(*copy);
}

kunit_case cases[] = {
    KUNIT_CASE(a_new_task_starts_clean), KUNIT_CASE(the_stack_is_where_it_should_be), KUNIT_CASE(a_reused_stack_is_clean),
    KUNIT_CASE(rescheduling_clears_the_wish), KUNIT_CASE(a_signal_prevents_the_sleep), KUNIT_CASE(the_dead_stay_dead),
    KUNIT_CASE(address_spaces_are_borrowed), KUNIT_CASE(one_task_per_cpu), KUNIT_CASE(the_idle_task_is_special),
    KUNIT_CASE(signal_flags_have_their_values), KUNIT_CASE(handlers_may_be_locked_late), KUNIT_CASE(a_copied_address_space),
    KUNIT_CASE(shared_pages_are_left_to_fault), {},
};
kunit_suite suite = {.name = "switches", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
