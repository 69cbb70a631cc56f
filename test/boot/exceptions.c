// What programs see of the x86 CPU: which signal each exception becomes, what a handler finds in its frame, what
// sigreturn accepts, and that FPU state and segments stay the program's own. Compared with a real Linux 6.1.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sched.h>
#include <ucontext.h>
#include <unistd.h>

typedef unsigned long ulong_t;
static sigjmp_buf back;
static const char *name;
static volatile int steps;

static void handle(int sig, void (*f)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | SA_NODEFER };
	sigaction(sig, &sa, 0);
}

static void report(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	ulong_t address = (ulong_t)info->si_addr;
	printf("%s: signal %d code %d address %s trap %lld error %llx\n", name, sig, info->si_code,
	       address == (ulong_t)r[REG_RIP] ? "of the instruction" : address ? "of the access" : "none", r[REG_TRAPNO], r[REG_ERR]);
	siglongjmp(back, 1);
}

#define TRY(what, ...)                                  \
	do {                                            \
		name = what;                            \
		if (!sigsetjmp(back, 1)) {              \
			__VA_ARGS__;                    \
			printf("%s: no signal\n", what); \
		}                                       \
	} while (0)

static void exceptions(void)
{
	TRY("breakpoint", __asm__ volatile("int3"));
	TRY("undefined", __asm__ volatile("ud2"));
	TRY("halt", __asm__ volatile("hlt"));
	// spec 22 C-58
	TRY("port", __asm__ volatile("inb $0x80, %%al" ::: "al"));
	TRY("int 4", __asm__ volatile("int $4"));
	TRY("int 5", __asm__ volatile("int $5"));
	TRY("int 99", __asm__ volatile("int $99"));
	TRY("divide", __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx"));
	TRY("read 0", *(volatile int *)0);
	TRY("write 0", *(volatile int *)0 = 1);
	TRY("not canonical", *(volatile int *)0x800000000000);
	TRY("kernel read", *(volatile int *)0xffffffff81000000);
	TRY("kernel write", *(volatile int *)0xffff888000000000 = 1);
	TRY("jump to 0", ((void (*)(void))0)());
	TRY("jump not canonical", __asm__ volatile("mov $0x800000000000, %%rax; jmp *%%rax" ::: "rax"));
	TRY("stack not canonical", __asm__ volatile("mov %%rbp, %%rbx; mov $0x800000000000, %%rbp; mov (%%rbp), %%rax" ::: "rax", "rbx"));
	char *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY("write to read-only", *(volatile char *)page = 1);
	mprotect(page, 4096, PROT_NONE);
	TRY("read of no access", *(volatile char *)page);
	unsigned short unmasked = 0x37f & ~4;
	TRY("x87 divide", __asm__ volatile("fldcw %0; fldz; fld1; fdivp; fwait" ::"m"(unmasked)));
	__asm__ volatile("fninit");
}

static void step(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	if (++steps == 1)
		printf("step: signal %d code %d address %d\n", sig, info->si_code, (ulong_t)info->si_addr == (ulong_t)r[REG_RIP]);
	if (steps > 6)
		r[REG_EFL] &= ~0x100ll;
}

static void single_step(void)
{
	handle(SIGTRAP, step);
	// Over a system call too, which must neither lose nor repeat the flag.
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; mov $39, %%eax; syscall; nop; nop; nop; nop; nop; nop; nop; nop"
			 ::: "rax", "rcx", "r11", "memory");
	printf("steps: %d\n", steps);
}

// ---- Signal frames ---------------------------------------------------------------------------------------------------

// spec 22 C-49: the handler starts from the initial state, and what it leaves in the frame is what the program goes on with.
static void look_at_fpu(int sig, siginfo_t *info, void *context)
{
	unsigned mxcsr, xmm[4];
	unsigned short control;
	__asm__ volatile("stmxcsr %0; fnstcw %1; movups %%xmm7, %2" : "=m"(mxcsr), "=m"(control), "=m"(xmm));
	printf("in the handler: mxcsr %x control %x xmm7 %x\n", mxcsr, control, xmm[0]);
	unsigned char *frame = (void *)((ucontext_t *)context)->uc_mcontext.fpregs;
	float *saved = (float *)(frame + 160 + 7 * 16);
	printf("in the frame: mxcsr %x control %x xmm7 %g\n", *(unsigned *)(frame + 24), *(unsigned short *)frame, saved[0]);
	saved[1] = 99;
	__asm__ volatile("pcmpeqd %%xmm7, %%xmm7; fninit; fld1" ::: "xmm7");
	(void)sig, (void)info;
}

static void fpu_in_frames(void)
{
	float in[4] = { 1.5, 2.5, 3.5, 4.5 }, out[4];
	unsigned mxcsr = 0x1fa0, after;
	handle(SIGUSR1, look_at_fpu);
	__asm__ volatile("ldmxcsr %2; movups %3, %%xmm7; syscall; movups %%xmm7, %0; stmxcsr %1"
			 : "=m"(out), "=m"(after)
			 : "m"(mxcsr), "m"(in), "a"(SYS_tkill), "D"(syscall(SYS_gettid)), "S"(SIGUSR1)
			 : "rcx", "r11", "memory", "xmm7");
	printf("afterwards: %g %g %g, mxcsr %x\n", out[0], out[1], out[2], after);
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}

static int change; // what the handler does to its frame
static void change_frame(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	switch (change) {
	case 0: r[REG_R11] = 0x1234, r[REG_RCX] = 0x5678; break; // not what SYSRET would leave there
	case 1: r[REG_CSGSFS] = (r[REG_CSGSFS] & ~0xffffll) | 0x10; break; // kernel code
	case 2: r[REG_RIP] = 0x800000000000; break;
	case 3: r[REG_RIP] = (greg_t)0xffff800000000000; break;
	case 4: r[REG_EFL] |= 0x3000; break; // I/O privilege
	case 5: memset(((ucontext_t *)context)->uc_mcontext.fpregs, 0xff, 560); break; // FPU state the CPU refuses
	}
	(void)sig, (void)info;
}

static void return_through(int what)
{
	ulong_t r11, rcx, flags;
	change = what;
	__asm__ volatile("syscall; mov %%r11, %0; mov %%rcx, %1; pushfq; pop %2"
			 : "=&r"(r11), "=&r"(rcx), "=&r"(flags)
			 : "a"(SYS_tkill), "D"(syscall(SYS_gettid)), "S"(SIGUSR1)
			 : "rcx", "r11", "memory");
	if (what == 0)
		printf("r11 %lx rcx %lx\n", r11, rcx);
	if (what == 4)
		printf("I/O privilege %lx\n", flags >> 12 & 3);
}

static void changed_frames(void)
{
	handle(SIGUSR1, change_frame);
	return_through(0);
	return_through(4);
	for (int what = 1; what <= 5; what++) {
		if (what == 4)
			continue;
		fflush(stdout);
		pid_t pid = fork();
		if (!pid) {
			signal(SIGSEGV, SIG_DFL);
			return_through(what);
			_exit(0);
		}
		int status;
		waitpid(pid, &status, 0);
		printf("frame with change %d: status %x\n", what, status);
	}
}

// ---- Registers of one's own ---------------------------------------------------------------------------------------------

// spec 22 C-45, C-54: over switches.
static void registers_stay(void)
{
	unsigned in[4] = { 1, 2, 3, 4 }, out[4];
	ulong_t flags;
	unsigned short selector;
	pid_t pid = fork();
	for (int i = 0; i < 300; i++) {
		in[0] = (unsigned)i + (pid ? 0 : 1000);
		__asm__ volatile("movups %1, %%xmm9; syscall; movups %%xmm9, %0"
				 : "=m"(out) : "m"(in), "a"(SYS_sched_yield) : "rcx", "r11", "memory", "xmm9");
		if (memcmp(in, out, sizeof in))
			printf("xmm9 changed in turn %d\n", i);
	}
	if (!pid)
		_exit(0);
	wait(0);
	__asm__ volatile("mov $0x2b, %%eax; mov %%eax, %%ds" ::: "eax");
	usleep(2000);
	__asm__ volatile("mov %%ds, %0; xor %%eax, %%eax; mov %%eax, %%ds" : "=r"(selector)::"eax");
	printf("ds %x\n", selector);
	__asm__ volatile("std; syscall; pushfq; pop %0; cld" : "=r"(flags) : "a"(SYS_getpid) : "rcx", "r11", "memory");
	printf("direction flag kept: %d\n", flags >> 10 & 1);
}

static void bases(void) // spec 22 C-55
{
	ulong_t base = 1;
	struct { const char *what; long result; } calls[] = {
		{ "get gs", syscall(SYS_arch_prctl, 0x1004, &base) },
		{ "set gs", syscall(SYS_arch_prctl, 0x1001, 0x123456000) },
		{ "set gs to a kernel address", syscall(SYS_arch_prctl, 0x1001, 0xffff888000000000) },
		{ "set gs to the top", syscall(SYS_arch_prctl, 0x1001, 0x7ffffffff000) },
		{ "set fs to a kernel address", syscall(SYS_arch_prctl, 0x1002, 0xffff888000000000) },
		{ "get fs to nowhere", syscall(SYS_arch_prctl, 0x1003, 8) },
		{ "unknown", syscall(SYS_arch_prctl, 0x9999, 0) },
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		printf("%s: %ld\n", calls[i].what, calls[i].result);
	syscall(SYS_arch_prctl, 0x1004, &base);
	printf("gs base %lx\n", base);
}

static long raw(ulong_t number)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
	return result;
}

int main(void)
{
	static const int signals[] = { SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS };
	setvbuf(stdout, 0, _IONBF, 0);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		handle(signals[i], report);
	exceptions();
	single_step();
	fpu_in_frames();
	changed_frames();
	registers_stay();
	bases();
	printf("upper half of the number ignored: %d\n", raw(0x100000000 | SYS_getpid) == getpid());
	printf("numbers -1, 451, x32: %ld %ld %ld\n", raw(-1), raw(451), raw(0x40000000 | SYS_getpid));
	return 0;
}
