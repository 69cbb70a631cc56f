// What a new task is like, made from the kernel. Spec 20 sections 5, 11, 12, 15, 18.
// SPDX-License-Identifier: Apache-2.0
#include "test/fork/helpers.hh"

#include <linux/delay.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user.hh"
#include "kernel/fork/copy_process.hh"

int max_threads_for(u64 ram_bytes);

namespace {

int returns_arg(void* arg) { return exited(static_cast<int>(reinterpret_cast<long>(arg))); }

// T-13.
int reports_flags(void* to) {
  *static_cast<unsigned*>(to) = current->flags;
  return 0;
}
void flags_of_a_kernel_thread(kunit* test) {
  unsigned flags = 0;
  become_parent();
  current->flags |= PF_SUPERPRIV;
  pid_t pid = kernel_thread(reports_flags, &flags, SIGCHLD);
  KUNIT_EXPECT_EQ(test, wait_for(pid).result, pid);
  KUNIT_EXPECT_TRUE(test, flags & PF_KTHREAD);
  KUNIT_EXPECT_TRUE(test, flags & PF_FORKNOEXEC);
  KUNIT_EXPECT_FALSE(test, flags & (PF_SUPERPRIV | PF_WQ_WORKER | PF_IDLE | PF_NO_SETAFFINITY));
}

void flags_of_a_process(kunit* test) {
  unsigned flags = 0;
  pid_t pid = spawn(reports_flags, &flags);
  KUNIT_EXPECT_EQ(test, wait_for(pid).result, pid);
  KUNIT_EXPECT_FALSE(test, flags & PF_KTHREAD);
}

void numbers_go_up(kunit* test) {  // T-21
  pid_t a = spawn(returns_arg), b = spawn(returns_arg);
  KUNIT_EXPECT_EQ(test, b, a + 1);
  KUNIT_EXPECT_EQ(test, wait_for(a).result, a);
  KUNIT_EXPECT_EQ(test, wait_for(b).result, b);
  pid_t c = spawn(returns_arg);
  KUNIT_EXPECT_EQ(test, c, b + 1);  // not the numbers just freed
  wait_for(c);
}

void counts_follow(kunit* test) {  // F-92
  const int threads = nr_threads;
  const unsigned long forks = total_forks;
  pid_t pid = spawn(obey_signals);
  KUNIT_EXPECT_EQ(test, nr_threads, threads + 1);
  KUNIT_EXPECT_EQ(test, total_forks, forks + 1);
  end(test, pid);
  KUNIT_EXPECT_EQ(test, nr_threads, threads);
}

// F-93: visible, and new: nothing wakes it but wake_up_new_task (T-12).
void visible_before_it_runs(kunit* test) {
  become_parent();
  auto t = copy_process({.flags = CLONE_VM | CLONE_UNTRACED, .exit_signal = SIGCHLD, .fn = returns_arg, .fn_arg = nullptr});
  KUNIT_ASSERT_TRUE(test, t.has_value());
  const pid_t nr = task_pid_vnr(*t);
  {
    RcuReadGuard rcu;
    KUNIT_EXPECT_PTR_EQ(test, find_task_by_vpid(nr), *t);
  }
  KUNIT_EXPECT_EQ(test, wake_up_process(*t), 0);
  KUNIT_EXPECT_EQ(test, (*t)->__state, static_cast<unsigned>(TASK_NEW));
  KUNIT_EXPECT_EQ(test, wait_for(nr, WEXITED | WNOHANG).result, 0);
  wake_up_new_task(*t);
  KUNIT_EXPECT_EQ(test, wait_for(nr).result, nr);
}

// Section 18: what does not come from the parent.
void not_inherited(kunit* test) {
  become_parent();
  current->pdeath_signal = SIGTERM;
  current->utime = 12345;
  current->min_flt = 7;
  auto t = copy_process({.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = returns_arg});
  current->pdeath_signal = 0;
  KUNIT_ASSERT_TRUE(test, t.has_value());
  task_struct* c = *t;
  KUNIT_EXPECT_EQ(test, c->pdeath_signal, 0);
  KUNIT_EXPECT_EQ(test, c->utime, 0ull);
  KUNIT_EXPECT_EQ(test, c->min_flt, 0ul);
  KUNIT_EXPECT_EQ(test, c->pending.signal.sig[0], 0ull);
  KUNIT_EXPECT_EQ(test, c->signal->shared_pending.signal.sig[0], 0ull);
  KUNIT_EXPECT_NULL(test, c->task_works);
  KUNIT_EXPECT_NULL(test, c->robust_list);
  KUNIT_EXPECT_NULL(test, c->clear_child_tid);
  KUNIT_EXPECT_FALSE(test, c->signal->is_child_subreaper);
  KUNIT_EXPECT_TRUE(test, list_empty(&c->children));
  wake_up_new_task(c);
  wait_for(-1);
}

void inherited(kunit* test) {
  become_parent();
  current->blocked.sig[0] = 1ull << (SIGUSR1 - 1);
  current->personality = 0x42;
  set_task_comm(current, "a name that is too long");
  auto t = copy_process({.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = returns_arg});
  current->blocked = {};
  KUNIT_ASSERT_TRUE(test, t.has_value());
  task_struct* c = *t;
  KUNIT_EXPECT_EQ(test, c->blocked.sig[0], 1ull << (SIGUSR1 - 1));
  KUNIT_EXPECT_EQ(test, c->personality, 0x42ul);
  KUNIT_EXPECT_STREQ(test, c->comm, "a name that is ");
  KUNIT_EXPECT_PTR_EQ(test, c->real_cred, current->real_cred);
  KUNIT_EXPECT_PTR_EQ(test, task_pgrp(c), task_pgrp(current));
  KUNIT_EXPECT_PTR_EQ(test, task_session(c), task_session(current));
  KUNIT_EXPECT_PTR_EQ(test, c->real_parent, static_cast<task_struct*>(current));
  KUNIT_EXPECT_EQ(test, c->parent_exec_id, current->self_exec_id);
  KUNIT_EXPECT_EQ(test, __builtin_memcmp(c->signal->rlim, current->signal->rlim, sizeof(c->signal->rlim)), 0);
  KUNIT_EXPECT_NE(test, c->stack_canary, current->stack_canary);
  wake_up_new_task(c);
  wait_for(-1);
}

// 12.5: actions are copied, CLEAR_SIGHAND resets what is caught.
void handlers(kunit* test) {
  become_parent();
  {
    IrqOffSpinGuard guard(current->sighand->siglock);
    k_sigaction ka{};
    ka.sa.sa_handler = reinterpret_cast<__sighandler_t>(0x1000);
    ka.sa.sa_flags = SA_RESTART;
    set_sigaction(current->sighand, SIGUSR1, ka);
    set_sighandler(current->sighand, SIGUSR2, SIG_IGN);
  }
  auto copy = copy_process({.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = returns_arg});
  auto clear = copy_process({.flags = CLONE_VM | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD, .fn = returns_arg});
  auto shared = copy_process({.flags = CLONE_VM | CLONE_SIGHAND, .exit_signal = SIGCHLD, .fn = returns_arg});
  KUNIT_ASSERT_TRUE(test, copy && clear && shared);
  auto action = [](task_struct* t, int sig) { return t->sighand->action[sig - 1].sa; };
  KUNIT_EXPECT_EQ(test, reinterpret_cast<long>(action(*copy, SIGUSR1).sa_handler), 0x1000l);
  KUNIT_EXPECT_EQ(test, action(*copy, SIGUSR1).sa_flags, static_cast<unsigned long>(SA_RESTART));
  KUNIT_EXPECT_TRUE(test, action(*clear, SIGUSR1).sa_handler == SIG_DFL);
  KUNIT_EXPECT_EQ(test, action(*clear, SIGUSR1).sa_flags, 0ul);
  KUNIT_EXPECT_TRUE(test, action(*clear, SIGUSR2).sa_handler == SIG_IGN);
  KUNIT_EXPECT_PTR_EQ(test, (*shared)->sighand, current->sighand);
  for (task_struct* t : {*copy, *clear, *shared}) {
    wake_up_new_task(t);
    KUNIT_EXPECT_GT(test, wait_for(-1).result, 0);
  }
}

// A used sighand_struct goes back as all SIG_DFL, or the next process would inherit from a stranger.
int sets_handlers(void*) {
  IrqOffSpinGuard guard(current->sighand->siglock);
  for (int sig = 1; sig <= _NSIG; sig++) set_sighandler(current->sighand, sig, SIG_IGN);
  return 0;
}
void freed_handlers_are_clean(kunit* test) {
  for (int i = 0; i < 8; i++) wait_for(spawn(sets_handlers));
  auto t = copy_process({.flags = CLONE_VM | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD, .fn = returns_arg});
  KUNIT_ASSERT_TRUE(test, t.has_value());
  for (int sig = 1; sig <= _NSIG; sig++) {
    const struct sigaction& mine = current->sighand->action[sig - 1].sa;
    const struct sigaction& sa = (*t)->sighand->action[sig - 1].sa;
    KUNIT_EXPECT_TRUE(test, sa.sa_handler == (mine.sa_handler == SIG_IGN ? SIG_IGN : SIG_DFL));
  }
  wake_up_new_task(*t);
  wait_for(-1);
}

// F-91: PARENT makes a sibling.
void clone_parent_makes_a_sibling(kunit* test) {
  task_struct* parent = current->real_parent;
  auto t = copy_process({.flags = CLONE_VM | CLONE_PARENT, .fn = returns_arg});
  KUNIT_ASSERT_TRUE(test, t.has_value());
  KUNIT_EXPECT_PTR_EQ(test, (*t)->real_parent, parent);
  KUNIT_EXPECT_EQ(test, (*t)->exit_signal, current->group_leader->exit_signal);
  wake_up_new_task(*t);
}

// F-62: the process counts before the limit is looked at; root does not care.
int forks_over_limit(void*) {
  struct cred* n = prepare_creds();
  n->uid = n->euid = n->suid = {1000};
  n->cap_effective = {};
  free_uid(n->user);
  n->user = alloc_uid(n->uid);
  set_cred_ucounts(n);
  commit_creds(n);
  current->signal->rlim[RLIMIT_NPROC].rlim_cur = 1;
  pid_t pid = user_mode_thread(returns_arg, nullptr, SIGCHLD);
  return exited(-pid);
}
void process_limit(kunit* test) { KUNIT_EXPECT_EQ(test, wait_for(spawn(forks_over_limit)).event.status, exited(EAGAIN)); }

void thread_limit(kunit* test) {  // S6
  const int before = max_threads;
  become_parent();
  max_threads = nr_threads;
  pid_t pid = user_mode_thread(returns_arg, nullptr, SIGCHLD);
  max_threads = before;
  KUNIT_EXPECT_EQ(test, pid, -EAGAIN);
}

void thread_limit_by_memory(kunit* test) {  // F-63
  KUNIT_EXPECT_EQ(test, max_threads_for(0), 20);
  KUNIT_EXPECT_EQ(test, max_threads_for(1ull << 30), static_cast<int>((1ull << 30) / (8 * THREAD_SIZE)));
  KUNIT_EXPECT_EQ(test, max_threads_for(~0ull), 0x3fffffff);
}

// S1: a pending signal restarts the fork, and the caller never knows.
int forks_with_signal(void*) {
  catch_signal(SIGUSR1);
  send_sig(SIGUSR1, current, 1);
  pid_t pid = user_mode_thread(returns_arg, nullptr, SIGCHLD);
  flush_signals(current);
  return exited(pid == -ERESTARTNOINTR ? 1 : 2);
}
void pending_signal_restarts(kunit* test) { KUNIT_EXPECT_EQ(test, wait_for(spawn(forks_with_signal)).event.status, exited(1)); }

// A child that ends before its parent looks again.
void short_lives(kunit* test) {
  for (long i = 0; i < 50; i++) {
    pid_t pid = spawn(returns_arg, reinterpret_cast<void*>(i));
    KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, exited(static_cast<int>(i)));
  }
}

// Many at once, reaped in any order.
void a_crowd(kunit* test) {
  pid_t pids[30];
  for (long i = 0; i < 30; i++) pids[i] = spawn(returns_arg, reinterpret_cast<void*>(i));
  for (int i = 29; i >= 0; i--) KUNIT_EXPECT_EQ(test, wait_for(pids[i]).event.status, exited(i));
  KUNIT_EXPECT_EQ(test, wait_for(-1).result, -ECHILD);
}

// Section 16: VFORK without VM waits as well (F-97).
struct Vfork {
  int step = 0;
};
int vfork_child(void* p) {
  msleep(2);
  static_cast<Vfork*>(p)->step = 1;
  return 0;
}
void vfork_waits(kunit* test) {
  Vfork v;
  become_parent();
  auto pid = kernel_clone({.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD, .fn = vfork_child, .fn_arg = &v});
  KUNIT_ASSERT_TRUE(test, pid.has_value());
  KUNIT_EXPECT_EQ(test, READ_ONCE(v.step), 1);
  wait_for(*pid);
}

kunit_case cases[] = {
    KUNIT_CASE(flags_of_a_kernel_thread), KUNIT_CASE(flags_of_a_process), KUNIT_CASE(numbers_go_up), KUNIT_CASE(counts_follow),
    KUNIT_CASE(visible_before_it_runs), KUNIT_CASE(not_inherited), KUNIT_CASE(inherited), KUNIT_CASE(handlers),
    KUNIT_CASE(freed_handlers_are_clean), KUNIT_CASE(clone_parent_makes_a_sibling), KUNIT_CASE(process_limit),
    KUNIT_CASE(thread_limit), KUNIT_CASE(thread_limit_by_memory), KUNIT_CASE(pending_signal_restarts), KUNIT_CASE(short_lives),
    KUNIT_CASE(a_crowd), KUNIT_CASE(vfork_waits), {},
};
kunit_suite suite = {.name = "kernel_clone", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
