/* A tracer of its own children: asks ptrace(2) and its kin for everything, and prints what it gets. The same on every Linux.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRACEME, PEEKTEXT, PEEKDATA, PEEKUSER, POKETEXT, POKEDATA, POKEUSER, CONT, KILL, STEP, GETREGS = 12, SETREGS, GETFPREGS,
       SETFPREGS, ATTACH, DETACH, OLDSETOPTIONS = 21, SYSCALL = 24, GET_THREAD_AREA, ARCH_PRCTL = 30, SYSEMU, SYSEMU_STEP,
       SETOPTIONS = 0x4200, GETEVENTMSG, GETSIGINFO, SETSIGINFO, GETREGSET, SETREGSET, SEIZE, INTERRUPT, LISTEN, PEEKSIGINFO,
       GETSIGMASK, SETSIGMASK, SECCOMP_GET_FILTER, SECCOMP_GET_METADATA, GET_SYSCALL_INFO, GET_RSEQ };
enum { TRACE_SYSGOOD = 1, TRACE_FORK = 2, TRACE_VFORK = 4, TRACE_CLONE = 8, TRACE_EXEC = 16, TRACE_VFORKDONE = 32, TRACE_EXIT = 64, TRACE_EXITKILL = 1 << 20 };

static long pt(long request, long pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, addr, data) == -1 ? -errno : 0;
}
#define PT(r, p, a, d) pt(r, p, (unsigned long)(a), (unsigned long)(d))
#define SAY(what, value) printf("%s: %ld\n", what, (long)(value))

static unsigned long user_word(int pid, size_t offset)
{
	unsigned long v = 0;
	long r = PT(PEEKUSER, pid, offset, &v);
	return r ? (unsigned long)r : v;
}
#define REG(pid, name) user_word(pid, offsetof(struct user_regs_struct, name))
#define DR(n) (offsetof(struct user, u_debugreg) + 8 * (n))

static void say_status(const char *what, int pid, int options)
{
	int status = 0;
	int got = waitpid(pid, &status, options | __WALL);
	if (got <= 0)
		printf("%s: %s\n", what, got ? strerror(errno) : "nothing");
	else if (WIFEXITED(status))
		printf("%s: exited %d\n", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("%s: killed by %d\n", what, WTERMSIG(status));
	else if (WIFCONTINUED(status))
		printf("%s: continued\n", what);
	else
		printf("%s: stopped by %#x event %d\n", what, WSTOPSIG(status), status >> 16);
}
static void go(int request, int pid, int sig, const char *what)
{
	long r = PT(request, pid, 0, sig);
	if (r)
		SAY(what, r);
	else
		say_status(what, pid, 0);
}
static void say_siginfo(const char *what, int pid)
{
	siginfo_t i;
	long r = PT(GETSIGINFO, pid, 0, &i);
	if (r)
		SAY(what, r);
	else
		printf("%s: signo %d code %#x%s\n", what, i.si_signo, i.si_code, i.si_code <= 0 && i.si_pid == pid ? " from itself" : "");
}
static unsigned long message(int pid)
{
	unsigned long m = 0;
	PT(GETEVENTMSG, pid, 0, &m);
	return m;
}
static char state(int pid)
{
	char path[64], text[256] = "", *p;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return '-';
	read(fd, text, 255);
	close(fd);
	p = strrchr(text, ')');
	return p ? p[2] : '?';
}
static void settle(void) { usleep(200000); }
static int forked(void (*fn)(void))
{
	fflush(stdout);
	int pid = fork();
	if (pid)
		return pid;
	fn();
	_exit(0);
}
static void traced(void)
{
	syscall(SYS_ptrace, TRACEME, 0, 0, 0);
	raise(SIGSTOP);
}
static void end(int pid)
{
	kill(pid, SIGKILL);
	say_status("end", pid, 0);
}

/* ---- Errors ---- */
static void idle(void) { for (;;) pause(); }
static void stops(void) { traced(); }
static void errors(void)
{
	unsigned long v;
	printf("== errors\n");
	SAY("attach self", PT(ATTACH, getpid(), 0, 0));
	SAY("attach nobody", PT(ATTACH, 99999, 0, 0));
	SAY("attach kthread", PT(ATTACH, 2, 0, 0));
	SAY("attach init", PT(ATTACH, 1, 0, 0));
	int pid = forked(idle);
	SAY("untraced", PT(CONT, pid, 0, 0));
	SAY("seize addr", PT(SEIZE, pid, 1, 0));
	SAY("seize options", PT(SEIZE, pid, 0, 0x100));
	SAY("seize", PT(SEIZE, pid, 0, 0));
	SAY("seize again", PT(SEIZE, pid, 0, 0));
	SAY("running", PT(GETREGS, pid, 0, &v));
	SAY("listen running", PT(LISTEN, pid, 0, 0));
	SAY("detach running", PT(DETACH, pid, 0, 0));
	SAY("kill running", PT(KILL, pid, 0, 0));
	say_status("killed", pid, 0);
	pid = forked(stops);
	say_status("stop", pid, 0);
	SAY("unknown request", PT(0x7777, pid, 0, 0));
	SAY("request 10", PT(10, pid, 0, 0));
	SAY("bad signal", PT(CONT, pid, 0, 65));
	SAY("bad detach signal", PT(DETACH, pid, 0, 65));
	SAY("options unknown", PT(SETOPTIONS, pid, 0, 0x100));
	SAY("options old", PT(OLDSETOPTIONS, pid, 0, TRACE_SYSGOOD));
	SAY("interrupt unseized", PT(INTERRUPT, pid, 0, 0));
	SAY("listen unseized", PT(LISTEN, pid, 0, 0));
	SAY("peek unaligned", PT(PEEKUSER, pid, 4, &v));
	SAY("peek beyond", PT(PEEKUSER, pid, sizeof(struct user), &v));
	SAY("peek last", PT(PEEKUSER, pid, sizeof(struct user) - 8, &v));
	SAY("peek negative", PT(PEEKUSER, pid, -8, &v));
	SAY("peek to nowhere", PT(PEEKUSER, pid, 0, 8));
	SAY("poke comm", PT(POKEUSER, pid, offsetof(struct user, u_comm), 0));
	SAY("peek data bad", PT(PEEKDATA, pid, 8, &v));
	SAY("peek data to nowhere", PT(PEEKDATA, pid, &v, 8));
	SAY("poke data bad", PT(POKEDATA, pid, 8, 0));
	SAY("getregs nowhere", PT(GETREGS, pid, 0, 8));
	SAY("siginfo nowhere", PT(GETSIGINFO, pid, 0, 8));
	SAY("eventmsg nowhere", PT(GETEVENTMSG, pid, 0, 8));
	SAY("sigmask size", PT(GETSIGMASK, pid, 4, &v));
	SAY("sigmask", PT(GETSIGMASK, pid, 8, &v));
	SAY("thread area", PT(GET_THREAD_AREA, pid, -1, &v));
	SAY("getfpxregs", PT(18, pid, 0, &v));
	struct { uint64_t off; uint32_t flags; int32_t nr; } args = { 0, 2, 1 };
	SAY("peeksiginfo flags", PT(PEEKSIGINFO, pid, &args, &v));
	args.flags = 0, args.nr = -1;
	SAY("peeksiginfo nr", PT(PEEKSIGINFO, pid, &args, &v));
	args.nr = 1;
	SAY("peeksiginfo none", syscall(SYS_ptrace, PEEKSIGINFO, pid, &args, &v));
	struct { uint64_t p; uint32_t size, sig, flags, pad; } rseq;
	SAY("rseq", syscall(SYS_ptrace, GET_RSEQ, pid, sizeof rseq, &rseq));
	printf("rseq: %#lx %u %#x %u\n", (long)rseq.p, rseq.size, rseq.sig, rseq.flags);
	char info[128];
	SAY("syscall info", syscall(SYS_ptrace, GET_SYSCALL_INFO, pid, sizeof info, info));
	SAY("syscall info op", info[0]);
	for (int code = 0x1000; code < 0x1006; code++) {
		printf("%#x ", code);
		SAY("arch_prctl", PT(ARCH_PRCTL, pid, code >= 0x1003 ? (unsigned long)&v : ~0ul, code));
	}
	struct iovec iov = { &v, 8 };
	SAY("regset unknown", PT(GETREGSET, pid, 0x1234, &iov));
	SAY("regset 8", PT(GETREGSET, pid, NT_PRSTATUS, &iov));
	SAY("regset 8 len", iov.iov_len);
	iov.iov_len = 5;
	SAY("regset 5", PT(GETREGSET, pid, NT_PRSTATUS, &iov));
	iov.iov_len = 8;
	SAY("xstate short set", PT(SETREGSET, pid, NT_X86_XSTATE, &iov));
	iov.iov_len = 8;
	SAY("fpregs short get", PT(GETREGSET, pid, NT_PRFPREG, &iov));
	end(pid);
}

/* ---- Registers ---- */
static void registers(void)
{
	printf("== registers\n");
	int pid = forked(stops);
	struct user_regs_struct r;
	say_status("stop", pid, 0);
	static const struct { const char *name; size_t at; unsigned long value; } rows[] = {
		{ "cs 0", offsetof(struct user_regs_struct, cs), 0 }, { "cs 8", offsetof(struct user_regs_struct, cs), 8 },
		{ "cs 0x33", offsetof(struct user_regs_struct, cs), 0x33 }, { "cs big", offsetof(struct user_regs_struct, cs), 0x10033 },
		{ "ss 0", offsetof(struct user_regs_struct, ss), 0 }, { "ss 0x2b", offsetof(struct user_regs_struct, ss), 0x2b },
		{ "ds 1", offsetof(struct user_regs_struct, ds), 1 }, { "ds 0", offsetof(struct user_regs_struct, ds), 0 },
		{ "ds 0x2b", offsetof(struct user_regs_struct, ds), 0x2b },
		{ "fs_base high", offsetof(struct user_regs_struct, fs_base), 1ul << 47 },
		{ "fs_base", offsetof(struct user_regs_struct, fs_base), 0x10000 },
		{ "gs_base high", offsetof(struct user_regs_struct, gs_base), ~0ul },
		{ "gs_base", offsetof(struct user_regs_struct, gs_base), 0x20000 },
		{ "orig_rax", offsetof(struct user_regs_struct, orig_rax), ~0ul },
		{ "rip any", offsetof(struct user_regs_struct, rip), 0x123456789abcdef0 },
		{ "eflags all", offsetof(struct user_regs_struct, eflags), ~0ul },
		{ "eflags none", offsetof(struct user_regs_struct, eflags), 0 },
	};
	PT(GETREGS, pid, 0, &r);
	printf("selectors %#llx %#llx %#llx %#llx %#llx %#llx\n", (long long)r.cs, (long long)r.ss, (long long)r.ds, (long long)r.es,
	       (long long)r.fs, (long long)r.gs);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		long e = PT(POKEUSER, pid, rows[i].at, rows[i].value);
		printf("%s: %ld then %#lx\n", rows[i].name, e, user_word(pid, rows[i].at));
	}
	PT(SETREGS, pid, 0, &r);
	struct user_fpregs_struct fp;
	SAY("getfpregs", PT(GETFPREGS, pid, 0, &fp));
	printf("cwd %#x mxcsr %#x\n", fp.cwd, fp.mxcsr);
	fp.mxcsr = ~0u;
	SAY("mxcsr bad", PT(SETFPREGS, pid, 0, &fp));
	fp.mxcsr = 0x1fa0;
	fp.xmm_space[0] = 77;
	SAY("setfpregs", PT(SETFPREGS, pid, 0, &fp));
	memset(&fp, 0, sizeof fp);
	PT(GETFPREGS, pid, 0, &fp);
	printf("xmm0 %u mxcsr %#x\n", fp.xmm_space[0], fp.mxcsr);
	static char x[8192] __attribute__((aligned(64)));
	struct iovec iov = { x, sizeof x };
	SAY("xstate", PT(GETREGSET, pid, NT_X86_XSTATE, &iov));
	printf("more than fxsave %d, xcr0 has sse %d, present has sse %d\n", iov.iov_len > 576, x[464] >> 1 & 1, x[512] >> 1 & 1);
	SAY("xstate set", PT(SETREGSET, pid, NT_X86_XSTATE, &iov));
	x[512 + 20] = 1;
	SAY("xstate header bad", PT(SETREGSET, pid, NT_X86_XSTATE, &iov));
	for (int n = 0; n < 8; n++)
		printf("dr%d %#lx\n", n, user_word(pid, DR(n)));
	SAY("dr0 kernel", PT(POKEUSER, pid, DR(0), ~0ul));
	SAY("dr4", PT(POKEUSER, pid, DR(4), 1));
	SAY("dr5", PT(POKEUSER, pid, DR(5), 1));
	SAY("dr6", PT(POKEUSER, pid, DR(6), 0));
	SAY("dr7 io", PT(POKEUSER, pid, DR(7), 0x20001));
	SAY("dr7 execute of 2", PT(POKEUSER, pid, DR(7), 0x40001));
	SAY("dr0", PT(POKEUSER, pid, DR(0), 0x1001));
	SAY("dr7 write of 4 unaligned", PT(POKEUSER, pid, DR(7), 0xd0001));
	SAY("dr7 write of 1", PT(POKEUSER, pid, DR(7), 0x10001));
	printf("dr7 %#lx\n", user_word(pid, DR(7)));
	SAY("dr7 off", PT(POKEUSER, pid, DR(7), 0));
	end(pid);
}

/* ---- Steps, breakpoints ---- */
static volatile int watched;
static void handler(int sig) { (void)sig; }
static void steps_child(void)
{
	signal(SIGUSR1, handler);
	traced();
	__asm__ volatile("nop\n nop\n mov $110, %%eax\n syscall\n nop\n pushf\n pop %%rbx\n pushf\n popf\n nop\n hlt" ::: "rax", "rbx",
			 "rcx", "r11", "memory");
}
static void steps(void)
{
	printf("== steps\n");
	int pid = forked(steps_child);
	say_status("stop", pid, 0);
	unsigned long code = 0;
	int on = 0, left = 400;
	/* The run to the first nop is the C library's own affair. */
	while (left--) {
		if (PT(STEP, pid, 0, 0) || waitpid(pid, NULL, 0) != pid)
			break;
		PT(PEEKTEXT, pid, REG(pid, rip), &code);
		if (!on && (code & 0xffffff) == 0xb89090)
			on = 1;
		if (!on)
			continue;
		siginfo_t i = { 0 };
		PT(GETSIGINFO, pid, 0, &i);
		printf("at %02lx signo %d code %d tf %ld rbx-tf %ld\n", code & 0xff, i.si_signo, i.si_code, REG(pid, eflags) >> 8 & 1,
		       REG(pid, rbx) >> 8 & 1);
		if ((code & 0xff) == 0xf4)
			break;
	}
	go(STEP, pid, SIGUSR1, "step with a signal");
	SAY("at the handler", REG(pid, rip) == (unsigned long)handler);
	say_siginfo("its stop", pid);
	go(STEP, pid, 0, "step in the handler");
	go(CONT, pid, 0, "hlt");
	say_siginfo("hlt", pid);
	end(pid);
}
__attribute__((noinline)) static void touch(void)
{
	__asm__ volatile("" ::: "memory");
	watched = 5;
}
static void breaks_child(void)
{
	traced();
	touch();
	touch();
}
static void breakpoints(void)
{
	printf("== breakpoints\n");
	int pid = forked(breaks_child);
	say_status("stop", pid, 0);
	SAY("dr0", PT(POKEUSER, pid, DR(0), touch));
	SAY("dr1", PT(POKEUSER, pid, DR(1), &watched));
	SAY("dr7", PT(POKEUSER, pid, DR(7), 0xd00000 | 5));
	for (int i = 0; i < 4; i++) {
		go(CONT, pid, 0, "hit");
		say_siginfo("hit", pid);
		printf("dr6 %#lx at touch %d\n", user_word(pid, DR(6)) & 15, REG(pid, rip) == (unsigned long)touch);
		PT(POKEUSER, pid, DR(6), 0);
	}
	go(CONT, pid, 0, "then");
}

/* ---- System calls ---- */
static void calls_child(void)
{
	traced();
	syscall(SYS_getppid);
	_exit(syscall(SYS_getuid) & 0x7f);
}
static void calls(void)
{
	printf("== system calls\n");
	int pid = forked(calls_child), n = 0;
	struct { uint8_t op, pad[3]; uint32_t arch; uint64_t ip, sp; union { struct { uint64_t nr, args[6]; } e; struct { int64_t rval; uint8_t is_error; } x; }; } i;
	say_status("stop", pid, 0);
	SAY("options", PT(SETOPTIONS, pid, 0, TRACE_SYSGOOD));
	while (n++ < 40) {
		int status;
		PT(SYSCALL, pid, 0, 0);
		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status)) {
			printf("ended %#x\n", status);
			break;
		}
		long size = syscall(SYS_ptrace, GET_SYSCALL_INFO, pid, sizeof i, &i);
		unsigned long nr = REG(pid, orig_rax);
		if (nr != SYS_getppid && nr != SYS_getuid)
			continue;
		printf("%ld stop %#x size %ld op %d arch %#x message %ld rax %ld\n", nr, WSTOPSIG(status), size, i.op, i.arch, message(pid),
		       i.op == 2 && nr == SYS_getppid ? 0 : REG(pid, rax));
		if (i.op == 1 && nr == SYS_getuid)
			PT(POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1);
		if (i.op == 2 && nr == SYS_getuid)
			PT(POKEUSER, pid, offsetof(struct user_regs_struct, rax), 42);
	}
	pid = forked(calls_child);
	say_status("stop", pid, 0);
	for (n = 0; n < 20; n++) {
		int status;
		PT(SYSEMU, pid, 0, 0);
		waitpid(pid, &status, 0);
		if (REG(pid, orig_rax) == SYS_getppid)
			break;
	}
	PT(POKEUSER, pid, offsetof(struct user_regs_struct, rax), 1);
	go(SYSEMU, pid, 0, "sysemu");
	printf("nr %ld rax %ld\n", REG(pid, orig_rax), REG(pid, rax));
	go(SYSEMU_STEP, pid, 0, "sysemu step");
	go(SYSCALL, pid, 0, "syscall");
	end(pid);
}
static void naps(void)
{
	traced();
	for (;;) usleep(3000000);
}
static void interrupted(void)
{
	printf("== interrupted call\n");
	int pid = forked(naps);
	say_status("stop", pid, 0);
	PT(SETOPTIONS, pid, 0, TRACE_SYSGOOD);
	do {
		PT(SYSCALL, pid, 0, 0);
		waitpid(pid, NULL, 0);
	} while (REG(pid, orig_rax) != SYS_nanosleep && REG(pid, orig_rax) != SYS_clock_nanosleep);
	PT(SYSCALL, pid, 0, 0);
	settle();
	kill(pid, SIGUSR2);
	say_status("exit stop", pid, 0);
	SAY("rax", REG(pid, rax));
	go(SYSCALL, pid, 0, "signal");
	say_siginfo("signal", pid);
	go(SYSCALL, pid, 0, "restart");
	SAY("nr", REG(pid, orig_rax));
	PT(DETACH, pid, 0, SIGTERM);
	say_status("detached by SIGTERM", pid, 0);
}

/* ---- Events ---- */
static int thread_fn(void *arg) { (void)arg; usleep(100000); return 0; }
static char stack[65536] __attribute__((aligned(16)));
static void forks(void) { traced(); if (!fork()) _exit(5); wait(NULL); }
static void vforks(void) { traced(); if (!vfork()) _exit(6); wait(NULL); }
static void clones(void) { traced(); clone(thread_fn, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL); usleep(300000); syscall(SYS_exit, 7); }
static void clone_sig(void) { traced(); clone(thread_fn, stack + sizeof stack, SIGUSR1, NULL); waitpid(-1, NULL, __WALL); }
static void untraced(void) { traced(); clone(thread_fn, stack + sizeof stack, CLONE_UNTRACED | SIGCHLD, NULL); wait(NULL); }
static void execs(void) { traced(); execl("/bin/true", "true", NULL); }
static void events_of(const char *name, void (*fn)(void), int options)
{
	printf("-- %s\n", name);
	int pid = forked(fn), child = 0, left = 30;
	say_status("stop", pid, 0);
	SAY("options", PT(SETOPTIONS, pid, 0, options));
	PT(CONT, pid, 0, 0);
	int whom = pid;
	while (left--) {
		/* A child is followed to its end before its parent goes on, so that the order is always the same. */
		int status, got = waitpid(whom, &status, __WALL);
		if (got < 0)
			break;
		const char *who = got == pid ? "parent" : "child";
		if (WIFSTOPPED(status)) {
			int event = status >> 16, sig = WSTOPSIG(status);
			unsigned long m = message(got);
			if (event >= 1 && event <= 3)
				whom = child = m;
			printf("%s: stopped by %d event %d message %s\n", who, sig, event,
			       !event ? "-" : event == 6 ? "code" : m == (unsigned long)child ? "child" : m == (unsigned long)pid ? "itself" : "?");
			if (whom == got || !(event >= 1 && event <= 3))
				PT(CONT, got, 0, event || sig == SIGSTOP ? 0 : sig);
			continue;
		}
		printf("%s: %s %d\n", who, WIFEXITED(status) ? "exited" : "killed", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		if (got == pid)
			break;
		whom = pid;
		PT(CONT, pid, 0, 0);
	}
	while (waitpid(-1, NULL, __WALL | WNOHANG) > 0) ;
}
static void events(void)
{
	printf("== events\n");
	int all = TRACE_FORK | TRACE_VFORK | TRACE_CLONE | TRACE_EXEC | TRACE_VFORKDONE;
	events_of("fork", forks, all);
	events_of("vfork", vforks, all);
	events_of("thread", clones, all);
	events_of("clone with another signal", clone_sig, all);
	events_of("untraced", untraced, all);
	events_of("exec", execs, all);
	events_of("exec without", execs, 0);
	events_of("exit", stops, TRACE_EXIT);
	printf("-- killed, with the exit event\n");
	int pid = forked(stops);
	say_status("stop", pid, 0);
	PT(SETOPTIONS, pid, 0, TRACE_EXIT);
	kill(pid, SIGKILL);
	say_status("killed", pid, 0);
	if (state(pid) == 't')
		go(CONT, pid, 0, "then");
}

/* ---- Job control ---- */
static void job_control(void)
{
	printf("== job control\n");
	int pid = forked(idle);
	SAY("seize", PT(SEIZE, pid, 0, 0));
	settle();
	SAY("interrupt", PT(INTERRUPT, pid, 0, 0));
	say_status("trap", pid, 0);
	say_siginfo("trap", pid);
	SAY("listen", PT(LISTEN, pid, 0, 0));
	SAY("listening", PT(GETREGS, pid, 0, 0));
	printf("state %c\n", state(pid));
	SAY("interrupt", PT(INTERRUPT, pid, 0, 0));
	say_status("trap", pid, 0);
	SAY("cont", PT(CONT, pid, 0, 0));
	kill(pid, SIGUSR1);
	say_status("usr1", pid, 0);
	SAY("listen here", PT(LISTEN, pid, 0, 0));
	go(CONT, pid, SIGSTOP, "group stop");
	say_siginfo("group stop", pid);
	SAY("listen", PT(LISTEN, pid, 0, 0));
	settle();
	kill(pid, SIGCONT);
	say_status("notified", pid, 0);
	say_siginfo("notified", pid);
	go(CONT, pid, 0, "cont");
	SAY("detach", PT(DETACH, pid, 0, SIGSTOP));
	settle();
	printf("state %c\n", state(pid));
	say_status("as a parent", pid, WUNTRACED);
	SAY("attach to the stopped", PT(ATTACH, pid, 0, 0));
	say_status("attached", pid, 0);
	say_siginfo("attached", pid);
	SAY("detach", PT(DETACH, pid, 0, 0));
	settle();
	printf("state %c\n", state(pid));
	kill(pid, SIGCONT);
	say_status("continued", pid, WCONTINUED);
	end(pid);
}

/* ---- Signals ---- */
static void usr(void) { traced(); raise(SIGUSR1); _exit(3); }
static void signals(void)
{
	printf("== signals\n");
	int pid = forked(usr);
	say_status("stop", pid, 0);
	go(CONT, pid, 0, "usr1");
	say_siginfo("usr1", pid);
	go(CONT, pid, SIGUSR2, "another killed it");
	pid = forked(usr);
	say_status("stop", pid, 0);
	go(CONT, pid, 0, "usr1");
	go(CONT, pid, SIGSTOP, "made a stop of it");
	say_siginfo("group stop", pid);
	go(CONT, pid, 0, "then");
	pid = forked(stops);
	say_status("stop", pid, 0);
	unsigned long mask = 1ul << (SIGUSR1 - 1) | 1ul << (SIGKILL - 1);
	SAY("set mask", PT(SETSIGMASK, pid, 8, &mask));
	PT(GETSIGMASK, pid, 8, &mask);
	printf("mask %#lx\n", mask);
	kill(pid, SIGUSR1);
	struct { uint64_t off; uint32_t flags; int32_t nr; } args = { 0, 1, 4 };
	siginfo_t i[4];
	SAY("shared queue", syscall(SYS_ptrace, PEEKSIGINFO, pid, &args, i));
	args.flags = 0;
	SAY("own queue", syscall(SYS_ptrace, PEEKSIGINFO, pid, &args, i));
	PT(GETSIGINFO, pid, 0, i);
	i->si_errno = 7;
	SAY("setsiginfo", PT(SETSIGINFO, pid, 0, i));
	go(CONT, pid, 0, "then");
}

/* ---- Kin ---- */
static const char constant[16] = "read only";
static void as_nobody(int pid, const char *what)
{
	fflush(stdout);
	int p = fork();
	if (p) {
		waitpid(p, NULL, 0);
		return;
	}
	setgid(65534), setuid(65534);
	char path[64], c;
	struct iovec l = { &c, 1 }, r = { (void *)constant, 1 };
	printf("%s: attach %ld", what, PT(ATTACH, pid, 0, 0));
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	printf(" mem %d", open(path, O_RDONLY) < 0 ? errno : 0);
	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	printf(" maps %d", open(path, O_RDONLY) < 0 ? errno : 0);
	snprintf(path, sizeof path, "/proc/%d/environ", pid);
	printf(" environ %d", open(path, O_RDONLY) < 0 ? errno : 0);
	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	printf(" exe %d", readlink(path, path, 10) < 0 ? errno : 0);
	printf(" readv %d", process_vm_readv(pid, &l, 1, &r, 1, 0) < 0 ? errno : 0);
	printf(" kcmp %d\n", syscall(SYS_kcmp, pid, pid, 1, 0, 0) < 0 ? errno : 0);
	fflush(stdout);
	_exit(0);
}
static void nobody(void) { setgid(65534), setuid(65534); prctl(PR_SET_DUMPABLE, 1); idle(); }
static void nobody_closed(void) { setgid(65534), setuid(65534); idle(); }
static void kin(void)
{
	printf("== kin\n");
	int pid = forked(idle), pid2;
	char path[64], text[16] = "";
	settle();
	struct iovec l = { text, 9 }, r = { (void *)constant, 9 }, bad = { (void *)8, 9 };
	printf("readv %zd %s\n", process_vm_readv(pid, &l, 1, &r, 1, 0), text);
	printf("readv flags %zd %d\n", process_vm_readv(pid, &l, 1, &r, 1, 1), errno);
	printf("readv nobody %zd %d\n", process_vm_readv(99999, &l, 1, &r, 1, 0), errno);
	printf("readv bad %zd %d\n", process_vm_readv(pid, &l, 1, &bad, 1, 0), errno);
	printf("readv kthread %zd %d\n", process_vm_readv(2, &l, 1, &r, 1, 0), errno);
	printf("readv too many %zd %d\n", process_vm_readv(pid, &l, 1, &r, 1025, 0), errno);
	printf("readv none %zd\n", process_vm_readv(pid, &l, 0, &r, 1, 0));
	printf("readv short remote %zd\n", process_vm_readv(pid, &l, 1, (struct iovec[]){ { (void *)constant, 3 } }, 1, 0));
	printf("writev constant %zd %d\n", process_vm_writev(pid, &l, 1, &r, 1, 0), errno);
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	int fd = open(path, O_RDWR);
	printf("mem read %zd", pread(fd, text, 9, (off_t)constant));
	printf(" %s, write %zd", text, pwrite(fd, "WRITTEN!!", 9, (off_t)constant));
	printf(", read %zd", pread(fd, text, 9, (off_t)constant));
	printf(" %s, ours %s", text, constant);
	printf(", hole %zd", pread(fd, text, 9, 8));
	printf(" %d, end %ld", errno, (long)lseek(fd, 0, SEEK_END));
	printf(" %d\n", errno);
	printf("kcmp same %ld vm differs %d nobody %ld", syscall(SYS_kcmp, pid, pid, 1, 0, 0), syscall(SYS_kcmp, pid, getpid(), 1, 0, 0) > 0,
	       syscall(SYS_kcmp, pid, 99999, 1, 0, 0));
	printf(" %d", errno);
	printf(" type %ld", syscall(SYS_kcmp, pid, pid, 99, 0, 0));
	printf(" %d", errno);
	printf(" file %ld", syscall(SYS_kcmp, pid, getpid(), 0, 1, 1));
	printf(" bad file %ld", syscall(SYS_kcmp, pid, pid, 0, 77, 1));
	printf(" %d\n", errno);
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	printf("getfd flags %ld", syscall(SYS_pidfd_getfd, pidfd, 0, 1));
	printf(" %d", errno);
	printf(" bad %ld", syscall(SYS_pidfd_getfd, pidfd, 77, 0));
	printf(" %d", errno);
	int copy = syscall(SYS_pidfd_getfd, pidfd, 1, 0);
	printf(" good %d cloexec %d same %ld\n", copy >= 0, fcntl(copy, F_GETFD), syscall(SYS_kcmp, getpid(), pid, 0, copy, 1));
	as_nobody(pid, "root's");
	pid2 = forked(nobody);
	settle();
	as_nobody(pid2, "own");
	end(pid2);
	pid2 = forked(nobody_closed);
	settle();
	as_nobody(pid2, "own, not dumpable");
	end(pid2);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("mem of the dead %zd", pread(fd, text, 9, (off_t)constant));
	printf(" getfd %ld", syscall(SYS_pidfd_getfd, pidfd, 0, 0));
	printf(" %d\n", errno);
}

int main(void)
{
	errors();
	registers();
	steps();
	breakpoints();
	calls();
	interrupted();
	events();
	job_control();
	signals();
	kin();
	return 0;
}
