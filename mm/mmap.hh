// Mapping calls that exec and the brk system call share. mmap_lock of mm (current's) held for writing.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/random.h>
#include <uapi/linux/mman.h>

#include "mm/mm_struct.hh"

// Anonymous private read-write memory, replacing what is there. ENOMEM, EAGAIN (locked), EPERM.
Result<void> do_brk_flags(mm_struct* mm, unsigned long addr, unsigned long len, unsigned long extra_vm_flags);
