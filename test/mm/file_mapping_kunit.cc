// Mappings of real files (spec 41 sections 6, 8, 9), on whatever file system the root is.
// SPDX-License-Identifier: Apache-2.0
#include "fs/vfs/vfs.hh"
#include "mm/filemap.hh"
#include "test/mm/user_space.hh"

namespace {

unsigned long at(unsigned long page) { return kBase + page * kPg; }

class TestFile {
 public:
  // Four bytes at the start of each page: its number plus 100. The last page is `tail` bytes long.
  TestFile(kunit* test, int pages, int flags = O_RDWR, size_t tail = kPg) {
    Result<file*> f = filp_open("/mapped", O_CREAT | O_RDWR, 0600);
    KUNIT_ASSERT_TRUE(test, f.has_value());
    for (int i = 0; i < pages; i++) {
      char page[kPg] = {};
      int v = 100 + i;
      memcpy(page, &v, 4);
      loff_t pos = static_cast<loff_t>(i) * static_cast<loff_t>(kPg);
      KUNIT_EXPECT_GT(test, kernel_write(*f, page, i + 1 == pages ? tail : kPg, &pos), 0l);
    }
    fput(*f);
    f = filp_open("/mapped", flags, 0);
    KUNIT_ASSERT_TRUE(test, f.has_value());
    f_ = *f;
  }
  ~TestFile() {
    close();
    (void)init_unlink("/mapped");
  }
  TestFile(const TestFile&) = delete;
  void close() {
    if (f_) fput(f_);
    f_ = nullptr;
  }
  file* get() const { return f_; }
  long map(unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags, unsigned long offset = 0) {
    return to_abi(vm_mmap(f_, addr, len, prot, flags | MAP_FIXED, offset));
  }
  int read(unsigned long page) {
    int v = -1;
    loff_t pos = static_cast<loff_t>(page * kPg);
    return kernel_read(f_, &v, 4, &pos) == 4 ? v : -1;
  }
  void write(unsigned long page, int v) {
    loff_t pos = static_cast<loff_t>(page * kPg);
    kernel_write(f_, &v, 4, &pos);
  }

 private:
  file* f_ = nullptr;
};

struct FileError {
  int open_flags;
  unsigned long prot, flags;
  long expected;  // 0: an address
};
constexpr FileError kFileErrors[] = {
    {O_RDWR, kRW, MAP_SHARED, 0},
    {O_RDWR, kRW, MAP_SHARED_VALIDATE, 0},
    {O_RDWR, kRW, MAP_SHARED_VALIDATE | MAP_SYNC, -EOPNOTSUPP},  // M-24
    {O_RDWR, kRW, 0, -EINVAL},                                   // M-23
    {O_RDONLY, kRW, MAP_SHARED, -EACCES},                        // M-25
    {O_RDONLY, PROT_READ, MAP_SHARED, 0},
    {O_RDONLY, kRW, MAP_PRIVATE, 0},
    {O_WRONLY, PROT_READ, MAP_PRIVATE, -EACCES},                 // M-27
    {O_WRONLY, PROT_WRITE, MAP_SHARED, -EACCES},                 // M-27
    {O_RDWR, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, -EINVAL},   // M-30
};
KUNIT_ARRAY_PARAM(file_error, kFileErrors, nullptr);
void rules_for_files(kunit* test) {
  auto* c = static_cast<const FileError*>(test->param_value);
  UserSpace u(test);
  TestFile f(test, 2, c->open_flags);
  long r = f.map(at(0), 2 * kPg, c->prot, c->flags);
  KUNIT_EXPECT_EQ(test, r, c->expected ? c->expected : static_cast<long>(at(0)));
}

// M-28, M-29
void directories_cannot_be_mapped(kunit* test) {
  UserSpace u(test);
  Result<file*> d = filp_open("/", O_RDONLY | O_DIRECTORY, 0);
  KUNIT_ASSERT_TRUE(test, d.has_value());
  KUNIT_EXPECT_EQ(test, to_abi(vm_mmap(*d, 0, kPg, PROT_READ, MAP_PRIVATE, 0)), -19l);
  fput(*d);
}

// M-18
void offsets_may_not_overflow(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 1);
  KUNIT_EXPECT_EQ(test, to_abi(vm_mmap(f.get(), 0, 2 * kPg, PROT_READ, MAP_PRIVATE, 1)), -22l);
}

// M-77: shared mappings, reads and writes see each other
void shared_mappings_are_the_file(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 3);
  f.map(at(0), 2 * kPg, kRW, MAP_SHARED, kPg);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 101);
  u.poke(at(0), 7);
  KUNIT_EXPECT_EQ(test, f.read(1), 7);
  f.write(2, 8);
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 8);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 0l);
}

// M-57.13, M-78
void private_writes_stay_private(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 2);
  f.map(at(0), 2 * kPg, kRW, MAP_PRIVATE);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 100);
  u.poke(at(0), 7);  // mapped read-only before
  u.poke(at(1), 8);  // not mapped before (or by its neighbour's fault)
  KUNIT_EXPECT_EQ(test, f.read(0), 100);
  KUNIT_EXPECT_EQ(test, f.read(1), 101);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 7);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 2l);
  KUNIT_EXPECT_EQ(test, get_mm_rss(u.mm()), 2ul);
}

// M-40: the rest of the last page is zero; what is written there never reaches the file
void tail_of_the_last_page(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 1, O_RDWR, 10);
  f.map(at(0), kPg, kRW, MAP_SHARED);
  KUNIT_EXPECT_EQ(test, u.peek(at(0) + 100), 0);
  u.poke(at(0) + 100, 5);
  KUNIT_EXPECT_EQ(test, i_size_read(file_inode(f.get())), 10ll);
}

// M-57.15
void beyond_the_end_is_sigbus(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 1);
  f.map(at(0), 2 * kPg, kRW, MAP_SHARED);
  KUNIT_EXPECT_EQ(test, u.touch(at(0), 0), 0);
  KUNIT_EXPECT_EQ(test, u.touch(at(1), 0), kBusAdr);
  KUNIT_EXPECT_EQ(test, u.touch(at(1), arch::kFaultWrite), kBusAdr);
}

// M-79: also private copies go
void truncation_reaches_every_mapping(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 3);
  f.map(at(0), 3 * kPg, kRW, MAP_SHARED);
  f.map(at(8), 3 * kPg, kRW, MAP_PRIVATE);
  u.peek(at(2));
  u.poke(at(10), 5);
  KUNIT_EXPECT_TRUE(test, vfs_truncate(&f.get()->f_path, kPg + 2).has_value());
  KUNIT_EXPECT_EQ(test, u.touch(at(2), 0), kBusAdr);
  KUNIT_EXPECT_EQ(test, u.touch(at(10), 0), kBusAdr);
  KUNIT_EXPECT_EQ(test, u.anon_pages(), 0l);
  KUNIT_EXPECT_EQ(test, u.peek(at(1)) & 0xffff, 101);
  KUNIT_EXPECT_TRUE(test, vfs_truncate(&f.get()->f_path, 3 * kPg).has_value());
  KUNIT_EXPECT_EQ(test, u.peek(at(2)), 0);
}

// M-80
void mappings_outlive_name_and_descriptor(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 1);
  f.map(at(0), kPg, kRW, MAP_SHARED);
  f.close();
  KUNIT_EXPECT_TRUE(test, init_unlink("/mapped").has_value());
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 100);
  u.poke(at(0), 7);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 7);
}

// spec 41 section 3: same file and contiguous offsets
void pieces_of_a_file_merge(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 4);
  f.map(at(0), kPg, PROT_READ, MAP_PRIVATE);
  f.map(at(1), kPg, PROT_READ, MAP_PRIVATE, kPg);
  EXPECT_SHAPE(test, u, "[0,2)r--");
  f.map(at(2), kPg, PROT_READ, MAP_PRIVATE);  // not contiguous in the file
  EXPECT_SHAPE(test, u, "[0,2)r-- [2,3)r--");
  u.unmap(at(0), kPg);
  KUNIT_EXPECT_EQ(test, u.area(0)->vm_pgoff, 1ul);
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 101);
}

// M-4
void read_only_shared_mappings_stay_read_only(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 1, O_RDONLY);
  f.map(at(0), kPg, PROT_READ, MAP_SHARED);
  KUNIT_EXPECT_EQ(test, u.area(0)->vm_flags & (VM_SHARED | VM_MAYSHARE | VM_MAYWRITE), +VM_MAYSHARE);
  KUNIT_EXPECT_EQ(test, u.protect(at(0), kPg, kRW), -13l);
}

// M-73 for files: fork shares the file's pages, copies the private ones
void fork_of_file_mappings(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 2);
  f.map(at(0), 2 * kPg, kRW, MAP_PRIVATE);
  u.poke(at(0), 7);
  u.peek(at(1));
  Result<mm_struct*> child = dup_mm(current, u.mm());
  KUNIT_ASSERT_TRUE(test, child.has_value());
  int v;
  KUNIT_EXPECT_EQ(test, access_remote_vm(*child, at(0), &v, 4, RemoteAccess::Read), 4l);
  KUNIT_EXPECT_EQ(test, v, 7);
  v = 9;
  KUNIT_EXPECT_EQ(test, access_remote_vm(*child, at(1), &v, 4, RemoteAccess::Write), 4l);
  KUNIT_EXPECT_EQ(test, u.peek(at(1)), 101);
  KUNIT_EXPECT_EQ(test, f.read(1), 101);
  mmput(*child);
}

// M-75
void forced_writes_do_not_reach_the_file(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 1, O_RDONLY);
  f.map(at(0), kPg, PROT_READ | PROT_EXEC, MAP_PRIVATE);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 100);
  int v = 0xcc;
  KUNIT_EXPECT_EQ(test, access_remote_vm(u.mm(), at(0), &v, 4, RemoteAccess::ForceWrite), 4l);
  KUNIT_EXPECT_EQ(test, u.peek(at(0)), 0xcc);
  KUNIT_EXPECT_EQ(test, f.read(0), 100);
  KUNIT_EXPECT_FALSE(test, u.poke(at(0), 1));
}

// spec 60 section 2
void one_file_page_is_one_word(kunit* test) {
  UserSpace u(test);
  TestFile f(test, 2);
  f.map(at(0), 2 * kPg, kRW, MAP_SHARED);
  f.map(at(8), kPg, kRW, MAP_SHARED, kPg);
  f.map(at(12), kPg, PROT_READ, MAP_PRIVATE, kPg);
  Result<MemoryIdentity> a = memory_identity(at(1)), b = memory_identity(at(8)), c = memory_identity(at(12));
  KUNIT_ASSERT_TRUE(test, a && b && c);
  KUNIT_EXPECT_PTR_EQ(test, a->object, b->object);
  KUNIT_EXPECT_EQ(test, a->index, b->index);
  KUNIT_EXPECT_PTR_EQ(test, a->object, c->object);
}

kunit_case cases[] = {KUNIT_CASE_PARAM(rules_for_files, file_error_gen_params),
                      KUNIT_CASE(directories_cannot_be_mapped),
                      KUNIT_CASE(offsets_may_not_overflow),
                      KUNIT_CASE(shared_mappings_are_the_file),
                      KUNIT_CASE(private_writes_stay_private),
                      KUNIT_CASE(tail_of_the_last_page),
                      KUNIT_CASE(beyond_the_end_is_sigbus),
                      KUNIT_CASE(truncation_reaches_every_mapping),
                      KUNIT_CASE(mappings_outlive_name_and_descriptor),
                      KUNIT_CASE(pieces_of_a_file_merge),
                      KUNIT_CASE(read_only_shared_mappings_stay_read_only),
                      KUNIT_CASE(fork_of_file_mappings),
                      KUNIT_CASE(forced_writes_do_not_reach_the_file),
                      KUNIT_CASE(one_file_page_is_one_word),
                      {}};
kunit_suite suite = {.name = "file_mapping", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
