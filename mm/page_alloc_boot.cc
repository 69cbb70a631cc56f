// The page allocator at boot and at power-off, and its debugging aids (page_owner=on, page_poison=on).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include <arch/sanitize.hh>

#include "init/params.hh"
#include "kernel/fault_inject.hh"
#include "kernel/sync/guards.hh"
#include "mm/page_alloc_internal.hh"

int page_debug;

namespace {

constexpr unsigned char kPoison = 0xaa;
unsigned long* owners;  // a code address per frame from min_pfn on, or null
unsigned long reserved_owner_pages;

unsigned long isqrt(unsigned long n) {
  unsigned long r = 0;
  for (unsigned long bit = 1ul << 31; bit; bit >>= 1)
    if ((r + bit) * (r + bit) <= n) r += bit;
  return r;
}

void set_watermarks() {
  unsigned long kbytes = clamp(isqrt(zone.managed * 4 * 16), 128ul, 262144ul);
  unsigned long min = kbytes / 4;
  if (min > zone.managed / 8) min = zone.managed / 8;  // tiny test machines
  unsigned long step = max(min / 4, zone.managed * 10 / 10000);
  zone.marks = {min, min + step, min + 2 * step};
}

// Frees [from, to) in the largest aligned blocks.
void add_range(unsigned long from, unsigned long to) {
  while (from < to) {
    unsigned order = MAX_ORDER - 1;
    while ((from & ((1ul << order) - 1)) || from + (1ul << order) > to) order--;
    for (unsigned long i = 0; i < 1ul << order; i++) pfn_to_page(from + i)->flags = 0;
    zone.managed += 1ul << order;
    kasan_poison(page_address(pfn_to_page(from)), PAGE_SIZE << order);
    free_block_locked(pfn_to_page(from), order);
    from += 1ul << order;
  }
}

struct PfnRange {
  unsigned long start, end;
};
PfnRange pfns(const arch::MemoryRegion& r) {
  unsigned long start = PFN_UP(r.start), end = PFN_DOWN(r.end);
  return {start, end > start ? end : start};
}

// struct page for [min_pfn, max_pfn), placed at the end of the largest region. Returns the frame where it begins.
unsigned long place_mem_map(std::span<const arch::MemoryRegion> usable, PfnRange* home) {
  *home = {0, 0};
  min_pfn = ~0ul, max_pfn = 0;
  for (const auto& r : usable) {
    PfnRange p = pfns(r);
    if (p.start == p.end) continue;
    min_pfn = min(min_pfn, p.start);
    max_pfn = max(max_pfn, p.end);
    if (p.end - p.start > home->end - home->start) *home = p;
  }
  unsigned long pages = PFN_UP((max_pfn - min_pfn) * sizeof(page));
  BUG_ON(home->end - home->start <= pages);
  return home->end - pages;
}

void init_mem_map(unsigned long at) {
  auto* map = static_cast<page*>(arch::phys_to_virt(PFN_PHYS(at)));
  unsigned long n = max_pfn - min_pfn;
  kasan_unpoison(map, n * sizeof(page));
  memset(static_cast<void*>(map), 0, n * sizeof(page));
  for (unsigned long i = 0; i < n; i++) {
    map[i].flags = BIT(PG_reserved);
    atomic_set(&map[i]._mapcount, -1);
  }
  mem_map_biased = reinterpret_cast<unsigned long>(map) - min_pfn * sizeof(page);
}

bool option_on(std::string_view name) {
  std::string_view v;
  return boot_param(name, &v) && (v == "on" || v == "1");
}

void start_debugging() {
  page_debug = 0;
  owners = nullptr;
  if (option_on("page_owner")) {
    unsigned order = static_cast<unsigned>(get_order((max_pfn - min_pfn) * sizeof(long)));
    page* p = order < MAX_ORDER ? alloc_pages(__GFP_ZERO, order) : nullptr;
    if (p) owners = static_cast<unsigned long*>(page_address(p)), reserved_owner_pages = 1ul << order;
    if (p) page_debug |= kDebugOwner;
  }
  if (option_on("page_poison")) page_debug |= kDebugPoison;
}

void report_page(LeakReport& report, const page* p) {
  report.finding("page pfn %lx: flags %lx, count %d, mapcount %d, allocated by %px", page_to_pfn(p), p->flags,
                 atomic_read(&p->_refcount), page_mapcount(p), reinterpret_cast<void*>(page_owner(p)));
}

}  // namespace

void page_alloc_init() {
  zone = {};
  fault_injection_armed = 0;  // a program that was killed may have left it so
  page_debug = 0;
  spin_lock_init(&zone.lock);
  for (FreeArea& a : zone.free) INIT_LIST_HEAD(&a.blocks);
  for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) page_stacks.on(cpu).count = 0;
  auto usable = arch::boot_info().usable;
  PfnRange home;
  unsigned long map_at = place_mem_map(usable, &home);
  init_mem_map(map_at);
  for (const auto& r : usable) {
    PfnRange p = pfns(r);
    add_range(p.start, p.start == home.start ? map_at : p.end);
  }
  set_watermarks();
  start_debugging();
}

void page_alloc_exit(LeakReport& report) {
  for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
    PageStack& s = page_stacks.on(cpu);
    while (s.count) free_block_locked(s.pop(), 0);
  }
  if (owners) {
    page_debug &= ~kDebugOwner;
    for (unsigned long pfn = min_pfn; pfn < max_pfn; pfn++) {
      const page* p = pfn_to_page(pfn);
      if (report.findings() < 20 && atomic_read(&p->_refcount) > 0 && p != virt_to_page(owners)) report_page(report, p);
    }
    free_block_locked(virt_to_page(owners), static_cast<unsigned>(ilog2(reserved_owner_pages)));
    owners = nullptr;
  }
  report.expect_zero("pages not given back", static_cast<long>(zone.managed - zone.nr_free - arch::vmap_table_pages()));
}

void free_reserved_area(phys_addr_t start, phys_addr_t end) {
  PfnRange p = pfns({start, end});
  if (p.start < min_pfn || p.end > max_pfn) return;  // lies where no struct page is
  IrqSpinGuard guard(zone.lock);
  add_range(p.start, p.end);
}

unsigned long page_owner(const page* p) { return owners ? owners[page_to_pfn(p) - min_pfn] : 0; }

namespace {
// M-98. Pages that were free since boot have never been poisoned: private_ says which have.
void check_poison(page* p) {
  auto* mem = static_cast<char*>(page_address(p));
  void* bad = p->private_ == kPoison ? memchr_inv(mem, kPoison, PAGE_SIZE) : nullptr;
  p->private_ = 0;
  if (!bad) return;
  pr_err("BUG: page pfn %lx was written to after it was freed, at offset %ld\n", page_to_pfn(p),
         static_cast<long>(static_cast<char*>(bad) - mem));
  add_taint(TAINT_BAD_PAGE, 1);
  dump_stack();
}
}  // namespace

void debug_page_allocated(page* p, unsigned order, unsigned long caller) {
  if (page_debug & kDebugPoison)
    for (unsigned long i = 0; i < 1ul << order; i++) check_poison(p + i);
  if (owners) owners[page_to_pfn(p) - min_pfn] = caller;
}

void debug_page_freed(page* p, unsigned order) {
  if (page_debug & kDebugPoison)
    for (unsigned long i = 0; i < 1ul << order; i++) {
      memset(page_address(p + i), kPoison, PAGE_SIZE);
      p[i].private_ = kPoison;
    }
  if (owners) owners[page_to_pfn(p) - min_pfn] = 0;
}
