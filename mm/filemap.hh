// The page cache: the pages of one file (or of one piece of shared anonymous memory), found by index. Spec 41 section 9.
//
// An inode embeds its address_space; shared anonymous memory has one without an inode. Pages live in memory only: there is
// no write-back, so a page stays until it is truncated away or the object dies. read(2), write(2) and mappings all use
// the same pages, which makes them coherent (M-77).
// Lock order: inode lock, mmap_lock, i_mmap_lock, page_table_lock, tree_lock.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "lib/result.hh"

struct address_space;
struct file;
struct inode;
struct page;
struct vm_area_struct;
struct vm_operations_struct;
using pgoff_t = unsigned long;

struct address_space_operations {
  // Before a new page is added: may refuse, e.g. ENOSPC at tmpfs' size limit. Null: always allowed. May sleep.
  Result<void> (*charge_page)(address_space* mapping);
  void (*uncharge_pages)(address_space* mapping, unsigned long pages);
  // Fills a new, zeroed page with the file's content. Null: holes read as zero. May sleep.
  Result<void> (*read_page)(address_space* mapping, page* p, pgoff_t index);
  bool is_shmem;  // tmpfs and its like: pages count as shared memory, not as file pages, in a process's rss
};

// Index to page: a radix tree of 64-way nodes that is as high as the largest index needs; height 0 holds index 0 alone.
struct PageTree {
  void* root;
  unsigned height;
};

struct address_space {
  inode* host;  // null: shared anonymous memory
  const address_space_operations* a_ops;
  spinlock_t tree_lock;   // pages, nrpages; never taken from interrupts
  PageTree pages;
  unsigned long nrpages;
  loff_t i_size;          // bytes, where there is no host; else the host's i_size counts
  spinlock_t i_mmap_lock; // i_mmap
  list_head i_mmap;       // vm_area_struct::i_mmap_link of every mapping
  atomic_t i_mmap_writable;  // shared mappings that may write
};

void address_space_init(address_space* m, inode* host, const address_space_operations* ops);
void address_space_destroy(address_space* m);  // drops all pages; nothing may map it any more. May sleep

// Single pages. A reference is taken for the caller (put_page).
page* find_get_page(address_space* m, pgoff_t index);                   // null: a hole
Result<page*> find_or_create_page(address_space* m, pgoff_t index);     // ENOMEM, or what charge_page/read_page say
Result<void> add_to_page_cache(page* p, address_space* m, pgoff_t index);  // takes its own reference; EEXIST, ENOMEM

// Copies between the cache and a buffer. Fewer bytes than asked for: end of file, or a fault after that many; an error
// only if nothing was copied. May sleep. write extends i_size itself; the caller holds the inode lock.
enum class BufferIn : unsigned char { Kernel, User };
Result<size_t> filemap_read(address_space* m, loff_t pos, void* buf, size_t n, BufferIn where);
Result<size_t> filemap_write(address_space* m, loff_t pos, const void* buf, size_t n, BufferIn where);

// Sets the size; on shrinking drops the pages behind it from cache and mappings and zeroes the rest of the last page
// (M-79). Inode lock held; may sleep.
void truncate_setsize(address_space* m, loff_t new_size);
// Drops whole pages [first, first+count) from cache and mappings (hole punching). Inode lock held; may sleep.
void truncate_page_range(address_space* m, pgoff_t first, unsigned long count);
loff_t mapping_size(const address_space* m);

struct CachedPages {
  unsigned long file, shmem;
};
CachedPages cached_pages();  // of all mappings

// What a file system without wishes of its own puts into file_operations::mmap.
int generic_file_mmap(file* f, vm_area_struct* vma);
extern const vm_operations_struct generic_file_vm_ops;
struct vm_fault;
Result<void> filemap_fault(vm_fault* vmf);
void filemap_pages_at_hand(vm_area_struct* vma, unsigned long first, unsigned n, page** out);
