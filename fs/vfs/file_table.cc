// Open files and descriptor tables.
//
// Readers find a file by descriptor under RCU: struct file is type-stable (SLAB_TYPESAFE_BY_RCU), so a reader takes a
// reference unless the count is zero, and then looks whether the slot still holds that file. Tables change under file_lock.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/vfs/internal.hh"
#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

files_struct init_files;

namespace {

constexpr unsigned kBits = 64;
constexpr unsigned kNrOpenMax = 1u << 20;  // fs.nr_open
constexpr long kFileMax = 1l << 20;        // fs.file-max

bool bit_is(const unsigned long* map, unsigned n) { return READ_ONCE(map[n / kBits]) >> n % kBits & 1; }
void bit_set(unsigned long* map, unsigned n) { WRITE_ONCE(map[n / kBits], map[n / kBits] | 1ul << n % kBits); }
void bit_clear(unsigned long* map, unsigned n) { WRITE_ONCE(map[n / kBits], map[n / kBits] & ~(1ul << n % kBits)); }

void free_table_now(fdtable* t) {
  kvfree(t->fd);
  kfree(t->open_fds);
  kfree(t);
}
void free_table_rcu(rcu_head* head) { free_table_now(container_of(head, fdtable, rcu)); }

fdtable* alloc_table(unsigned n) {
  auto* t = static_cast<fdtable*>(kmalloc(sizeof(fdtable), GFP_KERNEL));
  if (!t) return nullptr;
  t->max_fds = n;
  t->fd = static_cast<file**>(kvcalloc(n, sizeof(file*), GFP_KERNEL));
  t->open_fds = static_cast<unsigned long*>(kcalloc(n / kBits * 2, sizeof(long), GFP_KERNEL));
  if (!t->fd || !t->open_fds) {
    free_table_now(t);
    return nullptr;
  }
  t->close_on_exec = t->open_fds + n / kBits;
  return t;
}

unsigned table_size_for(unsigned fd) {
  unsigned n = NR_OPEN_DEFAULT;
  while (n <= fd) n *= 2;
  return n < 256 && n > NR_OPEN_DEFAULT ? 256 : n;
}

// The table grows to hold fd. file_lock held on entry and return, dropped in between. 0, 1 (look again) or -errno.
int grow_table(files_struct* files, unsigned fd) {
  if (fd >= kNrOpenMax) return -EMFILE;
  spin_unlock(&files->file_lock);
  fdtable* t = alloc_table(table_size_for(fd));
  spin_lock(&files->file_lock);
  if (!t) return -ENOMEM;
  fdtable* old = files->fdt;
  if (old->max_fds > fd) {
    free_table_now(t);
    return 1;
  }
  memcpy(t->fd, old->fd, old->max_fds * sizeof(file*));
  memcpy(t->open_fds, old->open_fds, old->max_fds / 8);
  memcpy(t->close_on_exec, old->close_on_exec, old->max_fds / 8);
  rcu_assign_pointer(files->fdt, t);
  if (old != &files->fdtab) call_rcu(&old->rcu, free_table_rcu);
  return 1;
}

// First free descriptor >= from, max_fds if none.
unsigned first_free(const fdtable* t, unsigned from) {
  unsigned words = t->max_fds / kBits;
  unsigned long mask = ~0ul << from % kBits;
  for (unsigned w = from / kBits; w < words; w++, mask = ~0ul)
    if (unsigned long open = ~t->open_fds[w] & mask) return w * kBits + static_cast<unsigned>(__builtin_ctzl(open));
  return t->max_fds;
}

// Reserves the lowest descriptor >= start and < end.
int alloc_fd(files_struct* files, unsigned start, unsigned end, unsigned flags) {
  SpinGuard g(files->file_lock);
  for (;;) {
    fdtable* t = files->fdt;
    unsigned from = start > files->next_fd ? start : files->next_fd;
    unsigned fd = from < t->max_fds ? first_free(t, from) : from;
    if (fd >= end) return -EMFILE;
    if (fd >= t->max_fds) {
      if (int r = grow_table(files, fd); r < 0) return r;
      continue;
    }
    if (start <= files->next_fd) files->next_fd = fd + 1;
    bit_set(t->open_fds, fd);
    if (flags & O_CLOEXEC)
      bit_set(t->close_on_exec, fd);
    else if (bit_is(t->close_on_exec, fd))
      bit_clear(t->close_on_exec, fd);
    return static_cast<int>(fd);
  }
}

void release_slot(files_struct* files, fdtable* t, unsigned fd) {
  bit_clear(t->open_fds, fd);
  if (fd < files->next_fd) files->next_fd = fd;
}

// Takes the file out of its slot; null if there is none. file_lock held.
file* pick_file(files_struct* files, unsigned fd) {
  fdtable* t = files->fdt;
  if (fd >= t->max_fds) return nullptr;
  file* f = t->fd[fd];
  if (!f) return nullptr;
  rcu_assign_pointer(t->fd[fd], static_cast<file*>(nullptr));
  release_slot(files, t, fd);
  return f;
}

file* lookup_fd(files_struct* files, unsigned fd) {  // RCU
  fdtable* t = rcu_dereference(files->fdt);
  if (fd >= t->max_fds) return nullptr;
  return rcu_dereference(t->fd[fd]);
}

file* get_file_rcu(files_struct* files, unsigned fd) {
  RcuReadGuard rcu;
  for (;;) {
    file* f = lookup_fd(files, fd);
    if (!f) return nullptr;
    if (!atomic_long_inc_not_zero(&f->f_count)) continue;  // being closed: the slot has changed
    if (lookup_fd(files, fd) == f) return f;
    rcu_read_unlock();
    fput(f);
    rcu_read_lock();
  }
}

}  // namespace

// ---- struct file ------------------------------------------------------------------------------------------------------
file* alloc_file() {
  if (atomic_long_read(&vfs->nr_files) >= kFileMax && !capable(CAP_SYS_ADMIN)) return nullptr;
  auto* f = static_cast<file*>(kmem_cache_alloc(vfs->file_cache, GFP_KERNEL));
  if (!f) return nullptr;
  f->f_mode = 0;
  f->f_flags = 0;
  f->f_op = nullptr;
  f->f_inode = nullptr;
  f->private_data = nullptr;
  f->f_pos = 0;
  f->f_path = {};
  f->f_mapping = nullptr;
  f->f_cred = get_cred(current_cred());
  mutex_init(&f->f_pos_lock);
  spin_lock_init(&f->f_lock);
  INIT_LIST_HEAD(&f->f_ep_links);
  f->f_owner = nullptr;
  atomic_long_inc(&vfs->nr_files);
  // Last, and released: a reader that still has an old file of this address in mind may take a reference from here on.
  __atomic_store_n(&f->f_count.counter, 1, __ATOMIC_RELEASE);
  return f;
}

void put_pid(struct pid* pid);

void free_file(file* f) {
  put_cred(f->f_cred);
  if (f->f_owner) put_pid(f->f_owner);
  atomic_long_set(&f->f_count, 0);
  atomic_long_dec(&vfs->nr_files);
  kmem_cache_free(vfs->file_cache, f);
}

// ---- Descriptor to file -----------------------------------------------------------------------------------------------
file* fget_raw(unsigned fd) { return get_file_rcu(current->files, fd); }

file* fget(unsigned fd) {
  file* f = fget_raw(fd);
  if (f && f->f_mode & FMODE_PATH) {
    fput(f);
    return nullptr;
  }
  return f;
}

file* fget_task(task_struct* t, unsigned fd) {
  files_struct* files = get_files_struct(t);
  if (!files) return nullptr;
  file* f = get_file_rcu(files, fd);
  put_files_struct(files);
  return f;
}

files_struct* get_files_struct(task_struct* t) {
  SpinGuard g(t->alloc_lock);
  if (t->files) atomic_inc(&t->files->count);
  return t->files;
}

Fd::Fd(unsigned fd, unsigned refuse_mode) : f_(nullptr), owned_(false) {
  files_struct* files = current->files;
  if (atomic_read(&files->count) == 1) [[likely]] {
    fdtable* t = files->fdt;
    if (fd >= t->max_fds) return;
    file* f = t->fd[fd];
    if (f && !(f->f_mode & refuse_mode)) f_ = f;
    return;
  }
  file* f = get_file_rcu(files, fd);
  if (f && f->f_mode & refuse_mode) {
    fput(f);
    return;
  }
  f_ = f;
  owned_ = f;
}

// ---- Reserving, installing, closing -------------------------------------------------------------------------------------
int get_unused_fd_flags(unsigned flags) {
  unsigned long limit = rlimit(RLIMIT_NOFILE);
  return alloc_fd(current->files, 0, limit > kNrOpenMax ? kNrOpenMax : static_cast<unsigned>(limit), flags);
}

void put_unused_fd(unsigned fd) {
  files_struct* files = current->files;
  SpinGuard g(files->file_lock);
  release_slot(files, files->fdt, fd);
}

void fd_install(unsigned fd, file* f) {
  files_struct* files = current->files;
  SpinGuard g(files->file_lock);  // the table may be growing
  fdtable* t = files->fdt;
  BUG_ON(t->fd[fd]);
  rcu_assign_pointer(t->fd[fd], f);
}

int close_fd(unsigned fd) {
  files_struct* files = current->files;
  file* f;
  {
    SpinGuard g(files->file_lock);
    f = pick_file(files, fd);
  }
  return f ? filp_close(f, files) : -EBADF;
}

Result<int> receive_fd(file* f, unsigned flags) {
  int fd = get_unused_fd_flags(flags);
  if (fd < 0) return fail(-fd);
  fd_install(static_cast<unsigned>(fd), get_file(f));
  return fd;
}

int f_dupfd(unsigned from, file* f, unsigned flags) {
  unsigned long limit = rlimit(RLIMIT_NOFILE);
  if (from >= limit) return -EINVAL;
  int fd = alloc_fd(current->files, from, limit > kNrOpenMax ? kNrOpenMax : static_cast<unsigned>(limit), flags);
  if (fd >= 0) fd_install(static_cast<unsigned>(fd), get_file(f));
  return fd;
}

namespace {

// newfd becomes a copy of f. file_lock held on entry, not on return.
long replace_fd_locked(files_struct* files, unsigned newfd, file* f, unsigned flags) {
  while (newfd >= files->fdt->max_fds) {
    if (int r = grow_table(files, newfd); r < 0) {
      spin_unlock(&files->file_lock);
      return r == -ENOMEM ? r : -EBADF;
    }
  }
  fdtable* t = files->fdt;
  file* old = t->fd[newfd];
  if (!old && bit_is(t->open_fds, newfd)) {  // somebody has reserved it and is opening
    spin_unlock(&files->file_lock);
    return -EBUSY;
  }
  get_file(f);
  rcu_assign_pointer(t->fd[newfd], f);
  bit_set(t->open_fds, newfd);
  if (flags & O_CLOEXEC)
    bit_set(t->close_on_exec, newfd);
  else
    bit_clear(t->close_on_exec, newfd);
  spin_unlock(&files->file_lock);
  if (old) filp_close(old, files);
  return newfd;
}

long do_dup3(unsigned oldfd, unsigned newfd, int flags) {
  if (flags & ~O_CLOEXEC || oldfd == newfd) return -EINVAL;
  if (newfd >= rlimit(RLIMIT_NOFILE)) return -EBADF;
  files_struct* files = current->files;
  FileRef f(fget_raw(oldfd));
  if (!f) return -EBADF;
  spin_lock(&files->file_lock);
  return replace_fd_locked(files, newfd, f.get(), static_cast<unsigned>(flags));
}

}  // namespace

SYSCALL_DEFINE1(dup, unsigned, fd) {
  FileRef f(fget_raw(fd));
  if (!f) return -EBADF;
  int r = get_unused_fd_flags(0);
  if (r >= 0) fd_install(static_cast<unsigned>(r), f.release());
  return r;
}
SYSCALL_DEFINE2(dup2, unsigned, oldfd, unsigned, newfd) {
  if (oldfd == newfd) return Fd(oldfd, 0) ? static_cast<long>(oldfd) : -EBADF;
  return do_dup3(oldfd, newfd, 0);
}
SYSCALL_DEFINE3(dup3, unsigned, oldfd, unsigned, newfd, int, flags) { return do_dup3(oldfd, newfd, flags); }

namespace {

constexpr unsigned CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4;

void close_fds_in(files_struct* files, unsigned first, unsigned last) {
  for (unsigned fd = first;; fd++) {
    file* f;
    {
      SpinGuard g(files->file_lock);
      if (fd > last || fd >= files->fdt->max_fds) return;
      f = pick_file(files, fd);
    }
    if (f) filp_close(f, files);
  }
}

void mark_cloexec_in(files_struct* files, unsigned first, unsigned last) {
  SpinGuard g(files->file_lock);
  fdtable* t = files->fdt;
  for (unsigned fd = first; fd <= last && fd < t->max_fds; fd++)
    if (bit_is(t->open_fds, fd)) bit_set(t->close_on_exec, fd);
}

}  // namespace

SYSCALL_DEFINE3(close_range, unsigned, first, unsigned, last, unsigned, flags) {
  if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last) return -EINVAL;
  if (flags & CLOSE_RANGE_UNSHARE)
    if (auto r = unshare_files(); !r) return r.error().neg();
  if (flags & CLOSE_RANGE_CLOEXEC)
    mark_cloexec_in(current->files, first, last);
  else
    close_fds_in(current->files, first, last);
  return 0;
}

int get_close_on_exec(unsigned fd) {
  files_struct* files = current->files;
  RcuReadGuard rcu;
  fdtable* t = rcu_dereference(files->fdt);
  return fd < t->max_fds && bit_is(t->close_on_exec, fd);
}

void set_close_on_exec(unsigned fd, int flag) {
  files_struct* files = current->files;
  SpinGuard g(files->file_lock);
  fdtable* t = files->fdt;
  if (flag)
    bit_set(t->close_on_exec, fd);
  else
    bit_clear(t->close_on_exec, fd);
}

int next_open_fd(files_struct* files, unsigned from) {
  SpinGuard g(files->file_lock);
  fdtable* t = files->fdt;
  for (; from < t->max_fds; from++)
    if (t->fd[from]) return static_cast<int>(from);
  return -1;
}
bool fd_is_cloexec(files_struct* files, unsigned fd) {
  SpinGuard g(files->file_lock);
  return fd < files->fdt->max_fds && bit_is(files->fdt->close_on_exec, fd);
}

// ---- Whole tables: fork, exec, exit ----------------------------------------------------------------------------------------
namespace {

void init_table(files_struct* f) {
  atomic_set(&f->count, 1);
  spin_lock_init(&f->file_lock);
  f->next_fd = 0;
  f->close_on_exec_init[0] = f->open_fds_init[0] = 0;
  f->fdtab = {NR_OPEN_DEFAULT, f->fd_array, f->close_on_exec_init, f->open_fds_init, {}};
  f->fdt = &f->fdtab;
}

unsigned used_size(const fdtable* t) {  // descriptors up to the highest open one, in whole words
  unsigned w = t->max_fds / kBits;
  while (w && !t->open_fds[w - 1]) w--;
  return w ? w * kBits : kBits;
}

// file_lock of old held. What is reserved but not installed comes out free (spec 20 12.4).
void copy_entries(files_struct* to, fdtable* t, const fdtable* old, unsigned n) {
  unsigned next = n;
  for (unsigned w = 0; w < n / kBits; w++) {
    unsigned long open = old->open_fds[w];
    file **src = old->fd + w * kBits, **dst = t->fd + w * kBits;
    unsigned high = open ? kBits - static_cast<unsigned>(__builtin_clzl(open)) : 0;
    for (unsigned b = 0; b < high; b++) {
      file* f = src[b];
      if (f)
        get_file(f);
      else
        open &= ~(1ul << b);
      dst[b] = f;
    }
    for (unsigned b = high; b < kBits; b++) dst[b] = nullptr;
    t->open_fds[w] = open;
    t->close_on_exec[w] = old->close_on_exec[w] & open;
    if (~open && next == n) next = w * kBits + static_cast<unsigned>(__builtin_ctzl(~open));
  }
  to->next_fd = next;
}

}  // namespace

Result<files_struct*> dup_fd(files_struct* old, unsigned max_fds) {
  auto* f = static_cast<files_struct*>(kmem_cache_alloc(vfs->files_cache, GFP_KERNEL));
  if (!f) return fail(ENOMEM);
  init_table(f);
  spin_lock(&old->file_lock);
  for (;;) {
    unsigned n = used_size(old->fdt);
    if (n > max_fds) n = max_fds < kBits ? kBits : (max_fds + kBits - 1) / kBits * kBits;
    if (n <= f->fdt->max_fds) {
      copy_entries(f, f->fdt, old->fdt, n);
      spin_unlock(&old->file_lock);
      return f;
    }
    spin_unlock(&old->file_lock);
    if (f->fdt != &f->fdtab) free_table_now(f->fdt);
    f->fdt = &f->fdtab;
    fdtable* t = n > kNrOpenMax ? nullptr : alloc_table(n);
    if (!t) {
      kmem_cache_free(vfs->files_cache, f);
      return fail(n > kNrOpenMax ? EMFILE : ENOMEM);
    }
    f->fdt = t;
    spin_lock(&old->file_lock);
  }
}

void put_files_struct(files_struct* files) {
  if (!atomic_dec_and_test(&files->count)) return;
  fdtable* t = files->fdt;
  for (unsigned w = 0; w < t->max_fds / kBits; w++)
    for (unsigned long open = t->open_fds[w]; open; open &= open - 1)
      if (file* f = t->fd[w * kBits + static_cast<unsigned>(__builtin_ctzl(open))]) filp_close(f, files);
  if (t != &files->fdtab) free_table_now(t);
  if (files != &init_files) kmem_cache_free(vfs->files_cache, files);
}

Result<void> copy_files(unsigned long clone_flags, task_struct* t) {
  files_struct* old = current->files;
  if (!old) return {};
  if (clone_flags & CLONE_FILES) {
    atomic_inc(&old->count);
    t->files = old;
    return {};
  }
  t->files = TRY(dup_fd(old, kNrOpenMax));
  return {};
}

void exit_files(task_struct* t) {
  files_struct* files;
  {
    SpinGuard g(t->alloc_lock);
    files = t->files;
    t->files = nullptr;
  }
  if (files) put_files_struct(files);
}

Result<void> unshare_files() {
  files_struct* old = current->files;
  if (atomic_read(&old->count) == 1) return {};
  files_struct* fresh = TRY(dup_fd(old, kNrOpenMax));
  {
    SpinGuard g(current->alloc_lock);
    current->files = fresh;
  }
  put_files_struct(old);
  return {};
}

void do_close_on_exec(files_struct* files) {
  for (unsigned w = 0;; w++) {
    unsigned long set;
    {
      SpinGuard g(files->file_lock);
      fdtable* t = files->fdt;
      if (w >= t->max_fds / kBits) return;
      set = t->close_on_exec[w];
      if (!set) continue;
      t->close_on_exec[w] = 0;
    }
    for (; set; set &= set - 1) {
      file* f;
      {
        SpinGuard g(files->file_lock);
        f = pick_file(files, w * kBits + static_cast<unsigned>(__builtin_ctzl(set)));
      }
      if (f) filp_close(f, files);
    }
  }
}

// ---- World --------------------------------------------------------------------------------------------------------------
void fdtable_init() {
  vfs->file_cache = kmem_cache_create("filp", sizeof(file), 64, SLAB_TYPESAFE_BY_RCU, nullptr);
  vfs->files_cache = kmem_cache_create("files_cache", sizeof(files_struct), 64, 0, nullptr);
  BUG_ON(!vfs->file_cache || !vfs->files_cache);
  init_table(&init_files);
  memset(init_files.fd_array, 0, sizeof(init_files.fd_array));
}

// The files' cache gives its slabs back after a grace period, so it goes while there still are any.
void file_table_quiesce() {
  if (atomic_long_read(&vfs->nr_files) == 0) kmem_cache_destroy(std::exchange(vfs->file_cache, nullptr));
}

void file_table_exit(LeakReport& r) {
  r.expect_zero("open files", atomic_long_read(&vfs->nr_files));
  r.expect_zero("users of init_files", atomic_read(&init_files.count) - 1);
  if (vfs->file_cache) kmem_cache_destroy(vfs->file_cache);
  kmem_cache_destroy(vfs->files_cache);
}
