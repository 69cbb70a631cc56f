// Sending, delivering and waiting for signals. Spec 21 (S), 10 section 14.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

#define SEND_SIG_NOINFO ((kernel_siginfo*)0)
#define SEND_SIG_PRIV ((kernel_siginfo*)1)  // from the kernel

// Handlers of kernel threads that want to be told: SIGPENDING is set, nothing else happens.
#define SIG_KTHREAD ((__sighandler_t)2)         // by anybody
#define SIG_KTHREAD_KERNEL ((__sighandler_t)3)  // by the kernel only

struct ksignal {
  k_sigaction ka;
  kernel_siginfo info;
  int sig;
};

inline bool signal_pending(const task_struct* t) {
  return READ_ONCE(t->thread_info.flags) & (_TIF(TIF_SIGPENDING) | _TIF(TIF_NOTIFY_SIGNAL));
}
inline bool sigismember(const sigset_t* s, int sig) { return READ_ONCE(s->sig[0]) >> (sig - 1) & 1; }
inline void sigaddset(sigset_t* s, int sig) { WRITE_ONCE(s->sig[0], s->sig[0] | 1ull << (sig - 1)); }
inline void sigdelset(sigset_t* s, int sig) { WRITE_ONCE(s->sig[0], s->sig[0] & ~(1ull << (sig - 1))); }
inline bool __fatal_signal_pending(const task_struct* t) { return sigismember(&t->pending.signal, SIGKILL); }
inline bool fatal_signal_pending(const task_struct* t) { return signal_pending(t) && __fatal_signal_pending(t); }
inline bool signal_pending_state(unsigned state, const task_struct* t) {
  if (!(state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL)) || !signal_pending(t)) return false;
  return (state & TASK_INTERRUPTIBLE) || __fatal_signal_pending(t);
}

// Sets are changed under siglock and may be read without.
// Senders: 0 or -errno. p is pinned by the caller (RCU or reference). Any context with interrupts in any state.
int send_sig_info(int sig, kernel_siginfo* info, task_struct* p);  // thread-directed
int send_sig(int sig, task_struct* p, int priv);
int group_send_sig_info(int sig, kernel_siginfo* info, task_struct* p, pid_type type);  // permission checked
int do_send_sig_info(int sig, kernel_siginfo* info, task_struct* p, pid_type type);     // not checked
int kill_pid_info(int sig, kernel_siginfo* info, struct pid* pid);
int kill_pgrp(struct pid* pgrp, int sig, int priv);
int __kill_pgrp_info(int sig, kernel_siginfo* info, struct pid* pgrp);  // tasklist_lock held
int kill_pid(struct pid* pid, int sig, int priv);
void force_sig(int sig);                                // current; unblocks and resets to default if needed
void force_sig_fault(int sig, int code, void* addr);    // current
void force_fatal_sig(int sig);                          // current dies of it whatever its handlers
void force_sigsegv(int sig);
void start_group_exit(task_struct* p, int code);        // p's process is to end with code; p no longer stops. siglock held
void zap_other_threads(task_struct* p);                 // siglock held
void flush_signal_handlers(task_struct* t, int force_default);  // exec: caught ones to default
void flush_signals(task_struct* t);
void recalc_sigpending();                               // siglock held, current
void set_current_blocked(sigset_t* newset);             // KILL and STOP are left out
void set_restore_sigmask();                             // saved_sigmask comes back unless a handler runs (E-35)

bool get_signal(ksignal* ksig);            // next signal with a handler for current; may not return (exit)
void do_signal_or_restart(pt_regs* regs);  // from exit_to_user_mode_loop
long do_no_restart_syscall(restart_block*);  // -EINTR
bool do_notify_parent(task_struct* t, int sig);  // tasklist_lock; true: reap at once
void exit_signals(task_struct* t);
Result<void> unshare_sighand();                          // exec: current gets handlers of its own, a copy. May sleep; ENOMEM
unsigned long max_sigframe_size();                       // AT_MINSIGSTKSZ
void clear_sighand(sighand_struct* s);                   // CLONE_CLEAR_SIGHAND: caught ones to default; siglock or unshared
void kick_process(task_struct* t);                       // makes it enter the kernel if it runs user code now
int dequeue_signal_info(task_struct* self, const sigset_t* blocked, kernel_siginfo* info);  // siglock; signalfd, kthreads
long copy_siginfo_to_user(void __user* to, const kernel_siginfo* from);  // 128 bytes; 0 or -EFAULT
void calculate_sigpending();                             // a new task's first act (22 C-61)
long set_user_sigmask(const sigset_t __user* mask, size_t size);  // ppoll and its kin: installs it, saves the old one; 0 or -errno
void restore_saved_sigmask_unless(bool interrupted);     // their end; interrupted: delivery restores it (S-8)
sighand_struct* lock_task_sighand(task_struct* t, unsigned long* flags);  // null: t is released already
void unlock_task_sighand(task_struct* t, unsigned long flags);

// Preallocated signals, for POSIX timers.
struct sigqueue;
sigqueue* sigqueue_alloc();
void sigqueue_free(sigqueue* q);
int send_sigqueue(sigqueue* q, struct pid* pid, pid_type type);  // 0 queued, 1 ignored, overrun counted if still queued
kernel_siginfo* sigqueue_info(sigqueue* q);
