// Task work: run by its task, oldest first, refused once the task is past it.
// SPDX-License-Identifier: Apache-2.0
#include <linux/task_work.h>

#include "kernel/random/random.hh"
#include "test/fork/helpers.hh"

namespace {

struct Work {
  callback_head head;
  int number;
};
int order[4], done;
void note(callback_head* head) { order[done++] = container_of(head, Work, head)->number; }

void oldest_first(kunit* test) {
  Work w[3];
  done = 0;
  for (int i = 0; i < 3; i++) {
    w[i].number = i;
    init_task_work(&w[i].head, note);
    KUNIT_EXPECT_EQ(test, task_work_add(current, &w[i].head, TWA_NONE), 0);
  }
  task_work_run();
  KUNIT_EXPECT_EQ(test, done, 3);
  for (int i = 0; i < 3; i++) KUNIT_EXPECT_EQ(test, order[i], i);
}

void notes_what_it_asks_for(kunit* test) {
  Work w;
  done = 0;
  init_task_work(&w.head, note);
  task_work_add(current, &w.head, TWA_RESUME);
  KUNIT_EXPECT_TRUE(test, test_thread_flag(TIF_NOTIFY_RESUME));
  clear_thread_flag(TIF_NOTIFY_RESUME);
  task_work_run();
  task_work_add(current, &w.head, TWA_SIGNAL);
  KUNIT_EXPECT_TRUE(test, signal_pending(current));
  clear_thread_flag(TIF_NOTIFY_SIGNAL);
  task_work_run();
  KUNIT_EXPECT_EQ(test, done, 2);
}

void refused_after_exit(kunit* test) {
  pid_t pid = spawn([](void*) { return 0; });
  wait_for(pid, WEXITED | WNOWAIT);
  TaskRef t(pid);
  Work w;
  init_task_work(&w.head, note);
  KUNIT_EXPECT_EQ(test, task_work_add(t.get(), &w.head, TWA_NONE), -ESRCH);
  wait_for(pid);
}

Work last;
int leaves_work(void*) {
  last.number = 5;
  init_task_work(&last.head, note);
  return task_work_add(current, &last.head, TWA_NONE);
}
void exit_runs_what_is_left(kunit* test) {  // spec 21 section 2, step 18: before the parent is told
  done = 0;
  KUNIT_EXPECT_EQ(test, wait_for(spawn(leaves_work)).event.status, 0);
  KUNIT_EXPECT_EQ(test, done, 1);
  KUNIT_EXPECT_EQ(test, order[0], 5);
}

// RFC 8439, section 2.3.2.
void chacha20(kunit* test) {
  u32 key[8], out[16];
  for (u32 i = 0; i < 8; i++) key[i] = 0x03020100 + i * 0x04040404;
  const u32 nonce[3] = {0x09000000, 0x4a000000, 0x00000000};
  chacha20_block(key, 1, nonce, out);
  const u32 expected[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                            0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9, 0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
  KUNIT_EXPECT_MEMEQ(test, out, expected, sizeof(out));
}

void no_two_requests_alike(kunit* test) {
  unsigned char a[100], b[100];
  crng_bytes(a, sizeof(a));
  crng_bytes(b, sizeof(b));
  KUNIT_EXPECT_MEMNEQ(test, a, b, sizeof(a));
}

kunit_case cases[] = {
    KUNIT_CASE(oldest_first), KUNIT_CASE(notes_what_it_asks_for), KUNIT_CASE(refused_after_exit), KUNIT_CASE(exit_runs_what_is_left),
    KUNIT_CASE(chacha20), KUNIT_CASE(no_two_requests_alike), {},
};
kunit_suite suite = {.name = "task_work", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
