// Nodes in /dev: in the root file system for who mounts nothing there, and in devtmpfs.
// SPDX-License-Identifier: Apache-2.0
#include "fs/dev/dev.hh"

#include <linux/bug.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/dev/internal.hh"
#include "fs/ramfs/ramfs.hh"
#include "fs/vfs/internal.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr int kMaxDevices = 64;
struct Device {
  const char* name;
  unsigned dev;
  umode_t mode;
};
struct DevState {
  Device devices[kMaxDevices];
  int count = 0;
  vfsmount* mnt = nullptr;  // devtmpfs, whether somebody has mounted it or not
};
constinit Late<DevState> state;
DEFINE_MUTEX(devices_lock);

Result<void> fill_devtmpfs(super_block* sb, const char* data) {
  TRY(ramfs_fill_super(sb, data));
  sb->s_magic = TMPFS_MAGIC;
  return {};
}
constinit file_system_type devtmpfs_type{"devtmpfs", FS_SINGLE, fill_devtmpfs, nullptr};

// A node below devtmpfs' root, made past all permissions: this is the kernel itself.
Result<void> make_node(dentry* dir, const Device& d) {
  inode* di = dir->d_inode;
  dentry* n = d_alloc(dir, d.name);
  if (!n) return fail(ENOMEM);
  inode_lock(di);
  auto r = di->i_op->mknod(di, n, S_IFCHR | d.mode, d.dev);
  if (r) d_add(n);
  inode_unlock(di);
  dput(n);
  return r;
}

}  // namespace

int device_register(const char* name, unsigned dev, umode_t mode, const file_operations* fops) {
  if (int r = register_chrdev_region_ops(dev, 1, name, fops)) return r;
  MutexGuard g(devices_lock);
  if (state->count == kMaxDevices) {
    unregister_chrdev_region_ops(dev, 1);
    return -ENOSPC;
  }
  Device d{name, dev, mode};
  state->devices[state->count++] = d;
  if (auto r = make_node(state->mnt->mnt_root, d); !r) return -r.error().code();
  char full[64] = "/dev/";
  strlcat(full, name, sizeof(full));
  if (auto r = init_mknod(full, S_IFCHR | mode, dev); !r && r.error().code() != EEXIST)
    pr_warn("dev: no node %s: error %d\n", full, r.error().code());
  return 0;
}

void device_unregister(const char* name, unsigned dev) {
  unregister_chrdev_region_ops(dev, 1);
  MutexGuard g(devices_lock);
  for (int k = 0; k < state->count; k++)
    if (state->devices[k].dev == dev && strcmp(state->devices[k].name, name) == 0)
      state->devices[k] = state->devices[--state->count];
}

void chrdev_init() {
  state.construct();
  BUG_ON(register_filesystem(&devtmpfs_type));
  auto m = kern_mount(&devtmpfs_type);
  BUG_ON(!m);
  state->mnt = *m;
  BUG_ON(!init_mkdir("/dev", 0755) || !init_mkdir("/root", 0700));
  mem_devices_init();
}

void chrdev_quiesce() {
  mem_devices_quiesce();
  kern_unmount(std::exchange(state->mnt, nullptr));
  unregister_filesystem(&devtmpfs_type);
}

void chrdev_exit(LeakReport&) { state.destroy(); }
