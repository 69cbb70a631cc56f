// Runs KUnit cases as GoogleTest cases: each boots a world of its own, runs the one case in it, powers off, and fails if
// anything failed or leaked. A failure prints the line that repeats it.
//   CF_SEED=n       seed of the first world (a suite with many seeds runs only this one)
//   CF_SEEDS=n      so many seeds of each case that asks for more than one, from CF_SEED on
//   CF_CONSOLE=1    console output as it comes
//   CF_TRACE=file   the trace of the last world, as text
//   CF_SCHED_CHECK=0  without the scheduler's checks of itself at every switch, tick and wake-up (kernel/sched/INVARIANTS.md)
//   CF_CPUS=n       so many CPUs for suites that do not ask
//   CF_PREEMPT=mode none, voluntary or full (the default here) for suites that do not ask
//   CF_ENGINE=parallel  a host thread per CPU, in the host's time, instead of seeds and virtual time
//   CF_CMDLINE=text more for the kernel's command line
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fcntl.h>
#include <regex.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "arch/hosted/host/world.hh"
#include "test/support/kunit_cases.hh"

// ThreadSanitizer calls this for each report, on whatever fiber, with its own locks held; the case that ran is told
// afterwards.
static int race_reports_so_far;
extern "C" __attribute__((no_sanitize("thread"))) void __tsan_on_report(void*) { race_reports_so_far++; }
__attribute__((no_sanitize("thread"))) static int race_reports() { return race_reports_so_far; }

// User programs are functions of this process and share its variables, as programs of one machine share nothing. What they do to each
// other by them is no race of the kernel, which runs on other stacks than they do.
extern "C" __attribute__((no_sanitize("thread"))) const char* __tsan_default_suppressions() {
  return "race:run_program\nrace:run_handler\n";
}

namespace {

using hosted_world::Options;
using hosted_world::Outcome;

std::string own_path;

std::string full_name(const KunitCaseInfo& info) { return std::string(info.suite) + "." + info.name; }

Options options_for(const KunitCaseInfo& info) {
  Options o;
  const char* cpus = getenv("CF_CPUS");
  o.cpus = info.cpus ? info.cpus : cpus ? static_cast<unsigned>(atoi(cpus)) : 2;
  if (info.memory_mb) o.memory_mb = info.memory_mb;
  o.parallel |= info.parallel;
  // Preempted anywhere: the most interleavings. CF_PREEMPT=none|voluntary|full for another mode.
  const char* preempt = getenv("CF_PREEMPT");
  o.command_line = "kunit.enable=1 kunit.filter=" + full_name(info) + " preempt=" + (preempt ? preempt : "full") + (info.cmdline ? std::string(" ") + info.cmdline : "");
  if (const char* more = getenv("CF_CMDLINE")) o.command_line += std::string(" ") + more;
  const char* checks = getenv("CF_SCHED_CHECK");
#ifdef __SANITIZE_THREAD__
  const bool unless_told = false;  // they look at other CPUs, which stand still; ThreadSanitizer cannot know that
#else
  const bool unless_told = true;
#endif
  if (checks ? checks[0] != '0' : unless_told) o.command_line += o.parallel ? " sched_check=loose" : " sched_check";
  return o;
}

std::string replay_line(const KunitCaseInfo& info, uint64_t seed) {
  return "replay: CF_SEED=" + std::to_string(seed) + " CF_CPUS=" + std::to_string(options_for(info).cpus) + " " + own_path +
         " --gtest_filter=" + full_name(info);
}

std::string last_lines(const std::string& text, size_t max = 6000) {
  return text.size() <= max ? text : "[...]\n" + text.substr(text.size() - max);
}

bool was_skipped(const Outcome& out) {
  return out.console.find(" # SKIP ") != std::string::npos && out.console.find("pass:0 fail:0 skip:1") != std::string::npos;
}

// After a world that did not power off, this process is of no more use to other cases: they get one each.
bool run_elsewhere(const KunitCaseInfo& info) {
  std::string command = own_path + " --gtest_filter=" + full_name(info) + " --gtest_brief=1";
  fflush(nullptr);
  return system(command.c_str()) == 0;
}

bool matches(const std::string& text, const char* pattern) {
  regex_t re;
  if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB)) return false;
  bool found = regexec(&re, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&re);
  return found;
}

void write_trace(const Outcome& out) {
  const char* path = getenv("CF_TRACE");
  FILE* f = path ? fopen(path, "w") : nullptr;
  if (!f) return;
  for (const HostedEvent& e : out.trace) fprintf(f, "%s\n", hosted_world::describe(e).c_str());
  fclose(f);
}

class KunitCase : public testing::Test {
 public:
  explicit KunitCase(const KunitCaseInfo& info) : info_(info) {}

  void TestBody() override {
    if (options_for(info_).parallel && (info_.deterministic || info_.replay))
      GTEST_SKIP() << "needs the deterministic engine: " << (info_.replay ? "compares two runs" : info_.deterministic);
    bool deadly = info_.dies_plain || info_.dies_asan || info_.dies_tsan;
    if (hosted_world::usable() && deadly) return expect_death();
    if (!hosted_world::usable()) {
      if (!run_elsewhere(info_)) ADD_FAILURE() << full_name(info_) << " failed in a process of its own";
      return;
    }
    const bool parallel = options_for(info_).parallel;
    uint64_t first = hosted_world::seed_from_environment(1);
    uint64_t n = getenv("CF_SEED") || !info_.seeds || parallel ? 1 : info_.seeds;
    if (const char* more = getenv("CF_SEEDS"); more && info_.seeds) n = strtoull(more, nullptr, 0);
    for (uint64_t seed = first; seed < first + n && !HasFailure() && !IsSkipped(); seed++) run_seed(seed);
  }

 private:
  void run_seed(uint64_t seed) {
    Options o = options_for(info_);
    o.seed = seed;
    auto trace = info_.replay || getenv("CF_TRACE") ? hosted_world::Trace::Events : hosted_world::Trace::HashOnly;
    int races = race_reports();
    Outcome out = hosted_world::run(o, trace);
    if (race_reports() != races) ADD_FAILURE() << "data race (see above)\n" << replay_line(info_, seed);
    write_trace(out);
    RecordProperty("virtual_ns", std::to_string(out.result.virtual_ns));
    if (!out.clean()) {
      ADD_FAILURE() << hosted_world::end_name(out.result.how) << ", status " << out.result.status << "\n"
                    << last_lines(out.console) << replay_line(info_, seed);
      return;
    }
    if (was_skipped(out)) GTEST_SKIP() << last_lines(out.console, 300);
    if (!info_.replay) return;
    std::string difference = hosted_world::first_difference(out, hosted_world::run(o, trace));
    if (!difference.empty()) ADD_FAILURE() << difference << replay_line(info_, seed);
  }

  const char* last_words() const {
#if defined(__SANITIZE_ADDRESS__)
    return info_.dies_asan;
#elif defined(__SANITIZE_THREAD__)
    return info_.dies_tsan;
#else
    return info_.dies_plain;
#endif
  }

  // Runs the case in a child process, which must not survive it.
  void expect_death() {
    if (!last_words()) GTEST_SKIP() << "not in this build";
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    fflush(nullptr);
    pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      dup2(pipe_fds[1], 2);
      close(pipe_fds[0]);
      close(pipe_fds[1]);
      Outcome out = hosted_world::run(options_for(info_));
      host_echo(out.console.data(), out.console.size());
      _exit(out.clean() && !race_reports() ? 0 : 66);
    }
    close(pipe_fds[1]);
    std::string said;
    char buffer[4096];
    for (ssize_t n; (n = read(pipe_fds[0], buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<size_t>(n));
    close(pipe_fds[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it lived";
    EXPECT_TRUE(matches(said, last_words())) << "last words: " << last_lines(said);
  }

  KunitCaseInfo info_;
};

// Sanitizer runtimes and fixed addresses want the host's addresses where they expect them.
void without_address_randomisation(char** argv) {
  int persona = personality(0xffffffff);
  if (persona < 0 || (persona & ADDR_NO_RANDOMIZE) || getenv("CF_NO_REEXEC")) return;
  if (personality(static_cast<unsigned long>(persona) | ADDR_NO_RANDOMIZE) < 0) return;
  setenv("CF_NO_REEXEC", "1", 1);
  execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  without_address_randomisation(argv);
  own_path = argv[0];
  for (size_t i = 0; i < kunit_case_count(); i++) {
    KunitCaseInfo info = kunit_case_info(i);
    testing::RegisterTest(info.suite, info.name, nullptr, nullptr, __FILE__, __LINE__,
                          [info]() -> testing::Test* { return new KunitCase(info); });
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
