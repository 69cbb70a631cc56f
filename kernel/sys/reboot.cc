// reboot(2).
// SPDX-License-Identifier: Apache-2.0
#include "init/init.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/exit/exit.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned kMagic1 = 0xfee1dead;
constexpr unsigned kMagic2[] = {672274793, 85072278, 369367448, 537993216};
enum : unsigned {
  kRestart = 0x01234567, kHalt = 0xcdef0123, kCadOn = 0x89abcdef, kCadOff = 0, kPowerOff = 0x4321fedc, kRestart2 = 0xa1b2c3d4,
};

bool magic_ok(unsigned m1, unsigned m2) {
  bool ok = false;
  for (unsigned m : kMagic2) ok |= m == m2;
  return ok && m1 == kMagic1;
}

// The world ends from here on; the caller does not come back to user mode.
[[noreturn]] void end_world(arch::Stop how) {
  request_shutdown(how, 0);
  do_group_exit(0);
}

// reboot(2), "Behavior inside PID namespaces": the namespace's init dies as if by this signal. 0: no such command there.
int signal_for(unsigned command) {
  switch (command) {
    case kRestart:
    case kRestart2: return SIGHUP;
    case kHalt:
    case kPowerOff: return SIGINT;
    default: return 0;
  }
}

long end_pid_namespace(pid_namespace* ns, unsigned command) {
  const int sig = signal_for(command);
  if (!sig) return -EINVAL;
  {
    ReadGuard tasklist(tasklist_lock);
    ns->reboot = sig;
    send_sig(SIGKILL, ns->child_reaper, 1);
  }
  do_exit(0);
}

}  // namespace

SYSCALL_DEFINE4(reboot, unsigned, magic1, unsigned, magic2, unsigned, command, void __user*, arg) {
  pid_namespace* ns = task_active_pid_ns(current);
  if (!ns_capable(ns->user_ns, CAP_SYS_BOOT)) return -EPERM;
  if (!magic_ok(magic1, magic2)) return -EINVAL;
  if (ns != &init_pid_ns) return end_pid_namespace(ns, command);
  switch (command) {
    case kCadOn:
    case kCadOff: return 0;
    case kRestart: end_world(arch::Stop::Restart);
    case kHalt: end_world(arch::Stop::Halt);
    case kPowerOff: end_world(arch::Stop::PowerOff);
    case kRestart2: {
      char text[256];
      if (strncpy_from_user(text, static_cast<const char*>(arg), sizeof(text) - 1) < 0) return -EFAULT;
      end_world(arch::Stop::Restart);
    }
    default: return -EINVAL;
  }
}
