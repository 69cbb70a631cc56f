// The fuzzer's world without libFuzzer: makes up inputs by itself, says how many clone calls a second it gets through, or
// repeats inputs from files.
//   copy_process_stress --calls=N --seed=S    until so many clone calls were made; a finding is written to finding-<seed>.bin
//   --coverage                                says what was tried and how often it succeeded
//   copy_process_stress FILE...               each, then twice more: those two runs must be the same, event for event
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "test/fuzz/fuzz_world.hh"
#include "test/fuzz/host/driver.hh"

namespace {

using fuzz_driver::Verdict;
using Input = std::vector<uint8_t>;

uint64_t next_random(uint64_t* state) {  // splitmix64
  uint64_t z = *state += 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

Input make_input(uint64_t seed) {
  uint64_t state = seed;
  Input in(64 + next_random(&state) % 8000);
  for (auto& b : in) b = static_cast<uint8_t>(next_random(&state) >> 13);
  if (seed % 4) in[0] |= kFuzzSecondTable;
  return in;
}

double cpu_seconds() { return static_cast<double>(clock()) / CLOCKS_PER_SEC; }

void report(uint64_t worlds, double seconds) {
  printf("%lu clone calls (%lu children made), %lu operations, %lu checks, %lu worlds in %.1f s of CPU time: %.0f clone calls per second\n",
         fuzz_counts.clone_calls, fuzz_counts.clones_made, fuzz_counts.ops, fuzz_counts.checks, worlds, seconds,
         static_cast<double>(fuzz_counts.clone_calls) / seconds);
  fflush(stdout);
}

void save(const Input& in, uint64_t seed) {
  const char* dir = getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  std::string path = (dir ? std::string(dir) + "/" : "") + "finding-" + std::to_string(seed) + ".bin";
  if (FILE* f = fopen(path.c_str(), "wb")) {
    fwrite(in.data(), 1, in.size(), f);
    fclose(f);
    printf("input written to %s\n", path.c_str());
  }
}

void print_tally(const char* name, const FuzzTally& t) {
  if (t.tried) printf("%-36s %9lu %9lu %9lu  errno %d\n", name, t.tried, t.succeeded, t.failed, t.last_errno);
}

// What was tried, how often, and how often it succeeded. An operation that always fails is worth nothing.
void report_coverage() {
  printf("%-36s %9s %9s %9s\n", "operation, request, call, flag", "tried", "succeeded", "failed");
  for (const FuzzTally& t : fuzz_counts.detail)
    if (t.name) print_tally(t.name, t);
  for (unsigned nr = 0; nr < 512; nr++)
    if (const char* name = fuzz_call_name(nr)) print_tally((std::string("sys_") + name).c_str(), fuzz_counts.call[nr]);
  for (unsigned bit = 0; bit < 64; bit++) {
    char name[32];
    snprintf(name, sizeof name, "clone flag %#llx", 1ull << bit);
    print_tally(name, fuzz_counts.clone_flag[bit]);
  }
}

// A world that is busy for ever makes no finding by itself.
constexpr unsigned kPatience = 60;  // seconds
volatile uint64_t current_seed;
void too_long(int) {
  fprintf(stderr, "a world takes too long; repeat with --seed=%lu --calls=1\n", current_seed);
  _exit(1);
}

volatile sig_atomic_t enough;  // SIGTERM: ends after this world, with the report

int stress(unsigned long calls, uint64_t seed) {
  const double begun = cpu_seconds();
  signal(SIGALRM, too_long);
  signal(SIGTERM, [](int) { enough = 1; });
  uint64_t worlds = 0;
  for (; fuzz_counts.clone_calls < calls && !enough; seed++, worlds++) {
    current_seed = seed;
    alarm(kPatience);
    Input in = make_input(seed);
    Verdict v = fuzz_driver::run_input(in.data(), in.size());
    if (!v.finding.empty()) {
      printf("%sfinding; repeat with --seed=%lu --calls=1\n", v.finding.c_str(), seed);
      save(in, seed);
      return 1;
    }
  }
  alarm(0);
  report(worlds, cpu_seconds() - begun);
  return 0;
}

Input read_file(const std::string& path) {
  Input in;
  if (FILE* f = fopen(path.c_str(), "rb")) {
    for (int c; (c = fgetc(f)) != EOF;) in.push_back(static_cast<uint8_t>(c));
    fclose(f);
  }
  return in;
}

void list_files(const std::string& path, std::vector<std::string>* files) {
  struct stat st;
  if (stat(path.c_str(), &st)) {
    perror(path.c_str());
    exit(2);
  }
  if (!S_ISDIR(st.st_mode)) return files->push_back(path);
  DIR* dir = opendir(path.c_str());
  while (dirent* e = readdir(dir))
    if (e->d_name[0] != '.') list_files(path + "/" + e->d_name, files);
  closedir(dir);
}

int replay(const std::vector<std::string>& files) {
  for (const std::string& path : files) {
    Input in = read_file(path);
    std::string difference = fuzz_driver::difference_between_runs(in.data(), in.size());
    if (!difference.empty()) {
      printf("%s: two runs differ\n%s", path.c_str(), difference.c_str());
      return 1;
    }
    Verdict v = fuzz_driver::run_input(in.data(), in.size());
    if (!v.finding.empty()) {
      printf("%s:\n%s", path.c_str(), v.finding.c_str());
      return 1;
    }
  }
  printf("%zu inputs, no finding\n", files.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  fuzz_driver::without_address_randomisation(argv);
  unsigned long calls = 0;
  uint64_t seed = 1;
  std::vector<std::string> files;
  bool coverage = false;
  for (int i = 1; i < argc; i++) {
    if (!strncmp(argv[i], "--calls=", 8))
      calls = strtoul(argv[i] + 8, nullptr, 0);
    else if (!strncmp(argv[i], "--seed=", 7))
      seed = strtoull(argv[i] + 7, nullptr, 0);
    else if (!strcmp(argv[i], "--coverage"))
      coverage = true;
    else
      list_files(argv[i], &files);
  }
  int failed = files.empty() ? 0 : replay(files);
  if (!failed && calls) failed = stress(calls, seed);
  if (coverage) report_coverage();
  return failed;
}
