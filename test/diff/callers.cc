// Callers of many kinds: without power, in namespaces, at limits.
// SPDX-License-Identifier: Apache-2.0
#include "test/diff/callers.hh"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace diff {
namespace {

struct Work {
  Random& r;
  Act act;
  void* arg;
  long operator()() { return act(arg); }
};

// What a caller's making may fail with; no verdict of clone3 looks like it.
constexpr long kNotMade = -900;

bool write_text(const char* path, const char* text) {
  int fd = open(path, O_WRONLY);
  bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  close(fd);
  return good;
}

void become_nobody() {
  sys(SYS_setgroups, 0, 0);
  sys(SYS_setresgid, 1000, 1000, 1000);
  sys(SYS_setresuid, 1000, 1000, 1000);
}

bool keep_capabilities(u64 caps) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{(unsigned)caps, (unsigned)caps, 0}, {(unsigned)(caps >> 32), (unsigned)(caps >> 32), 0}};
  return sys(SYS_capset, (u64)&header, (u64)data) == 0;
}

/// A user namespace whose root the caller is.
bool own_user_namespace() {
  if (sys(SYS_unshare, CLONE_NEWUSER)) return false;
  write_text("/proc/self/setgroups", "deny");
  return write_text("/proc/self/uid_map", "0 0 1") && write_text("/proc/self/gid_map", "0 0 1");
}

/// Runs act in a child, and gives back its verdict by way of the shared page.
template <class F>
long in_child(u64 flags, F f) {
  auto* slot = reinterpret_cast<volatile long*>(kShared) + 1;
  *slot = kNotMade;
  long pid = sys(SYS_clone, flags | 17, 0, 0, 0, 0);
  if (pid < 0) return kNotMade;
  if (pid == 0) {
    const long verdict = f();
    *slot = verdict;
    while (sys(SYS_wait4, ~0ull, 0, 0x40000000, 0) > 0) {}  // whom it was made a parent of, too
    sys(SYS_exit_group, 0);
  }
  finish(pid);
  return *slot;
}

long plain(Work& w) { return w(); }

long nobody(Work& w) {
  become_nobody();
  return w();
}

/// Root without some capabilities: those that clone asks for, at random.
long weakened(Work& w) {
  constexpr u64 asked[] = {CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE, CAP_SYS_RESOURCE, CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT};
  u64 caps = 0;
  for (u64 cap : asked)
    if (w.r.one_in(2)) caps |= 1ull << cap;
  return keep_capabilities(caps) ? w() : kNotMade;
}

long in_user_namespace(Work& w) { return own_user_namespace() ? w() : kNotMade; }

long unmapped_in_user_namespace(Work& w) { return sys(SYS_unshare, CLONE_NEWUSER) ? kNotMade : w(); }

long before_new_pid_namespace(Work& w) { return sys(SYS_unshare, CLONE_NEWPID) ? kNotMade : w(); }

long before_new_time_namespace(Work& w) { return sys(SYS_unshare, 0x80 /* CLONE_NEWTIME */) ? kNotMade : w(); }

long init_of_pid_namespace(Work& w) {
  return in_child(CLONE_NEWPID, [&] { return w(); });
}

long child_in_pid_namespace(Work& w) {
  return in_child(CLONE_NEWPID, [&] {
    auto* deep = reinterpret_cast<volatile long*>(kShared) + 2;
    *deep = kNotMade;
    long pid = sys(SYS_fork);
    if (pid == 0) {
      *deep = w();
      sys(SYS_exit_group, 0);
    }
    finish(pid);
    return (long)*deep;
  });
}

/// Power over the inner pid namespace, none over the outer one.
long in_owned_pid_namespace(Work& w) {
  return own_user_namespace() ? child_in_pid_namespace(w) : kNotMade;
}

long three_pid_namespaces_deep(Work& w) {
  return in_child(CLONE_NEWPID, [&] {
    auto* slot = reinterpret_cast<volatile long*>(kShared) + 3;
    *slot = kNotMade;
    long pid = sys(SYS_clone, CLONE_NEWPID | 17, 0, 0, 0, 0);
    if (pid == 0) {
      *slot = w();
      while (sys(SYS_wait4, ~0ull, 0, 0x40000000, 0) > 0) {}
      sys(SYS_exit_group, 0);
    }
    finish(pid);
    return (long)*slot;
  });
}

long chrooted(Work& w) { return sys(SYS_chroot, (u64) "/tmp/root") ? kNotMade : w(); }

long set_limit(int resource, u64 value) {
  const u64 limit[2] = {value, value};
  return sys(SYS_setrlimit, (u64)resource, (u64)limit);
}

long without_processes(Work& w) {
  if (set_limit(RLIMIT_NPROC, w.r.below(2) ? 0 : 1)) return kNotMade;
  if (!w.r.one_in(4)) become_nobody();
  return w();
}

long without_descriptors(Work& w) { return set_limit(RLIMIT_NOFILE, 3) ? kNotMade : w(); }

long in_full_cgroup(Work& w) { return write_text("/tmp/cg/full/cgroup.procs", "0") ? w() : kNotMade; }

/// In a user namespace that allows no more of one kind of namespace.
long without_namespaces(Work& w) {
  constexpr const char* kinds[] = {"user", "pid", "uts", "ipc", "mnt", "net", "cgroup", "time"};
  char path[64];
  snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", w.r.of(kinds));
  if (!own_user_namespace() || !write_text(path, "0")) return kNotMade;
  return w();
}

constexpr long (*kKinds[])(Work&) = {
    plain, nobody, weakened, in_user_namespace, unmapped_in_user_namespace, before_new_pid_namespace, before_new_time_namespace,
    init_of_pid_namespace, child_in_pid_namespace, in_owned_pid_namespace, three_pid_namespaces_deep, chrooted, without_processes,
    without_descriptors, in_full_cgroup, without_namespaces,
};
constexpr const char* kNames[] = {
    "plain", "nobody", "weakened", "in a user namespace", "unmapped in one", "before a pid namespace", "before a time namespace",
    "init of a pid namespace", "in a pid namespace", "in an owned pid namespace", "deep", "chrooted", "without processes",
    "without descriptors", "in a full cgroup", "without namespaces",
};

}  // namespace

constexpr u64 kCallerKindsValue = sizeof(kKinds) / sizeof(kKinds[0]);
const u64 kCallerKinds = kCallerKindsValue;

long as_caller_of_kind(u64 kind, Random& r, Act act, void* arg) {
  if (shown) printf("  caller: %s\n", kNames[kind]);
  if (shown) fflush(stdout);
  Work work{r, act, arg};
  return apart([&] { return kKinds[kind](work); });
}

}  // namespace diff
