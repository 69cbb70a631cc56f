// task_struct: the fields a module may touch. The kernel's own view, with the rest, is struct Task (kernel/task/task.hh).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SCHED_H
#define _LINUX_SCHED_H
#include <asm/processor.h>
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/rbtree_types.h>
#include <linux/spinlock_types.h>
#include <linux/wait_types.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

/* States (spec 20 section 4). */
#define TASK_RUNNING 0x0000
#define TASK_INTERRUPTIBLE 0x0001
#define TASK_UNINTERRUPTIBLE 0x0002
#define __TASK_STOPPED 0x0004
#define __TASK_TRACED 0x0008
#define EXIT_DEAD 0x0010
#define EXIT_ZOMBIE 0x0020
#define EXIT_TRACE (EXIT_ZOMBIE | EXIT_DEAD)
#define TASK_PARKED 0x0040
#define TASK_DEAD 0x0080
#define TASK_WAKEKILL 0x0100
#define TASK_WAKING 0x0200
#define TASK_NOLOAD 0x0400
#define TASK_NEW 0x0800
#define TASK_RTLOCK_WAIT 0x1000
#define TASK_FREEZABLE 0x2000
#define TASK_FROZEN 0x8000
#define TASK_KILLABLE (TASK_WAKEKILL | TASK_UNINTERRUPTIBLE)
#define TASK_STOPPED (TASK_WAKEKILL | __TASK_STOPPED)
#define TASK_TRACED __TASK_TRACED
#define TASK_IDLE (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)
#define TASK_NORMAL (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE)

/* PF_ flags (spec 20 section 5). */
#define PF_IDLE 0x00000002
#define PF_EXITING 0x00000004
#define PF_POSTCOREDUMP 0x00000008
#define PF_WQ_WORKER 0x00000020
#define PF_FORKNOEXEC 0x00000040
#define PF_SUPERPRIV 0x00000100
#define PF_DUMPCORE 0x00000200
#define PF_SIGNALED 0x00000400
#define PF_MEMALLOC 0x00000800
#define PF_NPROC_EXCEEDED 0x00001000
#define PF_NOFREEZE 0x00008000
#define PF_KTHREAD 0x00200000
#define PF_RANDOMIZE 0x00400000
#define PF_NO_SETAFFINITY 0x04000000
#define PF_SUSPEND_TASK 0x80000000 /* it freezes the others */

/* thread_info flags: work to do before user mode (spec 10 section 12.1). Bit numbers. */
#define TIF_NOTIFY_RESUME 1
#define TIF_SIGPENDING 2
#define TIF_NEED_RESCHED 3
#define TIF_SINGLESTEP 4
#define TIF_NEED_FPU_LOAD 14
#define TIF_NOTIFY_SIGNAL 17
#define TIF_MEMDIE 20 /* chosen by the OOM killer */
#define TIF_POLLING_NRFLAG 21
#define TIF_FORCED_TF 24 /* the trap flag in the user's registers is a tracer's doing */
#define _TIF(n) (1ul << (n))
/* syscall_work bits */
#define SYSCALL_WORK_SECCOMP 1
#define SYSCALL_WORK_SYSCALL_TRACE 4
#define SYSCALL_WORK_SYSCALL_EMU 8
#define SYSCALL_WORK_SYSCALL_EXIT_TRAP 64

#define MAX_RT_PRIO 100
#define MAX_DL_PRIO 0
#define NICE_WIDTH 40
#define MIN_NICE (-20)
#define MAX_NICE 19
#define MAX_PRIO 140
#define DEFAULT_PRIO 120
#define NICE_TO_PRIO(n) ((n) + DEFAULT_PRIO)
#define PRIO_TO_NICE(p) ((p) - DEFAULT_PRIO)
#define TASK_COMM_LEN 16
#ifndef THREAD_SIZE /* asm/processor.h may ask for more */
#define THREAD_SIZE 16384
#endif
#define STACK_END_MAGIC 0x57AC6E9D

struct sched_class;
struct cfs_rq;
struct rt_rq;
struct mm_struct;
struct signal_struct;
struct sighand_struct;
struct files_struct;
struct fs_struct;
struct cred;
struct pid;
struct nsproxy;
struct css_set;
struct rt_mutex_waiter;
struct futex_pi_state;

struct thread_info {
	unsigned long flags;        /* TIF_ bits, changed by atomic bit operations from any CPU */
	unsigned long syscall_work; /* SYSCALL_WORK_ bits */
};

struct load_weight { unsigned long weight; u32 inv_weight; };
/* PELT signal of one entity or queue (spec 31). */
struct sched_avg {
	u64 last_update_time, load_sum, runnable_sum;
	u32 util_sum, period_contrib;
	unsigned long load_avg, runnable_avg, util_avg;
	struct { u32 enqueued, ewma; } util_est;
};
struct sched_entity {
	struct load_weight load;
	struct rb_node run_node;
	struct list_head group_node;
	unsigned on_rq;
	u64 exec_start, sum_exec_runtime, vruntime, prev_sum_exec_runtime, nr_migrations;
	int depth;
	struct sched_entity *parent;
	struct cfs_rq *cfs_rq, *my_q; /* the queue it is on; the one it stands for, if it is a group's */
	unsigned long runnable_weight; /* of a group's: my_q's tasks at the last update */
	struct sched_avg avg;
};
struct sched_rt_entity {
	struct list_head run_list;
	unsigned long timeout;
	unsigned time_slice;
	unsigned short on_rq, on_list;
	unsigned char migratory; /* counted as one that may run elsewhere */
};
struct sched_dl_entity {
	struct rb_node rb_node; /* clear: not queued */
	u64 dl_runtime, dl_deadline, dl_period, dl_bw, dl_density; /* as asked for, and the ratios */
	s64 runtime;  /* left of this instance; below 0: debt */
	u64 deadline; /* of this instance, on the rq's clock */
	/* What a root domain set aside for it, and which; SchedState::dl_lock. */
	u64 admitted_bw;
	struct root_domain *rd;
	struct list_head admitted_node;
	unsigned flags;
	/* rq->lock. counted, contending: its bandwidth is in this_bw, in running_bw of its CPU. */
	unsigned throttled : 1, yielded : 1, counted : 1, contending : 1;
	unsigned boosted : 1; /* dl_runtime to dl_density are a donor's (D-20); the task's own lie here */
	unsigned char overrun; /* SIGXCPU is owed: its CPU's tick takes it without the lock */
	struct { u64 runtime, deadline, period, density; } own;
	struct list_head inactive_node;
	struct hrtimer dl_timer, inactive_timer;
};
struct sigpending { struct list_head list; sigset_t signal; };
struct restart_block {
	unsigned long arch_data;
	long (*fn)(struct restart_block *);
	union {
		struct { u32 *uaddr; u32 val, flags, bitset; u64 time; u32 *uaddr2; } futex;
		struct { int clockid, type; void *rmtp; u64 expires; } nanosleep;
		struct { void *ufds; int nfds, has_timeout; s64 tv_sec, tv_nsec; } poll;
	};
};

struct task_struct {
	struct thread_info thread_info; /* first: a task pointer is a thread_info pointer */
	unsigned __state;
	unsigned saved_state;
	void *stack;
	refcount_t usage;
	unsigned flags, ptrace;

	/* Scheduler: rq lock, affinity also pi_lock (spec 20 section 2.2). */
	int on_cpu; /* release/acquire, spec 22 C-36 */
	int on_rq;
	unsigned cpu;
	int wake_cpu, recent_used_cpu;
	unsigned wakee_flips;
	unsigned long wakee_flip_decay_ts;
	struct task_struct *last_wakee;
	int prio, static_prio, normal_prio;
	unsigned rt_priority;
	const struct sched_class *sched_class;
	struct sched_entity se;
	struct sched_rt_entity rt;
	struct sched_dl_entity dl;
	struct task_group *sched_task_group; /* NULL: the root group */
	u64 last_queued, run_delay; /* waits since; has waited so long for a CPU, ns. Its rq's lock */
	struct sched_statistics *stats; /* NULL: kernel.sched_schedstats has never been on */
	unsigned policy;
	int nr_cpus_allowed;
	const cpumask_t *cpus_ptr;
	cpumask_t cpus_mask;
	unsigned migration_disabled; /* depth; current only */
	struct affinity_waiter *affinity_waiters; /* who waits until it is 0; pi_lock */
	unsigned sched_reset_on_fork : 1, sched_contributes_to_load : 1, sched_migrated : 1;
	unsigned sched_must_leave : 1; /* runs where it may not, its CPU's stopper is told */
	unsigned : 0; /* those above: rq lock. Those below: the task itself; hence not the same word */
	unsigned in_execve : 1, in_iowait : 1, no_cgroup_migration : 1, restore_sigmask : 1, no_new_privs : 1; /* current only */
	raw_spinlock_t pi_lock;
	/* Priority inheritance, kernel/sync/rt_mutex.cc: the lock of its graph; pi_top_task also by pi_lock and rq lock. */
	struct rb_root_cached pi_waiters; /* the first waiter of each lock that this task owns */
	struct task_struct *pi_top_task;  /* whose priority it has been given; NULL: nobody's */
	struct rt_mutex_waiter *pi_blocked_on;
	struct task_struct *wake_q_next;
	struct task_struct *wake_entry; /* the next on a CPU's list of remote wake-ups; who made it TASK_WAKING, then that CPU */
	unsigned char sched_remote_wakeup; /* moved to that CPU by its waker; likewise */

	struct mm_struct *mm, *active_mm;
	int exit_state, exit_code, exit_signal, pdeath_signal;
	unsigned long jobctl, personality;
	struct restart_block restart_block;
	pid_t pid, tgid;
	unsigned long stack_canary;

	/* Relations: tasklist_lock. */
	struct task_struct *real_parent, *parent;
	struct list_head children, sibling;
	struct task_struct *group_leader;
	struct list_head ptraced, ptrace_entry;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	struct list_head tasks, thread_node;
	struct completion *vfork_done;
	int *set_child_tid, *clear_child_tid;
	void *worker_private;

	u64 utime, stime, gtime;
	u64 prev_utime, prev_stime; /* what was told last; signal->cputime_lock */
	unsigned long nvcsw, nivcsw;
	u64 start_time, start_boottime;
	unsigned long min_flt, maj_flt;

	const struct cred *ptracer_cred, *real_cred, *cred;
	char comm[TASK_COMM_LEN];
	struct io_context *io_context; /* alloc_lock; NULL: no I/O priority was ever set */
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct sem_undo_list *sysvsem; /* what semop(2) is to be undone at exit; NULL: nothing. current */
	struct css_set *cgroups;  /* css_set_lock, RCU to read */
	struct list_head cg_list; /* of the set's tasks; css_set_lock */
	struct cg_times { u64 runtime, utime, stime; } cg_base; /* used before it came to its cgroup; css_set_lock */
	unsigned frozen;          /* by its cgroup; current changes it, css_set_lock */
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	sigset_t blocked, real_blocked, saved_sigmask;
	struct sigpending pending;
	unsigned long sas_ss_sp;
	size_t sas_ss_size;
	unsigned sas_ss_flags;
	struct callback_head *task_works;
	u64 parent_exec_id, self_exec_id;
	spinlock_t alloc_lock; /* mm, files, fs, comm, vfork_done of this task; see spec 20 T-6 for its place in the order */
	u64 timer_slack_ns, default_timer_slack_ns;
	void *robust_list;
	refcount_t stack_refcount, rcu_users;
	struct rcu_head rcu;
	unsigned long ptrace_message;
	kernel_siginfo_t *last_siginfo;
	unsigned futex_state;
	struct list_head pi_state_list; /* of PI futexes that it owns and others wait for; pi_lock */
	struct futex_pi_state *pi_state_cache; /* current only */
	void *rseq; /* user address of struct rseq; NULL: not registered. current only */
	u32 rseq_len, rseq_sig;

	struct thread_struct thread; /* last: the machine's own */
};

CF_C_BEGIN
void schedule(void);
int wake_up_process(struct task_struct *p);
int wake_up_state(struct task_struct *p, unsigned state);
long schedule_timeout(long timeout); /* jiffies; spec 33 W-21 */
long schedule_timeout_interruptible(long timeout);
long schedule_timeout_killable(long timeout);
long schedule_timeout_uninterruptible(long timeout);
long schedule_timeout_idle(long timeout);
void io_schedule(void);
void set_user_nice(struct task_struct *p, long nice);
void yield(void);
int yield_to(struct task_struct *p, bool preempt); /* spec 30 S-65; preempt: p's CPU, if another, is to choose again */
void __put_task_struct(struct task_struct *t);
CF_C_END
#define MAX_SCHEDULE_TIMEOUT 0x7fffffffffffffffl

static inline struct task_struct *get_task_struct(struct task_struct *t)
{
	refcount_inc(&t->usage);
	return t;
}
static inline void put_task_struct(struct task_struct *t)
{
	if (refcount_dec_and_test(&t->usage))
		__put_task_struct(t);
}
#define __set_current_state(s) WRITE_ONCE(current->__state, (s))
/* Full barrier: pairs with the one in try_to_wake_up (spec 33 W-9). */
#define set_current_state(s) smp_store_mb(current->__state, (s))
static inline int task_nice(const struct task_struct *p) { return PRIO_TO_NICE(READ_ONCE(p->static_prio)); }
static inline unsigned task_cpu(const struct task_struct *p) { return READ_ONCE(p->cpu); }
#include <asm/current.h>
#endif
