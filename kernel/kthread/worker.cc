// kthread_worker: one thread that runs queued works in order (spec 50 A6). worker->lock guards the lists and the works
// on them; work->worker, once set, says whose lock that is. worker->lock is taken with interrupts off, since works are
// queued from timers.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "kernel/sync/guards.hh"

namespace {

struct FlushWork {
  kthread_work work;
  completion done;
};
void flush_fn(kthread_work* w) { complete(&container_of(w, FlushWork, work)->done); }
void init_flush(FlushWork* f) {
  kthread_init_work(&f->work, flush_fn);
  init_completion(&f->done);
}

bool is_queued(const kthread_work* w) { return !list_empty(&w->node); }
bool refuses(const kthread_work* w) { return is_queued(w) || w->canceling; }

// worker->lock held.
void insert(kthread_worker* worker, kthread_work* work, list_head* before) {
  WARN_ON_ONCE(work->worker && work->worker != worker);  // K-19
  list_add_tail(&work->node, before);
  WRITE_ONCE(work->worker, worker);
  if (!worker->current_work && worker->task) wake_up_process(worker->task);
}

kthread_work* take_next(kthread_worker* worker) {
  IrqOffSpinGuard g(worker->lock);
  worker->current_work = nullptr;
  if (list_empty(&worker->work_list)) return nullptr;
  kthread_work* w = list_first_entry(&worker->work_list, kthread_work, node);
  list_del_init(&w->node);
  worker->current_work = w;
  return w;
}

// Puts a barrier work behind `work` or behind the running instance of it, and waits; nothing if it is neither.
void flush_behind(kthread_work* work) {
  kthread_worker* worker = READ_ONCE(work->worker);
  if (!worker) return;
  FlushWork f;
  init_flush(&f);
  _raw_spin_lock_irq(&worker->lock);
  bool wait = true;
  if (is_queued(work))
    insert(worker, &f.work, work->node.next);
  else if (worker->current_work == work)
    insert(worker, &f.work, worker->work_list.next);
  else
    wait = false;
  _raw_spin_unlock_irq(&worker->lock);
  if (wait) wait_for_completion(&f.done);
}

enum class Kind : unsigned char { Plain, Delayed };
kthread_delayed_work* delayed(kthread_work* w) { return container_of(w, kthread_delayed_work, work); }

// The timer's callback takes worker->lock, so the timer is waited for without it; canceling keeps it from re-queueing.
void stop_timer(kthread_worker* worker, kthread_work* work, unsigned long* irq) REQUIRES(worker->lock) NO_THREAD_SAFETY_ANALYSIS {
  work->canceling++;
  _raw_spin_unlock_irqrestore(&worker->lock, *irq);
  del_timer_sync(&delayed(work)->timer);
  *irq = _raw_spin_lock_irqsave(&worker->lock);
  work->canceling--;
}

bool unqueue(kthread_work* work) {
  if (!is_queued(work)) return false;
  list_del_init(&work->node);
  return true;
}

bool cancel_sync(kthread_work* work, Kind kind) {
  kthread_worker* worker = READ_ONCE(work->worker);
  if (!worker) return false;
  unsigned long irq = _raw_spin_lock_irqsave(&worker->lock);
  if (kind == Kind::Delayed) stop_timer(worker, work, &irq);
  const bool was = unqueue(work);
  if (worker->current_work == work) {
    work->canceling++;  // requeueing by itself is refused meanwhile
    _raw_spin_unlock_irqrestore(&worker->lock, irq);
    flush_behind(work);
    irq = _raw_spin_lock_irqsave(&worker->lock);
    work->canceling--;
  }
  _raw_spin_unlock_irqrestore(&worker->lock, irq);
  return was;
}

// worker->lock held. The work waits on delayed_work_list for its timer.
void queue_delayed(kthread_worker* worker, kthread_delayed_work* dw, unsigned long delay) {
  if (!delay) return insert(worker, &dw->work, &worker->work_list);
  list_add(&dw->work.node, &worker->delayed_work_list);
  WRITE_ONCE(dw->work.worker, worker);
  mod_timer(&dw->timer, jiffies + delay);
}

kthread_worker* new_worker(int cpu, unsigned flags, const char* fmt, va_list args) {
  auto* w = static_cast<kthread_worker*>(kzalloc(sizeof(kthread_worker), GFP_KERNEL));
  if (!w) return ERR_PTR(-ENOMEM);
  kthread_init_worker(w);
  w->flags = flags;
  char name[TASK_COMM_LEN];
  vsnprintf(name, sizeof(name), fmt, args);
  task_struct* t = kthread_create(kthread_worker_fn, w, "%s", name);
  if (IS_ERR(t)) {
    kfree(w);
    return ERR_CAST(t);
  }
  if (cpu >= 0) kthread_bind(t, static_cast<unsigned>(cpu));
  w->task = t;
  wake_up_process(t);
  return w;
}

}  // namespace

extern "C" {

void __kthread_init_worker(kthread_worker* w, const char*, lock_class_key* key) {
  *w = {};
  __raw_spin_lock_init(&w->lock, key);
  INIT_LIST_HEAD(&w->work_list);
  INIT_LIST_HEAD(&w->delayed_work_list);
}

int kthread_worker_fn(void* arg) {
  auto* worker = static_cast<kthread_worker*>(arg);
  {
    IrqOffSpinGuard g(worker->lock);
    worker->task = current;
  }
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (kthread_should_stop()) {  // what is still queued is not run
      __set_current_state(TASK_RUNNING);
      IrqOffSpinGuard g(worker->lock);
      worker->task = nullptr;
      return 0;
    }
    if (kthread_work* w = take_next(worker)) {
      __set_current_state(TASK_RUNNING);
      w->func(w);
    } else {
      schedule();
    }
    cond_resched();
  }
}

kthread_worker* kthread_create_worker(unsigned flags, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  kthread_worker* w = new_worker(-1, flags, fmt, args);
  va_end(args);
  return w;
}
kthread_worker* kthread_create_worker_on_cpu(int cpu, unsigned flags, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  kthread_worker* w = new_worker(cpu, flags, fmt, args);
  va_end(args);
  return w;
}

bool kthread_queue_work(kthread_worker* worker, kthread_work* work) {
  IrqSpinGuard g(worker->lock);
  if (refuses(work)) return false;
  insert(worker, work, &worker->work_list);
  return true;
}
bool kthread_queue_delayed_work(kthread_worker* worker, kthread_delayed_work* dw, unsigned long delay) {
  IrqSpinGuard g(worker->lock);
  if (refuses(&dw->work)) return false;
  queue_delayed(worker, dw, delay);
  return true;
}
bool kthread_mod_delayed_work(kthread_worker* worker, kthread_delayed_work* dw, unsigned long delay) {
  unsigned long irq = _raw_spin_lock_irqsave(&worker->lock);
  bool was = false;
  if (dw->work.worker) {
    stop_timer(worker, &dw->work, &irq);
    if (dw->work.canceling) {
      _raw_spin_unlock_irqrestore(&worker->lock, irq);
      return false;
    }
    was = unqueue(&dw->work);
  }
  queue_delayed(worker, dw, delay);
  _raw_spin_unlock_irqrestore(&worker->lock, irq);
  return was;
}
void kthread_delayed_work_timer_fn(timer_list* t) {
  kthread_delayed_work* dw = from_timer(dw, t, timer);
  kthread_worker* worker = dw->work.worker;
  if (WARN_ON_ONCE(!worker)) return;
  IrqSpinGuard g(worker->lock);
  if (dw->work.canceling || !is_queued(&dw->work)) return;
  list_del_init(&dw->work.node);
  insert(worker, &dw->work, &worker->work_list);
}

void kthread_flush_work(kthread_work* work) { flush_behind(work); }
void kthread_flush_worker(kthread_worker* worker) {
  FlushWork f;
  init_flush(&f);
  kthread_queue_work(worker, &f.work);
  wait_for_completion(&f.done);
}
bool kthread_cancel_work_sync(kthread_work* work) { return cancel_sync(work, Kind::Plain); }
bool kthread_cancel_delayed_work_sync(kthread_delayed_work* dw) { return cancel_sync(&dw->work, Kind::Delayed); }
void kthread_destroy_worker(kthread_worker* worker) {
  task_struct* t = worker->task;
  if (WARN_ON(!t)) return;
  kthread_flush_worker(worker);
  kthread_stop(t);
  WARN_ON(!list_empty(&worker->work_list) || !list_empty(&worker->delayed_work_list));
  kfree(worker);
}

}  // extern "C"
