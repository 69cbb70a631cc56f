// The initial stack of an ELF program (spec 40 sections 17 and 18).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/exec/exec.hh"

struct StackTop {
  unsigned long top;      // end of the stack area
  unsigned long strings;  // where argv[0]'s text begins
};
struct AuxInfo {
  unsigned long phdr, phnum, base, entry;
  unsigned long vdso;  // 0: none
};

// Puts the strings at the top of a new stack of current->mm. A failure kills.
Result<StackTop> setup_exec_stack(linux_binprm* b, bool executable);
// Writes argc, argv, envp and the auxiliary vector below them; the stack pointer to start with.
Result<unsigned long> create_elf_tables(linux_binprm* b, const StackTop& stack, const AuxInfo& aux);
