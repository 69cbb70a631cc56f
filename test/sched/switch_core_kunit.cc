// Inside the switch: what its parts may rely on, borrowed tables, registers, interrupts, tables that change while a CPU sleeps on them.
// Spec 22. Both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <uapi/linux/signal.h>

#include <string_view>

#include "kernel/exit/exit.hh"
#include "kernel/fork/fork.hh"
#include "kernel/printk/printk.hh"
#include "kernel/sched/check.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/rq.hh"
#include "test/mm/user_space.hh"

namespace {

void stay_on(unsigned cpu) {
  cpumask_t one{};
  cpumask_set_cpu(cpu, &one);
  (void)set_cpus_allowed_ptr(current, &one);
}
unsigned this_cpu_number() {
  PreemptGuard here;
  return smp_processor_id();
}

// ---- The core, seen by a scheduling class --------------------------------------------------------------------------------------

struct Inside {
  task_struct* task;
  int times, preempt_count;
  bool irqs_off, locked, current_is_prev, queued;
};
Inside inside;
sched_class spying;  // the real-time class, but that it looks around when it puts a task back

void put_and_look(rq* r, task_struct* prev) {
  if (prev == inside.task) {
    inside.times++;
    inside.preempt_count = preempt_count();
    inside.irqs_off = irqs_disabled();
    inside.locked = raw_spin_is_locked(&r->lock);
    inside.current_is_prev = current == prev && r->curr == prev;
    inside.queued = prev->on_rq;
  }
  rt_sched_class.put_prev_task(r, prev);
}
void set_class(task_struct* t, const sched_class* c) {
  unsigned long flags;
  raw_spin_lock_irqsave(&t->pi_lock, flags);
  rq* r = cpu_rq(task_cpu(t));
  raw_spin_lock(&r->lock);
  t->sched_class = c;
  raw_spin_unlock(&r->lock);
  raw_spin_unlock_irqrestore(&t->pi_lock, flags);
}
// The scheduler's checks would find that such a task has not the class of its priority.
class Planting {
 public:
  Planting() { WRITE_ONCE(sched_check::state.on, false); }
  ~Planting() { WRITE_ONCE(sched_check::state.on, was_); }

 private:
  bool was_ = sched_check::state.on;
};
int sleeps_while_watched(void* done) {
  stay_on(this_cpu_number());
  (void)__sched_setscheduler(current, {.policy = SCHED_FIFO, .rt_priority = 5}, SchedCaller::Kernel);
  spying = rt_sched_class;
  spying.put_prev_task = put_and_look;
  inside = {.task = current};
  set_class(current, &spying);
  msleep(2);
  set_class(current, &rt_sched_class);
  inside.task = nullptr;
  complete(static_cast<completion*>(done));
  return 0;
}

// spec 22 C-2, C-4, C-5; section 15.1: the lock is held, nothing can come in between, the sleeper is off its queue, and is still current
void the_core_is_alone(kunit* test) {
  Planting spy;
  completion done;
  init_completion(&done);
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(sleeps_while_watched, &done, "watched"));
  wait_for_completion(&done);
  KUNIT_ASSERT_GE(test, inside.times, 1);
  KUNIT_EXPECT_EQ(test, inside.preempt_count, 2);
  KUNIT_EXPECT_TRUE(test, inside.irqs_off);
  KUNIT_EXPECT_TRUE(test, inside.locked);
  KUNIT_EXPECT_TRUE(test, inside.current_is_prev);
  KUNIT_EXPECT_FALSE(test, inside.queued);
}

// spec 22 C-3: a switch where none may be is reported, and the count put right
void switching_while_atomic_is_repaired(kunit* test) {
  const u64 before = log_next_seq();
  preempt_disable();
  schedule();
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
  LogRecord record;
  char text[200];
  size_t n;
  bool told = false;
  for (u64 seq = before; log_read(&seq, &record, text, &n); seq++) told |= std::string_view(text, n).contains("scheduling while atomic");
  KUNIT_EXPECT_TRUE(test, told);
  while (preempt_count()) preempt_enable();
}

// ---- Rescheduling ----------------------------------------------------------------------------------------------------------------

// A wish comes when the switch is over and interrupts are on again, but schedule() has not returned: the last act for a task that died.
struct Wish {
  task_struct* waiter;
  int came;
};
Wish wish;
void wish_at_death(task_struct* dead) {
  if (rt_sched_class.task_dead) rt_sched_class.task_dead(dead);
  if (current != wish.waiter) return;
  wish.came++;
  set_thread_flag(TIF_NEED_RESCHED);
  local_irq_disable();
  set_preempt_need_resched();
  local_irq_enable();
}
int dies_watched(void*) {
  stay_on(task_cpu(wish.waiter));
  (void)__sched_setscheduler(current, {.policy = SCHED_FIFO, .rt_priority = 5}, SchedCaller::Kernel);
  spying = rt_sched_class;
  spying.task_dead = wish_at_death;
  set_class(current, &spying);
  while (!wake_up_process(wish.waiter)) msleep(1);
  do_exit(0);
}

// spec 22 C-1: schedule() goes round while somebody wishes it; it never returns with the wish open
void schedule_returns_without_a_wish(kunit* test) {
  Planting spy;
  stay_on(this_cpu_number());
  wish = {.waiter = current};
  for (int i = 0; i < 5; i++) {
    const pid_t nr = user_mode_thread(dies_watched, nullptr, SIGCHLD);
    set_current_state(TASK_UNINTERRUPTIBLE);
    schedule();
    const bool open = test_thread_flag(TIF_NEED_RESCHED);
    KUNIT_EXPECT_GT(test, nr, 0);
    KUNIT_EXPECT_FALSE(test, open);
    msleep(3);
  }
  KUNIT_EXPECT_GT(test, wish.came, 0);
  wish.waiter = nullptr;
}

int notes_that_it_ran(void* p) {
  WRITE_ONCE(*static_cast<bool*>(p), true);
  return 0;
}
// spec 22 C-91: called with interrupts off at the end of one; others run meanwhile; interrupts are off again, the count is as before
void preemption_by_an_interrupt(kunit* test) {
  bool ran = false;
  stay_on(this_cpu_number());
  task_struct* other = kthread_create(notes_that_it_ran, &ran, "other");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
  cpumask_t here{};
  cpumask_set_cpu(this_cpu_number(), &here);
  (void)set_cpus_allowed_ptr(other, &here);
  (void)__sched_setscheduler(other, {.policy = SCHED_FIFO, .rt_priority = 5}, SchedCaller::Kernel);
  local_irq_disable();
  preempt_disable();
  wake_up_process(other);  // urgent, but nobody switches yet
  const bool before = READ_ONCE(ran);
  preempt_enable_no_resched();
  const bool wished = test_thread_flag(TIF_NEED_RESCHED);
  if (wished) preempt_schedule_irq();
  const bool off = irqs_disabled();
  const int count = preempt_count();
  local_irq_enable();
  KUNIT_EXPECT_FALSE(test, before);
  KUNIT_EXPECT_TRUE(test, wished);
  KUNIT_EXPECT_TRUE(test, ran);
  KUNIT_EXPECT_TRUE(test, off);
  KUNIT_EXPECT_EQ(test, count, 0);
}

// ---- Borrowed tables -----------------------------------------------------------------------------------------------------------------

struct IdleLook {
  hrtimer timer;
  bool idle;
  const mm_struct *mm, *active_mm;
  int mm_count;
};
enum hrtimer_restart look_at_idle(hrtimer* t) {
  auto* l = container_of(t, IdleLook, timer);
  l->idle = current == this_rq()->idle;
  l->mm = current->mm, l->active_mm = current->active_mm;
  l->mm_count = l->active_mm ? atomic_read(&l->active_mm->mm_count) : 0;
  return HRTIMER_NORESTART;
}

// spec 22 C-17, C-18, C-81: idle is a kernel task: it borrows what ran before it, counted, until somebody with memory of his own comes
void idle_borrows(kunit* test) {
  stay_on(this_cpu_number());
  UserSpace user(test);
  IdleLook look{};
  hrtimer_init(&look.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
  look.timer.function = look_at_idle;
  const int before = atomic_read(&user.mm()->mm_count);
  for (int i = 0; i < 20 && !look.idle; i++) {
    hrtimer_start(&look.timer, 1'500'000, HRTIMER_MODE_REL);
    msleep(3);
    hrtimer_cancel(&look.timer);
  }
  KUNIT_ASSERT_TRUE(test, look.idle);
  KUNIT_EXPECT_NULL(test, look.mm);
  KUNIT_EXPECT_PTR_EQ(test, look.active_mm, user.mm());
  KUNIT_EXPECT_EQ(test, look.mm_count, before + 1);
  KUNIT_EXPECT_EQ(test, atomic_read(&user.mm()->mm_count), before);
  KUNIT_EXPECT_NULL(test, cpu_rq(this_cpu_number())->idle->active_mm);
}

// spec 22 C-21: whoever adopts an address space sees that one, at once and wholly
void each_adopter_sees_its_tables(kunit* test) {
  stay_on(this_cpu_number());
  mm_struct* mm[2];
  for (mm_struct*& one : mm) {
    one = mm_alloc();
    KUNIT_ASSERT_NOT_NULL(test, one);
    one->mmap_base = 0x7f0000000000;
  }
  int wrong = 0;
  for (int round = 0; round < 6; round++)
    for (char i = 0; i < 2; i++) {
      kthread_use_mm(mm[i]);
      char c = static_cast<char>('a' + i), seen = 0;
      auto* at = reinterpret_cast<char*>(kBase);
      if (!round) {
        KUNIT_EXPECT_EQ(test, ::call(sys_mmap, kBase, kPg, kRW, kAnon | MAP_FIXED, -1ul, 0), static_cast<long>(kBase));
        KUNIT_EXPECT_EQ(test, copy_to_user(at, &c, 1), 0ul);
      }
      wrong += copy_from_user(&seen, at, 1) || seen != c;
      kthread_unuse_mm(mm[i]);
    }
  KUNIT_EXPECT_EQ(test, wrong, 0);
  for (mm_struct* one : mm) mmput(one);
}

// ---- Tables that change while others have them loaded ----------------------------------------------------------------------------

struct Sharer {
  mm_struct* mm;
  unsigned cpu;
  int step, failed, ready;  // each is the other's to wait for
  bool sleeps;
  completion ended;
};
bool can_read(unsigned long at) {
  char c;
  return copy_from_user(&c, reinterpret_cast<const void*>(at), 1) == 0;
}
template <class F>
bool soon(F f) {
  for (int i = 0; i < 2000; i++) {
    if (f()) return true;
    msleep(1);
  }
  return false;
}
// Has the page in its TLB; reads it again when it is gone.
int shares(void* p) {
  auto* s = static_cast<Sharer*>(p);
  stay_on(s->cpu);
  kthread_use_mm(s->mm);
  for (int round = 1; round <= 10; round++) {
    while (smp_load_acquire(&s->step) < 2 * round - 1) msleep(1);
    s->failed += !can_read(kBase);
    smp_store_release(&s->ready, 2 * round - 1);
    while (smp_load_acquire(&s->step) < 2 * round) s->sleeps ? msleep(1) : cpu_relax();
    s->failed += can_read(kBase);
    smp_store_release(&s->ready, 2 * round);
  }
  kthread_unuse_mm(s->mm);
  complete(&s->ended);
  return 0;
}
void unmap_below(kunit* test, bool sleeps) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  const unsigned here = this_cpu_number();
  stay_on(here);
  UserSpace user(test);
  Sharer s{.mm = user.mm(), .cpu = here ? 0u : 1u, .sleeps = sleeps};
  init_completion(&s.ended);
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(shares, &s, "shares"));
  const char c = 1;
  for (int round = 1; round <= 10; round++) {
    KUNIT_EXPECT_EQ(test, user.map(kBase, kPg), static_cast<long>(kBase));
    KUNIT_EXPECT_EQ(test, copy_to_user(reinterpret_cast<void*>(kBase), &c, 1), 0ul);
    smp_store_release(&s.step, 2 * round - 1);
    KUNIT_EXPECT_TRUE(test, soon([&] { return smp_load_acquire(&s.ready) == 2 * round - 1; }));
    if (sleeps) msleep(3);
    KUNIT_EXPECT_EQ(test, ::call(sys_munmap, kBase, kPg), 0l);
    smp_store_release(&s.step, 2 * round);
    KUNIT_EXPECT_TRUE(test, soon([&] { return smp_load_acquire(&s.ready) == 2 * round; }));
  }
  wait_for_completion(&s.ended);
  KUNIT_EXPECT_EQ(test, s.failed, 0);
}
// spec 22 C-20: a CPU that has the tables loaded hears of each change
void running_cpus_hear_of_changes(kunit* test) { unmap_below(test, false); }
// spec 22 C-18: and one that idles on them has caught up when it goes on
void lazy_cpus_catch_up(kunit* test) { unmap_below(test, true); }

// ---- Registers ----------------------------------------------------------------------------------------------------------------------

// long calls_with(const unsigned long pattern[5], void (*fn)()): calls fn with RBX and R12..R15 as in pattern; how many it finds changed
extern "C" long kunit_calls_with(const unsigned long* pattern, void (*fn)());
asm(R"(
	.pushsection .text
	.globl	kunit_calls_with
	.type	kunit_calls_with, @function
kunit_calls_with:
	push	%rbp
	mov	%rsp, %rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	mov	(%rdi), %rbx
	mov	8(%rdi), %r12
	mov	16(%rdi), %r13
	mov	24(%rdi), %r14
	mov	32(%rdi), %r15
	call	*%rsi
	mov	(%rsp), %rdi
	xor	%eax, %eax
	xor	%ecx, %ecx
	cmp	(%rdi), %rbx
	setne	%cl
	add	%rcx, %rax
	cmp	8(%rdi), %r12
	setne	%cl
	add	%rcx, %rax
	cmp	16(%rdi), %r13
	setne	%cl
	add	%rcx, %rax
	cmp	24(%rdi), %r14
	setne	%cl
	add	%rcx, %rax
	cmp	32(%rdi), %r15
	setne	%cl
	add	%rcx, %rax
	lea	48(%rsp), %rcx
	cmp	%rcx, %rbp
	setne	%cl
	movzbl	%cl, %ecx
	add	%rcx, %rax
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	kunit_calls_with, . - kunit_calls_with
	.popsection
)");

struct Keeper {
  unsigned long seed;
  long changed;
  completion done;
};
int keeps_registers(void* p) {
  auto* k = static_cast<Keeper*>(p);
  for (unsigned long i = 0; i < 30; i++) {
    unsigned long pattern[5];
    for (unsigned long j = 0; j < 5; j++) pattern[j] = k->seed * 0x0101'0101'0101'0101 + i * 8 + j;
    k->changed += kunit_calls_with(pattern, [] { sched_yield_current(); });
  }
  complete(&k->done);
  return 0;
}
// spec 22 C-30, C-31: a switch is a call: what a callee keeps is kept, on each one's own stack
void switches_keep_registers(kunit* test) {
  Keeper k[3];
  for (unsigned long i = 0; i < 3; i++) {
    k[i] = {.seed = i + 1};
    init_completion(&k[i].done);
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(keeps_registers, &k[i], "keeps"));
  }
  for (Keeper& one : k) {
    wait_for_completion(&one.done);
    KUNIT_EXPECT_EQ(test, one.changed, 0l);
  }
}

// ---- Stacks -----------------------------------------------------------------------------------------------------------------------------

void count_sharers(int* n) {
  RcuReadGuard rcu;
  task_struct *g, *t;
  for_each_process_thread(g, t)
    if (t != current && READ_ONCE(t->stack) == current->stack) __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
  unsigned cpu;
  for_each_online_cpu(cpu) if (READ_ONCE(cpu_rq(cpu)->idle->stack) == current->stack) __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}
int soon_over(void* n) {
  count_sharers(static_cast<int*>(n));
  do_exit(0);
}
// spec 22 C-99: a stack that a new task gets is nobody else's, however quickly others have ended before on the same CPU
void stacks_are_reused_when_left(kunit* test) {
  int shared = 0;
  for (int i = 0; i < 40; i++) {
    const pid_t nr = user_mode_thread(soon_over, &shared, SIGCHLD);  // reaps itself: this thread ignores SIGCHLD
    KUNIT_ASSERT_GT(test, nr, 0);
    if (i % 4 == 0) msleep(1);
  }
  msleep(5);
  KUNIT_EXPECT_EQ(test, shared, 0);
}

kunit_case cases[] = {
    KUNIT_CASE(the_core_is_alone), KUNIT_CASE(switching_while_atomic_is_repaired), KUNIT_CASE(schedule_returns_without_a_wish),
    KUNIT_CASE(preemption_by_an_interrupt), KUNIT_CASE(idle_borrows), KUNIT_CASE(each_adopter_sees_its_tables), KUNIT_CASE(running_cpus_hear_of_changes),
    KUNIT_CASE(lazy_cpus_catch_up), KUNIT_CASE(switches_keep_registers), KUNIT_CASE(stacks_are_reused_when_left), {},
};
kunit_suite suite = {.name = "switch_core", .test_cases = cases, .world = {.cpus = 2}};
kunit_test_suite(suite);

}  // namespace
