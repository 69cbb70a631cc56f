// System V semaphores and message queues, as programs see them. Spec 60 section 14; spec 20 S14.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <uapi/linux/sched.h>

#include "kernel/fault_inject.hh"
#include "kernel/task/task.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;

constexpr int CREAT = 01000, EXCL = 02000, NOWAIT = 04000, UNDO = 0x1000, NOERROR = 010000, EXCEPT = 020000, COPY = 040000;
constexpr int RMID = 0, SETVAL = 16, GETVAL = 12, GETPID = 11, GETNCNT = 14, GETZCNT = 15, SETALL = 17, GETALL = 13;

struct Op {
  unsigned short num;
  short op, flags;
};
long semget(int key, int n, int flags) { return sys(__NR_semget, key, n, flags); }
long semctl(long id, int num, int command, long arg = 0) { return sys(__NR_semctl, id, num, command, arg); }
long semop(long id, Op a) {
  Var<Op> ops(a);
  return sys(__NR_semop, id, ops.addr(), 1);
}
long semop(long id, Op a, Op b) {
  user::Frame at(2 * sizeof(Op));
  user::poke(at.addr(), a);
  user::poke(at.addr() + sizeof(Op), b);
  return sys(__NR_semop, id, at.addr(), 2);
}

// ---- Numbers and keys (V-1..V-3) ------------------------------------------------------------------------------------------------

PROGRAM_CASE(keys_and_numbers) {
  MUST(semget(77, 3, 0) == -ENOENT);
  long id = semget(77, 3, CREAT | 0600);
  MUST(id >= 0);
  MUST(semget(77, 3, CREAT | 0600) == id);
  MUST(semget(77, 2, 0) == id);
  MUST(semget(77, 4, 0) == -EINVAL);
  MUST(semget(77, 3, CREAT | EXCL | 0600) == -EEXIST);
  MUST(semget(0, 1, 0600) != id);  // private: always another
  MUST(semget(78, 0, CREAT) == -EINVAL);
  MUST(semget(78, -1, CREAT) == -EINVAL && semget(78, 32001, CREAT) == -EINVAL);  // V-13
  MUST(semctl(id, 0, RMID) == 0);
  MUST(semctl(id, 0, GETVAL) == -EINVAL);
  long other = semget(77, 3, CREAT | 0600);
  MUST(other >= 0 && other != id);
  MUST(semctl(other, 0, 99) == -EINVAL);
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(semget(77, 3, 0400) == -EACCES);  // V-2
  MUST(semop(other, {0, 1, 0}) == -EACCES);
  MUST(semctl(other, 0, RMID) == -EPERM);
  return 0;
}

// ---- semop (V-14..V-19) ----------------------------------------------------------------------------------------------------------

PROGRAM_CASE(operations) {
  long id = semget(0, 2, 0600);
  MUST(semop(id, {0, 5, 0}) == 0);
  MUST(semctl(id, 0, GETVAL) == 5);
  MUST(semctl(id, 0, GETPID) == getpid());
  MUST(semop(id, {1, -1, NOWAIT}) == -EAGAIN);
  MUST(semop(id, {0, -3, 0}, {1, -1, NOWAIT}) == -EAGAIN);
  MUST(semctl(id, 0, GETVAL) == 5);  // V-15: all or none
  MUST(semop(id, {0, -3, 0}, {1, 4, 0}) == 0);
  MUST(semctl(id, 0, GETVAL) == 2 && semctl(id, 1, GETVAL) == 4);
  MUST(semop(id, {2, 1, 0}) == -EFBIG);
  MUST(semop(id, {0, 32767, 0}) == -ERANGE);
  MUST(sys(__NR_semop, id, 8, 0) == -EINVAL);
  MUST(sys(__NR_semop, id, 8, 501) == -E2BIG);
  MUST(sys(__NR_semop, id, 8, 1) == -EFAULT);
  MUST(semop(id, {0, 0, NOWAIT}) == -EAGAIN);
  MUST(semop(id, {0, 0, NOWAIT | UNDO}) == -EAGAIN);  // there is nothing to undo
  MUST(semctl(id, 0, SETVAL, 32768) == -ERANGE && semctl(id, 0, SETVAL, -1) == -ERANGE);
  MUST(semctl(id, 2, SETVAL, 1) == -EINVAL);
  user::Frame values(4);
  user::poke<unsigned short>(values.addr(), 7);
  user::poke<unsigned short>(values.addr() + 2, 8);
  MUST(sys(__NR_semctl, id, 0, SETALL, values.addr()) == 0);
  MUST(semctl(id, 1, GETVAL) == 8);
  user::poke<unsigned>(values.addr(), 0);
  MUST(sys(__NR_semctl, id, 0, GETALL, values.addr()) == 0);
  MUST(user::peek<unsigned short>(values.addr()) == 7 && user::peek<unsigned short>(values.addr() + 2) == 8);
  return 0;
}

PROGRAM_CASE(timeouts) {
  long id = semget(0, 1, 0600);
  Var<Op> op(Op{0, -1, 0});
  Var<__kernel_timespec> t({0, 20'000'000});
  MUST(sys(__NR_semtimedop, id, op.addr(), 1, t.addr()) == -EAGAIN);
  t.set({0, 1'000'000'000});
  MUST(sys(__NR_semtimedop, id, op.addr(), 1, t.addr()) == -EINVAL);
  return 0;
}

long takes_one(unsigned long id) { return semop(static_cast<long>(id), {0, -1, 0}) == 0 ? 0 : 1; }
long waits_for_zero(unsigned long id) { return semop(static_cast<long>(id), {1, 0, 0}) == 0 ? 0 : 1; }
long is_told(unsigned long id) { return -semop(static_cast<long>(id), {0, -1, 0}); }
PROGRAM_CASE(sleepers) {
  long id = semget(0, 2, 0600);
  MUST(semctl(id, 1, SETVAL, 1) == 0);
  long a = user::fork(takes_one, static_cast<unsigned long>(id)), b = user::fork(takes_one, static_cast<unsigned long>(id));
  long zero = user::fork(waits_for_zero, static_cast<unsigned long>(id));
  nap(5);
  MUST(semctl(id, 0, GETNCNT) == 2 && semctl(id, 1, GETZCNT) == 1 && semctl(id, 1, GETNCNT) == 0);
  MUST(semop(id, {0, 2, 0}) == 0);  // V-17: both go
  MUST(ends_by(a, 0) && ends_by(b, 0));
  MUST(semctl(id, 1, SETVAL, 0) == 0);
  MUST(ends_by(zero, 0));
  long told = user::fork(is_told, static_cast<unsigned long>(id));
  nap(5);
  MUST(semctl(id, 0, RMID) == 0);
  MUST(ends_by(told, exited(EIDRM)));
  return 0;
}

void nothing(int, unsigned long, unsigned long) {}
long is_interrupted(unsigned long id) {
  user::sigaction(SIGUSR1, nothing, SA_RESTART);
  return -semop(static_cast<long>(id), {0, -1, 0});
}
PROGRAM_CASE(semop_is_interrupted) {  // C-7: EINTR in spite of SA_RESTART
  long id = semget(0, 1, 0600);
  long pid = user::fork(is_interrupted, static_cast<unsigned long>(id));
  nap(5);
  kill(pid, SIGUSR1);
  MUST(ends_by(pid, exited(EINTR)));
  MUST(semctl(id, 0, GETNCNT) == 0);
  return 0;
}

// ---- SEM_UNDO (V-20), CLONE_SYSVSEM (spec 20 S14) ------------------------------------------------------------------------------------

long takes_with_undo(unsigned long id) { return semop(static_cast<long>(id), {0, -2, UNDO}) ? 1 : 0; }
long adds_with_undo(unsigned long id) { return semop(static_cast<long>(id), {0, 5, UNDO}) ? 1 : 0; }
PROGRAM_CASE(exit_takes_back) {
  long id = semget(0, 1, 0600);
  MUST(semctl(id, 0, SETVAL, 3) == 0);
  MUST(ends_by(user::fork(takes_with_undo, static_cast<unsigned long>(id)), 0));
  MUST(semctl(id, 0, GETVAL) == 3);
  long pid = user::fork([](unsigned long i) -> long {
    MUST(adds_with_undo(i) == 0);
    MUST(semctl(static_cast<long>(i), 0, GETVAL) == 8);
    MUST(semop(static_cast<long>(i), {0, -6, 0}) == 0);
    return 0;
  }, static_cast<unsigned long>(id));
  MUST(ends_by(pid, 0));
  MUST(semctl(id, 0, GETVAL) == 0);  // 2 - 5, clamped
  // SETVAL forgets what was to be undone.
  MUST(semop(id, {0, 1, UNDO}) == 0);
  MUST(semctl(id, 0, SETVAL, 9) == 0);
  MUST(sys(__NR_unshare, CLONE_SYSVSEM) == 0);
  MUST(semctl(id, 0, GETVAL) == 9);
  // N-8: leaving the list is its end
  MUST(semop(id, {0, 1, UNDO}) == 0);
  MUST(sys(__NR_unshare, CLONE_SYSVSEM) == 0);
  MUST(semctl(id, 0, GETVAL) == 9);
  return 0;
}

// What was to be undone goes with its set; other sets' stays.
PROGRAM_CASE(undos_of_removed_sets) {
  long kept = semget(0, 1, 0600);
  MUST(semop(kept, {0, 3, UNDO}) == 0);
  for (int i = 0; i < 5; i++) {
    long id = semget(0, 4, 0600);
    MUST(semop(id, {3, 1, UNDO}) == 0);
    MUST(semctl(id, 0, RMID) == 0);
    MUST(semop(id, {3, 1, UNDO}) == -EINVAL);
  }
  MUST(semop(kept, {0, 1, UNDO}) == 0);
  MUST(sys(__NR_unshare, CLONE_SYSVSEM) == 0);
  MUST(semctl(kept, 0, GETVAL) == 0);
  return 0;
}

long waits_forever(unsigned long) { return sys(__NR_pause); }
// Whoever shares the list keeps it: only the last one's end takes back.
PROGRAM_CASE(shared_undo_lists) {
  long id = semget(0, 1, 0600);
  MUST(semctl(id, 0, SETVAL, 3) == 0);
  long pid = user::clone(CLONE_SYSVSEM | SIGCHLD, 0, takes_with_undo, static_cast<unsigned long>(id));
  MUST(ends_by(pid, 0));
  MUST(semctl(id, 0, GETVAL) == 1);
  pid = user::clone(CLONE_SYSVSEM | SIGCHLD, 0, waits_forever);
  MUST(sys(__NR_kcmp, pid, getpid(), 6, 0, 0) == 0);  // KCMP_SYSVSEM
  kill(pid, SIGKILL);
  MUST(ends_by(pid, SIGKILL));
  pid = user::fork(waits_forever);
  MUST(sys(__NR_kcmp, pid, getpid(), 6, 0, 0) > 0);
  kill(pid, SIGKILL);
  MUST(ends_by(pid, SIGKILL));
  MUST(sys(__NR_unshare, CLONE_SYSVSEM) == 0);
  MUST(semctl(id, 0, GETVAL) == 3);
  return 0;
}

// ---- Messages (V-5..V-12) --------------------------------------------------------------------------------------------------------------

struct Text {
  long type;
  char text[16];
};
long msgsnd(long id, long type, const char* text, int flags = 0) {
  Text t{type, {}};
  __builtin_strcpy(t.text, text);
  Var<Text> m(t);
  return sys(__NR_msgsnd, id, m.addr(), __builtin_strlen(text), flags);
}
// The length received; its text must be `text`.
long msgrcv(long id, long type, const char* text, int flags = NOWAIT, size_t room = 16) {
  Var<Text> m;
  long n = sys(__NR_msgrcv, id, m.addr(), room, type, flags);
  return n >= 0 && __builtin_strncmp(m.get().text, text, static_cast<size_t>(n)) ? -1000 : n;
}

PROGRAM_CASE(messages) {
  long id = sys(__NR_msgget, 5, CREAT | 0600);
  MUST(id >= 0);
  MUST(msgsnd(id, 0, "x") == -EINVAL);
  MUST(sys(__NR_msgsnd, id, 8, 8193, 0) == -EINVAL);
  MUST(msgrcv(id, 0, "") == -ENOMSG);
  MUST(msgsnd(id, 3, "three") == 0 && msgsnd(id, 1, "one") == 0 && msgsnd(id, 2, "two") == 0 && msgsnd(id, 1, "uno") == 0);
  MUST(msgrcv(id, 0, "two", NOWAIT | COPY) == -1000);      // V-10: the one with index 0
  MUST(msgrcv(id, 2, "two", NOWAIT | COPY) == 3);
  MUST(msgrcv(id, 4, "", NOWAIT | COPY) == -ENOMSG && msgrcv(id, 0, "", COPY) == -EINVAL);
  MUST(msgrcv(id, 3, "three", NOWAIT, 2) == -E2BIG);       // V-8
  MUST(msgrcv(id, 3, "th", NOWAIT | NOERROR, 2) == 2);
  MUST(msgrcv(id, -2, "one") == 3);                        // V-7: lowest type, oldest
  MUST(msgrcv(id, 1, "two", NOWAIT | EXCEPT) == 3);
  MUST(msgrcv(id, 0, "uno") == 3);
  MUST(sys(__NR_msgctl, id, RMID, 0) == 0);
  MUST(msgsnd(id, 1, "x") == -EINVAL);
  return 0;
}

// V-6: counted by bytes and by messages; who waits goes on when there is room, and when there is a message.
long sends(unsigned long id) { return msgsnd(static_cast<long>(id), 9, "late"); }
long receives(unsigned long id) { return msgrcv(static_cast<long>(id), 9, "late", 0) == 4 ? 0 : 1; }
long is_told_of_end(unsigned long id) { return -msgrcv(static_cast<long>(id), 1, "", 0); }
PROGRAM_CASE(full_and_empty_queues) {
  long id = sys(__NR_msgget, 0, 0600);
  user::Frame big(8 + 8192);
  user::poke<long>(big.addr(), 1);
  MUST(sys(__NR_msgsnd, id, big.addr(), 8192, 0) == 0 && sys(__NR_msgsnd, id, big.addr(), 8192, NOWAIT) == 0);
  MUST(msgsnd(id, 1, "x", NOWAIT) == -EAGAIN);
  MUST(msgsnd(id, 1, "", NOWAIT) == 0);  // no bytes
  long sender = user::fork(sends, static_cast<unsigned long>(id)), receiver = user::fork(receives, static_cast<unsigned long>(id));
  nap(5);
  MUST(sys(__NR_msgrcv, id, big.addr(), 8192, 1, 0) == 8192);
  MUST(ends_by(sender, 0) && ends_by(receiver, 0));
  long told = user::fork(is_told_of_end, static_cast<unsigned long>(id));
  MUST(sys(__NR_msgrcv, id, big.addr(), 8192, 1, 0) >= 0);
  nap(5);
  MUST(sys(__NR_msgctl, id, RMID, 0) == 0);
  MUST(wait4(told).pid == told);
  return 0;
}

// ---- Each acquisition fails in turn: ENOMEM, and it succeeds the next time ---------------------------------------------------------

template <class Call>
bool sweep(Call call) {
  for (long n = 1; n < 100; n++) {
    bool fired;
    long r;
    {
      FaultInjection inject(current, n);
      r = call();
      fired = inject.fired();
    }
    if (!fired) return r >= 0 && n > 1;
    if (r < 0 && r != -ENOMEM && r != -EFAULT) return false;  // large pieces may come from elsewhere
  }
  return false;
}
PROGRAM_CASE(acquisitions_fail) {
  MUST(sweep([] { return semget(5, 2, CREAT | 0600); }));
  MUST(sweep([] { return sys(__NR_msgget, 5, CREAT | 0600); }));
  const long id = semget(5, 2, 0), queue = sys(__NR_msgget, 5, 0);
  // Memory that is there already: a fault without memory kills.
  Var<Op> op(Op{0, 1, UNDO});
  Var<Text> text(Text{1, "x"}), copied(Text{});
  user::Frame values(4);
  user::poke<unsigned>(values.addr(), 0);
  MUST(sweep([&] { return sys(__NR_semop, id, op.addr(), 1); }));
  MUST(semctl(id, 0, GETVAL) >= 1);
  MUST(sweep([&] { return sys(__NR_semctl, id, 0, GETALL, values.addr()); }));
  MUST(sweep([&] { return sys(__NR_msgsnd, queue, text.addr(), 1, 0); }));
  MUST(sweep([&] { return sys(__NR_msgrcv, queue, copied.addr(), 16, 0, NOWAIT | COPY); }));
  MUST(msgrcv(queue, 0, "x") == 1);
  return 0;
}

// ---- Namespaces (N-5..N-8) ---------------------------------------------------------------------------------------------------------------

long sees_nothing(unsigned long id) {
  MUST(semget(77, 1, 0) == -ENOENT);
  MUST(semctl(static_cast<long>(id), 0, GETVAL) == -EINVAL);
  MUST(semget(77, 1, CREAT | 0600) >= 0);
  MUST(sys(__NR_msgget, 77, CREAT | 0600) >= 0);
  return 0;  // they go with the namespace
}
PROGRAM_CASE(invisible_across_namespaces) {
  long id = semget(77, 1, CREAT | 0600);
  MUST(semctl(id, 0, SETVAL, 4) == 0);
  MUST(ends_by(user::clone(CLONE_NEWIPC | SIGCHLD, 0, sees_nothing, static_cast<unsigned long>(id)), 0));
  MUST(user::clone(CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, sees_nothing) == -EINVAL);  // spec 20 F-29
  MUST(sys(__NR_msgget, 77, 0) == -ENOENT);
  MUST(semop(id, {0, -1, UNDO}) == 0);
  MUST(sys(__NR_unshare, CLONE_NEWIPC) == 0);  // and with it from the list of what is to be undone
  MUST(semget(77, 1, 0) == -ENOENT);
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(keys_and_numbers), KUNIT_CASE(operations), KUNIT_CASE(timeouts), KUNIT_CASE(sleepers), KUNIT_CASE(semop_is_interrupted),
    KUNIT_CASE(exit_takes_back), KUNIT_CASE(undos_of_removed_sets), KUNIT_CASE(acquisitions_fail), KUNIT_CASE(shared_undo_lists), KUNIT_CASE(messages), KUNIT_CASE(full_and_empty_queues),
    KUNIT_CASE(invisible_across_namespaces), {},
};
kunit_suite suite = {.name = "sysv_ipc", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
