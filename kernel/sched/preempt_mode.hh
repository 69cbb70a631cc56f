// preempt=: the mode that this world was booted with. Spec 30 S-31.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/spinlock.h>

#include <string_view>

#include "kernel/sync/preempt.hh"

enum class PreemptMode : unsigned char { None, Voluntary, Full };
extern PreemptMode preempt_mode;
std::string_view preempt_mode_name(PreemptMode m);
void preempt_mode_boot();
extern "C" int __cond_resched_lock(raw_spinlock_t* l);  // cond_resched_lock()
void preempt_schedule_common();  // count 0, interrupts on: gives way for as long as that is wanted (core.cc)
