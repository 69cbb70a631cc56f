// The explorer: runs each scenario under every schedule with at most so many deviations from "whoever runs goes on", then under random
// ones. Each schedule is a world of its own, so that the line printed for a finding repeats it exactly.
//   explore [--bound N] [--limit N] [--random N] [--seconds N] [--seed N] [--jobs N] [--first] [SCENARIO...]
//   explore --replay SCENARIO:POINT=CPU,POINT=CPU... [--trace]
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "arch/hosted/host/world.hh"

extern "C" const char* explore_scenario_name(unsigned i);
extern "C" const char* explore_scenario_about(unsigned i);
extern "C" unsigned explore_scenario_cpus(unsigned i);

namespace {

using Schedule = std::vector<HostedDeviation>;

struct Settings {
  unsigned bound = 2;
  unsigned long limit = 20000;   // systematic schedules of a scenario
  unsigned long random = 3000;   // and random ones
  double seconds = 0;            // of a scenario at most; 0: as long as it takes
  unsigned long seed = 1;
  unsigned jobs = 1;
  bool trace = false, first = false;
  std::vector<std::string> names;
  std::string replay;
} settings;

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::string text_of(const Schedule& s) {
  std::string t;
  for (const HostedDeviation& d : s) t += (t.empty() ? "" : ",") + std::to_string(d.point) + "=" + std::to_string(d.cpu);
  return t;
}

constexpr unsigned kMaxPoints = 20000;
HostedPoint points[kMaxPoints];

// One scenario in this process.
class Explorer {
 public:
  explicit Explorer(unsigned index) : index_(index), name_(explore_scenario_name(index)), began_(now()) {
    options_.cpus = explore_scenario_cpus(index);
    options_.memory_mb = 8;
    options_.command_line = "kunit.enable=1 sched_check kunit.filter=" + name_;
    options_.switch_mean = 100000;
    signal(SIGALRM, too_long);
  }

  // False: a finding, and this process is spent.
  bool all() {
    bool good = once({}, 0);
    for (unsigned bound = 1; good && bound <= settings.bound; bound++) good = systematic({}, bound);
    if (good) good = at_random();
    report();
    return good;
  }

  bool replay(const Schedule& s) {
    options_.echo = settings.trace;
    return once(s, 0);
  }

 private:
  static constexpr unsigned kTooLong = 20;  // seconds; a schedule takes less than a millisecond
  static inline const Explorer* running_;

  bool out_of_time() const { return settings.seconds > 0 && now() - began_ > settings.seconds; }

  bool once(const Schedule& s, unsigned long random) {
    hosted_pilot = {};
    hosted_pilot.wanted = true;
    hosted_pilot.script = s.data();
    hosted_pilot.script_length = static_cast<unsigned>(s.size());
    hosted_pilot.random = random;
    hosted_pilot.random_mean = 4 + random % 29;
    hosted_pilot.points = points;
    hosted_pilot.point_cap = kMaxPoints;
    runs_++;
    running_ = this;
    alarm(kTooLong);
    hosted_world::Outcome out = hosted_world::run(options_);
    alarm(0);
    if (hosted_pilot.point_count > longest_) longest_ = hosted_pilot.point_count;
    if (out.clean() && !hosted_pilot.diverged) return true;
    finding(out);
    return false;
  }

  // A loop that nobody leaves, without any point in it.
  static void too_long(int) {
    printf("FINDING in %s after %lu schedules: does not end\nreplay: explore --replay %s:%s\n", running_->name_.c_str(), running_->runs_,
           running_->name_.c_str(), text_of(running_->taken()).c_str());
    fflush(stdout);
    _exit(1);
  }

  Schedule taken() const {
    Schedule s;
    for (unsigned i = 0; i < hosted_pilot.point_count; i++)
      if (points[i].taken != points[i].usual) s.push_back({i, points[i].taken});
    return s;
  }

  void finding(const hosted_world::Outcome& out) {
    printf("FINDING in %s after %lu schedules: %s%s\n", name_.c_str(), runs_, hosted_world::end_name(out.result.how),
           hosted_pilot.diverged ? ", the schedule could not be followed" : "");
    printf("%s", out.console.size() > 4000 ? out.console.substr(out.console.size() - 4000).c_str() : out.console.c_str());
    printf("replay: explore --replay %s:%s\n", name_.c_str(), text_of(taken()).c_str());
  }

  // All schedules with exactly `left` deviations more than prefix; they are in the order of their points. Should there be too many:
  // the first deviations are tried in strides, so that what is left out is spread over the whole run.
  bool systematic(const Schedule& prefix, unsigned left) {
    if (!once(prefix, 0)) return false;
    const std::vector<HostedPoint> log(points, points + hosted_pilot.point_count);
    const unsigned from = prefix.empty() ? 0 : prefix.back().point + 1, stride = prefix.empty() ? 17 : 1;
    Schedule next = prefix;
    next.push_back({});
    for (unsigned first = 0; first < stride; first++)
      for (unsigned i = from + first; i < log.size(); i += stride)
        for (unsigned cpu = 0; cpu < 8; cpu++) {
          if (!(log[i].able >> cpu & 1) || cpu == log[i].usual) continue;
          if (runs_ >= settings.limit || out_of_time()) {
            complete_ = false;
            return true;
          }
          next.back() = {i, cpu};
          if (!(left > 1 ? systematic(next, left - 1) : once(next, 0))) return false;
        }
    return true;
  }

  bool at_random() {
    systematic_runs_ = runs_;
    for (unsigned long i = 0; i < settings.random && !out_of_time(); i++)
      if (!once({}, (settings.seed * 1000003 + i) * 0x9e3779b97f4a7c15ul | 1)) return false;
    return true;
  }

  void report() {
    const double took = now() - began_;
    if (!systematic_runs_) systematic_runs_ = runs_;
    printf("%-32s %6u points %8lu schedules%s %8lu random %7.1f s %9.0f a minute\n", name_.c_str(), longest_, systematic_runs_,
           complete_ ? " (all)" : "      ", runs_ - systematic_runs_, took, static_cast<double>(runs_) / took * 60);
    fflush(stdout);
  }

  unsigned index_;
  std::string name_;
  double began_;
  hosted_world::Options options_;
  unsigned long runs_ = 0, systematic_runs_ = 0;
  unsigned longest_ = 0;
  bool complete_ = true;
};

int find(const std::string& name) {
  for (unsigned i = 0; const char* n = explore_scenario_name(i); i++)
    if (name == n) return static_cast<int>(i);
  fprintf(stderr, "explore: no scenario %s\n", name.c_str());
  exit(2);
}

int replay(const std::string& text) {
  const size_t colon = text.find(':');
  Schedule s;
  for (const char* p = colon == std::string::npos ? "" : text.c_str() + colon + 1; *p;) {
    char* end;
    const unsigned point = static_cast<unsigned>(strtoul(p, &end, 10));
    if (*end != '=') break;
    s.push_back({point, static_cast<unsigned>(strtoul(end + 1, &end, 10))});
    p = *end == ',' ? end + 1 : end;
  }
  Explorer e(static_cast<unsigned>(find(text.substr(0, colon))));
  const bool good = e.replay(s);
  printf("%s\n", good ? "nothing found" : "found again");
  return !good;
}

int run_all() {
  std::vector<unsigned> todo;
  if (settings.names.empty())
    for (unsigned i = 0; explore_scenario_name(i); i++) todo.push_back(i);
  for (const std::string& n : settings.names) todo.push_back(static_cast<unsigned>(find(n)));
  unsigned running = 0, bad = 0;
  auto reap = [&] {
    int status = 0;
    wait(&status);
    running--;
    bad += status != 0;
  };
  for (unsigned i : todo) {
    if (running == settings.jobs) reap();
    if (bad && settings.first) break;
    fflush(stdout);
    if (fork() == 0) {
      const bool good = Explorer(i).all();
      fflush(stdout);
      _exit(!good);
    }
    running++;
  }
  while (running) reap();
  printf("%zu scenarios, %u with findings\n", todo.size(), bad);
  return bad != 0;
}

void read_arguments(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const std::string a = argv[i];
    auto value = [&] { return i + 1 < argc ? argv[++i] : "0"; };
    if (a == "--bound") settings.bound = static_cast<unsigned>(atoi(value()));
    else if (a == "--limit") settings.limit = strtoul(value(), nullptr, 0);
    else if (a == "--random") settings.random = strtoul(value(), nullptr, 0);
    else if (a == "--seconds") settings.seconds = atof(value());
    else if (a == "--seed") settings.seed = strtoul(value(), nullptr, 0);
    else if (a == "--jobs") settings.jobs = static_cast<unsigned>(atoi(value()));
    else if (a == "--replay") settings.replay = value();
    else if (a == "--trace") settings.trace = true;
    else if (a == "--first") settings.first = true;
    else settings.names.push_back(a);
  }
}

// The arena and the vmalloc area have fixed addresses.
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
  read_arguments(argc, argv);
  return settings.replay.empty() ? run_all() : replay(settings.replay);
}
