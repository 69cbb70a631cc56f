// For suites that let each acquisition of a system call fail once: the loop over the first, second, third ... step, and what counts as
// an honest answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/sched.h>

#include "arch/hosted/user.hh"
#include "kernel/fault_inject.hh"

namespace {

using user::Str;
using user::sys;
using user::Var;

constexpr long kMaxSteps = 300;

bool honest(long result, const FaultInjection& fault) {
  switch (result) {
    case -EINTR: return fault.fired() && fault.point() == FailPoint::Signal;  // as if killed: nobody would see the answer
    case -ENOMEM:
    case -EAGAIN:
    case -ENOSPC:
    case -ENFILE:
    case -EMFILE:
    case -EFAULT:  // a page that the call needed could not be had
    case -ENOBUFS: return true;
  }
  return result >= 0;
}

// Runs `call` with each acquisition failing once; `undo` gets each successful result. 0, or what went wrong: 100000 + 1000 errno + step for
// a dishonest answer, 2000 if it never got through.
template <class Call, class Undo>
long sweep(Call call, Undo undo) {
  for (long nth = 1; nth < kMaxSteps; nth++) {
    long result;
    bool fired, told_honestly;
    {
      FaultInjection fault(current, nth);
      result = call();
      fired = fault.fired();
      told_honestly = honest(result, fault);
    }
    if (!told_honestly) return 100000 - result * 1000 + nth;
    if (result >= 0) undo(result);
    if (!fired) return result >= 0 ? 0 : 3000 - result;
  }
  return 2000;
}
template <class Call>
long sweep(Call call) {
  return sweep(call, [](long) {});
}

// What a program's sweep answered, for the message: the exit status has 8 bits only.
long answer;
#define SWEEP(name, ...)                                  \
  long name##_program(unsigned long) {                    \
    answer = []() -> long { __VA_ARGS__ }();                        \
    return answer != 0;                                   \
  }                                                       \
  void name(kunit* test) {                                \
    answer = -1;                                          \
    long status = user::run_process(name##_program);      \
    KUNIT_EXPECT_EQ(test, status, 0L);                    \
    KUNIT_EXPECT_EQ(test, answer, 0L);                    \
  }

}  // namespace
