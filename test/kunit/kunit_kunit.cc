// The harness's own suite: what expectations accept, resources, actions, parameters, skipping.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

namespace {

int inits, exits;

int count_init(kunit* test) {
  inits++;
  test->priv = &inits;
  return 0;
}
void count_exit(kunit*) { exits++; }

void expectations_hold(kunit* test) {
  int x = 5;
  unsigned long big = ~0ul;
  int* p = &x;
  KUNIT_EXPECT_EQ(test, x, 5);
  KUNIT_EXPECT_NE(test, x, 6u);
  KUNIT_EXPECT_LT(test, x, 6);
  KUNIT_EXPECT_LE(test, x, 5);
  KUNIT_EXPECT_GT(test, big, 6ul);
  KUNIT_EXPECT_GE(test, big, big);
  KUNIT_EXPECT_TRUE(test, x == 5);
  KUNIT_EXPECT_FALSE(test, x == 6);
  KUNIT_EXPECT_PTR_EQ(test, p, &x);
  KUNIT_EXPECT_PTR_NE(test, p, nullptr);
  KUNIT_EXPECT_NOT_NULL(test, p);
  KUNIT_EXPECT_NULL(test, static_cast<int*>(nullptr));
  KUNIT_EXPECT_NOT_ERR_OR_NULL(test, p);
  KUNIT_EXPECT_STREQ(test, "abc", "abc");
  KUNIT_EXPECT_STRNEQ(test, "abc", "abd");
  KUNIT_EXPECT_MEMEQ(test, "abc", "abd", 2);
  KUNIT_EXPECT_MEMNEQ(test, "abc", "abd", 3);
  KUNIT_ASSERT_EQ_MSG(test, x, 5, "x is %d", x);
}

void evaluates_once(kunit* test) {
  int n = 0;
  KUNIT_EXPECT_EQ(test, ++n, 1);
  KUNIT_EXPECT_TRUE(test, ++n == 2);
  KUNIT_EXPECT_EQ(test, n, 2);
}

void init_ran(kunit* test) {
  KUNIT_EXPECT_PTR_EQ(test, test->priv, &inits);
  KUNIT_EXPECT_EQ(test, inits, exits + 1);
}

void memory_is_zeroed_and_freed(kunit* test) {
  auto* p = static_cast<char*>(kunit_kzalloc(test, 100, GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, p);
  KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, 100));
  void* q = kunit_kmalloc(test, 10, GFP_KERNEL);
  kunit_kfree(test, q);  // p is freed by the harness: the leak check would tell
}

struct Order {
  int calls[4], n;
};
Order order;
void note_one(void*) { order.calls[order.n++] = 1; }
void note_two(void*) { order.calls[order.n++] = 2; }

void actions_run_backwards(kunit* test) {
  order.n = 0;
  KUNIT_ASSERT_EQ(test, kunit_add_action(test, note_one, nullptr), 0);
  KUNIT_ASSERT_EQ(test, kunit_add_action(test, note_two, nullptr), 0);
  KUNIT_ASSERT_EQ(test, kunit_add_action(test, note_one, &order), 0);
  kunit_remove_action(test, note_one, &order);
  kunit_release_action(test, note_two, nullptr);
  KUNIT_EXPECT_EQ(test, order.n, 1);
  KUNIT_EXPECT_EQ(test, order.calls[0], 2);
}

int init_resource(kunit_resource* res, void* context) {
  res->data = context;
  return 0;
}
int freed;
void free_resource(kunit_resource*) { freed++; }
void named_resources(kunit* test) {
  static kunit_resource res;
  freed = 0;
  KUNIT_ASSERT_EQ(test, kunit_add_named_resource(test, init_resource, free_resource, &res, "thing", &freed), 0);
  KUNIT_EXPECT_EQ(test, kunit_add_named_resource(test, init_resource, free_resource, &res, "thing", &freed), -EEXIST);
  kunit_resource* found = kunit_find_named_resource(test, "thing");
  KUNIT_ASSERT_PTR_EQ(test, found, &res);
  KUNIT_EXPECT_PTR_EQ(test, found->data, &freed);
  kunit_remove_resource(test, found);
  KUNIT_EXPECT_EQ(test, freed, 0);  // the reference that find took
  kunit_put_resource(found);
  KUNIT_EXPECT_EQ(test, freed, 1);
}

struct Square {
  int x, y;
};
const Square kSquares[] = {{0, 0}, {2, 4}, {-3, 9}};
void describe(const Square* s, char* desc) { snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d", s->x); }
KUNIT_ARRAY_PARAM(squares, kSquares, describe)
void parameters(kunit* test) {
  auto* s = static_cast<const Square*>(test->param_value);
  KUNIT_EXPECT_EQ(test, s->x * s->x, s->y);
  KUNIT_EXPECT_PTR_EQ(test, s, &kSquares[test->param_index]);
}

void skips(kunit* test) {
  kunit_skip(test, "nothing to see here");
  KUNIT_FAIL(test, "ran on after kunit_skip");
}

kunit_case cases[] = {KUNIT_CASE(expectations_hold), KUNIT_CASE(evaluates_once), KUNIT_CASE(init_ran),
                      KUNIT_CASE(memory_is_zeroed_and_freed), KUNIT_CASE(actions_run_backwards), KUNIT_CASE(named_resources),
                      KUNIT_CASE_PARAM(parameters, squares_gen_params), KUNIT_CASE(skips), {}};
kunit_suite suite = {.name = "kunit", .init = count_init, .exit = count_exit, .test_cases = cases};

}  // namespace

kunit_test_suite(suite);
