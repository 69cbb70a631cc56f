// What an address space may still take: RLIMIT_AS, RLIMIT_DATA, and the commit limit of the system (spec 41 sections 13, 14).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/cred.hh"
#include "kernel/fault_inject.hh"
#include "mm/internal.hh"
#include "mm/page_alloc.hh"

constinit MmSettings mm_settings;

namespace {
constinit atomic_long_t committed_pages{};

bool is_exec(unsigned long f) { return (f & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC; }
bool is_data(unsigned long f) { return (f & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE; }
}  // namespace

bool may_expand_vm(const mm_struct* mm, unsigned long flags, unsigned long pages) {
  if (mm->total_vm + pages > rlimit(RLIMIT_AS) >> 12) return false;
  if (!is_data(flags) || mm->data_vm + pages <= rlimit(RLIMIT_DATA) >> 12) return true;
  // A soft limit of 0 is what some programs set without meaning it.
  const struct rlimit& data = current->signal->rlim[RLIMIT_DATA];
  return READ_ONCE(data.rlim_cur) == 0 && mm->data_vm + pages <= READ_ONCE(data.rlim_max) >> 12;
}

void vm_stat_account(mm_struct* mm, unsigned long flags, long pages) {
  WRITE_ONCE(mm->total_vm, mm->total_vm + pages);
  if (is_exec(flags)) WRITE_ONCE(mm->exec_vm, mm->exec_vm + pages);
  else if (flags & VM_GROWSDOWN) WRITE_ONCE(mm->stack_vm, mm->stack_vm + pages);
  else if (is_data(flags)) WRITE_ONCE(mm->data_vm, mm->data_vm + pages);
  if (mm->total_vm > mm->hiwater_vm) WRITE_ONCE(mm->hiwater_vm, mm->total_vm);
}

unsigned long vm_commit_limit() {
  unsigned long kb = READ_ONCE(mm_settings.overcommit_kbytes);
  return kb ? kb >> 2 : totalram_pages() * READ_ONCE(mm_settings.overcommit_ratio) / 100;
}

long vm_committed() { return atomic_long_read(&committed_pages); }

bool vm_enough_memory(const mm_struct* mm, long pages) {
  if (should_fail(FailPoint::Charge, "commit limit")) return false;
  atomic_long_add(pages, &committed_pages);
  int mode = READ_ONCE(mm_settings.overcommit_memory);
  if (mode == 1) return true;
  if (mode == 0) {
    if (static_cast<unsigned long>(pages) <= totalram_pages()) return true;
  } else {
    constexpr unsigned long kAdminReserve = 8192 >> 2, kUserReserve = 131072 >> 2;
    unsigned long allowed = vm_commit_limit();
    auto keep = [&](unsigned long n) { allowed -= n < allowed ? n : allowed; };
    if (!capable(CAP_SYS_ADMIN)) keep(kAdminReserve);
    if (mm) keep(mm->total_vm / 32 < kUserReserve ? mm->total_vm / 32 : kUserReserve);
    if (vm_committed() < static_cast<long>(allowed)) return true;
  }
  atomic_long_sub(pages, &committed_pages);
  return false;
}

void vm_unacct_memory(long pages) {
  if (pages) atomic_long_sub(pages, &committed_pages);
}

bool can_do_mlock() { return rlimit(RLIMIT_MEMLOCK) != 0 || capable(CAP_IPC_LOCK); }

unsigned long mm_hiwater_rss(const mm_struct* mm) {
  unsigned long rss = get_mm_rss(mm), high = READ_ONCE(mm->hiwater_rss);
  return rss > high ? rss : high;
}
unsigned long mm_hiwater_vm(const mm_struct* mm) {
  unsigned long vm = READ_ONCE(mm->total_vm), high = READ_ONCE(mm->hiwater_vm);
  return vm > high ? vm : high;
}
