// Everything at once, with real concurrency: eight CPUs of the parallel engine and two hundred tasks that use pipes, futexes, sleeps,
// threads, forks, exits and signals, while others change their CPUs, classes, nice values and cgroups under them, and CPUs come and go. Each task
// checks what it is promised: order of a pipe, exclusion by a mutex, no lost wake-up (or the case does not end), no lost
// signal, exit statuses. What else may go wrong ThreadSanitizer, the lock checker and the leak check see.
//   stress.seconds=n  on the command line (CF_CMDLINE): so long, else a moment
// spec 22 C-10, C-36; 30 S-40, S-42, S-44, S-49, S-52; 33 W-39, W-42
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/futex.h>
#include <uapi/linux/sched.h>

#include "init/params.hh"
#include "test/hosted/cgroup_programs.hh"

namespace {

using namespace program;
using user::peek;
using user::poke;

constexpr unsigned kCpus = 8;
constexpr unsigned kPairs = 20, kMutexGroups = 8, kPiGroups = 4, kThreads = 4, kSleepers = 30, kForkers = 16, kVictims = 20,
                   kSenders = 8, kChurners = 8, kMeddlers = 10, kPluggers = 1;
// Of a pair and a group one is forked by the root; tasks in all: 2 * 20 + 4 * 12 + 30 + 16 * 2 + 20 + 8 + 8 * 2 + 10 + 1 = 205.
constexpr unsigned kVictimsOfMeddlers = kPairs + kMutexGroups + kPiGroups + kSleepers + kForkers + kVictims + kSenders + kChurners;
constexpr unsigned kWorkers = kVictimsOfMeddlers + kMeddlers + kPluggers;
constexpr int kSig = 40;  // a real-time signal: it queues

// Shared by all. Each word has one writer but for those that are said to have several.
struct Board {
  u32 go, stop;
  u32 pid[kWorkers];
  u32 done[kWorkers];       // rounds
  u32 sent[kVictims];       // several writers
  u32 handled[kVictims];
};
static_assert(sizeof(Board) <= 4096);
unsigned long board;  // where it is mapped, in all processes: set before the first fork

#define AT(field) (board + __builtin_offsetof(Board, field))
unsigned long slot(unsigned long array, unsigned long i) { return array + 4 * i; }
bool stopping() { return peek<u32>(AT(stop)); }
void count_round(unsigned me) { poke(slot(AT(done), me), peek<u32>(slot(AT(done), me)) + 1); }
void add(unsigned long at, u32 n) {
  for (u32 old = peek<u32>(at);;) {
    const u32 found = user::compare_exchange(at, old, old + n);
    if (found == old) return;
    old = found;
  }
}

struct Dice {
  u64 state;
  explicit Dice(u64 seed) : state(seed * 0x9e3779b97f4a7c15 + 1) {}
  unsigned operator()(unsigned n) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return static_cast<unsigned>(state >> 11) % n;
  }
};
void nap_us(unsigned us) {
  Var<__kernel_timespec> t({0, us * 1000l});
  sys(__NR_nanosleep, t.addr(), 0);
}

void become_ordinary() {
  Var<sched_attr> attr(sched_attr{.size = sizeof(sched_attr), .sched_policy = SCHED_NORMAL});
  sys(__NR_sched_setattr, 0, attr.addr(), 0);
}
// A deadline task may not fork, and any may be one for a while: until a meddler makes it another, and at the end itself.
template <class F>
long until_allowed(F make) {
  for (;;) {
    const long pid = make();
    if (pid != -EAGAIN) return pid;
    if (stopping()) become_ordinary();
    nap_us(1000);
  }
}

// ---- Pipes -------------------------------------------------------------------------------------------------------------

struct Ends {
  int read, write;
};
Ends make_pipe() {
  Var<Ends> e;
  return sys(__NR_pipe2, e.addr(), 0) ? Ends{-1, -1} : e.get();
}
// A read or write of a whole number, signals notwithstanding. 0: end of file.
long whole(long nr, int fd, const Var<u64>& v) {
  for (;;) {
    const long n = sys(nr, fd, v.addr(), 8);
    if (n != -EINTR) return n;
  }
}

long echoes(unsigned long fds) {
  const int in = static_cast<int>(fds & 0xff), out = static_cast<int>(fds >> 8 & 0xff);
  sys(__NR_close, fds >> 16 & 0xff);
  sys(__NR_close, fds >> 24 & 0xff);
  Var<u64> v;
  for (u64 expected = 1;; expected++) {
    const long n = whole(__NR_read, in, v);
    if (n == 0) return 0;
    MUST(n == 8 && v.get() == expected);
    MUST(whole(__NR_write, out, v) == 8);
  }
}
long pair(unsigned me) {
  const Ends a = make_pipe(), b = make_pipe();
  MUST(a.read >= 0 && b.read >= 0);
  const auto fd = [](int n) { return static_cast<unsigned long>(n); };
  const long child = until_allowed(
      [&] { return user::fork(echoes, fd(a.read) | fd(b.write) << 8 | fd(a.write) << 16 | fd(b.read) << 24); });
  MUST(child > 0);
  sys(__NR_close, a.read);
  sys(__NR_close, b.write);
  Var<u64> v;
  for (u64 n = 1; !stopping(); n++) {
    v.set(n);
    MUST(whole(__NR_write, a.write, v) == 8);
    MUST(whole(__NR_read, b.read, v) == 8 && v.get() == n);
    count_round(me);
  }
  sys(__NR_close, a.write);
  MUST(ends_by(child, 0));
  return 0;
}

// ---- Futexes -----------------------------------------------------------------------------------------------------------

// Lies in the group's private memory.
struct Group {
  u32 mutex, inside, count[kThreads], tid[kThreads], me;
};
long futex(unsigned long at, unsigned op, u32 val, unsigned long timeout = 0) {
  return sys(__NR_futex, at, op | FUTEX_PRIVATE_FLAG, val, timeout, 0, 0);
}

// 0 free, 1 held, 2 held and wanted.
void lock(unsigned long at) {
  u32 c = user::compare_exchange(at, 0, 1);
  if (!c) return;
  for (;;) {
    if (c == 2 || user::compare_exchange(at, 1, 2)) futex(at, FUTEX_WAIT, 2);
    c = user::compare_exchange(at, 0, 2);
    if (!c) return;
  }
}
void unlock(unsigned long at) {
  u32 old = peek<u32>(at);
  for (u32 found; (found = user::compare_exchange(at, old, 0)) != old;) old = found;
  if (old == 2) futex(at, FUTEX_WAKE, 1);
}
bool lock_pi(unsigned long at, u32 tid) {
  if (!user::compare_exchange(at, 0, tid)) return true;
  for (;;) {
    const long r = futex(at, FUTEX_LOCK_PI, 0);
    if (r != -EINTR && r != -EAGAIN) return r == 0;
  }
}
bool unlock_pi(unsigned long at, u32 tid) { return user::compare_exchange(at, tid, 0) == tid || futex(at, FUTEX_UNLOCK_PI, 0) == 0; }

// arg: address of the Group, number of the thread in its low bits, kPi.
constexpr unsigned long kPi = 8;
long member(unsigned long arg) {
  const unsigned long g = arg & ~15ul, number = arg & 7;
  const bool pi = arg & kPi;
  const unsigned long mutex = g, inside = g + 4, count = g + 8 + 4 * number;
  const u32 tid = static_cast<u32>(gettid());
  Dice dice(arg + tid);
  while (!stopping()) {
    if (pi)
      MUST(lock_pi(mutex, tid));
    else
      lock(mutex);
    MUST(user::compare_exchange(inside, 0, tid) == 0);  // nobody else is
    if (dice(16) == 0) sys(__NR_sched_yield);
    if (dice(64) == 0) nap_us(50);
    poke(inside, u32{0});
    if (pi)
      MUST(unlock_pi(mutex, tid));
    else
      unlock(mutex);
    poke(count, peek<u32>(count) + 1);
    if (dice(8) == 0) sys(__NR_sched_yield);
  }
  return 0;
}
constexpr unsigned long kThreadFlags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
// The kernel clears the word and wakes who waits on it when the thread is gone.
void join(unsigned long tid_at) {
  while (u32 tid = peek<u32>(tid_at)) sys(__NR_futex, tid_at, FUTEX_WAIT, tid, 0, 0, 0);
}
long futex_group(unsigned me, unsigned long kind) {
  const unsigned long g = user::map(4096);
  for (unsigned long i = 1; i < kThreads; i++) {
    const unsigned long tid_at = g + __builtin_offsetof(Group, tid) + 4 * i;
    const unsigned long stack = user::thread_stack();
    MUST(until_allowed([&] { return user::clone(kThreadFlags, stack, member, g | i | kind, tid_at, tid_at); }) > 0);
  }
  MUST(member(g | kind) == 0);
  for (unsigned long i = 1; i < kThreads; i++) join(g + __builtin_offsetof(Group, tid) + 4 * i);
  u32 rounds = 0;
  for (unsigned long i = 0; i < kThreads; i++) rounds += peek<u32>(g + __builtin_offsetof(Group, count) + 4 * i);
  poke(slot(AT(done), me), rounds);
  return 0;
}

// ---- Sleeps, forks, threads ----------------------------------------------------------------------------------------------

long sleeper(unsigned me) {
  for (Dice dice(me); !stopping(); count_round(me)) {
    nap_us(dice(2000));
    if (dice(4) == 0) user::burn(dice(300) * 1000);
  }
  return 0;
}

long child_ends(unsigned long arg) {
  if (arg & 8) nap_us(static_cast<unsigned>(arg) * 10);
  if (arg & 16) kill(getpid(), SIGKILL);
  return static_cast<long>(arg & 7);
}
long forker(unsigned me) {
  for (Dice dice(me); !stopping(); count_round(me)) {
    const unsigned long arg = dice(32);
    const long pid = until_allowed([&] { return user::fork(child_ends, arg); });
    MUST(pid > 0);
    MUST(ends_by(pid, arg & 16 ? SIGKILL : exited(static_cast<int>(arg & 7))));
  }
  return 0;
}

long thread_ends(unsigned long arg) {
  if (arg & 1) sys(__NR_sched_yield);
  return 0;
}
long churner(unsigned me) {
  const unsigned long stack = user::thread_stack(), tid_at = user::map(4096);
  for (Dice dice(me); !stopping(); count_round(me)) {
    const unsigned long arg = dice(2);
    MUST(until_allowed([&] { return user::clone(kThreadFlags, stack, thread_ends, arg, tid_at, tid_at); }) > 0);
    join(tid_at);
  }
  return 0;
}

// ---- Signals -------------------------------------------------------------------------------------------------------------

constexpr unsigned kFirstVictim = kPairs + kMutexGroups + kPiGroups + kSleepers + kForkers;

// Which victim runs the handler: in its info, since the variables of a program are everybody's.
void on_signal(int, unsigned long info, unsigned long) {
  add(slot(AT(handled), peek<u32>(info + 24)), 1);  // si_value
}
long victim(unsigned me) {
  const unsigned number = me - kFirstVictim;
  MUST(user::sigaction(kSig, on_signal, 4 /* SA_SIGINFO */) == 0);
  poke(slot(AT(done), me), u32{1});  // ready
  for (Dice dice(me); !stopping();) {
    nap_us(dice(3000));
    if (dice(3) == 0) user::burn(dice(100) * 1000);
  }
  for (int i = 0; i < 60'000 && peek<u32>(slot(AT(handled), number)) != peek<u32>(slot(AT(sent), number)); i++) nap_us(1000);
  MUST(peek<u32>(slot(AT(handled), number)) == peek<u32>(slot(AT(sent), number)));
  return 0;
}
long sender(unsigned me) {
  struct Info {
    int signo, err, code, pad, pid, uid;
    u64 value;
    char rest[96];
  };
  static_assert(sizeof(Info) == 128);
  for (Dice dice(me); !stopping(); count_round(me)) {
    const unsigned v = dice(kVictims);
    const long pid = peek<u32>(slot(AT(pid), kFirstVictim + v));
    if (!peek<u32>(slot(AT(done), kFirstVictim + v))) continue;
    Var<Info> info(Info{kSig, 0, -1 /* SI_QUEUE */, 0, 0, 0, v, {}});
    add(slot(AT(sent), v), 1);  // first: who stops looks for it
    const long r = sys(__NR_rt_sigqueueinfo, pid, kSig, info.addr());
    if (r == -EAGAIN) add(slot(AT(sent), v), ~0u);
    MUST(r == 0 || r == -EAGAIN);
    if (dice(32) == 0) {
      MUST(kill(pid, SIGSTOP) == 0);
      nap_us(dice(500));
      MUST(kill(pid, SIGCONT) == 0);
    }
    nap_us(dice(400));
  }
  return 0;
}

// ---- Those who meddle ------------------------------------------------------------------------------------------------------

bool one_of(long r, std::initializer_list<long> allowed) {
  for (long a : allowed)
    if (r == a) return true;
  if (r == -ESRCH && stopping()) return true;  // dead already
  user::Uninterrupted printing;
  pr_err("meddler: %ld\n", r);
  return false;
}
constexpr u64 kResetOnFork = 1;
long set_class(long pid, Dice& dice) {
  sched_attr a{};
  a.size = sizeof a;
  a.sched_flags = dice(2) ? kResetOnFork : 0;
  switch (dice(10)) {
    case 0: a.sched_policy = SCHED_FIFO, a.sched_priority = 1 + dice(20); break;
    case 1: a.sched_policy = SCHED_RR, a.sched_priority = 1 + dice(20); break;
    case 2:
      a.sched_policy = SCHED_DEADLINE;
      a.sched_runtime = (100 + dice(900)) * 1000ull;
      a.sched_deadline = a.sched_period = a.sched_runtime * (8 + dice(20));
      break;
    case 3: a.sched_policy = SCHED_BATCH, a.sched_nice = static_cast<s32>(dice(40)) - 20; break;
    case 4: a.sched_policy = SCHED_IDLE; break;
    default: a.sched_policy = SCHED_NORMAL, a.sched_nice = static_cast<s32>(dice(40)) - 20;
  }
  Var<sched_attr> attr(a);
  return sys(__NR_sched_setattr, pid, attr.addr(), 0);
}
long set_cpus(long pid, Dice& dice) {
  const u64 mask = dice(4) == 0 ? 1ull << dice(kCpus) : dice(2) ? 1 + dice((1 << kCpus) - 1) : (1 << kCpus) - 1;
  Var<u64> set(mask);
  const long r = sys(__NR_sched_setaffinity, pid, 8, set.addr());
  return r > 0 ? 0 : r;
}
long meddler(unsigned me) {
  constexpr const char* kPlaces[] = {"/cg/cgroup.procs", "/cg/a/cgroup.procs", "/cg/b/cgroup.procs", "/cg/b/c/cgroup.procs"};
  constexpr const char* kWeights[] = {"1", "100", "10000"};
  constexpr const char* kLimits[] = {"max 100000", "20000 50000", "100000 50000"};
  for (Dice dice(me); !stopping(); count_round(me)) {
    const long pid = peek<u32>(slot(AT(pid), dice(kVictimsOfMeddlers)));  // not with each other: they would come to rest
    if (!pid) continue;
    switch (dice(8)) {
      case 0: case 1: MUST(one_of(set_class(pid, dice), {0, -EPERM, -EBUSY})); break;
      case 2: case 3: MUST(one_of(set_cpus(pid, dice), {0, -EBUSY, -EINVAL /* all offline */})); break;
      case 4: MUST(one_of(sys(__NR_setpriority, 0, pid, static_cast<long>(dice(40)) - 20), {0})); break;
      case 5: MUST(one_of(write_number(kPlaces[dice(4)], pid), {0, -EINVAL, -EBUSY})); break;
      case 6: MUST(write_text(dice(2) ? "/cg/a/cpu.weight" : "/cg/b/cpu.weight", kWeights[dice(3)]) == 0); break;
      case 7: MUST(write_text("/cg/b/cpu.max", kLimits[dice(3)]) == 0); break;
    }
    nap_us(dice(500));
  }
  return 0;
}

// At its end all are there.
long plugger(unsigned me) {
  char file[] = "/sys/devices/system/cpu/cpu0/online";
  char& digit = file[sizeof "/sys/devices/system/cpu/cpu" - 1];
  MUST(sys(__NR_setpriority, 0, 0, -20) == 0);
  Dice dice(me);
  do {
    digit = static_cast<char>('1' + dice(kCpus - 1));
    MUST(one_of(write_text(file, "0"), {0, -EBUSY /* deadline tasks need it */}));
    nap_us(dice(20'000));
    MUST(write_text(file, "1") == 0);
    nap_us(dice(20'000));
    count_round(me);
  } while (!stopping());
  return 0;
}

// ---- The root --------------------------------------------------------------------------------------------------------------

struct Role {
  unsigned how_many;
  const char* name;
  long (*run)(unsigned me);
};
constexpr Role kRoles[] = {
    {kPairs, "pipe pairs", pair},
    {kMutexGroups, "futex groups", [](unsigned me) { return futex_group(me, 0); }},
    {kPiGroups, "PI futex groups", [](unsigned me) { return futex_group(me, kPi); }},
    {kSleepers, "sleepers", sleeper},
    {kForkers, "forkers", forker},
    {kVictims, "takers of signals", victim},
    {kSenders, "senders of signals", sender},
    {kChurners, "makers of threads", churner},
    {kMeddlers, "meddlers", meddler},
    {kPluggers, "plugger of CPUs", plugger},
};
long worker(unsigned long me) {
  while (!peek<u32>(AT(go))) sys(__NR_futex, AT(go), FUTEX_WAIT, 0, 0, 0, 0);
  poke(slot(AT(pid), me), static_cast<u32>(getpid()));
  unsigned long first = 0;
  for (const Role& role : kRoles) {
    if (me - first < role.how_many) return role.run(static_cast<unsigned>(me));
    first += role.how_many;
  }
  return 99;
}
void report() {
  unsigned at = 0;
  for (const Role& role : kRoles) {
    u64 rounds = 0;
    for (unsigned i = 0; i < role.how_many; i++) rounds += peek<u32>(slot(AT(done), at++));
    user::Uninterrupted printing;
    pr_info("stress: %u %s: %llu rounds\n", role.how_many, role.name, rounds);
  }
}
bool groups_are_made() {
  return set_up() && write_text("/cg/cgroup.subtree_control", "+cpu +pids") == 0 && make_dir("/cg/a") == 0 && make_dir("/cg/b") == 0 &&
         make_dir("/cg/b/c") == 0;
}

long root(unsigned long seconds) {
  MUST(groups_are_made());
  user::Str sysfs("sysfs"), sys_dir("/sys");
  MUST(make_dir("/sys") == 0 && sys(__NR_mount, sysfs.addr(), sys_dir.addr(), sysfs.addr(), 0, 0) == 0);
  board = shared_page();
  long pids[kWorkers];
  for (unsigned long i = 0; i < kWorkers; i++) {
    if ((pids[i] = user::fork(worker, i)) > 0) continue;
    user::Uninterrupted printing;
    pr_err("stress: fork %lu: %ld\n", i, pids[i]);
    return 98;
  }
  poke(AT(go), u32{1});
  sys(__NR_futex, AT(go), FUTEX_WAKE, 1000, 0, 0, 0);
  nap(static_cast<long>(seconds) * 1000);
  poke(AT(stop), u32{1});
  int bad = 0;
  for (unsigned i = kWorkers; i-- > 0;) {  // first those who speak of others by their numbers
    const long pid = pids[i];
    kill(pid, SIGCONT);
    const Ended e = wait4(pid);
    if (e.pid == pid && e.status == 0) continue;
    user::Uninterrupted printing;
    pr_err("stress: worker %ld: %ld, status %#x\n", pid, e.pid, e.status);
    bad++;
  }
  report();
  MUST(bad == 0);
  return 0;
}

void everything_at_once(kunit* test) {
  const long seconds = boot_param_long("stress.seconds", 2);
  KUNIT_EXPECT_EQ(test, user::run_process(root, static_cast<unsigned long>(seconds)), 0l);
}

kunit_case cases[] = {KUNIT_CASE(everything_at_once), {}};
kunit_suite suite = {
    .name = "parallel_stress",
    .test_cases = cases,
    .world = {.cpus = kCpus, .memory_mb = 512, .parallel = true},
};

}  // namespace

kunit_test_suite(suite);
