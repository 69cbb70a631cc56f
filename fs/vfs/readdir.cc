// getdents64 and getdents, and listing a directory whose names are all in the dcache.
// SPDX-License-Identifier: Apache-2.0
#include <linux/align.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/vfs/internal.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

bool dir_emit_dots(file* f, dir_context* ctx) {
  if (ctx->pos == 0) {
    if (!dir_emit(ctx, ".", 1, f->f_inode->i_ino, DT_DIR)) return false;
    ctx->pos = 1;
  }
  if (ctx->pos == 1) {
    inode* up = f->f_path.dentry->d_parent->d_inode;
    if (!dir_emit(ctx, "..", 2, up->i_ino, DT_DIR)) return false;
    ctx->pos = 2;
  }
  return true;
}

namespace {

// Names come newest first, as from Linux' tmpfs. A name's place in the directory counts down from here with its cookie, so
// that what is added while somebody reads lies behind him.
constexpr u64 kFirstPlace = 1ull << 62;
u64 place_of(const dentry* d) { return kFirstPlace - d->d_cookie; }

// First name whose place is at or after pos, referenced.
dentry* next_name(dentry* dir, u64 pos) {
  SpinGuard g(dcache_lock);
  dentry* d;
  list_for_each_entry_reverse(d, &dir->d_subdirs, d_child) {
    if (place_of(d) >= pos) return dget(d);
  }
  return nullptr;
}
dentry* name_after(dentry* dir, dentry* d) {
  SpinGuard g(dcache_lock);
  if (d->d_parent != dir || list_empty(&d->d_child)) return nullptr;  // it went away meanwhile: by place then
  struct list_head* n = d->d_child.prev;
  return n == &dir->d_subdirs ? nullptr : dget(list_entry(n, dentry, d_child));
}

}  // namespace

int dcache_readdir(file* f, dir_context* ctx) {
  if (!dir_emit_dots(f, ctx)) return 0;
  dentry* dir = f->f_path.dentry;
  dentry* d = next_name(dir, static_cast<u64>(ctx->pos));
  while (d) {
    inode* i = d->d_inode;
    ctx->pos = static_cast<loff_t>(place_of(d));
    dname* n = d->d_name;  // the directory's lock keeps renames away
    if (!dir_emit(ctx, n->text(), static_cast<int>(n->len), i->i_ino, (i->i_mode >> 12) & 15)) {
      dput(d);
      return 0;
    }
    ctx->pos++;
    dentry* next = name_after(dir, d);
    dput(d);
    d = next ? next : next_name(dir, static_cast<u64>(ctx->pos));
  }
  return 0;
}

loff_t dcache_dir_llseek(file* f, loff_t off, int whence) {
  if (whence == SEEK_CUR) off += f->f_pos;
  if (whence > SEEK_CUR || off < 0) return -EINVAL;
  f->f_pos = off;
  return off;
}

namespace {

enum class Format : unsigned char { Dirent64, Dirent };

struct Getdents : dir_context {
  Format format;
  char* user;          // next free byte
  char* prev_off;      // where the previous entry's d_off goes
  size_t room;
  int error;
};

// linux_dirent: ino, off, reclen, name, NUL, type in the last byte. linux_dirent64: ino, off, reclen, type, name, NUL.
bool put_entry(dir_context* base, const char* name, int len, loff_t pos, u64 ino, unsigned type) {
  auto* c = static_cast<Getdents*>(base);
  size_t head = c->format == Format::Dirent64 ? 19 : 18;
  size_t size = ALIGN(head + static_cast<size_t>(len) + (c->format == Format::Dirent64 ? 1 : 2), 8ul);
  c->error = -EINVAL;
  if (size > c->room) return false;
  c->error = -EFAULT;
  if (c->prev_off && signal_pending(current)) {
    c->error = -EINTR;
    return false;
  }
  alignas(8) char rec[ALIGN(19 + NAME_MAX + 2, 8)];
  memset(rec + size - 8, 0, 8);
  *reinterpret_cast<u64*>(rec) = ino;
  *reinterpret_cast<u64*>(rec + 8) = 0;
  *reinterpret_cast<u16*>(rec + 16) = static_cast<u16>(size);
  if (c->format == Format::Dirent64) rec[18] = static_cast<char>(type);
  memcpy(rec + head, name, static_cast<size_t>(len));
  rec[head + static_cast<size_t>(len)] = 0;
  if (c->format == Format::Dirent) rec[size - 1] = static_cast<char>(type);
  s64 off = pos;
  if (c->prev_off && copy_to_user(c->prev_off, &off, 8)) return false;
  if (copy_to_user(c->user, rec, size)) return false;
  c->prev_off = c->user + 8;
  c->user += size;
  c->room -= size;
  c->error = 0;
  return true;
}

int iterate_dir(file* f, dir_context* ctx) {
  if (!f->f_op->iterate_shared) return -ENOTDIR;
  inode* i = f->f_inode;
  RwsemReadGuard g(i->i_rwsem);
  if (i->i_flags & S_DEAD) return -ENOENT;
  ctx->pos = f->f_pos;
  int r = f->f_op->iterate_shared(f, ctx);
  f->f_pos = ctx->pos;
  return r;
}

long do_getdents(unsigned fd, char* user, unsigned size, Format format) {
  Fd f(fd);
  if (!f) return -EBADF;
  MutexGuard pos(f->f_pos_lock);
  Getdents c{};
  c.actor = put_entry;
  c.format = format;
  c.user = user;
  c.room = size;
  int r = iterate_dir(f.get(), &c);
  if (r >= 0) r = c.error;
  if (c.prev_off) {
    s64 off = c.pos;
    return copy_to_user(c.prev_off, &off, 8) ? -EFAULT : static_cast<long>(size - c.room);
  }
  return r;
}

}  // namespace

SYSCALL_DEFINE3(getdents64, unsigned, fd, char*, buf, unsigned, size) { return do_getdents(fd, buf, size, Format::Dirent64); }
SYSCALL_DEFINE3(getdents, unsigned, fd, char*, buf, unsigned, size) { return do_getdents(fd, buf, size, Format::Dirent); }
