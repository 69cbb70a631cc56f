// What the cases of test/guest share: system calls that return -errno, children that are reaped, polling, texts of /proc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

// Interfaces newer than the C library's headers.
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef P_PIDFD
#define P_PIDFD static_cast<idtype_t>(3)
#endif

namespace guest {

/// A system call by number without the C library between: the result, or -errno.
long raw(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0);

template <class... A>
long sys(long nr, A... a) {
  return raw(nr, (long)a...);
}

/// Linux's struct clone_args, as of 6.1 (88 bytes).
struct CloneArgs {
  uint64_t flags = 0, pidfd = 0, child_tid = 0, parent_tid = 0, exit_signal = 0, stack = 0, stack_size = 0, tls = 0;
  uint64_t set_tid = 0, set_tid_size = 0, cgroup = 0;
};
static_assert(sizeof(CloneArgs) == 88);

inline uint64_t address(const volatile void* p) { return reinterpret_cast<uint64_t>(p); }

/// clone3. The child (if there is no stack in args) returns 0 from here like fork's.
inline long clone3(const CloneArgs& args, size_t size = sizeof(CloneArgs)) { return sys(SYS_clone3, &args, size); }
/// clone with the kernel's argument order; without a stack the child returns 0 from here.
inline long clone_raw(uint64_t flags, void* stack = nullptr, int* parent_tid = nullptr, int* child_tid = nullptr,
                      uint64_t tls = 0) {
  return sys(SYS_clone, flags, stack, parent_tid, child_tid, tls);
}
inline int pidfd_open(pid_t pid, unsigned flags = 0) { return (int)sys(SYS_pidfd_open, pid, flags); }
inline int pidfd_send_signal(int fd, int sig, const siginfo_t* info = nullptr, unsigned flags = 0) {
  return (int)sys(SYS_pidfd_send_signal, fd, sig, info, flags);
}
inline long tgkill_raw(pid_t tgid, pid_t tid, int sig) { return sys(SYS_tgkill, tgid, tid, sig); }
/// The kernel's waitid, which has rusage; -errno.
inline long waitid_raw(int type, long id, siginfo_t* info, int options, rusage* ru = nullptr) {
  return sys(SYS_waitid, type, id, info, options, ru);
}

constexpr int kFailed = 99;    // a child's exit status if one of its own expectations failed
constexpr int kSignal = 1000;  // added to the signal that killed a child, by exit_code()

/// Ends a forked child: expectations that failed in it make its status kFailed.
[[noreturn]] void child_exit(int code);

/// Forks a child that runs f, an int() or void(), and exits with its value. The caller reaps it.
template <class F>
pid_t spawn(F f) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid != 0) return pid;
  if constexpr (std::is_void_v<decltype(f())>) {
    f();
    child_exit(0);
  } else {
    child_exit(f());
  }
}
/// The same by clone3.
template <class F>
pid_t spawn3(const CloneArgs& args, F f) {
  fflush(stdout);
  long pid = clone3(args);
  if (pid != 0) return (pid_t)pid;
  if constexpr (std::is_void_v<decltype(f())>) {
    f();
    child_exit(0);
  } else {
    child_exit(f());
  }
}

/// waitpid(pid, __WALL), again after EINTR: the status word, or -errno.
int wait_status(pid_t pid, int options = 0);
/// What a status says: the exit status, or kSignal + the signal.
int exit_code_of(int status);
inline int exit_code(pid_t pid) { return exit_code_of(wait_status(pid)); }

/// A child that is killed and reaped at the end of the scope if nobody did it before.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  template <class F>
    requires(!std::is_convertible_v<F, pid_t>)
  explicit Child(F f) : pid_(spawn(std::move(f))) {}
  Child(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0 || reaped_) return;
    ::kill(pid_, SIGKILL);
    wait_status(pid_);
  }
  operator pid_t() const { return pid_; }
  pid_t pid() const { return pid_; }
  int wait(int options = 0) {
    int status = wait_status(pid_, options);
    if (status >= 0 && !WIFSTOPPED(status) && !WIFCONTINUED(status)) reaped_ = true;
    return status;
  }
  int exit_code() { return exit_code_of(wait()); }
  /// Somebody else reaps it, or it is gone.
  void forget() { reaped_ = true; }
  int kill(int sig) { return ::kill(pid_, sig) ? -errno : 0; }

 private:
  pid_t pid_;
  bool reaped_ = false;
};

/// Runs f in a forked child and returns its exit code: for what would change this process.
template <class F>
int in_child(F f) {
  return exit_code(spawn(std::move(f)));
}

/// The same where the case only expects that the child's expectations hold.
template <class F>
void expect_in_child(F f) {
  EXPECT_EQ(0, in_child(std::move(f)));
}

/// An owned descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  operator int() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

/// A pipe for "I am here" and "go on" between processes.
class Pipe {
 public:
  Pipe();
  /// Writes a byte.
  void post(char c = 'x');
  /// Reads a byte: the byte, or -1 at the end or at an error.
  int await();
  void send(const void* p, size_t n) { EXPECT_EQ((ssize_t)n, ::write(w, p, n)); }
  template <class T>
  void put(const T& value) {
    send(&value, sizeof(value));
  }
  template <class T>
  T get() {
    T value{};
    EXPECT_EQ((ssize_t)sizeof(value), read_all(&value, sizeof(value)));
    return value;
  }
  ssize_t read_all(void* p, size_t n);
  Fd r, w;
};

/// Polls f until it is true, for half a minute of patience at most.
template <class F>
bool eventually(F f) {
  for (int i = 0; i < 10000; i++) {
    if (f()) return true;
    timespec t{0, i < 50 ? 200'000 : 3'000'000};
    nanosleep(&t, nullptr);
  }
  return false;
}

/// The state letter of a task in /proc/PID/stat, 0 if it is not there.
char state_of(pid_t pid);
/// The same of a thread of a process.
char thread_state(pid_t pid, pid_t tid);
bool eventually_state(pid_t pid, char state);
/// Sleeping in a system call: state S.
inline bool eventually_sleeps(pid_t pid) { return eventually_state(pid, 'S'); }
/// A field of /proc/PID/status as text, e.g. status_field(pid, "SigBlk"); "" if it is not there.
std::string status_field(pid_t pid, const char* field);
/// The n-th field of /proc/PID/stat, counted from 1 as proc(5) does.
std::string stat_field(pid_t pid, int n);
std::string read_file(const std::string& path);
/// 0 or -errno.
int write_file(const std::string& path, const std::string& text);
bool exists(const std::string& path);
/// Number of entries of a directory without . and ..
int count_entries(const std::string& path);

/// Installs a handler for the scope.
class Handler {
 public:
  Handler(int sig, void (*fn)(int), int flags = 0);
  Handler(int sig, void (*fn)(int, siginfo_t*, void*), int flags = 0);
  ~Handler() { sigaction(sig_, &old_, nullptr); }
  Handler(const Handler&) = delete;

 private:
  int sig_;
  struct sigaction old_;
};

/// Blocks signals for the scope.
class Blocked {
 public:
  Blocked(std::initializer_list<int> sigs);
  ~Blocked() { sigprocmask(SIG_SETMASK, &old_, nullptr); }
  Blocked(const Blocked&) = delete;

 private:
  sigset_t old_;
};
sigset_t set_of(std::initializer_list<int> sigs);
/// Waits for one of the signals (they must be blocked), for half a minute at most: its number and info, -1 if none came.
int await_signal(std::initializer_list<int> sigs, siginfo_t* info = nullptr);
/// The same without waiting.
int poll_signal(std::initializer_list<int> sigs, siginfo_t* info = nullptr);
/// Sends a signal with a value; 0 or -errno.
int queue_signal(pid_t pid, int sig, int value);

/// Memory that a forked child shares with its parent.
template <class T>
class Shared {
 public:
  Shared() {
    p_ = static_cast<T*>(mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    new ((void*)p_) std::remove_volatile_t<T>{};
  }
  ~Shared() { munmap((void*)p_, sizeof(T)); }
  Shared(const Shared&) = delete;
  T* operator->() { return p_; }
  T& operator*() { return *p_; }

 private:
  T* p_;
};

/// A stack for a child or thread made by clone.
class Stack {
 public:
  static constexpr size_t kSize = 256 << 10;
  Stack() : base_(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~Stack() { munmap(base_, kSize); }
  Stack(const Stack&) = delete;
  void* base() const { return base_; }
  void* top() const { return static_cast<char*>(base_) + kSize; }

 private:
  void* base_;
};

/// clone() with a function on a stack of its own: the child's id or -errno. The function must not use the C library's
/// thread-local state (errno, stdio) if it shares memory.
int clone_fn(int (*fn)(void*), void* arg, const Stack& stack, int flags, int* parent_tid = nullptr, void* tls = nullptr,
             int* child_tid = nullptr);

/// Is this kernel at least major.minor? Cleanfork and the one it follows say 6.1.
bool kernel_at_least(int major, int minor);
/// May this process do what CAP_SYS_ADMIN allows?
bool has_capability(int cap);

/// Drops to an ordinary user with no capabilities, in a child.
void become_user(uid_t uid = 1000, gid_t gid = 1000);

/// Can a namespace of this kind be made? EINVAL from unshare says that there is none of the kind.
bool has_namespace(int flag);

constexpr int kCapKill = 5, kCapSetuid = 7, kCapSysPtrace = 19, kCapSysAdmin = 21, kCapSysResource = 24;

// As the kernel takes it, without the C library's restorer and mask.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};
inline long rt_sigaction(int sig, const KernelAction* act, KernelAction* old, size_t size = 8) { return sys(SYS_rt_sigaction, sig, act, old, size); }

}  // namespace guest

/// The kernel answers differently from some version on: this case is for those before it.
#define SKIP_FROM(major, minor, why)                                                                   \
  do {                                                                                                 \
    if (guest::kernel_at_least(major, minor)) GTEST_SKIP() << "Linux " #major "." #minor " and later: " why; \
  } while (0)
#define NEED_NAMESPACE(flag)                                                                    \
  do {                                                                                          \
    if (!guest::has_namespace(flag)) GTEST_SKIP() << "there are no namespaces of kind " #flag; \
  } while (0)
#define NEED_CAPABILITY(cap)                                                            \
  do {                                                                                  \
    if (!guest::has_capability(cap)) GTEST_SKIP() << "this process has no capability " #cap; \
  } while (0)
