// Faults and exceptions of user code, as signals. Spec 10 section 5.4.
// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "kernel/entry/entry.hh"
#include "kernel/signal/signal.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

// What a vector becomes. code kFromStatus: taken from the error word's floating-point or debug bits.
enum class Address : unsigned char { None, Ip };
constexpr int kFromFpStatus = -1, kFromDebugStatus = -2;
struct ExceptionRule {
  int signo = SIGSEGV, code = SI_KERNEL;
  Address address = Address::None;
};

constexpr std::array<ExceptionRule, 32> kRules = [] {
  std::array<ExceptionRule, 32> r{};
  r[0] = {SIGFPE, FPE_INTDIV, Address::Ip};
  r[1] = {SIGTRAP, kFromDebugStatus, Address::Ip};
  r[3] = {SIGTRAP, SI_KERNEL, Address::None};
  r[6] = {SIGILL, ILL_ILLOPN, Address::Ip};
  r[11] = {SIGBUS, SI_KERNEL, Address::None};
  r[12] = {SIGBUS, SI_KERNEL, Address::None};
  r[16] = {SIGFPE, kFromFpStatus, Address::Ip};
  r[17] = {SIGBUS, BUS_ADRALN, Address::None};
  r[19] = {SIGFPE, kFromFpStatus, Address::Ip};
  return r;
}();

// For #MF and #XM the machine hands the unmasked exception bits of the x87 status or MXCSR over as `error`.
constexpr int fp_code(unsigned status) {
  if (status & 0x01) return FPE_FLTINV;
  if (status & 0x04) return FPE_FLTDIV;
  if (status & 0x08) return FPE_FLTOVF;
  if (status & 0x12) return FPE_FLTUND;
  if (status & 0x20) return FPE_FLTRES;
  return FPE_FLTINV;
}

// For #DB `error` is DR6.
constexpr int debug_code(unsigned dr6) {
  if (dr6 & 0x4000) return TRAP_TRACE;
  return dr6 & 0xf ? TRAP_HWBKPT : TRAP_BRKPT;
}

// B-29: what the signal frame reports as trapno, err and cr2.
void record_trap(unsigned vector, unsigned error) {
  current->thread.trap_nr = vector;
  current->thread.error_code = error;
}

}  // namespace

void do_user_exception(pt_regs* regs, unsigned vector, unsigned error) {
  const ExceptionRule rule = vector < kRules.size() ? kRules[vector] : ExceptionRule{};
  record_trap(vector, rule.code < 0 ? 0 : error);  // the status words are not error codes
  int code = rule.code;
  if (code == kFromFpStatus) code = fp_code(error);
  if (code == kFromDebugStatus) code = debug_code(error);
  if (code == SI_KERNEL)
    force_sig(rule.signo);
  else
    force_sig_fault(rule.signo, code, rule.address == Address::Ip ? reinterpret_cast<void*>(regs->ip) : nullptr);
}

void do_user_page_fault(pt_regs*, unsigned long address, unsigned error) {
  FaultInfo info;
  Result<void> r = address < TASK_SIZE_MAX ? handle_user_fault(address, error, &info) : fail(EFAULT);
  if (r) return;
  if (r.error() == Errno(EINTR)) return;  // a fatal signal is pending: the loop delivers it
  if (r.error() == Errno(ENOMEM)) return force_sig(SIGKILL);
  if (!info.signo) info = {SIGSEGV, SEGV_MAPERR};
  // A kernel address is reported as if present, so that the map of the kernel does not leak.
  record_trap(14, address < TASK_SIZE_MAX ? error : error | arch::kFaultPresent);
  current->thread.cr2 = address;
  force_sig_fault(info.signo, info.si_code, reinterpret_cast<void*>(address));
}
