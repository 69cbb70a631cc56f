// The first task: the boot CPU's idle task, built by hand. Spec 20 section 6.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fork/init_task.hh"

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "arch/contract/arch.hh"
#include "fs/vfs/vfs.hh"
#include "init/version.hh"
#include "ipc/ipc_namespace.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall_count.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/fork/fork.hh"
#include "kernel/nsproxy/net.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "mm/mm_struct.hh"

task_struct init_task = {.thread = INIT_THREAD};
rwlock_t tasklist_lock;
unsigned long total_forks;
int nr_threads, max_threads;
struct nsproxy init_nsproxy;

namespace {

signal_struct init_signals;
sighand_struct init_sighand;

constexpr rlimit kUnlimited{RLIM_INFINITY, RLIM_INFINITY};
constexpr unsigned long kMiB = 1ul << 20;

void set_default_limits(rlimit* r) {
  for (int i = 0; i < RLIM_NLIMITS; i++) r[i] = kUnlimited;
  r[RLIMIT_STACK] = {8 * kMiB, RLIM_INFINITY};
  r[RLIMIT_CORE] = {0, RLIM_INFINITY};
  r[RLIMIT_NOFILE] = {1024, 4096};
  r[RLIMIT_MEMLOCK] = {8 * kMiB, 8 * kMiB};
  r[RLIMIT_NPROC] = r[RLIMIT_SIGPENDING] = {0, 0};  // fork_init knows
  r[RLIMIT_MSGQUEUE] = {819200, 819200};
  r[RLIMIT_NICE] = r[RLIMIT_RTPRIO] = {0, 0};
}

void build_sighand(sighand_struct* s) {
  *s = {};
  refcount_set(&s->count, 1);
  spin_lock_init(&s->siglock);
  init_waitqueue_head(&s->signalfd_wqh);
}

void build_signals(signal_struct* s, task_struct* leader) {
  init_signal_struct(s, leader);
  for (auto& pid : s->pids) pid = &init_struct_pid;
  s->pids[PIDTYPE_PID] = nullptr;
  set_default_limits(s->rlim);
}

void build_namespaces() {
  auto set = [](char (&to)[__NEW_UTS_LEN + 1], const char* from) { strscpy(to, from, sizeof(to)); };
  init_uts_ns = {};
  ns_common_init_static(&init_uts_ns.ns, &utsns_operations, PROC_UTS_INIT_INO);
  init_uts_ns.user_ns = &init_user_ns;
  set(init_uts_ns.name.sysname, UTS_SYSNAME);
  set(init_uts_ns.name.nodename, "(none)");
  set(init_uts_ns.name.release, UTS_RELEASE);
  set(init_uts_ns.name.version, UTS_VERSION);
  set(init_uts_ns.name.machine, UTS_MACHINE);
  set(init_uts_ns.name.domainname, "(none)");
  init_nsproxy = {};
  refcount_set(&init_nsproxy.count, 1);
  init_ipc_ns = {};
  ns_common_init_static(&init_ipc_ns.ns, &ipcns_operations, PROC_IPC_INIT_INO);
  init_ipc_ns.user_ns = &init_user_ns;
  init_net = {};
  ns_common_init_static(&init_net.ns, &netns_operations, PROC_NET_INIT_INO);
  init_net.user_ns = &init_user_ns;
  init_time_ns = {};
  ns_common_init_static(&init_time_ns.ns, &timens_operations, PROC_TIME_INIT_INO);
  init_time_ns.user_ns = &init_user_ns;
  init_time_ns.frozen = true;
  init_nsproxy.uts_ns = &init_uts_ns;
  init_nsproxy.ipc_ns = &init_ipc_ns;
  init_nsproxy.pid_ns_for_children = &init_pid_ns;
  init_nsproxy.net_ns = &init_net;
  init_nsproxy.time_ns = init_nsproxy.time_ns_for_children = &init_time_ns;
}

void build_identity(task_struct* t) {
  t->real_parent = t->parent = t->group_leader = t;
  for (list_head* l : {&t->children, &t->sibling, &t->ptraced, &t->ptrace_entry, &t->tasks, &t->thread_node, &t->pending.list, &t->cg_list})
    INIT_LIST_HEAD(l);
  list_add_tail(&t->thread_node, &init_signals.thread_head);
  t->thread_pid = &init_struct_pid;
  strscpy(t->comm, "swapper/0", sizeof(t->comm));  // spec 30 S-4
  t->cred = t->real_cred = &init_cred;
  t->fs = &init_fs;
  t->files = &init_files;
  t->nsproxy = &init_nsproxy;
  t->cgroups = &init_css_set;
  t->signal = &init_signals;
  t->sighand = &init_sighand;
}

void build_scheduling(task_struct* t) {
  t->prio = t->static_prio = t->normal_prio = DEFAULT_PRIO;
  t->policy = SCHED_NORMAL;
  cpumask_setall(&t->cpus_mask);
  t->cpus_ptr = &t->cpus_mask;
  t->nr_cpus_allowed = NR_CPUS;
  raw_spin_lock_init(&t->pi_lock);
}

}  // namespace

// The machine has set stack, stack_canary and thread, and executes on this task already.
void init_init_task() {
  void* stack = init_task.stack;
  thread_struct thread = init_task.thread;
  unsigned long canary = init_task.stack_canary;
  memset(static_cast<void*>(&init_task), 0, sizeof(init_task));
  task_struct* t = &init_task;
  t->stack = stack;
  t->thread = thread;
  t->stack_canary = canary;
  refcount_set(&t->usage, 2);
  refcount_set(&t->stack_refcount, 1);
  refcount_set(&t->rcu_users, 2);
  t->flags = PF_KTHREAD;
  build_sighand(&init_sighand);
  build_signals(&init_signals, t);
  build_identity(t);
  build_scheduling(t);
  spin_lock_init(&t->alloc_lock);
  t->active_mm = &init_mm;
  t->restart_block.fn = do_no_restart_syscall;
  t->timer_slack_ns = t->default_timer_slack_ns = 50000;
}

// First step of a world's boot: no memory allocator yet.
void task_init() {
  rwlock_init(&tasklist_lock);
  total_forks = 0;
  nr_threads = 0;
  max_threads = 0;
  syscall_counts_reset();
  pid_early_init();
  cred_early_init();
  cgroup_early_init();
  build_namespaces();
  init_init_task();
}
