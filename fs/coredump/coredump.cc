// The course of a core dump: who dumps, how the other threads come to rest, what file it goes to.
// SPDX-License-Identifier: Apache-2.0
#include "fs/coredump/coredump.hh"

#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "fs/coredump/internal.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

constinit CoreSettings core_settings{};

void coredump_init() {
  core_settings = {};
  strscpy(core_settings.pattern, "core", sizeof(core_settings.pattern));
}

// ---- Threads --------------------------------------------------------------------------------------------------------------

void core_dump_join(CoreDump* core) {
  CoreThread me{current, nullptr};
  me.next = xchg(&core->threads, &me);  // read only after the last has counted down
  if (atomic_dec_and_test(&core->left)) complete(&core->at_rest);
  for (;;) {
    set_current_state(TASK_UNINTERRUPTIBLE);
    if (!READ_ONCE(me.task)) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
}

namespace {

constexpr unsigned long kSmallest = 4096;  // a lower RLIMIT_CORE means none

// Ends the other threads. siglock held. How many of them will come to rest: those that have not begun to exit.
int end_others(task_struct* self) {
  int n = 0;
  task_struct* t;
  for_each_thread(self, t) {
    if (t == self || (data_race(t->flags) & PF_POSTCOREDUMP) || READ_ONCE(t->exit_state)) continue;
    task_clear_jobctl_pending(t, JOBCTL_PENDING_MASK);
    sigaddset(&t->pending.signal, SIGKILL);
    signal_wake_up(t, Wake::Fatal);
    n++;
  }
  return n;
}

// False: the process is dying already, of something else.
bool begin(task_struct* self, CoreDump* core, int sig) {
  signal_struct* s = self->signal;
  IrqOffSpinGuard guard(self->sighand->siglock);
  if ((s->flags & SIGNAL_GROUP_EXIT) || s->group_exec_task) return false;
  start_group_exit(self, sig);
  WRITE_ONCE(self->flags, self->flags | PF_DUMPCORE);
  clear_tsk_thread_flag(self, TIF_SIGPENDING);  // from here on only SIGKILL counts (21 S-13)
  atomic_set(&core->left, end_others(self));
  WRITE_ONCE(s->core, core);
  return true;
}

void wait_for_others(CoreDump* core) {
  if (!atomic_read(&core->left) && !READ_ONCE(core->threads)) return;
  wait_for_completion(&core->at_rest);
  for (CoreThread* t = core->threads; t; t = t->next) wait_task_inactive(t->task, TASK_UNINTERRUPTIBLE);
}

void finish(task_struct* self, CoreDump* core, bool dumped) {
  {
    IrqOffSpinGuard guard(self->sighand->siglock);
    if (dumped) self->signal->group_exit_code |= 0x80;
    WRITE_ONCE(self->signal->core, static_cast<CoreDump*>(nullptr));
  }
  for (CoreThread *t = core->threads, *next; t; t = next) {
    next = t->next;  // t goes with its thread
    task_struct* task = get_task_struct(t->task);
    smp_store_release(&t->task, static_cast<task_struct*>(nullptr));
    wake_up_process(task);
    put_task_struct(task);
  }
}

// ---- The file (X-93) --------------------------------------------------------------------------------------------------------

bool acceptable(const file* f) {
  const inode* i = file_inode(f);
  return S_ISREG(i->i_mode) && i->i_nlink <= 1 && uid_eq(i->i_uid, current->cred->fsuid) && (i->i_mode & 0677) == 0600;
}

// Someone else's rights: nothing of theirs may be overwritten, and where the file goes must not depend on the caller's place.
Result<file*> open_core(const char* name, bool suid_safe) {
  if (suid_safe && name[0] != '/') return fail(EPERM);
  if (!suid_safe) (void)init_unlink(name);
  FileRef f(TRY(filp_open(name, O_CREAT | O_RDWR | O_NOFOLLOW | O_LARGEFILE | O_EXCL, 0600)));
  if (!acceptable(f.get())) return fail(EPERM);
  TRY(vfs_truncate(&f->f_path, 0));
  return f.release();
}

bool dump(const kernel_siginfo* info, const CoreDump* core, int dumpable) {
  const unsigned long limit = rlimit(RLIMIT_CORE);
  if (limit < kSmallest) return false;
  char* name = static_cast<char*>(kmalloc(kCoreNameSize, GFP_KERNEL));
  if (!name) return false;
  const bool named = expand_core_pattern(name, kCoreNameSize, info->si_signo, dumpable, limit);
  auto f = named ? open_core(name, dumpable == SUID_DUMP_ROOT) : fail(EINVAL);
  kfree(name);
  if (!f) return false;
  FileRef to(*f);
  return write_elf_core({info, core, to.get(), limit});
}

// what changed its ids is dumped for root alone.
bool dump_as_root(const kernel_siginfo* info, const CoreDump* core) {
  struct cred* c = prepare_creds();
  if (!c) return false;
  c->fsuid = {0};
  const struct cred* old = override_creds(c);
  const bool dumped = dump(info, core, SUID_DUMP_ROOT);
  revert_creds(old);
  put_cred(c);
  return dumped;
}

}  // namespace

void do_coredump(const kernel_siginfo* info) {
  task_struct* self = current;
  if (!self->mm) return;
  const int dumpable = get_dumpable(self->mm);
  if (dumpable == SUID_DUMP_DISABLE) return;
  CoreDump core{};
  init_completion(&core.at_rest);
  if (!begin(self, &core, info->si_signo)) return;
  wait_for_others(&core);
  finish(self, &core, dumpable == SUID_DUMP_ROOT ? dump_as_root(info, &core) : dump(info, &core, dumpable));
}
