// The virtual file system: files, descriptor tables, inodes, dentries, mounts and the way from a path to them.
// How it works and what locks what: fs/vfs/README.md. Lock order, outermost first:
//   f_pos_lock, s_rename_mutex, inode i_rwsem (parent before child, else by address), mmap_lock, namespace_mutex;
//   spinlocks: file_lock (descriptor table) | dcache_lock | mount_lock | i_lock: none is taken inside another.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/wait_types.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/poll.h>
#include <uapi/linux/stat.h>

#include <string_view>

#include "fs/vfs/iov_iter.hh"
#include "lib/result.hh"
#include "mm/filemap.hh"

#ifndef __dev_t_defined
typedef u32 dev_t;  // kernel form: 12 bits major, 20 bits minor
#define __dev_t_defined
#endif
inline constexpr unsigned MKDEV(unsigned ma, unsigned mi) { return ma << 20 | mi; }
inline constexpr unsigned MAJOR(unsigned dev) { return dev >> 20; }
inline constexpr unsigned MINOR(unsigned dev) { return dev & 0xfffff; }
u32 new_encode_dev(unsigned dev);  // as stat shows it, and mknod takes it
unsigned new_decode_dev(u32 dev);

struct address_space;
struct cred;
struct dentry;
struct file;
struct file_operations;
struct inode;
struct inode_operations;
struct kstat;
struct kstatfs;
struct pipe_inode_info;
struct super_block;
struct task_struct;
struct mnt_namespace;
struct user_namespace;
struct vfsmount;
struct vm_area_struct;
struct file_lock_context;
struct seq_file;
struct LeakReport;

#ifndef NAME_MAX
#define NAME_MAX 255
#endif
#ifndef PATH_MAX
#define PATH_MAX 4096
#endif
inline constexpr size_t MAX_RW_COUNT = 0x7ffff000;  // one read or write moves no more

struct path {
  vfsmount* mnt;
  struct dentry* dentry;
  bool operator==(const path&) const = default;
};
void path_get(const path* p);
void path_put(const path* p);

// ---- Inodes ---------------------------------------------------------------------------------------------------------
struct iattr {  // what setattr is to change
  unsigned ia_valid;
  umode_t ia_mode;
  kuid_t ia_uid;
  kgid_t ia_gid;
  loff_t ia_size;
  s64 ia_atime, ia_mtime;  // ns
  file* ia_file;
};
enum : unsigned {
  ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8, ATTR_ATIME = 16, ATTR_MTIME = 32, ATTR_CTIME = 64,
  ATTR_ATIME_SET = 128, ATTR_MTIME_SET = 256, ATTR_FORCE = 512, ATTR_KILL_SUID = 2048, ATTR_KILL_SGID = 4096,
  ATTR_OPEN = 1 << 15,
};

struct kstat {
  umode_t mode;
  unsigned nlink, blksize;
  kuid_t uid;
  kgid_t gid;
  unsigned dev, rdev;
  u64 ino, blocks, mnt_id;
  loff_t size;
  s64 atime, mtime, ctime, btime;  // ns
  u64 attributes;
};

// What a symlink's get_link leads to: text to walk on with (released by done), or straight to a place (procfs).
struct LinkTarget {
  const char* text = nullptr;
  void* to_free = nullptr;      // kfree'd after use
  path jump = {nullptr, nullptr};  // referenced
};

// All are called with the directory's i_rwsem held for writing where they change it; names are checked and permission
// is granted already. They create the inode and d_instantiate() the given dentry, which is not hashed yet.
struct inode_operations {
  Result<dentry*> (*lookup)(inode* dir, std::string_view name, dentry* parent);  // referenced; ENOENT. i_rwsem held shared
  Result<void> (*create)(inode* dir, dentry* d, umode_t mode);
  Result<void> (*link)(dentry* old, inode* dir, dentry* d);
  Result<void> (*unlink)(inode* dir, dentry* d);
  Result<void> (*symlink)(inode* dir, dentry* d, const char* target);
  Result<void> (*mkdir)(inode* dir, dentry* d, umode_t mode);
  Result<void> (*rmdir)(inode* dir, dentry* d);
  Result<void> (*mknod)(inode* dir, dentry* d, umode_t mode, unsigned dev);
  Result<void> (*rename)(inode* old_dir, dentry* old, inode* new_dir, dentry* target, unsigned flags);  // target may be null
  Result<inode*> (*tmpfile)(inode* dir, umode_t mode);
  Result<LinkTarget> (*get_link)(dentry* d, inode* i);  // may sleep; i_link is used instead if set
  Result<long> (*readlink)(dentry* d, char* buf, size_t size);  // what readlink shows of a jumping link; kernel memory
  Result<void> (*setattr)(dentry* d, iattr* attr);      // null: simple_setattr. i_rwsem held
  Result<void> (*getattr)(const path* p, kstat* st);    // null: generic_fillattr
  Result<void> (*permission)(inode* i, int mask);       // null: generic_permission
};

enum : unsigned { S_IMMUTABLE = 8, S_DEAD = 16, S_NOATIME = 2 };
struct inode {
  umode_t i_mode;  // i_mode, i_uid, i_gid: i_rwsem to change, read at any time with READ_ONCE
  unsigned i_flags;
  kuid_t i_uid;
  kgid_t i_gid;
  const inode_operations* i_op;
  const file_operations* i_fop;
  super_block* i_sb;
  address_space* i_mapping;  // null: no page cache; else &i_data
  const char* i_link;        // symlink text that needs no get_link
  u64 i_ino;
  unsigned i_nlink;          // i_rwsem
  unsigned i_rdev;
  s64 i_atime, i_mtime, i_ctime, i_btime;  // ns since the epoch
  u64 i_blocks;              // of 512 bytes
  atomic_t i_count;
  atomic_t i_writecount;     // > 0: so many writers; < 0: so many who deny writing (exec)
  rw_semaphore i_rwsem;      // contents of a directory, size and attributes of anything
  spinlock_t i_lock;
  pipe_inode_info* i_pipe;   // FIFO: i_lock
  file_lock_context* i_flctx;  // made at the first lock; freed with the inode
  void* i_private;
  void (*i_free)(inode* i);  // from super_operations::free_inode
  struct rcu_head i_rcu;
  address_space i_data;      // its i_size is the file's size: i_rwsem to change
};
inline loff_t i_size_read(const inode* i) { return READ_ONCE(i->i_data.i_size); }
inline void i_size_write(inode* i, loff_t n) { WRITE_ONCE(i->i_data.i_size, n); }
void inode_lock(inode* i);
void inode_lock_child(inode* i);  // while its parent directory's is held
void inode_unlock(inode* i);
void inode_lock_shared(inode* i);
void inode_unlock_shared(inode* i);
inode* new_inode(super_block* sb);  // one reference, i_nlink 1, times now, owner root; null: no memory
void inode_init_owner(inode* i, const inode* dir, umode_t mode);  // fsuid, fsgid or setgid directory's group
void iput(inode* i);                // may sleep
inline inode* igrab(inode* i) {
  atomic_inc(&i->i_count);
  return i;
}
void init_special_inode(inode* i, umode_t mode, unsigned dev);  // char device, FIFO, ...: the right i_fop
inline void set_nlink(inode* i, unsigned n) { WRITE_ONCE(i->i_nlink, n); }
inline void inc_nlink(inode* i) { WRITE_ONCE(i->i_nlink, i->i_nlink + 1); }
inline void drop_nlink(inode* i) { WRITE_ONCE(i->i_nlink, i->i_nlink - 1); }
s64 current_time(const inode* i);   // ns
void touch_atime(file* f);          // relatime rules
void file_update_time(file* f);
Result<void> file_remove_privs(file* f);  // set-id bits go when somebody writes; i_rwsem held
Result<void> inode_permission(vfsmount* mnt, inode* i, int mask);  // MAY_*: EACCES, EPERM, EROFS
Result<void> generic_permission(inode* i, int mask);
enum : int { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4, MAY_APPEND = 8, MAY_ACCESS = 16, MAY_OPEN = 32, MAY_CHDIR = 64 };
Result<void> setattr_prepare(dentry* d, iattr* attr);  // may the caller? Clears set-id bits as needed
void setattr_copy(inode* i, const iattr* attr);
Result<void> simple_setattr(dentry* d, iattr* attr);
void generic_fillattr(inode* i, kstat* st);
bool inode_owner_or_capable(const inode* i);
bool capable_wrt_inode(const inode* i, int cap);  // capable_wrt_inode_uidgid: power over a file whose ids mean something to us
inline int deny_write_access(inode* i) {  // 0 or -ETXTBSY; exec
  int v = atomic_read(&i->i_writecount);
  while (v <= 0)
    if (atomic_try_cmpxchg(&i->i_writecount, &v, v - 1)) return 0;
  return -ETXTBSY;
}
inline void allow_write_access(inode* i) { atomic_inc(&i->i_writecount); }
inline int get_write_access(inode* i) {
  int v = atomic_read(&i->i_writecount);
  while (v >= 0)
    if (atomic_try_cmpxchg(&i->i_writecount, &v, v + 1)) return 0;
  return -ETXTBSY;
}
inline void put_write_access(inode* i) { atomic_dec(&i->i_writecount); }

// ---- Dentries: names in the tree (fs/vfs/dcache.cc) -------------------------------------------------------------------
struct dname {  // never changed once visible; a rename makes another
  u32 hash, len;
  struct rcu_head rcu;
  char* text() { return reinterpret_cast<char*>(this + 1); }  // NUL-terminated
  std::string_view view() { return {text(), len}; }
};
inline constexpr size_t kDnameInline = 40;
// Above DCACHE_MOUNTS_SHIFT: how many mounts it bears, in all namespaces (mount_lock).
enum : unsigned { DCACHE_MOUNTED = 1, DCACHE_DELETED = 2, DCACHE_HASHED = 4, DCACHE_ANON = 8, DCACHE_ONE_MOUNT = 0x100 };
struct dentry {
  struct hlist_node d_hash;     // dcache_lock to change, RCU to walk
  dentry* d_parent;             // itself for a root; dcache_lock to change; referenced
  dname* d_name;                // dcache_lock to change
  inode* d_inode;               // set before anybody sees the dentry, referenced; never changed
  atomic_t d_count;
  unsigned d_flags;             // DCACHE_*: atomic bit operations
  super_block* d_sb;
  u64 d_cookie;                 // place in the parent's list, for readdir
  struct list_head d_child, d_subdirs;  // dcache_lock; in the order of d_cookie
  void* d_fsdata;
  struct rcu_head d_rcu;
  dname d_iname;                // first name, if short
  char d_itext[kDnameInline];
};
inline inode* d_inode(const dentry* d) { return d->d_inode; }
inline bool d_is_dir(const dentry* d) { return S_ISDIR(d->d_inode->i_mode); }
inline dentry* dget(dentry* d) {
  atomic_inc(&d->d_count);
  return d;
}
void dput(dentry* d);                                            // may sleep; null is fine
dentry* d_alloc(dentry* parent, std::string_view name);         // one reference, not hashed; null: no memory
dentry* d_alloc_root(inode* root);                               // takes over the inode's reference, also if it fails
void d_instantiate(dentry* d, inode* i);                         // gives it the inode (its reference goes along)
void d_add(dentry* d);                                           // now it can be found; directory's i_rwsem held
void d_drop(dentry* d);                                          // cannot be found any more
dentry* d_lookup(dentry* parent, std::string_view name);         // referenced, or null
// Text of a path seen from root, at the end of buf. ENAMETOOLONG. d_path adds " (deleted)"; out of root: "(unreachable)".
Result<char*> d_path(const path* p, char* buf, size_t size);
Result<char*> dentry_path(dentry* d, char* buf, size_t size);  // within its file system
Result<char*> d_path_from(const path* p, const path* root, char* buf, size_t size);

// ---- Super blocks and mounts (fs/vfs/super.cc, namespace.cc) -----------------------------------------------------------
struct kstatfs {
  long f_type, f_bsize;
  u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree;
  long f_namelen;
};
struct super_operations {
  void (*evict_inode)(inode* i);   // last reference is gone, contents go
  void (*free_inode)(inode* i);    // null: kmem_cache of plain inodes. After an RCU grace period
  inode* (*alloc_inode)(super_block* sb);
  Result<void> (*statfs)(super_block* sb, kstatfs* st);
  Result<void> (*remount)(super_block* sb, unsigned* flags, const char* data);
  void (*put_super)(super_block* sb);
  void (*show_options)(seq_file* m, super_block* sb);
  Result<dentry*> (*mount_root)(super_block* sb, const char* data);  // of one mount(2), referenced; null: s_root
  void (*show_path)(seq_file* m, dentry* root);  // a mount's root in mountinfo; null: its path in the file system
};
struct file_system_type {
  const char* name;
  unsigned fs_flags;  // FS_*
  Result<void> (*fill_super)(super_block* sb, const char* data);  // sets s_op, s_root; on error put_super is not called
  file_system_type* next;
  user_namespace* (*owner)();  // FS_USERNS_MOUNT: whose power a mount needs, and whose it is; null: current's own
};
enum : unsigned { FS_REQUIRES_DEV = 1, FS_SINGLE = 2 /* one super block for all mounts */, FS_USERNS_MOUNT = 8,
                  FS_USERNS_VISIBLE = 16 /* shows the system: see mount_too_revealing */ };
struct super_block {
  const file_system_type* s_type;
  const super_operations* s_op;
  dentry* s_root;
  unsigned s_dev;
  unsigned s_flags;        // MS_RDONLY and what else concerns all mounts
  bool s_complete;         // every name is in the dcache: a miss is ENOENT, nobody to ask
  long s_magic, s_blocksize;
  loff_t s_maxbytes;
  void* s_fs_info;
  atomic_t s_active;       // mounts
  atomic_long_t s_next_ino;
  u64 s_next_cookie;       // dcache_lock
  struct mutex s_rename_mutex;  // renames between directories of this tree, one at a time
  user_namespace* s_user_ns;    // whose ids its inodes have; whoever has power there may remount it. Referenced
  struct list_head s_list;      // of all; super.cc
  struct rcu_head s_rcu;
};
int register_filesystem(file_system_type* t);  // 0 or -EBUSY; both: any context but interrupts
int unregister_filesystem(file_system_type* t);
inline u64 get_next_ino(super_block* sb) { return static_cast<u64>(atomic_long_inc_return(&sb->s_next_ino)); }

enum : int { MNT_NOSUID = 1, MNT_NODEV = 2, MNT_NOEXEC = 4, MNT_NOATIME = 8, MNT_NODIRATIME = 0x10, MNT_RELATIME = 0x20,
             MNT_READONLY = 0x40, MNT_NOSYMFOLLOW = 0x80, MNT_SHARED = 0x1000, MNT_UNBINDABLE = 0x2000, MNT_INTERNAL = 0x4000,
             MNT_LOCK_ATIME = 0x40000, MNT_LOCK_NOEXEC = 0x80000, MNT_LOCK_NOSUID = 0x100000, MNT_LOCK_NODEV = 0x200000,
             MNT_LOCK_READONLY = 0x400000, MNT_LOCKED = 0x800000 };
struct vfsmount {
  dentry* mnt_root;
  super_block* mnt_sb;
  int mnt_flags;           // MNT_*
  int mnt_id;
  atomic_t mnt_count;
  atomic_t mnt_writers;    // files open for writing, and changes under way
  vfsmount* mnt_parent;    // itself: not attached. This and below: mount_lock to change, RCU to read
  dentry* mnt_mountpoint;
  struct hlist_node mnt_hash;
  struct list_head mnt_mounts, mnt_child;
  // From here on: namespace_mutex.
  mnt_namespace* mnt_ns;      // null: in no tree
  struct list_head mnt_list;  // of its namespace's mounts, in mount order; or of those just taken off
  path mnt_was;               // just taken off: from there
  const char* mnt_devname;
  // Propagation, fs/vfs/pnode.cc: a ring of peers, and the slaves of this member of the ring.
  struct list_head mnt_share, mnt_slave_list, mnt_slave;
  vfsmount* mnt_master;
  int mnt_group_id;           // of the ring; 0: not shared
  bool mnt_expiring;          // umount2 with MNT_EXPIRE has seen it idle
  vfsmount *mnt_twin, *mnt_landing;  // while trees are copied, and while they are propagated
  struct rcu_head mnt_rcu;
};
inline vfsmount* mntget(vfsmount* m) {
  atomic_inc(&m->mnt_count);
  return m;
}
void mntput(vfsmount* m);  // may sleep
bool mnt_may_suid(const vfsmount* m);  // do set-id bits of files there count for current?
bool current_chrooted();   // is current's root another than its mount namespace's?
Result<void> mnt_want_write(vfsmount* m);  // EROFS
void mnt_drop_write(vfsmount* m);
Result<vfsmount*> kern_mount(const file_system_type* t);  // internal, not in the tree
void kern_unmount(vfsmount* m);
Result<void> kern_umount(const char* dir, int flags);
Result<void> do_mount(const char* dev_name, const char* dir, const char* type, unsigned long flags, const char* data);

// ---- Files ----------------------------------------------------------------------------------------------------------
enum : unsigned {
  FMODE_READ = 1, FMODE_WRITE = 2, FMODE_LSEEK = 4, FMODE_PREAD = 8, FMODE_PWRITE = 0x10, FMODE_EXEC = 0x20,
  FMODE_PATH = 0x4000, FMODE_ATOMIC_POS = 0x8000, FMODE_WRITER = 0x10000, FMODE_STREAM = 0x200000, FMODE_OPENED = 0x80000,
};
struct file {
  atomic_long_t f_count;
  unsigned f_mode;   // FMODE_*
  unsigned f_flags;  // O_*; f_lock to change
  const file_operations* f_op;
  inode* f_inode;
  void* private_data;
  loff_t f_pos;      // f_pos_lock where FMODE_ATOMIC_POS
  path f_path;
  address_space* f_mapping;
  const struct cred* f_cred;
  struct mutex f_pos_lock;
  spinlock_t f_lock;
  struct list_head f_ep_links;  // epoll items that watch it; ep's lock
  struct pid* f_owner;          // F_SETOWN
  struct rcu_head f_rcu;
};
inline inode* file_inode(const file* f) { return f->f_inode; }

struct kiocb {
  file* ki_filp;
  loff_t ki_pos;
  int ki_flags;  // IOCB_*
};
enum : int { IOCB_APPEND = 2, IOCB_DSYNC = 4, IOCB_NOWAIT = 8 };

struct dir_context {
  bool (*actor)(dir_context* ctx, const char* name, int len, loff_t pos, u64 ino, unsigned type);  // false: full
  loff_t pos;
};
inline bool dir_emit(dir_context* ctx, const char* name, int len, u64 ino, unsigned type) {
  return ctx->actor(ctx, name, len, ctx->pos, ino, type);
}
bool dir_emit_dots(file* f, dir_context* ctx);

struct poll_table;  // fs/vfs/poll.hh

// All in process context, may sleep; null pointers mean what Linux's do. Results are -errno. read and write take user
// memory; where only read_iter is given, read(2) goes there. read_iter is needed for kernel_read and readv in one piece.
struct file_operations {
  loff_t (*llseek)(file* f, loff_t off, int whence);  // null: ESPIPE unless FMODE_LSEEK (then generic)
  ssize_t (*read)(file* f, char* user_buf, size_t n, loff_t* pos);
  ssize_t (*write)(file* f, const char* user_buf, size_t n, loff_t* pos);
  ssize_t (*read_iter)(kiocb* iocb, iov_iter* to);
  ssize_t (*write_iter)(kiocb* iocb, iov_iter* from);
  int (*iterate_shared)(file* f, dir_context* ctx);
  __poll_t (*poll)(file* f, poll_table* pt);          // null: always readable and writable
  long (*unlocked_ioctl)(file* f, unsigned cmd, unsigned long arg);  // -ENOIOCTLCMD or null: ENOTTY
  int (*mmap)(file* f, vm_area_struct* vma);          // null: ENODEV. mmap_lock held
  int (*open)(inode* i, file* f);
  int (*flush)(file* f);                              // each close of a descriptor
  int (*release)(inode* i, file* f);                  // the last one; result ignored
  int (*fsync)(file* f, loff_t start, loff_t end, int datasync);
  long (*fallocate)(file* f, int mode, loff_t off, loff_t len);
  void (*show_fdinfo)(seq_file* m, file* f);
};

inline file* get_file(file* f) {
  atomic_long_inc(&f->f_count);
  return f;
}
inline long file_count(const file* f) { return atomic_long_read(&f->f_count); }
void __fput(file* f);
inline void fput(file* f) {  // may sleep
  if (atomic_long_dec_and_test(&f->f_count)) __fput(f);
}
class FileRef {  // owns one reference
 public:
  FileRef() = default;
  explicit FileRef(file* f) : f_(f) {}
  FileRef(FileRef&& o) : f_(o.release()) {}
  FileRef& operator=(FileRef&& o) {
    reset(o.release());
    return *this;
  }
  ~FileRef() { reset(nullptr); }
  file* get() const { return f_; }
  file* operator->() const { return f_; }
  explicit operator bool() const { return f_; }
  file* release() { return std::exchange(f_, nullptr); }
  void reset(file* f) {
    if (file* old = std::exchange(f_, f)) fput(old);
  }

 private:
  file* f_ = nullptr;
};

Result<file*> filp_open(const char* name, int flags, umode_t mode);  // kernel string; caller's root, cwd, credentials
Result<file*> file_open_root(const path* root, const char* name, int flags, umode_t mode);
Result<file*> dentry_open(const path* p, int flags);
Result<file*> do_open_execat(int dfd, const char* name, int at_flags);  // exec: regular, executable, write denied
Result<file*> open_exec(const char* name);
int filp_close(file* f, struct files_struct* id);
// Position-less (pos given) reads and writes. vfs_*: user memory; kernel_*: kernel memory. Count or -errno.
ssize_t vfs_read(file* f, char* user_buf, size_t n, loff_t* pos);
ssize_t vfs_write(file* f, const char* user_buf, size_t n, loff_t* pos);
ssize_t kernel_read(file* f, void* buf, size_t n, loff_t* pos);
ssize_t kernel_write(file* f, const void* buf, size_t n, loff_t* pos);
ssize_t vfs_iter_read(file* f, iov_iter* to, loff_t* pos);
ssize_t vfs_iter_write(file* f, iov_iter* from, loff_t* pos);
loff_t vfs_llseek(file* f, loff_t off, int whence);
loff_t generic_file_llseek(file* f, loff_t off, int whence);
loff_t noop_llseek(file* f, loff_t off, int whence);
loff_t no_llseek(file* f, loff_t off, int whence);
ssize_t generic_read_dir(file* f, char* user_buf, size_t n, loff_t* pos);  // -EISDIR: read of directories
int stream_open(inode* i, file* f);      // no position, no seeking
int nonseekable_open(inode* i, file* f);
long vfs_ioctl(file* f, unsigned cmd, unsigned long arg);
Result<void> vfs_fsync(file* f, int datasync);
Result<void> vfs_truncate(const path* p, loff_t size);

// ---- Paths (fs/vfs/namei.cc) ------------------------------------------------------------------------------------------
inline constexpr unsigned LOOKUP_FOLLOW = 1, LOOKUP_DIRECTORY = 2, LOOKUP_PARENT = 0x10, LOOKUP_EMPTY = 0x4000,
                          LOOKUP_NO_SYMLINKS = 0x10000, LOOKUP_NO_MAGICLINKS = 0x20000, LOOKUP_NO_XDEV = 0x40000,
                          LOOKUP_BENEATH = 0x80000, LOOKUP_IN_ROOT = 0x100000;
class PathRef {  // owns the references of a path
 public:
  PathRef() = default;
  explicit PathRef(path p) : p_(p) {}
  PathRef(PathRef&& o) : p_(std::exchange(o.p_, path{})) {}
  PathRef& operator=(PathRef&& o) {
    std::swap(p_, o.p_);
    return *this;
  }
  ~PathRef() {
    if (p_.dentry) path_put(&p_);
  }
  const path* get() const { return &p_; }
  vfsmount* mnt() const { return p_.mnt; }
  dentry* dent() const { return p_.dentry; }
  inode* ino() const { return p_.dentry->d_inode; }
  path release() { return std::exchange(p_, path{}); }

 private:
  path p_ = {nullptr, nullptr};
};
Result<PathRef> kern_path(const char* name, unsigned lookup_flags);                        // kernel string
Result<PathRef> kern_path_at(int dfd, const char* name, unsigned lookup_flags);
Result<PathRef> user_path_at(int dfd, const char* user_name, unsigned lookup_flags);
Result<void> vfs_getattr(const path* p, kstat* st);
Result<void> vfs_stat(const char* name, kstat* st, unsigned lookup_flags);
Result<void> path_permission(const path* p, int mask);
// The kernel's own hands, for initramfs, /dev and tests: kernel strings, caller's credentials and umask unaware.
Result<void> init_mkdir(const char* name, umode_t mode);
Result<void> init_mknod(const char* name, umode_t mode, unsigned dev);
Result<void> init_symlink(const char* target, const char* name);
Result<void> init_link(const char* old, const char* name);
Result<void> init_unlink(const char* name);
Result<void> init_rmdir(const char* name);
Result<void> init_rename(const char* old, const char* name);
Result<void> init_chown(const char* name, unsigned uid, unsigned gid);  // not following
Result<void> init_chmod(const char* name, umode_t mode);
Result<void> init_utimes(const char* name, s64 mtime_s);
bool init_eaccess(const char* name);  // exists and may be executed (rdinit)

// A path from user space, copied in: short ones stay on the caller's stack.
class UserName {
 public:
  UserName() = default;
  UserName(const UserName&) = delete;
  ~UserName();
  Result<void> get(const char* user_name);  // EFAULT, ENAMETOOLONG, ENOMEM
  const char* c_str() const { return p_; }

 private:
  static constexpr size_t kShort = 192;
  const char* p_ = nullptr;
  char* big_ = nullptr;
  char small_[kShort];
};

// ---- Descriptor tables (fs/vfs/file_table.cc) ----------------------------------------------------------------------------
inline constexpr unsigned NR_OPEN_DEFAULT = 64;
struct fdtable {
  unsigned max_fds;
  file** fd;
  unsigned long* close_on_exec;
  unsigned long* open_fds;
  struct rcu_head rcu;
};
struct files_struct {
  atomic_t count;         // tasks
  fdtable* fdt;           // file_lock to change, RCU to read
  fdtable fdtab;
  spinlock_t file_lock;
  unsigned next_fd;       // none below is free
  unsigned long close_on_exec_init[1], open_fds_init[1];
  file* fd_array[NR_OPEN_DEFAULT];
};
struct fs_struct {
  int users;        // lock
  spinlock_t lock;
  unsigned seq;     // odd while root or pwd change; for readers without the lock
  int umask;
  int in_exec;      // lock: exec counts users, CLONE_FS must wait (EAGAIN)
  path root, pwd;
};

// Borrowed or owned reference to the file behind a descriptor of current; ends at the end of the scope. A task alone
// with its table borrows (no atomic operation), so the table must not change under it: never hold one over a close.
class Fd {
 public:
  explicit Fd(unsigned fd, unsigned refuse_mode = FMODE_PATH);
  Fd(const Fd&) = delete;
  ~Fd() {
    if (owned_) fput(f_);
  }
  file* get() const { return f_; }
  file* operator->() const { return f_; }
  explicit operator bool() const { return f_; }

 private:
  file* f_;
  bool owned_;
};
file* fget(unsigned fd);       // referenced; null: bad, or O_PATH
file* fget_raw(unsigned fd);   // O_PATH too
file* fget_task(task_struct* t, unsigned fd);
int get_unused_fd_flags(unsigned flags);  // reserved, to be installed or put back; -EMFILE, -ENOMEM
void put_unused_fd(unsigned fd);
void fd_install(unsigned fd, file* f);    // takes over the reference
int close_fd(unsigned fd);                // 0 or -errno
Result<int> receive_fd(file* f, unsigned flags);
int f_dupfd(unsigned from, file* f, unsigned flags);
Result<void> copy_files(unsigned long clone_flags, task_struct* t);  // spec 20 12.4
Result<void> copy_fs(unsigned long clone_flags, task_struct* t);     // EAGAIN, ENOMEM
void exit_files(task_struct* t);
void exit_fs(task_struct* t);
files_struct* get_files_struct(task_struct* t);  // null: t has none any more
void put_files_struct(files_struct* f);
int next_open_fd(files_struct* files, unsigned from);  // -1: none from there on
bool fd_is_cloexec(files_struct* files, unsigned fd);
int get_close_on_exec(unsigned fd);
void set_close_on_exec(unsigned fd, int flag);
void free_fs_struct(fs_struct* fs);
void put_fs_struct(fs_struct* fs);  // one user less
Result<files_struct*> dup_fd(files_struct* old, unsigned max_fds);
fs_struct* copy_fs_struct(fs_struct* old);
Result<void> unshare_files();             // current alone with its table afterwards; exec
Result<void> unshare_fs_struct();
void do_close_on_exec(files_struct* files);
void get_fs_root(fs_struct* fs, path* root);
void get_fs_pwd(fs_struct* fs, path* pwd);
void set_fs_root(fs_struct* fs, const path* p);
void set_fs_pwd(fs_struct* fs, const path* p);
inline unsigned current_umask_of(const fs_struct* fs) { return static_cast<unsigned>(READ_ONCE(fs->umask)); }
extern files_struct init_files;  // of the idle tasks; boot fills init_task with these two
extern fs_struct init_fs;

// ---- Files without a name (eventfd, pidfd, ...; fs/vfs/anon_inodes.cc) -----------------------------------------------------
// d_path shows "anon_inode:" + name. flags: O_RDWR, O_NONBLOCK, O_CLOEXEC as wanted.
Result<file*> anon_inode_getfile(const char* name, const file_operations* fops, void* priv, int flags);
int anon_inode_getfd(const char* name, const file_operations* fops, void* priv, int flags);  // descriptor or -errno
// A file on an inode of the given internal mount; takes over the inode's reference, also if it fails.
Result<file*> alloc_file_pseudo(inode* i, vfsmount* mnt, std::string_view name, int flags, const file_operations* fops);

// ---- Devices (fs/dev/dev.hh registers names in /dev) -----------------------------------------------------------------------
// From now on opening a character device node with these numbers uses fops. 0 or -EBUSY.
int register_chrdev_region_ops(unsigned first_dev, unsigned count, const char* name, const file_operations* fops);
void unregister_chrdev_region_ops(unsigned first_dev, unsigned count);

// ---- Locks on files ----------------------------------------------------------------------------------------------------
void locks_remove_posix(file* f, files_struct* owner);
void locks_remove_file(file* f);

// ---- World -------------------------------------------------------------------------------------------------------------
void vfs_init();                 // after mm, before anything opens
Result<void> mount_root(const file_system_type* t);  // ramfs_init: the root of the tree; init_fs points at it afterwards
void vfs_quiesce();              // after the last user task: unmounts all
void vfs_exit(LeakReport&);      // reports what is left
