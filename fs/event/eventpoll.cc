// epoll. Spec 60 E-6..E-12.
//
// An item watches one (file, descriptor number). Its wait entry stands in the file's queues and, from the waker's context,
// puts the item on the ready list and wakes who waits. Locks, outermost first: epoll_mutex (nesting checks, files that close),
// ep->mutex (the items, and reporting), a watched queue's own lock, ep->lock (the ready list; interrupts off).
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "fs/event/event.hh"
#include "fs/vfs/poll.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/percpu.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

struct __attribute__((packed)) epoll_event {
  u32 events;
  u64 data;
};
constexpr int EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;
constexpr u32 kPrivateBits = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
constexpr u32 kExclusiveOk = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
constexpr int kMaxNests = 4;  // epoll files in a chain below one
constexpr int kMaxQueues = 2;  // how many queues a file's poll may name

DEFINE_MUTEX(epoll_mutex);

struct EventPoll {
  struct mutex mutex;
  spinlock_t lock;
  wait_queue_head_t wq;         // in epoll_wait
  wait_queue_head_t poll_wait;  // who polls the epoll file itself
  struct list_head ready;       // lock
  struct list_head items;       // mutex
  file* self;
};

struct Item;
struct Watch {  // our place in one queue
  wait_queue_entry_t entry;
  wait_queue_head_t* queue;
  Item* item;
};
struct Item {
  EventPoll* ep;
  file* f;  // not referenced: the file's last close removes us
  int fd;
  epoll_event event;
  int error;
  int used;
  Watch watches[kMaxQueues];
  struct list_head ready_link;  // ep->lock
  struct list_head ep_link;     // ep->mutex
  struct list_head file_link;   // f->f_lock
};

struct Table : poll_table {
  Item* item;
};

extern const file_operations epoll_fops;
bool is_epoll(const file* f) { return f->f_op == &epoll_fops; }
EventPoll* of(const file* f) { return static_cast<EventPoll*>(f->private_data); }

// ---- From the waker's side ------------------------------------------------------------------------------------------------
constinit PerCpu<unsigned> wake_nests;  // epoll files that this CPU is waking the pollers of; 0 between wake-ups

// Wakes who polls the epoll file itself; among them may be the item of another one, whose pollers are woken within.
void wake_pollers(EventPoll* ep) {
  IrqGuard irqs;
  unsigned& depth = wake_nests.this_cpu();
  spin_lock_nested(&ep->poll_wait.lock, depth++);
  __wake_up_locked_key(&ep->poll_wait, TASK_NORMAL, poll_to_key(EPOLLIN));
  depth--;
  spin_unlock(&ep->poll_wait.lock);
}

// In the waker's context, under the watched queue's lock.
int item_wakes(wait_queue_entry_t* e, unsigned, int, void* key) {
  Watch* w = container_of(e, Watch, entry);
  Item* item = w->item;
  EventPoll* ep = item->ep;
  __poll_t events = key_to_poll(key);
  bool woken = false, nested = false;
  {
    IrqSpinGuard g(ep->lock);
    if (!(item->event.events & ~kPrivateBits)) return 0;  // a one-shot that has reported
    if (key && !(events & item->event.events)) return 0;
    if (list_empty(&item->ready_link)) list_add_tail(&item->ready_link, &ep->ready);
    woken = wq_has_sleeper(&ep->wq);  // a full barrier between the list and the look; pairs with do_wait's prepare_to_wait
    nested = waitqueue_active(&ep->poll_wait);
  }
  if (woken) wake_up(&ep->wq);
  if (nested) wake_pollers(ep);
  return item->event.events & EPOLLEXCLUSIVE ? woken : 1;
}

void stand_in(file*, wait_queue_head_t* wq, poll_table* pt) {
  Item* item = static_cast<Table*>(pt)->item;
  if (item->used == kMaxQueues) {
    item->error = -ENOMEM;
    return;
  }
  Watch& w = item->watches[item->used++];
  init_waitqueue_func_entry(&w.entry, item_wakes);
  w.queue = wq;
  w.item = item;
  if (item->event.events & EPOLLEXCLUSIVE)
    add_wait_queue_exclusive(wq, &w.entry);
  else
    add_wait_queue(wq, &w.entry);
}

__poll_t epoll_poll_at(file* f, poll_table* pt, int depth);

// depth: how many epoll files' mutexes the caller holds.
__poll_t item_poll(Item* item, poll_table* pt, int depth) {
  if (pt) pt->key = item->event.events;
  __poll_t m = is_epoll(item->f) ? epoll_poll_at(item->f, pt, depth) : vfs_poll(item->f, pt);
  return m & item->event.events;
}

// ---- Items --------------------------------------------------------------------------------------------------------------------
Item* find_item(EventPoll* ep, const file* f, int fd) {
  Item* i;
  list_for_each_entry(i, &ep->items, ep_link) {
    if (i->f == f && i->fd == fd) return i;
  }
  return nullptr;
}

// ep->mutex held.
void remove_item(Item* item) {
  for (int k = 0; k < item->used; k++) remove_wait_queue(item->watches[k].queue, &item->watches[k].entry);
  {
    SpinGuard g(item->f->f_lock);
    list_del(&item->file_link);
  }
  {
    IrqSpinGuard g(item->ep->lock);
    if (!list_empty(&item->ready_link)) list_del_init(&item->ready_link);
  }
  list_del(&item->ep_link);
  kfree(item);
}

void make_ready(Item* item) {
  EventPoll* ep = item->ep;
  {
    IrqSpinGuard g(ep->lock);
    if (list_empty(&item->ready_link)) list_add_tail(&item->ready_link, &ep->ready);
  }
  if (wq_has_sleeper(&ep->wq)) wake_up(&ep->wq);
  if (waitqueue_active(&ep->poll_wait)) wake_pollers(ep);
}

long add_item(EventPoll* ep, file* f, int fd, const epoll_event& event) {
  auto* item = static_cast<Item*>(kzalloc(sizeof(Item), GFP_KERNEL));
  if (!item) return -ENOMEM;
  item->ep = ep;
  item->f = f;
  item->fd = fd;
  item->event = event;
  INIT_LIST_HEAD(&item->ready_link);
  list_add_tail(&item->ep_link, &ep->items);
  {
    SpinGuard g(f->f_lock);
    list_add_tail(&item->file_link, &f->f_ep_links);
  }
  Table t{};
  t.qproc = stand_in;
  t.item = item;
  __poll_t m = item_poll(item, &t, 1);
  if (item->error) {
    long err = item->error;
    remove_item(item);
    return err;
  }
  if (m) make_ready(item);
  return 0;
}

void modify_item(Item* item, const epoll_event& event) {
  {
    IrqSpinGuard g(item->ep->lock);
    item->event = event;
  }
  smp_mb();  // pairs with the waker's: it changes its state, then reads our events; we write them, then look
  if (item_poll(item, nullptr, 1)) make_ready(item);
}

// ---- Nesting ------------------------------------------------------------------------------------------------------------------
// May `to` watch the epoll file f? ELOOP if to is below f already or the chain gets too long. epoll_mutex held.
bool reaches(EventPoll* from, const EventPoll* target, int depth) {
  if (from == target || depth > kMaxNests) return true;
  mutex_lock_nested(&from->mutex, static_cast<unsigned>(depth));
  bool found = false;
  Item* i;
  list_for_each_entry(i, &from->items, ep_link) found = found || (is_epoll(i->f) && reaches(of(i->f), target, depth + 1));
  mutex_unlock(&from->mutex);
  return found;
}
// The longest chain of epoll files above ep.
int height_above(const file* f, int depth) {
  int most = depth;
  if (depth > kMaxNests) return depth;
  struct list_head* p;
  list_for_each(p, &f->f_ep_links) {
    Item* i = list_entry(p, Item, file_link);
    int h = height_above(i->ep->self, depth + 1);
    if (h > most) most = h;
  }
  return most;
}

// ---- Reporting ----------------------------------------------------------------------------------------------------------------
bool has_ready(EventPoll* ep) { return !list_empty(&ep->ready); }

// Takes the first ready item off the list; null: none.
Item* take_ready(EventPoll* ep) {
  IrqSpinGuard g(ep->lock);
  if (list_empty(&ep->ready)) return nullptr;
  Item* i = list_first_entry(&ep->ready, Item, ready_link);
  list_del_init(&i->ready_link);
  return i;
}

// Reports up to max events. Level-triggered items go to the end of the list again, so that others have their turn.
long send_events(EventPoll* ep, epoll_event* user, int max) {
  MutexGuard g(ep->mutex);
  LIST_HEAD(again);
  long n = 0;
  while (n < max) {
    Item* i = take_ready(ep);
    if (!i) break;
    __poll_t m = item_poll(i, nullptr, 1);
    if (!m) continue;
    epoll_event out{m, i->event.data};
    if (copy_to_user(&user[n], &out, sizeof(out))) {
      IrqSpinGuard h(ep->lock);
      if (list_empty(&i->ready_link)) list_add(&i->ready_link, &ep->ready);
      if (!n) n = -EFAULT;
      break;
    }
    n++;
    IrqSpinGuard h(ep->lock);
    if (i->event.events & EPOLLONESHOT)
      i->event.events &= kPrivateBits;
    else if (!(i->event.events & EPOLLET) && list_empty(&i->ready_link))
      list_add_tail(&i->ready_link, &again);
  }
  {
    IrqSpinGuard h(ep->lock);
    while (!list_empty(&again)) list_move_tail(again.next, &ep->ready);  // one by one: has_ready looks without the lock
  }
  if (has_ready(ep) && waitqueue_active(&ep->wq)) wake_up(&ep->wq);  // waiters are exclusive: one that leaves some wakes the next
  return n;
}

struct Limit {
  bool forever, no_wait;
  ktime_t deadline;
};

long do_wait(EventPoll* ep, epoll_event* user, int max, const Limit& limit) {
  ktime_t deadline = limit.deadline;
  bool timed_out = limit.no_wait;
  for (;;) {
    if (has_ready(ep)) {
      long n = send_events(ep, user, max);
      if (n) return n;
    }
    if (timed_out) return 0;
    if (signal_pending(current)) return -EINTR;
    DEFINE_WAIT(w);
    prepare_to_wait_exclusive(&ep->wq, &w, TASK_INTERRUPTIBLE);
    if (!has_ready(ep) && !signal_pending(current))
      timed_out = schedule_hrtimeout_range(limit.forever ? nullptr : &deadline, current->timer_slack_ns, HRTIMER_MODE_ABS) == 0;
    finish_wait(&ep->wq, &w);
  }
}

__poll_t epoll_poll_at(file* f, poll_table* pt, int depth) {
  EventPoll* ep = of(f);
  poll_wait(f, &ep->poll_wait, pt);
  mutex_lock_nested(&ep->mutex, static_cast<unsigned>(depth));
  __poll_t m = 0;
  Item* i;
  list_for_each_entry(i, &ep->items, ep_link) {
    bool listed;
    {
      IrqSpinGuard g(ep->lock);
      listed = !list_empty(&i->ready_link);
    }
    if (listed && item_poll(i, nullptr, depth + 1)) {
      m = EPOLLIN | EPOLLRDNORM;
      break;
    }
  }
  mutex_unlock(&ep->mutex);
  return m;
}
__poll_t epoll_poll(file* f, poll_table* pt) { return epoll_poll_at(f, pt, 0); }

int epoll_release(inode*, file* f) {
  EventPoll* ep = of(f);
  {
    MutexGuard e(epoll_mutex);  // files that close look at their items
    MutexGuard g(ep->mutex);
    while (!list_empty(&ep->items)) remove_item(list_first_entry(&ep->items, Item, ep_link));
  }
  kfree(ep);
  return 0;
}

constinit const file_operations epoll_fops = {.llseek = noop_llseek, .poll = epoll_poll, .release = epoll_release};

long make_epoll(int flags) {
  if (flags & ~O_CLOEXEC) return -EINVAL;
  auto* ep = static_cast<EventPoll*>(kzalloc(sizeof(EventPoll), GFP_KERNEL));
  if (!ep) return -ENOMEM;
  mutex_init(&ep->mutex);
  spin_lock_init(&ep->lock);
  init_waitqueue_head(&ep->wq);
  init_waitqueue_head(&ep->poll_wait);
  INIT_LIST_HEAD(&ep->ready);
  INIT_LIST_HEAD(&ep->items);
  int fd = get_unused_fd_flags(static_cast<unsigned>(O_RDWR | flags));
  if (fd < 0) {
    kfree(ep);
    return fd;
  }
  auto f = anon_inode_getfile("[eventpoll]", &epoll_fops, ep, O_RDWR);
  if (!f) {
    put_unused_fd(static_cast<unsigned>(fd));
    kfree(ep);
    return f.error().neg();
  }
  ep->self = *f;
  fd_install(static_cast<unsigned>(fd), *f);
  return fd;
}

long control(file* epf, int op, file* f, int fd, epoll_event* event) {
  EventPoll* ep = of(epf);
  event->events |= EPOLLERR | EPOLLHUP;
  bool nests = op == EPOLL_CTL_ADD && is_epoll(f);
  MutexGuard whole(epoll_mutex);
  if (nests && (reaches(of(f), ep, 1) || height_above(epf, 1) > kMaxNests)) return -ELOOP;
  MutexGuard g(ep->mutex);
  Item* item = find_item(ep, f, fd);
  switch (op) {
    case EPOLL_CTL_ADD: return item ? -EEXIST : add_item(ep, f, fd, *event);
    case EPOLL_CTL_DEL:
      if (!item) return -ENOENT;
      remove_item(item);
      return 0;
    case EPOLL_CTL_MOD:
      if (!item) return -ENOENT;
      if (item->event.events & EPOLLEXCLUSIVE) return -EINVAL;
      modify_item(item, *event);
      return 0;
  }
  return -EINVAL;
}

long wait_call(int epfd, epoll_event* user, int max, const Limit& limit) {
  if (max <= 0 || max > static_cast<int>(0x7fffffff / sizeof(epoll_event))) return -EINVAL;
  if (!access_ok(user, static_cast<unsigned long>(max) * sizeof(epoll_event))) return -EFAULT;
  FileRef f(fget(static_cast<unsigned>(epfd)));
  if (!f) return -EBADF;
  if (!is_epoll(f.get())) return -EINVAL;
  return do_wait(of(f.get()), user, max, limit);
}

Limit limit_ms(int ms) {
  if (ms < 0) return {true, false, 0};
  return {false, ms == 0, ktime_add_safe(ktime_get(), static_cast<s64>(ms) * 1'000'000)};
}

long pwait(int epfd, epoll_event* user, int max, const Limit& limit, const sigset_t* user_mask, size_t size) {
  if (user_mask) {
    sigset_t mask;
    if (size != sizeof(mask)) return -EINVAL;
    if (copy_from_user(&mask, user_mask, sizeof(mask))) return -EFAULT;
    set_restore_sigmask();
    current->saved_sigmask = current->blocked;
    set_current_blocked(&mask);
  }
  long r = wait_call(epfd, user, max, limit);
  if (user_mask && r != -EINTR && current->restore_sigmask) {
    current->restore_sigmask = 0;
    set_current_blocked(&current->saved_sigmask);
  }
  return r;
}

}  // namespace

// E-9: the last close of a file ends all watching of it.
void eventpoll_release(file* f) {
  MutexGuard whole(epoll_mutex);
  for (;;) {
    Item* item = nullptr;
    {
      SpinGuard g(f->f_lock);
      if (!list_empty(&f->f_ep_links)) item = list_first_entry(&f->f_ep_links, Item, file_link);
    }
    if (!item) return;
    MutexGuard g(item->ep->mutex);  // the item stays: epoll_mutex keeps other removers away
    remove_item(item);
  }
}

SYSCALL_DEFINE1(epoll_create1, int, flags) { return make_epoll(flags); }
SYSCALL_DEFINE1(epoll_create, int, size) { return size <= 0 ? -EINVAL : make_epoll(0); }

SYSCALL_DEFINE4(epoll_ctl, int, epfd, int, op, int, fd, epoll_event*, user) {
  epoll_event e{};
  if (op != EPOLL_CTL_DEL && copy_from_user(&e, user, sizeof(e))) return -EFAULT;
  FileRef epf(fget(static_cast<unsigned>(epfd))), f(fget(static_cast<unsigned>(fd)));
  if (!epf || !f) return -EBADF;
  if (!file_can_poll(f.get())) return -EPERM;
  if (epf.get() == f.get() || !is_epoll(epf.get())) return -EINVAL;
  if (e.events & EPOLLEXCLUSIVE) {
    if (op == EPOLL_CTL_MOD) return -EINVAL;
    if (op == EPOLL_CTL_ADD && (is_epoll(f.get()) || e.events & ~kExclusiveOk)) return -EINVAL;
  }
  return control(epf.get(), op, f.get(), fd, &e);
}

SYSCALL_DEFINE4(epoll_wait, int, epfd, epoll_event*, user, int, max, int, ms) { return wait_call(epfd, user, max, limit_ms(ms)); }
SYSCALL_DEFINE6(epoll_pwait, int, epfd, epoll_event*, user, int, max, int, ms, const sigset_t*, mask, size_t, size) {
  return pwait(epfd, user, max, limit_ms(ms), mask, size);
}
SYSCALL_DEFINE6(epoll_pwait2, int, epfd, epoll_event*, user, int, max, const timespec64*, timeout, const sigset_t*, mask, size_t,
                size) {
  Limit limit{true, false, 0};
  if (timeout) {
    timespec64 ts;
    if (copy_from_user(&ts, timeout, sizeof(ts))) return -EFAULT;
    if (!timespec64_valid(&ts)) return -EINVAL;
    ktime_t t = timespec64_to_ktime(ts);
    limit = {false, t == 0, ktime_add_safe(ktime_get(), t)};
  }
  return pwait(epfd, user, max, limit, mask, size);
}
