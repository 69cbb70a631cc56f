// The process objects: what threads of a group share (signal_struct), handlers (sighand_struct), credentials, pids.
// task_struct itself is in include/linux/sched.h. Who guards what: spec 20 section 2, repeated at the fields.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/rcupdate.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <uapi/linux/resource.h>

#include "lib/result.hh"

struct tty_struct;
struct user_namespace;

// ---- Global task list -------------------------------------------------------------------------------------------
extern rwlock_t tasklist_lock;       // relations, task list, pid links. Interrupts off for writers
extern task_struct init_task;        // CPU 0's idle task
extern unsigned long total_forks;    // tasklist_lock
extern int nr_threads, max_threads;  // tasklist_lock; idle tasks are not counted

// ---- Signals ----------------------------------------------------------------------------------------------------
struct k_sigaction {
  struct sigaction sa;
};
// Type-stable under RCU: may be locked by a reader, who then re-checks task->sighand (T-5).
struct sighand_struct {
  spinlock_t siglock;  // this struct; signal_struct's fields marked siglock; task->pending, blocked, jobctl
  refcount_t count;
  wait_queue_head_t signalfd_wqh;
  u64 used;  // bit per action that may differ from zeroes (SIG_DFL): only those are copied by fork. See set_sigaction()
  k_sigaction action[_NSIG];
};
// The only ways to change an action; siglock held (or the struct not shared yet). sig counts from 1.
inline void set_sigaction(sighand_struct* s, int sig, const k_sigaction& ka) {
  s->action[sig - 1] = ka;
  s->used |= 1ull << (sig - 1);
}
inline void set_sighandler(sighand_struct* s, int sig, __sighandler_t handler) {
  s->action[sig - 1].sa.sa_handler = handler;
  s->used |= 1ull << (sig - 1);
}

// signal_struct::flags (T-4), siglock
enum : unsigned {
  SIGNAL_STOP_STOPPED = 0x1, SIGNAL_STOP_CONTINUED = 0x2, SIGNAL_GROUP_EXIT = 0x4,
  SIGNAL_CLD_STOPPED = 0x10, SIGNAL_CLD_CONTINUED = 0x20, SIGNAL_UNKILLABLE = 0x40,
};

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID, PIDTYPE_MAX };

struct ItimerCpu {  // ITIMER_VIRTUAL, ITIMER_PROF: ns of CPU time; siglock
  u64 expires, interval;
};

struct signal_struct {
  refcount_t sigcnt;  // task_structs that point here
  atomic_t live;      // threads that have not begun the exit count-down
  int nr_threads, quick_threads;
  struct list_head thread_head;  // task_struct::thread_node; tasklist_lock, RCU to read
  wait_queue_head_t wait_chldexit;
  task_struct* curr_target;      // siglock: where the next group signal is tried first
  sigpending shared_pending;     // siglock
  struct hlist_head multiprocess;  // siglock: forks in progress (F-94)
  int group_exit_code;           // siglock
  int notify_count;              // exec waits for so many threads
  task_struct* group_exec_task;
  int group_stop_count;          // siglock
  struct CoreDump* core;         // siglock: a core dump in progress
  unsigned flags;                // siglock: SIGNAL_*
  bool is_child_subreaper, has_child_subreaper;
  struct list_head posix_timers;  // siglock
  int next_posix_timer_id;
  struct hlist_head cpu_timers;  // siglock: armed on this process's CPU clocks or its threads', by whomever
  struct hrtimer real_timer;     // ITIMER_REAL
  ktime_t it_real_incr;
  ItimerCpu it[2];               // virtual, prof
  struct pid* pids[PIDTYPE_MAX]; // TGID, PGID, SID; tasklist_lock
  tty_struct* tty;               // siglock; null: no controlling terminal
  struct pid* tty_old_pgrp;      // siglock
  int leader;                    // session leader; tasklist_lock write
  rlimit rlim[RLIM_NLIMITS];     // group leader's alloc_lock
  raw_spinlock_t cputime_lock;   // innermost: prev_utime, prev_stime here and in each thread
  u64 prev_utime, prev_stime;    // what was told last of the group's times
  // Sums of dead threads, and (c*) of waited-for children; siglock.
  u64 utime, stime, cutime, cstime, sum_sched_runtime;
  unsigned long nvcsw, nivcsw, cnvcsw, cnivcsw, min_flt, maj_flt, cmin_flt, cmaj_flt;
  unsigned long maxrss, cmaxrss;  // KiB
  unsigned long inblock, oublock, cinblock, coublock;
  struct Autogroup* autogroup;    // null: in none. Changed by setsid and reaping; RCU to read (kernel/sched/autogroup.hh)
  short oom_score_adj, oom_score_adj_min;
  struct mutex cred_guard_mutex;  // exec, ptrace attach
  struct rw_semaphore exec_update_lock;
};

// ---- Credentials: immutable once published; replaced by prepare_creds/commit_creds (kernel/cred/cred.hh) ---------
struct kernel_cap_t {
  u64 bits;
  constexpr bool operator==(const kernel_cap_t&) const = default;
};
struct user_struct;  // per-uid accounting: kernel/cred/cred.hh
struct group_info {
  atomic_t usage;
  int ngroups;
  kgid_t gid[];
};
struct cred {
  atomic_t usage;
  kuid_t uid, suid, euid, fsuid;
  kgid_t gid, sgid, egid, fsgid;
  unsigned securebits;
  kernel_cap_t cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
  user_struct* user;        // by uid, whatever the namespace
  struct ucounts* ucounts;  // by namespace and real uid
  user_namespace* user_ns;
  group_info* groups;
  struct rcu_head rcu;
};
#define current_cred() (current->cred)

// ---- Pids (kernel/pid/pid.hh has the operations) --------------------------------------------------------------------
struct pid_namespace;
struct upid {
  int nr;
  pid_namespace* ns;
};
struct pid {
  refcount_t count;
  unsigned level;
  spinlock_t lock;
  struct hlist_head tasks[PIDTYPE_MAX];  // tasklist_lock write, RCU read
  wait_queue_head_t wait_pidfd;
  struct rcu_head rcu;
  upid numbers[1];  // level + 1 of them
};

// ---- Small helpers that everybody uses -----------------------------------------------------------------------------
// Without tasklist_lock the answer may be old: what exit_signal means to a new parent changes, its sign does not.
inline bool thread_group_leader(const task_struct* p) { return data_race(p->exit_signal) >= 0; }
inline bool thread_group_empty(task_struct* p) { return READ_ONCE(p->signal->nr_threads) == 1; }
inline bool same_thread_group(const task_struct* a, const task_struct* b) { return a->signal == b->signal; }
#define for_each_process(p) \
  for (p = &init_task; (p = list_entry_rcu(p->tasks.next, task_struct, tasks)) != &init_task;)
#define for_each_thread(leader, t) list_for_each_entry_rcu(t, &(leader)->signal->thread_head, thread_node)
#define for_each_process_thread(p, t) for_each_process(p) for_each_thread(p, t)
inline unsigned long rlimit_of(const task_struct* t, unsigned which) { return READ_ONCE(t->signal->rlim[which].rlim_cur); }
#define rlimit(which) rlimit_of(current, (which))
inline pt_regs* task_pt_regs(const task_struct* t) {
  return reinterpret_cast<pt_regs*>(static_cast<char*>(t->stack) + THREAD_SIZE) - 1;
}

inline void task_lock(task_struct* t) NO_THREAD_SAFETY_ANALYSIS { spin_lock(&t->alloc_lock); }
inline void task_unlock(task_struct* t) NO_THREAD_SAFETY_ANALYSIS { spin_unlock(&t->alloc_lock); }
void put_task_struct_rcu_user(task_struct* t);  // a rcu_users reference; the last one frees after a grace period. Any context
void set_task_comm(task_struct* t, const char* name);  // cut at 15 characters
void put_task_stack(task_struct* t);            // a stack_refcount reference. Any context but hard interrupts

// thread_info flags
inline bool test_tsk_thread_flag(const task_struct* t, int f) { return READ_ONCE(t->thread_info.flags) >> f & 1; }
inline void set_tsk_thread_flag(task_struct* t, int f) { __atomic_fetch_or(&t->thread_info.flags, 1ul << f, __ATOMIC_SEQ_CST); }
inline void clear_tsk_thread_flag(task_struct* t, int f) { __atomic_fetch_and(&t->thread_info.flags, ~(1ul << f), __ATOMIC_SEQ_CST); }
#define test_thread_flag(f) test_tsk_thread_flag(current, (f))
#define set_thread_flag(f) set_tsk_thread_flag(current, (f))
#define clear_thread_flag(f) clear_tsk_thread_flag(current, (f))
inline bool need_resched() { return test_thread_flag(TIF_NEED_RESCHED); }
