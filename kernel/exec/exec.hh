// Running programs. Spec 40.
//
//   prepare_exec    may fail, changes nothing of the caller      (stages 1 to 13)
//   commit_exec     no way back: a failure kills the process     (stages 14 to 17)
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"
#include "kernel/exec/arg_pages.hh"
#include "kernel/task/task.hh"

// Runs a program in place of the calling user-mode thread (pid 1 before its first). Kernel strings. May sleep.
Result<void> kernel_execve(const char* filename, const char* const* argv, const char* const* envp);

// A file opened for execution; nobody may write to it while it is held.
class ExecFile {
 public:
  ExecFile() = default;
  explicit ExecFile(file* f) : f_(f) {}
  ExecFile(ExecFile&& o) : f_(std::exchange(o.f_, nullptr)) {}
  ExecFile& operator=(ExecFile&& o) {
    std::swap(f_, o.f_);
    return *this;
  }
  ~ExecFile() {
    if (!f_) return;
    allow_write_access(file_inode(f_));
    fput(f_);
  }
  file* get() const { return f_; }
  explicit operator bool() const { return f_; }
  file* release() { return std::exchange(f_, nullptr); }

 private:
  file* f_ = nullptr;
};

struct ElfImage;  // fs/binfmt/elf.hh
inline constexpr size_t BINPRM_BUF_SIZE = 256;

// All that a new program is made of until it runs. Owned by the exec call; its destructor undoes everything.
struct linux_binprm {
  ArgPages args;
  int argc = 0, envc = 0;
  char* filename = nullptr;     // what the caller named, or /dev/fd/N/path; owned
  char* interp = nullptr;       // what is executed at this level; owned if different
  bool path_inaccessible = false;  // the name goes through a descriptor that exec closes
  ExecFile file;                // the file looked at now
  ExecFile next;                // set by a handler: look at this one instead
  struct cred* cred = nullptr;
  mm_struct* mm = nullptr;
  rlimit stack_limit{};
  unsigned unsafe = 0;
  unsigned long per_clear = 0;  // personality bits to take off
  bool secureexec = false, unreadable = false, guarded = false, in_exec_set = false;
  size_t exec_at = 0;           // AT_EXECFN's string, in bytes below the top of the stack
  ElfImage* elf = nullptr;
  unsigned char buf[BINPRM_BUF_SIZE];

  linux_binprm() = default;
  linux_binprm(const linux_binprm&) = delete;
  ~linux_binprm();
  Result<void> set_interp(const char* name);
};

// A binary format. prepare looks at bprm->buf and either takes the file (binprm is then ready to be committed), or sets
// bprm->next and rewrites the arguments (a script), or fails: ENOEXEC lets the next format look.
struct linux_binfmt {
  const char* name;
  Result<void> (*prepare)(linux_binprm* bprm);
  // After the point of no return, in the new address space: maps the program and sets the registers. A failure kills.
  Result<void> (*load)(linux_binprm* bprm, pt_regs* regs);
};
extern const linux_binfmt script_format, elf_format;

// What file credentials do to bprm->cred (section 8); EPERM.
Result<void> bprm_creds_from_file(linux_binprm* bprm);
// Why they may have to be refused: tracers, no_new_privs, somebody outside of the group who shares the directory. If nobody shares it,
// nobody will until the exec has ended.
void judge_safety(linux_binprm* bprm);

// Kills the other threads; the caller becomes the leader (section 9). May sleep. EAGAIN: the group is ending anyway.
Result<void> de_thread();

// The registers of a program's first instruction.
void start_thread(pt_regs* regs, unsigned long ip, unsigned long sp);
