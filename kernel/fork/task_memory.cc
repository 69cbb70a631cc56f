// Task structs and kernel stacks: made, cached, freed. Spec 20 sections 2.7, 3 and 12.1.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fork/task_memory.hh"

#include <arch/sanitize.hh>
#include <linux/bug.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include <utility>

#include <arch/sanitize.hh>

#include "arch/contract/arch.hh"
#include "init/report.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/cred/cred.hh"
#include "kernel/percpu.hh"
#include "kernel/sync/guards.hh"
#include "kernel/kthread/kthread.hh"
#include "kernel/task/fault.hh"
#include "kernel/trace/trace.hh"

namespace {

// Two free stacks for each CPU (T-8). They are reused as they are: clearing 16 KiB at each fork would cost a twentieth of
// it, and a frame is written before it is read. What a stale word could tell, the owner of the stack could be told anyway:
// it is kernel code.
struct StackCache {
  void* stack[2];
};
PerCpu<StackCache> stack_cache;

// Stacks that found the cache full where one cannot sleep; a list through their own first words, emptied by reclaim_stacks.
void* surplus_stacks;
atomic_t stacks_in_use;

constinit kmem_cache* task_cache;

void* cached_stack() {
  PreemptGuard no_preempt;
  for (void*& s : stack_cache.this_cpu().stack)
    if (s) return std::exchange(s, nullptr);
  return nullptr;
}

bool cache_stack(void* stack) {
  PreemptGuard no_preempt;
  for (void*& s : stack_cache.this_cpu().stack) {
    if (s) continue;
    s = stack;
    return true;
  }
  return false;
}

// T-8: no task finds what another left on its stack.
void clear_stack(void* stack) {
  for (unsigned long at = 0; at < THREAD_SIZE; at += 4096) arch::clear_page(static_cast<char*>(stack) + at);
}

void* alloc_stack() {
  if (fault_here("kernel stack")) return nullptr;  // the cache would hide it
  void* stack = cached_stack();
  if (!stack) stack = vmalloc(THREAD_SIZE);
  if (!stack) return nullptr;
  arch::kernel_stack_ready(stack);
  clear_stack(stack);
  atomic_inc(&stacks_in_use);
  return stack;
}

void free_stack(void* stack) {
  arch::kernel_stack_gone(stack);
  atomic_dec(&stacks_in_use);
  if (cache_stack(stack)) return;
  void* head = READ_ONCE(surplus_stacks);
  do
    *static_cast<void**>(stack) = head;
  while (!try_cmpxchg(&surplus_stacks, &head, stack));
}

}  // namespace

void reclaim_stacks() {
  if (!READ_ONCE(surplus_stacks)) return;
  for (void* stack = xchg(&surplus_stacks, nullptr); stack;) {
    void* next = *static_cast<void**>(stack);
    vfree(stack);
    stack = next;
  }
}

void drain_stacks() {
  reclaim_stacks();
  stack_cache.for_each([](StackCache& c) {
    for (void*& s : c.stack) vfree(std::exchange(s, nullptr));
  });
}

int kernel_stacks_in_use() { return atomic_read(&stacks_in_use); }

Result<task_struct*> dup_task_struct(task_struct* orig) {
  auto* t = static_cast<task_struct*>(kmem_cache_alloc(task_cache, GFP_KERNEL));
  if (!t) return fail(ENOMEM);
  void* stack = alloc_stack();
  if (!stack) {
    kmem_cache_free(task_cache, t);
    return fail(ENOMEM);
  }
  memcpy_racy(t, orig, sizeof(*t));  // what others may change meanwhile (locks, links, flags) is set anew below
  t->stack = stack;
  *static_cast<u64*>(stack) = STACK_END_MAGIC;
  t->stack_canary = get_random_u64() & ~0xfful;  // the zero byte ends strings
  t->thread_info = {};                           // T-14
  refcount_set(&t->stack_refcount, 1);
  refcount_set(&t->rcu_users, 2);
  refcount_set(&t->usage, 1);
  if (orig->cpus_ptr == &orig->cpus_mask) t->cpus_ptr = &t->cpus_mask;
  t->wake_q_next = nullptr;
  t->worker_private = nullptr;
  t->stats = nullptr;
  return t;
}

void put_task_stack(task_struct* t) {
  if (!refcount_dec_and_test(&t->stack_refcount)) return;
  void* stack = t->stack;
  WRITE_ONCE(t->stack, nullptr);
  free_stack(stack);
}

void free_task(task_struct* t) {
  if (t->stack) put_task_stack(t);
  if (t->stats) [[unlikely]]
    kfree(t->stats);
  kmem_cache_free(task_cache, t);
}

void __put_task_struct(task_struct* t) {
  WARN_ON(!t->exit_state);
  put_cred(t->cred);
  put_cred(t->real_cred);
  cgroup_free(t);
  put_signal_struct(t->signal);
  arch::exit_thread(t);
  if (t->worker_private) free_kthread_struct(t);
  free_task(t);
}

// Spec 20 T-30, 22 C-40: readers that found the task under RCU may still be looking.
void put_task_struct_rcu_user(task_struct* t) {
  if (!refcount_dec_and_test(&t->rcu_users)) return;
  call_rcu(&t->rcu, [](callback_head* head) {
    task_struct* gone = container_of(head, task_struct, rcu);
    trace_sched_process_free(gone);
    put_task_struct(gone);
  });
}

// ---- signal_struct and sighand_struct -----------------------------------------------------------------------------

namespace {

constinit kmem_cache* sighand_cache;
constinit kmem_cache* signal_cache;

// A free sighand_struct is always in this state: all actions zero, lock and queue usable (T-5).
void construct_sighand(void* p) {
  auto* s = static_cast<sighand_struct*>(p);
  memset(p, 0, sizeof(*s));
  spin_lock_init(&s->siglock);
  init_waitqueue_head(&s->signalfd_wqh);
}

}  // namespace

sighand_struct* alloc_sighand() {
  auto* s = static_cast<sighand_struct*>(kmem_cache_alloc(sighand_cache, GFP_KERNEL));
  if (s) refcount_set(&s->count, 1);
  return s;
}

void __cleanup_sighand(sighand_struct* s) {
  if (!refcount_dec_and_test(&s->count)) return;
  // Nobody changes actions any more; a late reader under RCU only takes the lock and finds that it came too late.
  for (u64 used = s->used; used; used &= used - 1) s->action[__builtin_ctzll(used)] = {};
  s->used = 0;
  kmem_cache_free(sighand_cache, s);
}

signal_struct* alloc_signal_struct() {
  return static_cast<signal_struct*>(kmem_cache_zalloc(signal_cache, GFP_KERNEL));
}

void free_signal_struct(signal_struct* s) { kmem_cache_free(signal_cache, s); }

void put_signal_struct(signal_struct* s) {
  if (refcount_dec_and_test(&s->sigcnt)) free_signal_struct(s);
}

// ---- Life ---------------------------------------------------------------------------------------------------------

void task_memory_init() {
  stack_cache.for_each([](StackCache& c) { c = {}; });
  surplus_stacks = nullptr;
  atomic_set(&stacks_in_use, 0);
  task_cache = kmem_cache_create("task_struct", sizeof(task_struct), 64, SLAB_PANIC, nullptr);
  signal_cache = kmem_cache_create("signal_cache", sizeof(signal_struct), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, nullptr);
  sighand_cache = kmem_cache_create("sighand_cache", sizeof(sighand_struct), 0,
                                    SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_TYPESAFE_BY_RCU, construct_sighand);
}

void task_memory_exit(LeakReport& report) {
  drain_stacks();
  report.expect_zero("kernel stacks in use", atomic_read(&stacks_in_use));
  kmem_cache_destroy(task_cache);
  kmem_cache_destroy(signal_cache);
  kmem_cache_destroy(sighand_cache);
}
