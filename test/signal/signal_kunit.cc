// Sending and receiving, from the queues to the choice of what is delivered. Spec 21 part C.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/signal/signal.hh"

#include <linux/delay.h>

#include "kernel/cred/ucounts.hh"
#include "kernel/signal/frame.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/queue.hh"
#include "kernel/signal/sets.hh"
#include "test/fork/helpers.hh"

namespace {

// A process that runs the checks on itself: it queues signals as processes do. Its exit status: 0, or the line that failed.
#define MUST(cond)                     \
  do {                                 \
    if (!(cond)) return exited(__LINE__ % 255 + 1); \
  } while (0)
void in_process(kunit* test, int (*fn)(void*)) { KUNIT_EXPECT_EQ(test, wait_for(spawn(fn)).event.status, 0); }
#define PROCESS_CASE(name) \
  int name##_body(void*);  \
  void name(kunit* test) { in_process(test, name##_body); } \
  int name##_body(void*)

void block(u64 mask) {
  sigset_t set{{mask}};
  set_current_blocked(&set);
}
kernel_siginfo queued(int sig, int value, int code = SI_QUEUE) {
  kernel_siginfo info{};
  info.si_signo = sig;
  info.si_code = code;
  info.si_int = value;
  return info;
}
int take(kernel_siginfo* info) {
  IrqOffSpinGuard guard(current->sighand->siglock);
  return dequeue_signal(current, 0, info);
}
bool pending(int sig) {
  return sigismember(&current->pending.signal, sig) || sigismember(&current->signal->shared_pending.signal, sig);
}
int send_self(int sig, pid_type type, kernel_siginfo* info = SEND_SIG_NOINFO) {
  return do_send_sig_info(sig, info, current, type);
}

// ---- Sets (section 11) -------------------------------------------------------------------------------------------------

void default_actions(kunit* test) {
  const k_sigaction dfl{};
  for (int sig = 1; sig <= _NSIG; sig++) {
    const bool ignored = sig == SIGCHLD || sig == SIGCONT || sig == SIGURG || sig == SIGWINCH;
    const bool stops = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
    KUNIT_EXPECT_EQ(test, action_ignores(dfl, sig), ignored);
    KUNIT_EXPECT_EQ(test, action_is_fatal(dfl, sig), !ignored && !stops);
  }
}

void default_action_of_each(kunit* test) {
  for (int sig : {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGALRM, SIGQUIT, SIGSEGV, SIGRTMIN, SIGRTMAX}) {
    pid_t pid = spawn(obey_signals);
    send(pid, sig);
    KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, sig);
  }
  pid_t pid = spawn(obey_signals);
  for (int sig : {SIGCHLD, SIGURG, SIGWINCH, SIGCONT}) send(pid, sig);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | WNOHANG).result, 0);
  end(test, pid);
}

// ---- Queues (spec 21 S-15..S-17) ---------------------------------------------------------------------------------------------------

PROCESS_CASE(standard_signals_do_not_queue) {
  catch_signal(SIGUSR1);
  block(sig_bit(SIGUSR1));
  kernel_siginfo a = queued(SIGUSR1, 1), b = queued(SIGUSR1, 2), got;
  MUST(!send_self(SIGUSR1, PIDTYPE_PID, &a) && !send_self(SIGUSR1, PIDTYPE_PID, &b));
  MUST(take(&got) == SIGUSR1 && got.si_int == 1);
  MUST(take(&got) == 0);
  return 0;
}

PROCESS_CASE(realtime_signals_queue_in_order) {
  catch_signal(SIGRTMIN);
  block(sig_bit(SIGRTMIN));
  kernel_siginfo got;
  for (int i = 0; i < 5; i++) {
    kernel_siginfo info = queued(SIGRTMIN, i);
    MUST(!send_self(SIGRTMIN, PIDTYPE_PID, &info));
  }
  for (int i = 0; i < 5; i++) {
    MUST(pending(SIGRTMIN));
    MUST(take(&got) == SIGRTMIN && got.si_int == i);
  }
  MUST(!pending(SIGRTMIN));
  return 0;
}

// spec 21 S-30: own queue before the shared one, synchronous before others, low before high.
PROCESS_CASE(order_of_delivery) {
  const int sent[] = {SIGTERM, SIGUSR1, 40, SIGCHLD, 36, SIGSEGV, SIGHUP, SIGTRAP};
  for (int sig : sent) catch_signal(sig);
  block(~0ull);
  for (int sig : sent) MUST(!send_self(sig, PIDTYPE_PID));
  catch_signal(SIGINT);
  MUST(!send_self(SIGINT, PIDTYPE_TGID));
  kernel_siginfo got;
  for (int sig : {SIGTRAP, SIGSEGV, SIGHUP, SIGUSR1, SIGTERM, SIGCHLD, 36, 40, SIGINT}) MUST(take(&got) == sig);
  MUST(take(&got) == 0);
  return 0;
}

PROCESS_CASE(queues_of_threads_and_processes) {  // spec 21 S-10
  catch_signal(SIGUSR1);
  block(~0ull);
  sigpending *own = &current->pending, *shared = &current->signal->shared_pending;
  MUST(!send_self(SIGUSR1, PIDTYPE_PID) && sigismember(&own->signal, SIGUSR1) && !sigismember(&shared->signal, SIGUSR1));
  kernel_siginfo got;
  MUST(take(&got) == SIGUSR1);
  for (pid_type type : {PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_MAX}) {
    MUST(!send_self(SIGUSR1, type) && !sigismember(&own->signal, SIGUSR1) && sigismember(&shared->signal, SIGUSR1));
    MUST(take(&got) == SIGUSR1);
  }
  return 0;
}

// What a signal does to others of the group comes first, then whether it counts, then whether it is there already, then the entry.
PROCESS_CASE(order_of_sending) {  // spec 21 S-11, S-13, S-15
  block(~0ull & ~sig_bit(SIGCONT));
  MUST(!send_self(SIGTSTP, PIDTYPE_TGID) && pending(SIGTSTP));
  MUST(!send_self(SIGCONT, PIDTYPE_TGID) && !pending(SIGCONT) && !pending(SIGTSTP));  // ignored, but the stop is off
  const long charged = get_rlimit_value(current->cred->ucounts, UCOUNT_RLIMIT_SIGPENDING);
  MUST(!send_self(SIGUSR1, PIDTYPE_TGID) && !send_self(SIGUSR1, PIDTYPE_TGID));
  MUST(get_rlimit_value(current->cred->ucounts, UCOUNT_RLIMIT_SIGPENDING) == charged + 1);
  kernel_siginfo got;
  MUST(take(&got) == SIGUSR1);
  return 0;
}

PROCESS_CASE(queue_limit) {  // spec 21 S-17
  catch_signal(SIGRTMIN);
  catch_signal(SIGUSR1);
  block(~0ull);
  current->signal->rlim[RLIMIT_SIGPENDING].rlim_cur = static_cast<unsigned long>(get_rlimit_value(current->cred->ucounts, UCOUNT_RLIMIT_SIGPENDING)) + 1;
  kernel_siginfo info = queued(SIGRTMIN, 1), by_kill = queued(SIGRTMIN, 0, SI_USER), got;
  MUST(send_self(SIGRTMIN, PIDTYPE_PID, &info) == 0);
  MUST(send_self(SIGRTMIN, PIDTYPE_PID, &info) == -EAGAIN);
  MUST(send_self(SIGRTMIN, PIDTYPE_PID, &by_kill) == 0);    // the bit is set, the information lost
  kernel_siginfo standard = queued(SIGUSR1, 3);
  MUST(send_self(SIGUSR1, PIDTYPE_PID, &standard) == 0);
  MUST(take(&got) == SIGUSR1 && got.si_code == SI_USER && !got.si_pid);  // lost
  MUST(take(&got) == SIGRTMIN && got.si_int == 1);
  MUST(take(&got) == 0);
  return 0;
}

PROCESS_CASE(kernel_signals_pass_the_limit) {
  catch_signal(SIGUSR1);
  block(~0ull);
  current->signal->rlim[RLIMIT_SIGPENDING].rlim_cur = 0;
  kernel_siginfo got;
  MUST(!send_self(SIGUSR1, PIDTYPE_PID, SEND_SIG_PRIV));
  MUST(take(&got) == SIGUSR1 && got.si_code == SI_KERNEL);
  MUST(!send_self(SIGUSR1, PIDTYPE_PID));
  MUST(take(&got) == SIGUSR1 && got.si_code == SI_USER && got.si_pid == current->pid);
  return 0;
}

void charges_are_given_back(kunit* test) {
  const int before = get_rlimit_value(current->cred->ucounts, UCOUNT_RLIMIT_SIGPENDING);
  in_process(test, [](void*) {
    catch_signal(SIGRTMIN);
    block(~0ull);
    for (int i = 0; i < 10; i++) send_self(SIGRTMIN, PIDTYPE_TGID);
    return 0;
  });
  KUNIT_EXPECT_EQ(test, get_rlimit_value(current->cred->ucounts, UCOUNT_RLIMIT_SIGPENDING), before);
}

// ---- Ignoring (spec 21 S-3, S-14, S-60) ----------------------------------------------------------------------------------------------

PROCESS_CASE(ignored_signals_are_not_queued) {
  MUST(!send_self(SIGCHLD, PIDTYPE_PID));
  MUST(!pending(SIGCHLD));
  block(sig_bit(SIGCHLD));
  MUST(!send_self(SIGCHLD, PIDTYPE_PID));
  MUST(pending(SIGCHLD));  // blocked: it may come to matter
  return 0;
}

PROCESS_CASE(an_init_is_protected) {  // section 20
  current->signal->flags |= SIGNAL_UNKILLABLE;
  MUST(!send_self(SIGTERM, PIDTYPE_TGID) && !pending(SIGTERM));
  MUST(!send_self(SIGSTOP, PIDTYPE_TGID) && !pending(SIGSTOP));
  MUST(!send_self(SIGKILL, PIDTYPE_TGID) && !pending(SIGKILL));
  catch_signal(SIGTERM);
  MUST(!send_self(SIGTERM, PIDTYPE_TGID) && pending(SIGTERM));
  kernel_siginfo got;
  MUST(take(&got) == SIGTERM);
  current->signal->flags &= ~SIGNAL_UNKILLABLE;
  return 0;
}

int inits_own_fault(void*) {
  current->signal->flags |= SIGNAL_UNKILLABLE;
  force_sig_fault(SIGSEGV, SEGV_MAPERR, nullptr);
  ksignal ksig;
  get_signal(&ksig);
  return 0;
}
void an_init_dies_of_its_own_fault(kunit* test) {  // spec 21 S-26
  KUNIT_EXPECT_EQ(test, wait_for(spawn(inits_own_fault)).event.status, SIGSEGV);
}

int faults_blocked(void*) {
  catch_signal(SIGSEGV);
  block(sig_bit(SIGSEGV));
  force_sig(SIGSEGV);
  ksignal ksig;
  get_signal(&ksig);
  return 0;
}
void a_blocked_fault_kills(kunit* test) { KUNIT_EXPECT_EQ(test, wait_for(spawn(faults_blocked)).event.status, SIGSEGV); }

// ---- Stop and continue cancel each other (spec 21 S-13) -------------------------------------------------------------------------------

PROCESS_CASE(cont_removes_stops) {
  catch_signal(SIGTSTP);
  catch_signal(SIGCONT);
  block(~0ull);
  MUST(!send_self(SIGTSTP, PIDTYPE_TGID) && !send_self(SIGTTIN, PIDTYPE_PID));
  MUST(pending(SIGTSTP) && pending(SIGTTIN));
  MUST(!send_self(SIGCONT, PIDTYPE_TGID));
  MUST(!pending(SIGTSTP) && !pending(SIGTTIN) && pending(SIGCONT));
  MUST(!send_self(SIGTSTP, PIDTYPE_PID));
  MUST(!pending(SIGCONT) && pending(SIGTSTP));
  return 0;
}

// ---- get_signal -------------------------------------------------------------------------------------------------------------------

PROCESS_CASE(handlers_are_returned) {
  catch_signal(SIGUSR1, SA_RESTART, sig_bit(SIGUSR2));
  MUST(!send_self(SIGUSR1, PIDTYPE_TGID));
  MUST(signal_pending(current));
  ksignal ksig;
  MUST(get_signal(&ksig) && ksig.sig == SIGUSR1 && ksig.ka.sa.sa_handler == test_handler());
  MUST(ksig.ka.sa.sa_mask.sig[0] == sig_bit(SIGUSR2) && ksig.info.si_pid == current->pid);
  MUST(!signal_pending(current) && !get_signal(&ksig));
  return 0;
}

PROCESS_CASE(resethand) {  // step 9
  catch_signal(SIGUSR1, SA_RESETHAND);
  send_self(SIGUSR1, PIDTYPE_PID);
  ksignal ksig;
  MUST(get_signal(&ksig));
  MUST(current->sighand->action[SIGUSR1 - 1].sa.sa_handler == SIG_DFL);
  return 0;
}

PROCESS_CASE(blocked_signals_wait) {  // spec 21 S-5, S-6
  catch_signal(SIGUSR1);
  block(sig_bit(SIGUSR1));
  send_self(SIGUSR1, PIDTYPE_TGID);
  MUST(!signal_pending(current));
  ksignal ksig;
  MUST(!get_signal(&ksig));
  block(0);
  MUST(signal_pending(current) && get_signal(&ksig) && ksig.sig == SIGUSR1);
  return 0;
}

PROCESS_CASE(kill_and_stop_cannot_be_blocked) {  // spec 21 S-4
  block(~0ull);
  MUST(current->blocked.sig[0] == ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP)));
  return 0;
}

PROCESS_CASE(synchronous_before_all) {  // spec 21 S-30
  catch_signal(SIGUSR1);
  catch_signal(SIGSEGV);
  send_self(SIGUSR1, PIDTYPE_PID);
  force_sig_fault(SIGSEGV, SEGV_ACCERR, reinterpret_cast<void*>(0x1234));
  ksignal ksig;
  MUST(get_signal(&ksig) && ksig.sig == SIGSEGV && ksig.info.si_addr == reinterpret_cast<void*>(0x1234));
  MUST(get_signal(&ksig) && ksig.sig == SIGUSR1);
  return 0;
}

PROCESS_CASE(restore_sigmask) {  // E-35
  sigset_t temporary{{sig_bit(SIGUSR2)}};
  current->saved_sigmask = current->blocked;
  set_current_blocked(&temporary);
  set_restore_sigmask();
  restore_saved_sigmask_unless(true);
  MUST(current->blocked.sig[0] == sig_bit(SIGUSR2));
  restore_saved_sigmask_unless(false);
  MUST(current->blocked.sig[0] == 0 && !current->restore_sigmask);
  return 0;
}

// ---- Threads (spec 21 S-20, S-32) ----------------------------------------------------------------------------------------------------------

constexpr unsigned long kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
struct Team {
  completion ready;
  int handled = 0;
};
int unwilling(void*) {
  block(~0ull);
  msleep(20);
  return 0;
}
int willing(void* p) {
  auto* team = static_cast<Team*>(p);
  complete(&team->ready);
  while (!signal_pending(current)) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!signal_pending(current)) schedule();
    __set_current_state(TASK_RUNNING);
  }
  ksignal ksig;
  if (get_signal(&ksig)) WRITE_ONCE(team->handled, ksig.sig);
  return 0;
}
int leader_of_team(void* p) {
  auto* team = static_cast<Team*>(p);
  catch_signal(SIGUSR1);
  block(~0ull);
  user_mode_thread(unwilling, p, kThread);
  block(0);
  user_mode_thread(willing, p, kThread);
  block(~0ull);
  wait_for_completion(&team->ready);
  send_self(SIGUSR1, PIDTYPE_TGID);
  for (int i = 0; i < 100 && !READ_ONCE(team->handled); i++) msleep(1);
  do_group_exit(exited(READ_ONCE(team->handled)));  // the other thread may end last (spec 21 X-4)
}
void a_willing_thread_is_found(kunit* test) {
  Team team;
  init_completion(&team.ready);
  KUNIT_EXPECT_EQ(test, wait_for(spawn(leader_of_team, &team)).event.status, exited(SIGUSR1));
}

// ---- Permission (spec 21 S-24, S-25) ----------------------------------------------------------------------------------------------------------

void permission(kunit* test) {
  pid_t pid = spawn(obey_signals);
  TaskRef target(pid);
  auto check = [&](int sig, const kernel_siginfo* info) {
    RcuReadGuard rcu;
    return check_kill_permission(sig, info, target.get());
  };
  KUNIT_EXPECT_EQ(test, check(SIGTERM, SEND_SIG_NOINFO), 0);
  KUNIT_EXPECT_EQ(test, check(65, SEND_SIG_NOINFO), -EINVAL);
  struct cred* n = prepare_creds();
  n->uid = n->euid = n->suid = n->fsuid = {1000};
  n->cap_effective = {};
  const struct cred* old = override_creds(n);
  KUNIT_EXPECT_EQ(test, check(SIGTERM, SEND_SIG_NOINFO), -EPERM);
  KUNIT_EXPECT_EQ(test, check(0, SEND_SIG_NOINFO), -EPERM);
  KUNIT_EXPECT_EQ(test, check(SIGCONT, SEND_SIG_NOINFO), 0);  // same session
  KUNIT_EXPECT_EQ(test, check(SIGTERM, SEND_SIG_PRIV), 0);
  n->suid = {0};
  KUNIT_EXPECT_EQ(test, check(SIGTERM, SEND_SIG_NOINFO), -EPERM);  // the saved id of the sender does not count
  n->euid = {0};
  KUNIT_EXPECT_EQ(test, check(SIGTERM, SEND_SIG_NOINFO), 0);
  revert_creds(old);
  put_cred(n);
  end(test, pid);
}

void zombies_take_anything(kunit* test) {
  pid_t pid = spawn([](void*) { return 0; });
  wait_for(pid, WEXITED | WNOWAIT);
  KUNIT_EXPECT_EQ(test, send(pid, SIGKILL), 0);
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, 0);
  KUNIT_EXPECT_EQ(test, send(pid, SIGKILL), -ESRCH);
}

// ---- The frame (section 19) --------------------------------------------------------------------------------------------------------------

void frame_places(kunit* test) {
  for (unsigned long sp = 0x7000000; sp < 0x7000100; sp += 8)
    for (size_t fpu : {0ul, 512ul, 836ul, 2696ul}) {
      FramePlace p = place_frame(sp, fpu);
      KUNIT_EXPECT_EQ(test, p.frame % 16, 8ul);
      KUNIT_EXPECT_LE(test, p.frame + sizeof(RtSigframe), fpu ? p.fpstate : sp);
      if (fpu) KUNIT_EXPECT_EQ(test, p.fpstate % 64, 0ul);
      if (fpu) KUNIT_EXPECT_LE(test, p.fpstate + fpu, sp);
    }
}
static_assert(__builtin_offsetof(SigContext, ip) == 0x80 && __builtin_offsetof(SigContext, cs) == 0x90 &&
              __builtin_offsetof(SigContext, ss) == 0x96 && __builtin_offsetof(SigContext, fpstate) == 0xb8);
static_assert(__builtin_offsetof(UserContext, sigmask) == 0x128);
static_assert(sizeof(kernel_siginfo_t) == 48 && sizeof(siginfo_t) == 128);

kunit_case cases[] = {
    KUNIT_CASE(default_actions), KUNIT_CASE(default_action_of_each), KUNIT_CASE(standard_signals_do_not_queue),
    KUNIT_CASE(realtime_signals_queue_in_order), KUNIT_CASE(order_of_delivery), KUNIT_CASE(queues_of_threads_and_processes), KUNIT_CASE(order_of_sending), KUNIT_CASE(queue_limit),
    KUNIT_CASE(kernel_signals_pass_the_limit), KUNIT_CASE(charges_are_given_back), KUNIT_CASE(ignored_signals_are_not_queued),
    KUNIT_CASE(an_init_is_protected), KUNIT_CASE(an_init_dies_of_its_own_fault), KUNIT_CASE(a_blocked_fault_kills),
    KUNIT_CASE(cont_removes_stops), KUNIT_CASE(handlers_are_returned), KUNIT_CASE(resethand), KUNIT_CASE(blocked_signals_wait),
    KUNIT_CASE(kill_and_stop_cannot_be_blocked), KUNIT_CASE(synchronous_before_all), KUNIT_CASE(restore_sigmask),
    KUNIT_CASE(a_willing_thread_is_found), KUNIT_CASE(permission), KUNIT_CASE(zombies_take_anything), KUNIT_CASE(frame_places), {},
};
kunit_suite suite = {.name = "signals", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
