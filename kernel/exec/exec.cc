// execve and execveat: preparing a new program, and the point of no return.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/exec/exec.hh"

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <linux/minmax.h>
#include <new>

#include "fs/binfmt/elf.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/entry/rseq.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/exit/exit.hh"
#include "kernel/fork/fork.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/futex/futex.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "kernel/task/neighbours.hh"
#include "kernel/trace/trace.hh"
#include "mm/exec_mm.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned long kStackMax = 6ul << 20, kArgFloor = 131072;
constexpr int kMaxRewrites = 5;
constexpr unsigned long ADDR_NO_RANDOMIZE = 0x0040000;

const linux_binfmt* const kFormats[] = {&script_format, &elf_format};

// A vector of strings as exec is given it: user pointers to user strings, or the kernel's own. null: empty.
class Strings {
 public:
  enum class Where : unsigned char { User, Kernel };
  Strings(const void* vector, Where where) : vector_(static_cast<const char* const*>(vector)), where_(where) {}

  Result<int> count() const {
    if (!vector_) return 0;
    for (int n = 0;; n++) {
      if (n == 0x7fffffff) return fail(E2BIG);
      if (!TRY(at(n))) return n;
      if ((n & 1023) == 1023 && fatal_signal_pending(current)) return fail(ERESTARTNOHAND);
    }
  }
  Result<void> push_all(ArgPages* to, int n) const {
    while (n-- > 0) {
      const char* text = TRY(at(n));
      TRY(where_ == Where::User ? to->push_user_string(text) : to->push_string(text));
    }
    return {};
  }

 private:
  Result<const char*> at(int i) const {
    if (where_ == Where::Kernel) return vector_[i];
    const char* p;
    if (get_user(p, vector_ + i)) return fail(EFAULT);
    return p;
  }
  const char* const* vector_;
  Where where_;
};

struct ExecRequest {
  int dfd;
  const char* path;  // kernel memory
  Strings argv, envp;
  int flags;  // AT_*
};

// ---- Preparing: nothing of the caller changes ------------------------------------------------------------------------

// The deferred check of setuid (stage 2).
Result<void> check_nproc() {
  if (!(current->flags & PF_NPROC_EXCEEDED)) return {};
  if (is_rlimit_overlimit(current_cred()->ucounts, UCOUNT_RLIMIT_NPROC, rlimit(RLIMIT_NPROC))) return fail(EAGAIN);
  current->flags &= ~PF_NPROC_EXCEEDED;
  return {};
}

bool is_close_on_exec(int fd) {
  SpinGuard guard(current->files->file_lock);
  const fdtable* t = current->files->fdt;
  auto n = static_cast<unsigned>(fd);
  return n < t->max_fds && (t->close_on_exec[n / 64] >> (n % 64) & 1);
}

Result<void> set_filename(linux_binprm* b, const ExecRequest& r) {
  if (r.dfd == AT_FDCWD || r.path[0] == '/') {
    b->filename = kstrdup(r.path, GFP_KERNEL);
  } else {
    b->filename = r.path[0] ? kasprintf(GFP_KERNEL, "/dev/fd/%d/%s", r.dfd, r.path) : kasprintf(GFP_KERNEL, "/dev/fd/%d", r.dfd);
  }
  if (!b->filename) return fail(ENOMEM);
  b->interp = b->filename;
  return {};
}

// Stages 4 to 6.
Result<void> copy_strings(linux_binprm* b, const ExecRequest& r) {
  b->argc = TRY(r.argv.count());
  b->envc = TRY(r.envp.count());
  unsigned long limit = max<unsigned long>(min<unsigned long>(kStackMax, b->stack_limit.rlim_cur / 4), kArgFloor);
  unsigned long pointers = (static_cast<unsigned long>(max(b->argc, 1)) + static_cast<unsigned long>(b->envc)) * 8;
  if (pointers >= limit) return fail(E2BIG);
  static constexpr char kTopZeros[8] = {};
  TRY(b->args.push_bytes(kTopZeros, sizeof(kTopZeros)));
  TRY(b->args.push_string(b->filename));
  b->exec_at = b->args.used();
  b->args.set_limit(b->args.used() + limit - pointers);
  TRY(r.envp.push_all(&b->args, b->envc));
  TRY(r.argv.push_all(&b->args, b->argc));
  if (b->argc == 0) {
    pr_warn_once("process '%s' launched '%s' with NULL argv: empty string added\n", current->comm, b->filename);
    TRY(b->args.push_string(""));
    b->argc = 1;
  }
  return {};
}

Result<void> prepare_creds_of(linux_binprm* b) {
  if (mutex_lock_interruptible(&current->signal->cred_guard_mutex)) return fail(ERESTARTNOINTR);
  b->guarded = true;
  b->cred = prepare_creds();
  if (!b->cred) return fail(ENOMEM);
  judge_safety(b);
  return {};
}

Result<void> read_head(linux_binprm* b) {
  memset(b->buf, 0, sizeof(b->buf));
  loff_t pos = 0;
  ssize_t n = kernel_read(b->file.get(), b->buf, sizeof(b->buf), &pos);
  if (n < 0) return fail(static_cast<int>(-n));
  return {};
}

// Stage 12: finds the format, following scripts to their interpreters.
Result<const linux_binfmt*> find_format(linux_binprm* b) {
  for (int depth = 0;; depth++) {
    if (depth > kMaxRewrites) return fail(ELOOP);
    TRY(read_head(b));
    const linux_binfmt* taken = nullptr;
    for (const linux_binfmt* format : kFormats) {
      Result<void> r = format->prepare(b);
      if (!r && r.error() == Errno(ENOEXEC)) continue;
      TRY(std::move(r));
      taken = format;
      break;
    }
    if (!taken) return fail(ENOEXEC);
    if (!b->next) return taken;
    b->file = std::move(b->next);
    b->next = ExecFile();
  }
}

Result<const linux_binfmt*> prepare_exec(linux_binprm* b, const ExecRequest& r) {
  TRY(check_nproc());
  TRY(set_filename(b, r));
  {
    SpinGuard guard(current->group_leader->alloc_lock);
    b->stack_limit = current->signal->rlim[RLIMIT_STACK];
  }
  TRY(copy_strings(b, r));
  TRY(prepare_creds_of(b));
  b->file = ExecFile(TRY(do_open_execat(r.dfd, r.path, r.flags)));
  b->path_inaccessible = r.dfd != AT_FDCWD && r.path[0] != '/' && is_close_on_exec(r.dfd);
  b->mm = mm_alloc();
  if (!b->mm) return fail(ENOMEM);
  sched_exec();
  const linux_binfmt* format = TRY(find_format(b));
  TRY(bprm_creds_from_file(b));
  return format;
}

// ---- After the point of no return ---------------------------------------------------------------------------------------

void drop_old_mm(mm_struct* old) {
  if (!old) return;
  unsigned long rss = mm_hiwater_rss(old) * 4;
  signal_struct* sig = current->signal;
  if (sig->maxrss < rss) sig->maxrss = rss;
  mmput(old);
}

// the vfork parent goes on once the child has left its memory.
void switch_mm_to(mm_struct* mm) {
  task_struct* t = current;
  if (t->mm) {
    futex_exec_release(t);
    futex_clear_child_tid(t);
  }
  down_write(&t->signal->exec_update_lock);
  mm_struct* old = exec_mmap(mm);
  mm_release_vfork(t);
  drop_old_mm(old);
}

void set_comm_from(const char* filename) {
  const char* base = filename;
  for (const char* p = filename; *p; p++)
    if (*p == '/') base = p + 1;
  SpinGuard guard(current->alloc_lock);
  strscpy(current->comm, base, sizeof(current->comm));
}

bool wants_secure_dumpable(const linux_binprm* b) {
  const struct cred* c = b->cred;
  return b->unreadable || !uid_eq(c->euid, c->uid) || !gid_eq(c->egid, c->gid);
}

// What a new program does not take over from the old one (section 11).
void reset_task(linux_binprm* b) {
  task_struct* t = current;
  t->flags &= ~(PF_RANDOMIZE | PF_FORKNOEXEC | PF_NOFREEZE | PF_NO_SETAFFINITY);
  arch::flush_thread();
  t->personality &= ~b->per_clear;
  if (!(t->personality & ADDR_NO_RANDOMIZE) && randomize_va_space()) t->flags |= PF_RANDOMIZE;
  rseq_execve(t);
  do_close_on_exec(t->files);
  if (b->secureexec) {
    t->pdeath_signal = 0;
    b->stack_limit.rlim_cur = min<unsigned long>(b->stack_limit.rlim_cur, 8ul << 20);
  }
  t->sas_ss_sp = 0;
  t->sas_ss_size = 0;
  t->sas_ss_flags = SS_DISABLE;
  set_dumpable(t->mm, wants_secure_dumpable(b) ? SUID_DUMP_DISABLE : SUID_DUMP_USER);
  set_comm_from(b->filename);
  WRITE_ONCE(t->self_exec_id, t->self_exec_id + 1);
  IrqOffSpinGuard siglock(t->sighand->siglock);  // senders look at the actions
  flush_signal_handlers(t, 0);
}

Result<void> begin_new_exec(linux_binprm* b) {
  TRY(de_thread());
  TRY(unshare_files());
  b->mm->exe_file = b->file.release();  // writing stays denied until the mm drops it
  switch_mm_to(std::exchange(b->mm, nullptr));
  if (!list_empty(&current->signal->posix_timers)) exit_itimers(current);
  if (refcount_read(&current->sighand->count) > 1) {  // by another process
    if (Result<void> own = unshare_sighand(); !own) {
      up_write(&current->signal->exec_update_lock);
      return own;
    }
  }
  reset_task(b);
  commit_creds(std::exchange(b->cred, nullptr));
  pick_mmap_layout(current->mm, b->stack_limit.rlim_cur);
  up_write(&current->signal->exec_update_lock);
  b->guarded = false;
  mutex_unlock(&current->signal->cred_guard_mutex);
  return {};
}

Result<void> replace_program(linux_binprm* b, const linux_binfmt* format) {
  const unsigned long former = ptrace_exec_message();
  const pid_t old_pid = current->pid;
  TRY(begin_new_exec(b));
  TRY(format->load(b, task_pt_regs(current)));
  SpinGuard guard(current->group_leader->alloc_lock);
  current->signal->rlim[RLIMIT_STACK] = b->stack_limit;
  guard.unlock();
  trace_sched_process_exec(current, old_pid, b->filename);
  ptrace_event(PTRACE_EVENT_EXEC, former);
  return {};
}

// whatever fails now kills the process, and nobody sees the error.
void commit_exec(linux_binprm* b, const linux_binfmt* format) {
  if (replace_program(b, format)) return;
  if (!fatal_signal_pending(current)) force_sigsegv(SIGSEGV);
}

Result<void> do_execve(const ExecRequest& r) {
  void* memory = kzalloc(sizeof(linux_binprm), GFP_KERNEL);
  if (!memory) return fail(ENOMEM);
  auto* b = new (memory) linux_binprm;
  current->in_execve = 1;
  Result<const linux_binfmt*> format = prepare_exec(b, r);
  if (format) commit_exec(b, *format);
  current->in_execve = 0;
  b->~linux_binprm();
  kfree(memory);
  if (!format) return std::unexpected<Errno>(format.error());
  return {};
}

long execve_from_user(int dfd, const char* path, const void* argv, const void* envp, int flags) {
  UserName name;
  char empty = 0;
  if (Result<void> got = name.get(path); !got) {
    // "" is an error but with AT_EMPTY_PATH, where the descriptor is meant.
    if (!(flags & AT_EMPTY_PATH) || got.error() != Errno(ENOENT)) return got.error().neg();
  }
  const char* text = name.c_str() ? name.c_str() : &empty;
  return to_abi(do_execve({dfd, text, {argv, Strings::Where::User}, {envp, Strings::Where::User}, flags}));
}

}  // namespace

linux_binprm::~linux_binprm() {
  if (elf) free_elf_image(elf);
  if (in_exec_set) {
    SpinGuard guard(current->fs->lock);
    current->fs->in_exec = 0;
  }
  if (cred) abort_creds(cred);
  if (guarded) mutex_unlock(&current->signal->cred_guard_mutex);
  if (mm) mmput(mm);
  if (interp != filename) kfree(interp);
  kfree(filename);
}

Result<void> linux_binprm::set_interp(const char* name) {
  char* copy = kstrdup(name, GFP_KERNEL);
  if (!copy) return fail(ENOMEM);
  if (interp != filename) kfree(interp);
  interp = copy;
  return {};
}

void start_thread(pt_regs* regs, unsigned long ip, unsigned long sp) {
  const unsigned long nr = regs->orig_ax;  // a tracer sees the end of execve
  *regs = pt_regs{};
  regs->orig_ax = nr;
  regs->ip = ip;
  regs->sp = sp;
  regs->cs = USER_CS;
  regs->ss = USER_DS;
  regs->flags = X86_EFLAGS_IF;
}

Result<void> kernel_execve(const char* filename, const char* const* argv, const char* const* envp) {
  if (WARN_ON(current->flags & PF_KTHREAD) || WARN_ON(!argv || !argv[0])) return fail(EINVAL);
  return do_execve({AT_FDCWD, filename, {argv, Strings::Where::Kernel}, {envp, Strings::Where::Kernel}, 0});
}

SYSCALL_DEFINE3(execve, const char*, path, const void*, argv, const void*, envp) {
  return execve_from_user(AT_FDCWD, path, argv, envp, 0);
}

SYSCALL_DEFINE5(execveat, int, dfd, const char*, path, const void*, argv, const void*, envp, int, flags) {
  if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -EINVAL;
  return execve_from_user(dfd, path, argv, envp, flags);
}
