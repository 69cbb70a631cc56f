// mmap, munmap, mprotect, brk: errors in their order, merging and splitting, accounting (spec 41 sections 3, 6, 7, 13).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fault_inject.hh"
#include "test/mm/user_space.hh"

namespace {

unsigned long at(unsigned long page) { return kBase + page * kPg; }

// spec 41 M-6
void adjacent_mappings_merge(kunit* test) {
  UserSpace u(test);
  KUNIT_EXPECT_EQ(test, u.map(at(0), kPg), static_cast<long>(at(0)));
  u.map(at(1), kPg);
  EXPECT_SHAPE(test, u, "[0,2)rw-");
  u.map(at(3), kPg);
  EXPECT_SHAPE(test, u, "[0,2)rw- [3,4)rw-");
  u.map(at(2), kPg);  // three become one
  EXPECT_SHAPE(test, u, "[0,4)rw-");
}

void merging_below_a_neighbour(kunit* test) {
  UserSpace u(test);
  u.map(at(5), kPg);
  u.map(at(3), 2 * kPg);
  EXPECT_SHAPE(test, u, "[3,6)rw-");
}

struct MergeCase {
  unsigned long prot, flags;
  const char* shape;
};
constexpr MergeCase kMergeCases[] = {
    {kRW, kAnon, "[0,2)rw-"},
    {PROT_READ, kAnon, "[0,1)rw- [1,2)r--"},
    {kRW | PROT_EXEC, kAnon, "[0,1)rw- [1,2)rwx"},
    {PROT_NONE, kAnon, "[0,1)rw- [1,2)---"},
    {kRW, kSharedAnon, "[0,1)rw- [1,2)rw-s"},
    {kRW, kAnon | MAP_NORESERVE, "[0,1)rw- [1,2)rw-"},
    {kRW, kAnon | MAP_GROWSDOWN, "[0,1)rw- [1,2)rw-"},
    {kRW, kAnon | MAP_LOCKED, "[0,1)rw- [1,2)rw-"},
    {kRW, kAnon | MAP_STACK | MAP_DENYWRITE | MAP_EXECUTABLE, "[0,2)rw-"},
};
KUNIT_ARRAY_PARAM(merge, kMergeCases, nullptr);

// spec 41 section 3, Merge / split: which kinds of areas join
void merge_needs_equal_kind(kunit* test) {
  auto* c = static_cast<const MergeCase*>(test->param_value);
  UserSpace u(test);
  u.map(at(0), kPg);
  u.map(at(1), kPg, c->prot, c->flags | MAP_FIXED);
  EXPECT_SHAPE(test, u, c->shape);
}

void shared_anonymous_never_merges(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg, kRW, kSharedAnon | MAP_FIXED);
  u.map(at(1), kPg, kRW, kSharedAnon | MAP_FIXED);
  EXPECT_SHAPE(test, u, "[0,1)rw-s [1,2)rw-s");
}

// spec 41 M-7
void protecting_back_merges_again(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 5 * kPg);
  KUNIT_EXPECT_EQ(test, u.protect(at(2), kPg, PROT_READ), 0l);
  EXPECT_SHAPE(test, u, "[0,2)rw- [2,3)r-- [3,5)rw-");
  KUNIT_EXPECT_EQ(test, u.protect(at(2), kPg, kRW), 0l);
  EXPECT_SHAPE(test, u, "[0,5)rw-");
}

struct CutCase {
  unsigned long from, pages;
  const char* shape;
};
constexpr CutCase kCutCases[] = {
    {0, 1, "[1,6)rw- [8,10)rw-"}, {5, 1, "[0,5)rw- [8,10)rw-"},  {2, 2, "[0,2)rw- [4,6)rw- [8,10)rw-"},
    {0, 6, "[8,10)rw-"},          {5, 4, "[0,5)rw- [9,10)rw-"},  {6, 2, "[0,6)rw- [8,10)rw-"},
    {0, 10, ""},                  {20, 3, "[0,6)rw- [8,10)rw-"}, {7, 20, "[0,6)rw-"},
};
KUNIT_ARRAY_PARAM(cut, kCutCases, nullptr);

void munmap_cuts_any_range(kunit* test) {
  auto* c = static_cast<const CutCase*>(test->param_value);
  UserSpace u(test);
  u.map(at(0), 6 * kPg);
  u.map(at(8), 2 * kPg);
  for (int i = 0; i < 6; i++) KUNIT_ASSERT_TRUE(test, u.poke(at(i), i + 1));
  KUNIT_EXPECT_EQ(test, u.unmap(at(c->from), c->pages * kPg), 0l);
  EXPECT_SHAPE(test, u, c->shape);
  for (unsigned long i = 0; i < 6; i++)
    KUNIT_EXPECT_EQ(test, u.peek(at(i)), i >= c->from && i < c->from + c->pages ? -1 : static_cast<int>(i) + 1);
  unsigned long pages = 0;
  const vm_area_struct* v;
  for_each_vma_of(u.mm(), v) pages += vma_pages(v);
  KUNIT_EXPECT_EQ(test, u.mm()->total_vm, pages);
  KUNIT_EXPECT_EQ(test, u.mm()->data_vm, pages);
}

struct MmapError {
  unsigned long addr, len, prot, flags;
  long expected;
};
constexpr MmapError kMmapErrors[] = {
    {0, 0, kRW, kAnon, -EINVAL},                                       // M-15
    {0, ~0ul, kRW, kAnon, -ENOMEM},                                    // M-17
    {0, 1ul << 47, kRW, kAnon, -ENOMEM},                               // M-20: longer than user space
    {0x7fffffffe000, 2 * kPg, kRW, kAnon | MAP_FIXED, -ENOMEM},        // M-20: past its end
    {kBase + 1, kPg, kRW, kAnon | MAP_FIXED, -EINVAL},                 // M-20: unaligned
    {kBase, kPg, kRW, kAnon | MAP_FIXED_NOREPLACE, -EEXIST},           // M-21
    {kBase - kPg, 2 * kPg, kRW, kAnon | MAP_FIXED_NOREPLACE, -EEXIST}, // M-21
    {0, kPg, kRW, MAP_ANONYMOUS, -EINVAL},                             // M-31: no type
    {0, kPg, kRW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -EINVAL},       // M-31
    {0, kPg, kRW, kSharedAnon | MAP_GROWSDOWN, -EINVAL},               // M-30
    {0, kPg, kRW, MAP_PRIVATE, -EBADF},                                // M-14: fd -1
    {0, 0, kRW, MAP_PRIVATE, -EBADF},                                  // M-14 before M-15
    {0, 0, kRW, MAP_ANONYMOUS, -EINVAL},                               // M-15 before M-31
};
KUNIT_ARRAY_PARAM(mmap_error, kMmapErrors, nullptr);

void mmap_errors(kunit* test) {
  auto* c = static_cast<const MmapError*>(test->param_value);
  UserSpace u(test);
  u.map(kBase, kPg);
  KUNIT_EXPECT_EQ(test, call(sys_mmap, c->addr, c->len, c->prot, c->flags, -1ul, 0), c->expected);
  EXPECT_SHAPE(test, u, "[0,1)rw-");
}

// M-13
void unaligned_offset_is_refused_first(kunit* test) {
  UserSpace u(test);
  KUNIT_EXPECT_EQ(test, call(sys_mmap, 0, 0, kRW, MAP_PRIVATE, -1ul, 1), -22l);
}

// M-36, M-37
void unknown_bits_are_ignored(kunit* test) {
  UserSpace u(test);
  long p = u.map(0, kPg, kRW | 0x100 | PROT_SEM, kAnon | 0x08000000);
  KUNIT_EXPECT_GT(test, p, 0l);
}

// M-3
void placement_is_top_down(kunit* test) {
  UserSpace u(test);
  long a = u.place(2 * kPg), b = u.place(kPg, PROT_READ);
  KUNIT_EXPECT_EQ(test, static_cast<unsigned long>(a), u.mm()->mmap_base - 2 * kPg);
  KUNIT_EXPECT_EQ(test, b, a - static_cast<long>(kPg));
  u.unmap(a, kPg);
  KUNIT_EXPECT_EQ(test, u.place(kPg, PROT_EXEC), a);  // the highest hole that fits
}

void hints_are_taken_where_free(kunit* test) {
  UserSpace u(test);
  KUNIT_EXPECT_EQ(test, u.map(kBase + 5, kPg, kRW, kAnon), static_cast<long>(kBase));  // rounded down to the page
  KUNIT_EXPECT_NE(test, u.map(kBase, kPg, kRW, kAnon), static_cast<long>(kBase));
  KUNIT_EXPECT_EQ(test, u.map(1, kPg, kRW, kAnon), static_cast<long>(mm_settings.mmap_min_addr));
}

void low_half_on_request(kunit* test) {
  UserSpace u(test);
  long p = u.map(0, kPg, kRW, kAnon | MAP_32BIT);
  KUNIT_EXPECT_GE(test, p, 0x40000000l);
  KUNIT_EXPECT_LT(test, p, 0x80000000l);
}

// M-35
void fixed_replaces(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 4 * kPg);
  KUNIT_ASSERT_TRUE(test, u.poke(at(1), 7));
  u.map(at(1), kPg, PROT_READ);
  EXPECT_SHAPE(test, u, "[0,1)rw- [1,2)r-- [2,4)rw-");
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 0);
}

// M-39
void anonymous_memory_reads_zero(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 3 * kPg);
  for (int i = 0; i < 3; i++) KUNIT_EXPECT_EQ(test, u.peek(at(i) + 4), 0);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 0l);  // spec 41 section 8: the zero page is not counted
  KUNIT_EXPECT_TRUE(test, u.poke(at(1), 5));
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 1l);
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 5);
}

// M-38
void populate_faults_in(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 5 * kPg, kRW, kAnon | MAP_FIXED | MAP_POPULATE);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 5l);
}

// M-5
void areas_are_limited(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 3 * kPg);
  mm_settings.max_map_count = 1;
  KUNIT_EXPECT_EQ(test, u.unmap(at(1), kPg), -12l);
  KUNIT_EXPECT_EQ(test, u.protect(at(1), kPg, PROT_READ), -12l);
  EXPECT_SHAPE(test, u, "[0,3)rw-");
  KUNIT_EXPECT_EQ(test, u.unmap(at(0), kPg), 0l);  // no split needed
  KUNIT_EXPECT_EQ(test, u.unmap(at(2), kPg), 0l);
  EXPECT_SHAPE(test, u, "[1,2)rw-");
}

struct MunmapError {
  unsigned long addr, len;
};
constexpr MunmapError kMunmapErrors[] = {{kBase + 1, kPg}, {kBase, 0}, {1ul << 48, kPg}, {kBase, 1ul << 47}, {kBase, ~0ul}};
KUNIT_ARRAY_PARAM(munmap_error, kMunmapErrors, nullptr);
void munmap_errors(kunit* test) {
  auto* c = static_cast<const MunmapError*>(test->param_value);
  UserSpace u(test);
  KUNIT_EXPECT_EQ(test, u.unmap(c->addr, c->len), -22l);
}

// M-42
struct ProtectError {
  unsigned long addr, len, prot;
  long expected;
};
constexpr ProtectError kProtectErrors[] = {
    {kBase + 1, kPg, kRW, -EINVAL},   {kBase, kPg, 16, -EINVAL},
    {kBase, 0, kRW, 0},               {kBase + 100 * kPg, 0, kRW, 0},
    {kBase, ~0ul - kPg, kRW, -ENOMEM}, {kBase + 100 * kPg, kPg, kRW, -ENOMEM},
    {kBase, kPg, kRW | PROT_GROWSDOWN, -EINVAL},
    {kBase, kPg, kRW | PROT_GROWSDOWN | PROT_GROWSUP, -EINVAL},
};
KUNIT_ARRAY_PARAM(protect_error, kProtectErrors, nullptr);
void mprotect_errors(kunit* test) {
  auto* c = static_cast<const ProtectError*>(test->param_value);
  UserSpace u(test);
  u.map(kBase, kPg);
  KUNIT_EXPECT_EQ(test, u.protect(c->addr, c->len, c->prot), c->expected);
}

// M-42: what precedes a hole has been changed already
void mprotect_stops_at_a_hole(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.map(at(2), kPg);
  KUNIT_EXPECT_EQ(test, u.protect(at(0), 3 * kPg, PROT_READ), -12l);
  EXPECT_SHAPE(test, u, "[0,1)r-- [2,3)rw-");
}

void mprotect_over_several_areas(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg, PROT_READ);
  u.map(at(1), kPg, PROT_NONE);
  u.map(at(2), 2 * kPg);
  KUNIT_EXPECT_EQ(test, u.protect(at(0), 3 * kPg, kRW), 0l);
  EXPECT_SHAPE(test, u, "[0,4)rw-");
}

void pages_survive_prot_none(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  KUNIT_ASSERT_TRUE(test, u.poke(at(0), 1234));
  u.protect(at(0), kPg, PROT_NONE);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), -1);
  u.protect(at(0), kPg, PROT_READ);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 1234);
  KUNIT_EXPECT_FALSE(test, u.poke(at(0), 1));
  u.protect(at(0), kPg, kRW);
  KUNIT_EXPECT_TRUE(test, u.poke(at(0), 2));
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 2);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 1l);
}

// M-44
void brk_moves_by_bytes(kunit* test) {
  UserSpace u(test);
  long start = call(sys_brk, 0);
  KUNIT_EXPECT_EQ(test, start, 0x20000000l);
  KUNIT_EXPECT_EQ(test, call(sys_brk, start + 1), start + 1);
  KUNIT_EXPECT_TRUE(test, u.poke(start + 4092, 3));
  KUNIT_EXPECT_EQ(test, call(sys_brk, start + 10000), start + 10000);
  KUNIT_EXPECT_EQ(test, u.areas(), 1);
  KUNIT_EXPECT_EQ(test, vma_pages(u.area(0)), 3ul);
  KUNIT_EXPECT_EQ(test, call(sys_brk, start), start);
  KUNIT_EXPECT_EQ(test, u.areas(), 0);
}

void brk_answers_where_it_is_on_failure(kunit* test) {
  UserSpace u(test);
  long start = call(sys_brk, 0);
  KUNIT_EXPECT_EQ(test, call(sys_brk, start - 1), start);
  KUNIT_EXPECT_EQ(test, call(sys_brk, ~0ul), start);
  u.map(start + 4 * kPg, kPg);
  KUNIT_EXPECT_EQ(test, call(sys_brk, start + 3 * kPg), start + 3 * static_cast<long>(kPg));
  KUNIT_EXPECT_EQ(test, call(sys_brk, start + 5 * kPg), start + 3 * static_cast<long>(kPg));
}

// ---- Limits (spec 41 section 13) ---------------------------------------------------------------------------------------

class Limit {
 public:
  Limit(unsigned which, unsigned long v) : which_(which), old_(current->signal->rlim[which]) {
    current->signal->rlim[which].rlim_cur = v;
  }
  ~Limit() { current->signal->rlim[which_] = old_; }

 private:
  unsigned which_;
  struct rlimit old_;
};

void address_space_limit(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 4 * kPg);
  Limit as(RLIMIT_AS, 6 * kPg);
  KUNIT_EXPECT_EQ(test, u.map(at(10), 3 * kPg), -12l);
  KUNIT_EXPECT_GT(test, u.map(at(10), 2 * kPg), 0l);
  KUNIT_EXPECT_GT(test, u.map(at(0), 4 * kPg, PROT_READ), 0l);  // replaces: no growth
  KUNIT_EXPECT_EQ(test, u.map(at(0), 5 * kPg, PROT_READ), -12l);
}

void data_limit(kunit* test) {
  UserSpace u(test);
  Limit data(RLIMIT_DATA, 2 * kPg);
  KUNIT_EXPECT_EQ(test, u.map(at(0), 3 * kPg), -12l);
  KUNIT_EXPECT_GT(test, u.map(at(0), 3 * kPg, PROT_READ), 0l);                       // not data
  KUNIT_EXPECT_GT(test, u.map(at(10), 3 * kPg, kRW, kSharedAnon | MAP_FIXED), 0l);   // neither
  KUNIT_EXPECT_GT(test, u.map(at(20), 2 * kPg), 0l);
  KUNIT_EXPECT_EQ(test, u.protect(at(0), kPg, kRW), -12l);
}

// spec 41 M-91
void strict_overcommit(kunit* test) {
  UserSpace u(test);
  mm_settings.overcommit_memory = 2;
  mm_settings.overcommit_kbytes = 16384 + 8192;
  KUNIT_EXPECT_GT(test, u.map(at(0), 1024 * kPg), 0l);
  KUNIT_EXPECT_EQ(test, u.map(at(2000), 16384 * kPg), -12l);
  KUNIT_EXPECT_GT(test, u.map(at(2000), 16384 * kPg, PROT_READ), 0l);  // cannot be written: not charged
  KUNIT_EXPECT_EQ(test, u.protect(at(2000), 16384 * kPg, kRW), -12l);
  KUNIT_EXPECT_EQ(test, vm_committed(), 1024l);
  mm_settings.overcommit_memory = 0;
}

void heuristic_refuses_the_absurd(kunit* test) {
  UserSpace u(test);
  KUNIT_EXPECT_EQ(test, u.map(0, 1ul << 46, kRW, kAnon), -12l);
  KUNIT_EXPECT_GT(test, u.map(0, 1ul << 46, kRW, kAnon | MAP_NORESERVE), 0l);
}

void commit_charge_is_given_back(kunit* test) {
  long before = vm_committed();
  {
    UserSpace u(test);
    u.map(at(0), 10 * kPg);
    u.map(at(20), 10 * kPg, kRW, kSharedAnon | MAP_FIXED);
    KUNIT_EXPECT_EQ(test, vm_committed(), before + 20);
    u.unmap(at(2), 3 * kPg);
    KUNIT_EXPECT_EQ(test, vm_committed(), before + 17);
    u.protect(at(0), 2 * kPg, PROT_READ);  // stays charged, as it may be written again
    KUNIT_EXPECT_EQ(test, vm_committed(), before + 17);
  }
  KUNIT_EXPECT_EQ(test, vm_committed(), before);
}

void memlock_limit(kunit* test) {
  UserSpace u(test);
  current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = RLIM_INFINITY;
  KUNIT_EXPECT_GT(test, u.map(at(0), 2 * kPg, kRW, kAnon | MAP_FIXED | MAP_LOCKED), 0l);
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 2ul);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 2l);
  u.unmap(at(0), kPg);
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 1ul);
}

// spec 41 test list O: each acquisition of mmap, munmap and mprotect fails once, and nothing is left of it
void failures_leave_no_trace(kunit* test) {
  for (long n = 1; n < 50; n++) {
    UserSpace u(test);
    u.map(at(0), 6 * kPg);
    u.map(at(6), kPg, PROT_READ);
    u.map(at(7), kPg, kRW, kSharedAnon | MAP_FIXED);
    bool fired;
    long err;
    {
      FaultInjection inject(current, n);
      err = u.map(at(20), kPg, PROT_EXEC);
      if (err > 0) err = u.unmap(at(20), kPg);
      if (!err) err = u.map(at(30), kPg, kRW, kSharedAnon | MAP_FIXED) > 0 ? u.unmap(at(30), kPg) : -ENOMEM;
      if (!err) err = u.protect(at(2), kPg, PROT_READ);
      if (!err) err = u.protect(at(2), kPg, kRW);
      fired = inject.fired();
    }
    KUNIT_EXPECT_TRUE(test, u.valid());
    if (!fired) {
      KUNIT_EXPECT_EQ(test, err, 0l);
      KUNIT_EXPECT_GT(test, n, 3l);
      return;
    }
    KUNIT_EXPECT_EQ(test, err, -12l);
    EXPECT_SHAPE(test, u, "[0,6)rw- [6,7)r-- [7,8)rw-s");
  }
}

// spec 41 test list B: random calls against an array of pages
void agrees_with_a_page_array(kunit* test) {
  UserSpace u(test);
  constexpr unsigned kPages = 48;
  struct Model {
    bool mapped;
    unsigned char prot;
    int content;
  };
  Model model[kPages] = {};
  unsigned x = 7;
  auto rnd = [&](unsigned n) {
    x = x * 1664525 + 1013904223;
    return (x >> 16) % n;
  };
  for (int step = 0; step < 600; step++) {
    unsigned first = rnd(kPages), n = 1 + rnd(std::min(8u, kPages - first));
    unsigned char prot = rnd(4);
    switch (rnd(5)) {
      case 0:
        KUNIT_ASSERT_GT(test, u.map(at(first), n * kPg, prot), 0l);
        for (unsigned p = first; p < first + n; p++) model[p] = {true, prot, 0};
        break;
      case 1:
        KUNIT_ASSERT_EQ(test, u.unmap(at(first), n * kPg), 0l);
        for (unsigned p = first; p < first + n; p++) model[p] = {};
        break;
      case 2: {
        bool hole = false;
        for (unsigned p = first; p < first + n && !hole; p++) {
          hole = !model[p].mapped;
          if (!hole) model[p].prot = prot;
        }
        KUNIT_ASSERT_EQ(test, u.protect(at(first), n * kPg, prot), hole ? -12l : 0l);
        break;
      }
      case 3:
        call(sys_madvise, at(first), n * kPg, MADV_DONTNEED);
        for (unsigned p = first; p < first + n; p++) model[p].content = 0;
        break;
      default:
        for (unsigned p = first; p < first + n; p++) {
          bool may = model[p].mapped && (model[p].prot & PROT_WRITE);
          KUNIT_ASSERT_EQ(test, u.poke(at(p), step + 1), may);
          if (may) model[p].content = step + 1;
        }
    }
    KUNIT_ASSERT_TRUE(test, u.valid());
    for (unsigned p = 0; p < kPages; p++)
      KUNIT_ASSERT_EQ(test, u.peek(at(p)), model[p].mapped && model[p].prot ? model[p].content : -1);
  }
}

kunit_case cases[] = {
    KUNIT_CASE(adjacent_mappings_merge), KUNIT_CASE(merging_below_a_neighbour),
    KUNIT_CASE_PARAM(merge_needs_equal_kind, merge_gen_params), KUNIT_CASE(shared_anonymous_never_merges),
    KUNIT_CASE(protecting_back_merges_again), KUNIT_CASE_PARAM(munmap_cuts_any_range, cut_gen_params),
    KUNIT_CASE_PARAM(mmap_errors, mmap_error_gen_params), KUNIT_CASE(unaligned_offset_is_refused_first),
    KUNIT_CASE(unknown_bits_are_ignored), KUNIT_CASE(placement_is_top_down), KUNIT_CASE(hints_are_taken_where_free),
    KUNIT_CASE(low_half_on_request), KUNIT_CASE(fixed_replaces), KUNIT_CASE(anonymous_memory_reads_zero),
    KUNIT_CASE(populate_faults_in), KUNIT_CASE(areas_are_limited), KUNIT_CASE_PARAM(munmap_errors, munmap_error_gen_params),
    KUNIT_CASE_PARAM(mprotect_errors, protect_error_gen_params), KUNIT_CASE(mprotect_stops_at_a_hole),
    KUNIT_CASE(mprotect_over_several_areas), KUNIT_CASE(pages_survive_prot_none), KUNIT_CASE(brk_moves_by_bytes),
    KUNIT_CASE(brk_answers_where_it_is_on_failure), KUNIT_CASE(address_space_limit), KUNIT_CASE(data_limit),
    KUNIT_CASE(strict_overcommit), KUNIT_CASE(heuristic_refuses_the_absurd), KUNIT_CASE(commit_charge_is_given_back),
    KUNIT_CASE(memlock_limit), KUNIT_CASE(failures_leave_no_trace), KUNIT_CASE(agrees_with_a_page_array), {}};
kunit_suite suite = {.name = "mmap", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
