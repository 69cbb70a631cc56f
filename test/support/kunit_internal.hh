// Between the files of the KUnit runner.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <kunit/test.h>

extern "C" {
// Bounds of the section that kunit_test_suites() fills; both null in an image without suites.
extern kunit_suite* const __start_kunit_suites[] __attribute__((weak, visibility("hidden")));
extern kunit_suite* const __stop_kunit_suites[] __attribute__((weak, visibility("hidden")));
}

void kunit_free_resources(kunit* test);  // youngest first
