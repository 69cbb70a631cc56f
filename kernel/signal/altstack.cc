// sigaltstack(2).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/signal/altstack.hh"

#include "kernel/entry/syscall.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned kFlagBits = SS_AUTODISARM;

unsigned mode_of(const task_struct* t, unsigned long sp) {
  if (!t->sas_ss_size) return SS_DISABLE;
  return on_sig_stack(t, sp) ? SS_ONSTACK : 0;
}

stack_t present(const task_struct* t, unsigned long sp) {
  return {reinterpret_cast<void*>(t->sas_ss_sp), static_cast<int>(mode_of(t, sp) | (t->sas_ss_flags & kFlagBits)), t->sas_ss_size};
}

long set_altstack(const stack_t& s, unsigned long sp) {
  task_struct* self = current;
  if (on_sig_stack(self, sp)) return -EPERM;
  const auto mode = static_cast<unsigned>(s.ss_flags) & ~kFlagBits;
  if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) return -EINVAL;
  if (mode == SS_DISABLE) {
    self->sas_ss_sp = 0;
    self->sas_ss_size = 0;
  } else {
    if (s.ss_size < MINSIGSTKSZ) return -ENOMEM;
    self->sas_ss_sp = reinterpret_cast<unsigned long>(s.ss_sp);
    self->sas_ss_size = s.ss_size;
  }
  self->sas_ss_flags = static_cast<unsigned>(s.ss_flags);
  return 0;
}

}  // namespace

// A frame tells the setting as it was made, so that sigreturn puts it back.
stack_t altstack_for_frame(unsigned long) {
  const task_struct* t = current;
  return {reinterpret_cast<void*>(t->sas_ss_sp), static_cast<int>(t->sas_ss_flags), t->sas_ss_size};
}

// Errors do not matter: the frame may say what sigaltstack would refuse here.
void restore_altstack(const stack_t& saved, unsigned long sp) {
  const task_struct* t = current;
  if (reinterpret_cast<unsigned long>(saved.ss_sp) == t->sas_ss_sp && saved.ss_size == t->sas_ss_size &&
      static_cast<unsigned>(saved.ss_flags) == t->sas_ss_flags)
    return;
  (void)set_altstack(saved, sp);
}

SYSCALL_DEFINE2(sigaltstack, const stack_t __user*, unew, stack_t __user*, uold) {
  const unsigned long sp = task_pt_regs(current)->sp;
  const stack_t old = present(current, sp);
  if (unew) {
    stack_t s;
    if (get_user(s, unew)) return -EFAULT;
    if (long error = set_altstack(s, sp)) return error;
  }
  if (uold) {
    stack_t out;
    __builtin_memset(&out, 0, sizeof(out));  // the padding too
    out.ss_sp = old.ss_sp, out.ss_flags = old.ss_flags, out.ss_size = old.ss_size;
    if (put_user(out, uold)) return -EFAULT;
  }
  return 0;
}
