// Random arguments for the calls around clone3: clone, unshare, setns, waiting, signals to processes, pidfds.
// SPDX-License-Identifier: Apache-2.0
#include <limits.h>

#include "test/diff/diff.hh"

namespace diff {
namespace {

template <class... A>
long call(const char* name, long nr, A... a) {
  u64 list[] = {(u64)a...};
  show(name, list, (int)sizeof...(a));
  return sys(nr, (u64)a...);
}

long clone_block(Random& r) {
  u64 flags = random_flags(r) & ~0xffull;
  flags |= r.one_in(3) ? r.below(256) : r.one_in(2) ? 17 : 0;
  if (r.one_in(10)) flags |= r.next() << 32;
  if (flags & 0x4000 && flags & 0x8000) flags &= ~0x4000ull;
  u64 stack = r.one_in(3) ? random_pointer(r) : 0;
  u64 parent_tid = r.one_in(2) ? random_pointer(r) : kArea + 0x9000;
  u64 child_tid = r.one_in(2) ? random_pointer(r) : kArea + 0x9010;
  u64 tls = r.one_in(3) ? r.next() : kArea;
  u64 list[] = {flags, stack, parent_tid, child_tid, tls};
  show("clone", list, 5);
  return made(sys_child(SYS_clone, flags, stack, parent_tid, child_tid, tls));
}

long unshare_block(Random& r) {
  u64 flags = random_flags(r);
  if (r.one_in(3)) flags &= 0x7e060f00ull | 0x80;
  return apart([=] { return call("unshare", SYS_unshare, flags); });
}

int random_fd(Random& r) { return r.one_in(10) ? (int)r.next() : r.one_in(6) ? 987 : (int)(kNullFd + r.below(kLastFd - kNullFd)); }

long setns_block(Random& r) {
  u64 fd = (u64)random_fd(r);
  u64 type = r.one_in(2) ? r.of(kFlags) : r.one_in(2) ? 0 : random_flags(r);
  return apart([=] { return call("setns", SYS_setns, fd, type); });
}

long waitid_block(Random& r) {
  constexpr u64 options[] = {1, 2, 4, 8, 0x1000000, 0x20000000, 0x40000000, 0x80000000, 0x10};
  u64 type = r.one_in(8) ? r.next() : r.below(5), id = r.one_in(3) ? r.below(3) : r.one_in(3) ? r.next() : (u64)random_fd(r), opts = 1;
  for (u64 n = r.below(4); n; n--) opts |= r.of(options);
  if (r.one_in(3)) opts |= 4;
  u64 info = r.one_in(3) ? random_pointer(r) : kArea + 0x9000, ru = r.one_in(4) ? random_pointer(r) : 0;
  if (type == 1 && r.one_in(3)) id = (u64)sleeper;
  return call("waitid", SYS_waitid, type, id, info, opts, ru);
}

long wait4_block(Random& r) {
  u64 pid = r.one_in(4) ? r.next() : r.one_in(3) ? (u64)sleeper : r.one_in(2) ? (u64)-(long)r.below(4) : (u64)INT32_MIN;
  u64 opts = 1 | (r.one_in(2) ? 1ull << r.below(32) : 0) | (r.one_in(4) ? 0x40000000 : 0);
  return call("wait4", SYS_wait4, pid, random_pointer(r), opts, r.one_in(3) ? random_pointer(r) : 0);
}

/// Only signal numbers that do nothing to the sleeper, which ignores or blocks them all, and to us.
u64 harmless_signal(Random& r) {
  constexpr u64 list[] = {0, 0, 17, 23, 28, 65, 66, 127, 1000, ~0ull, 1ull << 32};
  return r.of(list);
}

u64 random_target(Random& r) {
  constexpr u64 list[] = {0, 1, 4194300, (u64)INT32_MIN, 0x80000000, 0xffffffff00000000};
  u64 which = r.below(4);
  return which == 0 ? r.of(list) : which == 1 ? (u64)sys(SYS_getpid) : which == 2 ? r.next() | 1ull << 30 : (u64)sleeper;
}

void random_info(Random& r, int sig) {
  int* info = (int*)(kArea + 0x9100);
  memset(info, 0, 128);
  info[0] = r.one_in(3) ? (int)r.next() : sig;
  constexpr int codes[] = {0, 0x80, -1, -2, -3, -4, -5, -6, 1, 7, INT32_MIN, INT32_MAX};
  info[2] = r.of(codes);
}

long kill_block(Random& r) {
  u64 sig = harmless_signal(r), pid = random_target(r), tid = random_target(r);
  random_info(r, (int)sig);
  u64 info = r.one_in(6) ? random_pointer(r) & ~0ull : kArea + 0x9100;
  if (info >= kArea + 0x8000 && info < kArea + 0xc004 && info != kArea + 0x9100) memset((void*)(kArea + 0x8000), 0, 0x4100);
  u64 fd = (u64)random_fd(r), flags = r.one_in(6) ? r.next() : 0;
  switch (r.below(6)) {
    case 0: return call("kill", SYS_kill, pid, sig);
    case 1: return call("tgkill", SYS_tgkill, pid, tid, sig);
    case 2: return call("tkill", SYS_tkill, tid, sig);
    case 3: return call("rt_sigqueueinfo", SYS_rt_sigqueueinfo, pid, sig, info);
    case 4: return call("rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, pid, tid, sig, info);
    default: return call("pidfd_send_signal", SYS_pidfd_send_signal, fd, sig, r.one_in(2) ? info : 0, flags);
  }
}

long pidfd_block(Random& r) {
  long fd = -1;
  if (r.one_in(2)) {
    fd = call("pidfd_open", SYS_pidfd_open, random_target(r), r.one_in(3) ? r.next() : r.one_in(2) ? 0x800 : 0);
  } else {
    fd = call("pidfd_getfd", 438, (u64)random_fd(r), (u64)random_fd(r), r.one_in(6) ? r.next() : 0);
  }
  if (fd >= 0) sys(SYS_close, (u64)fd);
  return fd >= 0 ? 1 : fd;
}

}  // namespace

long call_block(Random& r) {
  switch (r.below(11)) {
    case 0:
    case 1: return clone_block(r);
    case 2:
    case 3: return unshare_block(r);
    case 4:
    case 5: return setns_block(r);
    case 6: return waitid_block(r);
    case 7: return wait4_block(r);
    case 8:
    case 9: return kill_block(r);
    default: return pidfd_block(r);
  }
}

}  // namespace diff
