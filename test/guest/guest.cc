// See guest.hh.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/guest.hh"

#include <dirent.h>
#include <grp.h>
#include <sys/utsname.h>

#include <fstream>
#include <sstream>

namespace guest {

long raw(long nr, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

void child_exit(int code) {
  if (testing::Test::HasFailure()) code = kFailed;
  fflush(stdout);
  _exit(code);
}

int wait_status(pid_t pid, int options) {
  int status = 0;
  for (;;) {
    long r = sys(SYS_wait4, pid, &status, options | __WALL, nullptr);
    if (r == -EINTR) continue;
    return r < 0 ? (int)r : status;
  }
}

int exit_code_of(int status) {
  if (status < 0) return status;
  return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? kSignal + WTERMSIG(status) : -status;
}

Pipe::Pipe() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(0, pipe2(fds, O_CLOEXEC));
  r = Fd(fds[0]);
  w = Fd(fds[1]);
}

void Pipe::post(char c) {
  while (write(w, &c, 1) < 0 && errno == EINTR) {
  }
}

int Pipe::await() {
  char c;
  return read_all(&c, 1) == 1 ? (unsigned char)c : -1;
}

ssize_t Pipe::read_all(void* p, size_t n) {
  size_t done = 0;
  while (done < n) {
    ssize_t got = ::read(r, static_cast<char*>(p) + done, n - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += (size_t)got;
  }
  return (ssize_t)done;
}

std::string read_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  for (;;) {
    ssize_t n = fd < 0 ? 0 : read(fd, buffer, sizeof(buffer));
    if (n <= 0) return text;
    text.append(buffer, (size_t)n);
  }
}

int write_file(const std::string& path, const std::string& text) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd < 0) return -errno;
  return write(fd, text.data(), text.size()) == (ssize_t)text.size() ? 0 : -errno;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

int count_entries(const std::string& path) {
  DIR* dir = opendir(path.c_str());
  if (!dir) return -errno;
  int n = 0;
  while (dirent* e = readdir(dir)) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  closedir(dir);
  return n;
}

static std::string stat_tail(const std::string& text) {
  size_t at = text.rfind(") ");
  return at == std::string::npos ? "" : text.substr(at + 2);
}

char state_of(pid_t pid) {
  std::string tail = stat_tail(read_file("/proc/" + std::to_string(pid) + "/stat"));
  return tail.empty() ? 0 : tail[0];
}

char thread_state(pid_t pid, pid_t tid) {
  std::string tail = stat_tail(read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/stat"));
  return tail.empty() ? 0 : tail[0];
}

bool eventually_state(pid_t pid, char state) {
  return eventually([&] { return state_of(pid) == state; });
}

std::string stat_field(pid_t pid, int n) {
  std::istringstream in(stat_tail(read_file("/proc/" + std::to_string(pid) + "/stat")));
  std::string word;
  for (int i = 3; i <= n; i++) in >> word;
  return word;
}

std::string status_field(pid_t pid, const char* field) {
  std::istringstream in(read_file("/proc/" + std::to_string(pid) + "/status"));
  std::string line, start = std::string(field) + ":";
  while (std::getline(in, line)) {
    if (line.compare(0, start.size(), start) != 0) continue;
    size_t at = line.find_first_not_of(" \t", start.size());
    return at == std::string::npos ? "" : line.substr(at);
  }
  return "";
}

Handler::Handler(int sig, void (*fn)(int), int flags) : sig_(sig) {
  struct sigaction sa {};
  sa.sa_handler = fn;
  sa.sa_flags = flags;
  EXPECT_EQ(0, sigaction(sig, &sa, &old_));
}

Handler::Handler(int sig, void (*fn)(int, siginfo_t*, void*), int flags) : sig_(sig) {
  struct sigaction sa {};
  sa.sa_sigaction = fn;
  sa.sa_flags = flags | SA_SIGINFO;
  EXPECT_EQ(0, sigaction(sig, &sa, &old_));
}

sigset_t set_of(std::initializer_list<int> sigs) {
  sigset_t set;
  sigemptyset(&set);
  for (int s : sigs) sigaddset(&set, s);
  return set;
}

Blocked::Blocked(std::initializer_list<int> sigs) {
  sigset_t set = set_of(sigs);
  sigprocmask(SIG_BLOCK, &set, &old_);
}

static int timed_wait(std::initializer_list<int> sigs, siginfo_t* info, time_t seconds) {
  sigset_t set = set_of(sigs);
  timespec t{seconds, 0};
  for (;;) {
    long sig = sys(SYS_rt_sigtimedwait, &set, info, &t, 8);  // the C library's turns SI_TKILL into SI_USER
    if (sig != -EINTR) return sig < 0 ? -1 : (int)sig;
  }
}

int await_signal(std::initializer_list<int> sigs, siginfo_t* info) { return timed_wait(sigs, info, 30); }
int poll_signal(std::initializer_list<int> sigs, siginfo_t* info) { return timed_wait(sigs, info, 0); }

int queue_signal(pid_t pid, int sig, int value) {
  union sigval v {};
  v.sival_int = value;
  return sigqueue(pid, sig, v) ? -errno : 0;
}

int clone_fn(int (*fn)(void*), void* arg, const Stack& stack, int flags, int* parent_tid, void* tls, int* child_tid) {
  int pid = clone(fn, stack.top(), flags, arg, parent_tid, tls, child_tid);
  return pid < 0 ? -errno : pid;
}

bool kernel_at_least(int major, int minor) {
  utsname name;
  uname(&name);
  int a = 0, b = 0;
  sscanf(name.release, "%d.%d", &a, &b);
  return a > major || (a == major && b >= minor);
}

bool has_capability(int cap) {
  unsigned long long effective = strtoull(status_field(getpid(), "CapEff").c_str(), nullptr, 16);
  return effective >> cap & 1;
}

bool has_namespace(int flag) {
  return in_child([&] { return sys(SYS_unshare, flag) == -EINVAL ? 1 : 0; }) == 0;
}

void become_user(uid_t uid, gid_t gid) {
  EXPECT_EQ(0, setgroups(0, nullptr));
  EXPECT_EQ(0, setresgid(gid, gid, gid));
  EXPECT_EQ(0, setresuid(uid, uid, uid));
}

}  // namespace guest
