// Kernel threads: kthreadd, the protocol of creation, stop, park (spec 50 part A).
//   kthread_state.lock guards the list of requests. A request's `done` pointer is exchanged by whoever comes first: the
//   new thread (which then tells the requester) or a requester that was killed (whose request the thread then frees).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/kthread/kthread.hh"

#include <linux/completion.h>
#include <linux/freezer.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/exit/exit.hh"
#include "kernel/fork/fork.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/trace/trace.hh"
#include "lib/late.hh"

namespace {

enum : unsigned { kIsPerCpu = 1, kShouldStop = 2, kShouldPark = 4 };

struct Kthread {
  unsigned flags = 0;  // atomic
  unsigned cpu = 0;
  long result = 0;
  int (*fn)(void*) = nullptr;
  void* data = nullptr;
  completion parked, exited;  // vfork_done of the task points at exited
};

struct CreateRequest {
  list_head list;
  int (*fn)(void*);
  void* data;
  task_struct* result;  // or ERR_PTR
  completion* done;     // exchanged; null: taken
};

struct KthreadState {
  spinlock_t lock;
  list_head requests;
  bool stop = false;
};
constinit Late<KthreadState> kthreads;

Kthread* to_kthread(const task_struct* t) { return static_cast<Kthread*>(t->worker_private); }
Kthread* self_kthread() {
  return current->flags & PF_KTHREAD ? static_cast<Kthread*>(current->worker_private) : nullptr;
}
bool has(const Kthread* k, unsigned flag) { return k && (__atomic_load_n(&k->flags, __ATOMIC_ACQUIRE) & flag); }
void set(Kthread* k, unsigned flag) { __atomic_fetch_or(&k->flags, flag, __ATOMIC_SEQ_CST); }
void clear(Kthread* k, unsigned flag) { __atomic_fetch_and(&k->flags, ~flag, __ATOMIC_SEQ_CST); }

// TASK_PARKED is left by unpark alone; the loop takes care of other wake-ups (K-15).
void park_here(Kthread* k) {
  for (;;) {
    set_current_state(TASK_PARKED);
    if (!has(k, kShouldPark)) break;
    complete(&k->parked);
    schedule();
  }
  __set_current_state(TASK_RUNNING);
}

// kthreadd's own policy and CPUs, which an administrator may have changed, are not for its children (A3.2).
void forget_inherited_settings() {
  if (current->policy != SCHED_NORMAL || current->static_prio != DEFAULT_PRIO)
    (void)__sched_setscheduler(current, {.policy = SCHED_NORMAL}, SchedCaller::Kernel);
  if (!cpumask_equal(&current->cpus_mask, cpu_possible_mask)) (void)set_cpus_allowed_ptr(current, cpu_possible_mask);
}

// First code of every thread that kthread_create makes (A3.2).
int kthread_main(void* arg) {
  auto* request = static_cast<CreateRequest*>(arg);
  Kthread* k = self_kthread();
  int (*fn)(void*) = request->fn;
  void* data = request->data;
  completion* done = xchg(&request->done, static_cast<completion*>(nullptr));
  if (!done) {
    kfree(request);
    kthread_exit(-EINTR);
  }
  k->fn = fn;
  k->data = data;
  forget_inherited_settings();
  __set_current_state(TASK_UNINTERRUPTIBLE);
  request->result = current;
  // Nobody may run us again before we sleep for the first wake-up: the creator binds us in between.
  preempt_disable();
  complete(done);
  schedule_preempt_disabled();
  preempt_enable();
  long result = -EINTR;  // K-8: stopped before it ever ran
  if (!has(k, kShouldStop)) {
    if (has(k, kShouldPark)) park_here(k);  // K-14
    result = fn(data);
  }
  kthread_exit(result);
}

void fail_request(CreateRequest* request, long error) {
  request->result = ERR_PTR(error);
  completion* done = xchg(&request->done, static_cast<completion*>(nullptr));
  if (done)
    complete(done);
  else
    kfree(request);
}

// Hands the request to kthreadd and waits. The request is freed here unless we are killed before it is taken up.
task_struct* submit(CreateRequest* request) {
  DECLARE_COMPLETION_ONSTACK(done);
  request->done = &done;
  {
    SpinGuard g(kthreads->lock);
    list_add_tail(&request->list, &kthreads->requests);
  }
  if (task_struct* d = READ_ONCE(kthreadd_task)) wake_up_process(d);
  if (wait_for_completion_killable(&done)) {
    if (xchg(&request->done, static_cast<completion*>(nullptr))) return ERR_PTR(-EINTR);
    wait_for_completion(&done);  // it is about to be completed (A3.4)
  }
  task_struct* t = request->result;
  kfree(request);
  return t;
}

void set_name(task_struct* t, const char* fmt, va_list args) {
  char name[TASK_COMM_LEN];
  vsnprintf(name, sizeof(name), fmt, args);
  memcpy(t->comm, name, sizeof(name));
}

task_struct* create(int (*fn)(void*), void* data, const char* fmt, va_list args) {
  auto* request = static_cast<CreateRequest*>(kzalloc(sizeof(CreateRequest), GFP_KERNEL));
  if (!request) return ERR_PTR(-ENOMEM);
  request->fn = fn;
  request->data = data;
  task_struct* t = submit(request);
  if (!IS_ERR(t)) set_name(t, fmt, args);
  return t;
}
__attribute__((format(printf, 3, 4))) task_struct* create_named(int (*fn)(void*), void* data, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  task_struct* t = create(fn, data, fmt, args);
  va_end(args);
  return t;
}

void bind_to(task_struct* k, const cpumask* mask) {
  if (WARN_ON(!(READ_ONCE(k->__state) & (TASK_UNINTERRUPTIBLE | TASK_PARKED)))) return;
  wait_task_inactive(k, READ_ONCE(k->__state));
  k->flags &= ~PF_NO_SETAFFINITY;
  do_set_cpus_allowed(k, mask);
  k->flags |= PF_NO_SETAFFINITY;  // K-3
}

void spawn(CreateRequest* request) {
  pid_t pid = kernel_thread(kthread_main, request, CLONE_FS | CLONE_FILES | SIGCHLD);
  if (pid < 0) fail_request(request, pid);
}

}  // namespace

bool set_kthread_struct(task_struct* t) {
  void* memory = kmalloc(sizeof(Kthread), GFP_KERNEL);
  if (!memory) return false;
  auto* k = ::new (memory) Kthread();
  init_completion(&k->parked);
  init_completion(&k->exited);
  t->vfork_done = &k->exited;
  t->worker_private = k;
  return true;
}
void free_kthread_struct(task_struct* t) {
  kfree(t->worker_private);
  t->worker_private = nullptr;
}

void kthread_init() {
  KthreadState& s = kthreads.construct();
  spin_lock_init(&s.lock);
  INIT_LIST_HEAD(&s.requests);
  kthreadd_task = nullptr;
}
void kthread_exit(LeakReport& report) {
  report.expect_zero("kthread requests left", !list_empty(&kthreads->requests));
  kthreads.destroy();
}

extern "C" {

constinit task_struct* kthreadd_task;

int kthreadd(void*) {
  memcpy(current->comm, "kthreadd", 9);
  // Signals are ignored, and children inherit it: they are reaped by themselves (K-1, K-2).
  for (int sig = 1; sig <= _NSIG; sig++) set_sighandler(current->sighand, sig, SIG_IGN);
  current->flags |= PF_NOFREEZE;
  current->no_cgroup_migration = 1;  // what it makes begins in the root cgroup
  WRITE_ONCE(kthreadd_task, static_cast<task_struct*>(current));
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (READ_ONCE(kthreads->stop)) break;
    if (list_empty(&kthreads->requests)) schedule();
    __set_current_state(TASK_RUNNING);
    for (;;) {
      SpinGuard g(kthreads->lock);
      if (list_empty(&kthreads->requests)) break;
      CreateRequest* request = list_first_entry(&kthreads->requests, CreateRequest, list);
      list_del_init(&request->list);
      g.unlock();
      spawn(request);
    }
  }
  __set_current_state(TASK_RUNNING);
  WRITE_ONCE(kthreadd_task, static_cast<task_struct*>(nullptr));
  return 0;
}
void kthreadd_stop() {
  WRITE_ONCE(kthreads->stop, true);
  if (task_struct* d = READ_ONCE(kthreadd_task)) wake_up_process(d);
}

task_struct* kthread_create_on_node(int (*fn)(void*), void* data, int, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  task_struct* t = create(fn, data, fmt, args);
  va_end(args);
  return t;
}
task_struct* kthread_create_on_cpu(int (*fn)(void*), void* data, unsigned cpu, const char* fmt) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  task_struct* t = create_named(fn, data, fmt, cpu);
#pragma GCC diagnostic pop
  if (IS_ERR(t)) return t;
  kthread_bind(t, cpu);
  to_kthread(t)->cpu = cpu;
  set(to_kthread(t), kIsPerCpu);
  return t;
}
task_struct* kthread_run_on_cpu(int (*fn)(void*), void* data, unsigned cpu, const char* fmt) {
  task_struct* t = kthread_create_on_cpu(fn, data, cpu, fmt);
  if (!IS_ERR(t)) wake_up_process(t);
  return t;
}

void kthread_bind_mask(task_struct* k, const cpumask* mask) { bind_to(k, mask); }
void kthread_bind(task_struct* k, unsigned cpu) {
  cpumask_t mask{{1ul << cpu}};
  bind_to(k, &mask);
}
void kthread_set_per_cpu(task_struct* t, int cpu) {
  Kthread* k = to_kthread(t);
  if (cpu < 0) return clear(k, kIsPerCpu);
  k->cpu = static_cast<unsigned>(cpu);
  set(k, kIsPerCpu);
}
bool kthread_is_per_cpu(task_struct* t) { return (data_race(t->flags) & PF_KTHREAD) && has(to_kthread(t), kIsPerCpu); }

bool kthread_should_stop() { return has(self_kthread(), kShouldStop); }
bool kthread_should_park() { return has(self_kthread(), kShouldPark); }
bool kthread_freezable_should_stop(bool* was_frozen) {
  might_sleep();
  const bool frozen = freezing(current) && __refrigerator(true);
  if (was_frozen) *was_frozen = frozen;
  return kthread_should_stop();
}

int kthread_stop(task_struct* t) {  // A4
  trace_sched_kthread_stop(t);
  get_task_struct(t);
  Kthread* k = to_kthread(t);
  set(k, kShouldStop);
  kthread_unpark(t);
  set_tsk_thread_flag(t, TIF_NOTIFY_SIGNAL);  // interruptible waits end
  wake_up_process(t);
  wait_for_completion(&k->exited);
  const int result = static_cast<int>(k->result);
  put_task_struct(t);
  trace_sched_kthread_stop_ret(result);
  return result;
}

int kthread_park(task_struct* t) {  // A5
  Kthread* k = to_kthread(t);
  if (WARN_ON(t->flags & PF_EXITING)) return -ENOSYS;
  if (WARN_ON_ONCE(has(k, kShouldPark))) return -EBUSY;
  set(k, kShouldPark);
  if (t == current) return 0;
  wake_up_process(t);
  wait_for_completion(&k->parked);
  wait_task_inactive(t, TASK_PARKED);
  return 0;
}
void kthread_unpark(task_struct* t) {
  Kthread* k = to_kthread(t);
  if (!has(k, kShouldPark)) return;
  if (has(k, kIsPerCpu)) kthread_bind(t, k->cpu);
  reinit_completion(&k->parked);
  clear(k, kShouldPark);
  wake_up_state(t, TASK_PARKED);
}
void kthread_parkme() { park_here(self_kthread()); }

void* kthread_data(task_struct* t) { return to_kthread(t)->data; }
void* kthread_probe_data(task_struct* t) {
  const Kthread* k = data_race(t->flags) & PF_KTHREAD ? to_kthread(t) : nullptr;
  return k ? k->data : nullptr;
}
void* kthread_func(task_struct* t) {
  const Kthread* k = data_race(t->flags) & PF_KTHREAD ? to_kthread(t) : nullptr;
  return k ? reinterpret_cast<void*>(k->fn) : nullptr;
}
void kthread_exit(long result) {
  self_kthread()->result = result;
  do_exit(0);
}
void kthread_complete_and_exit(completion* c, long code) {
  if (c) complete(c);
  kthread_exit(code);
}

}  // extern "C"
