// A core file: an ELF header, a segment of notes (threads, the process, its files), and one segment per area of memory, of
// which what the process has chosen is written. Pages that are not there are holes in the file. Spec 40 section 20.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <uapi/linux/elf.h>
#include <uapi/linux/ptrace.h>

#include "arch/contract/arch.hh"
#include "fs/coredump/internal.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/pid/pid.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

constexpr unsigned long kPage = 4096;
constexpr unsigned long page_up(unsigned long n) { return (n + kPage - 1) & ~(kPage - 1); }

// ---- What is written --------------------------------------------------------------------------------------------------------

// Bytes in order, up to the limit; holes are skipped.
class Sink {
 public:
  Sink(file* f, unsigned long limit) : f_(f), limit_(limit) {}
  bool write(const void* data, size_t n) {
    if (static_cast<unsigned long>(pos_) + n > limit_ || fatal_signal_pending(current)) return false;
    const char* p = static_cast<const char*>(data);
    while (n) {
      const ssize_t done = kernel_write(f_, p, n, &pos_);
      if (done <= 0) return false;
      p += done;
      n -= static_cast<size_t>(done);
    }
    end_ = pos_;
    return true;
  }
  bool skip(size_t n) {
    pos_ += static_cast<loff_t>(n);
    return static_cast<unsigned long>(pos_) <= limit_;
  }
  // A hole at the end belongs to the file too.
  void close() {
    if (pos_ > end_) (void)vfs_truncate(&f_->f_path, pos_);
  }

 private:
  file* f_;
  unsigned long limit_;
  loff_t pos_ = 0, end_ = 0;
};

// A buffer that grows; once there was no memory for it, it stays empty.
class Bytes {
 public:
  Bytes() = default;
  ~Bytes() { vfree(data_); }
  Bytes(const Bytes&) = delete;
  void* extend(size_t n) {
    if (failed_ || (used_ + n > room_ && !grow(used_ + n))) return nullptr;
    char* at = data_ + used_;
    used_ += n;
    memset(at, 0, n);
    return at;
  }
  void add(const void* data, size_t n) {
    if (void* at = extend(n)) memcpy(at, data, n);
  }
  const char* data() const { return data_; }
  char* data() { return data_; }
  size_t size() const { return used_; }
  bool ok() const { return !failed_; }

 private:
  bool grow(size_t wanted) {
    const size_t room = max(page_up(wanted), 2 * room_);
    char* data = static_cast<char*>(vmalloc(room));
    if (!data) return !(failed_ = true);
    if (used_) memcpy(data, data_, used_);
    vfree(data_);
    data_ = data;
    room_ = room;
    return true;
  }
  char* data_ = nullptr;
  size_t used_ = 0, room_ = 0;
  bool failed_ = false;
};

// ---- Areas -------------------------------------------------------------------------------------------------------------------

struct Area {
  unsigned long start, end, dumped;  // the first so many bytes are written
  unsigned long flags;
};
struct Areas {
  Area* area = nullptr;
  unsigned n = 0;
  ~Areas() { vfree(area); }
};

// /proc/PID/coredump_filter, by bit.
enum FilterBit : unsigned { kAnonPrivate, kAnonShared, kFilePrivate, kFileShared, kElfHeaders };

bool wants(const mm_struct* mm, FilterBit which) { return READ_ONCE(mm->flags) >> MMF_DUMP_FILTER_SHIFT >> which & 1; }

//
unsigned long dumped_size(vm_area_struct* v) {
  const mm_struct* mm = v->vm_mm;
  const unsigned long all = v->vm_end - v->vm_start;
  const bool shared = v->vm_flags & VM_SHARED;
  if (!shared && !v->vm_file && v->vm_ops && v->vm_ops->name) return all;  // the vDSO and its like
  if (v->vm_flags & (VM_DONTDUMP | VM_IO)) return 0;
  if (shared) {
    const bool unlinked = !v->vm_file || !file_inode(v->vm_file)->i_nlink;  // shared anonymous memory has no file
    return wants(mm, unlinked ? kAnonShared : kFileShared) ? all : 0;
  }
  if (v->vm_has_anon && wants(mm, kAnonPrivate)) return all;
  if (!v->vm_file) return 0;
  if (wants(mm, kFilePrivate)) return all;
  const bool header = !v->vm_pgoff && (v->vm_flags & VM_READ) && (file_inode(v->vm_file)->i_mode & 0111);
  return header && wants(mm, kElfHeaders) ? kPage : 0;
}

// The areas as they are now. Other processes may share the memory and change them later.
bool take_areas(mm_struct* mm, Areas* out) {
  const auto room = static_cast<unsigned>(READ_ONCE(mm->map_count)) + 16;
  out->area = static_cast<Area*>(vmalloc(room * sizeof(Area)));
  if (!out->area) return false;
  RwsemReadGuard guard(mm->mmap_lock);
  vm_area_struct* v;
  for_each_vma_of(mm, v) {
    if (out->n == room) return false;
    out->area[out->n++] = {v->vm_start, v->vm_end, dumped_size(v), v->vm_flags};
  }
  return true;
}

// ---- Notes --------------------------------------------------------------------------------------------------------------------

enum : unsigned { kPrstatus = 1, kFpregset = 2, kPrpsinfo = 3, kAuxv = 6, kSiginfo = 0x53494749, kFile = 0x46494c45, kXstate = 0x202 };

struct Prstatus {
  int signo, code, error;
  short cursig;
  unsigned long pending, held;
  int pid, ppid, pgrp, sid;
  __kernel_old_timeval utime, stime, cutime, cstime;
  user_regs_struct regs;
  int fpvalid;
};
static_assert(sizeof(Prstatus) == 336);
struct Prpsinfo {
  char state, name, zombie, nice;
  unsigned long flags;
  unsigned uid, gid;
  int pid, ppid, pgrp, sid;
  char fname[16], args[80];
};
static_assert(sizeof(Prpsinfo) == 136);

// A note's header and name; where its n bytes go, or null.
void* note(Bytes* to, const char* owner, unsigned type, size_t n) {
  const size_t name = strlen(owner) + 1, padded = (name + 3) & ~3ul;
  char* at = static_cast<char*>(to->extend(12 + padded + ((n + 3) & ~3ul)));
  if (!at) return nullptr;
  const u32 header[3] = {static_cast<u32>(name), static_cast<u32>(n), type};
  memcpy(at, header, sizeof(header));
  memcpy(at + 12, owner, name);
  return at + 12 + padded;
}
void note(Bytes* to, const char* owner, unsigned type, const void* data, size_t n) {
  if (void* at = note(to, owner, type, n)) memcpy(at, data, n);
}

__kernel_old_timeval timeval_of(u64 ns) { return {static_cast<long>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000 / 1000)}; }

struct Ids {
  int pid, ppid, pgrp, sid;
};
Ids ids_of(task_struct* t) {
  RcuReadGuard rcu;
  return {task_pid_vnr(t), task_tgid_vnr(rcu_dereference(t->real_parent)), task_pgrp_vnr(t), task_session_vnr(t)};
}

void add_prstatus(Bytes* to, task_struct* t, int sig) {
  Prstatus p;
  memset(&p, 0, sizeof(p));
  p.signo = sig;
  p.cursig = static_cast<short>(sig);
  p.pending = t->pending.signal.sig[0];
  p.held = t->blocked.sig[0];
  const Ids ids = ids_of(t);
  p.pid = ids.pid, p.ppid = ids.ppid, p.pgrp = ids.pgrp, p.sid = ids.sid;
  u64 utime, stime;
  if (thread_group_leader(t))
    thread_group_cputime_adjusted(t, &utime, &stime);
  else
    task_cputime_adjusted(t, &utime, &stime);
  p.utime = timeval_of(utime), p.stime = timeval_of(stime);
  p.cutime = timeval_of(t->signal->cutime), p.cstime = timeval_of(t->signal->cstime);
  p.regs = ptrace_user_regs(t);
  p.fpvalid = arch::fpu_regset_size() != 0;
  note(to, "CORE", kPrstatus, &p, sizeof(p));
}

void add_fpu(Bytes* to, const task_struct* t) {
  const size_t all = arch::fpu_regset_size(), legacy = min(all, size_t{512});
  if (!all) return;
  void* image = kmalloc(all, GFP_KERNEL);
  if (!image) return;  // a core without it is better than none
  arch::fpu_regset_get(t, image);
  note(to, "CORE", kFpregset, image, legacy);
  if (all > legacy) note(to, "LINUX", kXstate, image, all);
  kfree(image);
}

// The arguments, with blanks between them.
void copy_args(const mm_struct* mm, char (&to)[80]) {
  const unsigned long n = min(mm->arg_end - mm->arg_start, sizeof(to) - 1);
  const long got = access_remote_vm(current->mm, mm->arg_start, to, static_cast<long>(n), RemoteAccess::ForceRead);
  for (long i = 0; i < got - 1; i++)
    if (!to[i]) to[i] = ' ';
}

void add_prpsinfo(Bytes* to, task_struct* self) {
  Prpsinfo p;
  memset(&p, 0, sizeof(p));
  p.name = 'R';
  p.nice = static_cast<char>(task_nice(self));
  p.flags = self->flags;
  p.uid = from_kuid_munged(self->cred->user_ns, self->cred->uid);
  p.gid = from_kgid_munged(self->cred->user_ns, self->cred->gid);
  const Ids ids = ids_of(self->group_leader);
  p.pid = ids.pid, p.ppid = ids.ppid, p.pgrp = ids.pgrp, p.sid = ids.sid;
  memcpy(p.fname, self->comm, sizeof(p.fname));
  copy_args(self->mm, p.args);
  note(to, "CORE", kPrpsinfo, &p, sizeof(p));
}

void add_siginfo(Bytes* to, const kernel_siginfo* info) {
  siginfo_t s;
  memset(&s, 0, sizeof(s));
  s.k = *info;
  note(to, "CORE", kSiginfo, &s, sizeof(s));
}

void add_auxv(Bytes* to, const mm_struct* mm) {
  size_t words = 0;
  do words += 2;
  while (words < ARRAY_SIZE(mm->saved_auxv) && mm->saved_auxv[words - 2]);
  note(to, "CORE", kAuxv, mm->saved_auxv, words * sizeof(unsigned long));
}

// Which files are mapped where: count, page size, a triple for each, then their names.
void add_files(Bytes* to, mm_struct* mm) {
  Bytes table, names;
  unsigned long count = 0;
  char* text = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!text) return;
  {
    RwsemReadGuard guard(mm->mmap_lock);
    vm_area_struct* v;
    for_each_vma_of(mm, v) {
      if (!v->vm_file) continue;
      Result<char*> path = d_path(&v->vm_file->f_path, text, PATH_MAX);
      const char* shown = path ? *path : "<unknown>";
      const unsigned long row[3] = {v->vm_start, v->vm_end, v->vm_pgoff};
      table.add(row, sizeof(row));
      names.add(shown, strlen(shown) + 1);
      count++;
    }
  }
  kfree(text);
  if (!count || !table.ok() || !names.ok()) return;
  char* at = static_cast<char*>(note(to, "CORE", kFile, 16 + table.size() + names.size()));
  if (!at) return;
  const unsigned long head[2] = {count, kPage};
  memcpy(at, head, sizeof(head));
  memcpy(at + 16, table.data(), table.size());
  memcpy(at + 16 + table.size(), names.data(), names.size());
}

bool make_notes(Bytes* to, const CoreJob& job) {
  task_struct* self = current;
  const int sig = job.info->si_signo;
  add_prstatus(to, self, sig);
  add_prpsinfo(to, self);
  add_siginfo(to, job.info);
  add_auxv(to, self->mm);
  add_files(to, self->mm);
  add_fpu(to, self);
  for (const CoreThread* t = job.core->threads; t; t = t->next) {
    add_prstatus(to, t->task, sig);
    add_fpu(to, t->task);
  }
  return to->ok();
}

// ---- The file --------------------------------------------------------------------------------------------------------------------

Elf64_Ehdr file_header(unsigned segments) {
  Elf64_Ehdr h;
  memset(&h, 0, sizeof(h));
  memcpy(h.e_ident, ELFMAG, SELFMAG);
  h.e_ident[4] = 2;  // 64 bits
  h.e_ident[5] = 1;  // little endian
  h.e_ident[6] = 1;  // version
  h.e_type = ET_CORE;
  h.e_machine = EM_X86_64;
  h.e_version = 1;
  h.e_phoff = sizeof(Elf64_Ehdr);
  h.e_ehsize = sizeof(Elf64_Ehdr);
  h.e_phentsize = sizeof(Elf64_Phdr);
  h.e_phnum = static_cast<u16>(segments);
  return h;
}

u32 segment_flags(unsigned long vm_flags) {
  return (vm_flags & VM_READ ? PF_R : 0u) | (vm_flags & VM_WRITE ? PF_W : 0u) | (vm_flags & VM_EXEC ? PF_X : 0u);
}

constexpr unsigned kMostSegments = 65534;  // more would need section headers

bool write_headers(Sink* sink, const Areas& areas, size_t notes) {
  const Elf64_Ehdr h = file_header(areas.n + 1);
  if (!sink->write(&h, sizeof(h))) return false;
  unsigned long at = sizeof(h) + (areas.n + 1) * sizeof(Elf64_Phdr);
  const Elf64_Phdr n{PT_NOTE, 0, at, 0, 0, notes, 0, 0};
  if (!sink->write(&n, sizeof(n))) return false;
  at = page_up(at + notes);
  for (unsigned i = 0; i < areas.n; i++) {
    const Area& a = areas.area[i];
    const Elf64_Phdr p{PT_LOAD, segment_flags(a.flags), at, a.start, 0, a.dumped, a.end - a.start, kPage};
    if (!sink->write(&p, sizeof(p))) return false;
    at += a.dumped;
  }
  return true;
}

bool write_memory(Sink* sink, const Areas& areas) {
  char* page = static_cast<char*>(kmalloc(kPage, GFP_KERNEL));
  bool ok = page;
  for (unsigned i = 0; ok && i < areas.n; i++) {
    const Area& a = areas.area[i];
    for (unsigned long at = a.start; ok && at < a.start + a.dumped; at += kPage)
      ok = copy_page_for_dump(current->mm, at, page) ? sink->write(page, kPage) : sink->skip(kPage);
    cond_resched();
  }
  kfree(page);
  return ok;
}

}  // namespace

bool write_elf_core(const CoreJob& job) {
  Areas areas;
  Bytes notes;
  if (!take_areas(current->mm, &areas) || areas.n >= kMostSegments || !make_notes(&notes, job)) return false;
  Sink sink(job.to, job.limit);
  if (!write_headers(&sink, areas, notes.size()) || !sink.write(notes.data(), notes.size())) return true;
  const unsigned long headers = sizeof(Elf64_Ehdr) + (areas.n + 1) * sizeof(Elf64_Phdr) + notes.size();
  if (sink.skip(page_up(headers) - headers) && write_memory(&sink, areas)) sink.close();
  return true;
}
