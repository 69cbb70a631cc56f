/* A program to be traced: threads, a signal, a fork, an exec; stepped and looked at by a debugger.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int global = 1;

__attribute__((noinline)) int deeper(int n)
{
	global += n;
	return n * 2;
}

__attribute__((noinline)) int outer(int n)
{
	return deeper(n + 1) + 1;
}

static void handler(int sig)
{
	global = sig;
}

static void *thread(void *arg)
{
	getppid();
	return arg;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "debug";

	if (!strcmp(what, "debug")) {
		int r = outer(20);
		printf("%d %d\n", r, global);
		return r;
	}
	if (!strcmp(what, "threads")) {
		for (int i = 0; i < 3; i++) {
			pthread_t t;
			pthread_create(&t, NULL, thread, NULL);
			pthread_join(t, NULL);
		}
		return 0;
	}
	if (!strcmp(what, "signal")) {
		signal(SIGUSR1, handler);
		raise(SIGUSR1);
		return global;
	}
	if (!strcmp(what, "fork")) {
		if (!fork())
			_exit(3);
		wait(NULL);
		return 0;
	}
	if (!strcmp(what, "ppid")) {
		signal(SIGUSR1, handler);
		long r = syscall(SYS_getppid);
		return r == 42 ? 42 : r < 0 ? errno : global;
	}
	if (!strcmp(what, "sleep")) {
		for (int i = 0; i < 1000; i++)
			usleep(20000);
		return 0;
	}
	return 1;
}
