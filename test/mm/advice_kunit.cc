// madvise, mlock, msync, mincore, mremap (spec 41 section 7).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fault_inject.hh"
#include "test/mm/user_space.hh"

namespace {

unsigned long at(unsigned long page) { return kBase + page * kPg; }

// ---- madvise: M-45.nr --------------------------------------------------------------------------------------------------

struct AdviceCase {
  int advice;
  long anon, shared, hole;  // result on private anonymous memory, on shared, and over a hole
};
constexpr AdviceCase kAdvice[] = {
    {MADV_NORMAL, 0, 0, -12},    {MADV_RANDOM, 0, 0, -12},      {MADV_SEQUENTIAL, 0, 0, -12},
    {MADV_WILLNEED, 0, 0, -12},  {MADV_DONTNEED, 0, 0, -12},    {MADV_FREE, 0, -22, -12},
    {MADV_REMOVE, -22, 0, -22},  {MADV_DONTFORK, 0, 0, -12},    {MADV_DOFORK, 0, 0, -12},
    {MADV_MERGEABLE, -22, -22, -22}, {MADV_UNMERGEABLE, -22, -22, -22}, {MADV_HUGEPAGE, -22, -22, -22},
    {MADV_NOHUGEPAGE, -22, -22, -22}, {MADV_DONTDUMP, 0, 0, -12}, {MADV_DODUMP, 0, 0, -12},
    {MADV_WIPEONFORK, 0, -22, -12}, {MADV_KEEPONFORK, 0, -22, -12}, {MADV_COLD, 0, 0, -12},
    {MADV_PAGEOUT, 0, 0, -12},   {MADV_POPULATE_READ, 0, 0, -12}, {MADV_POPULATE_WRITE, 0, 0, -12},
    {MADV_DONTNEED_LOCKED, 0, 0, -12}, {MADV_COLLAPSE, -22, -22, -22}, {5, -22, -22, -22}, {99, -22, -22, -22},
};
KUNIT_ARRAY_PARAM(advice, kAdvice, nullptr);
void advice_results(kunit* test) {
  auto* c = static_cast<const AdviceCase*>(test->param_value);
  UserSpace u(test);
  u.map(at(0), kPg);
  u.map(at(2), kPg, kRW, kSharedAnon | MAP_FIXED);
  u.poke(at(0), 1);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), kPg, c->advice), c->anon);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(2), kPg, c->advice), c->shared);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), 2 * kPg, c->advice), c->hole);
  bool known = c->hole != -22 || c->advice == MADV_REMOVE;
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), 0, c->advice), known ? 0l : -22l);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0) + 1, kPg, c->advice), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), ~0ul, c->advice), -22l);
}

void dontneed_zeroes_private_memory(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 3 * kPg);
  for (int i = 0; i < 3; i++) u.poke(at(i), 5);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(1), kPg, MADV_DONTNEED), 0l);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 5);
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 0);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 2l);
}

void dontneed_keeps_shared_content(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg, kRW, kSharedAnon | MAP_FIXED);
  u.poke(at(0), 5);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), kPg, MADV_DONTNEED), 0l);
  KUNIT_EXPECT_EQ(test, get_mm_rss(u.mm()), 0ul);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 5);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), kPg, MADV_REMOVE), 0l);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 0);
}

void dontneed_respects_locks(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.poke(at(0), 5);
  call(sys_mlock, at(0), kPg);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), kPg, MADV_DONTNEED), -22l);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 5);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), kPg, MADV_DONTNEED_LOCKED), 0l);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 0);
}

void advice_splits_and_merges(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 4 * kPg);
  call(sys_madvise, at(1), kPg, MADV_DONTFORK);
  EXPECT_SHAPE(test, u, "[0,1)rw- [1,2)rw- [2,4)rw-");
  call(sys_madvise, at(1), kPg, MADV_DOFORK);
  EXPECT_SHAPE(test, u, "[0,4)rw-");
}

void populate_needs_the_right(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg, PROT_READ);
  u.map(at(4), kPg, PROT_NONE);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), kPg, MADV_POPULATE_WRITE), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), 2 * kPg, MADV_POPULATE_READ), 0l);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(4), kPg, MADV_POPULATE_READ), -22l);
}

// ---- mlock: M-53 -----------------------------------------------------------------------------------------------------------

void mlock_counts_and_populates(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 4 * kPg);
  KUNIT_EXPECT_EQ(test, call(sys_mlock, at(1) + 5, kPg), 0l);  // rounded: two pages
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 2ul);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 2l);
  EXPECT_SHAPE(test, u, "[0,1)rw- [1,3)rw- [3,4)rw-");
  KUNIT_EXPECT_EQ(test, call(sys_mlock, at(0), 4 * kPg), 0l);  // locks do not nest
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 4ul);
  KUNIT_EXPECT_EQ(test, call(sys_munlock, at(0), 4 * kPg), 0l);
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 0ul);
  EXPECT_SHAPE(test, u, "[0,4)rw-");
}

void mlock_on_fault_does_not_populate(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg);
  KUNIT_EXPECT_EQ(test, call(sys_mlock2, at(0), 2 * kPg, MLOCK_ONFAULT), 0l);
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 2ul);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 0l);
  KUNIT_EXPECT_EQ(test, call(sys_mlock2, at(0), kPg, 2), -22l);
}

void mlock_errors(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.map(at(2), kPg, PROT_NONE);
  KUNIT_EXPECT_EQ(test, call(sys_mlock, at(0), 2 * kPg), -12l);   // hole
  KUNIT_EXPECT_EQ(test, call(sys_mlock, at(2), kPg), -12l);       // inaccessible
  KUNIT_EXPECT_EQ(test, call(sys_mlock, at(0), ~0ul - kPg), -22l);  // wraps
  KUNIT_EXPECT_EQ(test, call(sys_mlockall, 0), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_mlockall, MCL_ONFAULT), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_mlockall, 8), -22l);
}

void mlockall_covers_the_future(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg);
  KUNIT_EXPECT_EQ(test, call(sys_mlockall, MCL_CURRENT | MCL_FUTURE), 0l);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 2l);
  u.map(at(4), kPg);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 3l);
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 3ul);
  KUNIT_EXPECT_EQ(test, call(sys_munlockall), 0l);
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 0ul);
  u.map(at(6), kPg);
  KUNIT_EXPECT_EQ(test, u.mm()->locked_vm, 0ul);
}

// ---- msync: M-54, mincore: M-55 ----------------------------------------------------------------------------------------------

struct SyncCase {
  unsigned long addr, len;
  int flags;
  long expected;
};
constexpr SyncCase kSync[] = {
    {kBase, kPg, MS_SYNC, 0},         {kBase, kPg, MS_ASYNC, 0}, {kBase, kPg, 0, 0},
    {kBase, kPg, MS_SYNC | MS_ASYNC, -22}, {kBase, kPg, 8, -22}, {kBase + 1, kPg, MS_SYNC, -22},
    {kBase, 0, MS_SYNC, 0},           {kBase, 2 * kPg, MS_SYNC, -12}, {kBase, ~0ul, MS_SYNC, -12},
    {kBase, kPg, MS_INVALIDATE, 0},
};
KUNIT_ARRAY_PARAM(sync, kSync, nullptr);
void msync_results(kunit* test) {
  auto* c = static_cast<const SyncCase*>(test->param_value);
  UserSpace u(test);
  u.map(kBase, kPg);
  KUNIT_EXPECT_EQ(test, call(sys_msync, c->addr, c->len, c->flags), c->expected);
  call(sys_mlock, kBase, kPg);
  KUNIT_EXPECT_EQ(test, call(sys_msync, kBase, kPg, MS_INVALIDATE), -16l);
}

void mincore_tells_what_is_there(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 3 * kPg);
  u.map(at(8), kPg);
  u.poke(at(1), 1);
  KUNIT_EXPECT_EQ(test, call(sys_mincore, at(0), 3 * kPg, at(8)), 0l);
  KUNIT_EXPECT_EQ(test, u.peek(at(8)), 0x000100);
  KUNIT_EXPECT_EQ(test, call(sys_mincore, at(0) + 1, kPg, at(8)), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_mincore, at(0), 4 * kPg, at(8)), -12l);
  KUNIT_EXPECT_EQ(test, call(sys_mincore, at(0), kPg, at(20)), -14l);
  KUNIT_EXPECT_EQ(test, call(sys_mincore, at(0), 1ul << 47, at(8)), -12l);
}

// ---- mremap: M-43 --------------------------------------------------------------------------------------------------------------

struct RemapError {
  unsigned long addr, old_len, new_len, flags, new_addr;
  long expected;
};
constexpr unsigned long kFix = MREMAP_MAYMOVE | MREMAP_FIXED;
constexpr RemapError kRemapErrors[] = {
    {kBase, kPg, kPg, 8, 0, -22},
    {kBase, kPg, kPg, MREMAP_FIXED, kBase + 64 * kPg, -22},
    {kBase, kPg, kPg, MREMAP_DONTUNMAP, 0, -22},
    {kBase, kPg, 2 * kPg, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0, -22},
    {kBase + 1, kPg, kPg, 0, 0, -22},
    {kBase, kPg, 0, 0, 0, -22},
    {kBase + 32 * kPg, kPg, 2 * kPg, MREMAP_MAYMOVE, 0, -14},
    {kBase, kPg, kPg, kFix, kBase + 64 * kPg + 1, -22},
    {kBase, kPg, kPg, kFix, 0x7ffffffff000, -22},
    {kBase, 2 * kPg, 2 * kPg, kFix, kBase + kPg, -22},
    {kBase, 3 * kPg, 5 * kPg, MREMAP_MAYMOVE, 0, -14},  // crosses the area's end
    {kBase, 0, kPg, MREMAP_MAYMOVE, 0, -22},            // not shared
    {kBase, kPg, 2 * kPg, 0, 0, -12},                   // no room, may not move
};
KUNIT_ARRAY_PARAM(remap_error, kRemapErrors, nullptr);
void mremap_errors(kunit* test) {
  auto* c = static_cast<const RemapError*>(test->param_value);
  UserSpace u(test);
  u.map(at(0), 2 * kPg);
  KUNIT_EXPECT_EQ(test, call(sys_mremap, c->addr, c->old_len, c->new_len, c->flags, c->new_addr), c->expected);
  EXPECT_SHAPE(test, u, "[0,2)rw-");
}

void mremap_shrinks_and_grows_in_place(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 4 * kPg);
  u.poke(at(0), 1);
  KUNIT_EXPECT_EQ(test, call(sys_mremap, at(0), 4 * kPg, 2 * kPg, 0), static_cast<long>(at(0)));
  EXPECT_SHAPE(test, u, "[0,2)rw-");
  KUNIT_EXPECT_EQ(test, call(sys_mremap, at(0), 2 * kPg, 6 * kPg, 0), static_cast<long>(at(0)));
  EXPECT_SHAPE(test, u, "[0,6)rw-");
  KUNIT_EXPECT_EQ(test, u.mm()->total_vm, 6ul);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 1);
}

void mremap_moves_pages_without_copying(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg);
  u.map(at(2), kPg, PROT_READ);
  u.poke(at(0), 1);
  u.poke(at(1), 2);
  long to = call(sys_mremap, at(0), 2 * kPg, 700 * kPg, MREMAP_MAYMOVE);
  KUNIT_ASSERT_GT(test, to, 0l);
  KUNIT_EXPECT_EQ(test, u.peek(to), 1);
  KUNIT_EXPECT_EQ(test, u.peek(to + kPg), 2);
  KUNIT_EXPECT_EQ(test, u.peek(to + 699 * kPg), 0);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), -1);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 2l);
  KUNIT_EXPECT_EQ(test, u.mm()->total_vm, 701ul);
}

void mremap_to_a_place(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 3 * kPg);
  u.map(at(10), kPg, PROT_READ);
  u.poke(at(1), 7);
  KUNIT_EXPECT_EQ(test, call(sys_mremap, at(1), kPg, kPg, kFix, at(10)), static_cast<long>(at(10)));
  EXPECT_SHAPE(test, u, "[0,1)rw- [2,3)rw- [10,11)rw-");
  KUNIT_EXPECT_EQ(test, u.peek(at(10)), 7);
}

void mremap_dontunmap_leaves_an_empty_area(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.poke(at(0), 7);
  long to = call(sys_mremap, at(0), kPg, kPg, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
  KUNIT_ASSERT_GT(test, to, 0l);
  KUNIT_EXPECT_EQ(test, u.peek(to), 7);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 0);
}

void mremap_of_nothing_duplicates_shared_memory(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg, kRW, kSharedAnon | MAP_FIXED);
  u.poke(at(0), 7);
  long to = call(sys_mremap, at(0), 0, kPg, MREMAP_MAYMOVE, 0);
  KUNIT_ASSERT_GT(test, to, 0l);
  KUNIT_EXPECT_EQ(test, u.peek(to), 7);
  u.poke(to, 8);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 8);
}

void mremap_failures_leave_no_trace(kunit* test) {
  for (long n = 1; n < 40; n++) {
    UserSpace u(test);
    u.map(at(0), 2 * kPg);
    u.map(at(2), kPg, PROT_READ);
    u.poke(at(0), 1);
    u.poke(at(1), 2);
    bool fired;
    long to;
    {
      FaultInjection inject(current, n);
      to = call(sys_mremap, at(0), 2 * kPg, 2 * kPg, kFix, 0x30000000);
      fired = inject.fired();
    }
    KUNIT_EXPECT_TRUE(test, u.valid());
    if (!fired) {
      KUNIT_EXPECT_EQ(test, to, 0x30000000l);
      return;
    }
    KUNIT_EXPECT_EQ(test, to, -12l);
    KUNIT_EXPECT_EQ(test, u.peek(at(0)), 1);
    KUNIT_EXPECT_EQ(test, u.peek(at(1)), 2);
    EXPECT_SHAPE(test, u, "[0,2)rw- [2,3)r--");
  }
}

// remap_file_pages(2), as Linux emulates it since 4.0
void remapped_file_pages(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 4 * kPg, kRW, kSharedAnon | MAP_FIXED);
  for (int i = 0; i < 4; i++) u.poke(at(i), 10 + i);
  KUNIT_EXPECT_EQ(test, call(sys_remap_file_pages, at(1), kPg, 0, 3, 0), 0l);
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 13);
  u.poke(at(1), 99);
  KUNIT_EXPECT_EQ(test, u.peek(at(3)), 99);
  KUNIT_EXPECT_EQ(test, u.mm()->total_vm, 4ul);
  KUNIT_EXPECT_EQ(test, call(sys_remap_file_pages, at(1), kPg, PROT_READ, 3, 0), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_remap_file_pages, at(9), kPg, 0, 3, 0), -22l);
  u.map(at(9), kPg);
  KUNIT_EXPECT_EQ(test, call(sys_remap_file_pages, at(9), kPg, 0, 0, 0), -22l);  // private
}

// pkeys(7) on a machine without them
void no_protection_keys(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  KUNIT_EXPECT_EQ(test, call(sys_pkey_mprotect, at(0), kPg, PROT_READ, -1ul), 0l);
  EXPECT_SHAPE(test, u, "[0,1)r--");
  KUNIT_EXPECT_EQ(test, call(sys_pkey_mprotect, at(0), kPg, kRW, 1), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_pkey_alloc, 0, 0), -28l);
  KUNIT_EXPECT_EQ(test, call(sys_pkey_alloc, 1, 0), -22l);
  KUNIT_EXPECT_EQ(test, call(sys_pkey_free, 1), -22l);
}

kunit_case cases[] = {
    KUNIT_CASE(remapped_file_pages), KUNIT_CASE(no_protection_keys),
    KUNIT_CASE_PARAM(advice_results, advice_gen_params), KUNIT_CASE(dontneed_zeroes_private_memory),
    KUNIT_CASE(dontneed_keeps_shared_content), KUNIT_CASE(dontneed_respects_locks), KUNIT_CASE(advice_splits_and_merges),
    KUNIT_CASE(populate_needs_the_right), KUNIT_CASE(mlock_counts_and_populates),
    KUNIT_CASE(mlock_on_fault_does_not_populate), KUNIT_CASE(mlock_errors), KUNIT_CASE(mlockall_covers_the_future),
    KUNIT_CASE_PARAM(msync_results, sync_gen_params), KUNIT_CASE(mincore_tells_what_is_there),
    KUNIT_CASE_PARAM(mremap_errors, remap_error_gen_params), KUNIT_CASE(mremap_shrinks_and_grows_in_place),
    KUNIT_CASE(mremap_moves_pages_without_copying), KUNIT_CASE(mremap_to_a_place),
    KUNIT_CASE(mremap_dontunmap_leaves_an_empty_area), KUNIT_CASE(mremap_of_nothing_duplicates_shared_memory),
    KUNIT_CASE(mremap_failures_leave_no_trace), {}};
kunit_suite suite = {.name = "memory_advice", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
