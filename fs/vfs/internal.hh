// What the files of fs/vfs share among themselves.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/idr.h>
#include <linux/slab.h>

#include "fs/vfs/vfs.hh"
#include "lib/late.hh"

struct VfsState {
  kmem_cache *dentry_cache = nullptr, *inode_cache = nullptr, *file_cache = nullptr, *files_cache = nullptr,
             *fs_cache = nullptr, *mnt_cache = nullptr;
  atomic_long_t nr_dentries{}, nr_inodes{}, nr_files{}, nr_mounts{}, nr_supers{};
  vfsmount* anon_mnt = nullptr;  // anon inodes
  mnt_namespace* root_ns = nullptr;  // the initial one
  dev_t next_anon_dev = 1;       // under super.cc's mutex
  int next_mnt_id = 1;           // atomically
  struct list_head taken_off;    // mounts to be given back after namespace_mutex, which guards it; fs/vfs/mount.hh
  struct ida mnt_groups;         // peer groups; namespace_mutex
  u64 next_mnt_ns = 1;           // namespace_mutex
  struct list_head supers;       // under super.cc's mutex
};
extern constinit Late<VfsState> vfs;

extern spinlock_t dcache_lock, mount_lock;
extern struct mutex namespace_mutex;
// Odd while a rename (under dcache_lock), or a change of the mount tree (under mount_lock) is under way; a walk that held
// no references starts over if either has moved on.
extern unsigned rename_seq, mount_seq;
inline void seq_begin(unsigned& s) { __atomic_store_n(&s, s + 1, __ATOMIC_SEQ_CST); }
inline void seq_end(unsigned& s) { __atomic_store_n(&s, s + 1, __ATOMIC_RELEASE); }

// dcache.cc
u32 name_hash(const char* s, size_t n);
dentry* __d_lookup(const dentry* parent, u32 hash, const char* name, u32 len);       // RCU; no reference
dentry* d_lookup_hashed(dentry* parent, u32 hash, const char* name, u32 len);         // referenced
dname* d_make_name(std::string_view name);  // null: no memory
void d_free_name(dname* n);                 // one that was not used
// Moves d to the name, which it takes over; target, if any, has that name now and loses it.
void d_move(dentry* d, dentry* new_parent, dname* fresh, dentry* target);
void d_exchange(dentry* a, dname* for_a, dentry* b, dname* for_b);
bool d_has_children(dentry* d);
bool is_subdir(dentry* d, const dentry* ancestor);
void shrink_tree(dentry* root);
void dcache_init();
void dcache_exit(LeakReport& r);
inline bool dget_unless_dead(dentry* d) { return atomic_inc_not_zero(&d->d_count); }

// namespace.cc
vfsmount* __lookup_mnt(const vfsmount* parent, const dentry* point);  // RCU or mount_lock
vfsmount* lookup_mnt(const path* p);                                  // referenced, or null
bool mount_is_readonly(const vfsmount* m);
void mounts_init();
void namespace_init();
bool is_local_mountpoint(const dentry* d);  // of the caller's namespace
void detach_mounts(dentry* d);              // in all namespaces: the name is gone. May sleep
void namespace_quiesce();
void deactivate_super(super_block* sb);

// namei.cc
enum class LastType : unsigned char { Norm, Dot, DotDot, Root };
struct Last {
  const char* name;
  u32 len, hash;
  LastType type;
  bool slashes;  // trailing ones
};
Result<void> may_create(const path* dir);  // a new name in it: ENOENT, EOVERFLOW, EACCES, EROFS
Result<dentry*> lookup_one(dentry* dir, const Last& last);  // referenced; ENOENT. The directory's i_rwsem held exclusively
struct open_flags {
  int open_flag;
  umode_t mode;
  int acc_mode;
  unsigned lookup_flags;
};
Result<file*> do_filp_open(int dfd, const char* name, const open_flags& op);
Result<file*> do_file_open_root(const path* root, const char* name, const open_flags& op);
Result<open_flags> build_open_flags(u64 flags, u64 mode, u64 resolve);
bool valid_open_how(const open_how& how);

// open.cc
file* alloc_file();       // one reference; null: ENFILE or no memory
void free_file(file* f);  // never opened
Result<void> do_dentry_open(file* f, const path* p, int flags, int (*open)(inode*, file*));
int flags_to_fmode(int flags);
Result<void> notify_change(const path* p, iattr* attr);  // i_rwsem held; set-id and permission rules
Result<void> do_truncate(const path* p, loff_t size, unsigned extra_valid, file* f);

// read_write.cc
using IterOp = ssize_t (*)(file*, iov_iter*, loff_t*);
long vfs_vector(file* f, const iovec* user, unsigned long nr, IterOp op);
// use(iter) on the spans that a user's iovec array names; -errno if it cannot be read.
long with_user_vec(const iovec* user, unsigned long nr, long (*use)(iov_iter*, void*), void* context);
template <class F>
long with_user_vec(const iovec* user, unsigned long nr, F&& f) {
  return with_user_vec(user, nr, [](iov_iter* i, void* c) -> long { return (*static_cast<std::remove_reference_t<F>*>(c))(i); }, &f);
}

// inode.cc
void inode_init_caches();
inode* alloc_anon_inode(super_block* sb);

void fdtable_init();
void file_table_quiesce();
void file_table_exit(LeakReport& r);
void anon_inodes_init();
void anon_inodes_quiesce();
void char_dev_init();
void char_dev_exit(LeakReport& r);
void locks_free_context(inode* i);
int chrdev_open(inode* i, file* f);
int fifo_open(inode* i, file* f);  // fs/pipe
extern const file_operations def_chr_fops, def_fifo_fops, bad_sock_fops;
long fcntl_setlk(file* f, unsigned cmd, void* user_flock);
long fcntl_getlk(file* f, unsigned cmd, void* user_flock);
