// Making, removing and moving names: mkdir, mknod, symlink, link, unlink, rmdir, rename. Errors as their man pages list them.
// SPDX-License-Identifier: Apache-2.0
#include "test/vfs/fs_calls.hh"

namespace {

unsigned long links(FsCalls& fs, const char* p) {
  struct stat st;
  return fs.stat(p, &st) ? 0 : st.st_nlink;
}

void making_directories(kunit* test) {
  FsCalls fs(test);
  KUNIT_EXPECT_EQ(test, fs.mkdir("d", 0777), 0);
  struct stat st;
  fs.stat("d", &st);
  KUNIT_EXPECT_EQ(test, st.st_mode, S_IFDIR | 0755u);  // umask 022
  KUNIT_EXPECT_EQ(test, st.st_nlink, 2ul);
  KUNIT_EXPECT_EQ(test, fs.mkdir("d/e/"), 0);
  KUNIT_EXPECT_EQ(test, links(fs, "d"), 3ul);
  KUNIT_EXPECT_EQ(test, fs.mkdir("d"), -EEXIST);
  KUNIT_EXPECT_EQ(test, fs.mkdir("d/."), -EEXIST);
  KUNIT_EXPECT_EQ(test, fs.mkdir("/"), -EEXIST);
  KUNIT_EXPECT_EQ(test, fs.mkdir("x/y"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.mkdir(""), -ENOENT);
  fs.make("f");
  KUNIT_EXPECT_EQ(test, fs.mkdir("f"), -EEXIST);
  KUNIT_EXPECT_EQ(test, fs.mkdir("f/x"), -ENOTDIR);
  fs.symlink("nowhere", "l");
  KUNIT_EXPECT_EQ(test, fs.mkdir("l"), -EEXIST);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, fs.mkdir("d/mine"), -EACCES);
  KUNIT_EXPECT_EQ(test, fs.mkdir("d"), -EEXIST);
}

void removing_directories(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("d");
  fs.mkdir("d/e");
  fs.make("f");
  KUNIT_EXPECT_EQ(test, fs.rmdir("d"), -ENOTEMPTY);
  KUNIT_EXPECT_EQ(test, fs.rmdir("d/."), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.rmdir("d/.."), -ENOTEMPTY);
  KUNIT_EXPECT_EQ(test, fs.rmdir("/"), -EBUSY);
  KUNIT_EXPECT_EQ(test, fs.rmdir("f"), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, fs.rmdir("nothing"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.rmdir("d/e/"), 0);
  KUNIT_EXPECT_EQ(test, links(fs, "d"), 2ul);
  fs.symlink("d", "l");
  KUNIT_EXPECT_EQ(test, fs.rmdir("l"), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, fs.rmdir("l/"), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, fs.rmdir("d"), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("d"), -ENOENT);
}

void nodes(kunit* test) {
  FsCalls fs(test);
  KUNIT_EXPECT_EQ(test, fs.mknod("null", S_IFCHR | 0666, new_encode_dev(MKDEV(1, 3))), 0);
  KUNIT_EXPECT_EQ(test, fs.mknod("fifo", S_IFIFO | 0666), 0);
  KUNIT_EXPECT_EQ(test, fs.mknod("sock", S_IFSOCK | 0666), 0);
  KUNIT_EXPECT_EQ(test, fs.mknod("blk", S_IFBLK | 0666, new_encode_dev(MKDEV(8, 300))), 0);
  KUNIT_EXPECT_EQ(test, fs.mknod("plain", 0644), 0);
  KUNIT_EXPECT_EQ(test, fs.mknod("dir", S_IFDIR | 0755), -EPERM);
  KUNIT_EXPECT_EQ(test, fs.mknod("link", S_IFLNK | 0755), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.mknod("null", S_IFCHR | 0666), -EEXIST);
  struct stat st;
  fs.stat("null", &st);
  KUNIT_EXPECT_EQ(test, st.st_rdev, 0x103ul);
  fs.stat("blk", &st);
  KUNIT_EXPECT_EQ(test, new_decode_dev(static_cast<u32>(st.st_rdev)), MKDEV(8, 300));
  fs.stat("plain", &st);
  KUNIT_EXPECT_TRUE(test, S_ISREG(st.st_mode));
  long n = fs.open("null", O_RDWR);
  char c;
  KUNIT_EXPECT_EQ(test, fs.read(n, &c, 1), 0);
  KUNIT_EXPECT_EQ(test, fs.write(n, "gone"), 4);
  KUNIT_EXPECT_EQ(test, fs.open("sock", O_RDWR), -ENXIO);
  KUNIT_EXPECT_EQ(test, fs.open("blk", O_RDWR), -ENXIO);
  fs.mknod("nobody", S_IFCHR | 0666, new_encode_dev(MKDEV(77, 3)));
  KUNIT_EXPECT_EQ(test, fs.open("nobody", O_RDWR), -ENXIO);
  fs.chmod("/t", 0777);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, fs.mknod("mine", S_IFCHR | 0666, 0x103), -EPERM);
  KUNIT_EXPECT_EQ(test, fs.mknod("myfifo", S_IFIFO | 0666), 0);
}

void symlinks(kunit* test) {
  FsCalls fs(test);
  char buf[64];
  KUNIT_EXPECT_EQ(test, fs.symlink("some/where", "l"), 0);
  KUNIT_EXPECT_EQ(test, fs.readlink("l", buf, sizeof(buf)), 10);
  KUNIT_EXPECT_MEMEQ(test, buf, "some/where", 10);
  KUNIT_EXPECT_EQ(test, fs.readlink("l", buf, 4), 4);
  KUNIT_EXPECT_EQ(test, fs.readlink("l", buf, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.readlink("/t", buf, 4), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.readlink("no", buf, 4), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.symlink("x", "l"), -EEXIST);
  KUNIT_EXPECT_EQ(test, fs.symlink("", "m"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.symlink("x", "m/"), -ENOENT);
  struct stat st;
  fs.stat("l", &st, AT_SYMLINK_NOFOLLOW);
  KUNIT_EXPECT_EQ(test, st.st_mode, S_IFLNK | 0777u);
  KUNIT_EXPECT_EQ(test, st.st_size, 10l);
}

void hard_links(kunit* test) {
  FsCalls fs(test);
  fs.make("a", "text");
  fs.mkdir("d");
  KUNIT_EXPECT_EQ(test, fs.link("a", "b"), 0);
  KUNIT_EXPECT_EQ(test, fs.inode_number("a"), fs.inode_number("b"));
  KUNIT_EXPECT_EQ(test, links(fs, "a"), 2ul);
  KUNIT_EXPECT_EQ(test, fs.link("a", "b"), -EEXIST);
  KUNIT_EXPECT_EQ(test, fs.link("d", "e"), -EPERM);
  KUNIT_EXPECT_EQ(test, fs.link("no", "e"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.link("a", "e/"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.unlink("a"), 0);
  KUNIT_EXPECT_EQ(test, links(fs, "b"), 1ul);
  fs.symlink("b", "l");
  KUNIT_EXPECT_EQ(test, fs.link("l", "l2"), 0);
  KUNIT_EXPECT_EQ(test, fs.inode_number("l2", AT_SYMLINK_NOFOLLOW), fs.inode_number("l", AT_SYMLINK_NOFOLLOW));
  KUNIT_EXPECT_EQ(test, fs.link("l", "b2", AT_SYMLINK_FOLLOW), 0);
  KUNIT_EXPECT_EQ(test, fs.inode_number("b2"), fs.inode_number("b"));
  fs.mkdir("m");
  fs.mount("none", "m", "tmpfs");
  KUNIT_EXPECT_EQ(test, fs.link("b", "m/b"), -EXDEV);
}

void unlinking(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("d");
  fs.make("f", "still here");
  long fd = fs.open("f", O_RDWR);
  KUNIT_EXPECT_EQ(test, fs.unlink("d"), -EISDIR);
  KUNIT_EXPECT_EQ(test, fs.unlink("d/"), -EISDIR);
  KUNIT_EXPECT_EQ(test, fs.unlink("f/"), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, fs.unlink("no"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.unlink("f"), 0);
  KUNIT_EXPECT_EQ(test, fs.unlink("f"), -ENOENT);
  struct stat st;
  KUNIT_EXPECT_EQ(test, fs.fstat(fd, &st), 0);
  KUNIT_EXPECT_EQ(test, st.st_nlink, 0ul);
  char buf[16];
  KUNIT_EXPECT_EQ(test, fs.read(fd, buf, 16), 10);
  fs.make("f", "new");
  KUNIT_EXPECT_EQ(test, fs.fstat(fd, &st), 0);
  KUNIT_EXPECT_NE(test, static_cast<long>(st.st_ino), fs.inode_number("f"));
}

void sticky_directories(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("tmp");
  fs.chmod("tmp", 01777);
  fs.make("tmp/root");
  fs.make("tmp/mine");
  fs.chown("tmp/mine", 1000, 1000);
  {
    AsUser u(1000);
    KUNIT_EXPECT_EQ(test, fs.unlink("tmp/root"), -EPERM);
    KUNIT_EXPECT_EQ(test, fs.rename("tmp/root", "tmp/x"), -EPERM);
    KUNIT_EXPECT_EQ(test, fs.rename("tmp/mine", "tmp/root"), -EPERM);
    KUNIT_EXPECT_EQ(test, fs.rename("tmp/mine", "tmp/other"), 0);
    KUNIT_EXPECT_EQ(test, fs.unlink("tmp/other"), 0);
  }
  fs.chown("tmp", 1000, 1000);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, fs.unlink("tmp/root"), 0);  // the directory's owner may
}

// ---- rename: source kind, target kind, result --------------------------------------------------------------------------------
struct RenameRow {
  const char *from, *to;
  unsigned flags;
  long result;
};
constexpr RenameRow kRenames[] = {
    {"file", "new", 0, 0},
    {"file", "file2", 0, 0},
    {"file", "file", 0, 0},
    {"file", "hard", 0, 0},
    {"file", "dir", 0, -EISDIR},
    {"file", "new/", 0, -ENOTDIR},
    {"file/", "new", 0, -ENOTDIR},
    {"file", "no/new", 0, -ENOENT},
    {"no", "new", 0, -ENOENT},
    {"dir", "new", 0, 0},
    {"dir", "new/", 0, 0},
    {"dir/", "new", 0, 0},
    {"dir", "empty", 0, 0},
    {"dir", "full", 0, -ENOTEMPTY},
    {"dir", "file", 0, -ENOTDIR},
    {"dir", "dir/sub", 0, -EINVAL},
    {"full", "full/x/y", 0, -EINVAL},
    {"full/x", "full", 0, -ENOTEMPTY},
    {"dir", ".", 0, -EBUSY},
    {".", "new", 0, -EBUSY},
    {"dir/..", "new", 0, -EBUSY},
    {"/", "new", 0, -EBUSY},
    {"file", "", 0, -ENOENT},
    {"link", "new", 0, 0},
    {"file", "link", 0, 0},
    {"file", "file2", RENAME_NOREPLACE, -EEXIST},
    {"file", "new", RENAME_NOREPLACE, 0},
    {"file", "new", RENAME_EXCHANGE, -ENOENT},
    {"file", "file2", RENAME_EXCHANGE, 0},
    {"file", "dir", RENAME_EXCHANGE, 0},
    {"dir", "full", RENAME_EXCHANGE, 0},
    {"full", "full/x", RENAME_EXCHANGE, -EINVAL},
    {"file", "file2", RENAME_EXCHANGE | RENAME_NOREPLACE, -EINVAL},
    {"file", "file2", 0x80, -EINVAL},
};

void renaming(kunit* test) {
  FsCalls fs(test);
  for (const RenameRow& r : kRenames) {
    fs.mkdir("w");
    fs.chdir("w");
    fs.make("file", "one");
    fs.make("file2", "two");
    fs.link("file", "hard");
    fs.mkdir("dir");
    fs.mkdir("empty");
    fs.mkdir("full");
    fs.mkdir("full/x");
    fs.symlink("file2", "link");
    long before = fs.inode_number(r.from, AT_SYMLINK_NOFOLLOW), other = fs.inode_number(r.to, AT_SYMLINK_NOFOLLOW);
    KUNIT_EXPECT_EQ_MSG(test, fs.rename(r.from, r.to, r.flags), r.result, "%s -> %s (%u)", r.from, r.to, r.flags);
    if (r.result == 0 && before != other) {
      KUNIT_EXPECT_EQ_MSG(test, fs.inode_number(r.to, AT_SYMLINK_NOFOLLOW), before, "%s -> %s", r.from, r.to);
      long left = fs.inode_number(r.from, AT_SYMLINK_NOFOLLOW);
      KUNIT_EXPECT_EQ_MSG(test, left, r.flags & RENAME_EXCHANGE ? other : -ENOENT, "%s -> %s", r.from, r.to);
    } else if (r.result) {
      KUNIT_EXPECT_EQ_MSG(test, fs.inode_number(r.from, AT_SYMLINK_NOFOLLOW), before, "%s -> %s", r.from, r.to);
    }
    fs.chdir("/t");
    fs.remove_tree("w");
  }
}

void renaming_counts_links(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("a");
  fs.mkdir("b");
  fs.mkdir("a/d");
  KUNIT_EXPECT_EQ(test, fs.rename("a/d", "b/d"), 0);
  KUNIT_EXPECT_EQ(test, links(fs, "a"), 2ul);
  KUNIT_EXPECT_EQ(test, links(fs, "b"), 3ul);
  KUNIT_EXPECT_EQ(test, fs.inode_number("b/d/.."), fs.inode_number("b"));
  fs.mkdir("a/e");
  KUNIT_EXPECT_EQ(test, fs.rename("b/d", "a/e"), 0);
  KUNIT_EXPECT_EQ(test, links(fs, "a"), 3ul);
  KUNIT_EXPECT_EQ(test, links(fs, "b"), 2ul);
  fs.make("b/f");
  KUNIT_EXPECT_EQ(test, fs.rename("b/f", "a/e", RENAME_EXCHANGE), 0);
  KUNIT_EXPECT_EQ(test, links(fs, "a"), 2ul);
  KUNIT_EXPECT_EQ(test, links(fs, "b"), 3ul);
}

void a_moved_directory_needs_write_permission(kunit* test) {  // its ".." changes
  FsCalls fs(test);
  fs.mkdir("a", 0777);
  fs.mkdir("b", 0777);
  fs.chmod("a", 0777);
  fs.chmod("b", 0777);
  fs.mkdir("a/roots", 0755);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, fs.rename("a/roots", "b/roots"), -EACCES);
  KUNIT_EXPECT_EQ(test, fs.rename("a/roots", "a/other"), 0);
}

void listing(kunit* test) {  // the newest first
  FsCalls fs(test);
  char buf[256];
  KUNIT_EXPECT_STREQ(test, fs.list("/t", buf, sizeof(buf)), "");
  fs.make("one");
  fs.make("two");
  fs.mkdir("three");
  KUNIT_EXPECT_STREQ(test, fs.list("/t", buf, sizeof(buf)), "three two one");
  fs.unlink("two");
  KUNIT_EXPECT_STREQ(test, fs.list("/t", buf, sizeof(buf)), "three one");
  fs.rename("one", "four");
  KUNIT_EXPECT_STREQ(test, fs.list("/t", buf, sizeof(buf)), "four three");
  long fd = fs.open("four", O_RDONLY);
  KUNIT_EXPECT_EQ(test, call(sys_getdents64, fd, fs.room(100), 100), -ENOTDIR);
  long d = fs.open("/t", O_RDONLY);
  KUNIT_EXPECT_EQ(test, call(sys_getdents64, d, fs.room(100), 23), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_getdents64, d, 8, 100), -EFAULT);
  KUNIT_EXPECT_EQ(test, call(sys_getdents64, d, fs.room(100), 24), 24);  // "." alone
  KUNIT_EXPECT_GT(test, call(sys_getdents64, d, fs.room(100), 100), 0);
  KUNIT_EXPECT_EQ(test, fs.rmdir("three"), 0);
}

void reading_while_removing(kunit* test) {  // rm -r: every name comes once though the others go
  FsCalls fs(test);
  fs.mkdir("many");
  char name[32];
  for (int k = 0; k < 100; k++) {
    scnprintf(name, sizeof(name), "many/%03d", k);
    fs.make(name);
  }
  long d = fs.open("many", O_RDONLY);
  int seen = 0;
  unsigned long at = fs.room(200);
  for (long n; (n = call(sys_getdents64, d, at, 200)) > 0;) {
    char raw[200];
    fs.copy_out(raw, at, static_cast<size_t>(n));
    for (long k = 0; k < n;) {
      auto* e = reinterpret_cast<linux_dirent64*>(raw + k);
      k += e->d_reclen;
      if (e->d_name[0] == '.') continue;
      seen++;
      KUNIT_EXPECT_EQ(test, e->d_type, DT_REG);
      scnprintf(name, sizeof(name), "many/%s", e->d_name);
      KUNIT_EXPECT_EQ(test, fs.unlink(name), 0);
    }
    at = fs.room(200);
  }
  KUNIT_EXPECT_EQ(test, seen, 100);
  KUNIT_EXPECT_EQ(test, fs.rmdir("many"), 0);
}

void setgid_directories(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("g");
  fs.chown("g", 0, 700);
  fs.chmod("g", 02777);
  AsUser u(1000);
  fs.make("g/f");
  fs.mkdir("g/d");
  struct stat st;
  fs.stat("g/f", &st);
  KUNIT_EXPECT_EQ(test, st.st_gid, 700u);
  KUNIT_EXPECT_EQ(test, st.st_uid, 1000u);
  fs.stat("g/d", &st);
  KUNIT_EXPECT_EQ(test, st.st_gid, 700u);
  KUNIT_EXPECT_TRUE(test, st.st_mode & S_ISGID);
}

kunit_case cases[] = {
    KUNIT_CASE(making_directories), KUNIT_CASE(removing_directories), KUNIT_CASE(nodes), KUNIT_CASE(symlinks),
    KUNIT_CASE(hard_links), KUNIT_CASE(unlinking), KUNIT_CASE(sticky_directories), KUNIT_CASE(renaming),
    KUNIT_CASE(renaming_counts_links), KUNIT_CASE(a_moved_directory_needs_write_permission), KUNIT_CASE(listing),
    KUNIT_CASE(reading_while_removing), KUNIT_CASE(setgid_directories), {},
};
kunit_suite suite = {.name = "vfs_names", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
