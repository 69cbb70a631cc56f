// The page cache without a file system: an address_space of its own (spec 41 section 9).
// SPDX-License-Identifier: Apache-2.0
#include "mm/filemap.hh"
#include "kernel/fault_inject.hh"
#include "test/mm/user_space.hh"

namespace {

class Cache {
 public:
  Cache() { address_space_init(&m_, nullptr, nullptr); }
  ~Cache() { address_space_destroy(&m_); }
  Cache(const Cache&) = delete;
  address_space* operator->() { return &m_; }
  address_space* get() { return &m_; }
  long write(loff_t pos, const void* data, size_t n) { return to_abi(filemap_write(&m_, pos, data, n, BufferIn::Kernel)); }
  long read(loff_t pos, void* data, size_t n) { return to_abi(filemap_read(&m_, pos, data, n, BufferIn::Kernel)); }

 private:
  address_space m_;
};

void what_is_written_is_read(kunit* test) {
  Cache c;
  char buf[16] = {};
  KUNIT_EXPECT_EQ(test, c.read(0, buf, 16), 0l);
  KUNIT_EXPECT_EQ(test, c.write(4090, "0123456789", 10), 10l);  // over a page border
  KUNIT_EXPECT_EQ(test, c->nrpages, 2ul);
  KUNIT_EXPECT_EQ(test, mapping_size(c.get()), 4100ll);
  KUNIT_EXPECT_EQ(test, c.read(4092, buf, 16), 8l);
  KUNIT_EXPECT_MEMEQ(test, buf, "23456789", 8);
}

// M-80
void holes_read_as_zero_and_take_no_memory(kunit* test) {
  Cache c;
  c.write(1 << 20, "x", 1);
  char buf[8] = "abcdefg";
  KUNIT_EXPECT_EQ(test, c.read(5000, buf, 8), 8l);
  for (char b : buf) KUNIT_EXPECT_EQ(test, b, 0);
  KUNIT_EXPECT_EQ(test, c->nrpages, 1ul);
}

void far_indices_are_found(kunit* test) {
  Cache c;
  constexpr unsigned long kIndices[] = {0, 63, 64, 4095, 4096, 1ul << 30, (1ul << 51) - 1};
  for (unsigned long i : kIndices) {
    page* p = alloc_page(GFP_KERNEL);
    KUNIT_ASSERT_NOT_NULL(test, p);
    KUNIT_EXPECT_TRUE(test, add_to_page_cache(p, c.get(), i).has_value());
    KUNIT_EXPECT_EQ(test, add_to_page_cache(p, c.get(), i).error().code(), EEXIST);
    put_page(p);
  }
  for (unsigned long i : kIndices) {
    page* p = find_get_page(c.get(), i);
    KUNIT_ASSERT_NOT_NULL(test, p);
    KUNIT_EXPECT_EQ(test, p->index, i);
    put_page(p);
    KUNIT_EXPECT_NULL(test, find_get_page(c.get(), i ^ 2));
  }
  truncate_page_range(c.get(), 64, 4096);
  KUNIT_EXPECT_EQ(test, c->nrpages, 4ul);
}

// M-79
void truncation_drops_and_zeroes(kunit* test) {
  Cache c;
  char buf[100];
  memset(buf, 'x', sizeof(buf));
  for (int i = 0; i < 300; i++) c.write(i * 4096, buf, 100);
  KUNIT_EXPECT_EQ(test, c->nrpages, 300ul);
  truncate_setsize(c.get(), 50);
  KUNIT_EXPECT_EQ(test, c->nrpages, 1ul);
  truncate_setsize(c.get(), 100);
  KUNIT_EXPECT_EQ(test, c.read(0, buf, 100), 100l);
  KUNIT_EXPECT_EQ(test, buf[49], 'x');
  KUNIT_EXPECT_EQ(test, buf[50], 0);
  truncate_setsize(c.get(), 0);
  KUNIT_EXPECT_EQ(test, c->nrpages, 0ul);
  KUNIT_EXPECT_EQ(test, c->pages.height, 0u);
}

// Areas of shared anonymous memory have a cache of the same kind.
address_space* cache_at(UserSpace& u, unsigned long addr) { return vma_mapping(find_vma(u.mm(), addr)); }

// M-79: mapped pages beyond the new size are gone, also in a child; touching them is SIGBUS
void truncation_unmaps(kunit* test) {
  UserSpace u(test);
  u.map(kBase, 3 * kPg, kRW, kSharedAnon | MAP_FIXED);
  for (int i = 0; i < 3; i++) u.poke(kBase + i * kPg, i + 1);
  Result<mm_struct*> child = dup_mm(current, u.mm());
  KUNIT_ASSERT_TRUE(test, child.has_value());
  int v;
  access_remote_vm(*child, kBase + kPg, &v, 4, RemoteAccess::Read);
  truncate_setsize(cache_at(u, kBase), kPg);
  KUNIT_EXPECT_EQ(test, u.peek(kBase), 1);
  KUNIT_EXPECT_EQ(test, u.touch(kBase + kPg, 0), kBusAdr);
  KUNIT_EXPECT_EQ(test, u.touch(kBase + 2 * kPg, arch::kFaultWrite), kBusAdr);
  KUNIT_EXPECT_EQ(test, access_remote_vm(*child, kBase + kPg, &v, 4, RemoteAccess::Read), 0l);
  KUNIT_EXPECT_EQ(test, get_mm_rss(u.mm()), 1ul);
  mmput(*child);
}

// M-77
void mappings_and_reads_are_coherent(kunit* test) {
  UserSpace u(test);
  u.map(kBase, 2 * kPg, kRW, kSharedAnon | MAP_FIXED);
  address_space* m = cache_at(u, kBase);
  int v = 0;
  u.poke(kBase + 8, 77);
  KUNIT_EXPECT_EQ(test, to_abi(filemap_read(m, 8, &v, 4, BufferIn::Kernel)), 4l);
  KUNIT_EXPECT_EQ(test, v, 77);
  v = 78;
  filemap_write(m, kPg, &v, 4, BufferIn::Kernel).value();
  KUNIT_EXPECT_EQ(test, u.peek(kBase + kPg), 78);
}

// spec 41 section 8: neighbours at hand are mapped by one read fault
void read_faults_map_their_neighbours(kunit* test) {
  UserSpace u(test);
  u.map(kBase, 20 * kPg, kRW, kSharedAnon | MAP_FIXED);
  address_space* m = cache_at(u, kBase);
  for (int i = 0; i < 20; i++) filemap_write(m, i * 4096, &i, 4, BufferIn::Kernel).value();
  KUNIT_EXPECT_EQ(test, u.peek(kBase + 3 * kPg), 3);
  KUNIT_EXPECT_EQ(test, get_mm_rss(u.mm()), 16ul);
  KUNIT_EXPECT_EQ(test, u.peek(kBase + 17 * kPg), 17);
  KUNIT_EXPECT_EQ(test, get_mm_rss(u.mm()), 20ul);
  KUNIT_EXPECT_TRUE(test, u.poke(kBase + 5 * kPg, 55));  // mapped read-only by its neighbour's fault
  KUNIT_EXPECT_EQ(test, u.peek(kBase + 5 * kPg), 55);
}

void user_buffers_that_fault(kunit* test) {
  UserSpace u(test);
  Cache c;
  u.map(kBase, kPg);
  char* p = reinterpret_cast<char*>(kBase + kPg - 6);
  KUNIT_EXPECT_EQ(test, to_abi(filemap_write(c.get(), 0, p, 10, BufferIn::User)), 6l);
  KUNIT_EXPECT_EQ(test, to_abi(filemap_write(c.get(), 0, p + 6, 10, BufferIn::User)), -14l);
  KUNIT_EXPECT_EQ(test, mapping_size(c.get()), 6ll);
  c.write(0, "0123456789", 10);
  KUNIT_EXPECT_EQ(test, to_abi(filemap_read(c.get(), 0, p, 10, BufferIn::User)), 6l);
}

void charging(kunit* test) {
  static int budget;
  static const address_space_operations ops = {
      .charge_page = [](address_space*) -> Result<void> {
        if (!budget) return fail(ENOSPC);
        budget--;
        return {};
      },
      .uncharge_pages = [](address_space*, unsigned long n) { budget += static_cast<int>(n); },
      .read_page = nullptr,
      .is_shmem = true};
  budget = 2;
  address_space m;
  address_space_init(&m, nullptr, &ops);
  char data[4096] = {};
  KUNIT_EXPECT_EQ(test, to_abi(filemap_write(&m, 0, data, 4096, BufferIn::Kernel)), 4096l);
  KUNIT_EXPECT_EQ(test, to_abi(filemap_write(&m, 4096, data, 4096, BufferIn::Kernel)), 4096l);
  KUNIT_EXPECT_EQ(test, to_abi(filemap_write(&m, 8192, data, 4096, BufferIn::Kernel)), -28l);
  truncate_setsize(&m, 4096);
  KUNIT_EXPECT_EQ(test, budget, 1);
  address_space_destroy(&m);
  KUNIT_EXPECT_EQ(test, budget, 2);
}

void cache_failures(kunit* test) {
  for (long n = 1; n < 20; n++) {
    Cache c;
    bool fired;
    long r;
    {
      FaultInjection inject(current, n);
      r = c.write(1 << 20, "x", 1);
      fired = inject.fired();
    }
    KUNIT_EXPECT_TRUE(test, r == 1 || (fired && r == -12));  // a smaller slab may do instead of the one that was not to be had
    KUNIT_EXPECT_EQ(test, c->nrpages, r == 1 ? 1ul : 0ul);
    if (!fired) return;
  }
}

kunit_case cases[] = {KUNIT_CASE(what_is_written_is_read),
                      KUNIT_CASE(holes_read_as_zero_and_take_no_memory),
                      KUNIT_CASE(far_indices_are_found),
                      KUNIT_CASE(truncation_drops_and_zeroes),
                      KUNIT_CASE(truncation_unmaps),
                      KUNIT_CASE(mappings_and_reads_are_coherent),
                      KUNIT_CASE(read_faults_map_their_neighbours),
                      KUNIT_CASE(user_buffers_that_fault),
                      KUNIT_CASE(charging),
                      KUNIT_CASE(cache_failures),
                      {}};
kunit_suite suite = {.name = "filemap", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
