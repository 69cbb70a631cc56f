// Credentials. capabilities(7), setresuid(2); spec 20 12.2.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/cred.hh"

#include <uapi/linux/securebits.h>

#include "kernel/cred/capability.hh"
#include "kernel/cred/groups.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user.hh"
#include "test/fork/helpers.hh"

extern "C" {
long sys_setuid(const pt_regs*);
long sys_setreuid(const pt_regs*);
long sys_setresuid(const pt_regs*);
long sys_setgid(const pt_regs*);
long sys_setresgid(const pt_regs*);
long sys_setfsuid(const pt_regs*);
long sys_getuid(const pt_regs*);
long sys_geteuid(const pt_regs*);
}

namespace {

const struct cred& mine() { return *current->cred; }
bool has(kernel_cap_t set, int cap) { return set.bits >> cap & 1; }

void root_has_everything(kunit* test) {
  KUNIT_EXPECT_EQ(test, mine().cap_effective.bits, kCapFull.bits);
  KUNIT_EXPECT_TRUE(test, capable(CAP_SYS_ADMIN));
  KUNIT_EXPECT_TRUE(test, current->flags & PF_SUPERPRIV);
  KUNIT_EXPECT_EQ(test, call(sys_getuid), 0);
}

void leaving_root_leaves_capabilities(kunit* test) {
  KUNIT_EXPECT_EQ(test, call(sys_setuid, 1000), 0);
  KUNIT_EXPECT_EQ(test, mine().uid.val, 1000u);
  KUNIT_EXPECT_EQ(test, mine().suid.val, 1000u);
  KUNIT_EXPECT_EQ(test, mine().fsuid.val, 1000u);
  KUNIT_EXPECT_EQ(test, mine().cap_permitted.bits, 0ull);
  KUNIT_EXPECT_EQ(test, mine().cap_effective.bits, 0ull);
  KUNIT_EXPECT_FALSE(test, capable(CAP_KILL));
  KUNIT_EXPECT_EQ(test, call(sys_setuid, 0), -EPERM);
}

void effective_root_comes_and_goes(kunit* test) {
  KUNIT_EXPECT_EQ(test, call(sys_setresuid, -1, 1000, -1), 0);
  KUNIT_EXPECT_EQ(test, call(sys_geteuid), 1000);
  KUNIT_EXPECT_EQ(test, mine().cap_effective.bits, 0ull);
  KUNIT_EXPECT_EQ(test, mine().cap_permitted.bits, kCapFull.bits);
  KUNIT_EXPECT_EQ(test, call(sys_setresuid, -1, 0, -1), 0);  // real and saved are 0 still
  KUNIT_EXPECT_EQ(test, mine().cap_effective.bits, kCapFull.bits);
}

void keep_caps(kunit* test) {
  KUNIT_EXPECT_EQ(test, prctl_set_keepcaps(1), 0);
  KUNIT_EXPECT_EQ(test, call(sys_setuid, 1000), 0);
  KUNIT_EXPECT_EQ(test, mine().cap_permitted.bits, kCapFull.bits);
  KUNIT_EXPECT_EQ(test, mine().cap_effective.bits, 0ull);
  KUNIT_EXPECT_EQ(test, prctl_get_keepcaps(), 1);
  KUNIT_EXPECT_EQ(test, prctl_set_keepcaps(2), -EINVAL);
}

void no_setuid_fixup(kunit* test) {
  KUNIT_EXPECT_EQ(test, prctl_set_securebits(SECBIT_NO_SETUID_FIXUP), 0);
  KUNIT_EXPECT_EQ(test, call(sys_setuid, 1000), 0);
  KUNIT_EXPECT_EQ(test, mine().cap_effective.bits, kCapFull.bits);
}

void file_capabilities_follow_fsuid(kunit* test) {
  KUNIT_EXPECT_EQ(test, call(sys_setfsuid, 1000), 0);
  KUNIT_EXPECT_FALSE(test, has(mine().cap_effective, CAP_DAC_OVERRIDE));
  KUNIT_EXPECT_FALSE(test, has(mine().cap_effective, CAP_MKNOD));
  KUNIT_EXPECT_TRUE(test, has(mine().cap_effective, CAP_KILL));
  KUNIT_EXPECT_EQ(test, call(sys_setfsuid, 0), 1000);
  KUNIT_EXPECT_TRUE(test, has(mine().cap_effective, CAP_DAC_OVERRIDE));
  KUNIT_EXPECT_EQ(test, call(sys_setfsuid, -1), 0);
}

struct Row {
  const char* what;
  unsigned uid, euid, suid;  // before, without capabilities
  unsigned a, b, c;          // setresuid
  long expected;
};
constexpr unsigned kKeep = ~0u;
const Row kRows[] = {
    {"swap real and saved", 1, 1, 2, 2, kKeep, 1, 0},
    {"effective to saved", 1, 1, 2, kKeep, 2, kKeep, 0},
    {"effective to a stranger", 1, 1, 2, kKeep, 3, kKeep, -EPERM},
    {"real to a stranger", 1, 1, 2, 3, kKeep, kKeep, -EPERM},
    {"saved to a stranger", 1, 1, 2, kKeep, kKeep, 3, -EPERM},
    {"nothing", 1, 1, 2, kKeep, kKeep, kKeep, 0},
};
void describe(const Row* r, char* desc) { strscpy(desc, r->what, KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(rows, kRows, describe);
void setresuid_row(kunit* test) {
  auto* r = static_cast<const Row*>(test->param_value);
  struct cred* n = prepare_creds();
  n->uid = {r->uid}, n->euid = {r->euid}, n->suid = {r->suid};
  n->cap_effective = n->cap_permitted = {};
  commit_creds(n);
  KUNIT_EXPECT_EQ(test, call(sys_setresuid, r->a, r->b, r->c), r->expected);
  if (!r->expected) {
    KUNIT_EXPECT_EQ(test, mine().uid.val, r->a == kKeep ? r->uid : r->a);
    KUNIT_EXPECT_EQ(test, mine().euid.val, r->b == kKeep ? r->euid : r->b);
    KUNIT_EXPECT_EQ(test, mine().suid.val, r->c == kKeep ? r->suid : r->c);
  }
}

void setreuid_saves(kunit* test) {  // setreuid(2): the saved id follows when the real one is set
  KUNIT_EXPECT_EQ(test, call(sys_setreuid, 1000, 1001), 0);
  KUNIT_EXPECT_EQ(test, mine().suid.val, 1001u);
}

void processes_are_counted_by_real_uid(kunit* test) {
  const long root = get_rlimit_value(&init_ucounts, UCOUNT_RLIMIT_NPROC);
  KUNIT_EXPECT_EQ(test, call(sys_setresuid, 1234, -1, -1), 0);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(&init_ucounts, UCOUNT_RLIMIT_NPROC), root - 1);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(mine().ucounts, UCOUNT_RLIMIT_NPROC), 1);
  KUNIT_EXPECT_EQ(test, mine().user->uid.val, 1234u);
  KUNIT_EXPECT_EQ(test, call(sys_setresuid, 0, -1, -1), 0);
  KUNIT_EXPECT_EQ(test, get_rlimit_value(&init_ucounts, UCOUNT_RLIMIT_NPROC), root);
}

void groups(kunit* test) {
  group_info* g = groups_alloc(3);
  KUNIT_ASSERT_NOT_NULL(test, g);
  g->gid[0] = {5}, g->gid[1] = {7}, g->gid[2] = {4000000000u};
  for (unsigned in : {5u, 7u, 4000000000u}) KUNIT_EXPECT_TRUE(test, groups_search(g, {in}));
  for (unsigned out : {0u, 6u, 8u, ~0u}) KUNIT_EXPECT_FALSE(test, groups_search(g, {out}));
  put_group_info(g);
}

void ambient_needs_permitted_and_inheritable(kunit* test) {
  KUNIT_EXPECT_EQ(test, prctl_cap_ambient(2, CAP_KILL), -EPERM);  // raise: not inheritable
  struct cred* n = prepare_creds();
  n->cap_inheritable.bits = 1ull << CAP_KILL;
  commit_creds(n);
  KUNIT_EXPECT_EQ(test, prctl_cap_ambient(2, CAP_KILL), 0);
  KUNIT_EXPECT_EQ(test, prctl_cap_ambient(1, CAP_KILL), 1);
  KUNIT_EXPECT_EQ(test, prctl_cap_ambient(4, 0), 0);
  KUNIT_EXPECT_EQ(test, prctl_cap_ambient(1, CAP_KILL), 0);
}

void bounding_set_only_shrinks(kunit* test) {
  KUNIT_EXPECT_EQ(test, prctl_capbset_read(CAP_SYS_BOOT), 1);
  KUNIT_EXPECT_EQ(test, prctl_capbset_drop(CAP_SYS_BOOT), 0);
  KUNIT_EXPECT_EQ(test, prctl_capbset_read(CAP_SYS_BOOT), 0);
  KUNIT_EXPECT_EQ(test, prctl_capbset_read(41), -EINVAL);
}

void locked_securebits_stay(kunit* test) {
  KUNIT_EXPECT_EQ(test, prctl_set_securebits(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED), 0);
  KUNIT_EXPECT_EQ(test, prctl_set_securebits(SECBIT_NOROOT_LOCKED), -EPERM);
  KUNIT_EXPECT_EQ(test, prctl_set_securebits(0), -EPERM);
  KUNIT_EXPECT_EQ(test, prctl_get_securebits(), SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
}

void override_and_back(kunit* test) {
  struct cred* n = prepare_creds();
  n->fsuid = {77};
  const struct cred* old = override_creds(n);
  KUNIT_EXPECT_EQ(test, mine().fsuid.val, 77u);
  KUNIT_EXPECT_EQ(test, current->real_cred->fsuid.val, 0u);
  revert_creds(old);
  put_cred(n);
  KUNIT_EXPECT_EQ(test, mine().fsuid.val, 0u);
}

kunit_case cases[] = {
    KUNIT_CASE(root_has_everything), KUNIT_CASE(leaving_root_leaves_capabilities), KUNIT_CASE(effective_root_comes_and_goes),
    KUNIT_CASE(keep_caps), KUNIT_CASE(no_setuid_fixup), KUNIT_CASE(file_capabilities_follow_fsuid),
    KUNIT_CASE_PARAM(setresuid_row, rows_gen_params), KUNIT_CASE(setreuid_saves),
    KUNIT_CASE(processes_are_counted_by_real_uid), KUNIT_CASE(groups), KUNIT_CASE(ambient_needs_permitted_and_inheritable),
    KUNIT_CASE(bounding_set_only_shrinks), KUNIT_CASE(locked_securebits_stay), KUNIT_CASE(override_and_back), {},
};
kunit_suite suite = {.name = "credentials", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
