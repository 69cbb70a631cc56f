// /proc/PID/fdinfo/N: what a descriptor's file is about: place, flags, mount, inode, and what its kind adds (show_fdinfo).
// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/proc.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sync/guards.hh"

namespace {

// A descriptor's file, referenced, and its flags with FD_CLOEXEC among them.
struct Descriptor {
  file* f;
  unsigned flags;
};

Result<Descriptor> descriptor_of(task_struct* t, unsigned fd) {
  files_struct* files = get_files_struct(t);
  if (!files) return fail(ENOENT);
  const bool cloexec = fd_is_cloexec(files, fd);
  put_files_struct(files);
  file* f = fget_task(t, fd);
  if (!f) return fail(ENOENT);
  return Descriptor{f, f->f_flags | (cloexec ? O_CLOEXEC : 0u)};
}

int show_descriptor(seq_file* m, task_struct* t) {
  Result<Descriptor> d = descriptor_of(t, static_cast<unsigned>(proc_inode(file_inode(m->file))->fd));
  if (!d) return static_cast<int>(d.error().neg());
  FileRef f(d->f);
  seq_printf(m, "pos:\t%lli\nflags:\t0%o\nmnt_id:\t%i\nino:\t%lu\n", static_cast<long long>(f->f_pos), d->flags, f->f_path.mnt->mnt_id,
             static_cast<unsigned long>(file_inode(f.get())->i_ino));
  if (f->f_op->show_fdinfo) f->f_op->show_fdinfo(m, f.get());
  return 0;
}

int show(seq_file* m, void*) {
  task_struct* t = get_proc_task(file_inode(m->file));
  if (!t) return -ENOENT;
  const int r = show_descriptor(m, t);
  put_task_struct(t);
  return r;
}

// Who may look into the process.
int open_fdinfo(inode* i, file* f) {
  task_struct* t = get_proc_task(i);
  if (!t) return -ESRCH;
  const bool allowed = ptrace_may_access(t, PTRACE_MODE_READ_FSCREDS);
  put_task_struct(t);
  return allowed ? single_open(f, show, nullptr) : -EACCES;
}

}  // namespace

constinit const file_operations fdinfo_fops = {
    .llseek = seq_lseek, .read_iter = seq_read_iter, .open = open_fdinfo, .release = single_release};
