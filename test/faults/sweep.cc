// The sweep over an action's failable steps.
// SPDX-License-Identifier: Apache-2.0
#include "test/faults/sweep.hh"

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include <utility>

namespace {

constexpr long kMostSteps = 20'000;

struct Try {
  long result;
  bool fired;
  FaultVisit failed;
};

class Arranged {
 public:
  explicit Arranged(FaultAction& action) : action_(action) { action.arrange(); }
  ~Arranged() { action_.rearrange(); }

 private:
  FaultAction& action_;
};

class Sweep {
 public:
  Sweep(kunit* test, const char* name, FaultAction& action) : test_(test), name_(name), action_(action) {}

  SweepResult run(Catalogue* catalogue) {
    if (!warm_up(catalogue)) return done_;
    for (long n = 1; n <= kMostSteps && failures_ < 5; n++) {
      const Try t = attempt(n);
      judge(n, t);
      if (!t.fired) return done_;
      done_.steps++;
    }
    if (failures_ < 5) KUNIT_FAIL(test_, "%s: no end after %ld steps", name_, kMostSteps);
    return done_;
  }

 private:
  // Twice without a failure: caches are as warm as they ever get, and the action leaves the task as it was.
  bool warm_up(Catalogue* catalogue) {
    for (int i = 0; i < 3; i++) {
      if (i == 2) before_.take(current);
      const long result = count(i == 2 ? catalogue : nullptr);
      if (result != -action_.refusal() && (result < 0 || action_.refusal())) {
        KUNIT_FAIL(test_, "%s: answers %ld with nothing failing", name_, result);
        return false;
      }
      if (result >= 0) action_.undo(result);
      if (const char* wrong = action_.broken()) fail(name_, wrong);
      settle();
    }
    now_.take(current);
    return now_.same_as(before_, test_, name_);
  }

  long count(Catalogue* catalogue) {
    Arranged arranged(action_);
    FaultInjection counting(action_.victim(), 0, catalogue ? catalogue->observer() : FaultObserver{});
    return action_.run();
  }

  Try attempt(long n) {
    Arranged arranged(action_);
    FaultInjection inject(action_.victim(), n);
    const long result = action_.run();
    return {result, inject.fired(), inject.failed()};
  }

  void judge(long n, const Try& t) {
    char what[200];
    snprintf(what, sizeof what, "%s: step %ld (%s %s%s%s) answers %ld", name_, n, t.failed.stage ?: "-",
             kFailPointNames[static_cast<int>(t.failed.point)], t.failed.step ? ": " : "", t.failed.step ?: "", t.result);
    if (t.result >= 0) {
      action_.undo(t.result);
      if (t.fired) done_.survived++;
      if (action_.refusal()) fail(what, "though it should be refused");
    } else if (t.result == -action_.refusal()) {
      t.fired ? done_.survived++ : 0;
    } else {
      done_.refused++;
      if (!t.fired) fail(what, "although nothing failed");
      else if (!action_.may_answer(t.failed, t.result)) fail(what, "which it may not");
    }
    if (const char* wrong = action_.broken()) fail(what, wrong);
    settle();  // last, so that the next try finds caches as empty as those that were counted: what fills them can fail
    now_.take(current);
    if (!now_.same_as(before_, test_, what)) failures_++;
  }

  void fail(const char* what, const char* why) {
    KUNIT_FAIL(test_, "%s, %s", what, why);
    failures_++;
  }

  kunit* test_;
  const char* name_;
  FaultAction& action_;
  Snapshot before_, now_;
  SweepResult done_;
  int failures_ = 0;
};

}  // namespace

task_struct* FaultAction::victim() { return current; }

SweepResult sweep(kunit* test, const char* name, FaultAction& action, Catalogue* catalogue) {
  return Sweep(test, name, action).run(catalogue);
}
