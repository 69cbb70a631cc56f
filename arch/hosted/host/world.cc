// World: see world.hh.
// SPDX-License-Identifier: Apache-2.0
#include "arch/hosted/host/world.hh"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" void __asan_unpoison_memory_region(const volatile void* p, size_t n) __attribute__((weak));

namespace hosted_world {
namespace {

constexpr unsigned long kBootStack = 256 << 10;
constexpr unsigned long kMaxEvents = 1 << 20, kMaxText = 4 << 20;
bool process_usable = true;
char* boot_stack;

template <class T>
T* big_array(unsigned long n) {
  void* p = mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    perror("hosted: mmap");
    exit(1);
  }
  return static_cast<T*>(p);
}

// A wild access in kernel code. Sanitizers have handlers of their own, which tell more.
void on_fault(int sig, siginfo_t* info, void* context) {
  static int depth;
  if (depth++) _exit(3);
  auto& g = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  hosted_log.echo = true;
  hosted_report_fault(reinterpret_cast<unsigned long>(info->si_addr), static_cast<unsigned long>(g[REG_RIP]),
                      static_cast<unsigned long>(g[REG_RSP]), static_cast<unsigned long>(g[REG_RBP]));
  signal(sig, SIG_DFL);
  raise(sig);
}

}  // namespace

// Called by each host thread that plays a CPU.
void catch_faults_of_thread(char* stack, size_t size) {
  if (__asan_unpoison_memory_region) return;
  stack_t ss{};
  ss.ss_sp = stack;
  ss.ss_size = size;
  sigaltstack(&ss, nullptr);
}

namespace {

void catch_faults() {
  if (__asan_unpoison_memory_region) return;
  static char stack[64 << 10];
  catch_faults_of_thread(stack, sizeof stack);
  struct sigaction sa {};
  sa.sa_sigaction = on_fault;
  sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int sig : {SIGSEGV, SIGBUS}) sigaction(sig, &sa, nullptr);
}

// A developer or a test's time limit has had enough of a world. The second signal kills.
void catch_orders_to_stop() {
  struct sigaction sa {};
  sa.sa_handler = [](int sig) {
    hosted_log.echo = true;
    if (!hosted_tell_to_stop()) raise(sig);  // by now the default again
  };
  sa.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (int sig : {SIGQUIT, SIGTERM}) sigaction(sig, &sa, nullptr);
}

void set_up_once() {
  static bool done;
  if (done) return;
  done = true;
  hosted_log.events = big_array<HostedEvent>(kMaxEvents);
  hosted_log.event_cap = kMaxEvents;
  hosted_log.text = big_array<char>(kMaxText);
  hosted_log.text_cap = kMaxText;
  boot_stack = host_stack_alloc(kBootStack);
  catch_faults();
  catch_orders_to_stop();
}

void find_own_stack(HostedConfig* config) {
  pthread_attr_t attr;
  static void* low;  // the answer costs reading /proc/self/maps
  static size_t size;
  config->host_stack = static_cast<char*>(low);
  config->host_stack_size = size;
  if (low) return;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &low, &size);
  pthread_attr_destroy(&attr);
  config->host_stack = static_cast<char*>(low);
  config->host_stack_size = size;
}

}  // namespace

bool parallel_wanted() {
  const char* s = getenv("CF_ENGINE");
  if (s && strcmp(s, "parallel") && strcmp(s, "deterministic")) {
    fprintf(stderr, "hosted: CF_ENGINE is parallel or deterministic\n");
    exit(1);
  }
  return s && !strcmp(s, "parallel");
}

bool usable() { return process_usable; }

Outcome run(const Options& options, Trace trace) {
  set_up_once();
  if (!process_usable) {
    fprintf(stderr, "hosted: an earlier world of this process ended without being unmade\n");
    abort();
  }
  HostedConfig config{};
  config.cpus = options.cpus;
  config.memory = static_cast<unsigned long>(options.memory_mb) << 20;
  config.seed = options.seed;
  config.switch_mean = options.switch_mean;
  config.parallel = options.parallel;
  config.command_line = options.command_line.c_str();
  config.initrd = options.initrd.data();
  config.initrd_size = options.initrd.size();
  config.boot_stack = boot_stack;
  config.boot_stack_size = kBootStack;
  find_own_stack(&config);
  if (int err = host_map_arena(config.memory)) {
    fprintf(stderr, "hosted: no memory for the arena: %s\n", strerror(err));
    exit(1);
  }
  if (__asan_unpoison_memory_region)  // what a world that was not unmade left behind
    __asan_unpoison_memory_region(reinterpret_cast<void*>(0x7e9000000000ul), config.memory + (1 << 20));
  hosted_log.event_count = hosted_log.text_size = 0;
  hosted_log.hash = 0;
  hosted_log.echo = options.echo || getenv("CF_CONSOLE");
  if (!options.console_input.empty()) hosted_console_input(options.console_input.data(), options.console_input.size());

  Outcome out;
  process_usable = false;
  hosted_run(&config, &out.result);
  process_usable = out.result.how != kEndPanic && out.result.how != kEndDeadlock;
  out.console.assign(hosted_log.text, hosted_log.text_size);
  out.trace_hash = hosted_log.hash;
  out.trace_length = hosted_log.event_count;
  if (trace == Trace::Events) {
    unsigned long n = hosted_log.event_count < kMaxEvents ? hosted_log.event_count : kMaxEvents;
    out.trace.assign(hosted_log.events, hosted_log.events + n);
  }
  return out;
}

const char* end_name(int how) {
  constexpr const char* kNames[] = {"halt", "power-off", "restart", "panic", "deadlock"};
  return how >= 0 && how < 5 ? kNames[how] : "?";
}

std::string describe(const HostedEvent& e) {
  constexpr const char* kNames[] = {"?",   "cpu",   "switch", "syscall", "sysret", "irq", "ipi",
                                    "timer", "time", "fault", "signal", "text",   "mark"};
  char line[160];
  snprintf(line, sizeof line, "%12lu cpu%u %-8s %#lx %#lx", e.time, e.cpu, e.what < 13 ? kNames[e.what] : "?", e.a, e.b);
  return line;
}

std::string first_difference(const Outcome& a, const Outcome& b) {
  size_t n = a.trace.size() < b.trace.size() ? a.trace.size() : b.trace.size();
  size_t i = 0;
  while (i < n && !memcmp(&a.trace[i], &b.trace[i], sizeof(HostedEvent))) i++;
  if (i == n && a.trace_length == b.trace_length && a.trace_hash == b.trace_hash) return "";
  std::string s = "traces part at event " + std::to_string(i) + "\n";
  for (size_t k = i > 5 ? i - 5 : 0; k < i; k++) s += "    " + describe(a.trace[k]) + "\n";
  s += "  a " + (i < a.trace.size() ? describe(a.trace[i]) : std::string("(end)")) + "\n";
  s += "  b " + (i < b.trace.size() ? describe(b.trace[i]) : std::string("(end)")) + "\n";
  return s;
}

uint64_t seed_from_environment(uint64_t fallback) {
  const char* s = getenv("CF_SEED");
  return s ? strtoull(s, nullptr, 0) : fallback;
}

}  // namespace hosted_world
