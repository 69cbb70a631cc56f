// For suites about cgroups: what user programs do with the files.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/stat.h>

#include "test/hosted/program.hh"

namespace program {

inline long open_at(const char* path, int flags) {
  user::Str p(path);
  return sys(__NR_open, p.addr(), flags, 0);
}
inline long make_dir(const char* path) {
  user::Str p(path);
  return sys(__NR_mkdir, p.addr(), 0755);
}
inline long remove_dir(const char* path) {
  user::Str p(path);
  return sys(__NR_rmdir, p.addr());
}
inline long mount_at(const char* path, const char* options = "", unsigned long flags = 0) {
  user::Str none("none"), type("cgroup2"), p(path), data(options);
  return sys(__NR_mount, none.addr(), p.addr(), type.addr(), flags, data.addr());
}
inline long write_text(const char* path, const char* text) {  // 0 or -errno
  long fd = open_at(path, O_WRONLY);
  if (fd < 0) return fd;
  user::Str t(text);
  long n = sys(__NR_write, fd, t.addr(), strlen(text));
  sys(__NR_close, fd);
  return n < 0 ? n : 0;
}
inline long write_number(const char* path, long n) {
  char text[24];
  snprintf(text, sizeof(text), "%ld", n);
  return write_text(path, text);
}
struct Text {
  char text[512];
  bool operator==(const char* s) const { return strcmp(text, s) == 0; }
};
inline Text read_text(const char* path) {
  Text t{};
  long fd = open_at(path, O_RDONLY);
  user::Var<Text> buf;
  long n = fd < 0 ? fd : sys(__NR_read, fd, buf.addr(), sizeof(Text) - 1);
  if (fd >= 0) sys(__NR_close, fd);
  if (n >= 0) {
    t = buf.get();
    t.text[n] = 0;
  } else {
    snprintf(t.text, sizeof(t.text), "%ld", n);
  }
  return t;
}
// The file says so before long.
inline bool will_say(const char* path, const char* text) {
  for (int i = 0; i < 200; i++) {
    if (read_text(path) == text) return true;
    nap(1);
  }
  return false;
}
inline long own_dir(const char* path, int uid) {
  user::Str p(path);
  return sys(__NR_chown, p.addr(), uid, uid);
}
inline bool cgroup_is(const char* line) { return read_text("/proc/self/cgroup") == line; }

// mkdir /cg, /proc; both mounted.
inline bool set_up(const char* options = "") {
  user::Str proc("proc"), at("/proc");
  make_dir("/cg");
  make_dir("/proc");
  sys(__NR_mount, proc.addr(), at.addr(), proc.addr(), 0, 0);
  return mount_at("/cg", options) == 0;
}
inline long sleeper_in(const char* procs) {
  long pid = user::fork(waits_for_signals);
  long r = write_number(procs, pid);
  return r ? r : pid;
}
inline bool kill_and_wait(long pid) { return kill(pid, SIGKILL) == 0 && ends_by(pid, SIGKILL); }
// clone3 into the cgroup behind the descriptor.
inline long clone_into(long fd, user::Fn fn, unsigned long arg = 0, u64 flags = 0) {
  clone_args a{};
  a.flags = flags | CLONE_INTO_CGROUP;
  a.exit_signal = flags & CLONE_THREAD ? 0 : SIGCHLD;
  a.cgroup = static_cast<u64>(fd);
  if (flags & CLONE_VM) {
    a.stack = user::thread_stack() - 0x8000;
    a.stack_size = 0x8000;
  }
  Var<clone_args> args(a);
  return user::clone3(args.addr(), sizeof(a), a.flags, fn, arg);
}

}  // namespace program
