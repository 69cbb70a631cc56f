// Opening, descriptors, reading, writing, seeking, sizes, attributes.
// SPDX-License-Identifier: Apache-2.0
#include <linux/timekeeping.h>

#include "test/vfs/fs_calls.hh"

namespace {

struct OpenRow {
  const char* path;
  int flags;
  long result;  // 0: a descriptor
};
constexpr OpenRow kOpens[] = {
    {"file", O_RDONLY, 0},
    {"file", O_RDWR | O_CREAT, 0},
    {"file", O_RDWR | O_CREAT | O_EXCL, -EEXIST},
    {"new1", O_RDWR | O_CREAT | O_EXCL, 0},
    {"new2", O_RDWR, -ENOENT},
    {"new3/", O_RDWR | O_CREAT, -EISDIR},
    {"no/new", O_RDWR | O_CREAT, -ENOENT},
    {"file/new", O_RDWR | O_CREAT, -ENOTDIR},
    {"file/", O_RDONLY, -ENOTDIR},
    {"file", O_RDONLY | O_DIRECTORY, -ENOTDIR},
    {"dir", O_RDONLY, 0},
    {"dir/", O_RDONLY | O_DIRECTORY, 0},
    {"dir", O_WRONLY, -EISDIR},
    {"dir", O_RDWR, -EISDIR},
    {"dir", O_RDONLY | O_CREAT, -EISDIR},
    {"dir/.", O_RDONLY | O_CREAT, -EISDIR},
    {"link", O_RDONLY, 0},
    {"link", O_RDONLY | O_NOFOLLOW, -ELOOP},
    {"link", O_RDWR | O_CREAT, 0},
    {"link", O_RDWR | O_CREAT | O_EXCL, -EEXIST},
    {"dangling", O_RDONLY, -ENOENT},
    {"dangling", O_RDWR | O_CREAT | O_NOFOLLOW, -ELOOP},
    {"dangling", O_RDWR | O_CREAT, 0},  // makes what it points to
    {"target", O_RDONLY, 0},
    {"loop", O_RDONLY, -ELOOP},
    {"loop", O_RDWR | O_CREAT, -ELOOP},
    {"dir", O_TMPFILE | O_RDWR, 0},
    {"dir", O_TMPFILE | O_RDONLY, -EINVAL},
    {"file", O_TMPFILE | O_RDWR, -ENOTDIR},
    {"", O_RDWR | O_CREAT, -ENOENT},
    {"file", O_RDWR | O_DIRECT, -EINVAL},
};

void opening(kunit* test) {
  FsCalls fs(test);
  fs.make("file", "text");
  fs.mkdir("dir");
  fs.symlink("file", "link");
  fs.symlink("target", "dangling");
  fs.symlink("loop", "loop");
  for (const OpenRow& r : kOpens) {
    long fd = fs.open(r.path, r.flags);
    KUNIT_EXPECT_EQ_MSG(test, fd < 0 ? fd : 0, r.result, "%s %o", r.path, r.flags);
    if (fd >= 0) fs.close(fd);
  }
}

void opening_asks_permission(kunit* test) {
  FsCalls fs(test);
  fs.make("r", "", 0444);
  fs.make("w", "", 0222);
  fs.chmod("w", 0222);
  fs.make("none", "", 0);
  {
    AsUser u(1000);
    KUNIT_EXPECT_GE(test, fs.open("r", O_RDONLY), 0);
    KUNIT_EXPECT_EQ(test, fs.open("r", O_WRONLY), -EACCES);
    KUNIT_EXPECT_EQ(test, fs.open("r", O_RDONLY | O_TRUNC), -EACCES);
    KUNIT_EXPECT_GE(test, fs.open("w", O_WRONLY), 0);
    KUNIT_EXPECT_EQ(test, fs.open("w", O_RDONLY), -EACCES);
    KUNIT_EXPECT_EQ(test, fs.open("none", O_RDONLY), -EACCES);
    KUNIT_EXPECT_GE(test, fs.open("none", O_PATH), 0);
    KUNIT_EXPECT_EQ(test, fs.open("new", O_WRONLY | O_CREAT), -EACCES);
    KUNIT_EXPECT_EQ(test, fs.open("r", O_RDONLY | O_NOATIME), -EPERM);
  }
  KUNIT_EXPECT_GE(test, fs.open("none", O_RDWR), 0);
  fs.chmod("/t", 0777);
  AsUser u(1000);
  long fd = fs.open("mine", O_RDWR | O_CREAT, 0);  // the mode is for later openers
  KUNIT_EXPECT_GE(test, fd, 0);
  KUNIT_EXPECT_EQ(test, fs.write(fd, "x"), 1);
  KUNIT_EXPECT_EQ(test, fs.open("mine", O_RDONLY), -EACCES);
}

void access_asks_with_real_ids(kunit* test) {
  FsCalls fs(test);
  fs.make("x", "", 0700);
  fs.make("f", "", 0600);
  KUNIT_EXPECT_EQ(test, fs.access("f", R_OK | W_OK), 0);
  KUNIT_EXPECT_EQ(test, fs.access("f", X_OK), -EACCES);
  KUNIT_EXPECT_EQ(test, fs.access("x", X_OK), 0);
  KUNIT_EXPECT_EQ(test, fs.access("f", 8), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.access("no", F_OK), -ENOENT);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, fs.access("f", F_OK), 0);
  KUNIT_EXPECT_EQ(test, fs.access("f", R_OK), -EACCES);
}

// ---- Descriptors -------------------------------------------------------------------------------------------------------------
void lowest_descriptor_first(kunit* test) {
  FsCalls fs(test);
  fs.make("f");
  long a = fs.open("f", O_RDONLY), b = fs.open("f", O_RDONLY), c = fs.open("f", O_RDONLY);
  KUNIT_EXPECT_EQ(test, b, a + 1);
  KUNIT_EXPECT_EQ(test, c, a + 2);
  fs.close(a);
  fs.close(b);
  KUNIT_EXPECT_EQ(test, call(sys_dup, c), a);
  KUNIT_EXPECT_EQ(test, fs.open("f", O_RDONLY), b);
  KUNIT_EXPECT_EQ(test, fs.fcntl(c, F_DUPFD, 100), 100);
  KUNIT_EXPECT_EQ(test, fs.fcntl(c, F_DUPFD, 100), 101);
  KUNIT_EXPECT_EQ(test, fs.fcntl(c, F_DUPFD, 2000000), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.close(100), 0);
  KUNIT_EXPECT_EQ(test, fs.close(100), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.close(-1), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.close(5000), -EBADF);
}

void duplicates(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "abcdef");
  long a = fs.open("f", O_RDONLY);
  KUNIT_EXPECT_EQ(test, call(sys_dup2, a, 50), 50);
  char c[2];
  fs.read(a, c, 2);
  fs.read(50, c, 2);
  KUNIT_EXPECT_EQ(test, c[0], 'c');  // one position
  KUNIT_EXPECT_EQ(test, call(sys_dup2, a, a), a);
  KUNIT_EXPECT_EQ(test, call(sys_dup2, 77, 77), -EBADF);
  KUNIT_EXPECT_EQ(test, call(sys_dup3, a, a, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_dup3, a, 60, O_NONBLOCK), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_dup3, a, 60, O_CLOEXEC), 60);
  KUNIT_EXPECT_EQ(test, fs.fcntl(60, F_GETFD), FD_CLOEXEC);
  KUNIT_EXPECT_EQ(test, fs.fcntl(50, F_GETFD), 0);
  KUNIT_EXPECT_EQ(test, call(sys_dup2, a, 60), 60);
  KUNIT_EXPECT_EQ(test, fs.fcntl(60, F_GETFD), 0);
  KUNIT_EXPECT_EQ(test, call(sys_dup2, a, 2000000), -EBADF);
  KUNIT_EXPECT_EQ(test, call(sys_dup2, 77, 61), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.fcntl(a, F_SETFD, FD_CLOEXEC), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(a, F_GETFD), FD_CLOEXEC);
  long e = fs.fcntl(a, F_DUPFD_CLOEXEC, 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(e, F_GETFD), FD_CLOEXEC);
}

void the_limit_counts(kunit* test) {
  FsCalls fs(test);
  fs.make("f");
  rlimit* lim = &current->signal->rlim[RLIMIT_NOFILE];
  unsigned long before = lim->rlim_cur;
  lim->rlim_cur = 200;
  long fd = 0;
  int n = 0;
  while ((fd = fs.open("f", O_RDONLY)) >= 0) {
    n++;
    KUNIT_EXPECT_LT(test, fd, 200);
  }
  KUNIT_EXPECT_EQ(test, fd, -EMFILE);
  KUNIT_EXPECT_GE(test, n, 190);
  KUNIT_EXPECT_EQ(test, call(sys_dup2, 5, 200), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.fcntl(5, F_DUPFD, 200), -EINVAL);
  long p[2];
  KUNIT_EXPECT_EQ(test, fs.pipe(p), -EMFILE);
  lim->rlim_cur = before;
  KUNIT_EXPECT_EQ(test, call(sys_close_range, 3, ~0u, 0), 0);
}

void closing_ranges(kunit* test) {
  FsCalls fs(test);
  fs.make("f");
  long a = fs.open("f", O_RDONLY);
  for (long k = 20; k < 30; k++) call(sys_dup2, a, k);
  KUNIT_EXPECT_EQ(test, call(sys_close_range, 25, 20, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_close_range, 20, 25, 8), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_close_range, 20, 25, 4), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(25, F_GETFD), FD_CLOEXEC);
  KUNIT_EXPECT_EQ(test, fs.fcntl(26, F_GETFD), 0);
  do_close_on_exec(current->files);
  KUNIT_EXPECT_EQ(test, fs.fcntl(25, F_GETFD), -EBADF);
  KUNIT_EXPECT_EQ(test, call(sys_close_range, 26, 1000, 0), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(26, F_GETFD), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.fcntl(a, F_GETFD), 0);
}

void copied_tables(kunit* test) {  // spec 20 12.4
  FsCalls fs(test);
  fs.make("f");
  long a = fs.open("f", O_RDONLY);
  call(sys_dup2, a, 300);
  int reserved = get_unused_fd_flags(O_CLOEXEC);
  auto copy = dup_fd(current->files, 1u << 20);
  KUNIT_ASSERT_TRUE(test, copy.has_value());
  files_struct* mine = current->files;
  current->files = *copy;
  KUNIT_EXPECT_EQ(test, fs.fcntl(300, F_GETFD), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(reserved, F_GETFD), -EBADF);
  KUNIT_EXPECT_EQ(test, call(sys_dup, a), static_cast<long>(reserved));  // it is free here
  fs.close(a);
  current->files = mine;
  KUNIT_EXPECT_EQ(test, fs.fcntl(a, F_GETFD), 0);
  put_unused_fd(static_cast<unsigned>(reserved));
  put_files_struct(*copy);
}

void file_flags(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "abc");
  long fd = fs.open("f", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_GETFL), O_RDWR | O_APPEND | O_LARGEFILE);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK | O_LARGEFILE);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_SETFL, O_WRONLY | O_TRUNC), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_GETFL), O_RDWR | O_LARGEFILE);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, 9999), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.fcntl(77, F_GETFL), -EBADF);
  KUNIT_EXPECT_EQ(test, call(sys_ioctl, fd, 0x5451, 0), 0);  // FIOCLEX
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_GETFD), FD_CLOEXEC);
  KUNIT_EXPECT_EQ(test, call(sys_ioctl, fd, 0x5401, fs.room(64)), -ENOTTY);  // TCGETS
  int on = 1;
  KUNIT_EXPECT_EQ(test, call(sys_ioctl, fd, 0x5421, fs.bytes(&on, 4)), 0);  // FIONBIO
  KUNIT_EXPECT_TRUE(test, fs.fcntl(fd, F_GETFL) & O_NONBLOCK);
}

// ---- Contents --------------------------------------------------------------------------------------------------------------------
void reading_and_writing(kunit* test) {
  FsCalls fs(test);
  long fd = fs.open("f", O_RDWR | O_CREAT);
  char buf[32] = {};
  KUNIT_EXPECT_EQ(test, fs.write(fd, "hello world"), 11);
  KUNIT_EXPECT_EQ(test, fs.read(fd, buf, 10), 0);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 6, SEEK_SET), 6);
  KUNIT_EXPECT_EQ(test, fs.read(fd, buf, 32), 5);
  KUNIT_EXPECT_MEMEQ(test, buf, "world", 5);
  KUNIT_EXPECT_EQ(test, call(sys_pwrite64, fd, fs.str("J"), 1, 0), 1);
  KUNIT_EXPECT_EQ(test, call(sys_pread64, fd, fs.room(8), 8, 4), 7);
  KUNIT_EXPECT_EQ(test, call(sys_pread64, fd, fs.room(8), 8, -1ul), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 0, SEEK_CUR), 11);
  KUNIT_EXPECT_EQ(test, call(sys_read, fd, 8, 4), 0);  // at the end nothing is copied
  fs.lseek(fd, 0, SEEK_SET);
  KUNIT_EXPECT_EQ(test, call(sys_read, fd, 8, 4), -EFAULT);
  KUNIT_EXPECT_EQ(test, call(sys_write, fd, 8, 4), -EFAULT);
  KUNIT_EXPECT_EQ(test, call(sys_read, fd, fs.room(8), 0), 0);
  KUNIT_EXPECT_EQ(test, call(sys_read, 77, fs.room(8), 8), -EBADF);
  long r = fs.open("f", O_RDONLY), w = fs.open("f", O_WRONLY), d = fs.open("/t", O_RDONLY);
  KUNIT_EXPECT_EQ(test, fs.write(r, "x"), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.read(w, buf, 1), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.read(d, buf, 1), -EISDIR);
}

void appending(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "one");
  long a = fs.open("f", O_WRONLY | O_APPEND), b = fs.open("f", O_WRONLY | O_APPEND);
  KUNIT_EXPECT_EQ(test, fs.write(a, "two"), 3);
  KUNIT_EXPECT_EQ(test, fs.write(b, "three"), 5);
  fs.lseek(a, 0, SEEK_SET);
  KUNIT_EXPECT_EQ(test, fs.write(a, "!"), 1);
  long r = fs.open("f", O_RDONLY);
  char buf[32] = {};
  KUNIT_EXPECT_EQ(test, fs.read(r, buf, 32), 12);
  KUNIT_EXPECT_STREQ(test, buf, "onetwothree!");
}

void vectors(kunit* test) {
  FsCalls fs(test);
  long fd = fs.open("f", O_RDWR | O_CREAT);
  iovec v[3] = {{reinterpret_cast<void*>(fs.str("ab")), 2}, {nullptr, 0}, {reinterpret_cast<void*>(fs.str("cde")), 3}};
  KUNIT_EXPECT_EQ(test, call(sys_writev, fd, fs.bytes(v, sizeof(v)), 3), 5);
  fs.lseek(fd, 0, SEEK_SET);
  unsigned long x = fs.room(16), y = fs.room(16);
  iovec w[2] = {{reinterpret_cast<void*>(x), 1}, {reinterpret_cast<void*>(y), 10}};
  KUNIT_EXPECT_EQ(test, call(sys_readv, fd, fs.bytes(w, sizeof(w)), 2), 5);
  KUNIT_EXPECT_EQ(test, fs.get<char>(x), 'a');
  KUNIT_EXPECT_EQ(test, fs.get<char>(y), 'b');
  KUNIT_EXPECT_EQ(test, call(sys_readv, fd, fs.bytes(w, sizeof(w)), 1025), -EINVAL);
  w[0].iov_len = ~0ul;
  KUNIT_EXPECT_EQ(test, call(sys_readv, fd, fs.bytes(w, sizeof(w)), 2), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_readv, fd, 8, 2), -EFAULT);
  KUNIT_EXPECT_EQ(test, call(sys_writev, fd, 0, 0), 0);
}

void holes_and_seeking(kunit* test) {
  FsCalls fs(test);
  long fd = fs.open("f", O_RDWR | O_CREAT);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 100000, SEEK_SET), 100000);
  KUNIT_EXPECT_EQ(test, fs.write(fd, "x"), 1);
  struct stat st;
  fs.fstat(fd, &st);
  KUNIT_EXPECT_EQ(test, st.st_size, 100001l);
  KUNIT_EXPECT_EQ(test, st.st_blocks, 8l);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 0, SEEK_DATA), 98304);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 0, SEEK_HOLE), 0);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 99000, SEEK_HOLE), 100001);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 99000, SEEK_DATA), 99000);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 100001, SEEK_DATA), -ENXIO);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, -1, SEEK_SET), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, -100002, SEEK_END), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, -1, SEEK_END), 100000);
  KUNIT_EXPECT_EQ(test, fs.lseek(fd, 0, 9), -EINVAL);
  long p[2];
  fs.pipe(p);
  KUNIT_EXPECT_EQ(test, fs.lseek(p[0], 0, SEEK_SET), -ESPIPE);
  KUNIT_EXPECT_EQ(test, call(sys_pread64, p[0], fs.room(8), 8, 0), -ESPIPE);
}

void sizes(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "0123456789");
  long fd = fs.open("f", O_RDWR), r = fs.open("f", O_RDONLY);
  char buf[32] = {};
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, fd, 4), 0);
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, fd, 8), 0);
  KUNIT_EXPECT_EQ(test, fs.read(fd, buf, 32), 8);
  KUNIT_EXPECT_MEMEQ(test, buf, "0123\0\0\0\0", 8);
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, fd, -1ul), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, r, 4), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_truncate, fs.str("f"), 3), 0);
  KUNIT_EXPECT_EQ(test, call(sys_truncate, fs.str("/t"), 3), -EISDIR);
  KUNIT_EXPECT_EQ(test, call(sys_truncate, fs.str("no"), 3), -ENOENT);
  KUNIT_EXPECT_EQ(test, call(sys_fallocate, fd, 0, 0, 10000), 0);
  struct stat st;
  fs.fstat(fd, &st);
  KUNIT_EXPECT_EQ(test, st.st_size, 10000l);
  KUNIT_EXPECT_EQ(test, st.st_blocks, 24l);
  KUNIT_EXPECT_EQ(test, call(sys_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 9000), 0);
  fs.fstat(fd, &st);
  KUNIT_EXPECT_EQ(test, st.st_size, 10000l);
  KUNIT_EXPECT_EQ(test, st.st_blocks, 16l);
  KUNIT_EXPECT_EQ(test, call(sys_pread64, fd, fs.room(16), 2, 0), 2);
  KUNIT_EXPECT_EQ(test, call(sys_fallocate, fd, FALLOC_FL_PUNCH_HOLE, 1, 9000), -EOPNOTSUPP);
  KUNIT_EXPECT_EQ(test, call(sys_fallocate, fd, 0, 0, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_fallocate, r, 0, 0, 1), -EBADF);
  fs.close(fs.open("f", O_WRONLY | O_TRUNC));
  fs.fstat(r, &st);
  KUNIT_EXPECT_EQ(test, st.st_size, 0l);
}

void the_file_size_limit(kunit* test) {
  FsCalls fs(test);
  long fd = fs.open("f", O_RDWR | O_CREAT);
  rlimit* lim = &current->signal->rlim[RLIMIT_FSIZE];
  rlimit before = *lim;
  lim->rlim_cur = 10;
  KUNIT_EXPECT_EQ(test, fs.write(fd, "0123456789abc"), 10);
  KUNIT_EXPECT_EQ(test, fs.write(fd, "x"), -EFBIG);
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, fd, 11), -EFBIG);
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, fd, 9), 0);
  *lim = before;
  fs_signal_clean();
}

void memory_files(kunit* test) {  // spec 60 N-1..N-3
  FsCalls fs(test);
  long fd = call(sys_memfd_create, fs.str("name"), 3);
  KUNIT_EXPECT_GE(test, fd, 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_GETFD), FD_CLOEXEC);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_GET_SEALS), 0);
  KUNIT_EXPECT_EQ(test, fs.write(fd, "abcd"), 4);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
  KUNIT_EXPECT_EQ(test, fs.write(fd, "e"), -EPERM);
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, fd, 2), -EPERM);
  KUNIT_EXPECT_EQ(test, call(sys_pwrite64, fd, fs.str("z"), 1, 0), 1);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
  KUNIT_EXPECT_EQ(test, call(sys_pwrite64, fd, fs.str("z"), 1, 0), -EPERM);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_ADD_SEALS, 64), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -EPERM);
  long plain = call(sys_memfd_create, fs.str(""), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
  KUNIT_EXPECT_EQ(test, call(sys_memfd_create, fs.str("x"), 0x100), -EINVAL);
  fs.make("f");
  KUNIT_EXPECT_EQ(test, fs.fcntl(fs.open("f", O_RDWR), F_GET_SEALS), -EINVAL);
  char name[256];
  memset(name, 'n', sizeof(name));
  name[249] = 0;
  KUNIT_EXPECT_GE(test, call(sys_memfd_create, fs.str(name), 0), 0);
  name[249] = 'n';
  name[250] = 0;
  KUNIT_EXPECT_EQ(test, call(sys_memfd_create, fs.str(name), 0), -EINVAL);
}

// ---- Attributes --------------------------------------------------------------------------------------------------------------------
void modes_and_owners(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "x");
  struct stat st;
  KUNIT_EXPECT_EQ(test, fs.chmod("f", 06755), 0);
  fs.stat("f", &st);
  KUNIT_EXPECT_EQ(test, st.st_mode, S_IFREG | 06755u);
  KUNIT_EXPECT_EQ(test, fs.chown("f", 1000, 1000), 0);
  fs.stat("f", &st);
  KUNIT_EXPECT_EQ(test, st.st_mode, S_IFREG | 0755u);  // set-id bits go with the owner
  KUNIT_EXPECT_EQ(test, st.st_uid, 1000u);
  KUNIT_EXPECT_EQ(test, fs.chown("f", ~0u, 7), 0);
  fs.stat("f", &st);
  KUNIT_EXPECT_EQ(test, st.st_uid, 1000u);
  KUNIT_EXPECT_EQ(test, st.st_gid, 7u);
  fs.symlink("f", "l");
  KUNIT_EXPECT_EQ(test, fs.chown("l", 5, 5, AT_SYMLINK_NOFOLLOW), 0);
  fs.stat("f", &st);
  KUNIT_EXPECT_EQ(test, st.st_uid, 1000u);
  {
    AsUser u(1000);
    KUNIT_EXPECT_EQ(test, fs.chmod("f", 02711), 0);
    fs.stat("f", &st);
    KUNIT_EXPECT_EQ(test, st.st_mode, S_IFREG | 0711u);  // not in the file's group: no set-group-id
    KUNIT_EXPECT_EQ(test, fs.chown("f", 1001, ~0u), -EPERM);
    KUNIT_EXPECT_EQ(test, fs.chown("f", ~0u, 1000), 0);
    KUNIT_EXPECT_EQ(test, fs.chown("f", ~0u, 8), -EPERM);
  }
  AsUser u(1001);
  KUNIT_EXPECT_EQ(test, fs.chmod("f", 0777), -EPERM);
  KUNIT_EXPECT_EQ(test, fs.chown("f", 1001, 1001), -EPERM);
}

void writing_clears_set_id(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "x");
  fs.chmod("f", 06777);
  struct stat st;
  {
    AsUser u(1000);
    long fd = fs.open("f", O_WRONLY);
    KUNIT_EXPECT_EQ(test, fs.write(fd, "y"), 1);
  }
  fs.stat("f", &st);
  KUNIT_EXPECT_EQ(test, st.st_mode, S_IFREG | 0777u);
}

void times(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "x");
  struct stat st;
  timespec64 t[2] = {{1000, 5}, {2000, 6}};
  KUNIT_EXPECT_EQ(test, call(sys_utimensat, AT_FDCWD, fs.str("f"), fs.bytes(t, sizeof(t)), 0), 0);
  fs.stat("f", &st);
  KUNIT_EXPECT_EQ(test, st.st_atime, 1000ul);
  KUNIT_EXPECT_EQ(test, st.st_mtime, 2000ul);
  KUNIT_EXPECT_EQ(test, st.st_mtime_nsec, 6ul);
  t[0].tv_nsec = 0x3ffffffe;  // UTIME_OMIT
  t[1].tv_nsec = 0x3fffffff;  // UTIME_NOW
  KUNIT_EXPECT_EQ(test, call(sys_utimensat, AT_FDCWD, fs.str("f"), fs.bytes(t, sizeof(t)), 0), 0);
  fs.stat("f", &st);
  KUNIT_EXPECT_EQ(test, st.st_atime, 1000ul);
  KUNIT_EXPECT_NE(test, st.st_mtime, 2000ul);
  t[0].tv_nsec = 1000000000;
  KUNIT_EXPECT_EQ(test, call(sys_utimensat, AT_FDCWD, fs.str("f"), fs.bytes(t, sizeof(t)), 0), -EINVAL);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, call(sys_utimensat, AT_FDCWD, fs.str("f"), 0, 0), -EACCES);
  t[0] = t[1] = {1, 1};
  KUNIT_EXPECT_EQ(test, call(sys_utimensat, AT_FDCWD, fs.str("f"), fs.bytes(t, sizeof(t)), 0), -EPERM);
}

void statx_tells(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "abc");
  unsigned long at = fs.room(sizeof(struct statx));
  KUNIT_EXPECT_EQ(test, call(sys_statx, AT_FDCWD, fs.str("f"), 0, 0xfff, at), 0);
  struct statx x;
  fs.copy_out(&x, at, sizeof(x));
  KUNIT_EXPECT_EQ(test, x.stx_size, 3ull);
  KUNIT_EXPECT_EQ(test, x.stx_mask & 0xfff, 0xfffu);
  KUNIT_EXPECT_EQ(test, x.stx_mode, S_IFREG | 0644);
  KUNIT_EXPECT_EQ(test, sizeof(struct statx), 256ul);
  KUNIT_EXPECT_EQ(test, call(sys_statx, AT_FDCWD, fs.str("f"), 0, 1u << 31, at), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_statx, AT_FDCWD, fs.str("f"), 0x6000, 0xfff, at), -EINVAL);
}

void devices(kunit* test) {
  FsCalls fs(test);
  long zero = fs.open("/dev/zero", O_RDWR), full = fs.open("/dev/full", O_RDWR), random = fs.open("/dev/urandom", O_RDONLY);
  char a[64], b[64];
  memset(a, 1, sizeof(a));
  KUNIT_EXPECT_EQ(test, fs.read(zero, a, 64), 64);
  KUNIT_EXPECT_EQ(test, a[63], 0);
  KUNIT_EXPECT_EQ(test, fs.write(full, "x"), -ENOSPC);
  KUNIT_EXPECT_EQ(test, fs.read(random, a, 64), 64);
  KUNIT_EXPECT_EQ(test, fs.read(random, b, 64), 64);
  KUNIT_EXPECT_TRUE(test, memcmp(a, b, 64) != 0);
  struct stat st;
  fs.fstat(zero, &st);
  KUNIT_EXPECT_EQ(test, st.st_mode, S_IFCHR | 0666u);
}

kunit_case cases[] = {
    KUNIT_CASE(opening), KUNIT_CASE(opening_asks_permission), KUNIT_CASE(access_asks_with_real_ids),
    KUNIT_CASE(lowest_descriptor_first), KUNIT_CASE(duplicates), KUNIT_CASE(the_limit_counts), KUNIT_CASE(closing_ranges),
    KUNIT_CASE(copied_tables), KUNIT_CASE(file_flags), KUNIT_CASE(reading_and_writing), KUNIT_CASE(appending),
    KUNIT_CASE(vectors), KUNIT_CASE(holes_and_seeking), KUNIT_CASE(sizes), KUNIT_CASE(the_file_size_limit),
    KUNIT_CASE(memory_files), KUNIT_CASE(modes_and_owners), KUNIT_CASE(writing_clears_set_id), KUNIT_CASE(times),
    KUNIT_CASE(statx_tells), KUNIT_CASE(devices), {},
};
kunit_suite suite = {.name = "vfs_files", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
