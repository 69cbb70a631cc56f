// The checks of clone by table. Spec 20 section 9.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/string.h>

#include "kernel/fork/clone_checks.hh"

namespace {

constexpr CloneCaller kOrdinary{.unkillable = false}, kInit{.unkillable = true};
constexpr u64 kPthread = 0x3d0f00;

struct Row {
  const char* what;
  u64 flags;
  int expected;
  CloneCaller caller = kOrdinary;
};
const Row kRows[] = {
    {"fork", 0, 0},
    {"vfork", CLONE_VM | CLONE_VFORK, 0},
    {"pthread_create", kPthread, 0},
    {"libc fork", CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID, 0},
    {"F-21 NEWNS|FS", CLONE_NEWNS | CLONE_FS, EINVAL},
    {"F-22 NEWUSER|FS", CLONE_NEWUSER | CLONE_FS, EINVAL},
    {"F-23 THREAD without SIGHAND", CLONE_THREAD | CLONE_VM, EINVAL},
    {"F-24 SIGHAND without VM", CLONE_SIGHAND, EINVAL},
    {"F-24 THREAD|SIGHAND without VM", CLONE_THREAD | CLONE_SIGHAND, EINVAL},
    {"F-25 PARENT by an init", CLONE_PARENT, EINVAL, kInit},
    {"F-25 PARENT by others", CLONE_PARENT, 0},
    {"F-26 THREAD|NEWPID", kPthread | CLONE_NEWPID, EINVAL},
    {"F-26 THREAD|NEWUSER", (kPthread | CLONE_NEWUSER) & ~u64{CLONE_FS}, EINVAL},
    {"F-28 PIDFD|DETACHED", CLONE_PIDFD | CLONE_DETACHED, EINVAL},
    {"F-28 PIDFD|THREAD", kPthread | CLONE_PIDFD, EINVAL},
    {"PIDFD alone", CLONE_PIDFD, 0},
    {"DETACHED is ignored", CLONE_DETACHED, 0},
    {"F-29 NEWIPC|SYSVSEM is not for here", CLONE_NEWIPC | CLONE_SYSVSEM, 0},
    {"VM without a stack", CLONE_VM, 0},
    {"UNTRACED, IO, SYSVSEM", CLONE_UNTRACED | CLONE_IO | CLONE_SYSVSEM, 0},
    {"CLEAR_SIGHAND", CLONE_CLEAR_SIGHAND, 0},
};
void describe(const Row* row, char* desc) { strscpy(desc, row->what, KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(rows, kRows, describe);

void checks_row(kunit* test) {
  auto* row = static_cast<const Row*>(test->param_value);
  KUNIT_EXPECT_EQ(test, validate_clone(row->flags, row->caller), row->expected);
}

// Each rule is broken by exactly its own pattern, and mended by each bit that it forbids to be missing.
void each_rule_by_itself(kunit* test) {
  for (const CloneRule& r : kCloneRules) {
    const u64 least = r.all | (r.any & -r.any);
    KUNIT_EXPECT_TRUE_MSG(test, breaks(r, least), "%s", r.id);
    if (r.none) KUNIT_EXPECT_FALSE_MSG(test, breaks(r, least | r.none), "%s", r.id);
    for (u64 bits = r.all; bits; bits &= bits - 1) KUNIT_EXPECT_FALSE_MSG(test, breaks(r, least & ~(bits & -bits)), "%s", r.id);
  }
}

// spec 20 F-1, F-2: 64 to 4096 are sizes of the struct, also those that end inside a field.
void clone3_sizes(kunit* test) {
  KUNIT_EXPECT_EQ(test, validate_clone3_size(0), EINVAL);
  KUNIT_EXPECT_EQ(test, validate_clone3_size(63), EINVAL);
  for (size_t ok : {64, 65, 79, 80, 88, 89, 4096}) KUNIT_EXPECT_EQ(test, validate_clone3_size(ok), 0);
  KUNIT_EXPECT_EQ(test, validate_clone3_size(4097), E2BIG);
}

struct FieldRow {
  const char* what;
  clone_args args;
  int fields, semantics;
  size_t size = CLONE_ARGS_SIZE_VER2;
};
const FieldRow kFields[] = {  // spec 20 F-5..F-8, F-10..F-15
    {"nothing set", {}, 0, 0},
    {"F-5 too many levels", {.set_tid = 1, .set_tid_size = 33}, EINVAL, 0},
    {"F-6 set_tid without size", {.set_tid = 1}, EINVAL, 0},
    {"F-6 size without set_tid", {.set_tid_size = 1}, EINVAL, 0},
    {"F-7 exit signal 65", {.exit_signal = 65}, EINVAL, 0},
    {"F-7 exit signal 64", {.exit_signal = 64}, 0, 0},
    {"F-7 exit signal above the mask", {.exit_signal = 0x100}, EINVAL, 0},
    {"F-8 cgroup too large", {.flags = CLONE_INTO_CGROUP, .cgroup = 0x80000000}, EINVAL, 0},
    {"F-8 struct without cgroup", {.flags = CLONE_INTO_CGROUP}, EINVAL, 0, 80},
    {"F-10 unknown flag", {.flags = 1ull << 34}, 0, EINVAL},
    {"F-11 DETACHED", {.flags = CLONE_DETACHED}, 0, EINVAL},
    {"F-11 signal in the flags", {.flags = SIGCHLD}, 0, EINVAL},
    {"F-11 NEWTIME is in CSIGNAL's place", {.flags = CLONE_NEWTIME}, 0, 0},
    {"F-12 SIGHAND|CLEAR_SIGHAND", {.flags = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND}, 0, EINVAL},
    {"F-13 THREAD with a signal", {.flags = CLONE_THREAD, .exit_signal = SIGCHLD}, 0, EINVAL},
    {"F-13 PARENT with a signal", {.flags = CLONE_PARENT, .exit_signal = SIGCHLD}, 0, EINVAL},
    {"F-14 stack without size", {.stack = 4096}, 0, EINVAL},
    {"F-14 size without stack", {.stack_size = 4096}, 0, EINVAL},
    {"F-14 stack in the kernel", {.stack = ~0ull - 8191, .stack_size = 4096}, 0, EINVAL},
    {"F-14 a good stack", {.stack = 4096, .stack_size = 4096}, 0, 0},
    {"VM without a stack is not refused", {.flags = CLONE_VM}, 0, 0},
};
void describe_fields(const FieldRow* row, char* desc) { strscpy(desc, row->what, KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(fields, kFields, describe_fields);

void clone3_row(kunit* test) {
  auto* row = static_cast<const FieldRow*>(test->param_value);
  KUNIT_EXPECT_EQ(test, validate_clone3_fields(row->args, row->size), row->fields);
  if (!row->fields) KUNIT_EXPECT_EQ(test, validate_clone3_semantics(row->args), row->semantics);
}

// F-20: legacy clone gives one pointer for both.
void pidfd_and_tid_collide(kunit* test) {
  int a, b;
  kernel_clone_args args{.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = &a, .parent_tid = &a};
  KUNIT_EXPECT_TRUE(test, pidfd_collides(args));
  args.parent_tid = &b;
  KUNIT_EXPECT_FALSE(test, pidfd_collides(args));
  args.flags = CLONE_PIDFD;
  args.parent_tid = &a;
  KUNIT_EXPECT_FALSE(test, pidfd_collides(args));
}

static_assert(validate_clone(kPthread, kOrdinary) == 0);
static_assert(validate_clone(CLONE_THREAD, kOrdinary) == EINVAL);

kunit_case cases[] = {
    KUNIT_CASE_PARAM(checks_row, rows_gen_params), KUNIT_CASE(each_rule_by_itself), KUNIT_CASE(clone3_sizes),
    KUNIT_CASE_PARAM(clone3_row, fields_gen_params), KUNIT_CASE(pidfd_and_tid_collide), {},
};
kunit_suite suite = {.name = "clone_checks", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
