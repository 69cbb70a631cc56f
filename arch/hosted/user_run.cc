// user_run(): the kernel's half of user mode.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "arch/hosted/parallel.hh"
#include "arch/hosted/user_side.hh"
#include "arch/hosted/user_entry.hh"
#include "kernel/task/task.hh"

namespace hosted {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr unsigned long kUserStack = 512 << 10;
#else
constexpr unsigned long kUserStack = 128 << 10;
#endif

constinit hosted_user* all_users;

HOSTED_ENGINE char* stack_alloc() {
  EngineLock lock;
  return host_stack_alloc(kUserStack);
}

HOSTED_ENGINE hosted_user* user_side_create(task_struct* t, pt_regs* regs) {
  char* low = stack_alloc();
  if (!low) panic("hosted: no memory for a user fiber");
  auto* u = reinterpret_cast<hosted_user*>(low + kUserStack - sizeof(hosted_user));
  *u = {};
  u->task = t;
  u->regs = regs;
  fiber_make(&u->fiber, low, kUserStack, reinterpret_cast<unsigned long>(u), user_main, u);
  EngineLock lock;
  u->next = all_users;
  u->link = &all_users;
  if (all_users) all_users->link = &u->next;
  all_users = u;
  return t->thread.user = u;
}

HOSTED_ENGINE void free_user_side(hosted_user* u) {
  {
    EngineLock lock;
    *u->link = u->next;
    if (u->next) u->next->link = u->link;
  }
  fiber_destroy(&u->fiber);
  EngineLock lock;
  host_stack_free(reinterpret_cast<char*>(u->fiber.stack_low), kUserStack);
}

HOSTED_ENGINE void note_exit(const task_struct* t, const hosted_user* u) {
  if (u->exit.kind == arch::UserExitKind::Syscall) {
    this_cpu().syscalls++;
    note(kEventSyscall, u->regs->orig_ax, static_cast<unsigned long>(t->pid));
  } else if (u->exit.kind == arch::UserExitKind::Fault) {
    note(kEventFault, u->exit.address, u->exit.error);
  }
}

}  // namespace

HOSTED_ENGINE void user_side_destroy(task_struct* t) {
  if (t->thread.user) free_user_side(t->thread.user);
  t->thread.user = nullptr;
}
HOSTED_ENGINE void user_side_forget(task_struct* t) { user_side_destroy(t); }
HOSTED_ENGINE void user_side_clear() {
  while (all_users) free_user_side(all_users);
}

}  // namespace hosted

namespace arch {

HOSTED_ENGINE UserExit user_run(pt_regs* regs) {
  using namespace hosted;
  task_struct* t = hosted_current();
  yield_point(PreemptPoint::Syscall);  // interrupts are off: other CPUs get a chance, interrupts come below
  this_cpu().irqs_on = true;
  if (parallel::pending(this_cpu())) {
    deliver_interrupts(regs);
    return {UserExitKind::Interrupt, 0, 0, 0};
  }
  hosted_user* u = t->thread.user ? t->thread.user : user_side_create(t, regs);
  note(kEventSysret, regs->ax, static_cast<unsigned long>(t->pid));
  this_cpu().running = &u->fiber;
  edge_from(&u->order);
  fiber_switch(&t->thread.fiber, &u->fiber, Leaving::Returns);
  edge_to(&u->order);
  note_exit(t, u);
  if (u->exit.kind == UserExitKind::Interrupt) {
    this_cpu().irqs_on = true;
    deliver_interrupts(regs);
  }
  return u->exit;
}

}  // namespace arch
