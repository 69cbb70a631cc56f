// The page cache: index to page, reads and writes through it, truncation, and its faults (spec 41 section 9).
// SPDX-License-Identifier: Apache-2.0
#include "mm/filemap.hh"

#include <linux/slab.h>
#include <linux/string.h>

#include <array>

#include "fs/vfs/vfs.hh"
#include "init/report.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/uaccess.hh"

namespace {

constinit atomic_long_t cached_file{}, cached_shmem{};  // pages in all mappings

void count_cached(const address_space* m, long pages) {
  atomic_long_add(pages, m->a_ops && m->a_ops->is_shmem ? &cached_shmem : &cached_file);
}


constexpr unsigned kBits = 6, kSlots = 1u << kBits;
struct Node {
  void* slot[kSlots];  // nodes, or pages at the lowest level
};

constinit kmem_cache* node_cachep;

bool index_fits(const PageTree& t, pgoff_t index) {
  unsigned bits = t.height * kBits;
  return bits >= 64 || index >> bits == 0;
}

// tree_lock held.
page* tree_find(const PageTree& t, pgoff_t index) {
  if (!index_fits(t, index)) return nullptr;
  void* p = t.root;
  for (unsigned h = t.height; h > 0 && p; h--) p = static_cast<Node*>(p)->slot[index >> ((h - 1) * kBits) & (kSlots - 1)];
  return static_cast<page*>(p);
}

// The place for index, making room with *spare if that is needed; null: another node is wanted. tree_lock held.
void** tree_slot(PageTree& t, pgoff_t index, Node** spare) {
  auto take = [&]() -> Node* { return std::exchange(*spare, nullptr); };
  while (!index_fits(t, index)) {
    if (t.root) {
      Node* n = take();
      if (!n) return nullptr;
      n->slot[0] = t.root;
      t.root = n;
    }
    t.height++;
  }
  void** slot = &t.root;
  for (unsigned h = t.height; h > 0; h--) {
    if (!*slot) {
      Node* n = take();
      if (!n) return nullptr;
      *slot = n;
    }
    slot = &static_cast<Node*>(*slot)->slot[index >> ((h - 1) * kBits) & (kSlots - 1)];
  }
  return slot;
}

// Takes the pages of [first, last] out of the subtree *slot that begins at base, linking them through lru. tree_lock held.
unsigned long tree_remove(void** slot, unsigned height, pgoff_t base, pgoff_t first, pgoff_t last, list_head* out) {
  if (!*slot) return 0;
  if (height == 0) {
    if (base < first || base > last) return 0;  // a tree that is nothing but page 0
    page* p = static_cast<page*>(*slot);
    *slot = nullptr;
    WRITE_ONCE(p->mapping, static_cast<address_space*>(nullptr));  // seen by faults under page_table_lock
    list_add_tail(&p->lru, out);
    return 1;
  }
  Node* n = static_cast<Node*>(*slot);
  pgoff_t span = 1ul << ((height - 1) * kBits);
  unsigned long removed = 0;
  bool empty = true;
  for (unsigned i = 0; i < kSlots; i++) {
    if (!n->slot[i]) continue;
    pgoff_t at = base + i * span;
    if (at <= last && at + (span - 1) >= first) removed += tree_remove(&n->slot[i], height - 1, at, first, last, out);
    if (n->slot[i]) empty = false;
  }
  if (empty) {
    *slot = nullptr;
    kmem_cache_free(node_cachep, n);
  }
  return removed;
}

void drop_pages(address_space* m, pgoff_t first, pgoff_t last, Unmap what) {
  list_head gone;
  INIT_LIST_HEAD(&gone);
  unsigned long n;
  {
    SpinGuard g(m->tree_lock);
    if (!m->pages.root) n = 0;
    else n = tree_remove(&m->pages.root, m->pages.height, 0, first, last, &gone);
    m->nrpages -= n;
    count_cached(m, -static_cast<long>(n));
    if (!m->pages.root) m->pages.height = 0;
  }
  unsigned long count = last - first == ~0ul ? ~0ul : last - first + 1;
  unmap_mapping_pages(m, first, count, what);
  while (!list_empty(&gone)) {
    page* p = list_first_entry(&gone, page, lru);
    list_del(&p->lru);
    put_page(p);
  }
  if (n && m->a_ops && m->a_ops->uncharge_pages) m->a_ops->uncharge_pages(m, n);
}

void set_size(address_space* m, loff_t size) {
  if (m->host) i_size_write(m->host, size);
  else WRITE_ONCE(m->i_size, size);
}

}  // namespace

CachedPages cached_pages() {
  return {static_cast<unsigned long>(atomic_long_read(&cached_file)), static_cast<unsigned long>(atomic_long_read(&cached_shmem))};
}

loff_t mapping_size(const address_space* m) { return m->host ? i_size_read(m->host) : READ_ONCE(m->i_size); }

void address_space_init(address_space* m, inode* host, const address_space_operations* ops) {
  *m = {};
  m->host = host;
  m->a_ops = ops;
  spin_lock_init(&m->tree_lock);
  spin_lock_init(&m->i_mmap_lock);
  INIT_LIST_HEAD(&m->i_mmap);
}

void address_space_destroy(address_space* m) {
  BUG_ON(!list_empty(&m->i_mmap));
  if (m->pages.root) drop_pages(m, 0, ~0ul, Unmap::Everything);
}

page* find_get_page(address_space* m, pgoff_t index) {
  SpinGuard g(m->tree_lock);
  page* p = tree_find(m->pages, index);
  if (p) get_page(p);
  return p;
}

Result<void> add_to_page_cache(page* p, address_space* m, pgoff_t index) {
  Node* spare = nullptr;
  Result<void> result;
  for (;;) {
    {
      SpinGuard g(m->tree_lock);
      if (void** slot = tree_slot(m->pages, index, &spare)) {
        if (*slot) {
          result = fail(EEXIST);
        } else {
          p->mapping = m;
          p->index = index;
          get_page(p);
          *slot = p;
          m->nrpages++;
          count_cached(m, 1);
        }
        break;
      }
    }
    spare = static_cast<Node*>(kmem_cache_zalloc(node_cachep, GFP_KERNEL));
    if (!spare) return fail(ENOMEM);
  }
  if (spare) kmem_cache_free(node_cachep, spare);
  return result;
}

namespace {

Result<page*> make_page(address_space* m, pgoff_t index) {
  const address_space_operations* ops = m->a_ops;
  if (ops && ops->charge_page) TRY(ops->charge_page(m));
  page* p = alloc_page(GFP_HIGHUSER | __GFP_ZERO);
  Result<void> r = fail(ENOMEM);
  if (p) {
    if (ops && ops->is_shmem) WRITE_ONCE(p->flags, p->flags | 1ul << PG_swapbacked);
    r = {};
    if (ops && ops->read_page) r = ops->read_page(m, p, index);
    if (r) r = add_to_page_cache(p, m, index);
  }
  if (r) return p;
  if (p) put_page(p);
  if (ops && ops->uncharge_pages) ops->uncharge_pages(m, 1);
  return fail(r.error().code());
}

}  // namespace

Result<page*> find_or_create_page(address_space* m, pgoff_t index) {
  for (;;) {
    if (page* p = find_get_page(m, index)) return p;
    Result<page*> p = make_page(m, index);
    if (p || p.error().code() != EEXIST) return p;
  }
}

// ---- Reading and writing -------------------------------------------------------------------------------------------------

namespace {

// Bytes not copied.
size_t copy_out(void* to, const void* from, size_t n, BufferIn where) {
  if (where == BufferIn::User) return copy_to_user(to, from, n);
  memcpy(to, from, n);
  return 0;
}
size_t copy_in(void* to, const void* from, size_t n, BufferIn where) {
  if (where == BufferIn::User) return copy_from_user(to, from, n);
  memcpy(to, from, n);
  return 0;
}

Result<page*> page_to_read(address_space* m, pgoff_t index) {
  if (m->a_ops && m->a_ops->read_page) return find_or_create_page(m, index);
  return find_get_page(m, index);  // null: a hole, which costs no memory to read
}

}  // namespace

Result<size_t> filemap_read(address_space* m, loff_t pos, void* buf, size_t n, BufferIn where) {
  if (pos < 0) return fail(EINVAL);
  size_t done = 0;
  while (done < n) {
    loff_t size = mapping_size(m);
    if (pos >= size) break;
    size_t offset = pos & (kPageSize - 1);
    size_t part = std::min(std::min(n - done, kPageSize - offset), static_cast<size_t>(size - pos));
    Result<page*> p = page_to_read(m, pos >> 12);
    if (!p) return done ? Result<size_t>(done) : fail(p.error().code());
    const char* from = static_cast<const char*>(page_address(*p ? *p : zero_page)) + offset;
    size_t left = copy_out(static_cast<char*>(buf) + done, from, part, where);
    if (*p) put_page(*p);
    cond_resched();
    done += part - left;
    pos += part - left;
    if (left) return done ? Result<size_t>(done) : fail(EFAULT);
  }
  return done;
}

Result<size_t> filemap_write(address_space* m, loff_t pos, const void* buf, size_t n, BufferIn where) {
  if (pos < 0) return fail(EINVAL);
  size_t done = 0;
  while (done < n) {
    size_t offset = pos & (kPageSize - 1);
    size_t part = std::min(n - done, kPageSize - offset);
    Result<page*> p = find_or_create_page(m, pos >> 12);
    if (!p) return done ? Result<size_t>(done) : fail(p.error().code());
    size_t left = copy_in(static_cast<char*>(page_address(*p)) + offset, static_cast<const char*>(buf) + done, part, where);
    put_page(*p);
    cond_resched();
    done += part - left;
    pos += part - left;
    if (pos > mapping_size(m)) set_size(m, pos);
    if (left) return done ? Result<size_t>(done) : fail(EFAULT);
  }
  return done;
}

// ---- Truncation ----------------------------------------------------------------------------------------------------------

void truncate_setsize(address_space* m, loff_t new_size) {
  loff_t old = mapping_size(m);
  set_size(m, new_size);
  if (new_size >= old) return;
  size_t keep = new_size & (kPageSize - 1);
  if (keep) {
    if (page* p = find_get_page(m, new_size >> 12)) {
      memset(static_cast<char*>(page_address(p)) + keep, 0, kPageSize - keep);
      put_page(p);
    }
  }
  drop_pages(m, (new_size + kPageSize - 1) >> 12, ~0ul, Unmap::Everything);
}

void truncate_page_range(address_space* m, pgoff_t first, unsigned long count) {
  if (count) drop_pages(m, first, first + count - 1, Unmap::FilePagesOnly);
}

void unmap_mapping_pages(address_space* m, unsigned long first, unsigned long count, Unmap what) {
  SpinGuard g(m->i_mmap_lock);
  vm_area_struct* vma;
  list_for_each_entry(vma, &m->i_mmap, i_mmap_link) {
    unsigned long from = vma->vm_pgoff, to = from + vma_pages(vma);  // in file pages
    unsigned long lo = std::max(from, first), hi = count > ~0ul - first ? to : std::min(to, first + count);
    if (lo >= hi) continue;
    TlbGather gather(vma->vm_mm, TlbGather::Part, what == Unmap::Everything ? TlbGather::All : TlbGather::FilePages);
    gather.zap(vma->vm_start + ((lo - from) << 12), vma->vm_start + ((hi - from) << 12));
  }
}

// ---- Mappings ------------------------------------------------------------------------------------------------------------

address_space* vma_mapping(const vm_area_struct* vma) {
  if (vma->vm_file) return vma->vm_ops ? vma->vm_file->f_mapping : nullptr;
  return shmem_mapping(vma);
}

Result<void> filemap_fault(vm_fault* vmf) {
  address_space* m = vma_mapping(vmf->vma);
  if (vmf->pgoff >= static_cast<unsigned long>((mapping_size(m) + kPageSize - 1) >> 12)) return fail(EFAULT);
  vmf->page_ = TRY(find_or_create_page(m, vmf->pgoff));
  return {};
}

void filemap_pages_at_hand(vm_area_struct* vma, unsigned long first, unsigned n, page** out) {
  address_space* m = vma_mapping(vma);
  unsigned long end = (mapping_size(m) + kPageSize - 1) >> 12;
  SpinGuard g(m->tree_lock);
  for (unsigned i = 0; i < n; i++) {
    out[i] = first + i < end ? tree_find(m->pages, first + i) : nullptr;
    if (out[i]) get_page(out[i]);
  }
}

constinit const vm_operations_struct generic_file_vm_ops = {
    .open = nullptr, .close = nullptr, .fault = filemap_fault, .name = nullptr, .pages_at_hand = filemap_pages_at_hand};

int generic_file_mmap(file* f, vm_area_struct* vma) {
  if (!f->f_mapping) return -ENODEV;
  vma->vm_ops = &generic_file_vm_ops;
  return 0;
}

// ---- Boot -----------------------------------------------------------------------------------------------------------------

void filemap_init() {
  node_cachep = kmem_cache_create("page_tree_node", sizeof(Node), alignof(Node), 0, nullptr);
  if (!node_cachep) panic("no memory for the page cache");
}

void filemap_exit(LeakReport&) {
  kmem_cache_destroy(node_cachep);
  node_cachep = nullptr;
}
