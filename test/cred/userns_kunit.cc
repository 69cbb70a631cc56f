// User namespaces: user_namespaces(7); spec 20 12.2 and 20, F-61, F-62.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/user_namespace.hh"

#include <linux/limits.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user.hh"
#include "kernel/fault_inject.hh"
#include "kernel/fork/copy_process.hh"
#include "mm/mm_struct.hh"
#include "test/fork/helpers.hh"
#include "test/vfs/fs_calls.hh"

extern "C" {
long sys_unshare(const pt_regs*);
long sys_setuid(const pt_regs*);
long sys_setgid(const pt_regs*);
long sys_setresuid(const pt_regs*);
long sys_setgroups(const pt_regs*);
long sys_getuid(const pt_regs*);
long sys_getgid(const pt_regs*);
long sys_getresuid(const pt_regs*);
}

namespace {

// ---- Maps ---------------------------------------------------------------------------------------------------------------

struct MapText {
  const char* text;
  int error;
};
const MapText kTexts[] = {
    {"0 1000 1\n", 0},
    {"0 1000 1", 0},
    {"  0\t1000   1  \n", 0},
    {"0 1000 10\n10 2000 5\n", 0},
    {"10 2000 5\n0 1000 10\n", 0},
    {"0 0 4294967295\n", 0},
    {"", EINVAL},
    {"\n", EINVAL},
    {"0 1000\n", EINVAL},
    {"0 1000 0\n", EINVAL},
    {"0 1000 1 x\n", EINVAL},
    {"0 1000 1\n\n", EINVAL},
    {"0 0 4294967297\n", 0},
    {"a 1000 1\n", EINVAL},
    {"0 -1 1\n", EINVAL},
    {"4294967295 0 1\n", EINVAL},
    {"0 4294967295 1\n", EINVAL},
    {"1 0 4294967295\n", EINVAL},
    {"0 1000 10\n9 2000 1\n", EINVAL},
    {"0 1000 10\n20 1009 1\n", EINVAL},
};
void describe(const MapText* m, char* desc) { strscpy(desc, *m->text ? m->text : "nothing", KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(texts, kTexts, describe);

void map_text(kunit* test) {
  auto* m = static_cast<const MapText*>(test->param_value);
  char text[64];
  strscpy(text, m->text, sizeof(text));
  IdMap map;
  auto r = parse_id_map(text, &map);
  KUNIT_EXPECT_EQ(test, r ? 0 : r.error().code(), m->error);
  free_id_map(&map);
}

// n ranges of 3 ids: 10k.. inside are 100000 - 10k.. outside, so that one direction is sorted the other way round.
IdMap make_map(kunit* test, unsigned n) {
  constexpr size_t kText = 20 * kMapMax;
  auto* text = static_cast<char*>(kmalloc(kText, GFP_KERNEL));
  size_t used = 0;
  for (unsigned k = 0; k < n; k++)
    used += static_cast<size_t>(scnprintf(text + used, kText - used, "%u %u 3\n", 10 * k, 100000 - 10 * k));
  IdMap map;
  auto r = parse_id_map(text, &map);
  KUNIT_EXPECT_EQ(test, r.has_value(), n <= kMapMax);
  if (r) KUNIT_EXPECT_TRUE(test, sort_id_map(&map).has_value());
  kfree(text);
  return map;
}

void few_and_many_ranges(kunit* test) {
  for (unsigned n : {1u, 5u, 6u, 340u}) {
    IdMap map = make_map(test, n);
    for (unsigned k = 0; k < n; k++) {
      KUNIT_EXPECT_EQ(test, map_id_down(&map, 10 * k + 2), 100002 - 10 * k);
      KUNIT_EXPECT_EQ(test, map_id_up(&map, 100001 - 10 * k), 10 * k + 1);
      KUNIT_EXPECT_EQ(test, map_id_down(&map, 10 * k + 3), ~0u);
      KUNIT_EXPECT_EQ(test, map_id_up(&map, 100003 - 10 * k), ~0u);
    }
    KUNIT_EXPECT_EQ(test, map_id_range_down(&map, 1, 2), 100001u);
    KUNIT_EXPECT_EQ(test, map_id_range_down(&map, 1, 3), ~0u);
    free_id_map(&map);
  }
  IdMap too_many = make_map(test, 341);
  free_id_map(&too_many);
}

// ---- Processes in namespaces ----------------------------------------------------------------------------------------------

// What a child of the case works with: it shares the case's memory, and has a /proc at /t/p.
struct Inside {
  kunit* test;
  FsCalls* fs;

  long write(const char* name, const char* text) const {
    char path[64];
    scnprintf(path, sizeof(path), "/t/p/self/%s", name);
    long fd = fs->open(path, O_WRONLY);
    if (fd < 0) return fd;
    long r = fs->write(fd, text);
    fs->close(fd);
    return r < 0 ? r : 0;
  }
  const char* read(const char* name, char (&buf)[256]) const {
    char path[64];
    scnprintf(path, sizeof(path), "/t/p/self/%s", name);
    long fd = fs->open(path, O_RDONLY);
    long n = fs->read(fd, buf, sizeof(buf) - 1);
    buf[n < 0 ? 0 : n] = 0;
    fs->close(fd);
    return buf;
  }
};

// The body runs as a process of its own, so that the case's task stays where it is.
// The namespaces of the cases before, in the same world, go with their last credentials, a grace period after the process.
void settle() {
  for (int i = 0; i < 500 && atomic_read(&init_ucounts.ucount[UCOUNT_USER_NAMESPACES]); i++) {
    schedule_timeout_uninterruptible(1);
    rcu_barrier();
  }
}

#define INSIDE(name)                                                     \
  int name##_body(const Inside& in, kunit* test);                       \
  void name(kunit* test) {                                               \
    FsCalls fs(test);                                                    \
    settle();                                                            \
    fs.mkdir("/t/p");                                                    \
    KUNIT_ASSERT_EQ(test, fs.mount("proc", "/t/p", "proc"), 0);          \
    Inside in{test, &fs};                                                \
    auto run = [](void* arg) -> int {                                    \
      auto* i = static_cast<Inside*>(arg);                               \
      (void)unshare_files();                                             \
      (void)unshare_fs_struct();                                         \
      do_exit(exited(name##_body(*i, i->test)));                         \
    };                                                                   \
    KUNIT_EXPECT_EQ(test, wait_for(spawn(run, &in)).event.status, 0);    \
    rcu_barrier();                                                       \
  }                                                                      \
  int name##_body(const Inside& in, [[maybe_unused]] kunit* test)

void become_user(unsigned id) {
  struct cred* n = prepare_creds();
  n->uid = n->euid = n->suid = n->fsuid = {id};
  n->gid = n->egid = n->sgid = n->fsgid = {id};
  n->cap_effective = n->cap_permitted = n->cap_inheritable = {};
  free_uid(n->user);
  n->user = alloc_uid(n->uid);
  set_cred_ucounts(n);
  commit_creds(n);
  set_dumpable(current->mm, SUID_DUMP_USER);  // as after an exec
}
long unshare(unsigned long flags) { return call(sys_unshare, flags); }
const struct cred& mine() { return *current->cred; }

// spec 20 F-61
INSIDE(a_new_namespace_gives_all_power_in_it) {
  become_user(1000);
  KUNIT_EXPECT_FALSE(test, capable(CAP_SYS_ADMIN));
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), 0);
  KUNIT_EXPECT_EQ(test, mine().cap_effective.bits, kCapFull.bits);
  KUNIT_EXPECT_EQ(test, mine().cap_permitted.bits, kCapFull.bits);
  KUNIT_EXPECT_EQ(test, mine().cap_bset.bits, kCapFull.bits);
  KUNIT_EXPECT_EQ(test, mine().cap_inheritable.bits | mine().cap_ambient.bits, 0ull);
  KUNIT_EXPECT_EQ(test, mine().securebits, 0u);
  KUNIT_EXPECT_TRUE(test, ns_capable(current_user_ns(), CAP_SYS_ADMIN));
  KUNIT_EXPECT_FALSE(test, capable(CAP_SYS_ADMIN));
  KUNIT_EXPECT_EQ(test, current_user_ns()->level, 1);
  // Nothing is mapped yet.
  KUNIT_EXPECT_EQ(test, call(sys_getuid), 65534l);
  KUNIT_EXPECT_EQ(test, call(sys_getgid), 65534l);
  KUNIT_EXPECT_EQ(test, call(sys_setuid, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_setgid, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), -EPERM);  // an owner without a name in its parent
  return 0;
}

INSIDE(an_unprivileged_user_maps_itself) {
  become_user(1000);
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 1000 1\n"), -EPERM);  // the initial one's; and not ours
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), 0);
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 1001 1\n"), -EPERM);
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 1000 2\n"), -EPERM);
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 1000\n"), -EINVAL);
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 1000 1\n"), 0);
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 1000 1\n"), -EPERM);  // once
  KUNIT_EXPECT_EQ(test, in.write("gid_map", "0 1000 1\n"), -EPERM);  // setgroups is allowed still
  char buf[256];
  KUNIT_EXPECT_STREQ(test, in.read("setgroups", buf), "allow\n");
  KUNIT_EXPECT_EQ(test, in.write("setgroups", "sometimes\n"), -EINVAL);
  KUNIT_EXPECT_EQ(test, in.write("setgroups", "deny\n"), 0);
  KUNIT_EXPECT_EQ(test, in.write("setgroups", "allow\n"), -EPERM);
  KUNIT_EXPECT_EQ(test, in.write("gid_map", "0 1000 1\n"), 0);
  KUNIT_EXPECT_STREQ(test, in.read("setgroups", buf), "deny\n");
  KUNIT_EXPECT_EQ(test, in.write("setgroups", "deny\n"), -EPERM);  // too late to say it again
  KUNIT_EXPECT_EQ(test, call(sys_setgroups, 0, 0), -EPERM);
  KUNIT_EXPECT_STREQ(test, in.read("uid_map", buf), "         0       1000          1\n");
  KUNIT_EXPECT_EQ(test, call(sys_getuid), 0l);
  KUNIT_EXPECT_EQ(test, call(sys_getgid), 0l);
  KUNIT_EXPECT_EQ(test, mine().uid.val, 1000u);
  KUNIT_EXPECT_EQ(test, call(sys_setuid, 1), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_setuid, 0), 0);
  KUNIT_EXPECT_EQ(test, in.write("projid_map", "0 0 10\n"), 0);
  // Limits of its own, which nobody outside has to follow.
  KUNIT_EXPECT_EQ(test, in.write("../sys/user/max_user_namespaces", "0"), 0);
  KUNIT_EXPECT_STREQ(test, in.read("../sys/user/max_user_namespaces", buf), "0\n");
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), -ENOSPC);
  KUNIT_EXPECT_GT(test, init_user_ns.ucount_max[UCOUNT_USER_NAMESPACES], 0);
  return 0;
}

INSIDE(root_maps_at_will_and_setgroups_follows) {
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), 0);
  KUNIT_EXPECT_EQ(test, call(sys_setgroups, 0, 0), -EPERM);  // no gid_map yet
  // Written from within: no power in the parent any more, but one's own id.
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 0 10\n"), -EPERM);
  KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 0 1\n"), 0);
  KUNIT_EXPECT_EQ(test, in.write("setgroups", "deny"), 0);
  KUNIT_EXPECT_EQ(test, in.write("gid_map", "0 0 1\n"), 0);
  return 0;
}

int sleeps_in_namespace(void*) {
  unshare(CLONE_NEWUSER);
  return obey_signals(nullptr);
}

// Maps of a child, by its privileged parent.
INSIDE(the_parent_maps_the_child) {
  pid_t child = spawn(sleeps_in_namespace);
  auto write = [&](const char* name, const char* text) {
    char path[64];
    scnprintf(path, sizeof(path), "/t/p/%d/%s", child, name);
    long fd = in.fs->open(path, O_WRONLY);
    if (fd < 0) return fd;
    long r = in.fs->write(fd, text);
    in.fs->close(fd);
    return r;
  };
  TaskRef t(child);
  auto ns_of = [&] {
    RcuReadGuard rcu;
    return rcu_dereference(t->real_cred)->user_ns;
  };
  while (ns_of() == &init_user_ns) schedule_timeout_uninterruptible(1);
  user_namespace* ns = ns_of();
  KUNIT_EXPECT_TRUE(test, uid_eq(ns->owner, kuid_t{0}));
  KUNIT_EXPECT_EQ(test, write("uid_map", "0 100000 65536\n65536 10 5\n"), 26l);
  KUNIT_EXPECT_EQ(test, write("gid_map", "0 100000 65536\n"), 15l);
  KUNIT_EXPECT_EQ(test, write("setgroups", "deny"), -EPERM);  // too late
  KUNIT_EXPECT_EQ(test, make_kuid(ns, 5).val, 100005u);
  KUNIT_EXPECT_EQ(test, make_kuid(ns, 65540).val, 14u);
  KUNIT_EXPECT_EQ(test, make_kuid(ns, 65541).val, ~0u);
  KUNIT_EXPECT_EQ(test, from_kuid(ns, {100005}), 5u);
  KUNIT_EXPECT_EQ(test, from_kuid(ns, {1}), ~0u);
  KUNIT_EXPECT_EQ(test, from_kuid_munged(ns, {1}), 65534u);
  KUNIT_EXPECT_EQ(test, make_kgid(ns, 65535).val, 165535u);
  KUNIT_EXPECT_TRUE(test, userns_may_setgroups(ns));
  // The owner, from the parent, has all capabilities in it; so has whoever has them in the parent.
  KUNIT_EXPECT_TRUE(test, ns_capable(ns, CAP_SETUID));
  become_user(1000);
  KUNIT_EXPECT_FALSE(test, ns_capable(ns, CAP_SETUID));
  send(child, SIGKILL);
  wait_for(child);
  return 0;
}

// spec 20 F-61: the order of refusals, and that what was charged is given back.
INSIDE(limits_of_nesting_and_number) {
  int* max = &init_user_ns.ucount_max[UCOUNT_USER_NAMESPACES];
  const int was = *max;
  *max = 0;
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), -ENOSPC);
  *max = was;
  int depth = 0;
  long r;
  while (!(r = unshare(CLONE_NEWUSER)) && depth < 100) {
    depth++;
    KUNIT_EXPECT_EQ(test, in.write("uid_map", "0 0 1\n"), 0);
    in.write("setgroups", "deny");
    KUNIT_EXPECT_EQ(test, in.write("gid_map", "0 0 1\n"), 0);
  }
  KUNIT_EXPECT_EQ(test, r, -ENOSPC);
  KUNIT_EXPECT_EQ(test, depth, kUserNsMaxLevel + 1);
  KUNIT_EXPECT_EQ(test, atomic_read(&init_ucounts.ucount[UCOUNT_USER_NAMESPACES]), depth);
  return 0;
}

INSIDE(a_chroot_cannot_be_left_by_a_namespace) {
  in.fs->mkdir("/t/root");
  call(sys_chroot, in.fs->str("/t/root"));
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), -EPERM);
  KUNIT_EXPECT_EQ(test, atomic_read(&init_ucounts.ucount[UCOUNT_USER_NAMESPACES]), 0);
  return 0;
}

// spec 20 F-62: a process in a namespace counts for its owner outside, too.
INSIDE(processes_count_at_every_level) {
  become_user(1000);
  ucounts* outside = mine().ucounts;
  get_ucounts(outside);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(outside, UCOUNT_RLIMIT_NPROC), 1l);
  current->signal->rlim[RLIMIT_NPROC].rlim_cur = 2;
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), 0);  // remembers the limit
  KUNIT_EXPECT_PTR_NE(test, mine().ucounts, outside);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(outside, UCOUNT_RLIMIT_NPROC), 1l);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(mine().ucounts, UCOUNT_RLIMIT_NPROC), 1l);
  current->signal->rlim[RLIMIT_NPROC].rlim_cur = 100;  // inside it does not help
  become_parent();
  const kernel_clone_args args{.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = obey_signals};
  auto first = kernel_clone(args);
  KUNIT_EXPECT_TRUE(test, first.has_value());
  KUNIT_EXPECT_EQ(test, get_rlimit_value(outside, UCOUNT_RLIMIT_NPROC), 2l);
  auto second = kernel_clone(args);
  KUNIT_EXPECT_EQ(test, second ? 0 : second.error().code(), EAGAIN);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(outside, UCOUNT_RLIMIT_NPROC), 2l);
  if (first) end(test, *first);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(outside, UCOUNT_RLIMIT_NPROC), 1l);
  put_ucounts(outside);
  return 0;
}

INSIDE(files_of_strangers) {
  in.fs->make("/t/theirs", "x", 0600);
  in.fs->chown("/t/theirs", 7, 7);
  in.fs->make("/t/ours", "x", 0600);
  in.fs->chown("/t/ours", 1000, 1000);
  in.fs->make("/t/half", "x", 0600);
  in.fs->chown("/t/half", 1000, 7);
  become_user(1000);
  KUNIT_EXPECT_EQ(test, unshare(CLONE_NEWUSER), 0);
  in.write("uid_map", "0 1000 1\n");
  in.write("setgroups", "deny");
  in.write("gid_map", "0 1000 1\n");
  struct stat st;
  KUNIT_EXPECT_EQ(test, in.fs->stat("/t/theirs", &st), 0);
  KUNIT_EXPECT_EQ(test, st.st_uid, 65534u);
  KUNIT_EXPECT_EQ(test, st.st_gid, 65534u);
  KUNIT_EXPECT_EQ(test, in.fs->stat("/t/ours", &st), 0);
  KUNIT_EXPECT_EQ(test, st.st_uid, 0u);
  // Capabilities do not reach over what has no name here.
  KUNIT_EXPECT_EQ(test, in.fs->open("/t/theirs", O_RDONLY), -EACCES);
  KUNIT_EXPECT_EQ(test, in.fs->chmod("/t/theirs", 0666), -EPERM);
  KUNIT_EXPECT_EQ(test, in.fs->chown("/t/ours", 1, ~0u), -EINVAL);
  KUNIT_EXPECT_EQ(test, in.fs->chown("/t/ours", 0, 0), 0);
  KUNIT_EXPECT_EQ(test, in.fs->chmod("/t/half", 0644), 0);
  return 0;
}

// F-113's companion: leaving capabilities behind does not make a process undumpable, so it can write its own maps.
INSIDE(no_namespace_for_shared_directories) {
  KUNIT_EXPECT_EQ(test, copy_process({.flags = CLONE_VM | CLONE_NEWUSER | CLONE_FS, .exit_signal = SIGCHLD, .fn = obey_signals})
                            .error().code(), EINVAL);  // spec 20 F-22
  return 0;
}

int reports_uid(void*) { do_exit(exited(static_cast<int>(call(sys_getuid) & 0xff) + (ns_capable(current_user_ns(), CAP_KILL) ? 0 : 1))); }

void clone_into_a_new_one(kunit* test) {
  become_parent();
  auto r = kernel_clone({.flags = CLONE_VM | CLONE_NEWUSER, .exit_signal = SIGCHLD, .fn = reports_uid});
  KUNIT_ASSERT_TRUE(test, r.has_value());
  KUNIT_EXPECT_EQ(test, wait_for(*r).event.status, exited(65534 & 0xff));
  KUNIT_EXPECT_PTR_EQ(test, current_user_ns(), &init_user_ns);
}

// ---- Failures -----------------------------------------------------------------------------------------------------------

// spec 20 F-50, F-51: each acquisition of unshare and of clone fails in turn; nothing is left and the caller is as it was.
template <class Try>
void sweep(kunit* test, const char* what, Try&& attempt) {
  schedule_timeout_uninterruptible(2);  // the dead go with their last switch and a grace period
  rcu_barrier();
  const int usage = atomic_read(&mine().usage);
  const long processes = get_rlimit_value(&init_ucounts, UCOUNT_RLIMIT_NPROC);
  const struct cred* was = &mine();
  for (long n = 1;; n++) {
    KUNIT_ASSERT_LT(test, n, 100l);
    long error;
    bool fired;
    {
      FaultInjection inject(current, n);
      error = attempt();
      fired = inject.fired();
    }
    if (!fired) {
      KUNIT_EXPECT_EQ(test, error, 0l);
      kunit_info(test, "%s: %ld acquisitions", what, n - 1);
      return;
    }
    if (!error) continue;
    rcu_barrier();  // credentials go after a grace period
    const bool known = error == -ENOMEM || error == -EAGAIN || error == -ENOSPC || error == -ERESTARTNOINTR || error == -EINTR;
    KUNIT_EXPECT_TRUE_MSG(test, known, "acquisition %ld: %ld", n, error);
    KUNIT_EXPECT_PTR_EQ(test, &mine(), was);
    KUNIT_EXPECT_EQ(test, atomic_read(&mine().usage), usage);
    KUNIT_EXPECT_EQ(test, get_rlimit_value(&init_ucounts, UCOUNT_RLIMIT_NPROC), processes);
    KUNIT_EXPECT_EQ(test, atomic_read(&init_ucounts.ucount[UCOUNT_USER_NAMESPACES]), 0);
  }
}

INSIDE(every_acquisition_of_unshare_fails) {
  sweep(test, "unshare", []() -> long {
    struct cred* n;
    const int error = unshare_userns(CLONE_NEWUSER, &n);
    put_cred(n);
    return error;
  });
  return 0;
}

int ends_now(void*) { do_exit(0); }
INSIDE(every_acquisition_of_clone_fails) {
  become_parent();
  wait_for(spawn(ends_now));
  sweep(test, "clone", []() -> long {
    auto child = copy_process({.flags = CLONE_VM | CLONE_NEWUSER, .exit_signal = SIGCHLD, .fn = ends_now});
    if (!child) return child.error().neg();
    wake_up_new_task(*child);
    wait_for(-1);
    schedule_timeout_uninterruptible(2);
    rcu_barrier();
    return 0;
  });
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE_PARAM(map_text, texts_gen_params), KUNIT_CASE(few_and_many_ranges),
    KUNIT_CASE(a_new_namespace_gives_all_power_in_it), KUNIT_CASE(an_unprivileged_user_maps_itself),
    KUNIT_CASE(root_maps_at_will_and_setgroups_follows), KUNIT_CASE(the_parent_maps_the_child),
    KUNIT_CASE(limits_of_nesting_and_number), KUNIT_CASE(a_chroot_cannot_be_left_by_a_namespace),
    KUNIT_CASE(processes_count_at_every_level), KUNIT_CASE(files_of_strangers), KUNIT_CASE(no_namespace_for_shared_directories),
    KUNIT_CASE(clone_into_a_new_one), KUNIT_CASE(every_acquisition_of_unshare_fails),
    KUNIT_CASE(every_acquisition_of_clone_fails), {},
};
kunit_suite suite = {.name = "user_namespaces", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
