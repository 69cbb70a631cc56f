// File system calls for test cases: the case's kernel thread gets an address space, a descriptor table and a working
// directory of its own, and calls the system calls as a program would. Works on every machine.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/string.h>
#include <uapi/linux/poll.h>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/signal/signal.hh"
#include "test/mm/user_space.hh"

#define FS_CALLS(X)                                                                                                      \
  X(openat) X(openat2) X(close) X(read) X(write) X(pread64) X(pwrite64) X(lseek) X(mkdirat) X(mknodat) X(symlinkat)      \
  X(linkat) X(unlinkat) X(renameat2) X(newfstatat) X(fstat) X(statx) X(readlinkat) X(faccessat2) X(fchmodat) X(fchownat) \
  X(utimensat) X(truncate) X(ftruncate) X(fallocate) X(getdents64) X(dup) X(dup2) X(dup3) X(fcntl) X(close_range)        \
  X(pipe2) X(readv) X(writev) X(chdir) X(fchdir) X(chroot) X(getcwd) X(umask) X(mount) X(umount2) X(pivot_root)          \
  X(statfs) X(poll) X(select) X(ioctl) X(flock) X(memfd_create) X(fsync) X(fchmod)            \
  X(eventfd2) X(timerfd_create) X(timerfd_settime) X(timerfd_gettime) X(signalfd4) X(epoll_create1) X(epoll_ctl)         \
  X(epoll_wait) X(sendfile) X(splice) X(copy_file_range) X(pselect6) X(ppoll)       \
  X(socket) X(socketpair) X(bind) X(listen) X(accept4) X(connect) X(sendto) X(recvfrom) X(sendmsg) X(recvmsg)            \
  X(shutdown) X(getsockopt) X(setsockopt) X(getsockname)
#define X(name) extern "C" long sys_##name(const pt_regs*);
FS_CALLS(X)
#undef X

class FsCalls {
 public:
  explicit FsCalls(kunit* test) : test_(test), user_(test) {
    base_ = static_cast<unsigned long>(user_.place(kSize));
    next_ = base_;
    (void)unshare_files();
    (void)unshare_fs_struct();
    current->fs->umask = 022;
    mkdir("/t", 0755);
    chdir("/t");
  }
  // The tree of the case goes with its world on hosted; on x86 each case begins with an empty /t.
  ~FsCalls() {
    chdir("/");
    remove_tree("/t");
  }

  // User memory that holds v until the next reset().
  unsigned long bytes(const void* v, size_t n) {
    unsigned long at = room(n);
    if (copy_to_user(reinterpret_cast<void*>(at), v, n)) kunit_info(test_, "no user memory");
    return at;
  }
  unsigned long str(const char* s) { return bytes(s, strlen(s) + 1); }
  unsigned long room(size_t n) {
    n = (n + 15) & ~15ul;
    if (next_ + n > base_ + kSize) next_ = base_;
    unsigned long at = next_;
    next_ += n;
    return at;
  }
  template <class T>
  T get(unsigned long at) {
    T v{};
    if (get_user(v, reinterpret_cast<const T*>(at))) kunit_info(test_, "cannot read user memory");
    return v;
  }
  void copy_out(void* to, unsigned long at, size_t n) {
    if (copy_from_user(to, reinterpret_cast<const void*>(at), n)) kunit_info(test_, "cannot read user memory");
  }

  long open(const char* p, int flags, unsigned mode = 0644) { return openat(AT_FDCWD, p, flags, mode); }
  long openat(long dfd, const char* p, int flags, unsigned mode = 0644) {
    return call(sys_openat, dfd, str(p), static_cast<unsigned>(flags), mode);
  }
  long close(long fd) { return call(sys_close, fd); }
  long read(long fd, char* to, size_t n) {
    unsigned long at = room(n);
    long r = call(sys_read, fd, at, n);
    if (r > 0) copy_out(to, at, static_cast<size_t>(r));
    return r;
  }
  long write(long fd, const char* s) { return write(fd, s, strlen(s)); }
  long write(long fd, const void* p, size_t n) { return call(sys_write, fd, bytes(p, n), n); }
  long mkdir(const char* p, unsigned mode = 0755) { return call(sys_mkdirat, AT_FDCWD, str(p), mode); }
  long mknod(const char* p, unsigned mode, unsigned dev = 0) { return call(sys_mknodat, AT_FDCWD, str(p), mode, dev); }
  long symlink(const char* to, const char* p) { return call(sys_symlinkat, str(to), AT_FDCWD, str(p)); }
  long link(const char* old, const char* p, int flags = 0) {
    return call(sys_linkat, AT_FDCWD, str(old), AT_FDCWD, str(p), static_cast<unsigned>(flags));
  }
  long unlink(const char* p) { return call(sys_unlinkat, AT_FDCWD, str(p), 0); }
  long rmdir(const char* p) { return call(sys_unlinkat, AT_FDCWD, str(p), AT_REMOVEDIR); }
  long rename(const char* a, const char* b, unsigned flags = 0) {
    return call(sys_renameat2, AT_FDCWD, str(a), AT_FDCWD, str(b), flags);
  }
  long stat(const char* p, struct stat* st, int flags = 0) {
    unsigned long at = room(sizeof(*st));
    long r = call(sys_newfstatat, AT_FDCWD, str(p), at, static_cast<unsigned>(flags));
    if (!r) copy_out(st, at, sizeof(*st));
    return r;
  }
  long fstat(long fd, struct stat* st) {
    unsigned long at = room(sizeof(*st));
    long r = call(sys_fstat, fd, at);
    if (!r) copy_out(st, at, sizeof(*st));
    return r;
  }
  long exists(const char* p) {
    struct stat st;
    return stat(p, &st, AT_SYMLINK_NOFOLLOW);
  }
  long inode_number(const char* p, int flags = 0) {
    struct stat st;
    long r = stat(p, &st, flags);
    return r ? r : static_cast<long>(st.st_ino);
  }
  long readlink(const char* p, char* to, size_t n) {
    unsigned long at = room(n);
    long r = call(sys_readlinkat, AT_FDCWD, str(p), at, n);
    if (r > 0) copy_out(to, at, static_cast<size_t>(r));
    return r;
  }
  long access(const char* p, int mode, int flags = 0) {
    return call(sys_faccessat2, AT_FDCWD, str(p), static_cast<unsigned>(mode), static_cast<unsigned>(flags));
  }
  long chmod(const char* p, unsigned mode) { return call(sys_fchmodat, AT_FDCWD, str(p), mode); }
  long chown(const char* p, unsigned u, unsigned g, int flags = 0) {
    return call(sys_fchownat, AT_FDCWD, str(p), u, g, static_cast<unsigned>(flags));
  }
  long chdir(const char* p) { return call(sys_chdir, str(p)); }
  long getcwd(char* to, size_t n) {
    unsigned long at = room(n);
    long r = call(sys_getcwd, at, n);
    if (r > 0) copy_out(to, at, static_cast<size_t>(r));
    return r;
  }
  long fcntl(long fd, unsigned cmd, unsigned long arg = 0) { return call(sys_fcntl, fd, cmd, arg); }
  long lseek(long fd, long off, unsigned whence) { return call(sys_lseek, fd, static_cast<unsigned long>(off), whence); }
  long pipe(long (&fd)[2], int flags = 0) {
    unsigned long at = room(8);
    long r = call(sys_pipe2, at, static_cast<unsigned>(flags));
    if (!r) {
      fd[0] = get<int>(at);
      fd[1] = get<int>(at + 4);
    }
    return r;
  }
  long mount(const char* dev, const char* dir, const char* type, unsigned long flags = 0, const char* data = nullptr) {
    return call(sys_mount, str(dev), str(dir), type ? str(type) : 0, flags, data ? str(data) : 0);
  }
  long umount(const char* dir, int flags = 0) { return call(sys_umount2, str(dir), static_cast<unsigned>(flags)); }
  // A new file with this text; its descriptor is closed again.
  long make(const char* p, const char* text = "", unsigned mode = 0644) {
    long fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (fd < 0) return fd;
    long r = *text ? write(fd, text) : 0;
    close(fd);
    return r < 0 ? r : 0;
  }
  // Names in a directory, in the order they come, separated by blanks; without . and .. .
  const char* list(const char* p, char* buf, size_t size) {
    long fd = open(p, O_RDONLY | O_DIRECTORY);
    size_t used = 0;
    buf[0] = 0;
    unsigned long at = room(1024);
    for (long n; (n = call(sys_getdents64, fd, at, 1024)) > 0;) {
      char raw[1024];
      copy_out(raw, at, static_cast<size_t>(n));
      for (long k = 0; k < n;) {
        auto* d = reinterpret_cast<linux_dirent64*>(raw + k);
        k += d->d_reclen;
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..")) continue;
        used += static_cast<size_t>(scnprintf(buf + used, size - used, "%s%s", used ? " " : "", d->d_name));
      }
    }
    close(fd);
    return buf;
  }
  void remove_tree(const char* p) {
    while (umount(p, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    }
    if (unlink(p) != -EISDIR) return;
    char names[512], path[256];
    list(p, names, sizeof(names));
    for (char *rest = names, *name; (name = strsep(&rest, " ")) && *name;) {
      scnprintf(path, sizeof(path), "%s/%s", p, name);
      remove_tree(path);
    }
    rmdir(p);
  }
  UserSpace& user() { return user_; }

 private:
  static constexpr size_t kSize = 256 * 1024;
  kunit* test_;
  UserSpace user_;
  unsigned long base_, next_;
};

// Another user, without capabilities, for a scope.
class AsUser {
 public:
  explicit AsUser(unsigned uid, unsigned gid = ~0u) {
    c_ = prepare_creds();
    c_->uid = c_->euid = c_->suid = c_->fsuid = {uid};
    unsigned g = gid == ~0u ? uid : gid;
    c_->gid = c_->egid = c_->sgid = c_->fsgid = {g};
    c_->cap_effective = c_->cap_permitted = c_->cap_inheritable = {0};
    old_ = override_creds(c_);
  }
  ~AsUser() {
    revert_creds(old_);
    put_cred(c_);
  }
  AsUser(const AsUser&) = delete;

 private:
  struct cred* c_;
  const struct cred* old_;
};

inline void fs_signal_clean() { flush_signals(current); }
