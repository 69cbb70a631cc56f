// The tree: the root, fixed directories and files, "self", and the way into a process's directory.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/proc/proc.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"
#include "mm/uaccess.hh"

namespace {

constexpr long kProcMagic = 0x9fa0;
constexpr u64 kRootIno = 1;

struct ProcState {
  kmem_cache* inodes;
};
constinit Late<ProcState> proc;

// ---- Files with a text -------------------------------------------------------------------------------------------------

int show_text(seq_file* m, void*) { return static_cast<const ProcFile*>(m->private_)->show(m); }
int open_text(inode* i, file* f) { return single_open(f, show_text, const_cast<ProcFile*>(proc_inode(i)->file)); }

ssize_t write_text(file* f, const char* user, size_t n, loff_t* pos) {
  const ProcFile* p = proc_inode(file_inode(f))->file;
  if (!p->store) return -EIO;
  if (n > 4095) return -EINVAL;
  char* text = static_cast<char*>(kmalloc(n + 1, GFP_KERNEL));
  if (!text) return -ENOMEM;
  long r = copy_from_user(text, user, n) ? -EFAULT : 0;
  text[n] = 0;
  if (!r) r = p->store(p, text, n);
  kfree(text);
  if (r > 0) *pos += r;
  return r;
}

constexpr file_operations kTextFops = {
    .llseek = seq_lseek,
    .write = write_text,
    .read_iter = seq_read_iter,
    .open = open_text,
    .release = single_release,
};

// For who owns it in the caller's own namespace the owner's bits count, whoever the inode says it is.
Result<void> owned_permission(inode* i, int mask) {
  const unsigned bits = i->i_mode >> (proc_inode(i)->file->owned() ? 6 : 0);
  return static_cast<unsigned>(mask & (MAY_READ | MAY_WRITE | MAY_EXEC)) & ~bits ? fail(EACCES) : Result<void>{};
}
constexpr inode_operations kOwnedIops = {.permission = owned_permission};

// ---- self and thread-self ------------------------------------------------------------------------------------------------

Result<LinkTarget> link_text(char* text) {
  if (!text) return fail(ENOMEM);
  return LinkTarget{.text = text, .to_free = text};
}
// Who is not in the mount's namespace has no self there.
Result<LinkTarget> self_link(dentry*, inode* i) {
  const int tgid = task_pid_nr_ns(current, PIDTYPE_TGID, proc_pid_ns(i->i_sb));
  return tgid ? link_text(kasprintf(GFP_KERNEL, "%d", tgid)) : fail(ENOENT);
}
Result<LinkTarget> thread_self_link(dentry*, inode* i) {
  pid_namespace* ns = proc_pid_ns(i->i_sb);
  const int tgid = task_pid_nr_ns(current, PIDTYPE_TGID, ns);
  if (!tgid) return fail(ENOENT);
  return link_text(kasprintf(GFP_KERNEL, "%d/task/%d", tgid, task_pid_nr_ns(current, PIDTYPE_PID, ns)));
}
constexpr inode_operations kSelfIops = {.get_link = self_link};
constexpr inode_operations kThreadSelfIops = {.get_link = thread_self_link};
struct SelfLink {
  const char* name;
  const inode_operations* iops;
};
constexpr SelfLink kSelfLinks[] = {{"self", &kSelfIops}, {"thread-self", &kThreadSelfIops}};

// ---- Directories ---------------------------------------------------------------------------------------------------------

extern const inode_operations kDirIops;
extern const file_operations kDirFops;

ProcInode* make_dir(super_block* sb, const ProcDir* dir) {
  ProcInode* i = new_proc_inode(sb, S_IFDIR | 0555, nullptr);
  if (!i) return nullptr;
  i->dir = dir;
  i->vfs.i_op = &kDirIops;
  i->vfs.i_fop = &kDirFops;
  set_nlink(&i->vfs, 2);
  return i;
}

bool is_root(const inode* i) { return proc_inode(i)->dir == &kProcRoot; }

// Decimal without leading zero; -1: no number.
int pid_number(std::string_view name) {
  if (name.empty() || name.size() > 9 || (name[0] == '0' && name.size() > 1)) return -1;
  int n = 0;
  for (char c : name) {
    if (c < '0' || c > '9') return -1;
    n = n * 10 + (c - '0');
  }
  return n;
}

Result<dentry*> dir_lookup(inode* dir, std::string_view name, dentry* parent) {
  const ProcDir* table = proc_inode(dir)->dir;
  super_block* sb = dir->i_sb;
  for (const ProcDir* d = table->dirs; d && d->name; d++)
    if (name == d->name) return proc_child(parent, name, make_dir(sb, d));
  for (const ProcFile* f = table->files; f && f->name; f++) {
    if (name != f->name) continue;
    ProcInode* i = new_proc_inode(sb, S_IFREG | f->mode, nullptr);
    if (i) {
      i->file = f;
      i->vfs.i_fop = &kTextFops;
      if (f->owned) i->vfs.i_op = &kOwnedIops;
    }
    return proc_child(parent, name, i);
  }
  if (!is_root(dir)) return fail(ENOENT);
  for (const SelfLink& l : kSelfLinks) {
    if (name != l.name) continue;
    ProcInode* i = new_proc_inode(sb, S_IFLNK | 0777, nullptr);
    if (i) i->vfs.i_op = l.iops;
    return proc_child(parent, name, i);
  }
  int nr = pid_number(name);
  return nr > 0 ? lookup_pid_dir(parent, nr, false) : Result<dentry*>(fail(ENOENT));
}

// Positions: fixed names first, then processes at kPidBase + number.
constexpr loff_t kPidBase = 1024;

int emit_processes(pid_namespace* ns, dir_context* ctx) {
  for (int nr = static_cast<int>(ctx->pos - kPidBase);; nr++) {
    {
      RcuReadGuard rcu;
      for (struct pid* p = find_ge_pid(nr, ns);; p = find_ge_pid(nr + 1, ns)) {
        if (!p) return 0;
        nr = pid_nr_ns(p, ns);
        if (pid_task(p, PIDTYPE_TGID)) break;
      }
    }
    char name[12];
    int n = snprintf(name, sizeof(name), "%d", nr);
    ctx->pos = kPidBase + nr;
    if (!dir_emit(ctx, name, n, static_cast<u64>(nr) << 16, DT_DIR)) return 0;
    ctx->pos++;
  }
}

int dir_iterate(file* f, dir_context* ctx) {
  if (!dir_emit_dots(f, ctx)) return 0;
  const ProcDir* table = proc_inode(file_inode(f))->dir;
  loff_t at = 2;
  auto emit = [&](const char* name, unsigned type) {
    if (ctx->pos > at++) return true;
    if (!dir_emit(ctx, name, static_cast<int>(strlen(name)), static_cast<u64>(at) + 4096, type)) return false;
    ctx->pos = at;
    return true;
  };
  for (const ProcDir* d = table->dirs; d && d->name; d++)
    if (!emit(d->name, DT_DIR)) return 0;
  for (const ProcFile* p = table->files; p && p->name; p++)
    if (!emit(p->name, DT_REG)) return 0;
  if (!is_root(file_inode(f))) return 0;
  for (const SelfLink& l : kSelfLinks)
    if (!emit(l.name, DT_LNK)) return 0;
  if (ctx->pos < kPidBase + 1) ctx->pos = kPidBase + 1;
  return emit_processes(proc_pid_ns(file_inode(f)->i_sb), ctx);
}

constinit const inode_operations kDirIops = {.lookup = dir_lookup};
constinit const file_operations kDirFops = {.iterate_shared = dir_iterate};

// ---- The file system -----------------------------------------------------------------------------------------------------

inode* alloc_proc_inode(super_block*) {
  auto* i = static_cast<ProcInode*>(kmem_cache_alloc(proc->inodes, GFP_KERNEL));
  if (!i) return nullptr;
  memset(static_cast<void*>(i), 0, sizeof(*i));
  return &i->vfs;
}
void free_proc_inode(inode* i) { kmem_cache_free(proc->inodes, proc_inode(i)); }
void evict_proc_inode(inode* i) { put_pid(proc_inode(i)->pid); }

Result<void> proc_statfs(super_block* sb, kstatfs* st) {
  *st = {.f_type = sb->s_magic, .f_bsize = 4096, .f_blocks = 0, .f_bfree = 0, .f_bavail = 0, .f_files = 0, .f_ffree = 0,
         .f_namelen = NAME_MAX};
  return {};
}

void put_proc_super(super_block* sb) { put_pid_ns(proc_pid_ns(sb)); }

constexpr super_operations kProcSops = {
    .evict_inode = evict_proc_inode,
    .free_inode = free_proc_inode,
    .alloc_inode = alloc_proc_inode,
    .statfs = proc_statfs,
    .put_super = put_proc_super,
};

Result<void> fill_proc(super_block* sb, const char*) {
  sb->s_magic = kProcMagic;
  sb->s_op = &kProcSops;
  sb->s_blocksize = 1024;
  ProcInode* root = make_dir(sb, &kProcRoot);
  if (!root) return fail(ENOMEM);
  root->vfs.i_ino = kRootIno;
  sb->s_root = d_alloc_root(&root->vfs);
  if (!sb->s_root) return fail(ENOMEM);
  sb->s_fs_info = get_pid_ns(task_active_pid_ns(current));
  return {};
}

user_namespace* pid_ns_owner() { return task_active_pid_ns(current)->user_ns; }

constinit file_system_type proc_type = {"proc", FS_USERNS_MOUNT | FS_USERNS_VISIBLE, fill_proc, nullptr, pid_ns_owner};

}  // namespace

ProcInode* new_proc_inode(super_block* sb, umode_t mode, struct pid* pid) {
  inode* i = new_inode(sb);
  if (!i) return nullptr;
  i->i_mode = mode;
  i->i_ino = get_next_ino(sb) + 8192;
  ProcInode* p = proc_inode(i);
  p->pid = get_pid(pid);
  return p;
}

Result<dentry*> proc_child(dentry* parent, std::string_view name, ProcInode* i) {
  if (!i) return fail(ENOMEM);
  dentry* d = d_alloc(parent, name);
  if (!d) {
    iput(&i->vfs);
    return fail(ENOMEM);
  }
  d_instantiate(d, &i->vfs);
  return d;
}

void proc_init() {
  proc.construct();
  proc->inodes = kmem_cache_create("proc_inode_cache", sizeof(ProcInode), alignof(ProcInode), 0, nullptr);
  if (!proc->inodes) panic("no memory for procfs");
  register_filesystem(&proc_type);
}

void proc_quiesce() { unregister_filesystem(&proc_type); }
void proc_exit(LeakReport&) {
  kmem_cache_destroy(proc->inodes);
  proc.destroy();
}
