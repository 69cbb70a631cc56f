// What the rest of the kernel asks of tracing: the tests that cost one word when nobody traces, the stops of a tracee, and
// who may look into whom. Spec 20 section 17, 21 sections 4, 10, 17, 18, 22; ptrace(2).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/ptrace.h>
#include <uapi/linux/ptrace.h>

#include "kernel/task/task.hh"

struct LeakReport;
struct mm_struct;

// task_struct::ptrace. Options lie above the two kinds of tracing, each at its PTRACE_O_ bit.
inline constexpr unsigned PT_PTRACED = 1, PT_SEIZED = 2, PT_OPTION_SHIFT = 3;
inline constexpr unsigned pt_options(unsigned long options) { return static_cast<unsigned>(options) << PT_OPTION_SHIFT; }
inline constexpr unsigned pt_event(int event) { return 1u << (PT_OPTION_SHIFT + event); }
static_assert(pt_options(PTRACE_O_TRACEEXIT) == pt_event(PTRACE_EVENT_EXIT));

inline bool ptrace_event_enabled(const task_struct* t, int event) { return t->ptrace & pt_event(event); }
// Is the tracer of another process than the real parent? tasklist_lock.
inline bool ptrace_reparented(const task_struct* t) { return !same_thread_group(t->real_parent, t->parent); }

// ---- Stops of current (kernel/ptrace/stop.cc). They sleep until the tracer, its death or SIGKILL lets go -------------
// siglock held on entry and return, dropped meanwhile. Returns the signal that the tracer gives.
int ptrace_stop(int exit_code, int why, unsigned long message, kernel_siginfo* info);
void do_jobctl_trap();                                    // siglock held, as above: a group stop or PTRACE_INTERRUPT
int ptrace_signal(int sig, kernel_siginfo* info, pid_type type);  // signal-delivery stop; siglock as above; 0: drop it
int ptrace_notify(int exit_code, unsigned long message);  // a stop with SIGTRAP's siginfo
void ptrace_event_slow(int event, unsigned long message);
inline void ptrace_event(int event, unsigned long message) {
  if (data_race(current->ptrace)) [[unlikely]] ptrace_event_slow(event, message);
}
void ptrace_event_pid(int event, struct pid* pid);        // the message is pid's number as the tracer sees it (F-99)
unsigned long ptrace_exec_message();                      // before exec: the caller's number as the tracer sees it
void ptrace_trap_notify(task_struct* t);                  // siglock: a seized t is to tell of a change of its group's stop

// ---- System calls (kernel/ptrace/syscall.cc) --------------------------------------------------------------------------
bool ptrace_syscall_enter(pt_regs* regs);  // false: do not make the call (spec 10 E-20)
void ptrace_syscall_exit(pt_regs* regs);   // E-21
void ptrace_handler_entered();             // a single-stepped task is about to run a signal handler
void user_enable_single_step(task_struct* t);  // current, or a stopped tracee; may sleep
void user_disable_single_step(task_struct* t);

user_regs_struct ptrace_user_regs(const task_struct* t);  // of current, or of a task that is off its CPU

// ---- Fork, exit (kernel/ptrace/attach.cc); tasklist_lock held for writing -----------------------------------------------
int ptrace_fork_event(u64 clone_flags, int exit_signal);           // which event current's tracer wants of this fork; 0: none
void ptrace_init_task(task_struct* child, u64 clone_flags, int event);  // F-98; siglock of current too
void ptrace_unlink(task_struct* child);                             // child may be dead, its sighand must be there still
void exit_ptrace(task_struct* tracer, list_head* dead);             // lets all go; those to be released go to *dead

// ---- Permission (kernel/ptrace/access.cc) -------------------------------------------------------------------------------
inline constexpr unsigned PTRACE_MODE_READ = 1, PTRACE_MODE_ATTACH = 2, PTRACE_MODE_FSCREDS = 8, PTRACE_MODE_REALCREDS = 16;
inline constexpr unsigned PTRACE_MODE_READ_FSCREDS = PTRACE_MODE_READ | PTRACE_MODE_FSCREDS,
                          PTRACE_MODE_READ_REALCREDS = PTRACE_MODE_READ | PTRACE_MODE_REALCREDS,
                          PTRACE_MODE_ATTACH_FSCREDS = PTRACE_MODE_ATTACH | PTRACE_MODE_FSCREDS,
                          PTRACE_MODE_ATTACH_REALCREDS = PTRACE_MODE_ATTACH | PTRACE_MODE_REALCREDS;
bool ptrace_may_access(task_struct* t, unsigned mode);  // takes alloc_lock
bool ptracer_capable(task_struct* t, user_namespace* ns);  // had t's tracer, when it attached, CAP_SYS_PTRACE in ns?
// t's address space if the caller may look, with a user reference; null: a kernel thread or dead. EACCES, EINTR. May sleep.
Result<mm_struct*> mm_access(task_struct* t, unsigned mode);
