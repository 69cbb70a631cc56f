// schedlab: runs a workload on the real kernel in the deterministic hosted machine, and writes a page about what became of it.
// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "arch/hosted/host/world.hh"
#include "tools/schedlab/analysis.hh"
#include "tools/schedlab/page.hh"

extern "C" void lab_renew_schedulers();

namespace {

using namespace schedlab;

Analysis* listening;
std::ofstream trace_text;

constexpr char kUsage[] =
    "usage: schedlab WORKLOAD.json [--cpus N] [--seconds S] [--scheduler cfs|o1|mlfq|mlfq-basic] [--seed N]\n"
    "                [--compare OTHER.json] [--compare-scheduler S] [--detail-from S] [--html out.html] [--json out.json]\n"
    "                [--trace out.txt]: the first run as Linux's trace text, which tools/trace2json.py turns into Perfetto's\n"
    "--compare and --compare-scheduler make a second run, shown beside the first.\n";

struct Arguments {
  std::string first, second, html = "schedlab.html", json, trace;
  LabScheduler scheduler = LabScheduler::Cfs, second_scheduler = LabScheduler::Cfs;
  bool compares = false, second_scheduler_given = false;
  unsigned cpus = 4;
  double seconds = 0, detail_from = 0;
  unsigned long seed = 1;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int k = 1; k < argc; k++) {
    const std::string s = argv[k];
    auto value = [&]() -> std::string {
      if (k + 1 >= argc) throw std::runtime_error(s + " wants a value");
      return argv[++k];
    };
    if (s == "--cpus") a.cpus = static_cast<unsigned>(std::stoul(value()));
    else if (s == "--seconds") a.seconds = std::stod(value());
    else if (s == "--detail-from") a.detail_from = std::stod(value());
    else if (s == "--seed") a.seed = std::stoul(value());
    else if (s == "--html") a.html = value();
    else if (s == "--json") a.json = value();
    else if (s == "--trace") a.trace = value();
    else if (s == "--scheduler") a.scheduler = scheduler_named(value());
    else if (s == "--compare-scheduler") a.second_scheduler = scheduler_named(value()), a.compares = a.second_scheduler_given = true;
    else if (s == "--compare") a.compares = true, (a.first.empty() ? a.first : a.second) = value();
    else if (s.rfind("--", 0) == 0) throw std::runtime_error("no such option: " + s);
    else if (a.first.empty()) a.first = s;
    else if (a.second.empty()) a.second = s;
    else throw std::runtime_error("one workload, or two with --compare");
  }
  if (a.first.empty()) throw std::runtime_error("no workload is given");
  if (a.cpus < 1 || a.cpus > 64) throw std::runtime_error("--cpus: 1 to 64");
  if (!a.second.empty()) a.compares = true;
  if (a.compares && a.second.empty()) a.second = a.first;
  if (!a.second_scheduler_given) a.second_scheduler = a.scheduler;
  return a;
}

// bazel run starts us in the runfiles; paths are the user's.
std::string user_path(const std::string& path) {
  const char* base = getenv("BUILD_WORKING_DIRECTORY");
  return path[0] == '/' || !base ? path : std::string(base) + "/" + path;
}

nlohmann::json run(const std::string& path, const Arguments& a, LabScheduler scheduler) {
  Workload w = read_workload(user_path(path));
  if (a.seconds > 0) w.seconds = a.seconds;
  LabWorkload view = w.view(a.seed, scheduler);
  view.wants_text = trace_text.is_open();
  Analysis analysis(w, a.cpus, a.detail_from);
  lab_workload = &view;
  lab_renew_schedulers();
  listening = &analysis;
  hosted_world::Options options;
  options.cpus = a.cpus;
  options.seed = a.seed;
  options.memory_mb = static_cast<unsigned>(64 + w.tasks.size() / 4);
  options.command_line = "kunit.enable=1 trace_buf_size=8192";
  const auto began = std::chrono::steady_clock::now();
  const hosted_world::Outcome outcome = hosted_world::run(options);
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  listening = nullptr;
  analysis.finish();
  for (const LabTask& t : w.tasks)
    if (t.error) analysis.problem(std::string(t.name) + ": its parameters were refused, errno " + std::to_string(-t.error));
  if (!outcome.clean()) {
    fputs(outcome.console.c_str(), stderr);
    throw std::runtime_error(std::string("the world ended with ") + hosted_world::end_name(outcome.result.how));
  }
  fprintf(stderr, "%s, %s, %u CPUs: %.1f s simulated in %.2f s, %lu events\n", w.name.c_str(), scheduler_name(scheduler), a.cpus,
          w.seconds, took, analysis.events());
  for (const std::string& p : analysis.problems()) fprintf(stderr, "  note: %s\n", p.c_str());
  nlohmann::json result = analysis.result(scheduler, a.seed);
  return result;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream out(user_path(path));
  out << text;
  if (!out.flush()) throw std::runtime_error(path + " cannot be written");
}

}  // namespace

extern "C" void lab_event(const LabEvent* e) {
  if (listening) listening->event(*e);
}
extern "C" void lab_problem(const char* text) {
  if (listening) listening->problem(text);
}

extern "C" void lab_text(const char* text, unsigned long size) { trace_text.write(text, static_cast<std::streamsize>(size)); }

int main(int argc, char** argv) {
  try {
    const Arguments a = parse(argc, argv);
    nlohmann::json runs = nlohmann::json::array();
    if (!a.trace.empty()) trace_text.open(user_path(a.trace));
    runs.push_back(run(a.first, a, a.scheduler));
    trace_text.close();
    if (a.compares) runs.push_back(run(a.second, a, a.second_scheduler));
    write(a.html, page_for(runs.dump()));
    if (!a.json.empty()) write(a.json, runs.dump(1));
    fprintf(stderr, "wrote %s\n", a.html.c_str());
    return 0;
  } catch (const std::exception& e) {
    fprintf(stderr, "schedlab: %s\n%s", e.what(), kUsage);
    return 2;
  }
}
