// preempt= on the command line. Spec 30 section 5.3.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "kernel/sched/preempt_mode.hh"

namespace {
void none(kunit* test) { KUNIT_EXPECT_TRUE(test, preempt_mode == PreemptMode::None); }
void voluntary(kunit* test) { KUNIT_EXPECT_TRUE(test, preempt_mode == PreemptMode::Voluntary); }
void full(kunit* test) { KUNIT_EXPECT_TRUE(test, preempt_mode == PreemptMode::Full); }
void something_else(kunit* test) { KUNIT_EXPECT_TRUE(test, preempt_mode == PreemptMode::Voluntary); }

kunit_case none_cases[] = {KUNIT_CASE(none), {}}, voluntary_cases[] = {KUNIT_CASE(voluntary), {}};
kunit_case full_cases[] = {KUNIT_CASE(full), {}}, else_cases[] = {KUNIT_CASE(something_else), {}};
// spec 30 section 5.3, S-31
kunit_suite a = {.name = "preempt_boot_none", .test_cases = none_cases, .world = {.cmdline = "preempt=none"}};
kunit_suite b = {.name = "preempt_boot_voluntary", .test_cases = voluntary_cases, .world = {.cmdline = "preempt=voluntary"}};
kunit_suite c = {.name = "preempt_boot_full", .test_cases = full_cases, .world = {.cmdline = "preempt=full"}};
kunit_suite d = {.name = "preempt_boot_else", .test_cases = else_cases, .world = {.cmdline = "preempt=bogus"}};
}  // namespace
kunit_test_suites(&a, &b, &c, &d);
