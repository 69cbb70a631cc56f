// The XArray and the IDR: linux/xarray.h and linux/idr.h over the radix tree.
// SPDX-License-Identifier: Apache-2.0
#include <linux/idr.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>

#include "kernel/sync/guards.hh"
#include "lib/radix.hh"

namespace {

// gfp for an allocation with the array's lock held. preload()ed nodes stand in where it fails.
constexpr gfp_t kLocked = GFP_NOWAIT;

// Takes the lock as the array's users do; nodes are set aside first if the caller may sleep.
class XaGuard {
 public:
  XaGuard(xarray* xa, gfp_t gfp) : xa_(xa), preloaded_(gfp & __GFP_DIRECT_RECLAIM) {
    if (preloaded_) radix::preload(gfp);
    spin_lock_irqsave(&xa->xa_lock, flags_);
  }
  ~XaGuard() {
    spin_unlock_irqrestore(&xa_->xa_lock, flags_);
    if (preloaded_) radix::preload_end();
  }
  XaGuard(const XaGuard&) = delete;
  XaGuard& operator=(const XaGuard&) = delete;

 private:
  xarray* xa_;
  bool preloaded_;
  unsigned long flags_;
};

void* entry_or_taken(void* p) { return p ? p : radix::kTaken; }

}  // namespace

extern "C" {

void xa_init_flags(xarray* xa, gfp_t flags) {
  spin_lock_init(&xa->xa_lock);
  xa->xa_flags = flags;
  xa->xa_head = nullptr;
}

void* xa_load(xarray* xa, unsigned long index) {
  RcuReadGuard rcu;
  return radix::load(&xa->xa_head, index);
}

void* __xa_store(xarray* xa, unsigned long index, void* entry, gfp_t gfp) {
  if (!entry) return __xa_erase(xa, index);
  void* old;
  if (radix::store(&xa->xa_head, index, entry, &old, gfp) != radix::Status::Ok) return ERR_PTR(-ENOMEM);
  return old;
}
void* xa_store(xarray* xa, unsigned long index, void* entry, gfp_t gfp) {
  XaGuard guard(xa, entry ? gfp : 0);
  return __xa_store(xa, index, entry, kLocked);
}
void* __xa_erase(xarray* xa, unsigned long index) { return radix::erase(&xa->xa_head, index); }
void* xa_erase(xarray* xa, unsigned long index) {
  XaGuard guard(xa, 0);
  return __xa_erase(xa, index);
}

void* __xa_cmpxchg(xarray* xa, unsigned long index, void* old, void* entry, gfp_t gfp) {
  void* now = radix::load(&xa->xa_head, index);
  if (now != old) return now;
  void* r = __xa_store(xa, index, entry, gfp);
  return xa_is_err(r) ? r : now;
}
void* xa_cmpxchg(xarray* xa, unsigned long index, void* old, void* entry, gfp_t gfp) {
  XaGuard guard(xa, entry ? gfp : 0);
  return __xa_cmpxchg(xa, index, old, entry, kLocked);
}

int xa_insert(xarray* xa, unsigned long index, void* entry, gfp_t gfp) {
  XaGuard guard(xa, gfp);
  if (radix::taken(&xa->xa_head, index)) return -EBUSY;
  void* old;
  return radix::store(&xa->xa_head, index, entry_or_taken(entry), &old, kLocked) == radix::Status::Ok ? 0 : -ENOMEM;
}

int __xa_alloc(xarray* xa, u32* id, void* entry, xa_limit limit, gfp_t gfp) {
  unsigned long min = xa->xa_flags & 8 && limit.min == 0 ? 1 : limit.min;
  unsigned long at = radix::next_free(&xa->xa_head, min, limit.max);
  if (at == radix::kNone || at > limit.max) return -EBUSY;
  void* old;
  if (radix::store(&xa->xa_head, at, entry_or_taken(entry), &old, gfp) != radix::Status::Ok) return -ENOMEM;
  *id = static_cast<u32>(at);
  return 0;
}
int xa_alloc(xarray* xa, u32* id, void* entry, xa_limit limit, gfp_t gfp) {
  XaGuard guard(xa, gfp);
  return __xa_alloc(xa, id, entry, limit, kLocked);
}
int xa_alloc_cyclic(xarray* xa, u32* id, void* entry, xa_limit limit, u32* next, gfp_t gfp) {
  XaGuard guard(xa, gfp);
  xa_limit rest = limit;
  rest.min = max(limit.min, *next);
  int wrapped = 0, err = rest.min <= rest.max ? __xa_alloc(xa, id, entry, rest, kLocked) : -EBUSY;
  if (err == -EBUSY && rest.min > limit.min) {
    err = __xa_alloc(xa, id, entry, limit, kLocked);
    wrapped = 1;
  }
  if (err) return err;
  *next = *id + 1;
  return wrapped;
}

void* xa_find(xarray* xa, unsigned long* index, unsigned long max, unsigned) {
  RcuReadGuard rcu;
  for (unsigned long from = *index;;) {
    void* p;
    unsigned long at = radix::next(&xa->xa_head, from, max, &p);
    if (!p) return nullptr;
    if (p != radix::kTaken) return *index = at, p;
    if (at == ~0ul || at == max) return nullptr;
    from = at + 1;
  }
}
void* xa_find_after(xarray* xa, unsigned long* index, unsigned long max, unsigned filter) {
  unsigned long from = *index + 1;
  if (from == 0 || from > max) return nullptr;
  void* p = xa_find(xa, &from, max, filter);
  if (p) *index = from;
  return p;
}

void xa_destroy(xarray* xa) {
  XaGuard guard(xa, 0);
  radix::destroy(&xa->xa_head);
}

// ---- IDR: the caller locks ------------------------------------------------------------------------------------------

void idr_init(idr* i) {
  xa_init_flags(&i->idr_rt, XA_FLAGS_ALLOC);
  i->idr_base = i->idr_next = 0;
}

int idr_alloc_u32(idr* i, void* ptr, u32* id, unsigned long max, gfp_t gfp) {
  unsigned base = i->idr_base;
  unsigned long from = *id < base ? 0 : *id - base, to = max - base;
  unsigned long at = radix::next_free(&i->idr_rt.xa_head, from, to);
  if (at == radix::kNone || at > to) return -ENOSPC;
  void* old;
  if (radix::store(&i->idr_rt.xa_head, at, entry_or_taken(ptr), &old, gfp) != radix::Status::Ok) return -ENOMEM;
  *id = static_cast<u32>(at) + base;
  return 0;
}

int idr_alloc(idr* i, void* ptr, int start, int end, gfp_t gfp) {
  if (start < 0) return -EINVAL;
  u32 id = static_cast<u32>(start);
  int err = idr_alloc_u32(i, ptr, &id, end > 0 ? static_cast<unsigned long>(end) - 1 : INT_MAX, gfp);
  return err ? err : static_cast<int>(id);
}

int idr_alloc_cyclic(idr* i, void* ptr, int start, int end, gfp_t gfp) {
  unsigned long max = end > 0 ? static_cast<unsigned long>(end) - 1 : INT_MAX;
  u32 id = max_t(u32, i->idr_next, static_cast<u32>(start));
  int err = id <= max ? idr_alloc_u32(i, ptr, &id, max, gfp) : -ENOSPC;
  if (err == -ENOSPC && id > static_cast<u32>(start)) {
    id = static_cast<u32>(start);
    err = idr_alloc_u32(i, ptr, &id, max, gfp);
  }
  if (err) return err;
  WRITE_ONCE(i->idr_next, id + 1);
  return static_cast<int>(id);
}

void* idr_remove(idr* i, unsigned long id) { return id < i->idr_base ? nullptr : radix::erase(&i->idr_rt.xa_head, id - i->idr_base); }
void* idr_find(const idr* i, unsigned long id) { return id < i->idr_base ? nullptr : radix::load(&i->idr_rt.xa_head, id - i->idr_base); }

void* idr_replace(idr* i, void* ptr, unsigned long id) {
  id -= i->idr_base;
  if (!radix::taken(&i->idr_rt.xa_head, id)) return ERR_PTR(-ENOENT);
  void* old;
  radix::store(&i->idr_rt.xa_head, id, entry_or_taken(ptr), &old, GFP_NOWAIT);  // the way is there
  return old;
}

void* idr_get_next_ul(idr* i, unsigned long* id) {
  unsigned long from = *id < i->idr_base ? 0 : *id - i->idr_base;
  for (;;) {
    void* p;
    unsigned long at = radix::next(&i->idr_rt.xa_head, from, ~0ul - 1, &p);
    if (!p) return nullptr;
    if (p != radix::kTaken) return *id = at + i->idr_base, p;
    from = at + 1;
  }
}
void* idr_get_next(idr* i, int* id) {
  auto at = static_cast<unsigned long>(*id < 0 ? 0 : *id);
  void* p = idr_get_next_ul(i, &at);
  if (!p || at > INT_MAX) return nullptr;
  *id = static_cast<int>(at);
  return p;
}

int idr_for_each(const idr* ci, int (*fn)(int id, void* p, void* data), void* data) {
  auto* i = const_cast<idr*>(ci);
  int id = 0;
  for (void* p; (p = idr_get_next(i, &id)); id++)
    if (int r = fn(id, p, data)) return r;
  return 0;
}

void idr_destroy(idr* i) {
  radix::destroy(&i->idr_rt.xa_head);
  i->idr_next = 0;
}
bool idr_is_empty(const idr* i) { return xa_empty(&i->idr_rt); }
void idr_preload(gfp_t gfp) { radix::preload(gfp); }
void idr_preload_end(void) { radix::preload_end(); }

// ---- IDA ------------------------------------------------------------------------------------------------------------

void ida_init(ida* a) { xa_init_flags(&a->xa, XA_FLAGS_ALLOC); }
int ida_alloc_range(ida* a, unsigned min, unsigned max, gfp_t gfp) {
  if (max > INT_MAX) max = INT_MAX;
  if (min > max) return -ENOSPC;
  u32 id;
  int err = xa_alloc(&a->xa, &id, nullptr, XA_LIMIT(min, max), gfp);
  return err == -EBUSY ? -ENOSPC : err ? err : static_cast<int>(id);
}
void ida_free(ida* a, unsigned id) {
  XaGuard guard(&a->xa, 0);
  WARN(!radix::taken(&a->xa.xa_head, id), "ida_free called for id=%u which is not allocated.", id);
  radix::erase(&a->xa.xa_head, id);
}
void ida_destroy(ida* a) { xa_destroy(&a->xa); }

}  // extern "C"
