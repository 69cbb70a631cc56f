// Mounts: man 2 mount, umount2, pivot_root; tmpfs limits.
// SPDX-License-Identifier: Apache-2.0
#include "test/vfs/fs_calls.hh"

namespace {

void mounting_covers(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("m");
  fs.make("m/under");
  long below = fs.inode_number("m");
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", "tmpfs"), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("m/under"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.make("m/over"), 0);
  struct stat a, b;
  fs.stat("m", &a);
  fs.stat("/t", &b);
  KUNIT_EXPECT_NE(test, a.st_dev, b.st_dev);
  KUNIT_EXPECT_EQ(test, fs.inode_number("m/.."), fs.inode_number("/t"));
  KUNIT_EXPECT_EQ(test, fs.inode_number("m/../m/over/../.."), -ENOTDIR);
  char names[64];
  KUNIT_EXPECT_STREQ(test, fs.list("m", names, sizeof(names)), "over");
  KUNIT_EXPECT_EQ(test, fs.rmdir("m"), -EBUSY);
  KUNIT_EXPECT_EQ(test, fs.rename("m", "n"), -EBUSY);
  KUNIT_EXPECT_EQ(test, fs.rename("m/over", "over"), -EXDEV);
  KUNIT_EXPECT_EQ(test, fs.umount("m"), 0);
  KUNIT_EXPECT_EQ(test, fs.inode_number("m"), below);
  KUNIT_EXPECT_EQ(test, fs.exists("m/under"), 0);
  KUNIT_EXPECT_EQ(test, fs.umount("m"), -EINVAL);
}

void errors(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("m");
  fs.make("f");
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", "nofs"), -ENODEV);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "no", "tmpfs"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "f", "tmpfs"), -ENOTDIR);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", "tmpfs", 0, "size=x"), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", "tmpfs", 0, "what=1"), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", nullptr), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.umount("m"), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.umount("m", 64), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.umount("/"), -EINVAL);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", "tmpfs"), -EPERM);
}

void busy_and_lazy(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("m");
  fs.mount("none", "m", "tmpfs");
  fs.make("m/f", "text");
  long fd = fs.open("m/f", O_RDONLY);
  KUNIT_EXPECT_EQ(test, fs.umount("m"), -EBUSY);
  KUNIT_EXPECT_EQ(test, fs.umount("m", MNT_DETACH), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("m/f"), -ENOENT);
  char buf[8];
  KUNIT_EXPECT_EQ(test, fs.read(fd, buf, 8), 4);
  fs.close(fd);
  fs.mount("none", "m", "tmpfs");
  fs.mkdir("m/d");
  fs.mount("none", "m/d", "tmpfs");
  KUNIT_EXPECT_EQ(test, fs.umount("m"), -EBUSY);
  KUNIT_EXPECT_EQ(test, fs.umount("m/d"), 0);
  KUNIT_EXPECT_EQ(test, fs.umount("m"), 0);
}

void stacked(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("m");
  fs.mount("none", "m", "tmpfs");
  fs.make("m/one");
  fs.mount("none", "m", "tmpfs");
  fs.make("m/two");
  KUNIT_EXPECT_EQ(test, fs.exists("m/one"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.inode_number("m/.."), fs.inode_number("/t"));
  KUNIT_EXPECT_EQ(test, fs.umount("m"), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("m/one"), 0);
  KUNIT_EXPECT_EQ(test, fs.umount("m"), 0);
}

void read_only(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("m");
  fs.mount("none", "m", "tmpfs");
  fs.make("m/f", "x");
  long w = fs.open("m/f", O_WRONLY);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", nullptr, MS_REMOUNT | MS_RDONLY), -EBUSY);
  fs.close(w);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", nullptr, MS_REMOUNT | MS_RDONLY), 0);
  KUNIT_EXPECT_EQ(test, fs.open("m/f", O_WRONLY), -EROFS);
  KUNIT_EXPECT_EQ(test, fs.open("m/new", O_WRONLY | O_CREAT), -EROFS);
  KUNIT_EXPECT_GE(test, fs.open("m/f", O_RDONLY | O_CREAT), 0);
  KUNIT_EXPECT_EQ(test, fs.mkdir("m/d"), -EROFS);
  KUNIT_EXPECT_EQ(test, fs.mkdir("m/f"), -EEXIST);
  KUNIT_EXPECT_EQ(test, fs.unlink("m/f"), -EROFS);
  KUNIT_EXPECT_EQ(test, fs.chmod("m/f", 0600), -EROFS);
  KUNIT_EXPECT_EQ(test, fs.access("m/f", W_OK), -EROFS);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", nullptr, MS_REMOUNT), 0);
  KUNIT_EXPECT_EQ(test, fs.unlink("m/f"), 0);
}

void flags(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("m");
  fs.mount("none", "m", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW);
  fs.mknod("m/null", S_IFCHR | 0666, 0x103);
  KUNIT_EXPECT_EQ(test, fs.open("m/null", O_RDWR), -EACCES);
  fs.make("m/x", "", 0755);
  KUNIT_EXPECT_EQ(test, fs.access("m/x", X_OK), -EACCES);
  KUNIT_EXPECT_FALSE(test, open_exec("/t/m/x").has_value());
  fs.symlink("x", "m/l");
  KUNIT_EXPECT_EQ(test, fs.open("m/l", O_RDONLY), -ELOOP);
}

void binding(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("a");
  fs.mkdir("a/sub");
  fs.make("a/f");
  fs.mkdir("b");
  fs.make("file");
  KUNIT_EXPECT_EQ(test, fs.mount("a", "b", nullptr, MS_BIND), 0);
  KUNIT_EXPECT_EQ(test, fs.inode_number("b/f"), fs.inode_number("a/f"));
  fs.make("b/g");
  KUNIT_EXPECT_EQ(test, fs.exists("a/g"), 0);
  KUNIT_EXPECT_EQ(test, fs.link("a/f", "b/h"), -EXDEV);  // another mount, though the same file system
  KUNIT_EXPECT_EQ(test, fs.mount("none", "b", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY), 0);
  KUNIT_EXPECT_EQ(test, fs.unlink("b/g"), -EROFS);
  KUNIT_EXPECT_EQ(test, fs.unlink("a/g"), 0);
  KUNIT_EXPECT_EQ(test, fs.umount("b"), 0);
  fs.mount("none", "a/sub", "tmpfs");
  fs.make("a/sub/deep");
  KUNIT_EXPECT_EQ(test, fs.mount("a", "b", nullptr, MS_BIND), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("b/sub/deep"), -ENOENT);
  fs.umount("b");
  KUNIT_EXPECT_EQ(test, fs.mount("a", "b", nullptr, MS_BIND | MS_REC), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("b/sub/deep"), 0);
  KUNIT_EXPECT_EQ(test, fs.umount("b", MNT_DETACH), 0);
  KUNIT_EXPECT_EQ(test, fs.umount("a/sub"), 0);
  fs.make("target");
  KUNIT_EXPECT_EQ(test, fs.mount("file", "target", nullptr, MS_BIND), 0);
  KUNIT_EXPECT_EQ(test, fs.inode_number("target"), fs.inode_number("file"));
  KUNIT_EXPECT_EQ(test, fs.unlink("target"), -EBUSY);
  KUNIT_EXPECT_EQ(test, fs.mount("file", "b", nullptr, MS_BIND), -ENOTDIR);
}

void moving(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("a");
  fs.mkdir("b");
  fs.mount("none", "a", "tmpfs");
  fs.make("a/f");
  fs.mkdir("a/d");
  KUNIT_EXPECT_EQ(test, fs.mount("a", "b", nullptr, MS_MOVE), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("b/f"), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("a/f"), -ENOENT);
  KUNIT_EXPECT_EQ(test, fs.mount("b", "b/d", nullptr, MS_MOVE), -ELOOP);
  KUNIT_EXPECT_EQ(test, fs.mount("a", "b", nullptr, MS_MOVE), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.mount("/", "a", nullptr, MS_MOVE), -EINVAL);
}

void tmpfs_limits(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("m");
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", "tmpfs", 0, "size=16k,nr_inodes=4,mode=0700,uid=5"), 0);
  struct stat st;
  fs.stat("m", &st);
  KUNIT_EXPECT_EQ(test, st.st_mode, S_IFDIR | 0700u);
  KUNIT_EXPECT_EQ(test, st.st_uid, 5u);
  long fd = fs.open("m/f", O_RDWR | O_CREAT);
  unsigned long at = fs.room(5 * 4096);
  KUNIT_EXPECT_EQ(test, call(sys_write, fd, at, 5 * 4096), 4 * 4096);
  KUNIT_EXPECT_EQ(test, call(sys_write, fd, at, 1), -ENOSPC);
  unsigned long where = fs.room(sizeof(struct statfs));
  KUNIT_EXPECT_EQ(test, call(sys_statfs, fs.str("m"), where), 0);
  auto sf = fs.get<struct statfs>(where);
  KUNIT_EXPECT_EQ(test, sf.f_type, long{TMPFS_MAGIC});
  KUNIT_EXPECT_EQ(test, sf.f_blocks, 4l);
  KUNIT_EXPECT_EQ(test, sf.f_bfree, 0l);
  KUNIT_EXPECT_EQ(test, sf.f_files, 4l);
  KUNIT_EXPECT_EQ(test, sf.f_ffree, 2l);
  KUNIT_EXPECT_EQ(test, call(sys_ftruncate, fd, 0), 0);
  KUNIT_EXPECT_EQ(test, call(sys_write, fd, at, 4096), 4096);
  KUNIT_EXPECT_EQ(test, fs.mkdir("m/a"), 0);
  KUNIT_EXPECT_EQ(test, fs.mkdir("m/b"), 0);
  KUNIT_EXPECT_EQ(test, fs.mkdir("m/c"), -ENOSPC);
  KUNIT_EXPECT_EQ(test, fs.link("m/f", "m/g"), -ENOSPC);
  KUNIT_EXPECT_EQ(test, fs.rmdir("m/a"), 0);
  KUNIT_EXPECT_EQ(test, fs.link("m/f", "m/g"), 0);
  fs.close(fd);
  KUNIT_EXPECT_EQ(test, fs.mount("none", "m", nullptr, MS_REMOUNT, "size=32k,nr_inodes=40"), 0);
  KUNIT_EXPECT_EQ(test, fs.mkdir("m/c"), 0);
}

void pivoting(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("outer");
  fs.mount("none", "outer", "tmpfs");
  fs.mkdir("outer/new");
  fs.mount("none", "outer/new", "tmpfs");
  fs.mkdir("outer/new/old");
  fs.make("outer/new/here");
  KUNIT_EXPECT_EQ(test, call(sys_pivot_root, fs.str("/t/outer/new"), fs.str("/t/outer/new/old")), -EINVAL);  // not from rootfs
  KUNIT_EXPECT_EQ(test, call(sys_chroot, fs.str("outer")), 0);
  fs.chdir("/new");
  KUNIT_EXPECT_EQ(test, call(sys_pivot_root, fs.str("/new"), fs.str("/")), -EBUSY);
  KUNIT_EXPECT_EQ(test, call(sys_pivot_root, fs.str("."), fs.str("old")), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("/here"), 0);
  KUNIT_EXPECT_EQ(test, fs.exists("/old/new"), 0);
  KUNIT_EXPECT_EQ(test, fs.umount("/old", MNT_DETACH), 0);
}

void devtmpfs_is_one(kunit* test) {
  FsCalls fs(test);
  fs.mkdir("d");
  KUNIT_EXPECT_EQ(test, fs.mount("dev", "d", "devtmpfs"), 0);
  struct stat st;
  KUNIT_EXPECT_EQ(test, fs.stat("d/null", &st), 0);
  KUNIT_EXPECT_TRUE(test, S_ISCHR(st.st_mode));
  fs.make("d/mine");
  fs.umount("d");
  fs.mount("dev", "d", "devtmpfs");
  KUNIT_EXPECT_EQ(test, fs.unlink("d/mine"), 0);
}

kunit_case cases[] = {
    KUNIT_CASE(mounting_covers), KUNIT_CASE(errors), KUNIT_CASE(busy_and_lazy), KUNIT_CASE(stacked), KUNIT_CASE(read_only),
    KUNIT_CASE(flags), KUNIT_CASE(binding), KUNIT_CASE(moving), KUNIT_CASE(tmpfs_limits), KUNIT_CASE(pivoting),
    KUNIT_CASE(devtmpfs_is_one), {},
};
kunit_suite suite = {.name = "vfs_mount", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
