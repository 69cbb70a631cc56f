/* Who may schedule whom how: asks every call that sets a policy, a priority, a nice value, a mask or an I/O priority, for many callers,
 * targets and states of the target. A line per combination: a letter per request, and a sum over what the target was afterwards.
 * Started as root, alone with its targets. The same on every Linux 6.1.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESET 0x40000000
enum { DEADLINE = 6, MS = 1000000, LITTLE = 2000 };
#define LONG_TIME 4000000000ull
enum { F_RESET = 1, F_RECLAIM = 2, F_OVERRUN = 4, F_KEEP_POLICY = 8, F_KEEP_PARAMS = 16, F_CLAMP_MIN = 32 };
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static void must(long ok, const char *what)
{
	if (!ok) {
		printf("%s: %s\n", what, strerror(errno));
		fflush(stdout);
		_exit(1);
	}
}

/* ---- What is asked for ---- */
struct request {
	enum { SETSCHEDULER, SETPARAM, SETATTR, SETPRIORITY, NICE, AFFINITY, IOPRIO, GETTERS } call;
	int policy, value; /* a real-time priority, nice, ... */
	unsigned flags;
	int runtime_us; /* of 10 ms */
	unsigned size;
};
static const struct request requests[] = {
	{SETSCHEDULER, SCHED_OTHER, 0}, {SETSCHEDULER, SCHED_BATCH, 0}, {SETSCHEDULER, SCHED_IDLE, 0},
	{SETSCHEDULER, SCHED_FIFO, 1}, {SETSCHEDULER, SCHED_FIFO, 5}, {SETSCHEDULER, SCHED_FIFO, 10}, {SETSCHEDULER, SCHED_FIFO, 11},
	{SETSCHEDULER, SCHED_FIFO, 50}, {SETSCHEDULER, SCHED_RR, 1}, {SETSCHEDULER, SCHED_RR, 5}, {SETSCHEDULER, SCHED_RR, 11},
	{SETSCHEDULER, SCHED_FIFO, 0}, {SETSCHEDULER, SCHED_OTHER, 1}, {SETSCHEDULER, 4, 0}, {SETSCHEDULER, DEADLINE, 0},
	{SETSCHEDULER, SCHED_OTHER | RESET, 0}, {SETSCHEDULER, SCHED_FIFO | RESET, 5}, {SETSCHEDULER, SCHED_IDLE | RESET, 0},
	{SETPARAM, 0, 0}, {SETPARAM, 0, 1}, {SETPARAM, 0, 5}, {SETPARAM, 0, 10}, {SETPARAM, 0, 21},
	{SETATTR, SCHED_OTHER, 0}, {SETATTR, SCHED_OTHER, -1}, {SETATTR, SCHED_OTHER, -5}, {SETATTR, SCHED_OTHER, -6},
	{SETATTR, SCHED_OTHER, 5}, {SETATTR, SCHED_OTHER, 10}, {SETATTR, SCHED_OTHER, 11}, {SETATTR, SCHED_BATCH, 10}, {SETATTR, SCHED_IDLE, 0},
	{SETATTR, SCHED_IDLE, -20}, {SETATTR, SCHED_OTHER, 10, F_RESET}, {SETATTR, SCHED_FIFO, 5}, {SETATTR, SCHED_FIFO, 5, F_RESET},
	{SETATTR, SCHED_RR, 11}, {SETATTR, DEADLINE, 0, 0, 50}, {SETATTR, DEADLINE, 0, F_RECLAIM, 50}, {SETATTR, DEADLINE, 0, F_RESET, 50},
	{SETATTR, DEADLINE, 0, F_OVERRUN, 100}, {SETATTR, DEADLINE, 0, 0, 20000}, {SETATTR, DEADLINE, 0, 0, 0},
	{SETATTR, SCHED_OTHER, 0, F_KEEP_POLICY}, {SETATTR, SCHED_OTHER, 7, F_KEEP_POLICY}, {SETATTR, SCHED_OTHER, 0, F_KEEP_PARAMS},
	{SETATTR, SCHED_OTHER, 0, F_KEEP_POLICY | F_KEEP_PARAMS}, {SETATTR, SCHED_OTHER, 0, F_KEEP_POLICY | F_RESET},
	{SETATTR, SCHED_FIFO, 3, F_KEEP_PARAMS}, {SETATTR, SCHED_IDLE, 3, F_KEEP_PARAMS | F_RESET},
	{SETATTR, SCHED_OTHER, 0, F_CLAMP_MIN}, {SETATTR, SCHED_FIFO, 5, F_CLAMP_MIN}, {SETATTR, 4, 0, F_CLAMP_MIN},
	{SETATTR, SCHED_FIFO, 0, F_CLAMP_MIN}, {SETATTR, SCHED_OTHER, 0, F_CLAMP_MIN, 0, 48}, {SETATTR, SCHED_OTHER, -9, F_CLAMP_MIN},
	{SETATTR, SCHED_OTHER, 0, 128}, {SETATTR, SCHED_OTHER, 0, 0, 0, 47}, {SETATTR, SCHED_OTHER, 0, 0x10000000},
	{SETATTR, SCHED_OTHER, 0, F_KEEP_POLICY | F_KEEP_PARAMS | F_CLAMP_MIN},
	{SETPRIORITY, 0, 0}, {SETPRIORITY, 0, -1}, {SETPRIORITY, 0, -5}, {SETPRIORITY, 0, -6}, {SETPRIORITY, 0, 5}, {SETPRIORITY, 0, 10},
	{SETPRIORITY, 0, 19}, {SETPRIORITY, 0, -20},
	{NICE, 0, 0}, {NICE, 0, 1}, {NICE, 0, -1}, {NICE, 0, -5}, {NICE, 0, -6}, {NICE, 0, -40},
	{AFFINITY, 0, 1}, {AFFINITY, 0, 0},
	{IOPRIO, 1, 4}, {IOPRIO, 2, 4}, {IOPRIO, 3, 0}, {IOPRIO, 0, 0}, {IOPRIO, 0, 1}, {IOPRIO, 4, 0},
	{GETTERS},
};
enum { REQUESTS = sizeof requests / sizeof *requests };

static int privileged; /* this caller may do all */
static long ask(const struct request *q, pid_t target)
{
	struct sched_param param = {.sched_priority = q->value};
	switch (q->call) {
	case SETSCHEDULER: return syscall(SYS_sched_setscheduler, target, q->policy, &param);
	case SETPARAM: return syscall(SYS_sched_setparam, target, &param);
	case SETATTR: {
		struct attr a = {.size = q->size ? q->size : 56, .policy = q->policy, .flags = q->flags};
		if (q->policy == SCHED_FIFO || q->policy == SCHED_RR)
			a.priority = q->value;
		else
			a.nice = q->value;
		a.runtime = (uint64_t)q->runtime_us * 1000;
		a.deadline = q->policy == DEADLINE ? 10ull * MS : 0;
		/* 6.1 does not take the bandwidth back from a task that never ran with it: let it be next to none. */
		if (q->runtime_us && q->runtime_us < 10000) {
			a.runtime = LITTLE, a.deadline = LONG_TIME;
			if (privileged && target == getpid())
				return 0; /* granted, and then it would have to wait for its next period */
		}
		return syscall(SYS_sched_setattr, target, &a, 0);
	}
	case SETPRIORITY: return syscall(SYS_setpriority, PRIO_PROCESS, target, q->value);
	case NICE: /* of the caller alone */
		errno = 0;
		if (target != getpid())
			return 0;
		return syscall(SYS_setpriority, PRIO_PROCESS, 0, 20 - syscall(SYS_getpriority, PRIO_PROCESS, 0) + q->value);
	case AFFINITY: {
		unsigned long mask = q->value;
		return syscall(SYS_sched_setaffinity, target, sizeof mask, &mask);
	}
	case IOPRIO: return syscall(SYS_ioprio_set, 1, target, q->policy << 13 | q->value);
	case GETTERS: {
		struct attr a;
		unsigned long mask = 0;
		long sum = syscall(SYS_sched_getscheduler, target) < 0 || syscall(SYS_sched_getparam, target, &param) ||
			   syscall(SYS_sched_getattr, target, &a, sizeof a, 0) || syscall(SYS_getpriority, PRIO_PROCESS, target) < 0 ||
			   syscall(SYS_sched_getaffinity, target, sizeof mask, &mask) < 0 || syscall(SYS_ioprio_get, 1, target) < 0;
		return sum ? -1 : 0;
	}
	}
	return -1;
}

static char letter(long r)
{
	if (r >= 0)
		return '.';
	switch (errno) {
	case EPERM: return 'P';
	case EACCES: return 'A';
	case EINVAL: return 'I';
	case ESRCH: return 'S';
	case EBUSY: return 'B';
	case EOPNOTSUPP: return 'O';
	case E2BIG: return 'E';
	case ENOSYS: return 'N';
	}
	return '?';
}

/* ---- Targets and callers ---- */
struct state {
	const char *name;
	struct attr attr;
};
static const struct state states[] = {
	{"nice 0", {56, SCHED_OTHER}},
	{"nice 10", {56, SCHED_OTHER, .nice = 10}},
	{"batch, reset", {56, SCHED_BATCH, F_RESET, 3}},
	{"idle, nice 10", {56, SCHED_IDLE, .nice = 10}},
	{"fifo 5", {56, SCHED_FIFO, .priority = 5}},
	{"rr 20, reset", {56, SCHED_RR, F_RESET, .priority = 20}},
	{"deadline", {56, DEADLINE, .runtime = LITTLE, .deadline = LONG_TIME, .period = LONG_TIME}},
};

struct caller {
	const char *name;
	unsigned ruid, euid;
	int capabilities; /* 1: all but CAP_SYS_NICE dropped, 2: all but that kept, 0: as the ids have it */
	int userns;       /* unshared after the ids were changed: root there */
};
static const struct caller callers[] = {
	{"root", 0, 0, 0, 0}, {"root without CAP_SYS_NICE", 0, 0, 2, 0}, {"user with CAP_SYS_NICE", 1000, 1000, 1, 0},
	{"user", 1000, 1000, 0, 0}, {"user, real id another's", 1001, 1000, 0, 0}, {"root of a user namespace", 1000, 1000, 0, 1},
};
struct target {
	const char *name;
	unsigned ruid, euid;
	int self;
};
static const struct target targets[] = {
	{"itself", 0, 0, 1}, {"user's", 1000, 1000, 0}, {"user's by real id", 1000, 1001, 0}, {"user's by effective id", 1001, 1000, 0}, {"another's", 1001, 1001, 0},
};
static const struct limits {
	const char *name;
	rlim_t nice, rtprio;
} limits[] = {{"none", 0, 0}, {"nice 25, rtprio 10", 25, 10}, {"nice 10, rtprio 99", 10, 99}};

struct shared {
	volatile int turn; /* 0: the supervisor's, 1: the caller's */
	volatile int request, done, pid;
	volatile char letter;
};
static struct shared *sh;

static void keep_only(int which)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t effective, permitted, inheritable; } data[2];
	const uint32_t nice = 1u << 23; /* CAP_SYS_NICE */
	must(!syscall(SYS_capget, &head, data), "capget");
	if (which == 1)
		memset(data, 0, sizeof data), data[0].effective = data[0].permitted = nice;
	else
		data[0].effective &= ~nice, data[0].permitted &= ~nice;
	must(!syscall(SYS_capset, &head, data), "capset");
}
static void become(unsigned ruid, unsigned euid, int capabilities)
{
	if (capabilities == 1)
		prctl(PR_SET_KEEPCAPS, 1);
	if (ruid || euid) {
		must(!setgroups(0, NULL), "setgroups");
		must(!syscall(SYS_setresgid, 1000, 1000, 1000), "setresgid");
		must(!syscall(SYS_setresuid, ruid, euid, euid), "setresuid");
	}
	if (capabilities)
		keep_only(capabilities);
}

static int wake_pipe[2][2]; /* to the supervisor, to the caller */
static void pass(int to) { must(write(wake_pipe[to][1], "", 1) == 1, "write"); }
static void await(int who)
{
	char c;
	if (read(wake_pipe[who][0], &c, 1) != 1)
		_exit(0);
}

static void caller_runs(const struct caller *c, const struct target *t, pid_t target)
{
	become(c->ruid, c->euid, c->capabilities);
	if (c->userns)
		must(!unshare(CLONE_NEWUSER), "unshare");
	privileged = c == callers || c->capabilities == 1;
	if (t->self)
		target = getpid();
	sh->pid = getpid();
	for (;;) {
		pass(0);
		await(1);
		sh->letter = letter(ask(&requests[sh->request], target));
	}
}

static pid_t make_target(const struct target *t)
{
	int ready[2];
	char c;
	must(!pipe(ready), "pipe");
	pid_t pid = fork();
	if (!pid) {
		become(t->ruid, t->euid, 0);
		must(write(ready[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	must(read(ready[0], &c, 1) == 1, "read");
	close(ready[0]), close(ready[1]);
	return pid;
}

static uint64_t mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x100000001b3ull; }

static void put_into(pid_t target, const struct state *s, const struct limits *l)
{
	struct attr plain = {56, SCHED_OTHER};
	struct rlimit nice = {l->nice, l->nice}, rt = {l->rtprio, l->rtprio};
	unsigned long all = ~0ul;
	must(!syscall(SYS_sched_setattr, target, &plain, 0), "plain");
	must(!syscall(SYS_sched_setaffinity, target, sizeof all, &all), "all CPUs");
	must(!syscall(SYS_setpriority, PRIO_PROCESS, target, s->attr.nice), "nice");
	must(!syscall(SYS_sched_setattr, target, &s->attr, 0), s->name);
	must(!syscall(SYS_ioprio_set, 1, target, 0), "ioprio");
	must(!prlimit(target, RLIMIT_NICE, &nice, NULL) && !prlimit(target, RLIMIT_RTPRIO, &rt, NULL), "prlimit");
}
static uint64_t look_at(pid_t target, uint64_t sum)
{
	struct attr a = {0};
	must(!syscall(SYS_sched_getattr, target, &a, 56, 0), "getattr");
	sum = mix(sum, a.policy);
	sum = mix(sum, a.flags);
	sum = mix(sum, a.nice + 100);
	sum = mix(sum, a.priority);
	sum = mix(sum, a.runtime), sum = mix(sum, a.deadline), sum = mix(sum, a.period);
	sum = mix(sum, syscall(SYS_getpriority, PRIO_PROCESS, target));
	return mix(sum, syscall(SYS_ioprio_get, 1, target));
}

static void all_states(const struct caller *c, const struct target *t, const struct limits *l)
{
	pid_t target = t->self ? 0 : make_target(t);
	must(!pipe(wake_pipe[0]) && !pipe(wake_pipe[1]), "pipe");
	pid_t caller = fork();
	if (!caller)
		caller_runs(c, t, target);
	await(0);
	pid_t whom = t->self ? sh->pid : target;
	for (unsigned s = 0; s < sizeof states / sizeof *states; s++) {
		if (t->self && states[s].attr.policy == DEADLINE)
			continue; /* it would be throttled all the time */
		char answers[REQUESTS + 1] = "";
		uint64_t sum = 0xcbf29ce484222325ull;
		for (int q = 0; q < REQUESTS; q++) {
			put_into(whom, &states[s], l);
			sh->request = q;
			pass(1);
			await(0);
			answers[q] = sh->letter;
			sum = look_at(whom, sum);
		}
		printf("%-14s %s %016llx\n", states[s].name, answers, (unsigned long long)sum);
	}
	fflush(stdout);
	kill(caller, SIGKILL);
	if (target)
		kill(target, SIGKILL);
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < 4; i++)
		close(wake_pipe[i / 2][i % 2]);
}

int main(void)
{
	struct attr urgent = {56, SCHED_FIFO, .flags = F_RESET, .priority = 90};
	sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* The supervisor goes before a target that is a real-time task. */
	must(!syscall(SYS_sched_setattr, 0, &urgent, 0), "urgent");
	for (unsigned c = 0; c < sizeof callers / sizeof *callers; c++)
		for (unsigned t = 0; t < sizeof targets / sizeof *targets; t++)
			for (unsigned l = 0; l < sizeof limits / sizeof *limits; l++) {
				if (l && (callers[c].capabilities == 1 || !strcmp(callers[c].name, "root") || !strcmp(targets[t].name, "another's")))
					continue; /* nobody looks at them */
				printf("== %s asks for %s; limits of the target: %s\n", callers[c].name, targets[t].name, limits[l].name);
				all_states(&callers[c], &targets[t], &limits[l]);
			}
	return 0;
}
