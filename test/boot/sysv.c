/* Asks semaphores and message queues of System V for everything, and prints what it gets. The same on every Linux.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

static int errnos[] = {EPERM, ENOENT, EINTR, E2BIG, EAGAIN, ENOMEM, EACCES, EFAULT, EEXIST, EINVAL, EFBIG, ENOSPC, ERANGE, ENOMSG, EIDRM, ENOSYS};
static const char *errno_names[] = {"EPERM", "ENOENT", "EINTR", "E2BIG", "EAGAIN", "ENOMEM", "EACCES", "EFAULT",
				    "EEXIST", "EINVAL", "EFBIG", "ENOSPC", "ERANGE", "ENOMSG", "EIDRM", "ENOSYS"};
static const char *errno_name(int e)
{
	for (unsigned i = 0; i < sizeof errnos / sizeof *errnos; i++)
		if (errnos[i] == e)
			return errno_names[i];
	return strerror(e);
}

static long report(const char *what, long r)
{
	if (r < 0) {
		r = -errno;
		printf("%s: %s\n", what, errno_name(-r));
	} else {
		printf("%s: %ld\n", what, r);
	}
	return r;
}
#define ASK(call) report(#call, call)

static long op1(int id, int num, int op, int flags)
{
	struct sembuf b = {num, op, flags};
	return syscall(SYS_semop, id, &b, 1);
}
static long op2(int id, int n1, int o1, int f1, int n2, int o2, int f2)
{
	struct sembuf b[2] = {{n1, o1, f1}, {n2, o2, f2}};
	return syscall(SYS_semop, id, b, 2);
}
static long ctl(int id, int num, int cmd, long arg)
{
	return syscall(SYS_semctl, id, num, cmd, arg);
}
static long timed(int id, int op, long sec, long nsec)
{
	struct sembuf b = {0, op, 0};
	struct timespec t = {sec, nsec};
	return syscall(SYS_semtimedop, id, &b, 1, &t);
}

/* What a child's f answers, or -errno. */
static void child(const char *what, void (*f)(int), int id)
{
	fflush(stdout);
	int status, pid = fork();
	if (!pid) {
		printf("-- %s\n", what);
		f(id);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		printf("status %x\n", status);
}

static void keys(void)
{
	puts("== keys and numbers");
	ASK(syscall(SYS_semget, 77, 3, 0));
	int a = ASK(syscall(SYS_semget, 77, 3, IPC_CREAT | 0600));
	ASK(syscall(SYS_semget, 77, 3, IPC_CREAT | 0600));
	ASK(syscall(SYS_semget, 77, 4, 0));
	ASK(syscall(SYS_semget, 77, 4, IPC_CREAT | IPC_EXCL));
	ASK(syscall(SYS_semget, 77, 0, 0));
	ASK(syscall(SYS_semget, 78, 0, IPC_CREAT));
	ASK(syscall(SYS_semget, 78, -1, IPC_CREAT));
	ASK(syscall(SYS_semget, 78, 32001, IPC_CREAT));
	ASK(syscall(SYS_semget, 77, 32001, 0));
	ASK(syscall(SYS_semget, 79, 32000, IPC_CREAT));
	ASK(ctl(a, 0, IPC_RMID, 0));
	ASK(ctl(a, 0, IPC_RMID, 0));
	ASK(syscall(SYS_semget, 77, 1, IPC_CREAT | 0600));
	ASK(ctl(-1, 0, IPC_RMID, 0));
	ASK(ctl(4000, 0, IPC_RMID, 0));
	ASK(ctl(1 | 5 << 15, 0, IPC_RMID, 0));
	ASK(ctl(1 | 5 << 15, 0, GETVAL, 0));
	ASK(ctl(1 | 5 << 15, 0, SEM_STAT, (long)&(struct semid_ds){0}));
	ASK(op1(1 | 5 << 15, 0, 1, 0));
	ASK(op1(1 | 5 << 15, 0, 1, SEM_UNDO));
	ASK(ctl(1, 0, 99, 0));
	ASK(ctl(4000, 0, 99, 0));
	ASK(ctl(2, 0, -1, 0));
	for (int i = 0; i < 100; i++)
		ctl(syscall(SYS_semget, IPC_PRIVATE, 1, 0600), 0, IPC_RMID, 0);
	ASK(syscall(SYS_semget, IPC_PRIVATE, 1, 0600));
	for (int i = 0; i < 60; i++)
		ctl(syscall(SYS_semget, IPC_PRIVATE, 1, 0600), 0, IPC_RMID, 0);
	ASK(syscall(SYS_semget, IPC_PRIVATE, 1, 0600));
}

static void values(void)
{
	puts("== values");
	int id = syscall(SYS_semget, IPC_PRIVATE, 2, 0600);
	ASK(op1(id, 0, 5, 0));
	ASK(ctl(id, 0, GETVAL, 0));
	ASK(ctl(id, 0, GETPID, 0) == getpid());
	ASK(ctl(id, 1, GETPID, 0));
	ASK(op1(id, 1, 0, 0));
	ASK(ctl(id, 1, GETPID, 0) == getpid());
	ASK(op1(id, 1, -1, IPC_NOWAIT));
	ASK(op2(id, 0, -3, 0, 1, -1, IPC_NOWAIT));
	ASK(op2(id, 0, -3, 0, 0, 32767, 0));
	ASK(ctl(id, 0, GETVAL, 0));
	ASK(op2(id, 0, -3, 0, 1, 4, 0));
	ASK(ctl(id, 1, GETVAL, 0));
	ASK(op1(id, 2, 1, 0));
	ASK(op1(id, 0, 32766, 0));
	ASK(op1(id, 0, 0, IPC_NOWAIT | SEM_UNDO));
	ASK(syscall(SYS_semop, id, 0, 0));
	ASK(syscall(SYS_semop, id, 0, 501));
	ASK(syscall(SYS_semop, id, 8, 1));
	ASK(syscall(SYS_semop, -1, 8, 1));
	ASK(syscall(SYS_semop, 4000, 8, 1));
	ASK(syscall(SYS_semop, -1, 8, 501));
	ASK(op1(4000, 0, 0, SEM_UNDO));
	ASK(ctl(id, 0, SETVAL, 32768));
	ASK(ctl(id, 0, SETVAL, -1));
	ASK(ctl(id, 0, SETVAL, 1L << 32));
	ASK(ctl(id, 2, SETVAL, 1));
	ASK(ctl(id, 2, SETVAL, 40000));
	ASK(ctl(4000, 0, SETVAL, 40000));
	ASK(ctl(id, -1, GETVAL, 0));
	unsigned short v[2] = {7, 40000};
	ASK(ctl(id, 0, SETALL, (long)v));
	v[1] = 8;
	ASK(ctl(id, 99, SETALL, (long)v));
	v[0] = 0;
	ASK(ctl(id, 99, GETALL, (long)v));
	printf("%d %d\n", v[0], v[1]);
	ASK(ctl(id, 0, GETALL, 8));
	ASK(ctl(id, 0, SETALL, 8));
	ASK(timed(id, -9, 0, 10000000));
	ASK(timed(id, -9, 0, 0));
	ASK(timed(id, -9, 0, 1000000000));
	ASK(timed(id, -9, -1, 0));
	ASK(timed(id, -1, 0, 1000000000));
	ASK(timed(4000, -1, 0, 1000000000));
	struct semid_ds ds;
	memset(&ds, 0xff, sizeof ds);
	ASK(ctl(id, 0, IPC_STAT, (long)&ds));
	printf("%o %lu %d %d\n", ds.sem_perm.mode, ds.sem_nsems, ds.sem_otime != 0, ds.sem_ctime != 0);
	ASK(ctl(id, 0, SEM_STAT, (long)&ds) == id);
	ASK(ctl(4000, 0, SEM_STAT, (long)&ds));
	ASK(ctl(id, 0, IPC_STAT, 8));
	ds.sem_perm.mode = 01777;
	ASK(ctl(id, 0, IPC_SET, (long)&ds));
	ASK(ctl(id, 0, IPC_STAT, (long)&ds));
	printf("%o\n", ds.sem_perm.mode);
	ds.sem_perm.uid = -1;
	ASK(ctl(id, 0, IPC_SET, (long)&ds));
	struct seminfo i;
	ASK(ctl(0, 0, IPC_INFO, (long)&i) > 0);
	printf("%d %d %d %d %d %d %d %d %d %d\n", i.semmap, i.semmni, i.semmns, i.semmnu, i.semmsl, i.semopm, i.semume, i.semusz, i.semvmx, i.semaem);
}

static void undoes(int id)
{
	ASK(op1(id, 0, 32767, SEM_UNDO));
	ASK(op1(id, 0, -32767, 0));
	ASK(op1(id, 0, 1, SEM_UNDO));
	ASK(op1(id, 0, 1, SEM_UNDO));
	ASK(ctl(id, 0, GETVAL, 0));
	ASK(op1(id, 1, -2, SEM_UNDO));
	ASK(op1(id, 0, 9, 0));
}
static void sets(int id)
{
	ASK(op1(id, 1, -1, SEM_UNDO));
	ASK(ctl(id, 1, SETVAL, 20));
}
static void waits(int id) { ASK(op1(id, 0, -100, 0)); }
static void undo(void)
{
	puts("== undo");
	int id = syscall(SYS_semget, IPC_PRIVATE, 2, 0600);
	ctl(id, 1, SETVAL, 6);
	child("undoes", undoes, id);
	ASK(ctl(id, 0, GETVAL, 0));
	ASK(ctl(id, 1, GETVAL, 0));
	child("sets", sets, id);
	ASK(ctl(id, 1, GETVAL, 0));
	ASK(op1(id, 1, 5, SEM_UNDO));
	ASK(syscall(SYS_unshare, CLONE_SYSVSEM));
	ASK(ctl(id, 1, GETVAL, 0));
	/* Who waits is told of the end. */
	fflush(stdout);
	int pid = fork();
	if (!pid) {
		waits(id);
		fflush(stdout);
		_exit(0);
	}
	while (ctl(id, 0, GETNCNT, 0) != 1)
		usleep(1000);
	ASK(ctl(id, 0, GETZCNT, 0));
	fflush(stdout);
	ctl(id, 0, IPC_RMID, 0);
	waitpid(pid, NULL, 0);
}

static void stranger(int id)
{
	setgroups(0, NULL);
	setresgid(100, 100, 100);
	setresuid(1000, 1000, 1000);
	ASK(syscall(SYS_semget, 90, 1, 0400));
	ASK(syscall(SYS_semget, 90, 1, 04));
	ASK(syscall(SYS_semget, 90, 1, 0));
	ASK(syscall(SYS_semget, 90, 9, 0400));
	ASK(op1(id, 0, 0, 0));
	ASK(op1(id, 0, 1, 0));
	ASK(op1(id, 9, 1, 0));
	ASK(ctl(id, 0, GETVAL, 0));
	ASK(ctl(id, 9, GETVAL, 0));
	ASK(ctl(id, 0, SETVAL, 1));
	ASK(ctl(id, 9, SETVAL, 1));
	ASK(ctl(id, 0, IPC_RMID, 0));
	struct semid_ds ds = {0};
	ASK(ctl(id, 0, IPC_SET, (long)&ds));
	ASK(ctl(id, 0, IPC_STAT, (long)&ds));
	ASK(ctl(id, 0, 18, (long)&ds) == id);
	ASK(ctl(id, 0, 20, (long)&ds) == id);
	int closed = syscall(SYS_semget, 91, 0, 0);
	ASK(ctl(closed, 0, IPC_STAT, (long)&ds));
	ASK(ctl(closed, 0, 18, (long)&ds));
	ASK(ctl(closed, 0, 20, (long)&ds) == closed);
	ASK(ctl(closed, 0, GETVAL, 0));
	ASK(ctl(closed, 9, GETVAL, 0));
	ASK(ctl(closed, 0, GETALL, 8));
	ASK(op1(closed, 0, 0, 0));
}
static void in_namespace(int id)
{
	ASK(unshare(CLONE_NEWUSER));
	ASK(op1(id, 0, 1, 0)); /* no power over the namespace of the semaphores */
	ASK(unshare(CLONE_NEWIPC));
	ASK(syscall(SYS_semget, 90, 1, 0));
	int n = ASK(syscall(SYS_semget, 90, 1, IPC_CREAT));
	ASK(op1(n, 0, 1, 0));
	ASK(syscall(SYS_msgget, 5, 0));
}
static void stranger_in_namespace(int id)
{
	setresgid(100, 100, 100);
	setresuid(1000, 1000, 1000);
	in_namespace(id);
}
static void powers(void)
{
	puts("== permissions");
	int id = syscall(SYS_semget, 90, 1, IPC_CREAT | 0604);
	syscall(SYS_semget, 91, 1, IPC_CREAT | 0600);
	child("stranger", stranger, id);
	child("root without permission", stranger_in_namespace, id);
}

struct text {
	long type;
	char text[16];
};
static long put(int id, long type, const char *s, int flags)
{
	struct text t = {type, ""};
	strcpy(t.text, s);
	return syscall(SYS_msgsnd, id, &t, strlen(s), flags);
}
static long get(int id, size_t room, long type, int flags)
{
	struct text t = {0, ""};
	long n = syscall(SYS_msgrcv, id, &t, room, type, flags);
	if (n >= 0)
		printf("  %ld \"%.*s\"\n", t.type, (int)n, t.text);
	return n;
}
static void set_bytes(int id, unsigned long bytes)
{
	struct msqid_ds ds;
	syscall(SYS_msgctl, id, IPC_STAT, &ds);
	ds.msg_qbytes = bytes;
	printf("%lu bytes: ", bytes);
	ASK(syscall(SYS_msgctl, id, IPC_SET, &ds));
}
static void poor(int id)
{
	setresuid(1000, 1000, 1000);
	set_bytes(id, 16384);
	set_bytes(id, 16385);
	ASK(put(id, 1, "x", IPC_NOWAIT));
	ASK(get(id, 16, 0, IPC_NOWAIT));
	ASK(syscall(SYS_msgctl, id, IPC_RMID, 0));
}
static void receives(int id) { ASK(get(id, 16, 7, 0)); }
static void too_long(int id) { ASK(get(id, 2, 7, 0)); }
static void in_child(void (*f)(int), int id, int end)
{
	fflush(stdout);
	int pid = fork();
	if (!pid) {
		f(id);
		fflush(stdout);
		_exit(0);
	}
	usleep(200000);
	if (end)
		syscall(SYS_msgctl, id, IPC_RMID, 0);
	else
		put(id, 7, "seven", 0);
	waitpid(pid, NULL, 0);
}
static void messages(void)
{
	static struct {
		long type;
		char text[8193];
	} big = {1, ""};
	puts("== messages");
	ASK(syscall(SYS_msgget, 5, 0));
	int id = ASK(syscall(SYS_msgget, 5, IPC_CREAT | 0666));
	ASK(syscall(SYS_msgget, 5, IPC_CREAT | IPC_EXCL));
	ASK(put(id, 0, "x", 0));
	ASK(put(4000, 1, "x", 0));
	ASK(put(4000, 0, "x", 0));
	ASK(put(id | 5 << 15, 1, "x", 0));
	ASK(get(id | 5 << 15, 16, 0, IPC_NOWAIT));
	ASK(syscall(SYS_msgsnd, id, 8, 1, 0));
	ASK(syscall(SYS_msgsnd, id, &big, 8193, 0));
	ASK(syscall(SYS_msgsnd, id, &big, -1, 0));
	ASK(get(id, 16, 0, IPC_NOWAIT));
	ASK(put(id, 3, "three", 0));
	ASK(put(id, 1, "one", 0));
	ASK(put(id, 2, "two", 0));
	ASK(put(id, 1, "uno", 0));
	ASK(get(id, 16, 0, IPC_NOWAIT | MSG_COPY));
	ASK(get(id, 16, 2, IPC_NOWAIT | MSG_COPY));
	ASK(get(id, 2, 2, IPC_NOWAIT | MSG_COPY));
	ASK(get(id, 2, 2, IPC_NOWAIT | MSG_COPY | MSG_NOERROR));
	ASK(get(id, 16, 4, IPC_NOWAIT | MSG_COPY));
	ASK(get(id, 16, -1, IPC_NOWAIT | MSG_COPY));
	ASK(get(id, 16, 0, MSG_COPY));
	ASK(get(id, 16, 0, IPC_NOWAIT | MSG_COPY | MSG_EXCEPT));
	ASK(get(id, 2, 3, IPC_NOWAIT));
	ASK(get(id, 2, 3, IPC_NOWAIT | MSG_NOERROR));
	ASK(get(id, 16, -2, IPC_NOWAIT));
	ASK(get(id, 16, 1, IPC_NOWAIT | MSG_EXCEPT));
	ASK(get(id, 16, 9, IPC_NOWAIT));
	ASK(get(id, -1, 0, IPC_NOWAIT));
	ASK(get(id, 16, (long)(1UL << 63), IPC_NOWAIT));
	ASK(put(id, 1, "", 0));
	ASK(get(id, 0, 0, IPC_NOWAIT));
	ASK(put(id, 1, "lost", 0));
	ASK(syscall(SYS_msgrcv, id, 8, 16, 0, 0));
	ASK(get(id, 16, 0, IPC_NOWAIT));
	in_child(receives, id, 0);
	in_child(too_long, id, 0);
	ASK(get(id, 16, 0, IPC_NOWAIT));
	puts("-- full");
	ASK(syscall(SYS_msgsnd, id, &big, 8192, 0));
	ASK(syscall(SYS_msgsnd, id, &big, 8192, 0));
	ASK(put(id, 1, "x", IPC_NOWAIT));
	ASK(put(id, 1, "", IPC_NOWAIT));
	struct msqid_ds ds;
	ASK(syscall(SYS_msgctl, id, IPC_STAT, &ds));
	printf("%o %lu %lu %lu %d %d\n", ds.msg_perm.mode, ds.msg_cbytes, ds.msg_qnum, ds.msg_qbytes, ds.msg_lspid == getpid(), ds.msg_lrpid > 0);
	set_bytes(id, 20000);
	ASK(put(id, 1, "x", IPC_NOWAIT));
	set_bytes(id, 0);
	ASK(put(id, 1, "", IPC_NOWAIT));
	set_bytes(id, 16384);
	ASK(syscall(SYS_msgctl, id, 11, &ds) == id);
	ASK(syscall(SYS_msgctl, id, 13, &ds) == id);
	ASK(syscall(SYS_msgctl, id, 99, &ds));
	ASK(syscall(SYS_msgctl, 4000, 99, &ds));
	ASK(syscall(SYS_msgctl, -1, IPC_INFO, &ds));
	struct msginfo i;
	memset(&i, 0x55, sizeof i);
	ASK(syscall(SYS_msgctl, 0, IPC_INFO, &i));
	printf("%d %d %d %d %d %d %d %d\n", i.msgpool, i.msgmap, i.msgmax, i.msgmnb, i.msgmni, i.msgssz, i.msgtql, i.msgseg);
	ASK(syscall(SYS_msgctl, 0, 12, &i));
	printf("%d %d %d %d %d %d %d %d\n", i.msgpool, i.msgmap, i.msgmax, i.msgmnb, i.msgmni, i.msgssz, i.msgtql, i.msgseg);
	child("not the owner", poor, id);
	in_child(receives, id, 1);
}

int main(void)
{
	keys();
	values();
	undo();
	powers();
	messages();
	return 0;
}
