// Where the two halves of the hosted machine meet: the kernel side (arch/hosted/*.cc, freestanding, our headers) and the
// host side (arch/hosted/host/*.cc, an ordinary program). Builtin types only, so that both may include it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

// One line of the trace. Nothing in it depends on the host: same seed, same bytes.
struct HostedEvent {
  unsigned long time;  // virtual ns
  unsigned what;       // HostedEventKind
  unsigned cpu;
  unsigned long a, b;
};
enum HostedEventKind : unsigned {
  kEventCpu = 1,    // a: the CPU that goes on now
  kEventSwitch,     // a, b: pids, from and to
  kEventSyscall,    // a: number, b: pid
  kEventSysret,     // a: result, b: pid
  kEventIrq,        // a: pending bits delivered
  kEventIpi,        // a: target, b: which
  kEventTimer,      // a: deadline programmed
  kEventTime,       // time moved on
  kEventFault,      // a: user address, b: error bits
  kEventSignal,     // a: handler, b: signal
  kEventText,       // a: hash of console output, b: its length
  kEventMark,       // a, b: the test's own
};

struct HostedConfig {
  unsigned cpus;
  unsigned long memory;  // bytes; multiple of 1 MiB
  unsigned long seed;
  unsigned switch_mean;  // yield points between two changes of CPU, on average
  const char* command_line;
  const unsigned char* initrd;
  unsigned long initrd_size;
  char* boot_stack;  // CPU 0's idle task runs here
  unsigned long boot_stack_size;
  char* host_stack;  // of the caller, for AddressSanitizer
  unsigned long host_stack_size;
  bool parallel;  // a host thread per CPU, the host's time; else the deterministic engine
};

enum HostedEnd : int { kEndHalt, kEndPowerOff, kEndRestart, kEndPanic, kEndDeadlock };

struct HostedResult {
  int how;  // HostedEnd
  int status;
  unsigned long virtual_ns, yield_points, switches, syscalls;
};

// Steering by the host instead of the seed: test/explore. While the kernel is between pilot_begin() and pilot_end() (pilot.hh) each
// moment at which more than one CPU could go on is a numbered point. By default the CPU that runs goes on, or, if it cannot, the next
// one round; the script says where it is to be otherwise.
struct HostedDeviation {
  unsigned point, cpu;
};
struct HostedPoint {
  unsigned char able, usual, taken, forced;  // able: bit per CPU (the first eight); forced: the CPU that ran could not go on
};
struct HostedPilot {
  bool wanted;    // by the host, for the next world
  bool steering;  // between begin and end
  const HostedDeviation* script;
  unsigned script_length, script_at;
  unsigned long long random;  // not 0: the state of a random stream that deviates once the script is over...
  unsigned random_mean;  // ...at one in so many points
  HostedPoint* points;
  unsigned point_cap, point_count;
  bool diverged;  // the script named a CPU that could not go on
};

// Written by the kernel side, uninstrumented, read by the host after the run.
struct HostedLog {
  HostedEvent* events;
  unsigned long event_cap, event_count;  // count may exceed cap: the rest is in the hash only
  unsigned long hash;
  char* text;  // console output
  unsigned long text_cap, text_size;
  bool echo;  // to stderr as well
};

extern "C" {
extern HostedLog hosted_log;
extern HostedPilot hosted_pilot;

// ---- The kernel side provides -------------------------------------------------------------------------------------
// Boots a world, returns when it stops. Host stack, not reentrant.
void hosted_run(const HostedConfig* config, HostedResult* result);
// Input for the console: delivered as an interrupt on CPU 0. From the host before the run, or from a test in the kernel.
void hosted_console_input(const char* text, unsigned long size);
// A fault in kernel code, called by the host's SIGSEGV handler on its own stack: prints what it can.
void hosted_report_fault(unsigned long address, unsigned long ip, unsigned long sp, unsigned long bp);

// From a host signal handler: the world ends as if deadlocked, after a report of what each task is at, as soon as some CPU comes to a
// point at which it could be interrupted. 0: no world runs.
int hosted_tell_to_stop(void);

// ---- The host side provides; callable from any fiber ---------------------------------------------------------------
int host_map_arena(unsigned long size);                                                  // 0 or errno
int host_vmap(unsigned long va, const unsigned* page_numbers, unsigned long n);           // 0 or errno
void host_vunmap(unsigned long va, unsigned long size);                                  // no access from now on
char* host_stack_alloc(unsigned long size);  // guard page below; null: no memory
void host_stack_free(char* low, unsigned long size);
void host_echo(const char* text, unsigned long size);
[[noreturn]] void host_abort();
// For the parallel engine. Threads: body(cpu, its stack's low end and size) on a new host thread each, for CPUs 1 to n-1.
int host_start_threads(unsigned cpus, void (*body)(unsigned cpu, char* low, unsigned long size));  // 0 or errno
void host_join_threads(void);
unsigned long host_clock_ns(void);  // monotonic
void host_wait(const unsigned* word, unsigned value, unsigned long timeout_ns);  // sleeps while *word is value; may return early
void host_wake(unsigned* word);
void host_yield(void);
void host_sleep(unsigned long ns);
// Walks a stack. regs: null for the caller's own, else rbx, rbp, r12-r15, rsp, rip of a suspended one. Returns the depth.
struct HostFrame {
  unsigned long pc, offset;
  char name[112];
};
unsigned host_unwind(const unsigned long* regs, HostFrame* frames, unsigned max);
}
