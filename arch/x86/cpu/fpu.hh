// The FPU: saved eagerly when a task leaves the CPU, loaded when it next enters user mode (spec 22 section 7).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/sched.h>

namespace x86 {

// Invariant (in place of C-50's flag): cpu.fpu_owner == t and t runs here => the registers are t's truth. Otherwise
// t->thread.fpu_state is. The owner stays set after a save on the way out, so that a task which comes back to a CPU
// nobody else used finds its registers in place.

void fpu_cpu_init();  // each CPU, after CR4
void choose_clear_method();  // boot CPU
// Writes current's live registers to its memory image. Preemption off.
void fpu_save_current();
// The registers no longer mean anything to current: the next entry to user mode loads the image. Preemption off.
void fpu_drop_registers();
void fpu_save(void* image);
// child's new image from parent's state (C-48). Parent is current, or has never run.
void copy_fpu(task_struct* child, task_struct* parent);
void fpu_image_init(void* image);
size_t fpu_image_size();

}  // namespace x86
