// The way from a path to what it names: components, symlinks, "..", mounts, errors. man 7 path_resolution.
// SPDX-License-Identifier: Apache-2.0
#include "test/vfs/fs_calls.hh"

namespace {

void build(FsCalls& fs) {
  fs.mkdir("d");
  fs.mkdir("d/e");
  fs.make("d/f", "file");
  fs.make("top", "top");
  fs.symlink("d/f", "to_f");
  fs.symlink("d", "to_d");
  fs.symlink("/t/d/e", "abs_e");
  fs.symlink("../top", "d/up");
  fs.symlink("to_d/", "to_to_d");
  fs.symlink("nowhere", "broken");
  fs.symlink("loop_b", "loop_a");
  fs.symlink("loop_a", "loop_b");
  fs.symlink("d/f/", "slash_f");
}

struct Row {
  const char* path;
  int flags;
  const char* same_as;  // null: an error
  int error;
};

// Each path and what it leads to.
constexpr Row kRows[] = {
    {"d/f", 0, "/t/d/f", 0},
    {"./d/./f", 0, "/t/d/f", 0},
    {"d//f", 0, "/t/d/f", 0},
    {"//t///d/f", 0, "/t/d/f", 0},
    {"d/", 0, "/t/d", 0},
    {"d/.", 0, "/t/d", 0},
    {"d/..", 0, "/t", 0},
    {"d/e/../..", 0, "/t", 0},
    {"d/e/../f", 0, "/t/d/f", 0},
    {"../../../..", 0, "/", 0},
    {"/", 0, "/", 0},
    {"to_f", 0, "/t/d/f", 0},
    {"to_d/f", 0, "/t/d/f", 0},
    {"to_d/..", 0, "/t", 0},
    {"abs_e", 0, "/t/d/e", 0},
    {"abs_e/../f", 0, "/t/d/f", 0},
    {"d/up", 0, "/t/top", 0},
    {"to_d/up", 0, "/t/top", 0},
    {"to_to_d/e", 0, "/t/d/e", 0},
    {"to_to_d", 0, "/t/d", 0},
    {"to_d/", AT_SYMLINK_NOFOLLOW, "/t/d", 0},
    {"to_to_d/", AT_SYMLINK_NOFOLLOW, "/t/d", 0},
    {"broken", AT_SYMLINK_NOFOLLOW, "broken", 0},
    {"", 0, nullptr, ENOENT},
    {"nothing", 0, nullptr, ENOENT},
    {"nothing/f", 0, nullptr, ENOENT},
    {"nothing/", 0, nullptr, ENOENT},
    {"broken", 0, nullptr, ENOENT},
    {"broken/", AT_SYMLINK_NOFOLLOW, nullptr, ENOENT},
    {"top/", 0, nullptr, ENOTDIR},
    {"top/x", 0, nullptr, ENOTDIR},
    {"top/.", 0, nullptr, ENOTDIR},
    {"top/..", 0, nullptr, ENOTDIR},
    {"to_f/", 0, nullptr, ENOTDIR},
    {"to_f/x", 0, nullptr, ENOTDIR},
    {"slash_f", 0, nullptr, ENOTDIR},
    {"loop_a", 0, nullptr, ELOOP},
    {"loop_a/x", 0, nullptr, ELOOP},
};

void table(kunit* test) {
  FsCalls fs(test);
  build(fs);
  for (const Row& r : kRows) {
    long got = fs.inode_number(r.path, r.flags);
    long want = r.same_as ? fs.inode_number(r.same_as, AT_SYMLINK_NOFOLLOW) : -r.error;
    KUNIT_EXPECT_EQ_MSG(test, got, want, "path %s", r.path);
  }
}

void link_counts(kunit* test) {  // 40 are followed, the 41st is not
  FsCalls fs(test);
  fs.make("end", "x");
  fs.symlink("end", "l1");
  char from[16], to[16];
  for (int k = 2; k <= 41; k++) {
    scnprintf(to, sizeof(to), "l%d", k - 1);
    scnprintf(from, sizeof(from), "l%d", k);
    fs.symlink(to, from);
  }
  KUNIT_EXPECT_EQ(test, fs.inode_number("l40"), fs.inode_number("end"));
  KUNIT_EXPECT_EQ(test, fs.inode_number("l41"), -ELOOP);
}

void nested_links(kunit* test) {  // each link's text goes through the one before it, with something to come after
  FsCalls fs(test);
  fs.mkdir("n0");
  fs.mkdir("n0/s");
  fs.make("n0/s/f", "x");
  char from[16], to[32];
  for (int k = 1; k <= 20; k++) {
    scnprintf(to, sizeof(to), k == 1 ? "n%d" : "n%d/s/..", k - 1);
    scnprintf(from, sizeof(from), "n%d", k);
    fs.symlink(to, from);
  }
  KUNIT_EXPECT_EQ(test, fs.inode_number("n20/s/f"), fs.inode_number("n0/s/f"));
}

void long_names(kunit* test) {
  FsCalls fs(test);
  char name[260];
  memset(name, 'n', sizeof(name));
  name[255] = 0;
  KUNIT_EXPECT_EQ(test, fs.make(name), 0);
  KUNIT_EXPECT_EQ(test, fs.exists(name), 0);
  name[255] = 'n';
  name[256] = 0;
  KUNIT_EXPECT_EQ(test, fs.exists(name), -ENAMETOOLONG);
  KUNIT_EXPECT_EQ(test, fs.mkdir(name), -ENAMETOOLONG);
  static char path[5000];
  for (size_t k = 0; k < sizeof(path) - 1; k++) path[k] = k % 2 ? '.' : '/';
  path[4094] = '/';
  path[4095] = 0;
  KUNIT_EXPECT_EQ(test, fs.exists(path), 0);
  path[4095] = '.';
  path[4096] = 0;
  KUNIT_EXPECT_EQ(test, fs.exists(path), -ENAMETOOLONG);
}

void search_permission(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("open", 0755);
  fs.mkdir("shut", 0700);
  fs.make("shut/f", "x");
  fs.mkdir("x_only", 0711);
  fs.make("x_only/f", "x");
  {
    AsUser u(1000);
    KUNIT_EXPECT_EQ(test, fs.exists("shut"), 0);
    KUNIT_EXPECT_EQ(test, fs.exists("shut/f"), -EACCES);
    KUNIT_EXPECT_EQ(test, fs.exists("shut/nothing"), -EACCES);
    KUNIT_EXPECT_EQ(test, fs.exists("x_only/f"), 0);
    KUNIT_EXPECT_EQ(test, fs.open("x_only", O_RDONLY), -EACCES);
    KUNIT_EXPECT_EQ(test, fs.chdir("shut"), -EACCES);
    KUNIT_EXPECT_EQ(test, fs.chdir("x_only"), 0);
    fs.chdir("/t");
  }
  KUNIT_EXPECT_EQ(test, fs.exists("shut/f"), 0);
}

void group_counts_before_others(kunit* test) {
  FsCalls fs(test);
  fs.make("g", "x", 0604);
  fs.chown("g", 500, 600);
  AsUser u(1000, 600);
  KUNIT_EXPECT_EQ(test, fs.open("g", O_RDONLY), -EACCES);  // the group has less than the others
}

void relative_to_descriptors(kunit* test) {
  FsCalls fs(test);
  build(fs);
  long d = fs.open("d", O_RDONLY | O_DIRECTORY), f = fs.open("top", O_RDONLY), p = fs.open("d", O_PATH);
  long fd = fs.openat(d, "f", O_RDONLY);
  KUNIT_EXPECT_GE(test, fd, 0);
  KUNIT_EXPECT_GE(test, fs.openat(p, "e", O_RDONLY), 0);
  KUNIT_EXPECT_EQ(test, fs.openat(f, "x", O_RDONLY), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, fs.openat(77, "x", O_RDONLY), -EBADF);
  KUNIT_EXPECT_GE(test, fs.openat(77, "/t/top", O_RDONLY), 0);
  KUNIT_EXPECT_GE(test, fs.openat(d, "../top", O_RDONLY), 0);
  struct stat a, b;
  KUNIT_EXPECT_EQ(test, fs.stat("d/f", &a), 0);
  unsigned long at = fs.room(sizeof(b));
  KUNIT_EXPECT_EQ(test, call(sys_newfstatat, fd, fs.str(""), at, AT_EMPTY_PATH), 0);
  fs.copy_out(&b, at, sizeof(b));
  KUNIT_EXPECT_EQ(test, a.st_ino, b.st_ino);
  KUNIT_EXPECT_EQ(test, call(sys_newfstatat, fd, fs.str(""), at, 0), -ENOENT);
}

void a_path_descriptor_does_nothing_else(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "x");
  long p = fs.open("f", O_PATH);
  char c;
  KUNIT_EXPECT_GE(test, p, 0);
  KUNIT_EXPECT_EQ(test, fs.read(p, &c, 1), -EBADF);
  KUNIT_EXPECT_EQ(test, call(sys_fchmod, p, 0600), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p, F_GETFL), O_PATH);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p, F_SETFL, O_APPEND), -EBADF);
  struct stat st;
  KUNIT_EXPECT_EQ(test, fs.fstat(p, &st), 0);
  fs.symlink("f", "l");
  long l = fs.open("l", O_PATH | O_NOFOLLOW);
  KUNIT_EXPECT_GE(test, l, 0);
  KUNIT_EXPECT_EQ(test, fs.fstat(l, &st), 0);
  KUNIT_EXPECT_TRUE(test, S_ISLNK(st.st_mode));
}

long openat2(FsCalls& fs, long dfd, const char* p, u64 flags, u64 resolve) {
  open_how how{flags, 0, resolve};
  return call(sys_openat2, dfd, fs.str(p), fs.bytes(&how, sizeof(how)), sizeof(how));
}

void resolve_flags(kunit* test) {
  FsCalls fs(test);
  build(fs);
  long d = fs.open("d", O_PATH);
  KUNIT_EXPECT_GE(test, openat2(fs, d, "f", 0, RESOLVE_BENEATH), 0);
  KUNIT_EXPECT_GE(test, openat2(fs, d, "e/../f", 0, RESOLVE_BENEATH), 0);
  KUNIT_EXPECT_EQ(test, openat2(fs, d, "../top", 0, RESOLVE_BENEATH), -EXDEV);
  KUNIT_EXPECT_EQ(test, openat2(fs, d, "/t/top", 0, RESOLVE_BENEATH), -EXDEV);
  KUNIT_EXPECT_EQ(test, openat2(fs, d, "up", 0, RESOLVE_BENEATH), -EXDEV);
  KUNIT_EXPECT_GE(test, openat2(fs, d, "/../../f", 0, RESOLVE_IN_ROOT), 0);
  KUNIT_EXPECT_EQ(test, openat2(fs, d, "up", 0, RESOLVE_IN_ROOT), -ENOENT);
  KUNIT_EXPECT_EQ(test, openat2(fs, AT_FDCWD, "to_f", 0, RESOLVE_NO_SYMLINKS), -ELOOP);
  KUNIT_EXPECT_EQ(test, openat2(fs, AT_FDCWD, "to_d/f", 0, RESOLVE_NO_SYMLINKS), -ELOOP);
  KUNIT_EXPECT_GE(test, openat2(fs, AT_FDCWD, "d/f", 0, RESOLVE_NO_SYMLINKS), 0);
  KUNIT_EXPECT_EQ(test, openat2(fs, AT_FDCWD, "d/f", 0, 0x40), -EINVAL);
  KUNIT_EXPECT_EQ(test, openat2(fs, AT_FDCWD, "d/f", 1u << 31, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, openat2(fs, d, "f", 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), -EINVAL);
}

void working_directory(kunit* test) {
  FsCalls fs(test);
  build(fs);
  char buf[64];
  KUNIT_EXPECT_EQ(test, fs.chdir("to_d/e"), 0);
  KUNIT_EXPECT_EQ(test, fs.getcwd(buf, sizeof(buf)), 7);
  KUNIT_EXPECT_STREQ(test, buf, "/t/d/e");
  KUNIT_EXPECT_EQ(test, fs.getcwd(buf, 6), -ERANGE);
  KUNIT_EXPECT_EQ(test, fs.rename("/t/d", "/t/moved"), 0);
  KUNIT_EXPECT_EQ(test, fs.getcwd(buf, sizeof(buf)), 11);
  KUNIT_EXPECT_STREQ(test, buf, "/t/moved/e");
  KUNIT_EXPECT_EQ(test, fs.rmdir("/t/moved/e"), 0);
  KUNIT_EXPECT_EQ(test, fs.getcwd(buf, sizeof(buf)), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.make("x"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.inode_number(".."), fs.inode_number("/t/moved"));
  KUNIT_EXPECT_EQ(test, fs.chdir("/t/top"), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, fs.chdir("/"), 0);
  KUNIT_EXPECT_EQ(test, fs.getcwd(buf, sizeof(buf)), 2);
  KUNIT_EXPECT_STREQ(test, buf, "/");
}

void changed_root(kunit* test) {
  FsCalls fs(test);
  build(fs);
  long out = fs.open("/t", O_RDONLY);
  fs.symlink("/f", "d/abs");
  {
    AsUser u(1000);
    KUNIT_EXPECT_EQ(test, call(sys_chroot, fs.str("d")), -EPERM);
  }
  KUNIT_EXPECT_EQ(test, call(sys_chroot, fs.str("top")), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, call(sys_chroot, fs.str("d")), 0);
  KUNIT_EXPECT_EQ(test, fs.chdir("/"), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("/f"), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("/../../f"), 0);
  KUNIT_EXPECT_EQ(test, fs.inode_number("/abs"), fs.inode_number("/f"));
  char buf[64];
  KUNIT_EXPECT_EQ(test, call(sys_fchdir, out), 0);  // the old way out of a chroot
  KUNIT_EXPECT_GT(test, fs.getcwd(buf, sizeof(buf)), 0);
  KUNIT_EXPECT_STREQ(test, buf, "(unreachable)/t");
  fs.chdir("..");
  KUNIT_EXPECT_EQ(test, call(sys_chroot, fs.str(".")), 0);
}

void bad_addresses(kunit* test) {
  FsCalls fs(test);
  KUNIT_EXPECT_EQ(test, call(sys_openat, AT_FDCWD, 8, 0, 0), -EFAULT);
  KUNIT_EXPECT_EQ(test, call(sys_openat, AT_FDCWD, ~0ul - 100, 0, 0), -EFAULT);
  KUNIT_EXPECT_EQ(test, call(sys_newfstatat, AT_FDCWD, fs.str("/"), 8, 0), -EFAULT);
  KUNIT_EXPECT_EQ(test, call(sys_newfstatat, AT_FDCWD, fs.str("/"), fs.room(200), 0x10000), -EINVAL);
}

kunit_case cases[] = {
    KUNIT_CASE(table), KUNIT_CASE(link_counts), KUNIT_CASE(nested_links), KUNIT_CASE(long_names),
    KUNIT_CASE(search_permission), KUNIT_CASE(group_counts_before_others), KUNIT_CASE(relative_to_descriptors),
    KUNIT_CASE(a_path_descriptor_does_nothing_else), KUNIT_CASE(resolve_flags), KUNIT_CASE(working_directory),
    KUNIT_CASE(changed_root), KUNIT_CASE(bad_addresses), {},
};
kunit_suite suite = {.name = "vfs_walk", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
