// Page faults, copy-on-write and fork's copy (spec 41 sections 5, 8; 20 section 13).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fault_inject.hh"
#include "test/mm/user_space.hh"

namespace {

unsigned long at(unsigned long page) { return kBase + page * kPg; }

// A child address space as fork makes it, and a way to look into it.
class Child {
 public:
  explicit Child(mm_struct* parent) {
    Result<mm_struct*> r = dup_mm(current, parent);
    if (r) mm_ = *r;
  }
  ~Child() {
    if (mm_) mmput(mm_);
  }
  Child(const Child&) = delete;
  mm_struct* mm() const { return mm_; }
  int peek(unsigned long addr) const {
    int v = -1;
    return access_remote_vm(mm_, addr, &v, sizeof(v), RemoteAccess::Read) == sizeof(v) ? v : -1;
  }
  bool poke(unsigned long addr, int v) const {
    return access_remote_vm(mm_, addr, &v, sizeof(v), RemoteAccess::Write) == sizeof(v);
  }
  long anon_pages() const { return get_mm_counter(mm_, MM_ANONPAGES); }

 private:
  mm_struct* mm_ = nullptr;
};

const page* page_at(mm_struct* mm, unsigned long addr) {
  const pte_t* pte = pte_find(mm, addr);
  return pte && !pte_none(pte_read(pte)) ? pte_page(pte_read(pte)) : nullptr;
}

struct TouchCase {
  unsigned long page, prot, flags;  // of the mapping at page 0
  unsigned access;
  int expected;
};
constexpr unsigned kR = 0, kW = arch::kFaultWrite, kX = arch::kFaultFetch;
constexpr TouchCase kTouchCases[] = {
    {0, kRW, kAnon, kR, 0},                     // M-57.9
    {0, kRW, kAnon, kW, 0},                     // M-57.10
    {1, kRW, kAnon, kR, kSegvMap},              // M-57.3
    {0, PROT_READ, kAnon, kW, kSegvAcc},        // M-57.6
    {0, PROT_READ, kAnon, kX, kSegvAcc},        // M-57.7
    {0, PROT_NONE, kAnon, kR, kSegvAcc},        // M-57.8
    {0, PROT_NONE, kAnon, kW, kSegvAcc},
    {0, PROT_EXEC, kAnon, kX, 0},
    {0, PROT_EXEC, kAnon, kR, 0},               // M-40: execute-only is readable
    {0, PROT_WRITE, kAnon, kR, 0},              // M-40
    {0, kRW, kSharedAnon, kW, 0},
    {0, PROT_READ, kSharedAnon, kW, kSegvAcc},
};
KUNIT_ARRAY_PARAM(touch, kTouchCases, nullptr);

void touches_and_their_signals(kunit* test) {
  auto* c = static_cast<const TouchCase*>(test->param_value);
  UserSpace u(test);
  u.map(at(0), kPg, c->prot, c->flags | MAP_FIXED);
  KUNIT_EXPECT_EQ(test, u.touch(at(c->page) + 100, c->access), c->expected);
}

// M-57.1
void kernel_addresses_are_not_mapped(kunit* test) {
  UserSpace u(test);
  KUNIT_EXPECT_EQ(test, u.touch(0xffff888000000000, kR), kSegvMap);
  KUNIT_EXPECT_EQ(test, u.touch(kUserTop, kR), kSegvMap);
}

// M-90: bad pointers give short copies, no signal
void bad_pointers_fail_copies(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  char buf[64] = {};
  auto* p = reinterpret_cast<char*>(at(1) - 16);
  KUNIT_EXPECT_EQ(test, copy_to_user(p, buf, 64), 48ul);
  KUNIT_EXPECT_EQ(test, copy_from_user(buf, p, 64), 48ul);
  KUNIT_EXPECT_EQ(test, copy_from_user(buf, reinterpret_cast<void*>(~0ul - 5), 4), 4ul);
  KUNIT_EXPECT_EQ(test, clear_user(reinterpret_cast<void*>(at(5)), 8), 8ul);
}

// M-89
void strings_from_user(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  char buf[32];
  auto* end = reinterpret_cast<char*>(at(1));
  KUNIT_ASSERT_EQ(test, copy_to_user(end - 6, "hello", 6), 0ul);
  KUNIT_EXPECT_EQ(test, strncpy_from_user(buf, end - 6, 32), 5l);
  KUNIT_EXPECT_STREQ(test, buf, "hello");
  KUNIT_EXPECT_EQ(test, strncpy_from_user(buf, end - 6, 3), 3l);
  KUNIT_ASSERT_EQ(test, copy_to_user(end - 3, "abc", 3), 0ul);
  KUNIT_EXPECT_EQ(test, strncpy_from_user(buf, end - 3, 32), -14l);
}

void structs_from_user(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  auto* p = reinterpret_cast<unsigned long*>(at(0));
  unsigned long in[3] = {1, 2, 0}, out[2] = {9, 9};
  KUNIT_ASSERT_EQ(test, copy_to_user(p, in, sizeof(in)), 0ul);
  KUNIT_EXPECT_EQ(test, copy_struct_from_user(out, 16, p, 8), 0l);  // shorter: the rest is 0
  KUNIT_EXPECT_EQ(test, out[0], 1ul);
  KUNIT_EXPECT_EQ(test, out[1], 0ul);
  KUNIT_EXPECT_EQ(test, copy_struct_from_user(out, 16, p, 24), 0l);  // longer, but zeroes
  KUNIT_EXPECT_EQ(test, copy_struct_from_user(out, 8, p, 24), -7l);  // E2BIG
  KUNIT_EXPECT_EQ(test, copy_struct_from_user(out, 16, reinterpret_cast<void*>(at(3)), 16), -14l);
}

// ---- Stacks (spec 40 X-83) ------------------------------------------------------------------------------------------------

void stack_grows_to_the_touch(kunit* test) {
  UserSpace u(test);
  u.map(at(1000), kPg, kRW, kAnon | MAP_FIXED | MAP_GROWSDOWN);
  KUNIT_EXPECT_EQ(test, u.touch(at(990) + 8, kW), 0);
  EXPECT_SHAPE(test, u, "[990,1001)rw-");
  KUNIT_EXPECT_EQ(test, u.mm()->stack_vm, 11ul);
}

struct GapCase {
  unsigned long prot, free_pages;
  int expected;
};
// spec 40 test list T17
constexpr GapCase kGapCases[] = {{PROT_READ, 255, kSegvMap}, {PROT_READ, 256, 0}, {PROT_NONE, 0, 0}, {PROT_NONE, 255, 0}};
KUNIT_ARRAY_PARAM(gap, kGapCases, nullptr);
void stack_keeps_clear_of_neighbours(kunit* test) {
  auto* c = static_cast<const GapCase*>(test->param_value);
  UserSpace u(test);
  u.map(at(1000), kPg, kRW, kAnon | MAP_FIXED | MAP_GROWSDOWN);
  u.map(at(900 - c->free_pages - 1), kPg, c->prot);
  KUNIT_EXPECT_EQ(test, u.touch(at(900), kW), c->expected);
}

void stack_limit(kunit* test) {
  UserSpace u(test);
  struct rlimit old = current->signal->rlim[RLIMIT_STACK];
  current->signal->rlim[RLIMIT_STACK].rlim_cur = 4 * kPg;
  u.map(at(1000), kPg, kRW, kAnon | MAP_FIXED | MAP_GROWSDOWN);
  KUNIT_EXPECT_EQ(test, u.touch(at(996), kW), kSegvMap);
  KUNIT_EXPECT_EQ(test, u.touch(at(997), kW), 0);
  current->signal->rlim[RLIMIT_STACK] = old;
}

// ---- Copy-on-write --------------------------------------------------------------------------------------------------------

// M-73, F-88
void writes_after_fork_stay_apart(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg);
  u.poke(at(0), 1);
  u.poke(at(1), 2);
  Child child(u.mm());
  KUNIT_ASSERT_NOT_NULL(test, child.mm());
  KUNIT_EXPECT_EQ(test, child.peek(at(0)), 1);
  KUNIT_EXPECT_TRUE(test, u.poke(at(0), 10));
  KUNIT_EXPECT_EQ(test, child.peek(at(0)), 1);
  KUNIT_EXPECT_TRUE(test, child.poke(at(1), 20));
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 2);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 10);
  KUNIT_EXPECT_EQ(test, child.peek(at(1)), 20);
}

// M-73: three generations
void generations_stay_apart(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.poke(at(0), 1);
  Child child(u.mm()), grandchild(child.mm());
  u.poke(at(0), 2);
  child.poke(at(0), 3);
  grandchild.poke(at(0), 4);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 2);
  KUNIT_EXPECT_EQ(test, child.peek(at(0)), 3);
  KUNIT_EXPECT_EQ(test, grandchild.peek(at(0)), 4);
}

// M-74
void last_sharer_keeps_the_page(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.poke(at(0), 1);
  const page* p = page_at(u.mm(), at(0));
  { Child child(u.mm()); }
  KUNIT_EXPECT_TRUE(test, u.poke(at(0), 2));
  KUNIT_EXPECT_PTR_EQ(test, page_at(u.mm(), at(0)), p);
  Child child(u.mm());
  KUNIT_EXPECT_TRUE(test, u.poke(at(0), 3));  // copies
  KUNIT_EXPECT_PTR_NE(test, page_at(u.mm(), at(0)), p);
  KUNIT_EXPECT_PTR_EQ(test, page_at(child.mm(), at(0)), p);
  KUNIT_EXPECT_TRUE(test, child.poke(at(0), 4));  // now alone
  KUNIT_EXPECT_PTR_EQ(test, page_at(child.mm(), at(0)), p);
}

void zero_page_is_replaced_on_write(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 0);
  KUNIT_EXPECT_PTR_EQ(test, page_at(u.mm(), at(0)), zero_page);
  Child child(u.mm());
  KUNIT_EXPECT_TRUE(test, u.poke(at(0), 5));
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 1l);
  KUNIT_EXPECT_EQ(test, child.peek(at(0)), 0);
  KUNIT_EXPECT_EQ(test, child.anon_pages(), 0l);
}

void shared_memory_stays_shared(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg, kRW, kSharedAnon | MAP_FIXED);
  u.poke(at(0), 1);
  Child child(u.mm());
  child.poke(at(0), 2);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 2);
  u.poke(at(1), 3);  // not touched before fork
  KUNIT_EXPECT_EQ(test, child.peek(at(1)), 3);
  KUNIT_EXPECT_EQ(test, get_mm_counter(u.mm(), MM_SHMEMPAGES), 2ul);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 0l);
}

// M-76
void kernel_stores_break_sharing_too(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.poke(at(0), 1);
  Child child(u.mm());
  KUNIT_EXPECT_EQ(test, clear_user(reinterpret_cast<void*>(at(0)), 4), 0ul);
  KUNIT_EXPECT_EQ(test, child.peek(at(0)), 1);
}

void counters_are_copied(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 3 * kPg);
  u.map(at(10), kPg, PROT_READ | PROT_EXEC);
  for (int i = 0; i < 3; i++) u.poke(at(i), i);
  Child child(u.mm());
  KUNIT_EXPECT_EQ(test, child.anon_pages(), 3l);
  KUNIT_EXPECT_EQ(test, child.mm()->total_vm, u.mm()->total_vm);
  KUNIT_EXPECT_EQ(test, child.mm()->exec_vm, 1ul);
  KUNIT_EXPECT_EQ(test, child.mm()->map_count, u.areas());
  KUNIT_EXPECT_EQ(test, child.mm()->hiwater_rss, 3ul);  // F-81
  KUNIT_EXPECT_TRUE(test, vma_tree_valid(child.mm()));
}

// M-10
void locks_are_not_inherited(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  KUNIT_EXPECT_EQ(test, call(sys_mlock, at(0), kPg), 0l);
  u.mm()->def_flags = VM_LOCKED;
  Child child(u.mm());
  KUNIT_EXPECT_EQ(test, child.mm()->locked_vm, 0ul);
  KUNIT_EXPECT_EQ(test, child.mm()->mmap->vm_flags & VM_LOCKED, 0ul);
  KUNIT_EXPECT_EQ(test, child.mm()->def_flags, 0ul);
  u.mm()->def_flags = 0;
}

// F-82 table: DONTFORK, WIPEONFORK
void advice_about_fork(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.map(at(2), kPg);
  u.poke(at(0), 1);
  u.poke(at(2), 2);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(0), kPg, MADV_DONTFORK), 0l);
  KUNIT_EXPECT_EQ(test, call(sys_madvise, at(2), kPg, MADV_WIPEONFORK), 0l);
  Child child(u.mm());
  KUNIT_EXPECT_EQ(test, child.peek(at(0)), -1);
  KUNIT_EXPECT_EQ(test, child.peek(at(2)), 0);
  KUNIT_EXPECT_EQ(test, child.mm()->map_count, 1);
  KUNIT_EXPECT_EQ(test, child.mm()->total_vm, 1ul);
  KUNIT_EXPECT_TRUE(test, child.mm()->mmap->vm_flags & VM_WIPEONFORK);
}

// M-12: each acquisition of dup_mm fails once; the parent loses nothing
void fork_failures_leave_the_parent_whole(kunit* test) {
  UserSpace u(test);
  for (int i = 0; i < 4; i++) {
    u.map(at(i * 1000), kPg, kRW, (i == 3 ? kSharedAnon : kAnon) | MAP_FIXED);
    u.poke(at(i * 1000), i + 1);
  }
  long committed = vm_committed();
  for (long n = 1; n < 60; n++) {
    bool fired, ok;
    {
      FaultInjection inject(current, n);
      Child child(u.mm());
      ok = child.mm();
      fired = inject.fired();
    }
    KUNIT_EXPECT_EQ(test, ok, !fired);
    KUNIT_EXPECT_EQ(test, vm_committed(), committed);
    for (int i = 0; i < 4; i++) {
      KUNIT_EXPECT_EQ(test, u.peek(at(i * 1000)), i + 1);
      KUNIT_EXPECT_TRUE(test, u.poke(at(i * 1000), i + 1));
    }
    if (!fired) {
      KUNIT_EXPECT_GT(test, n, 5l);
      return;
    }
  }
  KUNIT_FAIL(test, "dup_mm never ran out of acquisitions");
}

// A fault that gets no memory says so; nothing is half-mapped.
void fault_failures(kunit* test) {
  for (long n = 1; n < 10; n++) {
    UserSpace u(test);
    u.map(at(0), kPg);
    bool fired, ok;
    {
      FaultInjection inject(current, n);
      ok = u.poke(at(0), 7);
      fired = inject.fired();
    }
    KUNIT_EXPECT_EQ(test, ok, !fired);
    KUNIT_EXPECT_EQ(test, u.anon_pages(), ok ? 1l : 0l);
    KUNIT_EXPECT_TRUE(test, u.poke(at(0), 8));
    if (!fired) return;
  }
}

// M-9: tables and pages are all given back, wherever the areas lay
void tables_are_counted(kunit* test) {
  UserSpace u(test);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&u.mm()->pgtables_bytes), 0ll);
  u.map(at(0), kPg);
  u.poke(at(0), 1);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&u.mm()->pgtables_bytes), 3 * 4096ll);
  u.map(at(512), kPg);
  u.poke(at(512), 1);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&u.mm()->pgtables_bytes), 4 * 4096ll);
  u.unmap(at(0), kPg);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&u.mm()->pgtables_bytes), 3 * 4096ll);
  u.unmap(at(512), kPg);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&u.mm()->pgtables_bytes), 0ll);
}

// The tables of what was cut off go as well, whether a head, a tail or a middle is cut.
void cut_off_tables_go(kunit* test) {
  UserSpace u(test);
  auto tables = [&] { return atomic_long_read(&u.mm()->pgtables_bytes) / 4096; };
  u.map(at(0), 4 * 512 * kPg);
  for (int i = 0; i < 4; i++) u.poke(at(i * 512ul), 1);
  KUNIT_EXPECT_EQ(test, tables(), 2 + 4ll);
  u.map(at(5 * 512ul), kPg, PROT_READ);  // something that follows
  u.unmap(at(0), 512 * kPg);
  KUNIT_EXPECT_EQ(test, tables(), 2 + 3ll);
  u.unmap(at(3 * 512ul), 512 * kPg);
  KUNIT_EXPECT_EQ(test, tables(), 2 + 2ll);
  u.unmap(at(512), 600 * kPg);
  KUNIT_EXPECT_EQ(test, tables(), 2 + 1ll);
  u.unmap(at(1112), 424 * kPg);
  KUNIT_EXPECT_EQ(test, tables(), 2ll);  // the upper ones are also the neighbour's, though it has no page
  u.unmap(at(5 * 512ul), kPg);
  KUNIT_EXPECT_EQ(test, tables(), 0ll);
}

void neighbours_keep_their_table(kunit* test) {
  UserSpace u(test);
  for (unsigned long p : {0ul, 2ul, 4ul}) {
    u.map(at(p), kPg);
    u.poke(at(p), static_cast<int>(p));
  }
  u.unmap(at(2), kPg);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 0);
  KUNIT_EXPECT_EQ(test, u.peek(at(4)), 4);
  u.unmap(at(0), kPg);
  KUNIT_EXPECT_EQ(test, u.peek(at(4)), 4);
}

// M-75
void forced_writes_go_to_a_copy(kunit* test) {
  UserSpace u(test);
  u.map(at(0), kPg);
  u.poke(at(0), 1);
  u.protect(at(0), kPg, PROT_READ);
  Child child(u.mm());
  int v = 9;
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(0), &v, 4, RemoteAccess::Write), 0l);
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(0), &v, 4, RemoteAccess::ForceWrite), 4l);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 9);
  KUNIT_EXPECT_EQ(test, child.peek(at(0)), 1);
  KUNIT_EXPECT_FALSE(test, u.poke(at(0), 2));
}

void remote_access_stops_at_holes(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg);
  char buf[64] = "text";
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(2) - 8, buf, 64, RemoteAccess::Write), 8l);
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(1) - 8, buf, 64, RemoteAccess::Read), 64l);  // over a page border
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(5), buf, 8, RemoteAccess::Read), 0l);
  u.protect(at(0), kPg, PROT_NONE);
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(0), buf, 8, RemoteAccess::Read), 0l);
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(0), buf, 8, RemoteAccess::ForceRead), 8l);
}

// spec 60 section 2
void identity_of_words(kunit* test) {
  UserSpace u(test);
  u.map(at(0), 2 * kPg);
  u.map(at(4), kPg, PROT_READ);
  u.map(at(6), 2 * kPg, kRW, kSharedAnon | MAP_FIXED);
  u.map(at(9), kPg, PROT_NONE);
  Result<MemoryIdentity> priv = memory_identity(at(1) + 8), shared = memory_identity(at(7));
  KUNIT_ASSERT_TRUE(test, priv.has_value());
  KUNIT_EXPECT_PTR_EQ(test, priv->object, u.mm());
  KUNIT_EXPECT_EQ(test, priv->index, at(1) >> 12);
  KUNIT_EXPECT_FALSE(test, priv->shared);
  KUNIT_ASSERT_TRUE(test, shared.has_value());
  KUNIT_EXPECT_TRUE(test, shared->shared);
  KUNIT_EXPECT_EQ(test, shared->index, 1ul);
  for (unsigned long p : {4ul, 9ul, 12ul}) KUNIT_EXPECT_FALSE(test, memory_identity(at(p)).has_value());  // F-11
  KUNIT_EXPECT_TRUE(test, fault_in_user_writeable(at(0)).has_value());
  KUNIT_EXPECT_FALSE(test, fault_in_user_writeable(at(4)).has_value());
}

kunit_case cases[] = {
    KUNIT_CASE_PARAM(touches_and_their_signals, touch_gen_params), KUNIT_CASE(kernel_addresses_are_not_mapped),
    KUNIT_CASE(bad_pointers_fail_copies), KUNIT_CASE(strings_from_user), KUNIT_CASE(structs_from_user),
    KUNIT_CASE(stack_grows_to_the_touch), KUNIT_CASE_PARAM(stack_keeps_clear_of_neighbours, gap_gen_params),
    KUNIT_CASE(stack_limit), KUNIT_CASE(writes_after_fork_stay_apart), KUNIT_CASE(generations_stay_apart),
    KUNIT_CASE(last_sharer_keeps_the_page), KUNIT_CASE(zero_page_is_replaced_on_write),
    KUNIT_CASE(shared_memory_stays_shared), KUNIT_CASE(kernel_stores_break_sharing_too), KUNIT_CASE(counters_are_copied),
    KUNIT_CASE(locks_are_not_inherited), KUNIT_CASE(advice_about_fork), KUNIT_CASE(fork_failures_leave_the_parent_whole),
    KUNIT_CASE(fault_failures), KUNIT_CASE(tables_are_counted), KUNIT_CASE(cut_off_tables_go), KUNIT_CASE(neighbours_keep_their_table),
    KUNIT_CASE(forced_writes_go_to_a_copy), KUNIT_CASE(remote_access_stops_at_holes), KUNIT_CASE(identity_of_words), {}};
kunit_suite suite = {.name = "fault", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
