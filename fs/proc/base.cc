// /proc/PID: the directory of a process, of a thread, and of a process's descriptors.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/proc/proc.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

class TaskRef {
 public:
  explicit TaskRef(task_struct* t) : t_(t) {}
  TaskRef(const TaskRef&) = delete;
  ~TaskRef() {
    if (t_) put_task_struct(t_);
  }
  task_struct* get() const { return t_; }
  task_struct* operator->() const { return t_; }
  explicit operator bool() const { return t_; }

 private:
  task_struct* t_;
};

task_struct* find_get_task(int nr, const super_block* sb) {
  RcuReadGuard rcu;
  task_struct* t = find_task_by_pid_ns(nr, proc_pid_ns(sb));
  return t ? get_task_struct(t) : nullptr;
}

// ---- Files -----------------------------------------------------------------------------------------------------------------

// May the caller look through t's memory and links?
bool may_look(task_struct* t) { return ptrace_may_access(t, PTRACE_MODE_READ_FSCREDS); }

// Of t's memory: a kernel thread has none, which everybody may know.
bool may_open(const PidEntry* e, task_struct* t) { return !e->guarded || !READ_ONCE(t->mm) || may_look(t); }

// Asked again at each reading, as the process may have become another program.
int show_entry(seq_file* m, void*) {
  const inode* i = file_inode(m->file);
  TaskRef t(get_proc_task(i));
  if (!t) return -ESRCH;
  const PidEntry* e = proc_inode(i)->entry;
  return may_open(e, t.get()) ? e->show(m, t.get()) : -EACCES;
}
int open_entry(inode* i, file* f) {
  TaskRef t(get_proc_task(i));
  if (!t) return -ESRCH;
  return may_open(proc_inode(i)->entry, t.get()) ? single_open(f, show_entry, nullptr) : -EACCES;
}
ssize_t write_entry(file* f, const char* user, size_t n, loff_t* pos) {
  const PidEntry* e = proc_inode(file_inode(f))->entry;
  if (!e->store || n >= 4096) return -EINVAL;
  TaskRef t(get_proc_task(file_inode(f)));
  if (!t) return -ESRCH;
  char* text = static_cast<char*>(kmalloc(n + 1, GFP_KERNEL));
  if (!text) return -ENOMEM;
  text[n] = 0;
  long r = copy_from_user(text, user, n) ? -EFAULT : e->store(f, t.get(), text, n, *pos);
  kfree(text);
  if (r > 0) *pos += r;
  return r;
}
constexpr file_operations kEntryFops = {
    .llseek = seq_lseek, .write = write_entry, .read_iter = seq_read_iter, .open = open_entry, .release = single_release};

// ---- Links -----------------------------------------------------------------------------------------------------------------

Result<path> target_of(inode* i) {
  TaskRef t(get_proc_task(i));
  if (!t) return fail(ENOENT);
  if (!may_look(t.get())) return fail(EACCES);
  const ProcInode* p = proc_inode(i);
  if (p->entry) return p->entry->link(t.get());
  FileRef f(fget_task(t.get(), static_cast<unsigned>(p->fd)));
  if (!f) return fail(ENOENT);
  path_get(&f->f_path);
  return f->f_path;
}

Result<LinkTarget> jump(dentry*, inode* i) { return LinkTarget{.jump = TRY(target_of(i))}; }

Result<long> read_link(dentry* d, char* buf, size_t size) {
  PathRef where(TRY(target_of(d->d_inode)));
  char* page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!page) return fail(ENOMEM);
  Result<char*> text = d_path(where.get(), page, PATH_MAX);
  long n = 0;
  if (text) {
    n = static_cast<long>(min(strlen(*text), size));
    memcpy(buf, *text, static_cast<size_t>(n));
  }
  kfree(page);
  if (!text) return std::unexpected<Errno>(text.error());
  return n;
}
constexpr inode_operations kLinkIops = {.get_link = jump, .readlink = read_link};

// ---- The directory of a process -----------------------------------------------------------------------------------------------

// The rows of a process's directory or of one in it.
const PidEntry* rows_of(const ProcInode* dir) { return dir->entry ? dir->entry->entries : kPidEntries; }

const PidEntry* find_entry(const PidEntry* rows, std::string_view name, bool thread) {
  for (const PidEntry* e = rows; e->name; e++)
    if (name == e->name && (!thread || e->in_task)) return e;
  return nullptr;
}

void attach_entry(ProcInode* i, const PidEntry* e) {
  i->entry = e;
  switch (e->kind) {
    case PidKind::File: i->vfs.i_fop = &kEntryFops; break;
    case PidKind::Raw: i->vfs.i_fop = e->fops; break;
    case PidKind::Link: i->vfs.i_op = &kLinkIops; break;
    case PidKind::Directory:
      set_nlink(&i->vfs, 2);
      if (e->entries) {
        i->vfs.i_op = &pid_dir_iops;
        i->vfs.i_fop = &pid_dir_fops;
        break;
      }
      i->vfs.i_op = strcmp(e->name, "task") ? &fd_dir_iops : &task_dir_iops;
      i->vfs.i_fop = strcmp(e->name, "task") ? &fd_dir_fops : &task_dir_fops;
      break;
  }
}

umode_t mode_of(const PidEntry* e) {
  return static_cast<umode_t>(e->mode | (e->kind == PidKind::Link ? S_IFLNK : e->kind == PidKind::Directory ? S_IFDIR : S_IFREG));
}

Result<dentry*> pid_lookup(inode* dir, std::string_view name, dentry* parent) {
  ProcInode* p = proc_inode(dir);
  const PidEntry* e = find_entry(rows_of(p), name, p->thread);
  TaskRef t(get_proc_task(dir));
  if (!e || !t) return fail(ENOENT);
  ProcInode* i = new_proc_inode(dir->i_sb, mode_of(e), p->pid);
  if (i) {
    attach_entry(i, e);
    i->thread = p->thread;
    set_pid_owner(i, t.get());
  }
  return proc_child(parent, name, i);
}

int pid_iterate(file* f, dir_context* ctx) {
  const inode* dir = file_inode(f);
  if (!TaskRef(get_proc_task(dir))) return -ENOENT;
  if (!dir_emit_dots(f, ctx)) return 0;
  loff_t at = 2;
  for (const PidEntry* e = rows_of(proc_inode(dir)); e->name; e++) {
    if (proc_inode(dir)->thread && !e->in_task) continue;
    if (ctx->pos > at++) continue;
    unsigned type = e->kind == PidKind::Link ? DT_LNK : e->kind == PidKind::Directory ? DT_DIR : DT_REG;
    if (!dir_emit(ctx, e->name, static_cast<int>(strlen(e->name)), dir->i_ino + static_cast<u64>(at), type)) return 0;
    ctx->pos = at;
  }
  return 0;
}

// ---- fd, fdinfo --------------------------------------------------------------------------------------------------------------

int number(std::string_view name) {
  if (name.empty() || name.size() > 9) return -1;
  int n = 0;
  for (char c : name) {
    if (c < '0' || c > '9') return -1;
    n = n * 10 + (c - '0');
  }
  return n;
}

bool is_fdinfo(const inode* dir) { return strcmp(proc_inode(dir)->entry->name, "fdinfo") == 0; }

umode_t fd_mode(const file* f) {
  return static_cast<umode_t>(S_IFLNK | (f->f_mode & FMODE_READ ? 0500 : 0) | (f->f_mode & FMODE_WRITE ? 0300 : 0));
}

Result<dentry*> fd_lookup(inode* dir, std::string_view name, dentry* parent) {
  TaskRef t(get_proc_task(dir));
  int fd = number(name);
  if (!t || fd < 0) return fail(ENOENT);
  FileRef f(fget_task(t.get(), static_cast<unsigned>(fd)));
  if (!f) return fail(ENOENT);
  const bool info = is_fdinfo(dir);
  ProcInode* i = new_proc_inode(dir->i_sb, info ? S_IFREG | 0444 : fd_mode(f.get()), proc_inode(dir)->pid);
  if (i) {
    i->fd = fd;
    if (info)
      i->vfs.i_fop = &fdinfo_fops;
    else
      i->vfs.i_op = &kLinkIops;
    set_pid_owner(i, t.get());
  }
  return proc_child(parent, name, i);
}

unsigned max_fds(task_struct* t) {
  SpinGuard guard(t->alloc_lock);
  return t->files ? READ_ONCE(t->files->fdt)->max_fds : 0;
}

int fd_iterate(file* f, dir_context* ctx) {
  TaskRef t(get_proc_task(file_inode(f)));
  if (!t) return -ENOENT;
  if (!may_look(t.get())) return -EACCES;
  if (!dir_emit_dots(f, ctx)) return 0;
  for (unsigned fd = static_cast<unsigned>(ctx->pos - 2), n = max_fds(t.get()); fd < n; fd++) {
    if (!FileRef(fget_task(t.get(), fd))) continue;
    char name[12];
    int len = snprintf(name, sizeof(name), "%u", fd);
    ctx->pos = fd + 2;
    if (!dir_emit(ctx, name, len, file_inode(f)->i_ino + fd + 1, is_fdinfo(file_inode(f)) ? DT_REG : DT_LNK)) return 0;
    ctx->pos++;
  }
  return 0;
}

// ---- task --------------------------------------------------------------------------------------------------------------------

Result<dentry*> task_lookup(inode* dir, std::string_view name, dentry* parent) {
  TaskRef leader(get_proc_task(dir));
  int nr = number(name);
  if (!leader || nr <= 0) return fail(ENOENT);
  TaskRef t(find_get_task(nr, dir->i_sb));
  if (!t || !same_thread_group(t.get(), leader.get())) return fail(ENOENT);
  return lookup_pid_dir(parent, nr, true);
}

int task_iterate(file* f, dir_context* ctx) {
  TaskRef leader(get_proc_task(file_inode(f)));
  if (!leader) return -ENOENT;
  if (!dir_emit_dots(f, ctx)) return 0;
  for (loff_t skip = ctx->pos - 2;; skip++) {
    int nr = 0;
    {
      RcuReadGuard rcu;
      if (!READ_ONCE(leader->sighand)) return 0;
      loff_t at = 0;
      task_struct* t;
      for_each_thread(leader.get(), t) {
        if (at++ != skip) continue;
        nr = task_pid_nr_ns(t, PIDTYPE_PID, proc_pid_ns(file_inode(f)->i_sb));
        break;
      }
    }
    if (!nr) return 0;
    char name[12];
    int len = snprintf(name, sizeof(name), "%d", nr);
    if (!dir_emit(ctx, name, len, static_cast<u64>(nr) << 16 | 1, DT_DIR)) return 0;
    ctx->pos++;
  }
}

}  // namespace

constinit const inode_operations pid_dir_iops = {.lookup = pid_lookup};
constinit const file_operations pid_dir_fops = {.iterate_shared = pid_iterate};
constinit const inode_operations fd_dir_iops = {.lookup = fd_lookup};
constinit const file_operations fd_dir_fops = {.iterate_shared = fd_iterate};
constinit const inode_operations task_dir_iops = {.lookup = task_lookup};
constinit const file_operations task_dir_fops = {.iterate_shared = task_iterate};

struct pid* tgid_pidfd_to_pid(const file* f) {
  if (f->f_op != &pid_dir_fops) return nullptr;
  const ProcInode* p = proc_inode(file_inode(f));
  return p->thread ? nullptr : p->pid;
}

task_struct* get_proc_task(const inode* i) {
  RcuReadGuard rcu;
  task_struct* t = pid_task(proc_inode(i)->pid, PIDTYPE_PID);
  return t ? get_task_struct(t) : nullptr;
}

// Root owns what an undumpable process shows (its directory excepted).
void set_pid_owner(ProcInode* i, task_struct* t) {
  RcuReadGuard rcu;
  const struct cred* c = rcu_dereference(t->real_cred);
  i->vfs.i_uid = c->euid;
  i->vfs.i_gid = c->egid;
  const mm_struct* mm = READ_ONCE(t->mm);
  if (mm && get_dumpable(mm) != SUID_DUMP_USER && i->entry) {
    const kuid_t root = make_kuid(mm->user_ns, 0);
    const kgid_t root_group = make_kgid(mm->user_ns, 0);
    i->vfs.i_uid = uid_valid(root) ? root : kuid_t{0};
    i->vfs.i_gid = gid_valid(root_group) ? root_group : kgid_t{0};
  }
}

Result<dentry*> lookup_pid_dir(dentry* parent, int nr, bool thread) {
  TaskRef t(find_get_task(nr, parent->d_sb));
  if (!t) return fail(ENOENT);
  ProcInode* i = new_proc_inode(parent->d_sb, S_IFDIR | 0555, task_pid(t.get()));
  if (i) {
    i->thread = thread;
    i->vfs.i_op = &pid_dir_iops;
    i->vfs.i_fop = &pid_dir_fops;
    set_nlink(&i->vfs, 9);
    set_pid_owner(i, t.get());
  }
  char name[12];
  int n = snprintf(name, sizeof(name), "%d", nr);
  return proc_child(parent, std::string_view(name, static_cast<size_t>(n)), i);
}
