// Pipes: a ring of page pieces under one mutex. Spec 60 section 7.
//
// Waiting: a task queues itself while it holds the mutex, and whoever changes the ring looks at the queues while holding it,
// so no wake-up is lost and none is sent in vain. Readers and writers wait exclusively; one that leaves with data (or room)
// left wakes the next (C-5).
// SPDX-License-Identifier: Apache-2.0
#include "fs/pipe/pipe.hh"

#include <linux/bug.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "fs/pipe/internal.hh"
#include "fs/vfs/internal.hh"
#include "fs/vfs/poll.hh"
#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "mm/page_address.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned kPage = 4096;
constexpr unsigned kDefaultSlots = 16, kPoorSlots = 2;
constexpr long kUserPagesSoft = 16384;
constexpr unsigned kMaxSize = 1u << 20;  // fs.pipe-max-size

constinit kmem_cache* pipe_cache = nullptr;
constinit vfsmount* pipe_mnt = nullptr;

char* address_of(const pipe_buffer& b) { return static_cast<char*>(page_address(b.page)) + b.offset; }

bool privileged() { return capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN); }

// ---- Pages ----------------------------------------------------------------------------------------------------------------
page* take_page(pipe_inode_info* p) {
  for (page*& t : p->spare)
    if (t) return std::exchange(t, nullptr);
  return alloc_page(GFP_KERNEL);
}

void give_page(pipe_inode_info* p, page* pg) {
  for (page*& t : p->spare)
    if (!t) {
      t = pg;
      return;
    }
  __free_page(pg);
}

}  // namespace

// ---- The ring ---------------------------------------------------------------------------------------------------------------
pipe_inode_info* alloc_pipe_info() {
  const struct cred* c = current_cred();
  unsigned slots = kDefaultSlots;
  if (atomic_long_read(&c->user->pipe_bufs) + static_cast<long>(slots) > kUserPagesSoft && !privileged()) slots = kPoorSlots;
  auto* p = static_cast<pipe_inode_info*>(kmem_cache_alloc(pipe_cache, GFP_KERNEL));
  if (!p) return nullptr;
  p->bufs = static_cast<pipe_buffer*>(kmalloc(slots * sizeof(pipe_buffer), GFP_KERNEL));
  if (!p->bufs) {
    kmem_cache_free(pipe_cache, p);
    return nullptr;
  }
  mutex_init(&p->mutex);
  init_waitqueue_head(&p->rd_wait);
  init_waitqueue_head(&p->wr_wait);
  p->head = p->tail = 0;
  p->slots = slots;
  p->readers = p->writers = p->files = p->r_counter = p->w_counter = 0;
  p->spare[0] = p->spare[1] = nullptr;
  p->user = c->user;
  refcount_inc(&p->user->count);
  atomic_long_add(slots, &p->user->pipe_bufs);
  return p;
}

void free_pipe_info(pipe_inode_info* p) {
  for (; p->tail != p->head; p->tail++) __free_page(p->at(p->tail).page);
  for (page* t : p->spare)
    if (t) __free_page(t);
  atomic_long_sub(p->slots, &p->user->pipe_bufs);
  free_uid(p->user);
  kfree(p->bufs);
  kmem_cache_free(pipe_cache, p);
}

namespace {

// Whom to wake once the mutex is dropped.
struct Wakes {
  bool readers = false, writers = false;
  void send(pipe_inode_info* p) const {
    if (readers) wake_up_interruptible_sync_poll(&p->rd_wait, EPOLLIN | EPOLLRDNORM);
    if (writers) wake_up_interruptible_sync_poll(&p->wr_wait, EPOLLOUT | EPOLLWRNORM);
  }
};

// Sleeps until woken; the mutex is held before and after. False: a signal is pending.
bool wait_on(pipe_inode_info* p, wait_queue_head_t* q, Wakes* wakes) {
  if (signal_pending(current)) return false;
  DEFINE_WAIT(w);
  prepare_to_wait_exclusive(q, &w, TASK_INTERRUPTIBLE);
  mutex_unlock(&p->mutex);
  std::exchange(*wakes, Wakes{}).send(p);
  schedule();
  finish_wait(q, &w);
  mutex_lock(&p->mutex);
  return true;
}

bool nonblocking(const kiocb* k) { return k->ki_filp->f_flags & O_NONBLOCK || k->ki_flags & IOCB_NOWAIT; }

// One slot's worth to the reader: how much, or -EFAULT. *left is what he still wants.
ssize_t read_slot(pipe_inode_info* p, iov_iter* to, bool* packet_end) {
  pipe_buffer& b = p->at(p->tail);
  size_t n = b.len < iov_iter_count(to) ? b.len : iov_iter_count(to);
  if (copy_to_iter(address_of(b), n, to) < n) return -EFAULT;
  b.offset += static_cast<unsigned>(n);
  b.len -= static_cast<unsigned>(n);
  *packet_end = b.packet;
  if (b.len == 0 || b.packet) {  // what a packet's reader leaves is lost (P-9)
    give_page(p, b.page);
    WRITE_ONCE(p->tail, p->tail + 1);
  }
  return static_cast<ssize_t>(n);
}

ssize_t pipe_read(kiocb* k, iov_iter* to) {
  if (!iov_iter_count(to)) [[unlikely]] return 0;
  auto* p = static_cast<pipe_inode_info*>(k->ki_filp->private_data);
  ssize_t got = 0;
  Wakes wakes;
  mutex_lock(&p->mutex);
  for (;;) {
    if (!p->empty()) {
      unsigned tail = p->tail;
      bool packet_end;
      ssize_t n = read_slot(p, to, &packet_end);
      if (n < 0) {
        if (!got) got = n;
        break;
      }
      got += n;
      if (p->tail != tail && waitqueue_active(&p->wr_wait)) wakes.writers = true;
      if (!iov_iter_count(to) || packet_end) break;
      continue;
    }
    if (got || !p->writers) break;
    if (nonblocking(k)) {
      got = -EAGAIN;
      break;
    }
    if (!wait_on(p, &p->rd_wait, &wakes)) {
      got = -ERESTARTSYS;
      break;
    }
  }
  if (!p->empty() && waitqueue_active(&p->rd_wait)) wakes.readers = true;
  mutex_unlock(&p->mutex);
  wakes.send(p);
  return got;
}

// Fills what is left of the newest page, if the whole of n fits there (P-2). Bytes written, 0 if it does not fit, or -EFAULT.
ssize_t append_to_last(pipe_inode_info* p, iov_iter* from, size_t n) {
  pipe_buffer& b = p->at(p->head - 1);
  unsigned end = b.offset + b.len;
  if (b.packet || end + n > kPage) return 0;
  size_t done = copy_from_iter(static_cast<char*>(page_address(b.page)) + end, n, from);
  if (done < n && !done) return -EFAULT;
  b.len += static_cast<unsigned>(done);
  return static_cast<ssize_t>(done);
}

// One more slot; there is room. Bytes, -ENOMEM or -EFAULT.
ssize_t write_slot(pipe_inode_info* p, iov_iter* from, bool packet) {
  page* pg = take_page(p);
  if (!pg) return -ENOMEM;
  size_t n = iov_iter_count(from) < kPage ? iov_iter_count(from) : kPage;
  size_t done = copy_from_iter(page_address(pg), n, from);
  if (!done) {
    give_page(p, pg);
    return -EFAULT;
  }
  p->at(p->head) = {pg, 0, static_cast<unsigned>(done), packet};
  WRITE_ONCE(p->head, p->head + 1);
  return static_cast<ssize_t>(done);
}

ssize_t broken(ssize_t done) {
  send_sig(SIGPIPE, current, 0);
  return done ? done : -EPIPE;
}

ssize_t pipe_write(kiocb* k, iov_iter* from) {
  if (!iov_iter_count(from)) [[unlikely]] return 0;
  auto* p = static_cast<pipe_inode_info*>(k->ki_filp->private_data);
  bool packet = k->ki_filp->f_flags & O_DIRECT;
  ssize_t put = 0;
  Wakes wakes;
  mutex_lock(&p->mutex);
  size_t odd = iov_iter_count(from) % kPage;
  if (odd && !p->empty() && !packet && p->readers) {
    put = append_to_last(p, from, odd);
    if (put > 0 && waitqueue_active(&p->rd_wait)) wakes.readers = true;
  }
  while (put >= 0 && iov_iter_count(from)) {
    if (!p->readers) {
      put = broken(put);
      break;
    }
    if (!p->full()) [[likely]] {
      ssize_t n = write_slot(p, from, packet);
      if (n < 0) {
        if (!put) put = n;
        break;
      }
      put += n;
      if (waitqueue_active(&p->rd_wait)) wakes.readers = true;
      continue;
    }
    if (nonblocking(k)) {
      if (!put) put = -EAGAIN;
      break;
    }
    if (!wait_on(p, &p->wr_wait, &wakes)) {
      if (!put) put = -ERESTARTSYS;
      break;
    }
  }
  if (!p->full() && waitqueue_active(&p->wr_wait)) wakes.writers = true;
  mutex_unlock(&p->mutex);
  wakes.send(p);
  return put;
}

// ---- poll, ioctl, close -------------------------------------------------------------------------------------------------------
__poll_t pipe_poll(file* f, poll_table* pt) {
  auto* p = static_cast<pipe_inode_info*>(f->private_data);
  if (f->f_mode & FMODE_READ) poll_wait(f, &p->rd_wait, pt);
  if (f->f_mode & FMODE_WRITE) poll_wait(f, &p->wr_wait, pt);
  // Queued first, then looked under the mutex: see the top of the file.
  mutex_lock(&p->mutex);
  __poll_t m = 0;
  if (f->f_mode & FMODE_READ) {
    if (!p->empty()) m |= EPOLLIN | EPOLLRDNORM;
    if (!p->writers && f->f_pos != static_cast<loff_t>(p->w_counter)) m |= EPOLLHUP;  // P-15: only if there was one
  }
  if (f->f_mode & FMODE_WRITE) {
    if (!p->full()) m |= EPOLLOUT | EPOLLWRNORM;
    if (!p->readers) m |= EPOLLERR;
  }
  mutex_unlock(&p->mutex);
  return m;
}

unsigned queued_bytes(pipe_inode_info* p) {
  unsigned n = 0;
  mutex_lock(&p->mutex);
  for (unsigned t = p->tail; t != p->head; t++) n += p->at(t).len;
  mutex_unlock(&p->mutex);
  return n;
}

constexpr unsigned FIONREAD = 0x541B;

long pipe_ioctl(file* f, unsigned cmd, unsigned long arg) {
  if (cmd != FIONREAD) return -ENOIOCTLCMD;
  int n = static_cast<int>(queued_bytes(static_cast<pipe_inode_info*>(f->private_data)));
  return put_user(n, reinterpret_cast<int*>(arg));
}

int pipe_release(inode* i, file* f) {
  auto* p = static_cast<pipe_inode_info*>(f->private_data);
  mutex_lock(&p->mutex);
  if (f->f_mode & FMODE_READ) p->readers--;
  if (f->f_mode & FMODE_WRITE) p->writers--;
  bool last_of_side = !p->readers != !p->writers;
  bool rd = last_of_side && waitqueue_active(&p->rd_wait), wr = last_of_side && waitqueue_active(&p->wr_wait);
  mutex_unlock(&p->mutex);
  if (rd) wake_up_interruptible_poll_all(&p->rd_wait, EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP);
  if (wr) wake_up_interruptible_poll_all(&p->wr_wait, EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP);
  put_pipe(i, p);
  return 0;
}

int pipe_fsync(file*, loff_t, loff_t, int) { return -EINVAL; }

}  // namespace

const file_operations pipe_fops = {
    .llseek = no_llseek, .read_iter = pipe_read, .write_iter = pipe_write, .poll = pipe_poll, .unlocked_ioctl = pipe_ioctl,
    .open = fifo_open, .release = pipe_release, .fsync = pipe_fsync,
};

// ---- pipe2 --------------------------------------------------------------------------------------------------------------------
namespace {

Result<inode*> make_pipe_inode() {
  inode* i = new_inode(pipe_mnt->mnt_sb);
  if (!i) return fail(ENFILE);
  pipe_inode_info* p = alloc_pipe_info();
  if (!p) {
    iput(i);
    return fail(ENFILE);
  }
  i->i_pipe = p;
  p->files = 2;
  p->readers = p->writers = 1;
  p->r_counter = p->w_counter = 1;
  i->i_fop = &pipe_fops;
  i->i_mode = S_IFIFO | S_IRUSR | S_IWUSR;
  i->i_uid = current_cred()->fsuid;
  i->i_gid = current_cred()->fsgid;
  return i;
}

file* pipe_end(inode* i, const path* at, unsigned flags) {
  file* f = alloc_file();
  if (!f) return nullptr;
  path_get(at);
  f->f_path = *at;
  f->f_inode = i;
  f->f_flags = flags;
  f->f_mode = static_cast<unsigned>(flags_to_fmode(static_cast<int>(flags))) | FMODE_OPENED | FMODE_STREAM;
  f->f_op = &pipe_fops;
  f->private_data = i->i_pipe;
  return f;
}

}  // namespace

Result<void> create_pipe_files(file** rd, file** wr, int flags) {
  inode* i = TRY(make_pipe_inode());
  dentry* d = d_alloc(nullptr, {});
  if (!d) {
    free_pipe_info(std::exchange(i->i_pipe, nullptr));
    iput(i);
    return fail(ENFILE);
  }
  d->d_flags = DCACHE_ANON;
  d->d_sb = i->i_sb;
  d_instantiate(d, i);
  PathRef at(path{mntget(pipe_mnt), d});
  unsigned keep = static_cast<unsigned>(flags & (O_NONBLOCK | O_DIRECT));
  *rd = pipe_end(i, at.get(), O_RDONLY | (keep & O_NONBLOCK));
  *wr = *rd ? pipe_end(i, at.get(), O_WRONLY | keep) : nullptr;
  if (*wr) return {};
  if (*rd) {
    path_put(&(*rd)->f_path);
    free_file(*rd);
  }
  free_pipe_info(std::exchange(i->i_pipe, nullptr));
  return fail(ENFILE);
}

namespace {

// P-11: descriptors are told last, and taken back if they cannot be told.
long do_pipe2(int* user_fds, int flags) {
  if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_EXCL)) return -EINVAL;
  if (flags & O_EXCL) return -ENOPKG;
  file *rd, *wr;
  if (auto r = create_pipe_files(&rd, &wr, flags); !r) return r.error().neg();
  FileRef hold_rd(rd), hold_wr(wr);
  int fds[2];
  if ((fds[0] = get_unused_fd_flags(static_cast<unsigned>(flags))) < 0) return fds[0];
  if ((fds[1] = get_unused_fd_flags(static_cast<unsigned>(flags))) < 0) {
    put_unused_fd(static_cast<unsigned>(fds[0]));
    return fds[1];
  }
  if (copy_to_user(user_fds, fds, sizeof(fds))) {
    put_unused_fd(static_cast<unsigned>(fds[0]));
    put_unused_fd(static_cast<unsigned>(fds[1]));
    return -EFAULT;
  }
  fd_install(static_cast<unsigned>(fds[0]), hold_rd.release());
  fd_install(static_cast<unsigned>(fds[1]), hold_wr.release());
  return 0;
}

}  // namespace

SYSCALL_DEFINE2(pipe2, int*, fds, int, flags) { return do_pipe2(fds, flags); }
SYSCALL_DEFINE1(pipe, int*, fds) { return do_pipe2(fds, 0); }

bool is_pipe(const file* f) { return f->f_op == &pipe_fops; }

// ---- Size (P-8) -------------------------------------------------------------------------------------------------------------------
namespace {

long set_size(pipe_inode_info* p, unsigned size) {
  if (size > 1u << 31) return -EINVAL;
  unsigned slots = static_cast<unsigned>(roundup_pow_of_two(size < kPage ? 1ul : (static_cast<unsigned long>(size) + kPage - 1) / kPage));
  unsigned used = p->head - p->tail;
  if (slots > p->slots && slots * static_cast<unsigned long>(kPage) > kMaxSize && !capable(CAP_SYS_RESOURCE)) return -EPERM;
  long more = static_cast<long>(slots) - p->slots;
  if (more > 0 && atomic_long_read(&p->user->pipe_bufs) + more > kUserPagesSoft && !privileged()) return -EPERM;
  if (used > slots) return -EBUSY;
  auto* bufs = static_cast<pipe_buffer*>(kvmalloc(slots * sizeof(pipe_buffer), GFP_KERNEL));
  if (!bufs) return -ENOMEM;
  for (unsigned n = 0; n < used; n++) bufs[n] = p->at(p->tail + n);
  kvfree(p->bufs);
  p->bufs = bufs;
  p->slots = slots;
  p->tail = 0;
  p->head = used;
  atomic_long_add(more, &p->user->pipe_bufs);
  return static_cast<long>(slots) * kPage;
}

}  // namespace

long pipe_fcntl(file* f, unsigned cmd, unsigned arg) {
  if (!is_pipe(f)) return -EBADF;
  auto* p = static_cast<pipe_inode_info*>(f->private_data);
  mutex_lock(&p->mutex);
  long r = cmd == F_SETPIPE_SZ ? set_size(p, arg) : static_cast<long>(p->slots) * kPage;
  bool room = !p->full() && waitqueue_active(&p->wr_wait);
  mutex_unlock(&p->mutex);
  if (room) wake_up_interruptible(&p->wr_wait);
  return r;
}

// ---- World ----------------------------------------------------------------------------------------------------------------------
namespace {

constexpr super_operations kPipeSuperOps{};

Result<void> fill_pipefs(super_block* sb, const char*) {
  sb->s_op = &kPipeSuperOps;
  sb->s_magic = PIPEFS_MAGIC;
  inode* root = new_inode(sb);
  if (!root) return fail(ENOMEM);
  root->i_mode = S_IFDIR | 0700;
  sb->s_root = d_alloc_root(root);
  return sb->s_root ? Result<void>{} : fail(ENOMEM);
}

constinit file_system_type pipefs_type{"pipefs", 0, fill_pipefs, nullptr};

}  // namespace

void pipe_init() {
  pipe_cache = kmem_cache_create("pipe_inode_info", sizeof(pipe_inode_info), 64, 0, nullptr);
  auto m = kern_mount(&pipefs_type);
  BUG_ON(!pipe_cache || !m);
  pipe_mnt = *m;
}
void pipe_quiesce() { kern_unmount(std::exchange(pipe_mnt, nullptr)); }
void pipe_exit(LeakReport&) { kmem_cache_destroy(std::exchange(pipe_cache, nullptr)); }
