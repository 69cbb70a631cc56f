// The life of one world: start_kernel boots it, request_shutdown ends it, and the ending checks that nothing is left.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/contract/arch.hh"
#include "init/report.hh"

// Spec 10 B-48; later states only after earlier ones.
enum SystemState { SYSTEM_BOOTING, SYSTEM_SCHEDULING, SYSTEM_FREEING_INITMEM, SYSTEM_RUNNING, SYSTEM_HALT, SYSTEM_POWER_OFF,
                   SYSTEM_RESTART };
extern SystemState system_state;
inline bool system_is_ending() { return system_state >= SYSTEM_HALT; }

extern "C" [[noreturn]] void start_kernel();

// Begins the end: a kernel thread kills every user process, lets the subsystems quiesce, and the boot CPU's idle task
// then unmakes what is left and stops the machine. Returns at once; a caller from user space then exits. The first request
// counts. Process context.
void request_shutdown(arch::Stop how, int status);

// Called by the boot CPU's idle task in its loop; does not return once the last task is gone.
void idle_check_shutdown();
bool shutdown_is_due();  // the last task is gone: another CPU that sees it first must wake the boot CPU

// One step of boot. init runs in the table's order on the boot CPU, interrupts off before the row that enables them;
// quiesce runs in reverse order in a kernel thread at shutdown (may sleep: stop threads, unmount); exit runs in reverse
// order on the idle task with nothing else alive, gives back what init took and reports what others left.
struct InitStep {
  const char* name;
  void (*init)();
  void (*quiesce)();
  void (*exit)(LeakReport&);
};
