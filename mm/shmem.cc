// Anonymous shared memory: a page cache without an inode, referred to by the areas that map it (spec 41 section 6, M-40).
// SPDX-License-Identifier: Apache-2.0
#include <linux/slab.h>

#include "mm/filemap.hh"
#include "mm/internal.hh"

namespace {

struct ShmemObject {
  refcount_t areas;
  long charged;  // pages counted against the commit limit
  address_space mapping;
};

ShmemObject* object_of(const vm_area_struct* vma) { return static_cast<ShmemObject*>(vma->vm_private_data); }

void shmem_open(vm_area_struct* vma) { refcount_inc(&object_of(vma)->areas); }

void shmem_close(vm_area_struct* vma) {
  ShmemObject* o = object_of(vma);
  if (!refcount_dec_and_test(&o->areas)) return;
  address_space_destroy(&o->mapping);
  vm_unacct_memory(o->charged);
  kfree(o);
}

const char* shmem_name(vm_area_struct*) { return "/dev/zero (deleted)"; }

constinit const address_space_operations shmem_aops = {
    .charge_page = nullptr, .uncharge_pages = nullptr, .read_page = nullptr, .is_shmem = true};
constinit const vm_operations_struct shmem_vm_ops = {.open = shmem_open, .close = shmem_close, .fault = filemap_fault,
                                                     .name = shmem_name, .pages_at_hand = filemap_pages_at_hand};

}  // namespace

address_space* shmem_mapping(const vm_area_struct* vma) {
  return vma->vm_ops == &shmem_vm_ops ? &object_of(vma)->mapping : nullptr;
}

Result<void> shmem_zero_setup(vm_area_struct* vma) {
  long pages = vma_pages(vma);
  bool charge = !(vma->vm_flags & VM_NORESERVE);
  if (charge && !vm_enough_memory(vma->vm_mm, pages)) return fail(ENOMEM);
  auto* o = static_cast<ShmemObject*>(kmalloc(sizeof(ShmemObject), GFP_KERNEL));
  if (!o) {
    if (charge) vm_unacct_memory(pages);
    return fail(ENOMEM);
  }
  refcount_set(&o->areas, 1);
  o->charged = charge ? pages : 0;
  address_space_init(&o->mapping, nullptr, &shmem_aops);
  o->mapping.i_size = pages << 12;
  vma->vm_private_data = o;
  vma->vm_ops = &shmem_vm_ops;
  return {};
}
