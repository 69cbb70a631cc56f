// Mount namespaces and the propagation of mounts: mount_namespaces(7), mount(2), pivot_root(2), setns(2); spec 20 F-64, F-112.
// SPDX-License-Identifier: Apache-2.0
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>

#include "fs/vfs/mount.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/fault_inject.hh"
#include "mm/mm_struct.hh"
#include "test/fork/helpers.hh"
#include "test/vfs/fs_calls.hh"

extern "C" {
long sys_unshare(const pt_regs*);
long sys_setns(const pt_regs*);
}

namespace {

long unshare(unsigned long flags) { return call(sys_unshare, flags); }

// The case and its children share memory and take turns.
struct Case {
  kunit* test;
  FsCalls* fs;
  int (*body)(const Case& c, kunit* test);
  atomic_t step;

  void reach(int n) const { atomic_set_release(const_cast<atomic_t*>(&step), n); }
  void await(int n) const {
    while (atomic_read_acquire(&step) < n) schedule_timeout_uninterruptible(1);
  }
  long mount(const char* dir, unsigned long flags) const { return fs->mount("none", dir, nullptr, flags); }
  long bind(const char* from, const char* to, unsigned long flags = 0) const { return fs->mount(from, to, nullptr, MS_BIND | flags); }
  long tmpfs(const char* dir) const { return fs->mount("none", dir, "tmpfs"); }
  bool is_mounted(const char* dir) const {
    struct stat a, b;
    char up[64];
    scnprintf(up, sizeof(up), "%s/..", dir);
    return !fs->stat(dir, &a) && !fs->stat(up, &b) && a.st_dev != b.st_dev;
  }
  // The optional fields of dir's line in mountinfo: "shared:1 master:2 ".
  const char* fields(const char* dir, char (&out)[128]) const {
    out[0] = 0;
    fs->mkdir("/t/p");
    fs->mount("proc", "/t/p", "proc");
    static char text[8192];
    long fd = fs->open("/t/p/self/mountinfo", O_RDONLY), n = 0;
    for (long r; (r = fs->read(fd, text + n, sizeof(text) - 1 - static_cast<size_t>(n))) > 0;) n += r;
    text[n] = 0;
    fs->close(fd);
    fs->umount("/t/p", MNT_DETACH);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
      char* words = line;
      const char* word = nullptr;
      for (int i = 0; i < 5 && (word = strsep(&words, " ")); i++) {}
      if (!word || strcmp(word, dir)) continue;
      strsep(&words, " ");
      out[0] = 0;  // the last line of that name is the topmost
      while (words && *words != '-') {
        char* field = strsep(&words, " ");
        scnprintf(out + strlen(out), sizeof(out) - strlen(out), "%s ", field);
      }
    }
    return out;
  }
};

int run_body(void* arg) {
  auto* c = static_cast<Case*>(arg);
  (void)unshare_files();
  (void)unshare_fs_struct();
  do_exit(exited(c->body(*c, c->test)));
}
pid_t start(Case* c, int (*body)(const Case&, kunit*)) {
  c->body = body;
  return spawn(run_body, c);
}
void finish(kunit* test, pid_t pid) { KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, 0); }

// A case with a tmpfs of its own at /t/w, private, where all happens.
#define MOUNT_CASE(name)                                \
  void name##_case(const Case& c, kunit* test);         \
  void name(kunit* test) {                              \
    FsCalls fs(test);                                   \
    Case c{test, &fs, nullptr, ATOMIC_INIT(0)};         \
    fs.mkdir("/t/w");                                   \
    KUNIT_ASSERT_EQ(test, c.tmpfs("/t/w"), 0);          \
    for (const char* d : {"/t/w/a", "/t/w/b", "/t/w/c"}) fs.mkdir(d); \
    name##_case(c, test);                               \
    fs.umount("/t/w", MNT_DETACH);                      \
  }                                                     \
  void name##_case([[maybe_unused]] const Case& c, kunit* test)

// ---- Namespaces ---------------------------------------------------------------------------------------------------------

int mounts_in_private(const Case& c, kunit* test) {
  mnt_namespace* old = current_mnt_ns();
  const unsigned before = old->mounts;
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWNS), 0);
  KUNIT_EXPECT_PTR_NE(test, current_mnt_ns(), old);
  KUNIT_EXPECT_EQ(test, current_mnt_ns()->mounts, before);
  // Root and working directory are those of the copy.
  KUNIT_EXPECT_PTR_EQ(test, current->fs->root.mnt->mnt_ns, current_mnt_ns());
  KUNIT_EXPECT_PTR_EQ(test, current->fs->pwd.mnt->mnt_ns, current_mnt_ns());
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/a"), 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a"), 0);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a"));
  KUNIT_EXPECT_EQ(test, old->mounts, before);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a"), 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/b"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w", MNT_DETACH), 0);
  return 0;
}
// spec 20 F-64, F-112
MOUNT_CASE(a_copy_is_private) {
  msleep(2);
  rcu_barrier();  // what cases before have unmounted
  const s64 mounts = atomic_long_read(&vfs->nr_mounts);
  finish(test, start(const_cast<Case*>(&c), mounts_in_private));
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/b"));
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w"));
  msleep(2);
  rcu_barrier();
  KUNIT_EXPECT_EQ(test, atomic_long_read(&vfs->nr_mounts), mounts);  // it went with its last process
  KUNIT_EXPECT_EQ(test, atomic_read(&init_ucounts.ucount[UCOUNT_MNT_NAMESPACES]), 0);
}

int needs_power(const Case&, kunit* test) {
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWNS), -EPERM);
  return 0;
}
MOUNT_CASE(a_namespace_needs_power) { finish(test, start(const_cast<Case*>(&c), needs_power)); }

int waits_in_private(const Case& c, kunit* test) {
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWNS), 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->make("/t/w/a/inside"), 0);
  c.reach(1);
  c.await(2);
  return 0;
}
MOUNT_CASE(entering_another) {
  auto* mine = const_cast<Case*>(&c);
  c.fs->mkdir("/t/p");
  c.fs->mount("proc", "/t/p", "proc");
  pid_t pid = start(mine, waits_in_private);
  c.await(1);
  char name[40];
  scnprintf(name, sizeof(name), "/t/p/%d/ns/mnt", pid);
  const long fd = c.fs->open(name, O_RDONLY);
  KUNIT_ASSERT_GE(test, fd, 0l);
  const long own = c.fs->open("/t/p/self/ns/mnt", O_RDONLY);
  mnt_namespace* old = current_mnt_ns();
  c.fs->chdir("/t/w");
  KUNIT_EXPECT_EQ(test, call(sys_setns, fd, CLONE_NEWUTS), -EINVAL);
  {
    AsUser u(1000);
    KUNIT_EXPECT_EQ(test, call(sys_setns, fd, CLONE_NEWNS), -EPERM);
  }
  KUNIT_EXPECT_PTR_EQ(test, current_mnt_ns(), old);
  KUNIT_EXPECT_EQ(test, call(sys_setns, fd, CLONE_NEWNS), 0);
  KUNIT_EXPECT_PTR_NE(test, current_mnt_ns(), old);
  char cwd[64];
  c.fs->getcwd(cwd, sizeof(cwd));
  KUNIT_EXPECT_STREQ(test, cwd, "/");
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/a/inside"), 0);
  // Neither an own file nor an older namespace's may be mounted: it would keep itself. A younger one's may.
  c.fs->make("/t/w/file");
  KUNIT_EXPECT_EQ(test, c.bind("/t/p/self/ns/mnt", "/t/w/file"), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_setns, own, 0), 0);
  KUNIT_EXPECT_PTR_EQ(test, current_mnt_ns(), old);
  KUNIT_EXPECT_EQ(test, c.bind(name, "/t/w/file"), 0);
  c.reach(2);
  finish(test, pid);
  // Its last process is gone, but the file keeps it.
  const long again = c.fs->open("/t/w/file", O_RDONLY);
  KUNIT_EXPECT_EQ(test, call(sys_setns, again, CLONE_NEWNS), 0);
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/a/inside"), 0);
  KUNIT_EXPECT_EQ(test, call(sys_setns, own, CLONE_NEWNS), 0);
  for (long f : {fd, own, again}) c.fs->close(f);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/file"), 0);
  c.fs->umount("/t/p");
  c.fs->chdir("/t");
}

int covers_a(const Case& c, kunit* test) {
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWNS), 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->rmdir("/t/w/a"), -EBUSY);
  c.reach(1);
  c.await(2);
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/a"), -ENOENT);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a"), -ENOENT);
  return 0;
}
// mount_namespaces(7): what is a mount point only elsewhere can be removed; the mounts there go.
MOUNT_CASE(mount_points_of_others_can_be_removed) {
  pid_t pid = start(const_cast<Case*>(&c), covers_a);
  c.await(1);
  KUNIT_EXPECT_EQ(test, c.fs->rmdir("/t/w/a"), 0);
  c.reach(2);
  finish(test, pid);
}

MOUNT_CASE(so_many_and_no_more) {
  const int was = sysctl_mount_max;
  sysctl_mount_max = static_cast<int>(current_mnt_ns()->mounts);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a"), -ENOSPC);
  sysctl_mount_max++;
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a"), 0);
  KUNIT_EXPECT_EQ(test, c.bind("/t/w/a", "/t/w/b"), -ENOSPC);
  sysctl_mount_max = was;
}

// ---- Propagation ---------------------------------------------------------------------------------------------------------

MOUNT_CASE(peers_get_each_others_mounts) {
  char f[128];
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/a", MS_SHARED), 0);
  KUNIT_EXPECT_EQ(test, c.bind("/t/w/a", "/t/w/b"), 0);
  char g[128];
  KUNIT_EXPECT_STREQ(test, c.fields("/t/w/a", f), c.fields("/t/w/b", g));
  KUNIT_EXPECT_TRUE(test, strncmp(f, "shared:", 7) == 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/b/m"), 0);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a/m"));
  KUNIT_EXPECT_STREQ(test, c.fields("/t/w/a/m", f), c.fields("/t/w/b/m", g));
  KUNIT_EXPECT_EQ(test, c.fs->make("/t/w/a/m/x"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/b/m/x"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/m"), 0);
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/b/m"));
  // A move to a shared place propagates, one out of it is refused.
  c.tmpfs("/t/w/c");
  KUNIT_EXPECT_EQ(test, c.fs->mount("/t/w/c", "/t/w/b/m", nullptr, MS_MOVE), 0);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a/m"));
  KUNIT_EXPECT_EQ(test, c.fs->mount("/t/w/b/m", "/t/w/c", nullptr, MS_MOVE), -EINVAL);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/b/m"), 0);
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/a/m"));
}

MOUNT_CASE(slaves_get_but_do_not_give) {
  char f[128], g[128];
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  c.fs->mkdir("/t/w/a/n");
  c.mount("/t/w/a", MS_SHARED);
  c.bind("/t/w/a", "/t/w/b");
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_SLAVE), 0);
  c.fields("/t/w/a", f);
  c.fields("/t/w/b", g);
  KUNIT_EXPECT_TRUE(test, strncmp(g, "master:", 7) == 0);
  KUNIT_EXPECT_STREQ(test, f + 7, g + 7);  // the same number
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a/m"), 0);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/b/m"));
  c.fields("/t/w/b/m", g);
  KUNIT_EXPECT_TRUE(test, strncmp(g, "master:", 7) == 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/b/n"), 0);
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/a/n"));
  // A slave that is shared again passes on what it gets.
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_SHARED), 0);
  c.fields("/t/w/b", g);
  KUNIT_EXPECT_TRUE(test, strncmp(g, "shared:", 7) == 0 && strstr(g, "master:"));
  KUNIT_EXPECT_EQ(test, c.bind("/t/w/b", "/t/w/c"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/b/n"), 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a/n"), 0);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/b/n"));
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/c/n"));
  c.fields("/t/w/b/n", f);
  c.fields("/t/w/c/n", g);
  KUNIT_EXPECT_STREQ(test, f, g);
  KUNIT_EXPECT_TRUE(test, strncmp(f, "shared:", 7) == 0 && strstr(f, "master:"));
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/n"), 0);
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/b/n"));
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/c/n"));
}

MOUNT_CASE(private_and_unbindable) {
  char f[128];
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  c.mount("/t/w/a", MS_SHARED);
  c.bind("/t/w/a", "/t/w/b");
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_PRIVATE), 0);
  KUNIT_EXPECT_STREQ(test, c.fields("/t/w/b", f), "");
  c.tmpfs("/t/w/a/m");
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/b/m"));
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_UNBINDABLE), 0);
  KUNIT_EXPECT_STREQ(test, c.fields("/t/w/b", f), "unbindable ");
  KUNIT_EXPECT_EQ(test, c.bind("/t/w/b", "/t/w/c"), -EINVAL);
  KUNIT_EXPECT_EQ(test, c.bind("/t/w", "/t/w/c", MS_REC), 0);  // it is left out
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/c/a"));
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/c/b"));
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_SHARED | MS_PRIVATE), -EINVAL);
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/a/..", MS_SHARED), 0);
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/a/m/..", MS_PRIVATE), 0);
  c.fs->mkdir("/t/w/b/m/d");
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b/m/d", MS_PRIVATE), -EINVAL);  // no mount's root
}

MOUNT_CASE(recursive_changes_and_busy_copies) {
  char f[128];
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  c.tmpfs("/t/w/a/m");
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/a", MS_SHARED | MS_REC), 0);
  c.fields("/t/w/a/m", f);
  KUNIT_EXPECT_TRUE(test, strncmp(f, "shared:", 7) == 0);
  KUNIT_EXPECT_EQ(test, c.bind("/t/w/a", "/t/w/b", MS_REC), 0);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/b/m"));
  // Somebody uses the copy: the original stays, too.
  const long fd = c.fs->open("/t/w/b/m", O_RDONLY);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/m"), -EBUSY);
  c.fs->close(fd);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/m"), 0);
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/b/m"));
}

// What is mounted already where a copy arrives ends up on top of it, and stays when the copy goes.
MOUNT_CASE(a_copy_slips_under) {
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  c.mount("/t/w/a", MS_SHARED);
  c.bind("/t/w/a", "/t/w/b");
  c.mount("/t/w/b", MS_SLAVE);
  c.tmpfs("/t/w/b/m");
  c.fs->make("/t/w/b/m/own");
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a/m"), 0);
  c.fs->make("/t/w/a/m/theirs");
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/b/m/own"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/m"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/b/m/own"), 0);
  c.tmpfs("/t/w/a/m");
  c.fs->make("/t/w/a/m/theirs");
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/b/m"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->exists("/t/w/b/m/theirs"), 0);
}

int in_a_copy_of_shared(const Case& c, kunit* test) {
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWNS), 0);
  char f[128];
  c.fields("/t/w/a", f);
  KUNIT_EXPECT_TRUE(test, strncmp(f, "shared:", 7) == 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a/m"), 0);
  c.reach(1);
  c.await(2);
  KUNIT_EXPECT_FALSE(test, c.is_mounted("/t/w/a/m"));  // the parent took it off
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a/n"));
  return 0;
}
MOUNT_CASE(a_new_namespace_keeps_peers) {
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  c.fs->mkdir("/t/w/a/n");
  c.mount("/t/w/a", MS_SHARED);
  pid_t pid = start(const_cast<Case*>(&c), in_a_copy_of_shared);
  c.await(1);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a/m"));
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/m"), 0);
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/a/n"), 0);
  c.reach(2);
  finish(test, pid);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a/n"));  // a namespace's end takes nothing from others
}

// ---- Less power ------------------------------------------------------------------------------------------------------------

void become_user(unsigned id) {
  struct cred* n = prepare_creds();
  n->uid = n->euid = n->suid = n->fsuid = {id};
  n->gid = n->egid = n->sgid = n->fsgid = {id};
  n->cap_effective = n->cap_permitted = {};
  free_uid(n->user);
  n->user = alloc_uid(n->uid);
  set_cred_ucounts(n);
  commit_creds(n);
  set_dumpable(current->mm, SUID_DUMP_USER);
}

int without_power(const Case& c, kunit* test) {
  become_user(1000);
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER | CLONE_NEWNS), 0);
  char f[128];
  // mount_namespaces(7), "Restrictions on mount namespaces": shared mounts become slaves...
  c.fields("/t/w/a", f);
  KUNIT_EXPECT_TRUE(test, strncmp(f, "master:", 7) == 0);
  // ...and what came along is locked together.
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a"), -EINVAL);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a", MNT_DETACH), -EINVAL);
  KUNIT_EXPECT_EQ(test, c.fs->mount("/t/w/a", "/t/w/c", nullptr, MS_MOVE), -EINVAL);
  KUNIT_EXPECT_EQ(test, c.bind("/t/w", "/t/w/c"), -EINVAL);  // would show what /t/w/a covers
  KUNIT_EXPECT_EQ(test, c.bind("/t/w", "/t/w/c", MS_REC), 0);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/c/a"), -EINVAL);
  // Not even a directory kept open shows what is under it after the whole was taken off.
  const long kept = c.fs->open("/t/w/c", O_RDONLY);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/c", MNT_DETACH), 0);
  KUNIT_EXPECT_EQ(test, c.fs->openat(kept, "a/secret", O_RDONLY), -ENOENT);
  KUNIT_EXPECT_GE(test, c.fs->openat(kept, "a/cover", O_RDONLY), 0l);
  KUNIT_EXPECT_GE(test, c.fs->openat(kept, "a/../a", O_RDONLY), 0l);
  // Flags that were set stay set.
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_REMOUNT | MS_BIND), -EPERM);
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_REMOUNT | MS_BIND | MS_RDONLY), -EPERM);  // nosuid is missing
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC), 0);
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOATIME), -EPERM);
  KUNIT_EXPECT_EQ(test, c.mount("/t/w/b", MS_REMOUNT | MS_RDONLY | MS_NOSUID), -EPERM);  // the file system is not ours
  // Own mounts, of file systems that may be.
  KUNIT_EXPECT_EQ(test, c.tmpfs("/t/w/c"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->mkdir("/t/w/c/d"), -EOVERFLOW);  // we have no name in it
  KUNIT_EXPECT_EQ(test, c.fs->open("/t/w/c/f", O_CREAT | O_WRONLY), -EOVERFLOW);
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/c"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->mount("none", "/t/w/c", "devtmpfs"), -EPERM);
  return 0;
}
MOUNT_CASE(less_power_locked_mounts) {
  c.fs->make("/t/w/a/secret");
  c.tmpfs("/t/w/a");
  c.fs->make("/t/w/a/cover");
  c.mount("/t/w/a", MS_SHARED);
  c.bind("/t/w", "/t/w/b");
  c.mount("/t/w/b", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID);
  c.fs->chmod("/t/w", 0777);
  c.fs->mkdir("/t/p");
  c.fs->mount("proc", "/t/p", "proc");
  finish(test, start(const_cast<Case*>(&c), without_power));
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a"));
}

int receives_a_tree(const Case& c, kunit* test) {
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER | CLONE_NEWNS), 0);
  c.reach(1);
  c.await(2);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a/m/deep"));
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/m/deep"), -EINVAL);  // came as one with what is around it
  KUNIT_EXPECT_EQ(test, c.fs->umount("/t/w/a/m", MNT_DETACH), 0);
  return 0;
}
MOUNT_CASE(propagated_trees_are_locked_below_their_root) {
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  c.mount("/t/w/a", MS_SHARED);
  c.tmpfs("/t/w/c");
  c.fs->mkdir("/t/w/c/deep");
  c.tmpfs("/t/w/c/deep");
  pid_t pid = start(const_cast<Case*>(&c), receives_a_tree);
  c.await(1);
  KUNIT_EXPECT_EQ(test, c.bind("/t/w/c", "/t/w/a/m", MS_REC), 0);
  c.reach(2);
  finish(test, pid);
  KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/a/m/deep"));
}

// A /proc that somebody made read-only, or covered, is not to be had by mounting another.
int wants_proc(const Case& c, kunit* test) {
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER | CLONE_NEWNS), 0);
  KUNIT_EXPECT_EQ(test, c.fs->mount("proc", "/t/w/c", "proc"), -EPERM);  // the pid namespace is not ours
  KUNIT_EXPECT_EQ(test, c.fs->mount("none", "/t/w/c", "sysfs"), -EPERM);  // nor the network's
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWPID), 0);
  auto first = kernel_clone({.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = [](void* arg) -> int {
    auto* in = static_cast<Case*>(arg);
    const long r = in->fs->mount("proc", "/t/w/c", "proc");
    do_exit(exited(r == (atomic_read(&in->step) ? 0l : -EPERM) ? 0 : 1));
  }, .fn_arg = const_cast<Case*>(&c)});
  KUNIT_EXPECT_TRUE(test, first.has_value());
  KUNIT_EXPECT_EQ(test, wait_for(-1).event.status, 0);
  return 0;
}
MOUNT_CASE(new_proc_only_where_one_shows) {
  auto* mine = const_cast<Case*>(&c);
  c.fs->umount("/t/p", MNT_DETACH);
  finish(test, start(mine, wants_proc));
  KUNIT_EXPECT_EQ(test, c.fs->mount("proc", "/t/w/b", "proc"), 0);
  KUNIT_EXPECT_EQ(test, c.bind("/t/w/a", "/t/w/b/self"), 0);  // over something
  finish(test, start(mine, wants_proc));
  c.fs->umount("/t/w/b", MNT_DETACH);
  KUNIT_EXPECT_EQ(test, c.fs->mount("proc", "/t/w/b", "proc"), 0);
  c.reach(1);
  finish(test, start(mine, wants_proc));
}

// ---- pivot_root ------------------------------------------------------------------------------------------------------------

int pivots(const Case& c, kunit* test) {
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWNS), 0);
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/new");
  c.tmpfs("/t/w/a/new");
  c.fs->mkdir("/t/w/a/new/old");
  auto pivot = [&](const char* fresh, const char* old) { return call(sys_pivot_root, c.fs->str(fresh), c.fs->str(old)); };
  KUNIT_EXPECT_EQ(test, pivot("/t/w/a/new", "/t/w/a/new/old"), -EINVAL);  // our root is the first mount of all
  call(sys_chroot, c.fs->str("/t/w/a"));
  c.fs->chdir("/");
  KUNIT_EXPECT_EQ(test, pivot("/new/old", "/new/old"), -EINVAL);  // no mount's root
  KUNIT_EXPECT_EQ(test, pivot("/new", "/"), -EBUSY);
  KUNIT_EXPECT_EQ(test, pivot("/", "/new/old"), -EBUSY);
  c.mount("/", MS_SHARED);
  KUNIT_EXPECT_EQ(test, pivot("/new", "/new/old"), -EINVAL);  // the new root's parent is shared
  c.mount("/", MS_PRIVATE);
  KUNIT_EXPECT_EQ(test, pivot("/new", "/new/old"), 0);
  KUNIT_EXPECT_EQ(test, c.fs->exists("/old/new"), 0);
  char cwd[64];
  c.fs->getcwd(cwd, sizeof(cwd));
  KUNIT_EXPECT_STREQ(test, cwd, "/");
  KUNIT_EXPECT_EQ(test, c.fs->umount("/old", MNT_DETACH), 0);
  KUNIT_EXPECT_EQ(test, c.fs->exists("/old/new"), -ENOENT);
  return 0;
}
MOUNT_CASE(pivot_root_rules) { finish(test, start(const_cast<Case*>(&c), pivots)); }

// ---- Failures ----------------------------------------------------------------------------------------------------------------

// spec 20 F-50, F-51: each acquisition fails in turn; nothing is left, and mounts are where they were.
template <class Try>
void sweep(kunit* test, const char* what, Try&& attempt) {
  rcu_barrier();
  const s64 mounts = atomic_long_read(&vfs->nr_mounts);
  const unsigned in_ns = current_mnt_ns()->mounts;
  mnt_namespace* ns = current_mnt_ns();
  for (long n = 1;; n++) {
    KUNIT_ASSERT_LT(test, n, 200l);
    long error;
    bool fired;
    {
      FaultInjection inject(current, n);
      error = attempt();
      fired = inject.fired();
    }
    rcu_barrier();
    KUNIT_EXPECT_EQ(test, atomic_long_read(&vfs->nr_mounts), mounts);
    KUNIT_EXPECT_EQ(test, ns->mounts, in_ns);
    KUNIT_EXPECT_PTR_EQ(test, current_mnt_ns(), ns);
    if (!fired) {
      KUNIT_EXPECT_EQ(test, error, 0l);
      kunit_info(test, "%s: %ld acquisitions", what, n - 1);
      return;
    }
    KUNIT_EXPECT_TRUE_MSG(test, !error || error == -ENOMEM || error == -ENOSPC || error == -EFAULT, "acquisition %ld: %ld", n, error);
  }
}

MOUNT_CASE(every_acquisition_of_a_copy_fails) {
  c.tmpfs("/t/w/a");
  c.mount("/t/w/a", MS_SHARED);
  sweep(test, "copy_mnt_ns", []() -> long {
    fs_struct* fs = copy_fs_struct(current->fs);
    if (!fs) return -ENOMEM;
    auto ns = copy_mnt_ns(CLONE_NEWNS, current_mnt_ns(), current_user_ns(), fs);
    if (!ns && fs->root.mnt != current->fs->root.mnt) return -EFAULT - 1;  // moved all the same
    put_fs_struct(fs);
    if (ns) put_mnt_ns(*ns);
    return ns ? 0 : ns.error().neg();
  });
  KUNIT_EXPECT_EQ(test, atomic_read(&init_ucounts.ucount[UCOUNT_MNT_NAMESPACES]), 0);
}

MOUNT_CASE(every_acquisition_of_a_shared_mount_fails) {
  char f[128], g[128];
  c.tmpfs("/t/w/a");
  c.fs->mkdir("/t/w/a/m");
  c.mount("/t/w/a", MS_SHARED);
  c.bind("/t/w/a", "/t/w/b");
  c.bind("/t/w/a", "/t/w/c");
  c.mount("/t/w/c", MS_SLAVE);
  c.mount("/t/w/c", MS_SHARED);
  c.fields("/t/w/c", f);
  sweep(test, "shared bind", [&]() -> long {
    auto r = do_mount("/t/w", "/t/w/a/m", nullptr, MS_BIND, nullptr);
    if (!r) return r.error().neg();
    KUNIT_EXPECT_TRUE(test, c.is_mounted("/t/w/c/m"));
    return to_abi(kern_umount("/t/w/a/m", MNT_DETACH));
  });
  KUNIT_EXPECT_STREQ(test, c.fields("/t/w/c", g), f);
}

kunit_case cases[] = {
    KUNIT_CASE(a_copy_is_private), KUNIT_CASE(a_namespace_needs_power), KUNIT_CASE(entering_another),
    KUNIT_CASE(mount_points_of_others_can_be_removed), KUNIT_CASE(so_many_and_no_more), KUNIT_CASE(peers_get_each_others_mounts),
    KUNIT_CASE(slaves_get_but_do_not_give), KUNIT_CASE(private_and_unbindable), KUNIT_CASE(recursive_changes_and_busy_copies),
    KUNIT_CASE(a_copy_slips_under), KUNIT_CASE(a_new_namespace_keeps_peers), KUNIT_CASE(less_power_locked_mounts),
    KUNIT_CASE(propagated_trees_are_locked_below_their_root), KUNIT_CASE(new_proc_only_where_one_shows),
    KUNIT_CASE(pivot_root_rules), KUNIT_CASE(every_acquisition_of_a_copy_fails),
    KUNIT_CASE(every_acquisition_of_a_shared_mount_fails), {},
};
kunit_suite suite = {.name = "mount_namespaces", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
