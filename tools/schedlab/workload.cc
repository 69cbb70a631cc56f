// Reads a workload: JSON, the shape of rt-app's.
// SPDX-License-Identifier: Apache-2.0
#include "tools/schedlab/workload.hh"

#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace schedlab {
namespace {

using Json = nlohmann::ordered_json;  // a task's events happen in the order in which they are written

[[noreturn]] void wrong(const std::string& where, const std::string& what) { throw std::runtime_error(where + ": " + what); }

const std::map<std::string, unsigned> kPolicies = {{"SCHED_OTHER", 0}, {"SCHED_NORMAL", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},
                                                   {"SCHED_BATCH", 3}, {"SCHED_IDLE", 5},   {"SCHED_DEADLINE", 6}};
struct Verb {
  const char* name;
  LabOpKind kind;
};
// An event's key is one of these, and whatever makes it different from its neighbours: "run", "run2", "sleep_long".
constexpr Verb kVerbs[] = {{"runtime", LabOpKind::Run}, {"run", LabOpKind::Run}, {"sleep", LabOpKind::Sleep}, {"timer", LabOpKind::Timer},
                           {"unlock", LabOpKind::Unlock}, {"lock", LabOpKind::Lock}, {"suspend", LabOpKind::Suspend},
                           {"resume", LabOpKind::Resume}, {"yield", LabOpKind::Yield}, {"barrier", LabOpKind::Barrier}};
constexpr const char* kTaskKeys[] = {"instance", "loop", "policy", "priority", "nice", "dl-runtime", "dl-period", "dl-deadline",
                                     "cpus", "taskgroup", "phases", "delay"};

class Reader {
 public:
  Reader(const Json& root, Workload* w) : root_(root), w_(w) {}

  void read() {
    if (!root_.is_object() || !root_.contains("tasks")) wrong("workload", "no \"tasks\"");
    if (root_.contains("global")) {
      const Json& g = root_["global"];
      w_->seconds = g.value("duration", 10.0);
      default_policy_ = g.value("default_policy", std::string("SCHED_OTHER"));
    }
    w_->title = root_.value("title", std::string());
    if (root_.contains("taskgroups"))
      for (auto& [path, g] : root_["taskgroups"].items()) add_group(path, g);
    if (w_->seconds <= 0) wrong("global", "duration must be positive (seconds)");
    for (auto& [name, t] : root_["tasks"].items()) add_task(name, t);
    if (w_->tasks.empty()) wrong("tasks", "there are none");
    w_->nr_objects = static_cast<unsigned>(objects_.size());
    w_->barrier_sizes.resize(w_->nr_objects);
  }

 private:
  int group(const std::string& path) {
    for (size_t k = 0; k < w_->groups.size(); k++)
      if (path == w_->groups[k].path) return static_cast<int>(k);
    add_group(path, Json::object());
    return group(path);
  }
  void add_group(const std::string& path, const Json& g) {
    if (path.size() < 2 || path[0] != '/' || path.size() >= sizeof(LabGroup::path)) wrong("taskgroup " + path, "wanted: \"/name\"");
    if (size_t slash = path.rfind('/'); slash > 0) (void)group(path.substr(0, slash));
    LabGroup out{};
    strncpy(out.path, path.c_str(), sizeof(out.path) - 1);
    out.weight = g.value("weight", 0l);
    out.quota_us = g.value("quota", 0l);
    out.period_us = g.value("period", 100000l);
    w_->groups.push_back(out);
  }

  unsigned object(const std::string& name) {
    auto [it, fresh] = objects_.try_emplace(name, static_cast<unsigned>(objects_.size()));
    if (fresh) w_->barrier_sizes.push_back(0);
    return it->second;
  }

  // Times are microseconds; [low, high] draws one anew each time.
  void set_time(LabOp* op, const Json& v, const std::string& where) {
    if (v.is_number()) {
      op->low = op->high = v.get<long>() * 1000;
    } else if (v.is_array() && v.size() == 2 && v[0].is_number() && v[1].is_number()) {
      op->low = v[0].get<long>() * 1000;
      op->high = v[1].get<long>() * 1000;
    } else if (v.is_object() && v.contains("period")) {
      set_time(op, v["period"], where);
    } else {
      wrong(where, "wanted: microseconds, or [least, most]");
    }
    if (op->low < 0 || op->high < op->low) wrong(where, "not a time");
  }
  std::string object_name(const Json& v, LabOpKind kind, const std::string& where) {
    if (!v.is_string()) wrong(where, "wanted: a name");
    const bool of_task = kind == LabOpKind::Suspend || kind == LabOpKind::Resume;
    return (of_task ? "task " : kind == LabOpKind::Barrier ? "barrier " : "lock ") + v.get<std::string>();
  }

  bool add_op(const std::string& key, const Json& v, const std::string& where, int instance) {
    for (const Verb& verb : kVerbs) {
      if (key.rfind(verb.name, 0) != 0) continue;
      LabOp op{verb.kind, 0, 0, 0};
      switch (verb.kind) {
        case LabOpKind::Run:
        case LabOpKind::Sleep:
        case LabOpKind::Timer: set_time(&op, v, where + "." + key); break;
        case LabOpKind::Yield: break;
        default: {
          // "task@" is the task of the same instance number.
          std::string name = object_name(v, verb.kind, where + "." + key);
          if (!name.empty() && name.back() == '@') name = name.substr(0, name.size() - 1) + "-" + std::to_string(instance);
          op.object = object(name);
          if (verb.kind == LabOpKind::Barrier && counted_.emplace(std::to_string(w_->tasks.size()) + " " + name, op.object).second)
            w_->barrier_sizes[op.object]++;
        }
      }
      w_->ops.push_back(op);
      return true;
    }
    return false;
  }

  void add_phase(const Json& p, const std::string& where, int instance) {
    LabPhase phase{static_cast<unsigned>(w_->ops.size()), 0, p.value("loop", 1l)};
    for (auto& [key, v] : p.items()) {
      if (is_task_key(key)) continue;
      if (!add_op(key, v, where, instance)) wrong(where + "." + key, "no such event");
    }
    phase.ops = static_cast<unsigned>(w_->ops.size()) - phase.first_op;
    w_->phases.push_back(phase);
  }
  static bool is_task_key(const std::string& key) {
    for (const char* k : kTaskKeys)
      if (key == k) return true;
    return false;
  }

  void add_task(const std::string& name, const Json& t) {
    const int instances = t.value("instance", 1);
    for (int k = 0; k < instances; k++) add_instance(name, t, instances > 1 ? k : -1);
  }
  void add_instance(const std::string& name, const Json& t, int k) {
    const std::string where = "tasks." + name;
    LabTask out{};
    const std::string full = k < 0 ? name : name + "-" + std::to_string(k);
    strncpy(out.name, full.c_str(), sizeof(out.name) - 1);
    const std::string policy = t.value("policy", default_policy_);
    if (!kPolicies.count(policy)) wrong(where, "no such policy: " + policy);
    out.policy = kPolicies.at(policy);
    const long priority = t.value("priority", 0l);
    const bool rt = out.policy == 1 || out.policy == 2;
    out.priority = rt ? static_cast<unsigned>(priority ? priority : 10) : 0;
    out.nice = static_cast<int>(t.value("nice", rt ? 0l : priority));  // rt-app's "priority" of such a task is its nice value
    out.dl_runtime = t.value("dl-runtime", 0ul) * 1000;
    out.dl_period = t.value("dl-period", 0ul) * 1000;
    out.dl_deadline = t.value("dl-deadline", t.value("dl-period", 0ul)) * 1000;
    for (const Json& cpu : t.value("cpus", Json::array())) out.affinity |= 1ul << cpu.get<unsigned>();
    out.group = t.contains("taskgroup") ? group(t["taskgroup"]) : -1;
    out.loops = t.value("loop", -1l);
    out.delay = t.value("delay", 0ul) * 1000;
    out.first_phase = static_cast<unsigned>(w_->phases.size());
    // A task's own suspend is about itself: the events below name it.
    if (t.contains("phases"))
      for (auto& [phase, p] : t["phases"].items()) add_phase(p, where + "." + phase, k);
    else
      add_phase_of_task(t, where, k);
    out.phases = static_cast<unsigned>(w_->phases.size()) - out.first_phase;
    check_takes_time(out, where);
    w_->tasks.push_back(out);
  }
  void add_phase_of_task(const Json& t, const std::string& where, int k) {
    Json once = t;
    once.erase("loop");  // the task's own
    add_phase(once, where, k);
  }
  // A task that neither runs nor sleeps would loop for ever in no time.
  void check_takes_time(const LabTask& t, const std::string& where) {
    for (unsigned p = t.first_phase; p < t.first_phase + t.phases; p++)
      for (unsigned o = 0; o < w_->phases[p].ops; o++) {
        const LabOp& op = w_->ops[w_->phases[p].first_op + o];
        if (op.low > 0 || op.kind == LabOpKind::Suspend || op.kind == LabOpKind::Barrier) return;
      }
    wrong(where, "neither runs nor waits");
  }

  const Json& root_;
  Workload* w_;
  std::string default_policy_ = "SCHED_OTHER";
  std::map<std::string, unsigned> objects_;
  std::map<std::string, unsigned> counted_;
};

}  // namespace

LabWorkload Workload::view(unsigned long seed, LabScheduler scheduler) {
  return {tasks.data(), static_cast<unsigned>(tasks.size()), phases.data(), ops.data(), groups.data(),
          static_cast<unsigned>(groups.size()), nr_objects, 0, barrier_sizes.data(),
          static_cast<unsigned long>(seconds * 1e9), seed, scheduler, 0};
}

Workload read_workload(const std::string& path) {
  std::ifstream in(path);
  if (!in) wrong(path, "cannot be read");
  Workload w;
  w.name = path.substr(path.rfind('/') + 1);
  try {
    const Json root = Json::parse(in, nullptr, true, true);
    Reader(root, &w).read();
  } catch (const Json::exception& e) {
    wrong(path, e.what());
  } catch (const std::runtime_error& e) {
    wrong(path, e.what());
  }
  return w;
}

LabScheduler scheduler_named(const std::string& name) {
  if (name == "cfs") return LabScheduler::Cfs;
  if (name == "o1") return LabScheduler::O1;
  if (name == "mlfq") return LabScheduler::Mlfq;
  if (name == "mlfq-basic") return LabScheduler::MlfqBasic;
  wrong("--scheduler " + name, "cfs, o1, mlfq or mlfq-basic");
}
const char* scheduler_name(LabScheduler s) {
  constexpr const char* kNames[] = {"CFS", "O(1)", "MLFQ", "MLFQ (basic)"};
  return kNames[static_cast<int>(s)];
}

}  // namespace schedlab
