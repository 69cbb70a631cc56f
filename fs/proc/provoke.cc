// /proc/cleanfork/provoke-crash: makes the kernel do what it must survive or report. The names are those that Linux's crash test
// module uses for the same. Root only; for tests and for seeing what a report looks like.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "fs/proc/system.hh"
#include "kernel/sync/guards.hh"

namespace {

noinline void provoke_exception() {
  volatile int* nowhere = nullptr;
  asm volatile("" : "+r"(nowhere));  // the compiler must not know
  *nowhere = 1;
}

noinline void provoke_wild_pointer() {
  volatile int* wild = reinterpret_cast<volatile int*>(0xffff900000000000ul);  // no memory is there
  asm volatile("" : "+r"(wild));
  *wild = 1;
}

noinline void provoke_write_ro() {
  auto* text = reinterpret_cast<volatile char*>(&provoke_exception);
  asm volatile("" : "+r"(text));
  *text = 0;
}

noinline void provoke_exec_data() {
  static unsigned char code[16] = {0xc3};
  void (*f)();
  asm volatile("" : "=r"(f) : "0"(code));
  f();
}

noinline int provoke_exhaust_stack(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  return provoke_exhaust_stack(depth + 1) + frame[0];
}

noinline void provoke_bug() { BUG(); }
noinline void provoke_panic() { panic("provoked"); }
void exhaust() { provoke_exhaust_stack(0); }
void provoke_atomic_exception() {
  PreemptGuard no_preempt;
  provoke_exception();
}

struct Crash {
  const char* name;
  void (*run)();
};
constexpr Crash kCrashes[] = {
    {"EXCEPTION", provoke_exception}, {"WILD_POINTER", provoke_wild_pointer}, {"WRITE_RO", provoke_write_ro},
    {"EXEC_DATA", provoke_exec_data}, {"EXHAUST_STACK", exhaust},             {"BUG", provoke_bug},
    {"PANIC", provoke_panic},         {"ATOMIC_EXCEPTION", provoke_atomic_exception},
};

}  // namespace

int show_crashes(seq_file* m) {
  for (const Crash& c : kCrashes) seq_printf(m, "%s\n", c.name);
  return 0;
}

long provoke_crash(const ProcFile*, char* text, size_t n) {
  text[strcspn(text, "\n")] = 0;
  for (const Crash& c : kCrashes) {
    if (strcmp(text, c.name) != 0) continue;
    pr_info("provoking %s\n", c.name);
    c.run();
    return static_cast<long>(n);
  }
  return -EINVAL;
}
