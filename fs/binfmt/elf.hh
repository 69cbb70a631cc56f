// What the ELF format keeps of a program between checking and mapping it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <uapi/linux/elf.h>

#include <span>

#include "kernel/exec/exec.hh"

struct ElfFile {
  Elf64_Ehdr header{};
  Elf64_Phdr* table = nullptr;  // header.e_phnum of them; owned
  std::span<const Elf64_Phdr> segments() const { return {table, header.e_phnum}; }
};

struct ElfImage {
  ElfFile program, interpreter;
  ExecFile interpreter_file;  // empty: statically linked
  bool exec_stack = false;
};
void free_elf_image(ElfImage* image);
