// The arch interface: all that the kernel asks of a machine. arch/x86 and arch/hosted implement every line of it and
// nothing else is visible of them. Hot one-liners are inline in the machine's own <arch/machine.hh>, which this header
// includes and whose presence check_contract.hh asserts; the rest is implemented in arch/<machine>/*.cc.
//
// Conventions: "any context" includes hard interrupts. Addresses of user memory are `unsigned long`.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/ptrace.h>
#include <linux/types.h>

#include "arch/contract/cpu_block.hh"
#include <span>
#include <string_view>

#include "lib/result.hh"

struct mm_struct;
struct task_struct;
struct page;
struct kernel_clone_args;

namespace arch {

// ---- Boot -------------------------------------------------------------------------------------------------------
struct MemoryRegion {
  phys_addr_t start, end;  // end exclusive, page aligned inwards
};
struct BootInfo {
  std::string_view command_line;
  std::span<const MemoryRegion> usable;    // RAM that the page allocator may own: image, initrd, tables already left out
  std::span<const unsigned char> initrd;   // empty: none. Mapped, never changed
  MemoryRegion initrd_phys;                // given back to the allocator after unpacking (start == end: not)
  unsigned nr_cpus;                        // possible CPUs
};
const BootInfo& boot_info();

// ---- This CPU (inline in machine.hh) ----------------------------------------------------------------------------
//   CpuBlock& cpu_block();           the block of the CPU that executes; valid while preemption or interrupts are off
//   task_struct* current_task();     always valid: a task keeps its own value wherever it runs
//   unsigned cpu_id();
//   int preempt_count(); void preempt_count_add(int); bool preempt_count_dec_and_test();  // see kernel/sync/preempt.hh
//   unsigned long irq_save(); void irq_restore(unsigned long); void irq_disable(); void irq_enable();
//   bool irqs_disabled();
//   void cpu_relax();                 in every busy-wait loop
//   void yield_point(PreemptPoint);   tells the machine that another CPU could act here; nothing on x86
enum class PreemptPoint : unsigned char { Lock, Unlock, IrqEnable, Wake, Switch, Atomic, Syscall };
CpuBlock& cpu_block_of(unsigned cpu);  // of any possible CPU

// Waits for the next interrupt. Called by the idle task with interrupts off and NEED_RESCHED clear; interrupts are
// enabled and the wait begun in one step, so that no wake-up falls between (spec 22 C-80). Returns with interrupts on.
void idle_wait();

// ---- Other CPUs --------------------------------------------------------------------------------------------------
enum class Ipi : unsigned char { Reschedule, CallFunction, Stop, TimerBroadcast };
void send_ipi(unsigned cpu, Ipi what);           // any context; the target calls handle_ipi() (kernel/entry)
// May sleep; one CPU at a time. The CPU calls cpu_startup() (kernel/cpu) on idle's stack, from its top; it has never been started
// or has begun cpu_play_dead().
Result<void> start_cpu(unsigned cpu, task_struct* idle);
// This CPU executes nothing until it is started again. In its idle task, interrupts off, init_mm loaded, no timer programmed.
[[noreturn]] void cpu_play_dead();
// CPUs with the same number share the thing. Cores are numbered through all packages.
struct CpuPlace {
  unsigned package, cache, core;  // cache: the last-level one
};
CpuPlace cpu_place(unsigned cpu);  // of a possible CPU

// ---- Clocks ------------------------------------------------------------------------------------------------------
u64 clock_ns();        // monotonic since boot, any context, same on all CPUs
u64 boot_wall_ns();    // CLOCK_REALTIME at clock_ns() == 0
// One-shot: timer_interrupt() (kernel/time) runs on this CPU at or soon after the time; replaces the earlier setting.
// ~0ull: none. Interrupts off.
void timer_program(u64 deadline_ns);

// ---- Tasks -------------------------------------------------------------------------------------------------------
// Switches registers and stack. Interrupts off, rq lock held. Returns, on next's stack, the task that ran before
// (spec 22 C-10). A task made by copy_thread arrives in task_entry() (kernel/entry/entry.hh) instead.
task_struct* switch_to(task_struct* prev, task_struct* next);
// Sets up child's switch frame, its pt_regs being filled in already. Fails with ENOMEM only, leaving nothing.
Result<void> copy_thread(task_struct* child, task_struct* parent, const kernel_clone_args& args);
void exit_thread(task_struct* t);    // gives back what copy_thread took; t never runs again, may be half-made
void flush_thread();                 // exec's point of no return: current's FPU, TLS, debug state as new
unsigned long task_pc(const task_struct* t);  // saved kernel pc of a task that does not run, for wchan
Result<void> set_tls(task_struct* t, unsigned long base);  // FS base; EPERM if not a user address
void kernel_stack_ready(void* stack);  // a stack was allocated or taken from the cache / is about to be freed:
void kernel_stack_gone(void* stack);   // lets the machine tell its sanitizers

// For a tracer: of a task that is stopped, off its CPU and cannot go on meanwhile.
struct UserSegments {
  unsigned long fs_base, gs_base;
  u16 ds, es, fs, gs;
};
UserSegments user_segments(const task_struct* t);
void set_user_segments(task_struct* t, const UserSegments& s);  // bases are user addresses; a selector that is none counts as 0
size_t fpu_regset_size();  // the whole FPU state as NT_X86_XSTATE shows it, its first 512 bytes as FXSAVE does; 0: there is none
void fpu_regset_get(const task_struct* t, void* to);
Result<void> fpu_regset_set(task_struct* t, const void* from, size_t n);  // 512 bytes or all; EINVAL: the CPU would refuse it
unsigned long debug_register(const task_struct* t, unsigned n);           // 0 to 7
Result<void> set_debug_register(task_struct* t, unsigned n, unsigned long value);  // EIO no such, EINVAL not for users, ENOMEM

// ---- User mode ---------------------------------------------------------------------------------------------------
enum class UserExitKind : unsigned char { Syscall, Fault, Exception, Interrupt };
struct UserExit {
  UserExitKind kind;
  unsigned char vector;        // Exception: the x86 vector (spec 10 section 5.4)
  unsigned error;              // Fault, Exception: error code, page-fault bits below
  unsigned long address;       // Fault: the address
};
inline constexpr unsigned kFaultPresent = 1, kFaultWrite = 2, kFaultUser = 4, kFaultFetch = 16;
// Enters user mode with regs and returns when it comes back; interrupts off on entry and on return. Interrupts have
// been handled already when kind is Interrupt. Called from user_loop() (kernel/entry) alone.
UserExit user_run(pt_regs* regs);

// The vDSO: an ELF object to be mapped readable and executable, whose clocks read a data page mapped read-only right
// below it. Empty: this machine has none. wall_offset_ns: CLOCK_REALTIME less clock_ns(); one writer at a time.
std::span<const unsigned char> vdso_image();
void vdso_set_clock(void* data_page, s64 wall_offset_ns);
void vdso_send_to_kernel(void* data_page);  // readers of this page make the system call, always

// User memory. May fault and sleep unless page faults are disabled (then they fail). The address has passed
// access_ok(). Return the number of bytes NOT copied; no exception leaves them.
unsigned long raw_copy_from_user(void* dst, unsigned long src, unsigned long n);
unsigned long raw_copy_to_user(unsigned long dst, const void* src, unsigned long n);
unsigned long raw_clear_user(unsigned long dst, unsigned long n);
// Length without NUL, or max if none within it; -EFAULT. Copies at most max bytes.
long raw_strncpy_from_user(char* dst, unsigned long src, long max);
long raw_cmpxchg_user_u32(unsigned long addr, u32 old, u32 desired, u32* found);  // 0 or -EFAULT
long raw_atomic_op_user_u32(unsigned long addr, int op, u32 arg, u32* old);         // FUTEX_OP_*; 0 or -EFAULT

unsigned long elf_hwcap();  // AT_HWCAP: what CPUID says the CPU can do

// FPU part of a signal frame. Size is 64-byte aligned; save and restore return 0 or -EFAULT.
size_t fpu_frame_size();
long fpu_save_to_user(unsigned long addr);     // done, and current goes on in the initial state
long fpu_restore_from_user(unsigned long addr);  // 0: reset to the initial state

// ---- Memory ------------------------------------------------------------------------------------------------------
// inline in machine.hh: void* phys_to_virt(phys_addr_t); phys_addr_t virt_to_phys(const void*)  (direct map)
// Page-table format: <arch/pgtable.hh>; see arch/contract/pgtable.md.
Result<void> pgd_init(void* pgd_page);  // a fresh zeroed top-level page gets the kernel's half
void pgd_destroy(void* pgd_page);
// Loads next's tables on this CPU; interrupts off. prev may equal next. A full barrier (spec 22 C-17).
void switch_mm(mm_struct* prev, mm_struct* next);
void enter_lazy_tlb(mm_struct* mm);
void flush_tlb_mm(mm_struct* mm);                                             // all CPUs that have it loaded
void flush_tlb_range(mm_struct* mm, unsigned long start, unsigned long end);
// Kernel mappings for vmalloc: pages at [va, va+n pages), read-write, never executable. May fail with ENOMEM.
Result<void> vmap_range(unsigned long va, std::span<page* const> pages);
void vunmap_range(unsigned long va, unsigned long size);
struct KernelRange {
  unsigned long start, end;
};
KernelRange vmalloc_area();
unsigned long vmap_table_pages();  // pages that vmap_range has taken for tables and keeps as long as the world lasts
void clear_page(void* p);
void copy_page(void* dst, const void* src);

// ---- Console, stop, diagnosis --------------------------------------------------------------------------------------
void console_write(std::span<const char> text);  // any context, polled; '\n' becomes CR LF where a terminal needs it
// Input arrives through console_input() (fs/tty) from an interrupt.
enum class Stop : unsigned char { Halt, PowerOff, Restart, Panic };
[[noreturn]] void machine_stop(Stop how, int status);  // status: what the host sees where it can see one
void dump_stack_of(const task_struct* t);  // null: the running context. printk's it, symbolised
void show_regs(const pt_regs* regs);
// The lines of /proc/cpuinfo for one CPU, given piece by piece to emit.
void show_cpuinfo(unsigned cpu, void (*emit)(void* to, const char* text), void* to);
u64 entropy();  // hardware randomness, seeded in deterministic hosted runs

}  // namespace arch

#include <arch/machine.hh>
