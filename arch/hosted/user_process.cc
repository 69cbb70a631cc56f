// For test cases: processes whose program is a function, made without a file, and tiny ELF files for those who test exec.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "arch/hosted/user.hh"
#include "arch/hosted/user_entry.hh"
#include "kernel/exit/exit.hh"
#include "kernel/fork/fork.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/task.hh"
#include "mm/mm_struct.hh"

namespace {

constexpr unsigned long kStackTop = 0x7ffffff00000, kStackSize = 1 << 20;
constexpr unsigned long kProtReadWrite = 3, kPrivateAnonymousFixed = 0x32;

struct Launch {
  user::Fn fn;
  unsigned long arg;
  task_struct* task;  // with a reference
  long error;
  completion ready;
};

// Processes started and not waited for yet.
struct Started {
  long pid;
  task_struct* task;
};
constinit Started started[64]{};

long make_address_space() {
  mm_struct* mm = mm_alloc();
  if (!mm) return -ENOMEM;
  mm->mmap_base = kStackTop - (16ul << 20);
  mm->start_brk = mm->brk = 0x10000000;
  if (mm_struct* old = exec_mmap(mm)) mmput(old);
  auto at = vm_mmap(nullptr, kStackTop - kStackSize, kStackSize, kProtReadWrite, kPrivateAnonymousFixed, 0);
  return at ? 0 : at.error().neg();
}

// First code of the new process, still in the kernel; returning goes to user mode.
int begin_program(void* p) {
  auto* launch = static_cast<Launch*>(p);
  {
    IrqSpinGuard siglock(current->sighand->siglock);
    flush_signal_handlers(current, 1);  // kernel threads ignore everything
  }
  const long error = launch->error = make_address_space();
  if (!error) {
    pt_regs* regs = task_pt_regs(current);
    *regs = {};
    regs->ip = reinterpret_cast<unsigned long>(launch->fn);
    regs->r12 = launch->arg;
    regs->sp = kStackTop - 64;
    regs->cs = USER_CS;
    regs->ss = USER_DS;
    regs->flags = X86_EFLAGS_IF;
    get_task_struct(current);
    launch->task = current;
  }
  complete(&launch->ready);
  if (error) do_exit(SIGKILL);
  return 0;
}

Started* slot_of(long pid) {
  for (Started& s : started)
    if (s.pid == pid) return &s;
  return nullptr;
}

// The wait status once the whole group is dead; negative before.
long group_status(const task_struct* t) {
  ReadGuard tasklist(tasklist_lock);
  if (!t->exit_state || atomic_read(&t->signal->live)) return -1;
  return t->signal->flags & SIGNAL_GROUP_EXIT ? t->signal->group_exit_code : t->exit_code;
}

}  // namespace

namespace hosted {
void user_process_clear() {
  for (Started& s : started) s = {};
}
}  // namespace hosted

namespace user {

long start_process(Fn fn, unsigned long arg) {
  Started* slot = slot_of(0);
  if (!slot) return -EAGAIN;
  auto* launch = static_cast<Launch*>(kzalloc(sizeof(Launch), GFP_KERNEL));
  if (!launch) return -ENOMEM;
  launch->fn = fn;
  launch->arg = arg;
  init_completion(&launch->ready);
  long pid = user_mode_thread(begin_program, launch, SIGCHLD);
  if (pid > 0) {
    wait_for_completion(&launch->ready);
    if (launch->error)
      pid = launch->error;
    else
      *slot = {pid, launch->task};
  }
  kfree(launch);
  return pid;
}

long wait_process(long pid) {
  Started* slot = pid > 0 ? slot_of(pid) : nullptr;
  if (!slot) return -ECHILD;
  task_struct* t = slot->task;
  long status;
  while ((status = group_status(t)) < 0) schedule_timeout_uninterruptible(1);
  *slot = {};
  put_task_struct(t);
  return status;
}

long run_process(Fn fn, unsigned long arg) {
  long pid = start_process(fn, arg);
  return pid < 0 ? pid : wait_process(pid);
}

size_t make_elf(Fn fn, unsigned char* buffer, size_t size) {
  struct Header {
    unsigned char ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    // the one program header
    u32 p_type, p_flags;
    u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
  };
  static_assert(sizeof(Header) == 64 + 56);
  if (size < kElfSize) return 0;
  memset(buffer, 0, kElfSize);
  Header h{};
  constexpr unsigned char kIdent[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
  memcpy(h.ident, kIdent, sizeof kIdent);
  h.type = 2;  // ET_EXEC
  h.machine = 62;
  h.version = 1;
  h.entry = reinterpret_cast<u64>(fn);  // not in the segment: nobody fetches instructions from it
  h.phoff = 64;
  h.ehsize = 64;
  h.phentsize = 56;
  h.phnum = 1;
  h.p_type = 1;           // PT_LOAD
  h.p_flags = 1 | 2 | 4;  // read, write, execute
  h.p_vaddr = h.p_paddr = 0x10000000;
  h.p_filesz = kElfSize;
  h.p_memsz = 2 * kElfSize;  // the second page: bss
  h.p_align = 0x1000;
  memcpy(buffer, &h, sizeof h);
  return kElfSize;
}

}  // namespace user
