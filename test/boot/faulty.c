// Does one bad thing, named by its argument. For test/boot/limits_script.sh; a static program.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int recurse(volatile char *above)
{
	volatile char here[4096];
	here[0] = above[0];
	return recurse(here) + here[0];
}

/* As user 1000 with RLIMIT_NPROC 20: forks until it is refused. */
static int forkbomb(void)
{
	struct rlimit limit = { 20, 20 };
	int made = 0;
	if (setrlimit(RLIMIT_NPROC, &limit) || setgid(1000) || setuid(1000))
		return 99;
	for (;;) {
		pid_t pid = fork();
		if (pid == 0)
			for (;;)
				pause();
		if (pid < 0)
			break;
		made++;
	}
	printf("%d children, then %s\n", made, strerror(errno));
	return errno;
}

static int run_args(size_t count, size_t size)
{
	char **argv = calloc(count + 2, sizeof *argv);
	char *word = malloc(size + 1);
	memset(word, 'x', size);
	word[size] = 0;
	argv[0] = "true";
	for (size_t i = 1; i <= count; i++)
		argv[i] = word;
	execve("/bin/true", argv, environ);
	printf("%s\n", strerror(errno));
	return 1;
}

static int bad_syscall_pointers(void)
{
	char *bad = (char *)8, *kernel = (char *)0xffff888000001000;
	int fd = open("/proc/version", O_RDONLY);
	struct { const char *name; long result; } calls[] = {
		{ "read", syscall(SYS_read, fd, bad, 16) == -1 ? errno : 0 },
		{ "write", syscall(SYS_write, 1, kernel, 16) == -1 ? errno : 0 },
		{ "open", syscall(SYS_open, bad, 0) == -1 ? errno : 0 },
		{ "stat", syscall(SYS_stat, "/", kernel) == -1 ? errno : 0 },
		{ "uname", syscall(SYS_uname, bad) == -1 ? errno : 0 },
		{ "pipe", syscall(SYS_pipe, kernel) == -1 ? errno : 0 },
		{ "execve", syscall(SYS_execve, kernel, 0, 0) == -1 ? errno : 0 },
		{ "rt_sigaction", syscall(SYS_rt_sigaction, 2, bad, 0, 8) == -1 ? errno : 0 },
		{ "nanosleep", syscall(SYS_nanosleep, kernel, 0) == -1 ? errno : 0 },
		{ "number 9999", syscall(9999) == -1 ? errno : 0 },
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		printf("%s: %s\n", calls[i].name, strerror((int)calls[i].result));
	return 0;
}

/* Takes memory until the system has none left: the out-of-memory killer ends this process and no other. */
static int eat_all(void)
{
	for (;;) {
		char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED) {
			raise(SIGKILL); /* refused before the killer came: as good */
		}
		memset(p, 1, 1 << 20);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "null"))
		return *(volatile int *)8;
	if (!strcmp(what, "kernel"))
		return *(volatile int *)0xffff888000001000;
	if (!strcmp(what, "noncanonical"))
		return *(volatile int *)0x8000000000001000;
	if (!strcmp(what, "text"))
		*(volatile char *)(uintptr_t)&main = 1;
	if (!strcmp(what, "execute-data")) {
		static char code[] = { (char)0xc3 };
		((void (*)(void))(uintptr_t)code)();
	}
	if (!strcmp(what, "divide")) {
		volatile int zero = 0, many = 77;
		return many / zero;
	}
	if (!strcmp(what, "illegal"))
		__asm__ volatile("ud2");
	if (!strcmp(what, "privileged"))
		__asm__ volatile("hlt");
	if (!strcmp(what, "stack"))
		return recurse("x");
	if (!strcmp(what, "syscall-pointers"))
		return bad_syscall_pointers();
	if (!strcmp(what, "forkbomb")) {
		pid_t pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			int status = forkbomb();
			fflush(stdout);
			kill(0, SIGKILL); /* the whole group */
			_exit(status);
		}
		int status;
		waitpid(pid, &status, 0);
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	if (!strcmp(what, "exec")) {
		char *args[] = { argv[2], 0 };
		execve(argv[2], args, environ);
		printf("%s\n", strerror(errno));
		return 1;
	}
	if (!strcmp(what, "longarg"))
		return run_args(1, 1 << 20);
	if (!strcmp(what, "manyargs"))
		return run_args(64 * (size_t)atoi(argv[2]), 16384);
	if (!strcmp(what, "badread")) {
		int fd = open("/proc/version", O_RDONLY);
		long n = read(fd, (void *)16, 10);
		printf("%ld %s\n", n, strerror(errno));
		return 0;
	}
	if (!strcmp(what, "eat")) {
		char *p = malloc((size_t)atoi(argv[2]) << 20);
		printf("%s\n", p ? "got it" : strerror(errno));
		return 0;
	}
	if (!strcmp(what, "oom"))
		return eat_all();
	return 98;
}
