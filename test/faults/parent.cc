// Processes that sweeps are about.
// SPDX-License-Identifier: Apache-2.0
#include "test/faults/parent.hh"

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/mman.h>
#include <uapi/linux/wait.h>

#include "arch/hosted/user.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/exit/exit.hh"
#include "kernel/exit/wait.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

extern "C" {
long sys_close(const pt_regs*);
long sys_dup(const pt_regs*);
long sys_eventfd2(const pt_regs*);
long sys_ftruncate(const pt_regs*);
long sys_madvise(const pt_regs*);
long sys_memfd_create(const pt_regs*);
long sys_mlock(const pt_regs*);
long sys_pipe2(const pt_regs*);
}

namespace faults {
namespace {

constexpr unsigned long kReadWrite = PROT_READ | PROT_WRITE, kAnonymous = MAP_ANONYMOUS | MAP_FIXED;

long map_at(unsigned long at, unsigned long pages, unsigned long flags, file* f = nullptr) {
  auto got = vm_mmap(f, at, pages * kPage, kReadWrite, flags | MAP_FIXED, 0);
  return got ? 0 : got.error().neg();
}

long make_address_space() {
  mm_struct* mm = mm_alloc();
  if (!mm) return -ENOMEM;
  mm->mmap_base = 0x7ff000000000;
  mm->start_brk = mm->brk = 0x10000000;
  if (mm_struct* old = exec_mmap(mm)) mmput(old);
  if (long e = map_at(kArgs, 1, MAP_SHARED | kAnonymous)) return e;
  if (long e = map_at(kPrivate, 1, MAP_PRIVATE | kAnonymous)) return e;
  const unsigned magic = kMagic, zero = 0;
  if (copy_to_user(reinterpret_cast<void*>(kPrivate), &magic, sizeof magic)) return -EFAULT;
  return copy_to_user(reinterpret_cast<void*>(kArgs), &zero, sizeof zero) ? -EFAULT : 0;
}

long ends_process(unsigned long) { return 0; }
long ends_thread(unsigned long) {
  for (;;) user::sys(__NR_exit, 0);
}

void reap_any() {
  WaitEvent event;
  while (do_wait({PIDTYPE_MAX, nullptr, WEXITED | WNOHANG | __WALL}, &event) > 0) {}
}

}  // namespace

// Current is an ancestor, each next one the init of a namespace of its own, but for the last.
void Process::descend() {
  const unsigned long flags = depth_-- > 1 ? CLONE_NEWPID | SIGCHLD : SIGCHLD;
  const pid_t next = user_mode_thread(main, this, flags);
  if (next > 0) {
    wait_for_completion(&over_);
    return wait_until_gone(next);
  }
  error_ = next;
  complete_all(&over_);
  complete(&done_);
}

int Process::main(void* self) {
  auto* p = static_cast<Process*>(self);
  {
    IrqOffSpinGuard guard(current->sighand->siglock);
    flush_signal_handlers(current, 1);  // kernel threads ignore everything
  }
  if (p->depth_ > 0) {
    p->descend();
    do_exit(0);
  }
  // Leaves of the tables of numbers stay once made: later ones shall not look like leaks.
  for (pid_namespace* ns = task_active_pid_ns(current); ns; ns = ns->parent)
    for (int nr = 1; nr < 16384; nr += PidTable::kLeafSlots) (void)ns->table.grow(nr);
  p->error_ = make_address_space();
  const int status = p->error_ ? 0 : p->body_(p->context_);
  complete_all(&p->over_);
  complete(&p->done_);
  do_exit((status & 0xff) << 8);
}

void Process::start(kunit* test, int (*body)(void*), void* context, int depth) {
  test_ = test, body_ = body, context_ = context, error_ = 0, depth_ = depth;
  init_completion(&done_);
  init_completion(&over_);
  nr_ = user_mode_thread(main, this, depth ? CLONE_NEWPID | SIGCHLD : SIGCHLD);
  KUNIT_ASSERT_GT(test, nr_, 0);
}

void Process::join() {
  wait_for_completion(&done_);
  KUNIT_EXPECT_EQ(test_, error_, 0l);
  wait_until_gone(nr_);
}

void run_parent(kunit* test, int (*body)(void*), void* context) {
  Process p;
  p.start(test, body, context);
  p.join();
}

void children_end(unsigned long clone_flags) {
  pt_regs* regs = task_pt_regs(current);
  *regs = {};
  regs->ip = reinterpret_cast<unsigned long>(clone_flags & CLONE_THREAD ? ends_thread : ends_process);
  regs->sp = kPrivate + kPage - 64;
  regs->cs = USER_CS;
  regs->ss = USER_DS;
  regs->flags = X86_EFLAGS_IF;
}

void wait_until_gone(pid_t nr) {
  for (;;) {
    reap_any();
    struct pid* pid = find_get_pid(nr);
    if (!pid) return;
    bool used;
    {
      RcuReadGuard rcu;
      used = pid_task(pid, PIDTYPE_PID) != nullptr;
    }
    put_pid(pid);
    if (!used) return;
    msleep(1);
  }
}

void wait_until_alone() {
  while (READ_ONCE(current->signal->nr_threads) > 1) msleep(1);
}

void take_signals() {
  ksignal taken;
  while (signal_pending(current)) (void)get_signal(&taken);
}

long open_many_files() {
  for (int n = 0; n < 200;) {
    const int kind = n / 2 % 3;
    if (kind == 0) {
      if (long e = call(sys_pipe2, kFds, n % 4 ? O_CLOEXEC : 0)) return e;
      n += 2;
      continue;
    }
    const long fd = kind == 1 ? call(sys_eventfd2, 0, n % 3 ? O_CLOEXEC : 0) : call(sys_dup, n / 2);
    if (fd < 0) return fd;
    n++;
  }
  return 0;
}

long map_many_areas() {
  const char name[] = "areas";
  if (copy_to_user(reinterpret_cast<void*>(kName), name, sizeof name)) return -EFAULT;
  const long fd = call(sys_memfd_create, kName, 0);
  if (fd < 0) return fd;
  if (long e = call(sys_ftruncate, fd, 4 * kPage)) return e;
  struct file* f = fget(static_cast<unsigned>(fd));
  long error = 0;
  for (unsigned long i = 0; i < 50 && !error; i++) {
    const unsigned long at = 0x30000000 + i * 0x400000;  // page tables of their own, each second one
    const bool of_file = i % 5 < 2, shared = i % 2;
    error = map_at(at, 2 + i % 3, (shared ? MAP_SHARED : MAP_PRIVATE) | (of_file ? 0 : MAP_ANONYMOUS), of_file ? f : nullptr);
    const unsigned long word = i;
    if (!error && i % 4 && copy_to_user(reinterpret_cast<void*>(at + kPage), &word, sizeof word)) error = -EFAULT;
    if (!error && i % 7 == 3) error = call(sys_mlock, at, kPage * 2);
    if (!error && i % 7 == 4) error = call(sys_madvise, at, kPage * 2, MADV_DONTFORK);
    if (!error && i % 10 == 8) error = call(sys_madvise, at, kPage * 2, MADV_WIPEONFORK);
  }
  fput(f);
  call(sys_close, fd);
  return error;
}

}  // namespace faults
