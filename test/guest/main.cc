// main() of the guest suite: GoogleTest on a running system; started as /init, it is pid 1 of a machine and runs each case in a
// process of its own, prints the verdicts on the console and switches the machine off.
// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "test/guest/guest.hh"

namespace {

constexpr int kSkipped = 77;
constexpr int kCaseSeconds = 70;

/// After each case: no children may be left, and the signal state is as before.
class Tidy final : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override {
    sigprocmask(SIG_SETMASK, nullptr, &mask_);
    owner_ = getpid();
  }
  void OnTestEnd(const testing::TestInfo&) override {
    if (getpid() != owner_) return;
    int left = 0;
    for (;;) {
      pid_t pid = waitpid(-1, nullptr, __WALL | WNOHANG);
      if (pid < 0) break;
      left++;
      if (pid > 0) continue;
      // A living one: find it by its parent.
      siginfo_t info;
      for (int p : children()) kill(p, SIGKILL);
      waitid(P_ALL, 0, &info, WEXITED | __WALL);
    }
    EXPECT_EQ(0, left) << "the case left children";
    sigset_t now;
    sigprocmask(SIG_SETMASK, nullptr, &now);
    EXPECT_EQ(0, memcmp(&now, &mask_, 8)) << "the case left another signal mask";
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
  }
  static std::vector<int> children() {
    std::vector<int> out;
    std::string text = guest::read_file("/proc/self/task/" + std::to_string(getpid()) + "/children");
    for (const char* p = text.c_str(); *p;) {
      char* end;
      long pid = strtol(p, &end, 10);
      if (end == p) break;
      out.push_back((int)pid);
      p = end;
    }
    return out;
  }
  sigset_t mask_;
  pid_t owner_ = 0;
};

/// Remembers why a case was skipped.
class Skips final : public testing::EmptyTestEventListener {
 public:
  std::string reason;

 private:
  void OnTestPartResult(const testing::TestPartResult& r) override {
    if (r.skipped()) reason = r.message();
  }
};

void say(const std::string& line) {
  std::string text = line + "\n";
  (void)!write(1, text.data(), text.size());
}

std::string word_of_cmdline(const std::string& key) {
  std::string text = " " + guest::read_file("/proc/cmdline");
  size_t at = text.find(" " + key + "=");
  if (at == std::string::npos) return "";
  at += key.size() + 2;
  return text.substr(at, text.find_first_of(" \n", at) - at);
}

void make_system() {
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  if (mount("dev", "/dev", "devtmpfs", 0, nullptr)) {
    mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
    mknod("/dev/zero", S_IFCHR | 0666, makedev(1, 5));
    mknod("/dev/tty", S_IFCHR | 0666, makedev(5, 0));
  }
  mkdir("/dev/pts", 0755);
  mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666");
  mount("tmpfs", "/tmp", "tmpfs", 0, nullptr);
  mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr);
  sethostname("cleanfork", 9);
  setenv("PATH", "/bin", 1);
  int fd = open("/dev/console", O_RDWR);
  if (fd > 2) close(fd);
}

/// Kills and reaps whatever a case left behind, orphans too.
void sweep() {
  kill(-1, SIGKILL);
  while (waitpid(-1, nullptr, __WALL) > 0) {
  }
}

struct Verdict {
  int status = 0;
  std::string output;
};

Verdict run_case(const std::string& name) {
  constexpr const char* kOut = "/tmp/.out";
  int out = open(kOut, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    for (int fd = 3; fd < 10; fd++) close(fd);
    std::string filter = "--gtest_filter=" + name;
    const char* argv[] = {"guest", filter.c_str(), "--gtest_brief=1", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
    _exit(126);
  }
  Verdict v;
  timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    pid_t got = waitpid(-1, &v.status, WNOHANG | __WALL);
    if (got == pid) break;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - start.tv_sec > kCaseSeconds) {
      for (int tid = pid, i = 0; i < 40; i++, tid++)
        if (guest::exists("/proc/" + std::to_string(tid)))
          say("  left: " + std::to_string(tid) + " ppid " + guest::stat_field(tid, 4) + " state " + guest::stat_field(tid, 3) +
              " syscall " + guest::read_file("/proc/" + std::to_string(tid) + "/syscall"));
      v.output = "the case did not end\n";
      v.status = 0x7f00;
      break;
    }
    timespec t{0, 1'000'000};
    if (got <= 0) nanosleep(&t, nullptr);
  }
  sweep();
  v.output += guest::read_file(kOut);
  close(out);
  return v;
}

std::string first_line_with(const std::string& text, const std::string& start) {
  size_t at = text.find(start);
  return at == std::string::npos ? "" : text.substr(at + start.size(), text.find('\n', at) - at - start.size());
}

int run_as_init() {
  make_system();
  std::string filter = word_of_cmdline("GUEST_FILTER");
  if (filter.empty()) filter = "*";
  setenv("GUEST_CASE", "1", 1);
  say("guest suite on Linux " + guest::read_file("/proc/sys/kernel/osrelease"));
  int counts[3] = {};
  auto* unit = testing::UnitTest::GetInstance();
  for (int s = 0; s < unit->total_test_suite_count(); s++) {
    const testing::TestSuite* suite = unit->GetTestSuite(s);
    for (int c = 0; c < suite->total_test_count(); c++) {
      std::string name = std::string(suite->name()) + "." + suite->GetTestInfo(c)->name();
      if (fnmatch(filter.c_str(), name.c_str(), 0) != 0) continue;
      Verdict v = run_case(name);
      if (WIFEXITED(v.status) && WEXITSTATUS(v.status) == kSkipped) {
        counts[2]++;
        say("[skip] " + name + ": " + first_line_with(v.output, "SKIPPED: "));
      } else if (v.status == 0) {
        counts[0]++;
        say("[ ok ] " + name);
      } else {
        counts[1]++;
        say(v.output + "[FAIL] " + name + " (status " + std::to_string(guest::exit_code_of(v.status)) + ")");
      }
    }
  }
  say("GUEST-END " + std::to_string(counts[0]) + " passed, " + std::to_string(counts[1]) + " failed, " +
      std::to_string(counts[2]) + " skipped");
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}

}  // namespace

// What cases exec: this program with an argument. Each says in its exit status what it found.
int helper(const char* what) {
  if (strcmp(what, "--read-stdin") == 0) {
    unsigned char c = 0;
    return read(0, &c, 1) == 1 ? c : 0;
  }
  if (strcmp(what, "--signal-state") == 0) {  // SIGUSR1 was caught, SIGUSR2 ignored, HUP and TERM blocked, TERM pending
    struct sigaction usr1, usr2;
    sigset_t mask, pending;
    sigaction(SIGUSR1, nullptr, &usr1);
    sigaction(SIGUSR2, nullptr, &usr2);
    sigprocmask(SIG_SETMASK, nullptr, &mask);
    sigpending(&pending);
    return (usr1.sa_handler == SIG_DFL ? 0 : 1) | (usr2.sa_handler == SIG_IGN ? 0 : 2) | (sigismember(&mask, SIGHUP) ? 0 : 4) |
           (sigismember(&mask, SIGTERM) ? 0 : 8) | (sigismember(&pending, SIGTERM) ? 0 : 16);
  }
  if (strcmp(what, "--timer-state") == 0) {  // ITIMER_REAL was set, and a POSIX timer made
    itimerval real;
    itimerspec posix;
    getitimer(ITIMER_REAL, &real);
    return (real.it_value.tv_sec > 0 ? 0 : 1) | (guest::sys(SYS_timer_gettime, 0, &posix) == -EINVAL ? 0 : 2);
  }
  return 125;
}

int main(int argc, char** argv) {
  if (argc == 2 && strncmp(argv[1], "--gtest", 7) != 0) return helper(argv[1]);
  bool init = strcmp(argv[0], "/init") == 0;
  testing::InitGoogleTest(&argc, argv);
  if (init) return run_as_init();
  auto* skips = new Skips;
  testing::UnitTest::GetInstance()->listeners().Append(new Tidy);
  testing::UnitTest::GetInstance()->listeners().Append(skips);
  if (RUN_ALL_TESTS() != 0) return 1;
  auto* unit = testing::UnitTest::GetInstance();
  bool alone = unit->test_to_run_count() == 1 && unit->skipped_test_count() == 1;
  if (alone) printf("SKIPPED: %s\n", skips->reason.c_str());
  return alone && getenv("GUEST_CASE") ? kSkipped : 0;
}
