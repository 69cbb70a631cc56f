// Slab caches. In front of each cache stands a magazine per CPU, an array of free objects that allocation pops and freeing
// pushes with interrupts off and no lock; behind it slabs, page blocks cut into objects, under the cache's lock.
// SPDX-License-Identifier: Apache-2.0
#include "mm/slab.hh"

#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include <arch/sanitize.hh>

#include "kernel/fault_inject.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"
#include "mm/page_alloc.hh"

namespace {

struct Magazine {
  unsigned count;  // others read it to estimate
  void* objects[];
  void push(void* obj) {
    objects[count] = obj;
    WRITE_ONCE(count, count + 1);
  }
  void* pop() {
    WRITE_ONCE(count, count - 1);
    return objects[count];
  }
};

// Who allocated each object is kept where locks are checked too (the hosted machine).
constexpr bool kTrackOwners = arch::kCheckLocks;
constexpr unsigned kMaxSlabOrder = 3, kEmptySlabsKept = 4;

}  // namespace

struct kmem_cache {
  unsigned size;         // of a slot
  unsigned object_size;  // what may be used of it
  slab_flags_t flags;
  unsigned capacity, batch;  // of the magazines
  unsigned link_offset;      // in a free slot: where the pointer to the next free one is
  unsigned align, order, min_order;
  void (*ctor)(void*);
  spinlock_t lock;  // all below, and the slab fields of the pages of this cache; interrupts off
  list_head partial, full;
  unsigned long nr_slabs, nr_partial, nr_objects;  // nr_objects: slots in all slabs
  unsigned long nr_taken;                          // slots outside the slabs' free lists: in use or in magazines
  list_head link;                                  // in caches
  unsigned allocation_order;
  char name[32];
  Magazine* magazines[NR_CPUS];
};

namespace {

struct SlabState {
  mutex lock;       // caches
  list_head caches;
  atomic_long_t slab_pages, large_pages;  // large: kmalloc beyond the largest class
};
constinit Late<SlabState> state;

constexpr unsigned kClassSize[KMALLOC_CLASSES] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
constexpr const char* kClassName[KMALLOC_CLASSES] = {"kmalloc-8",   "kmalloc-16",  "kmalloc-32",  "kmalloc-64", "kmalloc-96",
                                                     "kmalloc-128", "kmalloc-192", "kmalloc-256", "kmalloc-512", "kmalloc-1k",
                                                     "kmalloc-2k",  "kmalloc-4k",  "kmalloc-8k"};
constinit kmem_cache* kmalloc_caches[KMALLOC_CLASSES];

// ---- Inside a slab --------------------------------------------------------------------------------------------------

// A free object's memory is poisoned for AddressSanitizer, but the link in it is ours.
__attribute__((no_sanitize("address", "thread"))) void* next_free(const kmem_cache* s, void* obj) {
  return *reinterpret_cast<void**>(static_cast<char*>(obj) + s->link_offset);
}
__attribute__((no_sanitize("address", "thread"))) void set_next_free(const kmem_cache* s, void* obj, void* next) {
  *reinterpret_cast<void**>(static_cast<char*>(obj) + s->link_offset) = next;
}

char* slab_base(const page* p) { return static_cast<char*>(page_address(p)); }
unsigned long slot_of(const kmem_cache* s, const page* p, const void* obj) {
  return static_cast<unsigned long>(static_cast<const char*>(obj) - slab_base(p)) / s->size;
}
// Owners' addresses are kept backwards from the end of the slab. 0: free.
unsigned long* owner_of(const kmem_cache* s, const page* p, const void* obj) {
  char* end = slab_base(p) + (PAGE_SIZE << compound_order(p));
  return reinterpret_cast<unsigned long*>(end) - 1 - slot_of(s, p, obj);
}
unsigned slots_in(unsigned size, unsigned order) {
  return static_cast<unsigned>((PAGE_SIZE << order) / (size + (kTrackOwners ? sizeof(long) : 0)));
}

// The objects beyond `carved` have never been handed out and are on no list; taking one costs no touch of its neighbours.
u32& carved(page* p) { return p->slab_pad; }

void* take_object(kmem_cache* s, page* p) {
  void* obj = p->freelist;
  if (obj) p->freelist = next_free(s, obj);
  else obj = slab_base(p) + static_cast<unsigned long>(carved(p)++) * s->size;
  if (++p->inuse == p->objects) {
    list_move(&p->slab_list, &s->full);
    s->nr_partial--;
  }
  s->nr_taken++;
  return obj;
}

// ---- Slabs come and go ----------------------------------------------------------------------------------------------

page* slab_pages(const kmem_cache* s, gfp_t gfp) {
  gfp = (gfp | __GFP_COMP) & ~__GFP_ZERO;
  if (s->order > s->min_order) {  // the roomier size is a wish
    gfp_t wish = (gfp | __GFP_NOWARN | __GFP_NORETRY) & ~(__GFP_NOFAIL | __GFP_DIRECT_RECLAIM);
    if (page* p = alloc_pages(wish, s->order)) return p;
  }
  return alloc_pages(gfp, s->min_order);
}

page* new_slab(kmem_cache* s, gfp_t gfp) {
  page* p = slab_pages(s, gfp);
  if (!p) return nullptr;
  unsigned order = compound_order(p);
  SetPageSlab(p);
  p->slab_cache = s;
  p->freelist = nullptr;
  p->inuse = 0;
  p->objects = static_cast<u16>(slots_in(s->size, order));
  carved(p) = 0;
  char* base = slab_base(p);
  for (unsigned i = 0; s->ctor && i < p->objects; i++) s->ctor(base + static_cast<unsigned long>(i) * s->size);
  if (kTrackOwners) memset(base + (PAGE_SIZE << order) - p->objects * sizeof(long), 0, p->objects * sizeof(long));
  if (!(s->flags & SLAB_TYPESAFE_BY_RCU)) kasan_poison(base, static_cast<unsigned long>(p->objects) * s->size);
  atomic_long_add(1l << order, &state->slab_pages);
  return p;
}

// The allocator takes the block back as ordinary pages.
void free_slab_pages(page* p) {
  unsigned order = compound_order(p);
  ClearPageSlab(p);
  kasan_unpoison(slab_base(p), PAGE_SIZE << order);
  atomic_long_sub(1l << order, &state->slab_pages);
  __free_pages(p, order);
}
void free_slab_rcu(rcu_head* head) { free_slab_pages(container_of(head, page, rcu_head)); }

void link_slab(kmem_cache* s, page* p) {
  list_add(&p->slab_list, &s->partial);
  s->nr_partial++;
  s->nr_slabs++;
  s->nr_objects += p->objects;
}
// Lock held; nothing of p is in use.
void discard_slab(kmem_cache* s, page* p) {
  list_del(&p->slab_list);
  s->nr_partial--;
  s->nr_slabs--;
  s->nr_objects -= p->objects;
  if (s->flags & SLAB_TYPESAFE_BY_RCU) call_rcu(&p->rcu_head, free_slab_rcu);  // readers may still look at the objects
  else free_slab_pages(p);
}

void put_object(kmem_cache* s, void* obj) {
  page* p = virt_to_head_page(obj);
  set_next_free(s, obj, p->freelist);
  p->freelist = obj;
  s->nr_taken--;
  if (p->inuse-- == p->objects) {
    list_move_tail(&p->slab_list, &s->partial);
    s->nr_partial++;
  }
  if (!p->inuse && s->nr_partial > kEmptySlabsKept) discard_slab(s, p);
}

// ---- Magazines ------------------------------------------------------------------------------------------------------

// Interrupts off. Half a magazine from the slabs there are; null if they have nothing.
void* refill(kmem_cache* s, Magazine* m) {
  SpinGuard guard(s->lock);
  while (m->count < s->batch && !list_empty(&s->partial))
    m->push(take_object(s, list_first_entry(&s->partial, page, slab_list)));
  return m->count ? m->pop() : nullptr;
}

// Interrupts off. The oldest go back, as they are the coldest.
void flush(kmem_cache* s, Magazine* m, unsigned n) {
  SpinGuard guard(s->lock);
  for (unsigned i = 0; i < n; i++) put_object(s, m->objects[i]);
  WRITE_ONCE(m->count, m->count - n);
  memmove(m->objects, m->objects + n, m->count * sizeof(void*));
}

void* alloc_from_new_slab(kmem_cache* s, gfp_t gfp) {
  page* p = new_slab(s, gfp);
  if (!p) return nullptr;
  IrqSpinGuard guard(s->lock);
  link_slab(s, p);
  return take_object(s, p);
}

void note_allocated(kmem_cache* s, void* obj, unsigned long caller) {
  page* p = virt_to_head_page(obj);
  WRITE_ONCE(*owner_of(s, p, obj), caller);
}
void note_freed(kmem_cache* s, void* obj, unsigned long caller) {
  page* p = virt_to_head_page(obj);
  if (!PageSlab(p) || p->slab_cache != s || (static_cast<char*>(obj) - slab_base(p)) % s->size)
    panic("slab: %px given back to cache %s, which it is not an object of (by %px)", obj, s->name, reinterpret_cast<void*>(caller));
  if (!xchg(owner_of(s, p, obj), 0ul)) panic("slab: double free of %px in cache %s (by %px)", obj, s->name, reinterpret_cast<void*>(caller));
}

// What an allocation needs beyond a magazine that has something. Apart and called last, so that the fast path saves no registers.
noinline void* cache_alloc_slow(kmem_cache* s, gfp_t gfp, size_t size, unsigned long caller) {
  if (should_fail(FailPoint::Slab, gfp)) return nullptr;
  void* obj;
  {
    IrqGuard irq;
    Magazine* m = s->magazines[arch::cpu_id()];
    obj = m->count ? m->pop() : refill(s, m);
  }
  if (!obj && !(obj = alloc_from_new_slab(s, gfp))) return nullptr;
  if (kTrackOwners) note_allocated(s, obj, caller);
  kasan_unpoison(obj, size);
  return gfp & __GFP_ZERO ? memset(obj, 0, size) : obj;
}

inline __attribute__((always_inline)) void* cache_alloc(kmem_cache* s, gfp_t gfp, size_t size, unsigned long caller) {
  might_sleep_if(gfp & __GFP_DIRECT_RECLAIM);
  if (READ_ONCE(fault_injection_armed)) [[unlikely]]
    return cache_alloc_slow(s, gfp, size, caller);
  unsigned long flags = arch::irq_save();
  Magazine* m = s->magazines[arch::cpu_id()];
  if (!m->count) [[unlikely]] {
    arch::irq_restore(flags);
    return cache_alloc_slow(s, gfp, size, caller);
  }
  void* obj = m->pop();
  arch::irq_restore(flags);
  if (kTrackOwners) note_allocated(s, obj, caller);
  kasan_unpoison(obj, size);
  return gfp & __GFP_ZERO ? memset(obj, 0, size) : obj;
}

noinline void cache_free_slow(kmem_cache* s, void* obj) {
  IrqGuard irq;
  Magazine* m = s->magazines[arch::cpu_id()];
  if (m->count == s->capacity) flush(s, m, s->batch);
  m->push(obj);
}

inline __attribute__((always_inline)) void cache_free(kmem_cache* s, void* obj, unsigned long caller) {
  if (kTrackOwners) note_freed(s, obj, caller);
  if (kKasan && !(s->flags & SLAB_TYPESAFE_BY_RCU)) kasan_poison(obj, s->size);
  unsigned long flags = arch::irq_save();
  Magazine* m = s->magazines[arch::cpu_id()];
  if (m->count == s->capacity) [[unlikely]] {
    arch::irq_restore(flags);
    return cache_free_slow(s, obj);
  }
  m->push(obj);
  arch::irq_restore(flags);
}

// Nobody uses the cache any more, on any CPU.
void empty_all_magazines(kmem_cache* s) {
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    IrqGuard irq;
    flush(s, s->magazines[cpu], s->magazines[cpu]->count);
  }
}

// ---- Making and unmaking caches ---------------------------------------------------------------------------------------

// The smallest order that wastes at most an eighth and holds eight objects, if there is one.
unsigned choose_order(unsigned size) {
  unsigned order = static_cast<unsigned>(get_order(size));
  for (; order < kMaxSlabOrder; order++) {
    unsigned n = slots_in(size, order);
    if (n >= 8 && (PAGE_SIZE << order) - n * size <= (PAGE_SIZE << order) / 8) break;
  }
  return order;
}
unsigned smallest_order(unsigned size) {
  unsigned order = static_cast<unsigned>(get_order(size));
  while (slots_in(size, order) == 0) order++;
  return order;
}

void lay_out(kmem_cache* s, unsigned object_size, unsigned align) {
  unsigned size = ALIGN(max(object_size, 8u), 8u);
  s->object_size = object_size;
  s->link_offset = 0;
  if (s->ctor || (s->flags & SLAB_TYPESAFE_BY_RCU)) {  // the content of a free object is still wanted
    s->link_offset = size;
    size += sizeof(void*);
  }
  if (kKasan) size += 16;  // so that neighbours do not touch
  if (s->flags & SLAB_HWCACHE_ALIGN) {
    unsigned line = 64;
    while (object_size <= line / 2 && line > 8) line /= 2;
    align = max(align, line);
  }
  s->align = max(align, 8u);
  s->size = ALIGN(size, s->align);
  s->min_order = smallest_order(s->size);
  s->order = max(choose_order(s->size), s->min_order);
  s->capacity = s->size <= 256 ? 60 : s->size <= 1024 ? 30 : s->size <= 4096 ? 14 : 6;
  s->batch = s->capacity / 2;
}

// The cache and its magazines in one block of pages: caches are few, and this needs no cache to begin with.
kmem_cache* make_cache(const char* name, unsigned size, unsigned align, slab_flags_t flags, void (*ctor)(void*), gfp_t gfp) {
  kmem_cache layout{};
  layout.flags = flags;
  layout.ctor = ctor;
  lay_out(&layout, size, align);
  size_t head = offsetof(kmem_cache, magazines) + nr_cpu_ids * sizeof(Magazine*);
  size_t magazine = ALIGN(sizeof(Magazine) + layout.capacity * sizeof(void*), size_t{64});
  unsigned order = static_cast<unsigned>(get_order(ALIGN(head, size_t{64}) + nr_cpu_ids * magazine));
  void* mem = reinterpret_cast<void*>(__get_free_pages(gfp | __GFP_ZERO, order));
  if (!mem) return nullptr;
  auto* s = static_cast<kmem_cache*>(mem);
  memcpy(mem, &layout, offsetof(kmem_cache, lock));
  s->allocation_order = order;
  spin_lock_init(&s->lock);
  INIT_LIST_HEAD(&s->partial);
  INIT_LIST_HEAD(&s->full);
  strscpy(s->name, name, sizeof(s->name));
  for (unsigned cpu = 0; cpu < nr_cpu_ids; cpu++)
    s->magazines[cpu] = reinterpret_cast<Magazine*>(static_cast<char*>(mem) + ALIGN(head, size_t{64}) + cpu * magazine);
  return s;
}

// Gives the slabs back that nothing is in use of. The number of objects still in use.
unsigned long release_slabs(kmem_cache* s) {
  empty_all_magazines(s);
  bool may_sleep = !irqs_disabled();
  if ((s->flags & SLAB_TYPESAFE_BY_RCU) && may_sleep) synchronize_rcu();
  list_head empty;
  INIT_LIST_HEAD(&empty);
  {
    IrqSpinGuard guard(s->lock);
    page *p, *next;
    list_for_each_entry_safe(p, next, &s->partial, slab_list) {
      if (p->inuse) continue;
      list_move(&p->slab_list, &empty);
      s->nr_partial--;
      s->nr_slabs--;
      s->nr_objects -= p->objects;
    }
  }
  page *p, *next;
  list_for_each_entry_safe(p, next, &empty, slab_list) free_slab_pages(p);
  return s->nr_taken;
}

void delete_cache(kmem_cache* s) { free_pages(reinterpret_cast<unsigned long>(s), s->allocation_order); }

// Names the owners of what is left, a few of them.
void report_objects(kmem_cache* s, LeakReport& report) {
  int shown = 0;
  for (list_head* list : {&s->partial, &s->full}) {
    page* p;
    list_for_each_entry(p, list, slab_list) for (unsigned i = 0; i < p->objects && shown < 8; i++) {
      void* obj = slab_base(p) + static_cast<unsigned long>(i) * s->size;
      unsigned long owner = kTrackOwners ? *owner_of(s, p, obj) : 0;
      if (!owner) continue;
      report.finding("  %s object %px allocated by %px", s->name, obj, reinterpret_cast<void*>(owner));
      shown++;
    }
  }
}

void drop_leaked_slabs(kmem_cache* s) {
  for (list_head* list : {&s->partial, &s->full}) {
    page *p, *next;
    list_for_each_entry_safe(p, next, list, slab_list) free_slab_pages(p);
  }
}

void unmake_cache(kmem_cache* s, LeakReport& report) {
  if (unsigned long left = release_slabs(s)) {
    report.finding("slab cache %s: %lu objects not freed", s->name, left);
    report_objects(s, report);
    drop_leaked_slabs(s);
  }
  delete_cache(s);
}

bool is_kmalloc_cache(const kmem_cache* s) {
  for (const kmem_cache* c : kmalloc_caches)
    if (c == s) return true;
  return false;
}

}  // namespace

void slab_init() {
  SlabState& st = state.construct();
  mutex_init(&st.lock);
  INIT_LIST_HEAD(&st.caches);
  for (unsigned i = 0; i < KMALLOC_CLASSES; i++) {
    // Natural alignment of powers of two (spec 41 section 17).
    unsigned size = kClassSize[i], align = is_power_of_2(size) ? size : 8;
    kmalloc_caches[i] = make_cache(kClassName[i], size, align, 0, nullptr, GFP_NOWAIT);
    if (!kmalloc_caches[i]) panic("no memory for the kmalloc caches");
    list_add_tail(&kmalloc_caches[i]->link, &st.caches);
  }
}

void slab_exit(LeakReport& report) {
  report.expect_zero("pages of large kmalloc not freed", atomic_long_read(&state->large_pages));
  kmem_cache *s, *next;
  list_for_each_entry_safe(s, next, &state->caches, link) {
    if (!is_kmalloc_cache(s)) report.finding("slab cache %s not destroyed", s->name);
    unmake_cache(s, report);
  }
  for (kmem_cache*& c : kmalloc_caches) c = nullptr;
  report.expect_zero("slab pages not given back", atomic_long_read(&state->slab_pages));
  state.destroy();
}

unsigned long kmem_cache_objects(kmem_cache* s) {
  unsigned long cached = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) cached += READ_ONCE(s->magazines[cpu]->count);
  IrqSpinGuard guard(s->lock);
  return s->nr_taken > cached ? s->nr_taken - cached : 0;
}

unsigned long nr_slab_pages() { return static_cast<unsigned long>(atomic_long_read(&state->slab_pages)); }

void for_each_slab_cache(void (*visit)(const SlabInfo&, void*), void* context) {
  MutexGuard guard(state->lock);
  kmem_cache* s;
  list_for_each_entry(s, &state->caches, link) {
    SlabInfo info{s->name,           kmem_cache_objects(s),      READ_ONCE(s->nr_objects), s->object_size,
                  slots_in(s->size, s->order), 1u << s->order, READ_ONCE(s->nr_slabs)};
    visit(info, context);
  }
}

extern "C" {

kmem_cache* kmem_cache_create(const char* name, unsigned size, unsigned align, slab_flags_t flags, void (*ctor)(void*)) {
  kmem_cache* s = make_cache(name, size, align, flags, ctor, irqs_disabled() ? GFP_NOWAIT : GFP_KERNEL);
  if (!s) {
    if (flags & SLAB_PANIC) panic("no memory for slab cache %s", name);
    return nullptr;
  }
  if (irqs_disabled()) {  // early boot: nobody else is there
    list_add_tail(&s->link, &state->caches);
    return s;
  }
  MutexGuard guard(state->lock);
  list_add_tail(&s->link, &state->caches);
  return s;
}

void kmem_cache_destroy(kmem_cache* s) {
  if (!s) return;
  if (unsigned long left = release_slabs(s)) {
    pr_err("kmem_cache_destroy %s: %lu objects still in use\n", s->name, left);
    add_taint(TAINT_WARN, 1);
    return;  // leaks; slab_exit names it
  }
  if (irqs_disabled()) {
    list_del(&s->link);
  } else {
    MutexGuard guard(state->lock);
    list_del(&s->link);
  }
  delete_cache(s);
}

int kmem_cache_shrink(kmem_cache* s) {
  {
    IrqGuard irq;
    Magazine* m = s->magazines[arch::cpu_id()];
    flush(s, m, m->count);
  }
  IrqSpinGuard guard(s->lock);
  page *p, *next;
  list_for_each_entry_safe(p, next, &s->partial, slab_list) {
    if (!p->inuse) discard_slab(s, p);
  }
  return s->nr_slabs != 0;
}

void* kmem_cache_alloc(kmem_cache* s, gfp_t gfp) { return cache_alloc(s, gfp, s->object_size, _RET_IP_); }
void kmem_cache_free(kmem_cache* s, void* obj) {
  if (obj) cache_free(s, obj, _RET_IP_);
}
unsigned kmem_cache_size(kmem_cache* s) { return s->object_size; }

int kmem_cache_alloc_bulk(kmem_cache* s, gfp_t gfp, size_t n, void** objs) {
  for (size_t i = 0; i < n; i++)
    if (!(objs[i] = cache_alloc(s, gfp, s->object_size, _RET_IP_))) {
      kmem_cache_free_bulk(s, i, objs);
      return 0;
    }
  return static_cast<int>(n);
}
void kmem_cache_free_bulk(kmem_cache* s, size_t n, void** objs) {
  for (size_t i = 0; i < n; i++) cache_free(s, objs[i], _RET_IP_);
}

void* __kmalloc_index(unsigned index, size_t size, gfp_t gfp) { return cache_alloc(kmalloc_caches[index], gfp, size, _RET_IP_); }

void* __kmalloc(size_t size, gfp_t gfp) {
  int index = kmalloc_index(size);
  if (index >= 0) [[likely]]
    return cache_alloc(kmalloc_caches[index], gfp, size, _RET_IP_);
  if (size == 0) return ZERO_SIZE_PTR;
  if (size > KMALLOC_MAX_SIZE) return nullptr;
  unsigned order = static_cast<unsigned>(get_order(size));
  page* p = alloc_pages(gfp | __GFP_COMP, order);
  if (!p) return nullptr;
  atomic_long_add(1l << order, &state->large_pages);
  return page_address(p);
}

void kfree(const void* ptr) {
  if (ZERO_OR_NULL_PTR(ptr)) return;
  page* p = virt_to_head_page(ptr);
  if (PageSlab(p)) [[likely]]
    return cache_free(p->slab_cache, const_cast<void*>(ptr), _RET_IP_);
  unsigned order = compound_order(p);
  atomic_long_sub(1l << order, &state->large_pages);
  __free_pages(p, order);
}

size_t ksize(const void* ptr) {
  if (ZERO_OR_NULL_PTR(ptr)) return 0;
  page* p = virt_to_head_page(ptr);
  if (!PageSlab(p)) return PAGE_SIZE << compound_order(p);
  kasan_unpoison(ptr, p->slab_cache->object_size);  // the caller may now use it all
  return p->slab_cache->object_size;
}

}  // extern "C"

unsigned long slab_pages_in_use() {
  return static_cast<unsigned long>(atomic_long_read(&state->slab_pages) + atomic_long_read(&state->large_pages));
}
