// Namespaces as programs see them: /proc/PID/ns, ioctl_ns(2), setns(2), unshare(2). Spec 20 sections 12.8 and 20.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/wait.h>

#include <linux/errno.h>

#include "kernel/fork/clone_checks.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;

constexpr unsigned NS_GET_USERNS = 0xb701, NS_GET_PARENT = 0xb702, NS_GET_NSTYPE = 0xb703, NS_GET_OWNER_UID = 0xb704;

// /proc at /mnt, numbered as the caller's namespace does.
bool mount_proc() {
  user::Str dir("/mnt"), type("proc");
  sys(__NR_mkdir, dir.addr(), 0755);
  return sys(__NR_mount, type.addr(), dir.addr(), type.addr(), 0, 0) == 0;
}
bool unmount_proc() {
  user::Str dir("/mnt");
  return sys(__NR_umount2, dir.addr(), 0) == 0;
}
long open_file(const char* name, int flags = 0) {
  user::Str path(name);
  return sys(__NR_openat, -100, path.addr(), flags, 0);
}
unsigned long inode_of(long fd) {
  user::Frame st(144);
  return sys(__NR_fstat, fd, st.addr()) ? 0 : user::peek<unsigned long>(st.addr() + 8);
}
unsigned long inode_at(const char* name) {
  long fd = open_file(name);
  unsigned long n = fd < 0 ? 0 : inode_of(fd);
  sys(__NR_close, fd);
  return n;
}
bool link_is(const char* name, const char* text) {
  user::Str path(name);
  user::Frame to(64);
  long n = sys(__NR_readlink, path.addr(), to.addr(), 64);
  char got[64];
  if (n < 0 || static_cast<size_t>(n) != __builtin_strlen(text)) return false;
  user::read_bytes(got, to.addr(), static_cast<size_t>(n));
  return !__builtin_memcmp(got, text, static_cast<size_t>(n));
}
bool set_hostname(const char* name) {
  user::Str text(name);
  return sys(__NR_sethostname, text.addr(), __builtin_strlen(name)) == 0;
}
bool hostname_is(const char* name) {
  user::Frame to(6 * 65);
  char got[65];
  if (sys(__NR_uname, to.addr())) return false;
  user::read_bytes(got, to.addr() + 65, 65);
  return !__builtin_strcmp(got, name);
}

// ---- nsfs -------------------------------------------------------------------------------------------------------------------

// The numbers are those of a real system.
PROGRAM_CASE(initial_numbers) {
  MUST(mount_proc());
  MUST(link_is("/mnt/self/ns/uts", "uts:[4026531838]"));
  MUST(link_is("/mnt/self/ns/ipc", "ipc:[4026531839]"));
  MUST(link_is("/mnt/self/ns/pid", "pid:[4026531836]"));
  MUST(link_is("/mnt/self/ns/pid_for_children", "pid:[4026531836]"));
  MUST(link_is("/mnt/self/ns/user", "user:[4026531837]"));
  MUST(link_is("/mnt/self/ns/time", "time:[4026531834]"));
  MUST(link_is("/mnt/self/ns/net", "net:[4026531840]"));
  MUST(inode_at("/mnt/self/ns/uts") == 4026531838);
  MUST(inode_at("/mnt/thread-self/ns/uts") == 4026531838);
  return unmount_proc() ? 0 : 1;
}

PROGRAM_CASE(ioctls) {
  MUST(mount_proc());
  long uts = open_file("/mnt/self/ns/uts"), pid = open_file("/mnt/self/ns/pid"), user_ns = open_file("/mnt/self/ns/user");
  MUST(uts >= 0 && pid >= 0 && user_ns >= 0);
  MUST(sys(__NR_ioctl, uts, NS_GET_NSTYPE, 0) == CLONE_NEWUTS);
  MUST(sys(__NR_ioctl, pid, NS_GET_NSTYPE, 0) == CLONE_NEWPID);
  MUST(sys(__NR_ioctl, uts, NS_GET_PARENT, 0) == -EINVAL);  // has none by its kind
  MUST(sys(__NR_ioctl, pid, NS_GET_PARENT, 0) == -EPERM);   // is the top
  MUST(sys(__NR_ioctl, user_ns, NS_GET_PARENT, 0) == -EPERM);
  long owner = sys(__NR_ioctl, uts, NS_GET_USERNS, 0);
  MUST(owner >= 0);
  MUST(inode_of(owner) == inode_of(user_ns));
  Var<unsigned> uid(99);
  MUST(sys(__NR_ioctl, user_ns, NS_GET_OWNER_UID, uid.addr()) == 0 && uid.get() == 0);
  MUST(sys(__NR_ioctl, uts, NS_GET_OWNER_UID, uid.addr()) == -EINVAL);
  MUST(sys(__NR_ioctl, uts, 0x5401, 0) == -ENOTTY);
  return unmount_proc() ? 0 : 1;
}

// A file keeps a namespace that nobody lives in; binding it somewhere too.
PROGRAM_CASE(file_keeps_namespace) {
  MUST(mount_proc());
  long home = open_file("/mnt/self/ns/uts");
  MUST(set_hostname("home"));
  MUST(sys(__NR_unshare, CLONE_NEWUTS) == 0);
  MUST(hostname_is("home"));
  MUST(set_hostname("away"));
  long away = open_file("/mnt/self/ns/uts");
  MUST(inode_of(away) != inode_of(home));
  MUST(sys(__NR_setns, home, CLONE_NEWIPC) == -EINVAL);  // F-113: not what it is
  MUST(sys(__NR_setns, home, CLONE_NEWUTS) == 0);
  MUST(hostname_is("home"));
  MUST(sys(__NR_setns, away, 0) == 0);
  MUST(hostname_is("away"));
  return unmount_proc() ? 0 : 1;
}

PROGRAM_CASE(bound_file_keeps_namespace) {
  MUST(mount_proc());
  long home = open_file("/mnt/self/ns/uts");
  MUST(sys(__NR_unshare, CLONE_NEWUTS) == 0);
  MUST(set_hostname("away"));
  long place = open_file("/kept", 0102);
  MUST(place >= 0 && sys(__NR_close, place) == 0);
  user::Str from("/mnt/self/ns/uts"), to("/kept");
  MUST(sys(__NR_mount, from.addr(), to.addr(), 0, 0x1000 /* MS_BIND */, 0) == 0);
  MUST(sys(__NR_setns, home, 0) == 0);
  MUST(!hostname_is("away"));
  long away = open_file("/kept");
  MUST(sys(__NR_setns, away, CLONE_NEWUTS) == 0);
  MUST(hostname_is("away"));
  MUST(sys(__NR_close, away) == 0);
  MUST(sys(__NR_umount2, to.addr(), 0) == 0);
  return unmount_proc() ? 0 : 1;
}

// ---- setns (F-113) --------------------------------------------------------------------------------------------------------------

long lives_apart(unsigned long page) {
  sys(__NR_unshare, CLONE_NEWUTS | CLONE_NEWNET);
  set_hostname("apart");
  user::poke<int>(page, 1);
  return waits_for_signals(0);
}
PROGRAM_CASE(enter_by_pidfd) {
  unsigned long page = shared_page();
  long pid = user::fork(lives_apart, page);
  MUST(comes_true(page, 1));
  MUST(set_hostname("home"));
  long fd = sys(__NR_pidfd_open, pid, 0);
  MUST(fd >= 0);
  MUST(sys(__NR_setns, fd, 0) == -EINVAL);
  MUST(sys(__NR_setns, fd, CLONE_NEWUTS | CLONE_VM) == -EINVAL);
  MUST(sys(__NR_setns, fd, CLONE_NEWUTS | CLONE_NEWUSER) == -EINVAL);  // its user namespace is ours; and uts stays too
  MUST(hostname_is("home"));
  MUST(sys(__NR_setns, fd, CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWPID) == 0);
  MUST(hostname_is("apart"));
  MUST(kill(pid, SIGKILL) == 0);
  MUST(ends_by(pid, SIGKILL));
  MUST(sys(__NR_setns, fd, CLONE_NEWUTS) == -ESRCH);
  return 0;
}

PROGRAM_CASE(setns_refuses) {
  MUST(sys(__NR_setns, 99, 0) == -EBADF);
  user::Frame pipe(8);
  MUST(sys(__NR_pipe, pipe.addr()) == 0);
  MUST(sys(__NR_setns, user::peek<int>(pipe.addr()), 0) == -EINVAL);
  MUST(mount_proc());
  long uts = open_file("/mnt/self/ns/uts");
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(sys(__NR_setns, uts, 0) == -EPERM);
  return 0;
}

// Into a pid namespace go children only, and never upwards.
long looks_up(unsigned long above) { return sys(__NR_setns, static_cast<long>(above), CLONE_NEWPID) == -EINVAL ? 0 : 1; }
PROGRAM_CASE(enter_pid_namespace) {
  MUST(mount_proc());
  long above = open_file("/mnt/self/ns/pid");
  long init = user::clone(CLONE_NEWPID | SIGCHLD, 0, waits_for_signals);
  char name[64] = "/mnt/";
  append_number(name, init);
  __builtin_strcat(name, "/ns/pid");
  long below = open_file(name);
  MUST(below >= 0);
  MUST(sys(__NR_setns, below, CLONE_NEWPID) == 0);
  MUST(inode_at("/mnt/self/ns/pid_for_children") == inode_of(below));
  MUST(inode_at("/mnt/self/ns/pid") == inode_of(above));
  MUST(sys(__NR_ioctl, below, NS_GET_PARENT, 0) >= 0);
  long child = user::fork(looks_up, static_cast<unsigned long>(above));
  MUST(ends_by(child, 0));
  // Who came in from outside is waited for by its parent outside; init's end waits for that (spec 21 X-22 point 5).
  child = user::fork(waits_for_signals);
  MUST(kill(init, SIGKILL) == 0);
  MUST(ends_by(child, SIGKILL));
  MUST(ends_by(init, SIGKILL));
  MUST(sys(__NR_setns, above, CLONE_NEWPID) == 0);
  MUST(user::fork(exits_with) > 0);
  MUST(wait4(-1).pid > 0);
  return unmount_proc() ? 0 : 1;
}

// ---- unshare (F-110..F-112), clone (F-64) --------------------------------------------------------------------------------------------

PROGRAM_CASE(unshare_needs_power) {
  MUST(sys(__NR_setuid, 1000) == 0);
  for (unsigned long f : {CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWPID}) {
    MUST(sys(__NR_unshare, f) == -EPERM);
    MUST(user::clone(f | SIGCHLD, 0, exits_with) == -EPERM);
  }
  return 0;
}

long names_itself(unsigned long) { return set_hostname("child") && hostname_is("child") ? 0 : 1; }
PROGRAM_CASE(clone_into_new) {
  MUST(set_hostname("parent"));
  long pid = user::clone(CLONE_NEWUTS | CLONE_NEWNET | SIGCHLD, 0, names_itself);
  MUST(ends_by(pid, 0));
  MUST(hostname_is("parent"));
  pid = user::fork(names_itself);  // shares ours
  MUST(ends_by(pid, 0));
  MUST(hostname_is("child"));
  return 0;
}

// ---- /proc by namespace -----------------------------------------------------------------------------------------------------------------

bool file_has(const char* name, const char* text) {
  static char got[4096];
  long fd = open_file(name);
  if (fd < 0) return false;
  user::Frame to(4000);
  long n = sys(__NR_read, fd, to.addr(), 4000);
  sys(__NR_close, fd);
  if (n <= 0) return false;
  user::read_bytes(got, to.addr(), static_cast<size_t>(n));
  got[n] = 0;
  return __builtin_strstr(got, text);
}
long looks_at_proc(unsigned long) {
  MUST(file_has("/mnt/self/status", "\nNSpid:\t"));  // of the mount from outside: has a self there, with two numbers
  MUST(unmount_proc() && mount_proc());
  MUST(link_is("/mnt/self", "1"));
  MUST(file_has("/mnt/1/status", "\nPid:\t1\nPPid:\t0\n"));
  MUST(file_has("/mnt/1/status", "\nNSpid:\t1\n"));
  MUST(open_file("/mnt/2/status") == -ENOENT);
  return 0;
}
PROGRAM_CASE(proc_shows_its_namespace) {
  MUST(mount_proc());
  long pid = user::clone(CLONE_NEWPID | SIGCHLD, 0, looks_at_proc);
  MUST(ends_by(pid, 0));
  user::Str self("/mnt/self");
  user::Frame to(64);
  MUST(sys(__NR_readlink, self.addr(), to.addr(), 64) == -ENOENT);  // that mount is the namespace's below
  return unmount_proc() ? 0 : 1;
}

// ---- Time (time_namespaces(7), spec 20 F-27, F-64) ---------------------------------------------------------------------------------------

bool write_file(const char* name, const char* text) {
  long fd = open_file(name, 1);
  user::Str t(text);
  long n = sys(__NR_write, fd, t.addr(), __builtin_strlen(text));
  sys(__NR_close, fd);
  return n == static_cast<long>(__builtin_strlen(text));
}
long write_error(const char* name, const char* text) {
  long fd = open_file(name, 1);
  user::Str t(text);
  long n = sys(__NR_write, fd, t.addr(), __builtin_strlen(text));
  sys(__NR_close, fd);
  return n;
}
constexpr int kMonotonic = 1, kBoottime = 7;
long seconds(int clock) {
  Var<__kernel_timespec> t;
  return sys(__NR_clock_gettime, clock, t.addr()) ? -1 : t.get().tv_sec;
}
constexpr const char kOffsets[] = "/mnt/self/timens_offsets";

long is_ahead(unsigned long) {
  MUST(seconds(kMonotonic) >= 1000 && seconds(kMonotonic) < 1100);
  MUST(seconds(4) >= 1000 && seconds(6) >= 1000);  // RAW and COARSE
  MUST(seconds(kBoottime) >= 5000 && seconds(kBoottime) < 5100);
  MUST(file_has("/mnt/uptime", "5000."));
  MUST(write_error(kOffsets, "monotonic 1 0") == -EACCES);
  // An absolute time in the past is over at once; one just ahead comes soon.
  Var<__kernel_timespec> t({999, 0});
  MUST(sys(__NR_clock_nanosleep, kMonotonic, 1, t.addr(), 0) == 0);
  t.set({seconds(kMonotonic) + 1, 0});
  MUST(sys(__NR_clock_nanosleep, kMonotonic, 1, t.addr(), 0) == 0);
  MUST(seconds(kMonotonic) < 1100);
  long fd = sys(__NR_timerfd_create, kBoottime, 0);
  Var<itimerspec64> when(itimerspec64{{0, 0}, {seconds(kBoottime) + 1, 0}});
  MUST(sys(__NR_timerfd_settime, fd, 1, when.addr(), 0) == 0);
  Var<u64> ticks;
  MUST(sys(__NR_read, fd, ticks.addr(), 8) == 8 && ticks.get() == 1);
  MUST(seconds(kBoottime) < 5100);
  return 0;
}
PROGRAM_CASE(clocks_ahead) {
  MUST(mount_proc());
  MUST(file_has(kOffsets, "monotonic           0         0\nboottime            0         0\n"));
  MUST(write_error(kOffsets, "monotonic 1 0") == -EACCES);
  MUST(sys(__NR_unshare, CLONE_NEWTIME) == 0);
  MUST(seconds(kMonotonic) < 100);
  MUST(user::thread(user::thread_stack(), waits_for_signals) == -EINVAL);  // F-27
  MUST(write_error(kOffsets, "realtime 1 0") == -EINVAL);
  MUST(write_error(kOffsets, "monotonic 1") == -EINVAL);
  MUST(write_error(kOffsets, "monotonic 1 1000000000") == -EINVAL);
  MUST(write_error(kOffsets, "monotonic -100000 0") == -ERANGE);  // would be below 0
  MUST(write_error(kOffsets, "boottime 9223372036 0") == -ERANGE);
  MUST(write_file(kOffsets, "monotonic 1000 0\n7 5000 0\n"));
  MUST(file_has(kOffsets, "monotonic        1000         0\nboottime         5000         0\n"));
  MUST(ends_by(user::fork(is_ahead), 0));
  MUST(seconds(kMonotonic) < 100);
  MUST(write_error(kOffsets, "monotonic 1 0") == -EACCES);  // somebody has lived there
  long ns = open_file("/mnt/self/ns/time_for_children");
  MUST(sys(__NR_setns, ns, CLONE_NEWTIME) == 0);  // at once
  MUST(seconds(kMonotonic) >= 1000);
  return unmount_proc() ? 0 : 1;
}

// spec 20 F-65: so many of a kind, and no more; what a failed call had made counts no longer
struct Limited {
  const char* file;
  unsigned long flag;
};
constexpr Limited kLimited[] = {
    {"/mnt/sys/user/max_user_namespaces", CLONE_NEWUSER}, {"/mnt/sys/user/max_pid_namespaces", CLONE_NEWPID},
    {"/mnt/sys/user/max_uts_namespaces", CLONE_NEWUTS},   {"/mnt/sys/user/max_ipc_namespaces", CLONE_NEWIPC},
    {"/mnt/sys/user/max_net_namespaces", CLONE_NEWNET},   {"/mnt/sys/user/max_mnt_namespaces", CLONE_NEWNS},
    {"/mnt/sys/user/max_cgroup_namespaces", CLONE_NEWCGROUP}, {"/mnt/sys/user/max_time_namespaces", CLONE_NEWTIME},
};
long clone3_with(unsigned long flags) {
  clone_args a{};
  a.flags = flags, a.exit_signal = SIGCHLD;
  Var<clone_args> args(a);
  return user::clone3(args.addr(), sizeof a, flags, waits_for_signals);
}
bool ends_killed(long pid) { return pid > 0 && kill(pid, SIGKILL) == 0 && ends_by(pid, SIGKILL); }
long when_there_is_room(unsigned long flags) {
  long pid;
  for (int i = 0; i < 50 && (pid = clone3_with(flags)) == -ENOSPC; i++) nap(1);  // the last one is put back a grace period late
  return pid;
}
PROGRAM_CASE(namespaces_are_counted) {
  MUST(mount_proc());
  for (const Limited& l : kLimited) {
    if (l.flag & kCloneUnsupported) continue;
    const unsigned long other = l.flag == CLONE_NEWUTS ? CLONE_NEWNET : CLONE_NEWUTS;
    MUST(write_file(l.file, "1"));
    const long one = clone3_with(l.flag);
    MUST(one > 0);
    for (int i = 0; i < 3; i++) MUST(clone3_with(l.flag) == -ENOSPC && clone3_with(l.flag | other) == -ENOSPC);
    MUST(l.flag == CLONE_NEWUSER || sys(__NR_unshare, l.flag) == -ENOSPC);
    MUST(ends_killed(one));
    MUST(ends_killed(when_there_is_room(l.flag)));
    MUST(write_file(l.file, "100"));
  }
  return unmount_proc() ? 0 : 1;
}

kunit_case cases[] = {
    KUNIT_CASE(initial_numbers), KUNIT_CASE(ioctls), KUNIT_CASE(file_keeps_namespace), KUNIT_CASE(bound_file_keeps_namespace),
    KUNIT_CASE(enter_by_pidfd), KUNIT_CASE(setns_refuses), KUNIT_CASE(enter_pid_namespace), KUNIT_CASE(unshare_needs_power),
    KUNIT_CASE(clone_into_new), KUNIT_CASE(proc_shows_its_namespace),
    KUNIT_CASE(clocks_ahead), KUNIT_CASE(namespaces_are_counted), {},
};
kunit_suite suite = {.name = "namespaces", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
