// What a run was: fed with the kernel's events one by one, it keeps sums, a bounded number of stretches, and series over time.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/schedlab/workload.hh"

namespace schedlab {

inline constexpr unsigned kWindows = 120;      // of the series
inline constexpr unsigned kOverview = 1500;    // columns of the whole run's picture
inline constexpr size_t kMaxStretches = 60000;  // drawn one by one: from detail_from on, as far as they reach
inline constexpr unsigned kLatencyBuckets = 48;  // two for each doubling, from 1 us

struct Stretch {
  unsigned cpu;
  int task;
  unsigned long from, to;  // ns since the start
};

struct TaskSums {
  unsigned long run = 0, wait = 0, block = 0;  // ns
  unsigned long switches = 0, preempted = 0, migrations = 0, wakeups = 0, latency_sum = 0, latency_max = 0;
  unsigned latency[kLatencyBuckets] = {};
  std::vector<float> run_in, active_in;  // ms, by window
};

class Analysis {
 public:
  Analysis(const Workload& w, unsigned cpus, double detail_from);
  void event(const LabEvent& e);
  nlohmann::json result(LabScheduler scheduler, unsigned long seed) const;
  unsigned long events() const { return events_; }
  const std::vector<std::string>& problems() const { return problems_; }
  void problem(const std::string& text) { problems_.push_back(text); }
  void finish();

 private:
  enum class State { Unborn, Running, Runnable, Blocked, Gone };
  struct TaskNow {
    State state = State::Unborn;
    unsigned long since = 0, woken = 0;
    unsigned cpu = 0;
  };
  struct CpuNow {
    int task = -1;  // index; -1: idle or something else
    unsigned long since = 0;
    std::vector<unsigned long> column;  // ns by task, in the overview column at hand (last: others)
    unsigned column_index = 0;
  };
  int index_of(int pid);
  void enter(int task, State s, unsigned long now);
  void add_to_windows(std::vector<float>* series, unsigned long from, unsigned long to);
  void end_stretch(unsigned cpu, unsigned long now);
  void add_to_overview(unsigned cpu, int task, unsigned long from, unsigned long to);
  void close_column(unsigned cpu);
  double expected(size_t task) const;
  std::vector<double> fairness() const;

  const Workload& w_;
  unsigned cpus_;
  unsigned long start_ = 0, duration_, events_ = 0, detail_from_, detail_to_ = 0;
  bool started_ = false, ended_ = false;
  std::unordered_map<int, int> pids_;
  std::vector<TaskNow> now_;
  std::vector<TaskSums> sums_;
  std::vector<CpuNow> cpu_;
  std::vector<Stretch> stretches_, waits_;
  std::vector<std::vector<int>> overview_;      // by CPU: the task that ran most, -1 nobody
  std::vector<std::vector<int>> overview_busy_;  // per cent
  std::vector<unsigned long> busy_;
  std::vector<std::string> problems_;
};

}  // namespace schedlab
