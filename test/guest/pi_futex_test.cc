// PI futexes: the words, the errors, the order, what the owner inherits, and what its death leaves.
// SPDX-License-Identifier: Apache-2.0
#include <linux/futex.h>
#include <pthread.h>

#include <atomic>
#include <functional>
#include <thread>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

constexpr int kLockPi2 = 13, kPrivate = FUTEX_PRIVATE_FLAG;
using Word = std::atomic<uint32_t>;

long futex(Word* w, int op, long val = 0, const timespec* t = nullptr, Word* w2 = nullptr, long val3 = 0) {
  return sys(SYS_futex, w, op | kPrivate, val, t, w2, val3);
}
long lock(Word* w, const timespec* t = nullptr) { return futex(w, FUTEX_LOCK_PI, 0, t); }
long try_lock(Word* w) { return futex(w, FUTEX_TRYLOCK_PI); }
long unlock(Word* w) { return futex(w, FUTEX_UNLOCK_PI); }
uint32_t me() { return (uint32_t)sys(SYS_gettid); }

timespec after(clockid_t clock, long ms) {
  timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms * 1'000'000;
  t.tv_sec += t.tv_nsec / 1'000'000'000;
  t.tv_nsec %= 1'000'000'000;
  return t;
}
// What a thread's FUTEX_LOCK_PI waits in shows as S.
bool asleep(pid_t tid) {
  return eventually([=] { return thread_state(getpid(), tid) == 'S'; });
}
int priority_of(pid_t tid) {
  std::string s = read_file("/proc/self/task/" + std::to_string(tid) + "/stat");
  size_t at = s.rfind(')') + 2;
  for (int field = 3; field < 18; field++) at = s.find(' ', at) + 1;
  return atoi(s.c_str() + at);
}
bool make_fifo(pid_t tid, int prio) {
  sched_param p{prio};
  return !sched_setscheduler(tid, SCHED_FIFO, &p);
}

// A thread that says its tid before it runs f.
struct Worker {
  std::atomic<pid_t> tid = 0;
  std::thread t;
  explicit Worker(std::function<void()> f) {
    t = std::thread([this, f] {
      tid = (pid_t)me();
      f();
    });
    while (!tid) sched_yield();
  }
  void join() { t.join(); }
};

// A thread that holds a word until told.
struct Holder {
  std::atomic<bool> held = false, go = false;
  Worker w;
  explicit Holder(Word* word)
      : w([this, word] {
          EXPECT_EQ(0, lock(word));
          held = true;
          while (!go) usleep(1000);
          EXPECT_EQ(0, unlock(word));
        }) {
    while (!held) sched_yield();
  }
  void release() {
    go = true;
    w.join();
  }
};

// spec 60 F-32, F-33, F-38 | futex FUTEX_LOCK_PI FUTEX_UNLOCK_PI
TEST(PiFutex, UncontendedWord) {
  Word w = 0;
  EXPECT_EQ(0, lock(&w));
  EXPECT_EQ(me(), w);
  EXPECT_EQ(-EDEADLK, lock(&w));
  EXPECT_EQ(-EDEADLK, try_lock(&w));
  EXPECT_EQ(0, unlock(&w));
  EXPECT_EQ(0u, w);
  EXPECT_EQ(-EPERM, unlock(&w));
  EXPECT_EQ(0, try_lock(&w));
  EXPECT_EQ(me(), w);
  w |= FUTEX_WAITERS;
  EXPECT_EQ(0, unlock(&w));
  EXPECT_EQ(0u, w);
}

// spec 60 F-33 | futex FUTEX_LOCK_PI
TEST(PiFutex, OwnerDiedIsKept) {
  Word w = FUTEX_OWNER_DIED;
  EXPECT_EQ(0, lock(&w));
  EXPECT_EQ(me() | FUTEX_OWNER_DIED, w);
  EXPECT_EQ(0, unlock(&w));
  EXPECT_EQ(0u, w);
  w = FUTEX_WAITERS;
  EXPECT_EQ(0, lock(&w));
  EXPECT_EQ(me(), w & FUTEX_TID_MASK);
  EXPECT_EQ(0, unlock(&w));
}

// spec 60 F-34 | futex FUTEX_LOCK_PI
TEST(PiFutex, OwnerThatIsNotThere) {
  Word w = 0x3fffff;
  EXPECT_EQ(-ESRCH, lock(&w));
  EXPECT_EQ(0x3fffffu | FUTEX_WAITERS, w);
  w = 0x3fffff;
  EXPECT_EQ(-ESRCH, try_lock(&w));
  EXPECT_EQ(0x3fffffu | FUTEX_WAITERS, w);
  EXPECT_EQ(-EPERM, unlock(&w));
}

// spec 60 F-34 | futex FUTEX_LOCK_PI
TEST(PiFutex, OwnerIsAKernelThread) {
  if (read_file("/proc/2/comm") != "kthreadd\n") GTEST_SKIP() << "not in the initial pid namespace";
  Word w = 2;
  EXPECT_EQ(-EPERM, lock(&w));
  EXPECT_EQ(2 | FUTEX_WAITERS, w);
}

// spec 60 F-34 | futex FUTEX_LOCK_PI
TEST(PiFutex, OwnerIsAZombie) {
  pid_t pid = spawn([] {});
  EXPECT_TRUE(eventually_state(pid, 'Z'));
  Word w = (uint32_t)pid;
  EXPECT_EQ(-ESRCH, lock(&w));
  wait_status(pid);
}

// spec 60 F-5, F-42 | futex FUTEX_LOCK_PI FUTEX_UNLOCK_PI
TEST(PiFutex, BadAddresses) {
  auto* page = static_cast<char*>(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  auto* w = reinterpret_cast<Word*>(page);
  EXPECT_EQ(-EFAULT, lock(w));
  EXPECT_EQ(-EFAULT, try_lock(w));
  EXPECT_EQ(-EPERM, unlock(w));
  EXPECT_EQ(-EINVAL, lock(reinterpret_cast<Word*>(page + 1)));
  munmap(page, 4096);
  EXPECT_EQ(-EFAULT, lock(w));
  EXPECT_EQ(-EFAULT, unlock(w));
  EXPECT_EQ(-EFAULT, lock(reinterpret_cast<Word*>(~0xful)));
}

// spec 60 F-2, F-3 | futex FUTEX_LOCK_PI FUTEX_LOCK_PI2
TEST(PiFutex, Clocks) {
  Word w = 0;
  EXPECT_EQ(-ENOSYS, futex(&w, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME));
  EXPECT_EQ(-ENOSYS, futex(&w, FUTEX_TRYLOCK_PI | FUTEX_CLOCK_REALTIME));
  EXPECT_EQ(-ENOSYS, futex(&w, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME));
  EXPECT_EQ(-ENOSYS, futex(&w, FUTEX_CMP_REQUEUE_PI | FUTEX_CLOCK_REALTIME));
  EXPECT_EQ(0, futex(&w, kLockPi2 | FUTEX_CLOCK_REALTIME));
  EXPECT_EQ(0, unlock(&w));
  timespec bad{0, 1'000'000'000};
  EXPECT_EQ(-EINVAL, lock(&w, &bad));
  EXPECT_EQ(-EINVAL, futex(&w, kLockPi2, 0, &bad));
  EXPECT_EQ(-EFAULT, lock(&w, (timespec*)8));
  EXPECT_EQ(0u, w);
}

// spec 60 F-4, F-35 | futex FUTEX_LOCK_PI FUTEX_LOCK_PI2
TEST(PiFutex, Deadlines) {
  Word w = 0;
  Holder h(&w);
  timespec past{0, 1}, real = after(CLOCK_REALTIME, 20), mono = after(CLOCK_MONOTONIC, 20);
  EXPECT_EQ(-ETIMEDOUT, lock(&w, &past));
  EXPECT_EQ(-ETIMEDOUT, lock(&w, &real));
  EXPECT_EQ(-ETIMEDOUT, futex(&w, kLockPi2, 0, &mono));
  real = after(CLOCK_REALTIME, 20);
  EXPECT_EQ(-ETIMEDOUT, futex(&w, kLockPi2 | FUTEX_CLOCK_REALTIME, 0, &real));
  EXPECT_EQ((uint32_t)h.w.tid | FUTEX_WAITERS, w);
  h.release();
  EXPECT_EQ(0u, w);
}

// spec 60 F-37 | futex FUTEX_TRYLOCK_PI
TEST(PiFutex, TrylockOfAHeldOne) {
  Word w = 0;
  Holder h(&w);
  EXPECT_EQ(-EAGAIN, try_lock(&w));
  EXPECT_EQ((uint32_t)h.w.tid, w & FUTEX_TID_MASK);
  EXPECT_EQ(-EPERM, unlock(&w));
  h.release();
  EXPECT_EQ(0u, w);
}

// spec 60 F-36, F-38 | futex FUTEX_LOCK_PI FUTEX_UNLOCK_PI
TEST(PiFutex, UnlockPassesItOn) {
  Word w = 0;
  EXPECT_EQ(0, lock(&w));
  std::atomic<uint32_t> seen = 0;
  Worker t([&] {
    EXPECT_EQ(0, lock(&w));
    seen = w.load();
    EXPECT_EQ(0, unlock(&w));
  });
  EXPECT_TRUE(asleep(t.tid));
  EXPECT_EQ(me() | FUTEX_WAITERS, w);
  EXPECT_EQ(0, unlock(&w));
  t.join();
  EXPECT_EQ((uint32_t)t.tid | FUTEX_WAITERS, seen);
  EXPECT_EQ(0u, w);
}

// spec 60 F-34, last row | futex FUTEX_LOCK_PI FUTEX_WAIT
TEST(PiFutex, MixedWithPlainWaiters) {
  Word w = 0;
  EXPECT_EQ(0, lock(&w));
  const uint32_t mine = w;
  Worker plain([&] { futex(&w, FUTEX_WAIT, mine); });
  EXPECT_TRUE(asleep(plain.tid));
  Word* p = &w;
  Worker t([p] { EXPECT_EQ(-EINVAL, lock(p)); });
  t.join();
  EXPECT_EQ(-EINVAL, unlock(&w));
  EXPECT_EQ(1, futex(&w, FUTEX_WAKE, 1));
  plain.join();
  EXPECT_EQ(0, unlock(&w));
}

// spec 60 F-14, F-22 | futex FUTEX_WAKE FUTEX_REQUEUE FUTEX_LOCK_PI
TEST(PiFutex, WakeDoesNotTouchPiWaiters) {
  Word w = 0, other = 0;
  EXPECT_EQ(0, lock(&w));
  Worker t([&] {
    EXPECT_EQ(0, lock(&w));
    EXPECT_EQ(0, unlock(&w));
  });
  EXPECT_TRUE(asleep(t.tid));
  EXPECT_EQ(-EINVAL, futex(&w, FUTEX_WAKE, 1));
  EXPECT_EQ(-EINVAL, futex(&w, FUTEX_REQUEUE, 0, (timespec*)1, &other));
  EXPECT_EQ(-EINVAL, futex(&other, FUTEX_WAKE_OP, 0, (timespec*)1, &w, FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_NE, 0)));
  EXPECT_EQ('S', thread_state(getpid(), t.tid));
  EXPECT_EQ(0, unlock(&w));
  t.join();
}

// spec 60 F-34 | futex FUTEX_LOCK_PI
TEST(PiFutex, AForgedWordIsRefused) {
  Word w = 0;
  EXPECT_EQ(0, lock(&w));
  Worker t([&] {
    EXPECT_EQ(0, lock(&w));
    EXPECT_EQ(0, unlock(&w));
  });
  EXPECT_TRUE(asleep(t.tid));
  const uint32_t good = w;
  w = 1 | FUTEX_WAITERS;
  EXPECT_EQ(-EINVAL, lock(&w));
  w = FUTEX_WAITERS;
  EXPECT_EQ(-EINVAL, lock(&w));
  w = good;
  EXPECT_EQ(0, unlock(&w));
  t.join();
}

// spec 60 F-35, spec 30 S-73 | futex FUTEX_LOCK_PI
TEST(PiFutex, ACycleIsFound) {
  Word a = 0, b = 0;
  EXPECT_EQ(0, lock(&a));
  std::atomic<bool> has_b = false;
  Worker t([&] {
    EXPECT_EQ(0, lock(&b));
    has_b = true;
    EXPECT_EQ(0, lock(&a));
    EXPECT_EQ(0, unlock(&a));
    EXPECT_EQ(0, unlock(&b));
  });
  while (!has_b) sched_yield();
  EXPECT_TRUE(asleep(t.tid));
  EXPECT_EQ(-EDEADLK, lock(&b));
  EXPECT_EQ(-EAGAIN, try_lock(&b));
  EXPECT_EQ(0, unlock(&a));
  t.join();
  EXPECT_EQ(0u, b);
}

// spec 60 F-35 | futex FUTEX_LOCK_PI
TEST(PiFutex, ASignalDoesNotEndTheWait) {
  static std::atomic<int> handled;
  handled = 0;
  Handler h(SIGUSR1, [](int) { handled++; });
  Word w = 0;
  EXPECT_EQ(0, lock(&w));
  Worker t([&] {
    EXPECT_EQ(0, lock(&w));
    EXPECT_EQ(0, unlock(&w));
  });
  EXPECT_TRUE(asleep(t.tid));
  tgkill_raw(getpid(), t.tid, SIGUSR1);
  EXPECT_TRUE(eventually([&] { return handled == 1; }));
  EXPECT_TRUE(asleep(t.tid));
  EXPECT_EQ(0, unlock(&w));
  t.join();
}

// spec 60 F-35, F-43, spec 30 S-73, S-3 | futex FUTEX_LOCK_PI; sched_setscheduler
TEST(PiFutex, TheOwnerInherits) {
  Word a = 0, b = 0;
  EXPECT_EQ(0, lock(&a));
  const pid_t self = (pid_t)me();
  std::atomic<bool> has_b = false;
  Worker middle([&] {
    EXPECT_EQ(0, lock(&b));
    has_b = true;
    EXPECT_EQ(0, lock(&a));
    EXPECT_EQ(0, unlock(&a));
    EXPECT_EQ(0, unlock(&b));
  });
  while (!has_b) sched_yield();
  EXPECT_TRUE(asleep(middle.tid));
  EXPECT_EQ(20, priority_of(self));
  Worker top([&] {
    if (!make_fifo(0, 30)) return;
    EXPECT_EQ(0, lock(&b));
    EXPECT_EQ(0, unlock(&b));
  });
  if (!make_fifo(top.tid, 30)) {
    EXPECT_EQ(0, unlock(&a));
    middle.join();
    top.join();
    GTEST_SKIP() << "no real-time priorities here";
  }
  EXPECT_TRUE(asleep(top.tid));
  EXPECT_TRUE(eventually([&] { return priority_of(middle.tid) == -31; }));
  EXPECT_EQ(-31, priority_of(self));
  EXPECT_TRUE(make_fifo(top.tid, 50));
  EXPECT_EQ(-51, priority_of(self));
  EXPECT_EQ(SCHED_OTHER, sched_getscheduler(self));
  EXPECT_EQ(0, unlock(&a));
  EXPECT_EQ(20, priority_of(self));
  middle.join();
  top.join();
}

// spec 60 F-35 | futex FUTEX_LOCK_PI; sched_setscheduler
TEST(PiFutex, WaitersComeByPriority) {
  Word w = 0;
  EXPECT_EQ(0, lock(&w));
  std::vector<int> order;
  const int fifo[] = {0, 10, 40, 0, 20};
  std::vector<std::unique_ptr<Worker>> all;
  bool real_time = true;
  for (int i = 0; i < 5; i++) {
    all.push_back(std::make_unique<Worker>([&, i] {
      EXPECT_EQ(0, lock(&w));
      order.push_back(i);
      EXPECT_EQ(0, unlock(&w));
    }));
    EXPECT_TRUE(asleep(all[i]->tid));
    if (fifo[i]) real_time &= make_fifo(all[i]->tid, fifo[i]);
  }
  EXPECT_EQ(0, unlock(&w));
  for (auto& t : all) t->join();
  if (!real_time) GTEST_SKIP() << "no real-time priorities here";
  EXPECT_EQ((std::vector<int>{2, 4, 1, 0, 3}), order);
}

// spec 60 F-41 | futex FUTEX_LOCK_PI; exit
TEST(PiFutex, TheOwnerDies) {
  Word w = 0;
  std::atomic<bool> held = false, go = false;
  Worker owner([&] {
    EXPECT_EQ(0, lock(&w));
    held = true;
    while (!go) usleep(1000);
  });
  while (!held) sched_yield();
  std::atomic<uint32_t> first = 0, second = 0;
  Worker a([&] {
    EXPECT_EQ(0, lock(&w));
    first = w.load();
    EXPECT_EQ(0, unlock(&w));
  });
  EXPECT_TRUE(asleep(a.tid));
  Worker b([&] {
    EXPECT_EQ(0, lock(&w));
    second = w.load();
    EXPECT_EQ(0, unlock(&w));
  });
  EXPECT_TRUE(asleep(b.tid));
  go = true;
  owner.join();
  a.join();
  b.join();
  EXPECT_EQ((uint32_t)a.tid | FUTEX_WAITERS | FUTEX_OWNER_DIED, first);
  EXPECT_EQ((uint32_t)b.tid | FUTEX_WAITERS, second);
  EXPECT_EQ(0u, w);
}

// spec 60 F-41, R-5 | futex FUTEX_LOCK_PI; set_robust_list
TEST(PiFutex, ARobustOwnerDiesInAnotherProcess) {
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  ASSERT_EQ(0, pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
  auto* m = static_cast<pthread_mutex_t*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(0, pthread_mutex_init(m, &attr));
  Pipe held;
  Child c([&] {
    EXPECT_EQ(0, pthread_mutex_lock(m));
    held.post();
    for (;;) pause();
  });
  held.await();
  Worker t([&] {
    EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(m));
    EXPECT_EQ(0, pthread_mutex_consistent(m));
    EXPECT_EQ(0, pthread_mutex_unlock(m));
  });
  EXPECT_TRUE(asleep(t.tid));
  c.kill(SIGKILL);
  t.join();
  EXPECT_EQ(0, pthread_mutex_lock(m));
  EXPECT_EQ(0, pthread_mutex_unlock(m));
  // And without anybody waiting.
  Child d([&] { EXPECT_EQ(0, pthread_mutex_lock(m)); });
  EXPECT_EQ(0, d.exit_code());
  EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(m));
  EXPECT_EQ(0, pthread_mutex_unlock(m));
  EXPECT_EQ(ENOTRECOVERABLE, pthread_mutex_lock(m));
}

// spec 60 F-39 | futex FUTEX_WAIT_REQUEUE_PI
TEST(PiFutex, WaitRequeuePiErrors) {
  Word c = 5, m = 0;
  timespec past{0, 1};
  EXPECT_EQ(-EINVAL, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, nullptr, &c));
  EXPECT_EQ(-EAGAIN, futex(&c, FUTEX_WAIT_REQUEUE_PI, 4, nullptr, &m));
  EXPECT_EQ(-ETIMEDOUT, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, &past, &m));
  EXPECT_EQ(-EINVAL, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, nullptr, (Word*)((char*)&m + 1)));
  EXPECT_EQ(-EFAULT, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, nullptr, (Word*)~0xful));
}

// spec 60 F-40 | futex FUTEX_CMP_REQUEUE_PI
TEST(PiFutex, CmpRequeuePiErrors) {
  Word c = 5, m = 0, n = 0;
  auto requeue = [&](long wake, long move, Word* to, long expected) {
    return futex(&c, FUTEX_CMP_REQUEUE_PI, wake, (timespec*)move, to, expected);
  };
  EXPECT_EQ(-EINVAL, requeue(0, 1, &m, 5));
  EXPECT_EQ(-EINVAL, requeue(2, 1, &m, 5));
  EXPECT_EQ(-EINVAL, requeue(1, -1, &m, 5));
  EXPECT_EQ(-EINVAL, requeue(1, 1, &c, 5));
  EXPECT_EQ(-EAGAIN, requeue(1, 1, &m, 4));
  EXPECT_EQ(0, requeue(1, 1, &m, 5));
  EXPECT_EQ(0u, m);
  Worker t([&] { EXPECT_EQ(0, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, nullptr, &m)); unlock(&m); });
  EXPECT_TRUE(asleep(t.tid));
  EXPECT_EQ(-EINVAL, requeue(1, 1, &n, 5));                   // another target
  EXPECT_EQ(-EINVAL, futex(&c, FUTEX_WAKE, 1));               // F-14
  EXPECT_EQ(-EINVAL, futex(&c, FUTEX_REQUEUE, 0, (timespec*)1, &n));
  EXPECT_EQ(1, requeue(1, 0, &m, 5));
  t.join();
  EXPECT_EQ(0u, m);
  Worker plain([&] { futex(&c, FUTEX_WAIT, 5); });
  EXPECT_TRUE(asleep(plain.tid));
  EXPECT_EQ(-EINVAL, requeue(1, 1, &m, 5));
  EXPECT_EQ(1, futex(&c, FUTEX_WAKE, 1));
  plain.join();
}

void requeue_three(bool held) {
  Word c = 5, m = 0;
  std::atomic<int> got = 0;
  std::vector<std::unique_ptr<Worker>> all;
  for (int i = 0; i < 3; i++) {
    all.push_back(std::make_unique<Worker>([&] {
      EXPECT_EQ(0, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, nullptr, &m));
      EXPECT_EQ(me(), m & FUTEX_TID_MASK);
      got++;
      EXPECT_EQ(0, unlock(&m));
    }));
    EXPECT_TRUE(asleep(all[i]->tid));
  }
  if (held) EXPECT_EQ(0, lock(&m));
  EXPECT_EQ(3, futex(&c, FUTEX_CMP_REQUEUE_PI, 1, (timespec*)0x7fffffff, &m, 5));
  if (held) {
    EXPECT_EQ(me() | FUTEX_WAITERS, m);
    EXPECT_EQ(0, got);
    EXPECT_EQ(0, unlock(&m));
  }
  for (auto& t : all) t->join();
  EXPECT_EQ(3, got);
  EXPECT_EQ(0u, m);
}
// spec 60 F-39, F-40 | futex FUTEX_WAIT_REQUEUE_PI FUTEX_CMP_REQUEUE_PI
TEST(PiFutex, RequeueToAFreeWord) { requeue_three(false); }
// spec 60 F-39, F-40 | futex FUTEX_WAIT_REQUEUE_PI FUTEX_CMP_REQUEUE_PI
TEST(PiFutex, RequeueToAHeldWord) { requeue_three(true); }

// spec 60 F-39 | futex FUTEX_WAIT_REQUEUE_PI FUTEX_CMP_REQUEUE_PI
TEST(PiFutex, ADeadlineAfterTheMove) {
  Word c = 5, m = 0;
  EXPECT_EQ(0, lock(&m));
  Worker t([&] {
    timespec when = after(CLOCK_MONOTONIC, 300);
    EXPECT_EQ(-ETIMEDOUT, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, &when, &m));
  });
  EXPECT_TRUE(asleep(t.tid));
  EXPECT_EQ(1, futex(&c, FUTEX_CMP_REQUEUE_PI, 1, nullptr, &m, 5));
  t.join();
  EXPECT_EQ(me(), m & FUTEX_TID_MASK);
  EXPECT_EQ(0, unlock(&m));
}

// spec 60 F-39 | futex FUTEX_WAIT_REQUEUE_PI
TEST(PiFutex, ASignalDuringWaitRequeuePi) {
  static std::atomic<int> handled;
  handled = 0;
  Handler h(SIGUSR1, [](int) { handled++; });
  Word c = 5, m = 0;
  Worker t([&] {
    EXPECT_EQ(0, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, nullptr, &m));
    unlock(&m);
  });
  EXPECT_TRUE(asleep(t.tid));
  tgkill_raw(getpid(), t.tid, SIGUSR1);
  EXPECT_TRUE(eventually([&] { return handled == 1; }));
  EXPECT_TRUE(asleep(t.tid));
  EXPECT_EQ(1, futex(&c, FUTEX_CMP_REQUEUE_PI, 1, nullptr, &m, 5));
  t.join();
  // After the move it is told that the first word may have changed.
  EXPECT_EQ(0, lock(&m));
  Worker u([&] { EXPECT_EQ(-EAGAIN, futex(&c, FUTEX_WAIT_REQUEUE_PI, 5, nullptr, &m)); });
  EXPECT_TRUE(asleep(u.tid));
  EXPECT_EQ(1, futex(&c, FUTEX_CMP_REQUEUE_PI, 1, nullptr, &m, 5));
  tgkill_raw(getpid(), u.tid, SIGUSR1);
  u.join();
  EXPECT_EQ(0, unlock(&m));
}

// spec 60 F-36 | pthread_mutex PTHREAD_PRIO_INHERIT
TEST(PiFutex, AMutexOfTheCLibrary) {
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  ASSERT_EQ(0, pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
  pthread_mutex_t m;
  ASSERT_EQ(0, pthread_mutex_init(&m, &attr));
  pthread_cond_t c;
  pthread_cond_init(&c, nullptr);
  int turn = 0;
  constexpr int kThreads = 6, kRounds = 40;
  std::vector<std::thread> all;
  for (int i = 0; i < kThreads; i++)
    all.emplace_back([&, i] {
      for (int round = 0; round < kRounds; round++) {
        EXPECT_EQ(0, pthread_mutex_lock(&m));
        while (turn % kThreads != i) pthread_cond_wait(&c, &m);
        turn++;
        pthread_cond_broadcast(&c);
        EXPECT_EQ(0, pthread_mutex_unlock(&m));
      }
    });
  for (auto& t : all) t.join();
  EXPECT_EQ(kThreads * kRounds, turn);
  EXPECT_EQ(0, pthread_mutex_destroy(&m));
}

}  // namespace
