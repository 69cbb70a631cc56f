// Reaching into address spaces by hand: another process's memory, the identity of a futex word, checked struct copies.
// SPDX-License-Identifier: Apache-2.0
#include <linux/string.h>

#include <array>

#include "mm/filemap.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/uaccess.hh"

namespace {

bool is_write(RemoteAccess how) { return how == RemoteAccess::Write || how == RemoteAccess::ForceWrite; }

bool remote_allowed(const vm_area_struct* v, RemoteAccess how) {
  unsigned long f = v->vm_flags;
  if (f & (VM_IO | VM_PFNMAP)) return false;
  switch (how) {
    case RemoteAccess::Read: return f & VM_READ;
    case RemoteAccess::Write: return f & VM_WRITE;
    case RemoteAccess::ForceRead: return f & (VM_READ | VM_MAYREAD);
    case RemoteAccess::ForceWrite: return (f & VM_WRITE) || ((f & (VM_MAYWRITE | VM_MAYSHARE)) == VM_MAYWRITE);
  }
  return false;
}

// May bytes be stored through this entry? The area's own page, or shared memory that may be written. page_table_lock held.
bool may_store(const vm_area_struct* v, pte_t e) {
  if (pte_write(e)) return true;
  return !pte_special(e) && !(v->vm_flags & VM_SHARED) && page_is_anon(pte_page(e)) && page_count(pte_page(e)) == 1;
}

// Copies within one page. mmap_lock held for reading. The copy is made under page_table_lock, so the page stays.
bool copy_page_part(vm_area_struct* v, unsigned long addr, char* buf, unsigned n, RemoteAccess how) {
  mm_struct* mm = v->vm_mm;
  for (int tries = 0; tries < 4; tries++) {
    {
      SpinGuard g(mm->page_table_lock);
      pte_t* pte = pte_find(mm, addr);
      pte_t e = pte ? pte_read(pte) : pte_t{0};
      if (!pte_none(e) && (!is_write(how) || may_store(v, e))) {
        char* at = static_cast<char*>(page_address(phys_to_page(pte_phys(e)))) + (addr & ~kPageMask);
        if (is_write(how)) memcpy(at, buf, n);
        else memcpy(buf, at, n);
        return true;
      }
    }
    if (!handle_mm_fault(v, addr, is_write(how) ? arch::kFaultWrite : 0)) return false;
  }
  return false;
}

}  // namespace

long access_remote_vm(mm_struct* mm, unsigned long addr, void* buf, long len, RemoteAccess how) {
  if (down_read_killable(&mm->mmap_lock)) return 0;
  long done = 0;
  while (done < len && addr < kUserTop) {
    vm_area_struct* v = find_vma(mm, addr);
    if (!v || v->vm_start > addr || !remote_allowed(v, how)) break;
    unsigned n = std::min<unsigned long>(len - done, kPageSize - (addr & ~kPageMask));
    if (!copy_page_part(v, addr, static_cast<char*>(buf) + done, n, how)) break;
    done += n;
    addr += n;
  }
  up_read(&mm->mmap_lock);
  return done;
}

bool copy_page_for_dump(mm_struct* mm, unsigned long addr, void* to) {
  RwsemReadGuard guard(mm->mmap_lock);
  vm_area_struct* v = find_vma(mm, addr);
  if (!v || v->vm_start > addr || (v->vm_flags & VM_IO)) return false;
  if (!v->vm_file && !(v->vm_ops && v->vm_ops->fault)) {
    SpinGuard g(mm->page_table_lock);
    pte_t* pte = pte_find(mm, addr);
    if (!pte || !pte_has_page(pte_read(pte))) return false;  // never written: zeroes, as a hole reads
  }
  return copy_page_part(v, addr, static_cast<char*>(to), kPageSize, RemoteAccess::ForceRead);
}

Result<MemoryIdentity> memory_identity(unsigned long addr) {
  mm_struct* mm = current->mm;
  if (addr >= kUserTop) return fail(EFAULT);
  RwsemReadGuard g(mm->mmap_lock);
  vm_area_struct* v = find_vma(mm, addr);
  if (!v || v->vm_start > addr || !(v->vm_flags & (VM_READ | VM_WRITE | VM_EXEC))) return fail(EFAULT);
  address_space* m = vma_mapping(v);
  unsigned long index = v->vm_pgoff + ((addr - v->vm_start) >> 12);
  MemoryIdentity own{mm, addr >> 12, false};
  if (m && !(v->vm_flags & VM_MAYSHARE)) {
    // A private mapping of a file: the file's page as long as it may not be written and has not been copied.
    if (v->vm_flags & VM_WRITE) return own;
    const pte_t* pte = pte_find(mm, addr);
    pte_t e = pte ? pte_read(pte) : pte_t{0};
    if (pte_has_page(e) && page_is_anon(pte_page(e))) return fail(EFAULT);  // F-11
  }
  if (!m) {
    if (v->vm_flags & VM_WRITE) return own;
    return fail(EFAULT);  // F-11
  }
  if (index >= static_cast<unsigned long>((mapping_size(m) + kPageSize - 1) >> 12)) return fail(EFAULT);
  return MemoryIdentity{m, index, true};
}

Result<void> fault_in_user_writeable(unsigned long addr) {
  FaultInfo info;
  if (!handle_user_fault(addr, arch::kFaultWrite, &info)) return fail(EFAULT);
  return {};
}

long copy_struct_from_user(void* dst, size_t ksize, const void* src, size_t usize) {
  size_t n = std::min(ksize, usize);
  const char* more = static_cast<const char*>(src) + n;
  for (size_t left = usize - n; left;) {
    char chunk[64];
    size_t part = std::min(left, sizeof(chunk));
    size_t missing = copy_from_user(chunk, more, part);
    for (size_t i = 0; i < part - missing; i++)
      if (chunk[i]) return -E2BIG;  // also if memory ends behind it
    if (missing) return -EFAULT;
    more += part;
    left -= part;
  }
  if (copy_from_user(dst, src, n)) return -EFAULT;
  memset(static_cast<char*>(dst) + n, 0, ksize - n);
  return 0;
}
