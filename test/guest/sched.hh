// What the cases about the scheduler share: its system calls' structures, setters, and probes of what this machine allows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "test/guest/guest.hh"

namespace guest {

constexpr int kDeadline = 6;  // SCHED_DEADLINE
constexpr int kResetOnFork = 0x40000000;
constexpr uint64_t kFlagReset = 1, kFlagReclaim = 2, kFlagOverrun = 4, kFlagKeepPolicy = 8, kFlagKeepParams = 16;
constexpr int kCapSysNice = 23;
constexpr pid_t kNobody = 4194300;  // no process has this number

/// Linux's struct sched_attr, as of 6.1 (56 bytes).
struct SchedAttr {
  uint32_t size = 56, policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;
  uint32_t util_min = 0, util_max = 0;
};
static_assert(sizeof(SchedAttr) == 56);

inline long set_policy(pid_t pid, int policy, int priority) {
  sched_param p{.sched_priority = priority};
  return sys(SYS_sched_setscheduler, pid, policy, &p);
}
inline long set_param(pid_t pid, int priority) {
  sched_param p{.sched_priority = priority};
  return sys(SYS_sched_setparam, pid, &p);
}
inline int get_priority_of(pid_t pid) {
  sched_param p{.sched_priority = -1};
  EXPECT_EQ(0, sys(SYS_sched_getparam, pid, &p));
  return p.sched_priority;
}
inline long set_attr(pid_t pid, const SchedAttr& a) { return sys(SYS_sched_setattr, pid, &a, 0); }
inline SchedAttr get_attr(pid_t pid) {
  SchedAttr a;
  EXPECT_EQ(0, sys(SYS_sched_getattr, pid, &a, sizeof(a), 0));
  return a;
}
inline void set_limit(int what, rlim_t value) {
  rlimit r{value, value};
  EXPECT_EQ(0, setrlimit(static_cast<__rlimit_resource>(what), &r));
}
/// May this process make real-time and deadline tasks?
inline bool may_be_realtime() {
  return in_child([] { return set_policy(0, SCHED_FIFO, 1) ? 1 : 0; }) == 0 &&
         in_child([] {
           return set_attr(0, {.policy = kDeadline, .runtime = 5'000'000, .deadline = 20'000'000}) ? 1 : 0;
         }) == 0;
}

}  // namespace guest

#define NEED_REALTIME()                                                                               \
  do {                                                                                                \
    if (!guest::may_be_realtime()) GTEST_SKIP() << "this process may not make real-time and deadline tasks"; \
  } while (0)
