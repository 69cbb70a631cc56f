// msgget(2), msgsnd(2), msgrcv(2). Spec 60 V-5..V-11.
// SPDX-License-Identifier: Apache-2.0
#include "ipc/msg.hh"

#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

struct Wanted {
  long type;
  int flags;
  size_t room;
};

// On the stacks of those who sleep.
struct Receiver {
  list_head list;
  task_struct* task;
  Wanted wanted;
  Message* message;  // handed over
  int error;         // or why not; 0 while it waits
};
struct Sender {
  list_head list;
  task_struct* task;
  bool woken;
};

// V-7.
bool matches(const Wanted& w, long type) {
  if (!w.type) return true;
  if (w.type < 0) return w.type == -__LONG_MAX__ - 1 || type <= -w.type;
  return (type == w.type) == !(w.flags & MSG_EXCEPT);
}

Message* find_message(const MsgQueue* q, const Wanted& w) {
  Message *m, *best = nullptr;
  if (w.flags & MSG_COPY) {  // V-10: by index
    long n = 0;
    list_for_each_entry(m, &q->messages, list) if (n++ == w.type) return m;
    return nullptr;
  }
  list_for_each_entry(m, &q->messages, list) {
    if (!matches(w, m->type)) continue;
    if (w.type >= 0) return m;
    if (!best || m->type < best->type) best = m;
  }
  return best;
}

void note(struct pid** who, s64* when) {
  put_pid(std::exchange(*who, get_pid(task_tgid(current))));
  *when = ktime_get_real_seconds();
}

// V-11. True: somebody who slept has it now.
bool hand_over(MsgQueue* q, Message* m) {
  Receiver *r, *next;
  list_for_each_entry_safe(r, next, &q->receivers, list) {
    if (!matches(r->wanted, m->type)) continue;
    list_del_init(&r->list);
    const bool fits = m->size <= r->wanted.room || (r->wanted.flags & MSG_NOERROR);
    if (fits) {
      r->message = m;
      put_pid(std::exchange(q->last_receiver, get_pid(task_tgid(r->task))));
      q->rtime = ktime_get_real_seconds();
    } else {
      r->error = -E2BIG;
    }
    wake_up_process(r->task);
    if (fits) return true;
  }
  return false;
}

// V-6.
bool has_room(const MsgQueue* q, size_t size) { return q->bytes + size <= q->max_bytes && q->count + 1 <= q->max_bytes; }

bool enqueue(ipc_namespace* ns, MsgQueue* q, Message* m) {
  if (!has_room(q, m->size)) return false;
  note(&q->last_sender, &q->stime);
  if (hand_over(q, m)) return true;
  list_add_tail(&m->list, &q->messages);
  q->bytes += m->size;
  q->count++;
  atomic_long_add(static_cast<long>(m->size), &ns->msg_bytes);
  atomic_long_inc(&ns->msg_headers);
  return true;
}

void dequeue(ipc_namespace* ns, MsgQueue* q, Message* m) {
  list_del(&m->list);
  q->bytes -= m->size;
  q->count--;
  atomic_long_add(-static_cast<long>(m->size), &ns->msg_bytes);
  atomic_long_dec(&ns->msg_headers);
}

}  // namespace

void msg_wake_senders(MsgQueue* q, int) {
  Sender *s, *next;
  list_for_each_entry_safe(s, next, &q->senders, list) {
    list_del_init(&s->list);
    s->woken = true;
    wake_up_process(s->task);
  }
}

// ---- Life -------------------------------------------------------------------------------------------------------------------

namespace {

Result<IpcObject*> make_queue(ipc_namespace* ns, unsigned long) {
  auto* q = static_cast<MsgQueue*>(kzalloc(sizeof(MsgQueue), GFP_KERNEL));
  if (!q) return fail(ENOMEM);
  refcount_set(&q->ipc.refs, 1);
  q->max_bytes = static_cast<unsigned long>(READ_ONCE(ns->msgmnb));
  q->ctime = ktime_get_real_seconds();
  for (list_head* l : {&q->messages, &q->receivers, &q->senders}) INIT_LIST_HEAD(l);
  return &q->ipc;
}

Result<void> charge_queue(ipc_namespace* ns, const IpcObject*) {
  return ns->queues.used < ns->msgmni ? Result<void>{} : fail(ENOSPC);
}
Result<void> queue_fits(const IpcObject*, unsigned long) { return {}; }

void free_queue(IpcObject* o) {
  MsgQueue* q = to_queue(o);
  Message *m, *next;
  list_for_each_entry_safe(m, next, &q->messages, list) kvfree(m);
  put_pid(q->last_sender);
  put_pid(q->last_receiver);
  kfree(q);
}

}  // namespace

constinit const IpcKind kMsgKind = {&ipc_namespace::queues, make_queue, charge_queue, queue_fits, free_queue};

void msg_remove(ipc_namespace* ns, MsgQueue* q) {
  ipc_unlink(&ns->queues, &q->ipc);
  atomic_long_add(-static_cast<long>(q->bytes), &ns->msg_bytes);
  atomic_long_add(-static_cast<long>(q->count), &ns->msg_headers);
  Receiver *r, *next;
  list_for_each_entry_safe(r, next, &q->receivers, list) {
    list_del_init(&r->list);
    r->error = -EIDRM;
    wake_up_process(r->task);
  }
  msg_wake_senders(q, -EIDRM);
}

SYSCALL_DEFINE2(msgget, int, key, int, flags) { return to_abi(ipc_get(current_ipc_ns(), kMsgKind, key, flags, 0)); }

// ---- Sending ------------------------------------------------------------------------------------------------------------------

namespace {

Result<MsgQueue*> queue_for(ipc_namespace* ns, int id, unsigned wanted) {
  MsgQueue* q = to_queue(TRY(ipc_find(&ns->queues, id)));
  TRY(ipc_permission(ns, &q->ipc, wanted));
  return q;
}

// Sleeps once, until woken (true) or a signal comes. Lock held on entry and return, not meanwhile.
template <class Waiter, class Over>
bool sleep_once(IpcIds* ids, Waiter* w, list_head* queue, Over over) NO_THREAD_SAFETY_ANALYSIS {
  list_add_tail(&w->list, queue);
  for (;;) {
    __set_current_state(TASK_INTERRUPTIBLE);
    spin_unlock(&ids->lock);
    if (!signal_pending(current)) schedule();
    __set_current_state(TASK_RUNNING);
    spin_lock(&ids->lock);
    if (over()) return true;
    if (!signal_pending(current)) continue;
    list_del_init(&w->list);
    return false;
  }
}

long send(ipc_namespace* ns, int id, Message* m, int flags) {
  SpinGuard guard(ns->queues.lock);
  MsgQueue* q = TRY_ABI(queue_for(ns, id, 0222));
  if (enqueue(ns, q, m)) return 0;
  ipc_hold(&q->ipc);
  long r = -EAGAIN;
  while (!(flags & IPC_NOWAIT)) {
    Sender s{{}, current, false};
    if (!sleep_once(&ns->queues, &s, &q->senders, [&] { return s.woken; })) {
      r = -ERESTARTNOHAND;
      break;
    }
    r = q->ipc.removed ? -EIDRM : to_abi(ipc_permission(ns, &q->ipc, 0222));
    if (r || enqueue(ns, q, m)) break;
  }
  guard.unlock();
  ipc_put(kMsgKind, &q->ipc);
  return r;
}

Result<Message*> message_from_user(const long __user* user, size_t size) {
  long type;
  if (get_user(type, user)) return fail(EFAULT);
  if (type < 1) return fail(EINVAL);
  auto* m = static_cast<Message*>(kvmalloc(sizeof(Message) + size, GFP_KERNEL));
  if (!m) return fail(ENOMEM);
  m->type = type;
  m->size = size;
  if (!copy_from_user(m->text, user + 1, size)) return m;
  kvfree(m);
  return fail(EFAULT);
}

}  // namespace

SYSCALL_DEFINE4(msgsnd, int, id, long __user*, user, size_t, size, int, flags) {
  ipc_namespace* ns = current_ipc_ns();
  if (static_cast<long>(size) < 0 || size > static_cast<size_t>(READ_ONCE(ns->msgmax)) || id < 0) return -EINVAL;
  Message* m = TRY_ABI(message_from_user(user, size));
  const long r = send(ns, id, m, flags);
  if (r) kvfree(m);
  return r;
}

// ---- Receiving ------------------------------------------------------------------------------------------------------------------

namespace {

// Lock held. The message, which is the caller's then; null: none is there.
Result<Message*> take(ipc_namespace* ns, MsgQueue* q, const Wanted& w, Message* copy) {
  Message* m = find_message(q, w);
  if (!m) return nullptr;
  if (m->size > w.room && !(w.flags & MSG_NOERROR)) return fail(E2BIG);  // V-8: and it stays
  if (copy) {
    if (m->size > w.room) return fail(EINVAL);
    copy->type = m->type;
    copy->size = m->size;
    __builtin_memcpy(copy->text, m->text, m->size);
    return copy;
  }
  dequeue(ns, q, m);
  note(&q->last_receiver, &q->rtime);
  msg_wake_senders(q, 0);
  return m;
}

Result<Message*> receive(ipc_namespace* ns, int id, const Wanted& w, Message* copy) {
  SpinGuard guard(ns->queues.lock);
  MsgQueue* q = TRY(queue_for(ns, id, 0444));
  Message* m = TRY(take(ns, q, w, copy));
  if (m) return m;
  if (w.flags & IPC_NOWAIT) return fail(ENOMSG);
  ipc_hold(&q->ipc);
  Receiver r{{}, current, w, nullptr, 0};
  const bool woken = sleep_once(&ns->queues, &r, &q->receivers, [&] { return r.message || r.error; });
  guard.unlock();
  ipc_put(kMsgKind, &q->ipc);
  if (!woken) return fail(ERESTARTNOHAND);
  if (r.error) return fail(-r.error);
  return r.message;
}

long message_to_user(const Message* m, long __user* user, size_t room) {
  const size_t n = m->size < room ? m->size : room;
  if (put_user(m->type, user) || copy_to_user(user + 1, m->text, n)) return -EFAULT;
  return static_cast<long>(n);
}

}  // namespace

SYSCALL_DEFINE5(msgrcv, int, id, long __user*, user, size_t, room, long, type, int, flags) {
  ipc_namespace* ns = current_ipc_ns();
  if (id < 0 || static_cast<long>(room) < 0) return -EINVAL;
  Message* copy = nullptr;
  size_t taken = room;
  if (flags & MSG_COPY) {
    if ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)) return -EINVAL;
    const size_t most = static_cast<size_t>(READ_ONCE(ns->msgmax));
    if (room > most) taken = most;
    copy = static_cast<Message*>(kvmalloc(sizeof(Message) + taken, GFP_KERNEL));
    if (!copy) return -ENOMEM;
  }
  auto m = receive(ns, id, {type, flags, taken}, copy);
  const long r = m ? message_to_user(*m, user, room) : m.error().neg();
  if (copy)
    kvfree(copy);
  else if (m)
    kvfree(*m);
  return r;
}

void msg_init_ns(ipc_namespace* ns) {
  ns->queues = {};
  spin_lock_init(&ns->queues.lock);
  ns->msgmax = MSGMAX;
  ns->msgmnb = MSGMNB;
  ns->msgmni = MSGMNI;
}

void msg_exit_ns(ipc_namespace* ns) {
  for (int i = 0; i < ns->queues.size; i++) {
    IpcObject* o;
    {
      SpinGuard guard(ns->queues.lock);
      o = ns->queues.slots[i];
      if (o) msg_remove(ns, to_queue(o));
    }
    if (o) ipc_put(kMsgKind, o);
  }
  kfree(ns->queues.slots);
  ns->queues.slots = nullptr;
  ns->queues.size = 0;
}
