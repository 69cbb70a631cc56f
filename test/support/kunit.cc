// The KUnit runner: walks the registered suites, runs each case in a thread of its own, prints KTAP, counts.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "test/support/kunit_cases.hh"
#include "test/support/kunit_internal.hh"

namespace {

constexpr long kCaseTimeout = 300 * HZ;

struct Tally {
  int passed = 0, failed = 0, skipped = 0;
  int total() const { return passed + failed + skipped; }
  void count(kunit_status s) { ++(s == KUNIT_SUCCESS ? passed : s == KUNIT_FAILURE ? failed : skipped); }
  void add(const Tally& t) { passed += t.passed, failed += t.failed, skipped += t.skipped; }
  kunit_status status() const { return failed ? KUNIT_FAILURE : passed || !skipped ? KUNIT_SUCCESS : KUNIT_SKIPPED; }
};

// What a case's thread is doing, for the runner that waits for it and for kunit_abort().
struct Run {
  kunit* test;
  kunit_case* test_case;
  void (*step)(Run*);
  task_struct* thread;
  completion done;
};

int step_thread(void* p) {
  auto* run = static_cast<Run*>(p);
  run->thread = current;
  run->step(run);
  kthread_complete_and_exit(&run->done, 0);
}

// Runs step in a thread, which an ASSERT may end early.
void run_step(Run* run, void (*step)(Run*)) {
  run->step = step;
  run->test->run = run;
  init_completion(&run->done);
  const struct kunit_loc here = {__FILE__, __LINE__, false};
  task_struct* t = kthread_run(step_thread, run, "kunit_%.9s", run->test_case->name);
  if (IS_ERR(t)) return kunit_fail(run->test, &here, "no thread for the case: %ld", PTR_ERR(t));
  if (!wait_for_completion_timeout(&run->done, kCaseTimeout)) {
    kunit_fail(run->test, &here, "case timed out");
    panic("kunit: %s.%s does not end", run->test->suite->name, run->test_case->name);
  }
}

void step_test(Run* run) {
  kunit* test = run->test;
  if (test->suite->init) {
    if (int err = test->suite->init(test)) {
      const struct kunit_loc here = {__FILE__, __LINE__, false};
      return kunit_fail(test, &here, "init failed: %d", err);
    }
  }
  run->test_case->run_case(test);
}

void step_clean_up(Run* run) {
  if (run->test->suite->exit) run->test->suite->exit(run->test);
  kunit_free_resources(run->test);
}

kunit_status run_once(kunit_suite* suite, kunit_case* c, const void* param, int index, char* comment) {
  // Not on the stack: threads that outlive a failed case must find it.
  auto* test = static_cast<kunit*>(kzalloc(sizeof(kunit) + sizeof(Run), GFP_KERNEL));
  if (!test) return KUNIT_FAILURE;
  auto* run = reinterpret_cast<Run*>(test + 1);
  test->name = c->name;
  test->suite = suite;
  test->param_value = param;
  test->param_index = index;
  spin_lock_init(&test->lock);
  INIT_LIST_HEAD(&test->resources);
  run->test = test;
  run->test_case = c;
  run_step(run, step_test);
  run_step(run, step_clean_up);
  kunit_status s = test->status;
  strscpy(comment, test->status_comment, KUNIT_STATUS_COMMENT_SIZE);
  kfree(test);
  return s;
}

const char* not_if_failed(kunit_status s) { return s == KUNIT_FAILURE ? "not ok" : "ok"; }

void print_result(const char* indent, kunit_status s, int number, const char* name, const char* comment) {
  pr_info("%s%s %d %s%s%s\n", indent, not_if_failed(s), number, name, s == KUNIT_SKIPPED ? " # SKIP " : "",
          s == KUNIT_SKIPPED ? comment : "");
}

kunit_status run_params(kunit_suite* suite, kunit_case* c, char* comment) {
  char desc[KUNIT_PARAM_DESC_SIZE] = "";
  Tally tally;
  pr_info("        KTAP version 1\n        # Subtest: %s\n", c->name);
  int index = 0;
  for (const void* p = c->generate_params(nullptr, desc); p; p = c->generate_params(p, desc)) {
    kunit_status s = run_once(suite, c, p, index, comment);
    char name[KUNIT_PARAM_DESC_SIZE];
    if (desc[0])
      strscpy(name, desc, sizeof name);
    else
      snprintf(name, sizeof name, "param-%d", index);
    print_result("        ", s, ++index, name, comment);
    tally.count(s);
    desc[0] = 0;
  }
  if (!tally.total()) {
    strscpy(comment, "no parameters", KUNIT_STATUS_COMMENT_SIZE);
    return KUNIT_SKIPPED;
  }
  return tally.status();
}

// '*' any run of characters, '?' one.
bool matches(const char* pattern, const char* end, const char* s) {
  for (; pattern != end; pattern++, s++) {
    if (*pattern == '*') {
      while (!matches(pattern + 1, end, s))
        if (!*s++) return false;
      return true;
    }
    if (!*s || (*pattern != '?' && *pattern != *s)) return false;
  }
  return !*s;
}

struct Filter {
  const char *suite, *suite_end, *test, *test_end;
  explicit Filter(const char* f) {
    suite = f && *f ? f : "*";
    suite_end = strchrnul(suite, '.');
    test = *suite_end ? suite_end + 1 : "*";
    test_end = test + strlen(test);
  }
  bool wants(const kunit_suite* s, const kunit_case* c) const {
    return matches(suite, suite_end, s->name) && matches(test, test_end, c->name);
  }
};

template <class F>
void for_each_suite(F f) {
  for (kunit_suite* const* p = __start_kunit_suites; p < __stop_kunit_suites; p++)
    if (*p) f(*p);
}
template <class F>
void for_each_case(kunit_suite* s, F f) {
  for (kunit_case* c = s->test_cases; c && c->run_case; c++) f(c);
}

int count_cases(kunit_suite* s, const Filter& filter) {
  int n = 0;
  for_each_case(s, [&](kunit_case* c) { n += filter.wants(s, c); });
  return n;
}

// A case that is to kill the machine proves nothing in a run that must go on.
bool is_deadly(const kunit_suite* s) { return s->world.dies_plain || s->world.dies_asan || s->world.dies_tsan; }

kunit_status run_case(kunit_suite* s, kunit_case* c, int number, bool alone) {
  char comment[KUNIT_STATUS_COMMENT_SIZE] = "";
  if (is_deadly(s) && !alone)
    strscpy(comment, "ends the machine: run it alone", sizeof comment), c->status = KUNIT_SKIPPED;
  else
    c->status = c->generate_params ? run_params(s, c, comment) : run_once(s, c, nullptr, 0, comment);
  print_result("    ", c->status, number, c->name, comment);
  return c->status;
}

Tally run_suite(kunit_suite* s, const Filter& filter) {
  Tally tally;
  int n = count_cases(s, filter), number = 0;
  pr_info("    KTAP version 1\n    # Subtest: %s\n    1..%d\n", s->name, n);
  if (int err = s->suite_init ? s->suite_init(s) : 0) {
    pr_err("    # %s: suite_init failed: %d\n", s->name, err);
    tally.failed = n;
    return tally;
  }
  for_each_case(s, [&](kunit_case* c) {
    if (filter.wants(s, c)) tally.count(run_case(s, c, ++number, n == 1));
  });
  if (s->suite_exit) s->suite_exit(s);
  pr_info("# %s: pass:%d fail:%d skip:%d total:%d\n", s->name, tally.passed, tally.failed, tally.skipped, tally.total());
  return tally;
}

}  // namespace

int kunit_run_all(const char* pattern) {
  Filter filter(pattern);
  int suites = 0, number = 0;
  for_each_suite([&](kunit_suite* s) { suites += count_cases(s, filter) > 0; });
  pr_info("KTAP version 1\n1..%d\n", suites);
  Tally all;
  for_each_suite([&](kunit_suite* s) {
    if (!count_cases(s, filter)) return;
    Tally t = run_suite(s, filter);
    all.add(t);
    pr_info("%s %d %s\n", not_if_failed(t.status()), ++number, s->name);
  });
  pr_info("# Totals: pass:%d fail:%d skip:%d total:%d\n", all.passed, all.failed, all.skipped, all.total());
  return all.failed;
}

// ---- What cases call ------------------------------------------------------------------------------------------------

extern "C" void kunit_abort(kunit* test) {
  auto* run = static_cast<Run*>(test->run);
  if (run->thread == current) kthread_complete_and_exit(&run->done, 0);
  kthread_exit(0);  // a helper thread of the case's
}

extern "C" void kunit_log(kunit* test, const char* level, const char* fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vscnprintf(text, sizeof text, fmt, args);
  va_end(args);
  size_t n = strlen(text);
  pr_info("    # %s: %s%s%s", test->name, level, text, n && text[n - 1] == '\n' ? "" : "\n");
}

extern "C" void kunit_mark_skipped(kunit* test, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vscnprintf(test->status_comment, sizeof test->status_comment, fmt, args);
  va_end(args);
  if (READ_ONCE(test->status) == KUNIT_SUCCESS) WRITE_ONCE(test->status, KUNIT_SKIPPED);
}

// ---- For the host harness -------------------------------------------------------------------------------------------

size_t kunit_case_count() {
  size_t n = 0;
  for_each_suite([&](kunit_suite* s) { for_each_case(s, [&](kunit_case*) { n++; }); });
  return n;
}

KunitCaseInfo kunit_case_info(size_t index) {
  KunitCaseInfo info{};
  for_each_suite([&](kunit_suite* s) {
    for_each_case(s, [&](kunit_case* c) {
      if (index-- == 0)
        info = {s->name,        c->name,         s->world.cpus,       s->world.memory_mb, s->world.cmdline,
                s->world.seeds, s->world.replay, s->world.parallel, s->world.deterministic, s->world.dies_plain,
                s->world.dies_asan, s->world.dies_tsan};
    });
  });
  return info;
}
