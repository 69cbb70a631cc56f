// A user address space for tests: the case's kernel thread adopts one, so that the system calls of mm/ and user copies work.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "kernel/entry/syscall.hh"
#include "mm/internal.hh"
#include "mm/mmap.hh"
#include "mm/pgtable.hh"
#include "mm/uaccess.hh"
#include "mm/vma_tree.hh"

#define DECLARE_SYSCALL(name) extern "C" long sys_##name(const pt_regs*)
DECLARE_SYSCALL(mmap);
DECLARE_SYSCALL(munmap);
DECLARE_SYSCALL(mprotect);
DECLARE_SYSCALL(mremap);
DECLARE_SYSCALL(madvise);
DECLARE_SYSCALL(mlock);
DECLARE_SYSCALL(mlock2);
DECLARE_SYSCALL(munlock);
DECLARE_SYSCALL(mlockall);
DECLARE_SYSCALL(munlockall);
DECLARE_SYSCALL(msync);
DECLARE_SYSCALL(mincore);
DECLARE_SYSCALL(brk);
DECLARE_SYSCALL(remap_file_pages);
DECLARE_SYSCALL(pkey_mprotect);
DECLARE_SYSCALL(pkey_alloc);
DECLARE_SYSCALL(pkey_free);
#undef DECLARE_SYSCALL

// Calls a system call as a program would.
inline long call(sys_call_ptr_t fn, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0, unsigned long d = 0,
                 unsigned long e = 0, unsigned long f = 0) {
  pt_regs regs = {};
  regs.di = a, regs.si = b, regs.dx = c, regs.r10 = d, regs.r8 = e, regs.r9 = f;
  return fn(&regs);
}

inline constexpr unsigned long kAnon = MAP_PRIVATE | MAP_ANONYMOUS, kSharedAnon = MAP_SHARED | MAP_ANONYMOUS;
inline constexpr unsigned long kRW = PROT_READ | PROT_WRITE;
inline constexpr unsigned long kPg = 4096;
inline constexpr unsigned long kBase = 0x10000000;  // where tests put fixed mappings

class UserSpace {
 public:
  explicit UserSpace(kunit* test) : test_(test), mm_(mm_alloc()) {
    if (!mm_) return;
    mm_->mmap_base = 0x7f0000000000;
    mm_->start_brk = mm_->brk = 0x20000000;
    kthread_use_mm(mm_);
  }
  ~UserSpace() { leave(); }
  UserSpace(const UserSpace&) = delete;

  void leave() {
    if (!mm_) return;
    kthread_unuse_mm(mm_);
    mmput(mm_);
    mm_ = nullptr;
    mm_settings = settings_;
  }
  mm_struct* mm() const { return mm_; }

  long map(unsigned long addr, unsigned long len, unsigned long prot = kRW, unsigned long flags = kAnon | MAP_FIXED) {
    return call(sys_mmap, addr, len, prot, flags, -1ul, 0);
  }
  long place(unsigned long len, unsigned long prot = kRW, unsigned long flags = kAnon) { return map(0, len, prot, flags); }
  long unmap(unsigned long addr, unsigned long len) { return call(sys_munmap, addr, len); }
  long protect(unsigned long addr, unsigned long len, unsigned long prot) { return call(sys_mprotect, addr, len, prot); }

  bool poke(unsigned long addr, int v) { return put_user(v, reinterpret_cast<int*>(addr)) == 0; }
  int peek(unsigned long addr) {  // -1: fault
    int v = -1;
    return get_user(v, reinterpret_cast<const int*>(addr)) ? -1 : v;
  }
  int areas() const { return mm_->map_count; }
  const vm_area_struct* area(int n) const {
    const vm_area_struct* v = mm_->mmap;
    while (v && n--) v = v->vm_next;
    return v;
  }
  bool valid() const { return vma_tree_valid(mm_); }
  long anon_pages() const { return get_mm_counter(mm_, MM_ANONPAGES); }

  // What a touch from user mode would meet: 0 or signo * 256 + si_code.
  int touch(unsigned long addr, unsigned flags) {
    FaultInfo info;
    if (handle_user_fault(addr, flags | arch::kFaultUser, &info)) return 0;
    return info.signo * 256 + info.si_code;
  }

 private:
  kunit* test_;
  mm_struct* mm_;
  MmSettings settings_ = mm_settings;  // as they were: put back at the end
};
inline constexpr int kSegvMap = SIGSEGV * 256 + 1, kSegvAcc = SIGSEGV * 256 + 2, kBusAdr = SIGBUS * 256 + 2;

// "start-end flags" of all areas, relative to kBase in pages: [0,2)rw- [3,4)r--s ...
inline const char* shape(const UserSpace& u, char* buf, size_t size) {
  size_t n = 0;
  buf[0] = 0;
  const vm_area_struct* v;
  for_each_vma_of(u.mm(), v) {
    n += scnprintf(buf + n, size - n, "%s[%ld,%ld)%s%s%s%s", n ? " " : "", static_cast<long>(v->vm_start - kBase) >> 12,
                   static_cast<long>(v->vm_end - kBase) >> 12, v->vm_flags & VM_READ ? "r" : "-",
                   v->vm_flags & VM_WRITE ? "w" : "-", v->vm_flags & VM_EXEC ? "x" : "-",
                   v->vm_flags & VM_SHARED ? "s" : "");
  }
  return buf;
}
#define EXPECT_SHAPE(test, u, text)                                   \
  do {                                                                \
    char shape_buf_[256];                                             \
    KUNIT_EXPECT_STREQ(test, shape(u, shape_buf_, sizeof(shape_buf_)), text); \
    KUNIT_EXPECT_TRUE(test, (u).valid());                             \
  } while (0)
