// Signal numbers, flags, siginfo and sigaction of the x86-64 ABI (signal(7), sigaction(2)).
// SPDX-License-Identifier: Apache-2.0
#ifndef _UAPI_LINUX_SIGNAL_H
#define _UAPI_LINUX_SIGNAL_H
#include <linux/types.h>
#define _NSIG 64
#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGIOT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPOLL SIGIO
#define SIGPWR 30
#define SIGSYS 31
#define SIGRTMIN 32
#define SIGRTMAX _NSIG

#define SA_NOCLDSTOP 0x00000001u
#define SA_NOCLDWAIT 0x00000002u
#define SA_SIGINFO 0x00000004u
#define SA_UNSUPPORTED 0x00000400u
#define SA_EXPOSE_TAGBITS 0x00000800u
#define SA_RESTORER 0x04000000u
#define SA_ONSTACK 0x08000000u
#define SA_RESTART 0x10000000u
#define SA_NODEFER 0x40000000u
#define SA_RESETHAND 0x80000000u
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM (1u << 31)
#define MINSIGSTKSZ 2048
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

typedef struct { u64 sig[1]; } sigset_t;
typedef void (*__sighandler_t)(int);
#define SIG_DFL ((__sighandler_t)0)
#define SIG_IGN ((__sighandler_t)1)

/* As rt_sigaction(2) takes it on x86-64. */
struct sigaction {
	__sighandler_t sa_handler;
	unsigned long sa_flags;
	void (*sa_restorer)(void);
	sigset_t sa_mask;
};
typedef struct sigaltstack { void *ss_sp; int ss_flags; size_t ss_size; } stack_t;
typedef union sigval { int sival_int; void *sival_ptr; } sigval_t;

typedef struct kernel_siginfo {
	int si_signo, si_errno, si_code;
	union {
		struct { pid_t pid; unsigned uid; } _kill;
		struct { int tid, overrun; sigval_t sigval; int sys_private; } _timer;
		struct { pid_t pid; unsigned uid; sigval_t sigval; } _rt;
		struct { pid_t pid; unsigned uid; int status; long utime, stime; } _sigchld;
		struct { void *addr; short addr_lsb; void *lower, *upper; } _sigfault;
		struct { long band; int fd; } _sigpoll;
		struct { void *call_addr; int syscall; unsigned arch; } _sigsys;
	} _f;
} kernel_siginfo_t;
#define SI_MAX_SIZE 128
typedef struct siginfo { union { kernel_siginfo_t k; char pad[SI_MAX_SIZE]; }; } siginfo_t;
#define si_pid _f._kill.pid
#define si_uid _f._kill.uid
#define si_status _f._sigchld.status
#define si_utime _f._sigchld.utime
#define si_stime _f._sigchld.stime
#define si_value _f._rt.sigval
#define si_int _f._rt.sigval.sival_int
#define si_ptr _f._rt.sigval.sival_ptr
#define si_addr _f._sigfault.addr
#define si_addr_lsb _f._sigfault.addr_lsb
#define si_band _f._sigpoll.band
#define si_fd _f._sigpoll.fd
#define si_tid _f._timer.tid
#define si_overrun _f._timer.overrun

#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_MESGQ (-3)
#define SI_ASYNCIO (-4)
#define SI_SIGIO (-5)
#define SI_TKILL (-6)
#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define TRAP_HWBKPT 4
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_TRAPPED 4
#define CLD_STOPPED 5
#define CLD_CONTINUED 6
#define POLL_IN 1
#define POLL_OUT 2
#define POLL_HUP 6
#endif
