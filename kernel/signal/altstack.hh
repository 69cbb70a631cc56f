// The alternate signal stack. Spec 21 section 19.2. Only current touches its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/signal/signal.hh"

// S-58.
inline bool within_sig_stack(const task_struct* t, unsigned long sp) {
  return sp > t->sas_ss_sp && sp - t->sas_ss_sp <= t->sas_ss_size;
}
inline bool on_sig_stack(const task_struct* t, unsigned long sp) {
  return !(t->sas_ss_flags & SS_AUTODISARM) && within_sig_stack(t, sp);
}
inline void disable_altstack(task_struct* t) {
  t->sas_ss_sp = 0;
  t->sas_ss_size = 0;
  t->sas_ss_flags = SS_DISABLE;
}
stack_t altstack_for_frame(unsigned long sp);
void restore_altstack(const stack_t& saved, unsigned long sp);
