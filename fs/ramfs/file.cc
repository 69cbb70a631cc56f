// ramfs and tmpfs: the contents of regular files, by way of the page cache; memfd_create and its seals.
// SPDX-License-Identifier: Apache-2.0
#include <linux/align.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/pipe/pipe.hh"
#include "fs/ramfs/internal.hh"
#include "fs/ramfs/ramfs.hh"
#include "fs/vfs/internal.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned long kPage = 4096;

RamfsInfo* info_of(const inode* i) { return static_cast<RamfsInfo*>(i->i_sb->s_fs_info); }

Result<void> charge(address_space* m) {
  RamfsInfo* info = info_of(m->host);
  long now = atomic_long_inc_return(&info->blocks);
  if (!info->max_blocks || static_cast<unsigned long>(now) <= info->max_blocks) return {};
  atomic_long_dec(&info->blocks);
  return fail(ENOSPC);
}
void uncharge(address_space* m, unsigned long pages) {
  atomic_long_sub(static_cast<s64>(pages), &info_of(m->host)->blocks);
}

unsigned seals_of(inode* i) {
  unsigned* s = static_cast<unsigned*>(i->i_private);
  return s ? READ_ONCE(*s) : 0;
}

BufferIn where(const iov_iter* i) { return i->kind == ITER_USER ? BufferIn::User : BufferIn::Kernel; }

ssize_t ramfs_read_iter(kiocb* k, iov_iter* to) {
  file* f = k->ki_filp;
  ssize_t total = 0;
  long err = 0;
  while (iov_iter_count(to)) {
    size_t part = iov_iter_span(to);
    auto n = filemap_read(&f->f_inode->i_data, k->ki_pos, to->base, part, where(to));
    if (!n) {
      err = n.error().neg();
      break;
    }
    iov_iter_take(to, *n);
    k->ki_pos += static_cast<loff_t>(*n);
    total += static_cast<ssize_t>(*n);
    if (*n < part) break;
  }
  touch_atime(f);
  return total ? total : err;
}

// How much of the write is allowed: append position, file size limits. 0: nothing to do.
ssize_t write_checks(kiocb* k, iov_iter* from) {
  inode* i = k->ki_filp->f_inode;
  if (k->ki_flags & IOCB_APPEND) k->ki_pos = i_size_read(i);
  unsigned long limit = rlimit(RLIMIT_FSIZE);
  if (limit != ~0ul) {
    if (static_cast<unsigned long>(k->ki_pos) >= limit) {
      send_sig(SIGXFSZ, current, 0);
      return -EFBIG;
    }
    iov_iter_truncate(from, limit - static_cast<unsigned long>(k->ki_pos));
  }
  if (k->ki_pos >= i->i_sb->s_maxbytes) return -EFBIG;
  iov_iter_truncate(from, static_cast<size_t>(i->i_sb->s_maxbytes - k->ki_pos));
  unsigned seals = seals_of(i);
  if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) return -EPERM;
  if (seals & F_SEAL_GROW && k->ki_pos + static_cast<loff_t>(iov_iter_count(from)) > i_size_read(i)) return -EPERM;
  return static_cast<ssize_t>(iov_iter_count(from));
}

ssize_t write_locked(kiocb* k, iov_iter* from) {
  file* f = k->ki_filp;
  ssize_t total = write_checks(k, from);
  if (total <= 0) return total;
  if (auto r = file_remove_privs(f); !r) return r.error().neg();
  total = 0;
  long err = 0;
  while (iov_iter_count(from)) {
    size_t part = iov_iter_span(from);
    auto n = filemap_write(&f->f_inode->i_data, k->ki_pos, from->base, part, where(from));
    if (!n) {
      err = n.error().neg();
      break;
    }
    iov_iter_take(from, *n);
    k->ki_pos += static_cast<loff_t>(*n);
    total += static_cast<ssize_t>(*n);
    if (*n < part) break;
  }
  if (total) file_update_time(f);
  return total ? total : err;
}

ssize_t ramfs_write_iter(kiocb* k, iov_iter* from) {
  if (!iov_iter_count(from)) return 0;
  inode* i = k->ki_filp->f_inode;
  inode_lock(i);
  ssize_t n = write_locked(k, from);
  inode_unlock(i);
  return n;
}

// ---- SEEK_DATA, SEEK_HOLE, fallocate --------------------------------------------------------------------------------------
bool page_there(address_space* m, pgoff_t index) {
  page* p = find_get_page(m, index);
  if (p) put_page(p);
  return p;
}

loff_t ramfs_llseek(file* f, loff_t off, int whence) {
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return generic_file_llseek(f, off, whence);
  inode* i = f->f_inode;
  inode_lock_shared(i);
  loff_t size = i_size_read(i), r = -ENXIO;
  if (off >= 0 && off < size) {
    pgoff_t at = static_cast<pgoff_t>(off) / kPage, end = (static_cast<pgoff_t>(size) + kPage - 1) / kPage;
    while (at < end && page_there(&i->i_data, at) != (whence == SEEK_DATA)) at++;
    loff_t found = static_cast<loff_t>(at * kPage);
    if (found < off) found = off;
    if (at < end)
      r = found;
    else if (whence == SEEK_HOLE)
      r = size;
  }
  inode_unlock_shared(i);
  if (r >= 0) f->f_pos = r;
  return r;
}

Result<void> zero_range(inode* i, loff_t from, loff_t to) {  // within one page
  if (from >= to || !page_there(&i->i_data, static_cast<pgoff_t>(from) / kPage)) return {};
  static constexpr char kZeroes[kPage] = {};
  TRY(filemap_write(&i->i_data, from, kZeroes, static_cast<size_t>(to - from), BufferIn::Kernel));
  return {};
}

Result<void> punch_hole(inode* i, loff_t off, loff_t end) {
  if (seals_of(i) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) return fail(EPERM);
  loff_t size = i_size_read(i);
  if (end > size) end = size;
  if (off >= end) return {};
  loff_t first = ALIGN(off, static_cast<loff_t>(kPage)), last = end & ~static_cast<loff_t>(kPage - 1);
  if (first > last) return zero_range(i, off, end);
  TRY(zero_range(i, off, first));
  if (last > first) truncate_page_range(&i->i_data, static_cast<pgoff_t>(first) / kPage, static_cast<unsigned long>(last - first) / kPage);
  return zero_range(i, last, end);
}

Result<void> allocate(inode* i, int mode, loff_t off, loff_t end) {
  bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(i);
  if (grows && seals_of(i) & F_SEAL_GROW) return fail(EPERM);
  for (pgoff_t at = static_cast<pgoff_t>(off) / kPage; at < (static_cast<pgoff_t>(end) + kPage - 1) / kPage; at++) {
    if (signal_pending(current)) return fail(EINTR);
    put_page(TRY(find_or_create_page(&i->i_data, at)));
  }
  if (grows) i_size_write(i, end);
  return {};
}

long ramfs_fallocate(file* f, int mode, loff_t off, loff_t len) {
  inode* i = f->f_inode;
  inode_lock(i);
  auto r = mode & FALLOC_FL_PUNCH_HOLE ? punch_hole(i, off, off + len) : allocate(i, mode, off, off + len);
  if (r) file_update_time(f);
  inode_unlock(i);
  return to_abi(r);
}

// ---- Attributes -------------------------------------------------------------------------------------------------------------
Result<void> ramfs_setattr(dentry* d, iattr* a) {
  inode* i = d->d_inode;
  TRY(setattr_prepare(d, a));
  if (a->ia_valid & ATTR_SIZE && a->ia_size != i_size_read(i)) {
    unsigned seals = seals_of(i);
    if (seals & (a->ia_size < i_size_read(i) ? F_SEAL_SHRINK : F_SEAL_GROW)) return fail(EPERM);
    truncate_setsize(&i->i_data, a->ia_size);
    a->ia_valid |= ATTR_MTIME;
  }
  setattr_copy(i, a);
  return {};
}

Result<void> ramfs_getattr(const path* p, kstat* st) {
  inode* i = p->dentry->d_inode;
  generic_fillattr(i, st);
  st->blocks = READ_ONCE(i->i_data.nrpages) * (kPage / 512);
  return {};
}

int ramfs_mmap(file* f, vm_area_struct* vma) {
  unsigned seals = seals_of(f->f_inode);
  if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) && vma->vm_flags & VM_SHARED) {
    if (vma->vm_flags & VM_WRITE) return -EPERM;
    vma->vm_flags &= ~VM_MAYWRITE;
  }
  return generic_file_mmap(f, vma);
}

}  // namespace

int ramfs_fsync(file*, loff_t, loff_t, int) { return 0; }

const inode_operations ramfs_file_inode_ops = {.setattr = ramfs_setattr, .getattr = ramfs_getattr};
const address_space_operations ramfs_aops = {.charge_page = charge, .uncharge_pages = uncharge, .read_page = nullptr};
const file_operations ramfs_file_fops = {
    .llseek = ramfs_llseek, .read_iter = ramfs_read_iter, .write_iter = ramfs_write_iter, .mmap = ramfs_mmap,
    .fsync = ramfs_fsync, .fallocate = ramfs_fallocate,
};

// ---- memfd (spec 60 section 11) -----------------------------------------------------------------------------------------------
namespace {

constexpr unsigned MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_HUGETLB = 4;
constexpr long kMemfdNameMax = 249;
constexpr unsigned kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

Result<file*> make_memfd(const char* name, unsigned flags) {
  inode* i = TRY(ramfs_make_file(shm_mnt->mnt_sb, S_IRWXUGO));
  i->i_nlink = 0;
  auto* seals = static_cast<unsigned*>(kmalloc(sizeof(unsigned), GFP_KERNEL));
  if (!seals) {
    iput(i);
    return fail(ENOMEM);
  }
  *seals = flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
  i->i_private = seals;
  file* f = TRY(alloc_file_pseudo(i, shm_mnt, name, O_RDWR | O_LARGEFILE, &ramfs_file_fops));
  f->f_mode |= FMODE_ATOMIC_POS;
  return f;
}

}  // namespace

unsigned* memfd_seals(inode* i) {
  return i->i_fop == &ramfs_file_fops && i->i_sb == shm_mnt->mnt_sb ? static_cast<unsigned*>(i->i_private) : nullptr;
}

SYSCALL_DEFINE2(memfd_create, const char*, user_name, unsigned, flags) {
  if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) return -EINVAL;  // no huge pages
  constexpr char kPrefix[] = "/memfd:", kSuffix[] = " (deleted)";
  char name[sizeof(kPrefix) + kMemfdNameMax + sizeof(kSuffix)];
  memcpy(name, kPrefix, sizeof(kPrefix) - 1);
  char* text = name + sizeof(kPrefix) - 1;
  long n = strncpy_from_user(text, user_name, kMemfdNameMax + 1);
  if (n < 0) return -EFAULT;
  if (n > kMemfdNameMax) return -EINVAL;
  memcpy(text + n, kSuffix, sizeof(kSuffix));
  int fd = get_unused_fd_flags(flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
  if (fd < 0) return fd;
  auto f = make_memfd(name, flags);
  if (!f) {
    put_unused_fd(static_cast<unsigned>(fd));
    return f.error().neg();
  }
  fd_install(static_cast<unsigned>(fd), *f);
  return fd;
}

long memfd_fcntl(file* f, unsigned cmd, unsigned arg) {
  inode* i = f->f_inode;
  unsigned* seals = memfd_seals(i);
  if (!seals) return -EINVAL;
  if (cmd == F_GET_SEALS) return READ_ONCE(*seals);
  if (!(f->f_mode & FMODE_WRITE)) return -EPERM;
  if (arg & ~kAllSeals) return -EINVAL;
  inode_lock(i);
  long r = 0;
  if (*seals & F_SEAL_SEAL)
    r = -EPERM;
  else if (arg & F_SEAL_WRITE && !(*seals & F_SEAL_WRITE) && atomic_read(&i->i_data.i_mmap_writable) > 0)
    r = -EBUSY;
  else
    WRITE_ONCE(*seals, *seals | arg);
  inode_unlock(i);
  return r;
}
