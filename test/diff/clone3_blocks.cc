// Random argument blocks for clone3: valid ones, most with a fault or two, from callers of many kinds.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test/diff/callers.hh"
#include "test/diff/diff.hh"

namespace diff {
namespace {

constexpr u64 kTids = kArea + 0x7000;        // set_tid's numbers
constexpr u64 kParentTid = kArea + 0x9000, kPidfdAt = kArea + 0x9010, kChildTid = kArea + 0x9020;

enum : u64 {
  kVm = CLONE_VM,
  kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
  kClearSighand = 0x100000000,
  kIntoCgroup = 0x200000000,
  kNewTime = 0x80,
};
constexpr u64 kNamespaces[] = {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, kNewTime};
constexpr u64 kHarmless[] = {CLONE_PTRACE, CLONE_UNTRACED, CLONE_IO, CLONE_SYSVSEM, CLONE_FILES, CLONE_PARENT_SETTID,
                             CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID, CLONE_SETTLS, CLONE_VFORK, CLONE_VM};

/// What clone3 gets: the block, as large as it is said to be, and where it is put.
struct Call {
  u64 words[32] = {};
  u64 size = 88;
  u64 where = kArea + 0x6000;
  u64& flags = words[0];
  u64& pidfd = words[1];
  u64& child_tid = words[2];
  u64& parent_tid = words[3];
  u64& exit_signal = words[4];
  u64& stack = words[5];
  u64& stack_size = words[6];
  u64& tls = words[7];
  u64& set_tid = words[8];
  u64& set_tid_size = words[9];
  u64& cgroup = words[10];
  int* tids = reinterpret_cast<int*>(kTids);
};

u64 sensible_flags(Random& r) {
  u64 flags = 0;
  switch (r.below(8)) {
    case 0: break;
    case 1: flags = CLONE_VM | CLONE_VFORK; break;
    case 2: flags = kThread; break;
    case 3: flags = r.one_in(2) ? CLONE_VM | CLONE_SIGHAND : CLONE_FS | CLONE_FILES; break;
    case 4: flags = r.one_in(2) ? CLONE_PARENT : CLONE_IO; break;
    default:
      for (u64 n = r.below(3) + 1; n; n--) flags |= r.of(kNamespaces);
      if (r.one_in(30)) flags |= CLONE_NEWNET;  // rarely: it takes Linux long
  }
  for (u64 n = r.below(4); n; n--) flags |= r.of(kHarmless);
  if (!(flags & CLONE_THREAD) && r.one_in(4)) flags |= CLONE_PIDFD;
  if (!(flags & CLONE_SIGHAND) && r.one_in(6)) flags |= kClearSighand;
  if (r.one_in(8)) flags |= kIntoCgroup;
  if (flags & CLONE_NEWIPC) flags &= ~(u64)CLONE_SYSVSEM;
  return flags;
}

u64 harmless_exit_signal(Random& r) {
  constexpr u64 list[] = {0, 1, 2, 11, 18, 32, 33, 34, 63, 64};
  return r.one_in(2) ? SIGCHLD : r.of(list);
}

/// A block that a caller who may do all, and has nothing special, would have fulfilled.
void fill(Random& r, Call& c) {
  c.flags = sensible_flags(r);
  c.pidfd = kPidfdAt;
  c.parent_tid = kParentTid;
  c.child_tid = kChildTid;
  if (!(c.flags & (CLONE_THREAD | CLONE_PARENT))) c.exit_signal = harmless_exit_signal(r);
  if (r.one_in(3)) {
    c.stack = kArea + 0x2000 + r.below(16);
    c.stack_size = r.below(0x2000) + 1;
  }
  c.tls = r.one_in(2) ? kArea : r.next() >> 18;
  if (r.one_in(4)) {
    c.set_tid = kTids;
    c.set_tid_size = 1;
    for (int i = 0; i < 40; i++) c.tids[i] = 1'000'000 + (int)r.below(3'000'000);
    if (c.flags & CLONE_NEWPID) {
      c.tids[0] = 1;
      c.set_tid_size = 1 + r.below(2);
    }
  }
  if (c.flags & kIntoCgroup) c.cgroup = r.one_in(4) ? kPathCgroupFd : kCgroupFd;
  constexpr u64 sizes[] = {64, 72, 80, 96, 128, 200, 256};
  if (r.one_in(5)) c.size = r.of(sizes);
  if (c.size < 88 && r.one_in(2)) c.flags &= ~kIntoCgroup;
  if (c.size < 80 && r.one_in(2)) c.set_tid = c.set_tid_size = 0;
}

// ---- faults ------------------------------------------------------------------------------------------------------------------------

void odd_flags(Random& r, Call& c) {
  switch (r.below(8)) {
    case 0: c.flags ^= 1ull << r.below(64); break;
    case 1: c.flags |= r.below(256); break;
    case 2: c.flags |= CLONE_DETACHED; break;
    case 3: c.flags |= 1ull << (34 + r.below(30)); break;
    case 4: c.flags |= r.of(kNamespaces) | CLONE_FS; break;
    default: c.flags ^= r.of(kFlags);
  }
}

void odd_exit_signal(Random& r, Call& c) {
  constexpr u64 list[] = {65, 127, 128, 255, 256, 0x111, 1ull << 32 | 17, 1ull << 63, ~0ull, 17, 64};
  c.exit_signal = r.of(list);
}

void odd_stack(Random& r, Call& c) {
  constexpr u64 edge = (1ull << 47) - 4096;
  constexpr u64 values[] = {0, 1, 16, edge - 1, edge, edge + 1, 1ull << 47, 1ull << 63, ~0ull, ~0ull - 4095};
  (r.one_in(2) ? c.stack : c.stack_size) = r.of(values);
  if (r.one_in(3)) {
    c.stack = r.of(values);
    c.stack_size = r.of(values);
  }
}

void odd_tls(Random& r, Call& c) {
  constexpr u64 values[] = {0, (1ull << 47) - 4097, (1ull << 47) - 4096, 1ull << 47, 0xffff800000000000, ~0ull};
  c.flags |= r.one_in(4) ? 0 : CLONE_SETTLS;
  c.tls = r.one_in(4) ? r.next() : r.of(values);
}

void odd_set_tid(Random& r, Call& c) {
  const int numbers[] = {0, 1, 2, -1, INT32_MIN, 299, 300, 301, 4194303, 4194304, 4194305, INT32_MAX, (int)sleeper, (int)sys(SYS_getpid)};
  if (!c.set_tid) {
    c.set_tid = kTids;
    c.set_tid_size = 1;
  }
  switch (r.below(6)) {
    case 0: c.set_tid = r.one_in(2) ? 0 : random_pointer(r); break;
    case 1: c.set_tid_size = r.below(36); break;
    case 2: c.set_tid_size = r.one_in(3) ? 0 : r.next(); break;
    case 3: c.set_tid = kArea + kAreaSize - r.below(12); break;
    default: c.tids[r.below(3)] = r.of(numbers);
  }
}

void odd_cgroup(Random& r, Call& c) {
  constexpr u64 values[] = {kNullFd, kProcFd, kPidfd, kNsPid, 987, kRemovedCgroupFd, kFullCgroupFd, kInvalidCgroupFd, kCgroupFileFd,
                            kRemovedCgroupFd, kFullCgroupFd, kInvalidCgroupFd, 0x7fffffff, 0x80000000, 1ull << 32, ~0ull};
  c.flags |= r.one_in(5) ? 0 : (u64)kIntoCgroup;
  c.cgroup = r.of(values);
}

void odd_places(Random& r, Call& c) {
  switch (r.below(5)) {
    case 0: c.pidfd = random_pointer(r), c.flags |= CLONE_PIDFD; break;
    case 1: c.parent_tid = random_pointer(r), c.flags |= CLONE_PARENT_SETTID; break;
    case 2: c.child_tid = random_pointer(r), c.flags |= r.one_in(2) ? CLONE_CHILD_SETTID : CLONE_CHILD_CLEARTID; break;
    case 3: c.pidfd = c.parent_tid, c.flags |= r.one_in(3) ? CLONE_PIDFD : CLONE_PIDFD | CLONE_PARENT_SETTID; break;
    default: c.where = r.one_in(3) ? kReadOnly : random_pointer(r);
  }
}

void odd_size(Random& r, Call& c) {
  switch (r.below(7)) {
    case 0: c.size = r.below(64); break;
    case 1: c.size = 64 + r.below(24); break;
    case 2: c.size = 89 + r.below(160); break;
    case 3: {
      c.size = 89 + r.below(160);
      reinterpret_cast<unsigned char*>(c.words)[88 + r.below(c.size - 88)] = (unsigned char)(1u << r.below(8));
      break;
    }
    case 4: c.size = 4094 + r.below(5); break;
    case 5: c.size = r.next(); break;
    default: c.where = kArea + kAreaSize - c.size + r.below(9);
  }
}

void add_fault(Random& r, Call& c) {
  constexpr void (*kinds[])(Random&, Call&) = {odd_flags, odd_flags,  odd_exit_signal, odd_stack, odd_tls,
                                               odd_set_tid, odd_set_tid, odd_cgroup,   odd_places, odd_size};
  r.of(kinds)(r, c);
}

// ---- the call ------------------------------------------------------------------------------------------------------------------------

/// Signals that cannot be ignored would end or stop the caller before it said what it saw.
void keep_caller_alive(Call& c) {
  if (c.exit_signal == SIGKILL || c.exit_signal == SIGSTOP) c.exit_signal = SIGCHLD;
}

void put_in_memory(const Call& c) {
  if (c.where < kArea + 0x6000 || c.where >= kArea + kAreaSize) return;
  u64 room = kArea + kAreaSize - c.where;
  memcpy(reinterpret_cast<void*>(c.where), c.words, room < sizeof(c.words) ? room : sizeof(c.words));
}

int word_at(u64 place) {
  int word;
  memcpy(&word, reinterpret_cast<void*>(place), sizeof(word));
  return word;
}

/// 1 for a child, and 1 more if its number was stored, 2 more if a descriptor was.
long verdict(const Call& c, long pid) {
  if (pid <= 0) return pid;
  long stored = 0;
  if (c.flags & CLONE_PARENT_SETTID && c.parent_tid == kParentTid && word_at(kParentTid) == pid) stored |= 1;
  if (c.flags & CLONE_PIDFD && c.pidfd == kPidfdAt && sys(SYS_fcntl, (u64)word_at(kPidfdAt), F_GETFD) >= 0 && word_at(kPidfdAt) >= 3)
    stored |= 2;
  made(pid);
  return 1 + stored;
}

long make_call(const Call& c) {
  long pid = sys_child(SYS_clone3, c.where, c.size, 0, 0, 0);
  return verdict(c, pid);
}

}  // namespace

long clone3_block(Random& r) {
  Call c;
  fill(r, c);
  const u64 faults = r.below(20);
  for (u64 n = faults < 6 ? 0 : faults < 15 ? 1 : faults < 19 ? 2 : 3; n; n--) add_fault(r, c);
  keep_caller_alive(c);
  put_in_memory(c);
  show("clone3: where", &c.where, 1);
  show("  size", &c.size, 1);
  show("  block", c.words, 12);
  const u64 tids[] = {(u64)c.tids[0], (u64)c.tids[1], (u64)c.tids[2]};
  show("  set_tid", tids, 3);
  if (!r.one_in(2)) return make_call(c);
  return as_caller(r, [&] { return make_call(c); });
}

}  // namespace diff
