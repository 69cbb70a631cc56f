// Walking, renaming, mounting and closing at the same time, on all CPUs.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/kthread.h>

#include <initializer_list>

#include "fs/vfs/vfs.hh"
#include "kernel/fault_inject.hh"
#include "test/vfs/fs_calls.hh"

namespace {

struct Worker {
  int (*step)(int k);  // 0 or what went wrong
  int rounds;
  int wrong;
  completion done;
};

int run_worker(void* arg) {
  auto* w = static_cast<Worker*>(arg);
  for (int k = 0; k < w->rounds; k++)
    if (int r = w->step(k)) w->wrong = r;
  complete(&w->done);
  return 0;
}

void run_all(kunit* test, std::initializer_list<int (*)(int)> steps, int rounds) {
  static Worker workers[8];
  unsigned n = 0;
  for (auto step : steps) {
    Worker& w = workers[n++];
    w = Worker{step, rounds, 0, {}};
    init_completion(&w.done);
    kthread_run(run_worker, &w, "racer%u", n);
  }
  for (unsigned k = 0; k < n; k++) {
    wait_for_completion(&workers[k].done);
    KUNIT_EXPECT_EQ_MSG(test, workers[k].wrong, 0, "worker %u", k);
  }
}

long look(const char* p) {
  kstat st;
  auto r = vfs_stat(p, &st, LOOKUP_FOLLOW);
  return r ? 0 : -r.error().code();
}

// A file whose directory is renamed to and fro can always be found under one of the two names... unless both looks fall
// between two renames; but it never leads anywhere else, and a file that does not move is always found.
int rename_step(int k) {
  auto r = k % 2 ? init_rename("/r/b", "/r/a") : init_rename("/r/a", "/r/b");
  return r ? 0 : r.error().code();
}
int find_still(int) { return static_cast<int>(look("/r/still/f")); }
int find_moving(int) {
  long a = look("/r/a/f"), b = look("/r/b/f");
  return (a && a != -ENOENT) || (b && b != -ENOENT) ? 1 : 0;
}
int walk_up(int) {
  long r = look("/r/still/../still/../still/f");
  return static_cast<int>(r);
}

void renames_and_walks(kunit* test) {
  KUNIT_ASSERT_TRUE(test, init_mkdir("/r", 0755) && init_mkdir("/r/a", 0755) && init_mkdir("/r/still", 0755));
  for (const char* p : {"/r/a/f", "/r/still/f"}) KUNIT_ASSERT_TRUE(test, init_mknod(p, S_IFREG | 0644, 0).has_value());
  run_all(test, {rename_step, find_still, find_moving, walk_up}, 200);
  KUNIT_EXPECT_EQ(test, look("/r/a/f"), 0);
  for (const char* p : {"/r/a/f", "/r/still/f"}) KUNIT_EXPECT_TRUE(test, init_unlink(p).has_value());
  for (const char* p : {"/r/a", "/r/still", "/r"}) KUNIT_EXPECT_TRUE(test, init_rmdir(p).has_value());
}

// Names come and go while others look: found or not, nothing else.
int make_and_remove(int) {
  auto r = init_mknod("/m/x", S_IFREG | 0644, 0);
  if (!r && r.error().code() != EEXIST) return r.error().code();
  r = init_unlink("/m/x");
  return r || r.error().code() == ENOENT ? 0 : r.error().code();
}
int open_it(int) {
  auto f = filp_open("/m/x", O_RDWR, 0);
  if (!f) return f.error().code() == ENOENT ? 0 : f.error().code();
  loff_t pos = 0;
  char c = 'c';
  int wrong = kernel_write(*f, &c, 1, &pos) == 1 ? 0 : 1;
  fput(*f);
  return wrong;
}

void opens_and_unlinks(kunit* test) {
  KUNIT_ASSERT_TRUE(test, init_mkdir("/m", 0755).has_value());
  run_all(test, {make_and_remove, make_and_remove, open_it, open_it}, 200);
  (void)init_unlink("/m/x");
  KUNIT_EXPECT_TRUE(test, init_rmdir("/m").has_value());
}

// A mount comes and goes over a directory: what is found is on one side or the other.
int mount_step(int) {
  if (auto r = do_mount("none", "/c/m", "tmpfs", 0, nullptr); !r) return r.error().code();
  auto r = kern_umount("/c/m", MNT_DETACH);
  return r ? 0 : r.error().code();
}
int find_below(int) {
  long r = look("/c/m/below");
  return r == 0 || r == -ENOENT ? 0 : static_cast<int>(r);
}
int find_beside(int) { return static_cast<int>(look("/c/m/../beside")); }

void mounts_and_walks(kunit* test) {
  KUNIT_ASSERT_TRUE(test, init_mkdir("/c", 0755) && init_mkdir("/c/m", 0755));
  for (const char* p : {"/c/m/below", "/c/beside"}) KUNIT_ASSERT_TRUE(test, init_mknod(p, S_IFREG | 0644, 0).has_value());
  run_all(test, {mount_step, find_below, find_beside, find_beside}, 60);
  for (const char* p : {"/c/m/below", "/c/beside"}) KUNIT_EXPECT_TRUE(test, init_unlink(p).has_value());
  for (const char* p : {"/c/m", "/c"}) KUNIT_EXPECT_TRUE(test, init_rmdir(p).has_value());
}

// Descriptors closed under those who use them (one table, kernel threads share it).
int open_close(int) {
  auto f = filp_open("/dev/null", O_RDWR, 0);
  if (!f) return f.error().code();
  int fd = get_unused_fd_flags(0);
  if (fd < 0) {
    fput(*f);
    return -fd;
  }
  fd_install(static_cast<unsigned>(fd), *f);
  return -close_fd(static_cast<unsigned>(fd));
}
int use_any(int) {
  for (unsigned fd = 0; fd < 4; fd++)
    if (file* f = fget(fd)) {
      bool sane = f->f_op && f->f_inode;
      fput(f);
      if (!sane) return 1;
    }
  return 0;
}
void closing_under_users(kunit* test) { run_all(test, {open_close, open_close, use_any, use_any}, 200); }

// ---- Failures leave no trace -------------------------------------------------------------------------------------------------
// Each way of making a name, with its n-th acquisition failing: either it is there and whole, or nothing is.
template <class Make>
void sweep(kunit* test, FsCalls& fs, const char* what, Make&& make) {
  char names[64];
  for (long n = 1; n < 40; n++) {
    bool fired;
    long r;
    {
      FaultInjection inject(current, n);
      r = make();
      fired = inject.fired();
    }
    if (r >= 0) {
      KUNIT_EXPECT_EQ_MSG(test, fs.exists("n"), 0, "%s %ld", what, n);
      if (fs.unlink("n") == -EISDIR) fs.rmdir("n");
    } else {
      KUNIT_EXPECT_EQ_MSG(test, fs.exists("n"), -ENOENT, "%s %ld", what, n);
    }
    KUNIT_EXPECT_STREQ(test, fs.list("/t", names, sizeof(names)), "old");
    if (!fired) return;
  }
}

void failures_leave_no_names(kunit* test) {
  FsCalls fs(test);
  fs.make("old", "x");
  long at_cwd = AT_FDCWD;
  sweep(test, fs, "mkdir", [&] { return call(sys_mkdirat, at_cwd, fs.str("n"), 0755); });
  sweep(test, fs, "mknod", [&] { return call(sys_mknodat, at_cwd, fs.str("n"), S_IFIFO | 0644, 0); });
  sweep(test, fs, "symlink", [&] { return call(sys_symlinkat, fs.str("to"), at_cwd, fs.str("n")); });
  sweep(test, fs, "link", [&] { return call(sys_linkat, at_cwd, fs.str("old"), at_cwd, fs.str("n"), 0); });
  sweep(test, fs, "open", [&] {
    long fd = call(sys_openat, at_cwd, fs.str("n"), O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (fd >= 0) fs.close(fd);
    return fd;
  });
}

kunit_case cases[] = {
    KUNIT_CASE(renames_and_walks), KUNIT_CASE(opens_and_unlinks), KUNIT_CASE(mounts_and_walks), KUNIT_CASE(closing_under_users),
    KUNIT_CASE(failures_leave_no_names), {},
};
kunit_suite suite = {.name = "vfs_races", .test_cases = cases, .world = {.cpus = 4, .seeds = 5}};

}  // namespace
kunit_test_suite(suite);
