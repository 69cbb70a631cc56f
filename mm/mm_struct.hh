// Address spaces: mm_struct and vm_area_struct (spec 41 sections 3 and 4, 22 section 4).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/wait_types.h>

#include <linux/compiler.h>

#include "lib/result.hh"

struct file;
struct mm_struct;
struct vm_fault;
struct page;
struct user_namespace;

// vm_flags; values are seen in /proc/PID/smaps and by drivers
enum : unsigned long {
  VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4, VM_SHARED = 8, VM_MAYREAD = 0x10, VM_MAYWRITE = 0x20, VM_MAYEXEC = 0x40,
  VM_MAYSHARE = 0x80, VM_GROWSDOWN = 0x100, VM_PFNMAP = 0x400, VM_LOCKED = 0x2000, VM_IO = 0x4000,
  VM_SEQ_READ = 0x8000, VM_RAND_READ = 0x10000, VM_DONTCOPY = 0x20000, VM_DONTEXPAND = 0x40000,
  VM_LOCKONFAULT = 0x80000, VM_ACCOUNT = 0x100000, VM_NORESERVE = 0x200000, VM_WIPEONFORK = 0x02000000,
  VM_DONTDUMP = 0x04000000, VM_SOFTDIRTY = 0x08000000, VM_MIXEDMAP = 0x10000000, VM_NOHUGEPAGE = 0x40000000,
};

struct vm_operations_struct {
  void (*open)(struct vm_area_struct*);
  void (*close)(struct vm_area_struct*);
  // Gives the page for vmf->pgoff with a reference in vmf->page_, or fails with an errno (EFAULT: SIGBUS). May sleep.
  Result<void> (*fault)(vm_fault* vmf);
  const char* (*name)(struct vm_area_struct*);
  // Gives up to n pages that are at hand, from file page `first` on, with references; null where there is none. Must not
  // sleep. Optional: lets a read fault map its neighbours too.
  void (*pages_at_hand)(struct vm_area_struct*, unsigned long first, unsigned n, page** out);
};
struct vm_fault {
  struct vm_area_struct* vma;
  unsigned long address;  // page aligned
  unsigned long pgoff;    // of the page in the file
  unsigned flags;         // arch::kFault*
  page* page_;            // result of fault()
};

struct vm_area_struct {
  unsigned long vm_start, vm_end;  // end exclusive
  mm_struct* vm_mm;
  unsigned long vm_flags;
  unsigned long vm_pgoff;  // in pages; for private anonymous memory start >> 12 at creation
  struct file* vm_file;
  const vm_operations_struct* vm_ops;
  void* vm_private_data;
  // Neighbours by address, and the tree (mm/vma_tree.hh); mmap_lock.
  vm_area_struct *vm_next, *vm_prev;
  vm_area_struct *tree_up, *tree_left, *tree_right;
  unsigned long tree_gap;   // largest hole before any area of this subtree
  unsigned tree_priority;   // a heap by this, a search tree by address
  // A private page (or the zero page) was mapped here once, so fork must copy the page tables (F-83). Set by faults
  // under mmap_lock held for reading, hence atomic; never cleared.
  bool vm_has_anon;
  struct list_head i_mmap_link;  // vm_file's mapping; its i_mmap_lock. Empty without a file
};

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };

struct mm_struct {
  atomic_t mm_users;  // tasks and temporary users of the mappings; 0: exit_mmap
  atomic_t mm_count;  // references to the struct; all of mm_users count as one
  void* pgd;          // kernel address of the top-level table
  vm_area_struct *mmap, *mmap_last;  // by address, linked through vm_next; mmap_lock
  vm_area_struct* vma_tree;          // mmap_lock
  vm_area_struct* vma_cache;         // last found. A hint, written by readers too: use READ_ONCE
  unsigned tree_seed;
  int map_count;                     // mmap_lock
  unsigned long mmap_base, task_size;
  struct rw_semaphore mmap_lock;  // VMAs and layout: read to fault or look up, write to change
  spinlock_t page_table_lock;     // all entries of all tables
  atomic_long_t pgtables_bytes;
  unsigned long total_vm, data_vm, exec_vm, stack_vm, locked_vm, pinned_vm;  // pages; mmap_lock
  unsigned long hiwater_rss, hiwater_vm;
  atomic_long_t rss_stat[NR_MM_COUNTERS];  // pages
  spinlock_t arg_lock;                     // arg_*, env_*, brk bounds
  unsigned long start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
  unsigned long arg_start, arg_end, env_start, env_end;
  unsigned long saved_auxv[2 * 24];
  unsigned long flags;      // dumpable in bits 0-1, core filter in 2-10
  unsigned long def_flags;  // for new mappings: VM_LOCKED after mlockall(MCL_FUTURE)
  struct file* exe_file;
  user_namespace* user_ns;
  cpumask_t cpu_bitmap;  // CPUs that have these tables loaded (spec 22 C-20)
  atomic64_t tlb_gen;
  unsigned membarrier_state;
};

extern mm_struct init_mm;

inline unsigned long vma_pages(const vm_area_struct* vma) { return (vma->vm_end - vma->vm_start) >> 12; }
#define for_each_vma_of(mm, vma) for (vma = (mm)->mmap; vma; vma = vma->vm_next)  // mmap_lock

// mm->flags: how /proc and ptrace may look at a process (prctl(2) PR_SET_DUMPABLE)
enum : int { SUID_DUMP_DISABLE = 0, SUID_DUMP_USER = 1, SUID_DUMP_ROOT = 2 };
inline constexpr unsigned long MMF_DUMPABLE_MASK = 3, MMF_DUMP_FILTER_SHIFT = 2, MMF_DUMP_FILTER_MASK = 0x1ffu << 2;
inline constexpr unsigned long MMF_INIT_MASK = MMF_DUMPABLE_MASK | MMF_DUMP_FILTER_MASK;  // what fork copies
inline constexpr unsigned long MMF_OOM_VICTIM = 1u << 25, MMF_OOM_SKIP = 1u << 21,
                               MMF_LEGACY_LAYOUT = 1u << 30;  // mappings grow up from mmap_base
inline int get_dumpable(const mm_struct* mm) { return READ_ONCE(mm->flags) & MMF_DUMPABLE_MASK; }
void set_dumpable(mm_struct* mm, int value);

inline unsigned long get_mm_counter(const mm_struct* mm, int which) {
  long v = atomic_long_read(&mm->rss_stat[which]);
  return v < 0 ? 0 : v;
}
inline unsigned long get_mm_rss(const mm_struct* mm) {
  return get_mm_counter(mm, MM_FILEPAGES) + get_mm_counter(mm, MM_ANONPAGES) + get_mm_counter(mm, MM_SHMEMPAGES);
}
inline void add_mm_counter(mm_struct* mm, int which, long pages) { atomic_long_add(pages, &mm->rss_stat[which]); }
unsigned long mm_hiwater_rss(const mm_struct* mm);  // pages; the present value if that is higher
unsigned long mm_hiwater_vm(const mm_struct* mm);

// References (mm/mm.cc).
inline void mmgrab(mm_struct* mm) { atomic_inc(&mm->mm_count); }
void __mmdrop(mm_struct* mm);  // may be called with preemption off
inline void mmdrop(mm_struct* mm) {
  if (atomic_dec_and_test(&mm->mm_count)) __mmdrop(mm);
}
inline void mmget(mm_struct* mm) { atomic_inc(&mm->mm_users); }
inline bool mmget_not_zero(mm_struct* mm) { return atomic_inc_not_zero(&mm->mm_users); }
void mmput(mm_struct* mm);                                              // may sleep
mm_struct* get_task_mm(struct task_struct* t);                          // null for kernel threads; reference taken
mm_struct* mm_alloc();                                                  // null: no memory. One user, one count
Result<mm_struct*> dup_mm(struct task_struct* child, mm_struct* old);   // fork's copy (F-81..F-88); ENOMEM
vm_area_struct* find_vma(mm_struct* mm, unsigned long addr);            // first with vm_end > addr; mmap_lock

// VMA operations on current->mm (mm/mmap.cc). They take mmap_lock. prot, flags: PROT_*, MAP_*.
Result<unsigned long> vm_mmap(struct file* file, unsigned long addr, unsigned long len, unsigned long prot,
                              unsigned long flags, unsigned long offset);
Result<void> vm_munmap(unsigned long start, size_t len);
Result<void> vm_brk_flags(unsigned long addr, unsigned long len, unsigned long vm_flags);

// A fault on a user address, from user mode or from a user copy (mm/fault.cc). flags: arch::kFault*.
// Maps the page and returns {}, or fails: EFAULT with the signal to send in *info (SIGSEGV or SIGBUS), ENOMEM, or EINTR
// when a fatal signal is pending. May sleep. current->mm must not be null.
struct FaultInfo {
  int signo = 0, si_code = 0;
};
Result<void> handle_user_fault(unsigned long addr, unsigned flags, FaultInfo* info);

// Access to another process's memory, for /proc/PID/mem, ptrace, cmdline and environ (mm/remote.cc). Copies up to len bytes
// and returns how many; 0 if not even the first page is there. kForceAccess overrides missing VM_READ/VM_WRITE, breaking COW
// in a private mapping instead of touching its file (M-75). Takes mmap_lock, may sleep; the caller holds mm_users.
enum class RemoteAccess : unsigned char { Read, Write, ForceRead, ForceWrite };
long access_remote_vm(mm_struct* mm, unsigned long addr, void* buf, long len, RemoteAccess how);
// For core dumps: the page at addr, if it has any contents that somebody gave it; false: as good as a hole. Takes mmap_lock.
bool copy_page_for_dump(mm_struct* mm, unsigned long addr, void* to);

// What a futex word in shared memory is, wherever it is mapped (spec 60 section 2): the object whose page it lies in, and the
// page's index there; the mm and the page address for private memory. EFAULT if not mapped, or (rule F-11) if a private
// anonymous page is read-only. Faults the page in; may sleep. No reference is kept (F-31).
struct MemoryIdentity {
  const void* object;
  unsigned long index;
  bool shared;  // object is an address_space, not the mm
};
Result<MemoryIdentity> memory_identity(unsigned long addr);
// Makes a user word writable (or fails with EFAULT), outside of pagefault_disable sections.
Result<void> fault_in_user_writeable(unsigned long addr);

// fork, exit and OOM helpers
void exit_mm_release(struct task_struct* t, mm_struct* mm);
// Makes current use mm instead of its own (exec); the old one is returned with its user reference, null if none.
mm_struct* exec_mmap(mm_struct* mm);
// The OOM killer (mm/oom.cc, spec 41 section 11); called by the page allocator. True: a victim was killed or is dying, so try
// again. May sleep.
bool out_of_memory(gfp_t gfp, unsigned order);
bool tsk_is_oom_victim(const struct task_struct* t);  // may use the reserves
long oom_badness(struct task_struct* t, unsigned long totalpages);  // LONG_MIN: must not be killed. RCU or tasklist_lock
