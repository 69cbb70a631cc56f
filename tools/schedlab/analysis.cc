// See analysis.hh.
// SPDX-License-Identifier: Apache-2.0
#include "tools/schedlab/analysis.hh"

#include <algorithm>
#include <cmath>

namespace schedlab {
namespace {

// The share that a nice value stands for: 10 % more or less CPU each step, 1.25 between neighbours.
double weight_of(const LabTask& t) { return t.policy == 5 ? 3.0 : 1024.0 * std::pow(1.25, -t.nice); }

unsigned bucket_of(unsigned long ns) {
  const double us = static_cast<double>(ns) / 1000.0;
  if (us <= 1) return 0;
  return std::min<unsigned>(kLatencyBuckets - 1, 1 + static_cast<unsigned>(2 * std::log2(us)));
}

}  // namespace

Analysis::Analysis(const Workload& w, unsigned cpus, double detail_from)
    : w_(w), cpus_(cpus), duration_(static_cast<unsigned long>(w.seconds * 1e9)),
      detail_from_(static_cast<unsigned long>(detail_from * 1e9)) {
  now_.resize(w.tasks.size());
  sums_.resize(w.tasks.size());
  for (TaskSums& s : sums_) {
    s.run_in.resize(kWindows);
    s.active_in.resize(kWindows);
  }
  cpu_.resize(cpus);
  for (CpuNow& c : cpu_) c.column.resize(w.tasks.size());
  overview_.assign(cpus, std::vector<int>(kOverview, -1));
  overview_busy_.assign(cpus, std::vector<int>(kOverview, 0));
  busy_.resize(cpus);
}

int Analysis::index_of(int pid) {
  if (!pid) return -1;
  if (auto it = pids_.find(pid); it != pids_.end()) return it->second;
  for (size_t k = 0; k < w_.tasks.size(); k++)
    if (w_.tasks[k].pid == pid) return pids_[pid] = static_cast<int>(k);
  return -1;  // the harness's own, or one that has not said its name yet
}

void Analysis::add_to_windows(std::vector<float>* series, unsigned long from, unsigned long to) {
  const double width = static_cast<double>(duration_) / kWindows;
  to = std::min(to, duration_);
  while (from < to) {
    const auto k = std::min<unsigned>(kWindows - 1, static_cast<unsigned>(static_cast<double>(from) / width));
    const auto end = std::max(from + 1, std::min(to, static_cast<unsigned long>(std::ceil((k + 1) * width))));
    (*series)[k] += static_cast<float>(static_cast<double>(end - from) / 1e6);
    from = end;
  }
}

void Analysis::enter(int task, State s, unsigned long now) {
  TaskNow& t = now_[static_cast<size_t>(task)];
  TaskSums& sum = sums_[static_cast<size_t>(task)];
  const unsigned long d = now - t.since;
  switch (t.state) {
    case State::Running:
      sum.run += d;
      add_to_windows(&sum.run_in, t.since, now);
      add_to_windows(&sum.active_in, t.since, now);
      break;
    case State::Runnable:
      sum.wait += d;
      add_to_windows(&sum.active_in, t.since, now);
      if (d >= 20000 && now >= detail_from_ && waits_.size() < kMaxStretches && !detail_to_) waits_.push_back({t.cpu, task, t.since, now});
      break;
    case State::Blocked: sum.block += d; break;
    default: break;
  }
  t.state = s;
  t.since = now;
}

void Analysis::close_column(unsigned cpu) {
  CpuNow& c = cpu_[cpu];
  const double width = static_cast<double>(duration_) / kOverview;
  unsigned long most = 0, all = 0;
  for (size_t k = 0; k < c.column.size(); k++) {
    all += c.column[k];
    if (c.column[k] > most) most = c.column[k], overview_[cpu][c.column_index] = static_cast<int>(k);
    c.column[k] = 0;
  }
  overview_busy_[cpu][c.column_index] = static_cast<int>(std::min(100.0, 100.0 * static_cast<double>(all) / width));
}

void Analysis::add_to_overview(unsigned cpu, int task, unsigned long from, unsigned long to) {
  const double width = static_cast<double>(duration_) / kOverview;
  CpuNow& c = cpu_[cpu];
  to = std::min(to, duration_);
  while (from < to) {
    const auto k = std::min<unsigned>(kOverview - 1, static_cast<unsigned>(static_cast<double>(from) / width));
    if (k != c.column_index) {
      close_column(cpu);
      c.column_index = k;
    }
    const auto end = std::max(from + 1, std::min(to, static_cast<unsigned long>(std::ceil((k + 1) * width))));
    c.column[static_cast<size_t>(task)] += end - from;
    from = end;
  }
}

void Analysis::end_stretch(unsigned cpu, unsigned long now) {
  CpuNow& c = cpu_[cpu];
  if (c.task >= 0 && now > c.since) {
    busy_[cpu] += now - c.since;
    add_to_overview(cpu, c.task, c.since, now);
    if (now >= detail_from_ && !detail_to_) {
      stretches_.push_back({cpu, c.task, c.since, now});
      if (stretches_.size() >= kMaxStretches) detail_to_ = now;
    }
  }
  c.task = -1;
  c.since = now;
}

void Analysis::event(const LabEvent& e) {
  events_++;
  if (e.kind == LabEventKind::Start) {
    start_ = e.time;
    started_ = true;
    return;
  }
  if (e.kind == LabEventKind::End) return finish();
  if (!started_ || ended_) return;
  const unsigned long now = e.time - start_;
  if (now >= duration_) return finish();  // who ends the run may have to wait for a CPU itself
  if (e.kind == LabEventKind::Switch) {
    end_stretch(e.cpu, now);
    if (int prev = index_of(e.pid); prev >= 0) {
      const bool runnable = e.state == 0 || e.state == 0x100;
      sums_[static_cast<size_t>(prev)].preempted += runnable;
      if (now_[static_cast<size_t>(prev)].state != State::Gone) enter(prev, runnable ? State::Runnable : State::Blocked, now);
    }
    const int next = index_of(e.next);
    if (next < 0) return;
    TaskNow& t = now_[static_cast<size_t>(next)];
    TaskSums& s = sums_[static_cast<size_t>(next)];
    s.switches++;
    if (t.woken) {
      const unsigned long latency = now - (t.woken - 1);
      s.latency[bucket_of(latency)]++;
      s.latency_sum += latency;
      s.latency_max = std::max(s.latency_max, latency);
      t.woken = 0;
    }
    enter(next, State::Running, now);
    t.cpu = e.cpu;
    cpu_[e.cpu].task = next;
    cpu_[e.cpu].since = now;
    return;
  }
  const int task = index_of(e.pid);
  if (task < 0) return;
  TaskNow& t = now_[static_cast<size_t>(task)];
  if (e.kind == LabEventKind::Born) {  // its first switch was before anybody knew whose it was
    enter(task, State::Running, now);
    t.cpu = e.cpu;
    cpu_[e.cpu].task = task;
    cpu_[e.cpu].since = now;
  } else if (e.kind == LabEventKind::Wakeup) {
    if (t.state != State::Blocked && t.state != State::Unborn) return;
    sums_[static_cast<size_t>(task)].wakeups++;
    t.woken = now + 1;
    enter(task, State::Runnable, now);
  } else if (e.kind == LabEventKind::Migrate) {
    sums_[static_cast<size_t>(task)].migrations++;
  }
}

void Analysis::finish() {
  if (ended_) return;
  ended_ = true;
  for (unsigned cpu = 0; cpu < cpus_; cpu++) {
    end_stretch(cpu, duration_);
    close_column(cpu);
  }
  for (size_t k = 0; k < now_.size(); k++) enter(static_cast<int>(k), State::Gone, duration_);
  if (!detail_to_) detail_to_ = duration_;
}

// What a task may expect of its group's share, and that of the group above it; a group that is held to a limit has none.
double Analysis::expected(size_t t) const {
  const LabTask& task = w_.tasks[t];
  double share = weight_of(task);
  if (task.group < 0) return share;
  double among = 0;
  for (const LabTask& other : w_.tasks)
    if (other.group == task.group) among += weight_of(other);
  share /= among;
  for (std::string path = w_.groups[static_cast<size_t>(task.group)].path; !path.empty(); path.resize(path.rfind('/'))) {
    const std::string above = path.substr(0, path.rfind('/'));
    double own = 100, siblings = 0;
    for (const LabGroup& g : w_.groups) {
      const std::string other = g.path;
      const double weight = g.weight ? static_cast<double>(g.weight) : 100;
      if (other == path && g.quota_us) return 0;
      if (other == path) own = weight;
      if (other.substr(0, other.rfind('/')) == above) siblings += weight;
    }
    share *= above.empty() ? own * 10.24 : own / siblings;
  }
  return share;
}

// Jain's index of what each fair task got for its weight while it wanted the CPU: 1 is fair, 1/n unfair.
std::vector<double> Analysis::fairness() const {
  std::vector<double> out(kWindows, 1.0);
  const double width = static_cast<double>(duration_) / 1e6 / kWindows;
  for (unsigned k = 0; k < kWindows; k++) {
    double sum = 0, squares = 0;
    int n = 0;
    for (size_t t = 0; t < sums_.size(); t++) {
      const LabTask& task = w_.tasks[t];
      if (task.policy == 1 || task.policy == 2 || task.policy == 6 || !expected(t) || sums_[t].active_in[k] < width / 2) continue;
      const double x = sums_[t].run_in[k] / sums_[t].active_in[k] / expected(t);
      sum += x;
      squares += x * x;
      n++;
    }
    if (n && squares > 0) out[k] = sum * sum / (n * squares);
  }
  return out;
}

nlohmann::json Analysis::result(LabScheduler scheduler, unsigned long seed) const {
  using nlohmann::json;
  auto us = [](unsigned long ns) { return (ns + 500) / 1000; };
  json out = {{"name", w_.name}, {"title", w_.title}, {"scheduler", scheduler_name(scheduler)}, {"cpus", cpus_}, {"seed", seed},
              {"seconds", w_.seconds}, {"events", events_}, {"problems", problems_}, {"windows", kWindows},
              {"detail", {us(detail_from_), us(detail_to_)}}, {"fairness", fairness()}};
  json tasks = json::array();
  for (size_t k = 0; k < sums_.size(); k++) {
    const TaskSums& s = sums_[k];
    const LabTask& t = w_.tasks[k];
    tasks.push_back({{"name", t.name}, {"pid", t.pid}, {"policy", t.policy}, {"nice", t.nice}, {"priority", t.priority},
                     {"weight", weight_of(t)}, {"group", t.group}, {"error", t.error}, {"run", us(s.run)}, {"wait", us(s.wait)},
                     {"block", us(s.block)}, {"switches", s.switches}, {"preempted", s.preempted}, {"migrations", s.migrations},
                     {"wakeups", s.wakeups}, {"latency", s.latency}, {"latencySum", us(s.latency_sum)},
                     {"latencyMax", us(s.latency_max)}, {"series", s.run_in}});
  }
  out["tasks"] = tasks;
  json groups = json::array();
  for (const LabGroup& g : w_.groups) groups.push_back({{"path", g.path}, {"weight", g.weight ? g.weight : 100}, {"quota", g.quota_us}, {"period", g.period_us}});
  out["groups"] = groups;
  json per_cpu = json::array();
  for (unsigned c = 0; c < cpus_; c++) per_cpu.push_back({{"busy", us(busy_[c])}, {"who", overview_[c]}, {"load", overview_busy_[c]}});
  out["perCpu"] = per_cpu;
  auto pack = [&](const std::vector<Stretch>& list) {  // cpu, task, from, length
    json flat = json::array();
    for (const Stretch& s : list) {
      flat.push_back(s.cpu);
      flat.push_back(s.task);
      flat.push_back(us(s.from));
      flat.push_back(us(s.to - s.from));
    }
    return flat;
  };
  out["stretches"] = pack(stretches_);
  out["waits"] = pack(waits_);
  return out;
}

}  // namespace schedlab
