// Character devices: which operations a device number means.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>

#include "fs/vfs/char_dev.hh"
#include "fs/vfs/internal.hh"
#include "init/report.hh"
#include "kernel/sync/guards.hh"

namespace {

struct Region {
  unsigned first, count;
  const char* name;
  const file_operations* fops;
  struct list_head list;
};

DEFINE_SPINLOCK(regions_lock);
LIST_HEAD(regions);

const file_operations* find_fops(unsigned dev) {
  SpinGuard g(regions_lock);
  Region* r;
  list_for_each_entry(r, &regions, list) {
    if (dev >= r->first && dev - r->first < r->count) return r->fops;
  }
  return nullptr;
}

}  // namespace

int register_chrdev_region_ops(unsigned first, unsigned count, const char* name, const file_operations* fops) {
  auto* n = static_cast<Region*>(kmalloc(sizeof(Region), GFP_KERNEL));
  if (!n) return -ENOMEM;
  *n = {first, count, name, fops, {}};
  SpinGuard g(regions_lock);
  Region* r;
  list_for_each_entry(r, &regions, list) {
    if (first < r->first + r->count && r->first < first + count) {
      g.unlock();
      kfree(n);
      return -EBUSY;
    }
  }
  list_add_tail(&n->list, &regions);
  return 0;
}

void unregister_chrdev_region_ops(unsigned first, unsigned count) {
  Region *r, *found = nullptr;
  {
    SpinGuard g(regions_lock);
    list_for_each_entry(r, &regions, list) {
      if (r->first == first && r->count == count) found = r;
    }
    if (found) list_del(&found->list);
  }
  kfree(found);
}

void for_each_chrdev(void (*visit)(unsigned major, const char* name, void*), void* context) {
  SpinGuard g(regions_lock);
  Region* r;
  list_for_each_entry(r, &regions, list) visit(MAJOR(r->first), r->name, context);
}

int chrdev_open(inode* i, file* f) {
  const file_operations* fops = S_ISCHR(i->i_mode) ? find_fops(i->i_rdev) : nullptr;
  if (!fops) return -ENXIO;
  f->f_op = fops;
  return fops->open ? fops->open(i, f) : 0;
}

const file_operations def_chr_fops = {.llseek = noop_llseek, .open = chrdev_open};

void char_dev_init() { INIT_LIST_HEAD(&regions); }
void char_dev_exit(LeakReport& r) {
  long left = 0;
  Region* reg;
  list_for_each_entry(reg, &regions, list) left++;
  r.expect_zero("character device regions", left);
}
