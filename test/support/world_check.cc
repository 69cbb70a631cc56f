// See world_check.hh. Spec 20 sections 1, 2.7 and 7, 21 sections 4, 5 and 8.
// SPDX-License-Identifier: Apache-2.0
#include "test/support/world_check.hh"

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

void WorldFindings::add(const char* fmt, ...) {
  char line[192];
  va_list args;
  va_start(args, fmt);
  vscnprintf(line, sizeof line, fmt, args);
  va_end(args);
  count_++;
  pr_err("world check: %s\n", line);
  if (used_ < sizeof text_ - 1) used_ += static_cast<size_t>(scnprintf(text_ + used_, sizeof text_ - used_, "%s\n", line));
}

namespace {

#define EXPECT(cond, t, ...)                                                                  \
  do {                                                                                        \
    if (!(cond)) f.add("task %d: not " #cond " " __VA_ARGS__, (t)->pid);                      \
  } while (0)

// ---- One task, one group (tasklist_lock held) ------------------------------------------------------------------------

bool has_link(const hlist_head& head, const hlist_node* link) {
  for (const hlist_node* n = head.first; n; n = n->next)
    if (n == link) return true;
  return false;
}

void check_numbers(WorldFindings& f, task_struct* t) {
  struct pid* pid = t->thread_pid;
  if (!pid) return f.add("task %d is on the lists without a struct pid", t->pid);
  EXPECT(pid->numbers[0].nr == t->pid, t);
  EXPECT(refcount_read(&pid->count) >= 1, t);
  EXPECT(pid_task(pid, PIDTYPE_PID) == t, t);  // T-30
  EXPECT(has_link(pid->tasks[PIDTYPE_PID], &t->pid_links[PIDTYPE_PID]), t);
  for (unsigned i = 0; i <= pid->level; i++) {
    const upid& u = pid->numbers[i];
    EXPECT(u.ns->level == i, t);
    EXPECT(find_pid_ns(u.nr, u.ns) == pid, t);  // T-20
  }
}

void check_thread(WorldFindings& f, task_struct* leader, task_struct* t) {
  EXPECT(t->signal == leader->signal, t);
  EXPECT(t->group_leader == leader, t);
  EXPECT(t->tgid == leader->tgid, t);
  EXPECT(t->sighand == leader->sighand && t->sighand, t);
  EXPECT(thread_group_leader(t) == (t == leader), t);
  EXPECT(t == leader || list_empty(&t->children) || t->real_parent, t);
  EXPECT(t->real_parent->exit_state == 0, t, "(its parent is dead)");
  EXPECT(t->parent->exit_state == 0, t, "(its tracer is dead)");
  EXPECT(t->ptrace || t->parent == t->real_parent, t);  // T-2
  EXPECT(refcount_read(&t->usage) >= 1, t);
  check_numbers(f, t);
  if (!t->exit_state) return;
  EXPECT(t->flags & PF_EXITING, t);
  EXPECT(!t->mm && !t->files && !t->fs && !t->nsproxy, t);  // the order of exit: 21 section 2
}

void check_roles(WorldFindings& f, task_struct* p) {
  signal_struct* s = p->signal;
  EXPECT(s->pids[PIDTYPE_TGID] == p->thread_pid, p);
  for (int role : {PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID}) {
    if (!s->pids[role])
      f.add("task %d has no pid in role %d", p->pid, role);
    else if (!has_link(s->pids[role]->tasks[role], &p->pid_links[role]))
      f.add("task %d is not linked to its pid in role %d", p->pid, role);
  }
}

// Returns the number of threads.
int check_group(WorldFindings& f, task_struct* p) {
  EXPECT(thread_group_leader(p), p);
  check_roles(f, p);
  int threads = 0, begun = 0;
  task_struct* t;
  for_each_thread(p, t) {
    check_thread(f, p, t);
    threads++;
    begun += (READ_ONCE(t->flags) & PF_EXITING) != 0;
  }
  const signal_struct* s = p->signal;
  const int live = atomic_read(&s->live);
  EXPECT(s->nr_threads == threads, p);
  EXPECT(live <= threads && live >= threads - begun, p);
  EXPECT(s->quick_threads >= 0 && s->quick_threads <= live, p);
  EXPECT(static_cast<int>(refcount_read(&s->sigcnt)) >= threads, p);
  EXPECT(static_cast<int>(refcount_read(&p->sighand->count)) >= threads, p);
  return threads;
}

// ---- Relations -------------------------------------------------------------------------------------------------------

struct Relations {
  int children = 0, traced = 0;
};

void count_relations(WorldFindings& f, task_struct* t, Relations* sum) {
  task_struct* c;
  list_for_each_entry(c, &t->children, sibling) {
    sum->children++;
    EXPECT(c->real_parent == t, c);
    EXPECT(thread_group_leader(c), c);  // T-3
  }
  list_for_each_entry(c, &t->ptraced, ptrace_entry) {
    sum->traced++;
    EXPECT(c->ptrace && c->parent == t, c);
  }
}

int for_all_tasks(auto visit) {
  int n = 0;
  task_struct *p, *t;
  for_each_process_thread(p, t) {
    visit(t);
    n++;
  }
  return n;
}

}  // namespace

void check_tasks(WorldFindings& f) {
  ReadGuard tasklist(tasklist_lock);
  int processes = 0, threads = 0, traced = 0;
  task_struct* p;
  for_each_process(p) {
    processes++;
    threads += check_group(f, p);
  }
  if (threads != nr_threads) f.add("nr_threads is %d, but there are %d", nr_threads, threads);
  // Each process is linked once, by `sibling`; so equal numbers mean that each is on exactly its parent's list.
  Relations sum;
  count_relations(f, &init_task, &sum);
  for_all_tasks([&](task_struct* t) {
    count_relations(f, t, &sum);
    traced += t->ptrace != 0;
  });
  if (sum.children != processes) f.add("%d processes are on their parents' lists, but there are %d", sum.children, processes);
  if (sum.traced != traced) f.add("%d tasks are on their tracers' lists, but %d are traced", sum.traced, traced);
}

// ---- At rest -----------------------------------------------------------------------------------------------------------

namespace {

// How often each pointer was seen.
class Tally {
 public:
  static constexpr unsigned kSlots = 1024;
  void seen(const void* p) {
    if (!p) return;
    Entry& e = slot(p);
    e.key = p;
    e.n++;
  }
  int of(const void* p) { return slot(p).n; }
  bool full() const { return full_; }
  void clear() { memset(this, 0, sizeof *this); }

 private:
  struct Entry {
    const void* key;
    int n;
  };
  Entry& slot(const void* p) {
    unsigned at = static_cast<unsigned>(reinterpret_cast<unsigned long>(p) / 64 * 0x9e3779b1u) % kSlots;
    for (unsigned tries = 0; tries < kSlots; tries++, at = (at + 1) % kSlots)
      if (!entry_[at].key || entry_[at].key == p) return entry_[at];
    full_ = true;
    return entry_[0];
  }
  Entry entry_[kSlots];
  bool full_;
};

// A program that sleeps uninterruptibly is in the middle of something, with things in its hands: a grace period, say.
bool busy(task_struct* t) {
  return READ_ONCE(t->on_rq) || READ_ONCE(t->on_cpu) ||
         (!(READ_ONCE(t->flags) & PF_KTHREAD) && READ_ONCE(t->__state) == TASK_UNINTERRUPTIBLE);
}
bool somebody_runs() {
  bool any = false;
  for_all_tasks([&](task_struct* t) { any |= t != current && busy(t); });
  return any;
}

// One kind of object: all tasks have been tallied; each object's own count must be what they make.
enum class Others { None, Some };  // may others than tasks hold references?
void compare(WorldFindings& f, const char* what, task_struct* t, long kept, long counted, Others others) {
  if (kept == counted || (others == Others::Some && kept > counted)) return;
  f.add("task %d: %s has count %ld, but %ld tasks use it", t->pid, what, kept, counted);
}
Others but_for(bool initial) { return initial ? Others::Some : Others::None; }

// fn(task, tally): what to tally; then check each task's object.
void recount(WorldFindings& f, Tally* tally, auto key, auto check) {
  tally->clear();
  for_all_tasks([&](task_struct* t) { tally->seen(key(t)); });
  if (tally->full()) return;  // too many to say
  for_all_tasks([&](task_struct* t) {
    if (key(t)) check(t, tally->of(key(t)));
  });
}

// F-62: each task is charged to its user's counts, and to those of the owner of each namespace above.
void recount_charges(WorldFindings& f, Tally* n) {
  n->clear();
  for_all_tasks([&](task_struct* t) {
    for (ucounts* u = t->real_cred->ucounts; u; u = ucounts_above(u)) n->seen(u);
  });
  if (n->full()) return;
  for_all_tasks([&](task_struct* t) {
    for (ucounts* u = t->real_cred->ucounts; u; u = ucounts_above(u))
      compare(f, "NPROC charge", t, get_rlimit_value(u, UCOUNT_RLIMIT_NPROC), n->of(u), but_for(u == &init_ucounts));
  });
}

void recount_shared(WorldFindings& f, Tally* n) {
  recount(f, n, [](task_struct* t) { return t->mm; }, [&](task_struct* t, int users) {
    compare(f, "mm", t, atomic_read(&t->mm->mm_users), users, Others::None);
    EXPECT(atomic_read(&t->mm->mm_count) >= 1, t);
  });
  recount(f, n, [](task_struct* t) { return t->files; }, [&](task_struct* t, int users) {
    compare(f, "files", t, atomic_read(&t->files->count), users, but_for(t->files == init_task.files));
  });
  recount(f, n, [](task_struct* t) { return t->fs; }, [&](task_struct* t, int users) {
    compare(f, "fs", t, t->fs->users, users, but_for(t->fs == init_task.fs));
  });
  recount(f, n, [](task_struct* t) { return t->sighand; }, [&](task_struct* t, int users) {
    compare(f, "sighand", t, refcount_read(&t->sighand->count), users, but_for(t->sighand == init_task.sighand));
  });
  recount(f, n, [](task_struct* t) { return t->nsproxy; }, [&](task_struct* t, int users) {
    compare(f, "nsproxy", t, refcount_read(&t->nsproxy->count), users, but_for(t->nsproxy == &init_nsproxy));
  });
  recount(f, n, [](task_struct* t) { return t->signal; }, [&](task_struct* t, int users) {
    compare(f, "signal_struct", t, refcount_read(&t->signal->sigcnt), users, Others::Some);
  });
  recount(f, n, [](task_struct* t) { return t->cred; }, [&](task_struct* t, int users) {
    compare(f, "cred", t, atomic_read(&t->cred->usage), users, Others::Some);
  });
  recount_charges(f, n);
}

bool somebody_was_told(task_struct* p) {
  task_struct* t;
  for_each_thread(p, t) if (test_tsk_thread_flag(t, TIF_SIGPENDING)) return true;
  return false;
}

// A signal that a sleeper would take must have woken it, or, if it is the group's, another thread (S-6, S-20, S-23).
void check_wake_ups(WorldFindings& f, task_struct* t) {
  if ((t->flags & (PF_KTHREAD | PF_EXITING)) || !(READ_ONCE(t->__state) & TASK_INTERRUPTIBLE)) return;
  if (t == current || is_global_init(t)) return;
  if (t->jobctl & JOBCTL_TRAP_FREEZE) return;  // what does not kill waits until it is thawed: docs/spec-notes.md
  EXPECT(!test_tsk_thread_flag(t, TIF_SIGPENDING), t, "(but sleeps)");
  const u64 own = t->pending.signal.sig[0] & ~t->blocked.sig[0], shared = t->signal->shared_pending.signal.sig[0] & ~t->blocked.sig[0];
  if (own || (shared && !somebody_was_told(t)))
    f.add("task %d sleeps, with signals %#llx, of the group %#llx, pending and not blocked", t->pid, own, shared);
}

void check_one_at_rest(WorldFindings& f, task_struct* t) {
  if (t->exit_state) {
    EXPECT(!t->on_rq && !t->on_cpu, t, "(dead and queued)");
    EXPECT(READ_ONCE(t->__state) == TASK_DEAD, t);
    EXPECT(t->exit_state == EXIT_ZOMBIE || t->exit_state == EXIT_TRACE, t, "(dead, but not reaped)");
    EXPECT(thread_group_leader(t) || t->ptrace, t, "(a thread's zombie)");
    EXPECT(refcount_read(&t->rcu_users) == 1, t, "(it has not left its CPU)");
  } else {
    EXPECT(refcount_read(&t->rcu_users) == 2, t);
    check_wake_ups(f, t);
  }
}

void check_stop_count(WorldFindings& f, task_struct* p) {
  int counted = 0;
  task_struct* t;
  for_each_thread(p, t) counted += !t->exit_state && (t->jobctl & JOBCTL_STOP_CONSUME);
  if (counted != p->signal->group_stop_count)  // S-41
    f.add("process %d: group_stop_count is %d, but %d threads are counted", p->pid, p->signal->group_stop_count, counted);
}

// Every number leads to a struct that some task uses (T-29), and they are as many as the namespace says.
void check_namespace_numbers(WorldFindings& f, pid_namespace* ns) {
  unsigned found = 0;
  for (struct pid* pid = find_ge_pid(1, ns); pid; pid = find_ge_pid(pid->numbers[ns->level].nr + 1, ns)) {
    found++;
    bool used = false;
    for (auto& head : pid->tasks) used |= !hlist_empty(&head);
    if (!used) f.add("number %d (level %u) is taken, but no task uses it", pid->numbers[ns->level].nr, ns->level);
  }
  if (found != (ns->pid_allocated & ~kPidAdding))
    f.add("pid namespace of level %u: %u numbers allocated, %u in the table", ns->level, ns->pid_allocated & ~kPidAdding, found);
}

}  // namespace

bool world_is_at_rest() {
  ReadGuard tasklist(tasklist_lock);
  return !somebody_runs();
}

void check_world_at_rest(WorldFindings& f) {
  auto* tally = static_cast<Tally*>(kmalloc(sizeof(Tally), GFP_KERNEL));
  if (!tally) return;
  check_tasks(f);
  {
    ReadGuard tasklist(tasklist_lock);
    if (!somebody_runs()) {
      recount_shared(f, tally);
      for_all_tasks([&](task_struct* t) { check_one_at_rest(f, t); });
      task_struct* p;
      for_each_process(p) check_stop_count(f, p);
      tally->clear();
      for_all_tasks([&](task_struct* t) {
        pid_namespace* ns = ns_of_pid(t->thread_pid);
        if (!tally->of(ns)) check_namespace_numbers(f, ns);
        tally->seen(ns);
      });
    }
  }
  kfree(tally);
}
