// For suites about cgroups: the files, from inside the kernel.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "kernel/cgroup/internal.hh"
#include "test/fork/helpers.hh"

inline constexpr const char* kCg = "/cg";

inline bool mount_cgroup2() {
  return init_mkdir(kCg, 0755) && do_mount("none", kCg, "cgroup2", 0, nullptr);
}
// What takes a grace period to go is gone.
inline void cg_settle() {
  rcu_barrier();
  rcu_barrier();  // a cgroup's memory goes a grace period after its last css's
}

// 0 or -errno.
inline long cg_write(const char* path, const char* text) {
  auto f = filp_open(path, O_WRONLY, 0);
  if (!f) return f.error().neg();
  loff_t pos = 0;
  long n = kernel_write(*f, text, strlen(text), &pos);
  fput(*f);
  return n < 0 ? n : 0;
}
inline long cg_write_nr(const char* path, long nr) {
  char text[24];
  snprintf(text, sizeof(text), "%ld", nr);
  return cg_write(path, text);
}

// What a file says, in a buffer that the next call uses again; an errno's number as text if it cannot be read.
inline const char* cg_read(const char* path) {
  static char text[1024];
  auto f = filp_open(path, O_RDONLY, 0);
  long n = f ? 0 : f.error().neg();
  if (f) {
    loff_t pos = 0;
    n = kernel_read(*f, text, sizeof(text) - 1, &pos);
    fput(*f);
  }
  if (n < 0)
    snprintf(text, sizeof(text), "%ld", n);
  else
    text[n] = 0;
  return text;
}
inline long cg_mkdir(const char* path) { return to_abi(init_mkdir(path, 0755)); }
inline long cg_rmdir(const char* path) { return to_abi(init_rmdir(path)); }
// A task that sleeps until it is killed, in the given cgroup.
inline pid_t spawn_in(const char* procs) {
  pid_t pid = spawn(obey_signals);
  return cg_write_nr(procs, pid) ? -1 : pid;
}

// A suite's exit: on a machine that runs all cases in one world the next one finds it as this one did. Tasks are the case's to end.
inline void unmount_cgroup2(kunit*) {
  for (const char* control : {"/cg/a/b/cgroup.subtree_control", "/cg/a/cgroup.subtree_control", "/cg/cgroup.subtree_control"})
    for (const char* off : {"-pids", "-cpu", "-cpuset"}) cg_write(control, off);
  for (const char* dir : {"/cg/a/b", "/cg/a/x", "/cg/a/t", "/cg/a/pids.max", "/cg/a", "/cg/b"}) cg_rmdir(dir);
  (void)kern_umount(kCg, 0);
  (void)init_rmdir(kCg);
  for (int i = 0; i < 100 && atomic_long_read(&cgroups->nr_cgroups); i++) {
    schedule_timeout_uninterruptible(1);
    cg_settle();
  }
}
