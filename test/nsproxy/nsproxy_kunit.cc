// Sets of namespaces: sharing, making, unmaking, and each failing acquisition. Spec 20 sections 12.8, 20.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/fault_inject.hh"
#include "kernel/fork/clone_checks.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/nsproxy/unshare.hh"
#include "kernel/pid/pid_namespace.hh"

namespace {

constexpr u64 kThere = CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;

// spec 20 F-64: nothing new asked for is one reference and nothing else.
void sharing_is_one_reference(kunit* test) {
  struct nsproxy* ns = current->nsproxy;
  const unsigned before = refcount_read(&ns->count), uts = refcount_read(&ns->uts_ns->ns.count);
  task_struct child;
  child.nsproxy = ns;
  FaultInjection count(current, 0);
  KUNIT_ASSERT_TRUE(test, copy_namespaces(CLONE_VM | CLONE_FS | CLONE_NEWUSER, &child).has_value());
  KUNIT_EXPECT_PTR_EQ(test, child.nsproxy, ns);
  KUNIT_EXPECT_EQ(test, refcount_read(&ns->count), before + 1);
  KUNIT_EXPECT_EQ(test, refcount_read(&ns->uts_ns->ns.count), uts);
  KUNIT_EXPECT_EQ(test, count.seen(), 0l);
  put_nsproxy(ns);
}

// What is asked for is new, the rest is shared.
void new_ones_are_new(kunit* test) {
  const struct nsproxy* old = current->nsproxy;
  auto fresh = unshare_nsproxy_namespaces(CLONE_NEWUTS | CLONE_NEWPID, nullptr, nullptr);
  KUNIT_ASSERT_TRUE(test, fresh.has_value());
  struct nsproxy* ns = *fresh;
  KUNIT_EXPECT_TRUE(test, ns->uts_ns != old->uts_ns);
  KUNIT_EXPECT_TRUE(test, ns->uts_ns->ns.inum != old->uts_ns->ns.inum);
  KUNIT_EXPECT_STREQ(test, ns->uts_ns->name.nodename, old->uts_ns->name.nodename);
  KUNIT_EXPECT_EQ(test, ns->pid_ns_for_children->level, 1u);
  KUNIT_EXPECT_PTR_EQ(test, ns->pid_ns_for_children->parent, old->pid_ns_for_children);
  KUNIT_EXPECT_PTR_EQ(test, ns->net_ns, old->net_ns);
  KUNIT_EXPECT_PTR_EQ(test, ns->time_ns, old->time_ns);
  put_nsproxy(ns);
}

// Numbers are the lowest free ones, and no two namespaces have one.
void numbers_are_used_again(kunit* test) {
  auto a = copy_utsname(CLONE_NEWUTS, &init_user_ns, &init_uts_ns), b = copy_utsname(CLONE_NEWUTS, &init_user_ns, &init_uts_ns);
  KUNIT_ASSERT_TRUE(test, a && b);
  const unsigned first = (*a)->ns.inum;
  KUNIT_EXPECT_TRUE(test, first != (*b)->ns.inum);
  put_uts_ns(*a);
  a = copy_utsname(CLONE_NEWUTS, &init_user_ns, &init_uts_ns);
  KUNIT_ASSERT_TRUE(test, a.has_value());
  KUNIT_EXPECT_EQ(test, (*a)->ns.inum, first);
  put_uts_ns(*a);
  put_uts_ns(*b);
}

// spec 20 F-65: as many as /proc/sys/user allows.
void limits_are_enospc(kunit* test) {
  const int was = init_user_ns.ucount_max[UCOUNT_NET_NAMESPACES];
  init_user_ns.ucount_max[UCOUNT_NET_NAMESPACES] = 1;
  auto one = copy_net_ns(CLONE_NEWNET, &init_user_ns, current->nsproxy->net_ns);
  KUNIT_ASSERT_TRUE(test, one.has_value());
  KUNIT_EXPECT_EQ(test, copy_net_ns(CLONE_NEWNET, &init_user_ns, *one).error().code(), ENOSPC);
  put_net(*one);
  init_user_ns.ucount_max[UCOUNT_NET_NAMESPACES] = was;
}

// spec 20 F-110..F-112: which bits, and what they bring along.
static_assert(validate_unshare(CLONE_PARENT, {}) == EINVAL && validate_unshare(1ull << 40, {}) == EINVAL);
static_assert(unshare_implied(CLONE_NEWUSER) == (CLONE_NEWUSER | CLONE_THREAD | CLONE_FS));
static_assert(unshare_implied(CLONE_NEWNS) == (CLONE_NEWNS | CLONE_FS));
static_assert(unshare_implied(CLONE_VM) == (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD));
static_assert(unshare_implied(CLONE_NEWIPC) == (CLONE_NEWIPC | CLONE_SYSVSEM));
static_assert(unshare_implied(CLONE_NEWPID) == CLONE_NEWPID && validate_unshare(CLONE_NEWPID, {.threads = true}) == 0);

// spec 20 F-50, F-51: each acquisition fails in turn; nothing is left.
void every_acquisition_fails(kunit* test) {
  const struct nsproxy* old = current->nsproxy;
  put_nsproxy(*unshare_nsproxy_namespaces(kThere, nullptr, nullptr));  // caches by level are made
  rcu_barrier();
  const unsigned user = refcount_read(&init_user_ns.ns.count), mounts = refcount_read(&old->count);
  long n = 1;
  for (;; n++) {
    KUNIT_ASSERT_LT(test, n, 60l);
    bool fired;
    Result<struct nsproxy*> fresh = fail(EINVAL);
    {
      FaultInjection inject(current, n);
      fresh = unshare_nsproxy_namespaces(kThere, nullptr, nullptr);
      fired = inject.fired();
    }
    if (fresh) put_nsproxy(*fresh);
    rcu_barrier();
    KUNIT_EXPECT_EQ(test, refcount_read(&init_user_ns.ns.count), user);
    KUNIT_EXPECT_EQ(test, refcount_read(&old->count), mounts);
    for (int kind : {UCOUNT_UTS_NAMESPACES, UCOUNT_PID_NAMESPACES, UCOUNT_NET_NAMESPACES, UCOUNT_TIME_NAMESPACES})
      KUNIT_EXPECT_EQ(test, atomic_read(&init_ucounts.ucount[kind]), 0);
    if (fresh && !fired) break;
    if (!fresh) KUNIT_EXPECT_TRUE_MSG(test, fresh.error().code() == ENOMEM || fresh.error().code() == ENOSPC, "acquisition %ld", n);
  }
  KUNIT_EXPECT_GT(test, n, 5l);
}

kunit_case cases[] = {
    KUNIT_CASE(sharing_is_one_reference), KUNIT_CASE(new_ones_are_new), KUNIT_CASE(numbers_are_used_again),
    KUNIT_CASE(limits_are_enospc), KUNIT_CASE(every_acquisition_fails), {},
};
kunit_suite suite = {.name = "nsproxy", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
