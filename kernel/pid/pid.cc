// struct pid: numbers, lookup, and which tasks use it in which role. Spec 20 section 7.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/pid/pid.hh"

#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/fault_inject.hh"
#include "kernel/pid/internal.hh"
#include "kernel/sync/guards.hh"

pid_namespace init_pid_ns;
struct pid init_struct_pid;
int pid_max = kPidMaxDefault;

namespace {

// One per level, since a struct pid has a number for each. Made under the mutex, never unmade before the world is.
struct PidCaches {
  struct mutex mutex;
  kmem_cache* of_level[kMaxPidNsLevel + 1];
};
constinit PidCaches pid_caches{};
// The tables and counters of all namespaces. Taken with interrupts off: free_pid runs under tasklist_lock.
constinit spinlock_t table_lock{};

// set_tid's rules for one level (F-67..F-69); 0 or an errno.
int check_set_tid(const pid_namespace* ns, int tid) {
  if (tid < 1 || tid >= pid_max) return EINVAL;
  if (tid != 1 && !ns->child_reaper) return EINVAL;
  if (!ns_capable(ns->user_ns, CAP_CHECKPOINT_RESTORE) && !ns_capable(ns->user_ns, CAP_SYS_ADMIN)) return EPERM;
  return 0;
}

// Cyclic (T-21): from the number after the last one up, then once more from the bottom. Table lock held.
int reserve_next(pid_namespace* ns) {
  int start = ns->last + 1, low = ns->last >= kReservedPids ? kReservedPids : 1;
  if (start >= pid_max) start = low;
  int nr = ns->table.reserve_in(start, pid_max);
  if (nr == -EAGAIN) nr = ns->table.reserve_in(low, start);
  if (nr > 0) WRITE_ONCE(ns->last, nr);
  return nr;
}

// A guess: without the lock, others may have gone on.
int wanted_leaf(const pid_namespace* ns, int want) {
  const int next = READ_ONCE(ns->last) + 1;
  return want ? want : next < pid_max ? next : kReservedPids;
}

// Reserves a number in one namespace; want 0: any. Makes missing leaves of the table outside the lock.
Result<int> reserve_number(pid_namespace* ns, int want) {
  if (should_fail(FailPoint::Pid, "number")) return fail(EAGAIN);
  for (;;) {
    int nr;
    {
      IrqSpinGuard guard(table_lock);
      nr = want ? ns->table.reserve_in(want, want + 1) : reserve_next(ns);
    }
    if (nr > 0) return nr;
    if (nr == -EAGAIN) return fail(want ? EEXIST : EAGAIN);
    if (!ns->table.grow(wanted_leaf(ns, want))) return fail(ENOMEM);
  }
}

void release_numbers(struct pid* pid, int lowest_level) {
  IrqSpinGuard guard(table_lock);
  for (int i = static_cast<int>(pid->level); i >= lowest_level; i--) {
    pid_namespace* ns = pid->numbers[i].ns;
    ns->table.release(pid->numbers[i].nr);
    // T-25: a namespace whose very first allocation failed starts over with 1.
    if (ns->pid_allocated == kPidAdding) WRITE_ONCE(ns->last, 0);
  }
}

Result<void> reserve_all(struct pid* pid, pid_namespace* ns, const int* set_tid, size_t set_tid_size) {
  for (int i = static_cast<int>(ns->level); i >= 0; i--, ns = ns->parent) {
    int want = set_tid_size ? *set_tid : 0;
    Result<int> nr = fail(EINVAL);
    if (set_tid_size) {
      set_tid++, set_tid_size--;
      int e = check_set_tid(ns, want);
      nr = e ? fail(e) : reserve_number(ns, want);
    } else {
      nr = reserve_number(ns, 0);
    }
    if (!nr) {
      release_numbers(pid, i + 1);
      return fail(nr.error().code());
    }
    pid->numbers[i] = {*nr, ns};
  }
  return {};
}

// T-24: all levels become findable in one critical section, unless the namespace is dying.
bool publish_all(struct pid* pid, pid_namespace* ns) {
  IrqSpinGuard guard(table_lock);
  if (!(ns->pid_allocated & kPidAdding)) return false;
  for (unsigned i = 0; i <= pid->level; i++) {
    upid& u = pid->numbers[i];
    u.ns->table.publish(u.nr, pid);
    u.ns->pid_allocated++;
  }
  return true;
}

void init_pid_struct(struct pid* pid, unsigned level) {
  refcount_set(&pid->count, 1);
  pid->level = level;
  spin_lock_init(&pid->lock);
  for (auto& head : pid->tasks) INIT_HLIST_HEAD(&head);
  init_waitqueue_head(&pid->wait_pidfd);
}

void free_pid_rcu(callback_head* head) { put_pid(container_of(head, struct pid, rcu)); }

}  // namespace

Result<struct pid*> alloc_pid(pid_namespace* ns, const int* set_tid, size_t set_tid_size) {
  if (set_tid_size > ns->level + 1) return fail(EINVAL);  // F-66
  auto* pid = static_cast<struct pid*>(kmem_cache_alloc(ns->pid_cache, GFP_KERNEL));
  if (!pid) return fail(ENOMEM);
  init_pid_struct(pid, ns->level);
  Result<void> r = reserve_all(pid, ns, set_tid, set_tid_size);
  if (r && (should_fail(FailPoint::Pid, "numbers of a dying namespace") || !publish_all(pid, ns))) {
    release_numbers(pid, 0);
    r = fail(ENOMEM);
  }
  if (r) {
    get_pid_ns(ns);
    return pid;
  }
  kmem_cache_free(ns->pid_cache, pid);
  return fail(r.error().code());
}

Result<kmem_cache*> pid_cache_of_level(unsigned level) {
  MutexGuard guard(pid_caches.mutex);
  kmem_cache*& cache = pid_caches.of_level[level];
  if (cache) return cache;
  char name[16];
  snprintf(name, sizeof(name), "pid_%u", level + 1);
  cache = kmem_cache_create(name, sizeof(struct pid) + level * sizeof(upid), 0, SLAB_HWCACHE_ALIGN, nullptr);
  return cache ? Result<kmem_cache*>(cache) : fail(ENOMEM);
}

void disable_pid_allocation(pid_namespace* ns) {
  IrqSpinGuard guard(table_lock);
  ns->pid_allocated &= ~kPidAdding;
}

void put_pid(struct pid* pid) {
  if (!pid || !refcount_dec_and_test(&pid->count)) return;
  pid_namespace* ns = ns_of_pid(pid);
  kmem_cache_free(ns->pid_cache, pid);
  put_pid_ns(ns);
}

void free_pid(struct pid* pid) {
  {
    IrqSpinGuard guard(table_lock);
    for (unsigned i = 0; i <= pid->level; i++) {
      pid_namespace* ns = pid->numbers[i].ns;
      ns->table.release(pid->numbers[i].nr);
      const unsigned left = --ns->pid_allocated;
      if (left == kPidAdding && !ns->child_reaper) ns->pid_allocated = 0;  // T-25: its first process came to nothing
    }
  }
  call_rcu(&pid->rcu, free_pid_rcu);  // readers that found it by number may still look at it
}

// ---- Roles ------------------------------------------------------------------------------------------------------

namespace {

struct pid** task_pid_place(task_struct* t, pid_type type) {
  return type == PIDTYPE_PID ? &t->thread_pid : &t->signal->pids[type];
}

// T-27: a task has given up its number. The init of a namespace that ends waits until it has no others. tasklist_lock held for writing, so
// that an init that is still there is not released meanwhile.
void tell_ending_namespaces(const struct pid* pid) {
  for (unsigned i = 1; i <= pid->level; i++) {
    const pid_namespace* ns = pid->numbers[i].ns;
    if (!(data_race(ns->pid_allocated) & kPidAdding) && ns->child_reaper) wake_up_process(ns->child_reaper);
  }
}

bool unused(const struct pid* pid) {
  for (auto& head : pid->tasks)
    if (!hlist_empty(&head)) return false;
  return true;
}

}  // namespace

void attach_pid(task_struct* t, pid_type type) {
  hlist_add_head_rcu(&t->pid_links[type], &(*task_pid_place(t, type))->tasks[type]);
}

// T-29: the last role gone frees the numbers.
void change_pid(task_struct* t, pid_type type, struct pid* now) {
  struct pid** place = task_pid_place(t, type);
  struct pid* was = *place;
  hlist_del_rcu(&t->pid_links[type]);
  WRITE_ONCE(*place, now);
  if (now) hlist_add_head_rcu(&t->pid_links[type], &now->tasks[type]);
  if (type == PIDTYPE_PID && was->level) tell_ending_namespaces(was);
  if (was != &init_struct_pid && unused(was)) free_pid(was);  // number 0 is nobody's to free
}

void detach_pid(task_struct* t, pid_type type) { change_pid(t, type, nullptr); }

task_struct* pid_task(struct pid* pid, pid_type type) {
  if (!pid) return nullptr;
  hlist_node* first = __atomic_load_n(&pid->tasks[type].first, __ATOMIC_ACQUIRE);
  if (!first) return nullptr;
  auto* links = reinterpret_cast<char*>(first) - static_cast<size_t>(type) * sizeof(hlist_node);
  return reinterpret_cast<task_struct*>(links - offsetof(task_struct, pid_links));
}

// ---- Lookup -----------------------------------------------------------------------------------------------------

struct pid* find_pid_ns(int nr, pid_namespace* ns) { return ns->table.find(nr); }
struct pid* find_ge_pid(int nr, pid_namespace* ns) { return ns->table.find_ge(nr, pid_max); }
pid_namespace* task_active_pid_ns(const task_struct* t) { return ns_of_pid(READ_ONCE(t->thread_pid)); }
struct pid* find_vpid(int nr) { return find_pid_ns(nr, task_active_pid_ns(current)); }

struct pid* find_get_pid(int nr) {
  RcuReadGuard rcu;
  struct pid* pid = find_vpid(nr);
  return pid && refcount_inc_not_zero(&pid->count) ? pid : nullptr;
}

task_struct* find_task_by_vpid(int nr) { return pid_task(find_vpid(nr), PIDTYPE_PID); }
task_struct* find_task_by_pid_ns(int nr, pid_namespace* ns) { return pid_task(find_pid_ns(nr, ns), PIDTYPE_PID); }

task_struct* find_get_task_by_vpid(int nr) {
  RcuReadGuard rcu;
  task_struct* t = find_task_by_vpid(nr);
  return t ? get_task_struct(t) : nullptr;
}

struct pid* get_task_pid(task_struct* t, pid_type type) {
  RcuReadGuard rcu;
  struct pid* pid = READ_ONCE(*task_pid_place(t, type));
  return pid && refcount_inc_not_zero(&pid->count) ? pid : nullptr;
}

// ---- Numbers ----------------------------------------------------------------------------------------------------

int pid_nr_ns(const struct pid* pid, const pid_namespace* ns) {
  if (!pid || ns->level > pid->level) return 0;
  const upid& u = pid->numbers[ns->level];
  return u.ns == ns ? u.nr : 0;  // T-20
}

int pid_vnr(const struct pid* pid) { return pid_nr_ns(pid, task_active_pid_ns(current)); }

int task_pid_nr_ns(task_struct* t, pid_type type, pid_namespace* ns) {
  RcuReadGuard rcu;
  if (!ns) ns = task_active_pid_ns(current);
  return pid_nr_ns(READ_ONCE(*task_pid_place(t, type)), ns);
}

// The caller's own number in the caller's own namespace is the innermost one; nobody changes it under its hands.
static int own_nr(const struct pid* pid) { return pid ? pid->numbers[pid->level].nr : 0; }
int task_pid_vnr(task_struct* t) {
  return t == current ? own_nr(t->thread_pid) : task_pid_nr_ns(t, PIDTYPE_PID, nullptr);
}
int task_tgid_vnr(task_struct* t) {
  return t == current ? own_nr(t->signal->pids[PIDTYPE_TGID]) : task_pid_nr_ns(t, PIDTYPE_TGID, nullptr);
}
int task_pgrp_vnr(task_struct* t) { return task_pid_nr_ns(t, PIDTYPE_PGID, nullptr); }
int task_session_vnr(task_struct* t) { return task_pid_nr_ns(t, PIDTYPE_SID, nullptr); }
bool is_child_reaper(struct pid* pid) { return pid->numbers[pid->level].nr == 1; }

// ---- Life -------------------------------------------------------------------------------------------------------

// The parts that need no memory; with the first task, before anything else.
void pid_early_init() {
  spin_lock_init(&table_lock);
  init_pid_ns = {};
  ns_common_init_static(&init_pid_ns.ns, &pidns_operations, PROC_PID_INIT_INO);
  init_pid_ns.user_ns = &init_user_ns;
  init_pid_ns.child_reaper = &init_task;  // T-15
  init_pid_ns.pid_allocated = kPidAdding;
  init_struct_pid = {};
  init_pid_struct(&init_struct_pid, 0);
  init_struct_pid.numbers[0] = {0, &init_pid_ns};
}

void pid_init() {
  int by_cpus = 1024 * static_cast<int>(num_possible_cpus());
  pid_max = by_cpus > kPidMaxDefault ? by_cpus : kPidMaxDefault;  // T-22
  mutex_init(&pid_caches.mutex);
  init_pid_ns.pid_cache = kmem_cache_create("pid", sizeof(struct pid), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, nullptr);
  pid_caches.of_level[0] = init_pid_ns.pid_cache;
  if (!init_pid_ns.table.grow(1)) panic("no memory for the first pids");
}

void pid_exit(LeakReport& report) {
  report.expect_zero("pids in use", static_cast<long>(init_pid_ns.pid_allocated & ~kPidAdding));
  init_pid_ns.table.destroy();
  for (kmem_cache*& cache : pid_caches.of_level)
    if (cache) kmem_cache_destroy(std::exchange(cache, nullptr));
}
