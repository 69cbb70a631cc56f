// cgroup2, the file system: a directory for each cgroup, with its interface files. Names and inodes are there as long as the
// cgroup is, mounted or not (an internal mount keeps the tree); what a file says is made when it is read.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "fs/vfs/poll.hh"
#include "kernel/cgroup/internal.hh"
#include "kernel/cgroup/namespace.hh"
#include "kernel/cred/cred.hh"
#include "kernel/nsproxy/nsproxy.hh"

void shrink_tree(dentry* root);  // fs/vfs

namespace {

constexpr long kCgroup2Magic = 0x63677270;
constexpr size_t kMaxWrite = 4096;

// ---- Inodes --------------------------------------------------------------------------------------------------------------------------

inode* alloc_cgroup_inode(super_block*) {
  auto* i = static_cast<CgroupInode*>(kmem_cache_zalloc(cgroups->inode_cache, GFP_KERNEL));
  return i ? &i->vfs : nullptr;
}
void free_cgroup_inode(inode* i) { kmem_cache_free(cgroups->inode_cache, cgroup_inode(i)); }
void evict_cgroup_inode(inode* i) { css_unpin(cgroup_inode(i)->css); }

// A directory if cft is null. Owned by the caller's fsuid, as mkdir's.
CgroupInode* new_cgroup_inode(super_block* sb, cgroup_subsys_state* css, const cftype* cft, umode_t mode) {
  inode* i = new_inode(sb);
  if (!i) return nullptr;
  CgroupInode* c = cgroup_inode(i);
  i->i_mode = mode;
  i->i_uid = current_cred()->fsuid;
  i->i_gid = current_cred()->fsgid;
  c->css = css;
  c->cft = cft;
  css_pin(css);
  atomic_set(&c->events, 1);
  init_waitqueue_head(&c->poll);
  return c;
}

bool is_gone(const CgroupInode* i) { return css_is_dying(i->css) || cgroup_is_dead(i->css->cgroup); }

// ---- Reading ----------------------------------------------------------------------------------------------------------------------------

CgroupOpen* open_of(const file* f) { return static_cast<CgroupOpen*>(seq_of(f)->private_); }

int show_file(seq_file* m, void*) {
  CgroupInode* i = cgroup_inode(file_inode(m->file));
  if (is_gone(i)) return -ENODEV;
  if (!i->cft->show) return -EINVAL;
  WRITE_ONCE(open_of(m->file)->seen, static_cast<u64>(atomic_read(&i->events)));
  return i->cft->show(m, i->css);
}

int open_file(inode* i, file* f) {
  if (is_gone(cgroup_inode(i))) return -ENODEV;
  auto* o = static_cast<CgroupOpen*>(kzalloc(sizeof(CgroupOpen), GFP_KERNEL));
  if (!o) return -ENOMEM;
  int r = single_open(f, show_file, o);
  if (r) {
    kfree(o);
    return r;
  }
  o->ns_root = current_cgroup_ns_root();
  cgroup_get(o->ns_root);
  f->f_mode |= FMODE_PWRITE;
  return 0;
}

int release_file(inode* i, file* f) {
  CgroupOpen* o = open_of(f);
  cgroup_put(o->ns_root);
  kfree(o);
  return single_release(i, f);
}

__poll_t poll_file(file* f, poll_table* pt) {
  CgroupInode* i = cgroup_inode(file_inode(f));
  poll_wait(f, &i->poll, pt);
  if (is_gone(i) || READ_ONCE(open_of(f)->seen) != static_cast<u64>(atomic_read(&i->events)))
    return DEFAULT_POLLMASK | EPOLLERR | EPOLLPRI;
  return DEFAULT_POLLMASK;
}

// ---- Writing -----------------------------------------------------------------------------------------------------------------------------

// nsdelegate: the root of a cgroup namespace belongs to who delegated it, but for the files that are handed over.
Result<void> may_write_here(const CgroupInode* i, const file* f) {
  const struct cgroup* root = open_of(f)->ns_root;
  if (!cgroups->nsdelegate || root == cgroup_root() || (i->cft->flags & CFTYPE_NS_DELEGATABLE)) return {};
  return i->css->cgroup == root ? fail(EPERM) : Result<void>{};
}

Result<void> write_text(file* f, char* text) {
  CgroupInode* i = cgroup_inode(file_inode(f));
  if (is_gone(i)) return fail(ENODEV);
  TRY(may_write_here(i, f));
  if (!i->cft->write) return fail(EINVAL);
  return i->cft->write(i->css, i->cft->flags & CFTYPE_NUMBER ? text : strstrip(text), f);
}

ssize_t write_file(kiocb* k, iov_iter* from) {
  const size_t n = iov_iter_count(from);
  if (n > kMaxWrite) return -E2BIG;
  if (!n) return 0;
  char* text = static_cast<char*>(kmalloc(n + 1, GFP_KERNEL));
  if (!text) return -ENOMEM;
  text[n] = 0;
  const Result<void> r = copy_from_iter(text, n, from) != n ? fail(EFAULT) : write_text(k->ki_filp, text);
  kfree(text);
  if (!r) return r.error().neg();
  k->ki_pos += static_cast<loff_t>(n);
  return static_cast<ssize_t>(n);
}

constexpr file_operations kFileFops = {
    .llseek = seq_lseek, .read_iter = seq_read_iter, .write_iter = write_file, .poll = poll_file, .open = open_file, .release = release_file,
};

// truncate(2) and O_TRUNC are taken and mean nothing.
Result<void> file_setattr(dentry* d, iattr* attr) {
  attr->ia_valid &= ~ATTR_SIZE;
  return simple_setattr(d, attr);
}
constexpr inode_operations kFileIops = {.setattr = file_setattr};

// ---- Directories ----------------------------------------------------------------------------------------------------------------------------

umode_t mode_of(const cftype& f) {
  return static_cast<umode_t>(S_IFREG | (f.show ? 0444 : 0) | (f.write ? 0200 : 0));
}

Result<void> add_file(dentry* dir, cgroup_subsys_state* css, const cftype& cft) {
  dentry* d = d_alloc(dir, cft.name);
  if (!d) return fail(ENOMEM);
  CgroupInode* i = new_cgroup_inode(dir->d_sb, css, &cft, mode_of(cft));
  if (!i) {
    dput(d);
    return fail(ENOMEM);
  }
  i->vfs.i_fop = &kFileFops;
  i->vfs.i_op = &kFileIops;
  d_instantiate(d, &i->vfs);
  if (cft.keep) {
    IrqSpinGuard guard(css_set_lock);
    cft.keep(css, i);
  }
  d_add(d);
  dput(d);  // its being found keeps it
  return {};
}

void remove_file(dentry* dir, cgroup_subsys_state* css, const cftype& cft) {
  if (cft.keep) {
    IrqSpinGuard guard(css_set_lock);
    cft.keep(css, nullptr);
  }
  dentry* d = d_lookup(dir, cft.name);
  if (!d) return;
  if (CgroupInode* i = cgroup_inode(d->d_inode); i->cft == &cft) {  // not a child cgroup that has the name
    wake_up(&i->poll);
    d_drop(d);
  }
  dput(d);
}

bool is_there(const cftype& f, const struct cgroup* c) {
  return !(f.flags & (cgroup_parent(c) ? CFTYPE_ONLY_ON_ROOT : CFTYPE_NOT_ON_ROOT));
}

const cftype* files_of(const cgroup_subsys_state* css) { return css->ss ? css->ss->files : cgroup_base_files; }

bool has_child_named(struct cgroup* c, const char* name) {
  struct cgroup* child;
  for_each_child_cgroup(child, c) if (strcmp(child->name, name) == 0) return true;
  return false;
}

void remove_files(dentry* dir, cgroup_subsys_state* css) {
  for (const cftype* f = files_of(css); f->name; f++)
    if (is_there(*f, css->cgroup)) remove_file(dir, css, *f);
}

Result<void> add_files(dentry* dir, cgroup_subsys_state* css) {
  for (const cftype* f = files_of(css); f->name; f++) {
    if (!is_there(*f, css->cgroup)) continue;
    auto r = has_child_named(css->cgroup, f->name) ? fail(EEXIST) : add_file(dir, css, *f);
    if (!r) {
      remove_files(dir, css);
      return r;
    }
  }
  css->flags |= CSS_VISIBLE;
  return {};
}

extern const inode_operations kDirIops;
extern const file_operations kDirFops;

CgroupInode* new_dir_inode(super_block* sb, struct cgroup* c, umode_t mode) {
  CgroupInode* i = new_cgroup_inode(sb, &c->self, nullptr, mode);
  if (!i) return nullptr;
  i->vfs.i_op = &kDirIops;
  i->vfs.i_fop = &kDirFops;
  set_nlink(&i->vfs, 2);
  return i;
}

// The directory d of c with all that belongs in it. c->dir is set from here on.
Result<void> fill_dir(dentry* d, struct cgroup* c) {
  c->dir = dget(d);
  Result<void> r = css_populate_dir(&c->self);
  for (cgroup_subsys_state* css : c->subsys)
    if (css && r) r = css_populate_dir(css);
  if (r) return r;
  css_clear_dir(&c->self);
  for (cgroup_subsys_state* css : c->subsys)
    if (css) css_clear_dir(css);
  dput(std::exchange(c->dir, nullptr));
  return r;
}

Result<void> make_dir(inode* dir, dentry* d, umode_t mode) {
  struct cgroup* parent = cgroup_inode(dir)->css->cgroup;
  if (cgroup_is_dead(parent)) return fail(ENODEV);
  if (dentry* there = d_lookup(d->d_parent, d->d_name->view())) {  // a controller's file, since a moment ago
    dput(there);
    return fail(EEXIST);
  }
  struct cgroup* c = TRY(cgroup_create(parent, d->d_name->view()));
  CgroupInode* i = new_dir_inode(dir->i_sb, c, mode);
  Result<void> r = i ? Result<void>{} : fail(ENOMEM);
  if (i) {
    d_instantiate(d, &i->vfs);
    r = fill_dir(d, c);
  }
  if (!r) {
    cgroup_abandon(c);
    return r;
  }
  cgroup_publish(c);
  inc_nlink(dir);
  return {};
}

Result<void> cgroup_mkdir(inode* dir, dentry* d, umode_t mode) {
  if (d->d_name->view().find('\n') != std::string_view::npos) return fail(EINVAL);  // it would spoil /proc/PID/cgroup
  MutexGuard guard(cgroup_mutex);
  return make_dir(dir, d, mode);
}

Result<void> cgroup_rmdir(inode* dir, dentry* d) {
  MutexGuard guard(cgroup_mutex);
  struct cgroup* c = cgroup_inode(d->d_inode)->css->cgroup;
  if (cgroup_is_dead(c)) return fail(ENODEV);
  TRY(cgroup_destroy(c));
  set_nlink(d->d_inode, 0);
  drop_nlink(dir);
  return {};
}

// fs/vfs/readdir.cc
}  // namespace
int dcache_readdir(file* f, dir_context* ctx);
loff_t dcache_dir_llseek(file* f, loff_t off, int whence);
namespace {

constinit const inode_operations kDirIops = {.mkdir = cgroup_mkdir, .rmdir = cgroup_rmdir};
constinit const file_operations kDirFops = {
    .llseek = dcache_dir_llseek, .read = generic_read_dir, .iterate_shared = dcache_readdir};

// ---- The file system -------------------------------------------------------------------------------------------------------------------------

Result<void> cgroup_statfs(super_block*, kstatfs*) { return {}; }

void show_options(seq_file* m, super_block*) {
  if (cgroups->nsdelegate) seq_puts(m, ",nsdelegate");
}

// nsdelegate is for the whole hierarchy, and not for others than the initial namespace to say.
Result<void> take_options(const char* data) {
  bool nsdelegate = false;
  for (std::string_view rest = data ? data : ""; !rest.empty();) {
    const size_t end = rest.find(',');
    const std::string_view word = rest.substr(0, end);
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    if (word == "nsdelegate")
      nsdelegate = true;
    else if (!word.empty() && word != "favordynmods" && word != "memory_localevents" && word != "memory_recursiveprot")
      return fail(EINVAL);
  }
  if (current_cgroup_ns_root() == cgroup_root()) WRITE_ONCE(cgroups->nsdelegate, nsdelegate);
  return {};
}

Result<void> remount(super_block*, unsigned*, const char* data) { return take_options(data); }

// Each mount shows what is below the root of the cgroup namespace of who made it.
Result<dentry*> mount_root(super_block* sb, const char* data) {
  TRY(take_options(data));
  MutexGuard guard(cgroup_mutex);
  dentry* dir = current_cgroup_ns_root()->dir;
  if (!dir) return fail(ENOENT);  // removed meanwhile
  return dget(dir);
}

void show_path(seq_file* m, dentry* root) {
  auto* page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!page) return;
  if (auto text = cgroup_path_from(cgroup_inode(root->d_inode)->css->cgroup, current_cgroup_ns_root(), page, PATH_MAX))
    seq_escape(m, *text, " \t\n\\");
  kfree(page);
}

constexpr super_operations kSops = {
    .evict_inode = evict_cgroup_inode, .free_inode = free_cgroup_inode, .alloc_inode = alloc_cgroup_inode,
    .statfs = cgroup_statfs, .remount = remount, .show_options = show_options,
    .mount_root = mount_root, .show_path = show_path,
};

Result<void> fill_cgroup2(super_block* sb, const char*) {
  sb->s_magic = kCgroup2Magic;
  sb->s_op = &kSops;
  sb->s_complete = true;
  struct cgroup* root = cgroup_root();
  CgroupInode* i = new_dir_inode(sb, root, S_IFDIR | 0555);
  if (!i) return fail(ENOMEM);
  sb->s_root = d_alloc_root(&i->vfs);
  return sb->s_root ? fill_dir(sb->s_root, root) : fail(ENOMEM);
}

user_namespace* cgroup_ns_owner() { return current->nsproxy->cgroup_ns->user_ns; }

constinit file_system_type cgroup2_type = {"cgroup2", FS_SINGLE | FS_USERNS_MOUNT, fill_cgroup2, nullptr, cgroup_ns_owner};

}  // namespace

Result<void> css_populate_dir(cgroup_subsys_state* css) {
  dentry* dir = css->cgroup->dir;
  if (!dir || (css->flags & CSS_VISIBLE)) return {};
  return add_files(dir, css);
}

// Those that are open say ENODEV from now on.
void css_clear_dir(cgroup_subsys_state* css) {
  struct cgroup* c = css->cgroup;
  if (css->flags & CSS_VISIBLE) remove_files(c->dir, css);
  WRITE_ONCE(css->flags, css->flags & ~CSS_VISIBLE);
}

void cgroup_forget_dir(struct cgroup* c) { dput(std::exchange(c->dir, nullptr)); }

void cgroup_file_notify(CgroupInode* i) {
  atomic_inc(&i->events);
  wake_up(&i->poll);
}

struct cgroup* cgroup_of_dir_file(const file* f) {
  const inode* i = file_inode(f);
  return i->i_op == &kDirIops ? cgroup_inode(i)->css->cgroup : nullptr;
}

void cgroupfs_init() {
  cgroups->inode_cache = kmem_cache_create("cgroup_inode_cache", sizeof(CgroupInode), alignof(CgroupInode), SLAB_PANIC, nullptr);
  BUG_ON(register_filesystem(&cgroup2_type));
  auto m = kern_mount(&cgroup2_type);
  BUG_ON(!m);
  cgroups->mnt = *m;
}

void cgroupfs_quiesce() {
  struct cgroup* root = cgroup_root();
  {
    MutexGuard guard(cgroup_mutex);
    css_clear_dir(&root->self);
    for (cgroup_subsys_state* css : root->subsys)
      if (css) css_clear_dir(css);
    dput(std::exchange(root->dir, nullptr));
  }
  kern_unmount(std::exchange(cgroups->mnt, nullptr));
  unregister_filesystem(&cgroup2_type);
}
