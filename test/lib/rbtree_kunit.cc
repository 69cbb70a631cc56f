// Red-black trees: the invariants after every change, against a recount.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/rbtree.h>

#include <initializer_list>

#include "lib/list.hh"

namespace {

struct Item {
  rb_node node;
  unsigned key, order;
  bool in;
};
bool less(rb_node* a, const rb_node* b) { return rb_entry(a, Item, node)->key < rb_entry(b, Item, node)->key; }

// Black height, or -1 if a rule is broken: red has no red child, both sides equally black, parents right.
int black_height(const rb_node* n) {
  if (!n) return 1;
  for (const rb_node* c : {n->rb_left, n->rb_right}) {
    if (!c) continue;
    if (rb_parent(c) != n) return -1;
    if (!(n->__rb_parent_color & 1) && !(c->__rb_parent_color & 1)) return -1;
  }
  int l = black_height(n->rb_left), r = black_height(n->rb_right);
  if (l < 0 || l != r) return -1;
  return l + static_cast<int>(n->__rb_parent_color & 1);
}
bool valid(const rb_root& root) {
  return !root.rb_node || ((root.rb_node->__rb_parent_color & 1) && !rb_parent(root.rb_node) && black_height(root.rb_node) > 0);
}
// Keys do not fall, both ways.
bool ordered(const rb_root& root, unsigned count) {
  unsigned n = 0, last = 0;
  for (rb_node* p = rb_first(&root); p; p = rb_next(p), n++) {
    if (rb_entry(p, Item, node)->key < last) return false;
    last = rb_entry(p, Item, node)->key;
  }
  for (rb_node* p = rb_last(&root); p; p = rb_prev(p), n--) {
    if (rb_entry(p, Item, node)->key > last) return false;
    last = rb_entry(p, Item, node)->key;
  }
  (void)count;
  return n == 0;
}

void random_changes(kunit* test) {
  static Item items[200];
  rb_root root = RB_ROOT;
  unsigned in = 0;
  for (Item& i : items) i = {};
  for (int step = 0; step < 3000; step++) {
    Item& i = items[prandom_u32_max(ARRAY_SIZE(items))];
    if (i.in) {
      rb_erase(&i.node, &root);
      in--;
    } else {
      i.key = prandom_u32_max(50);
      rb_add(&i.node, &root, less);
      in++;
    }
    i.in = !i.in;
    if (step % 16 && in > 8) continue;
    KUNIT_ASSERT_TRUE(test, valid(root));
    KUNIT_ASSERT_TRUE(test, ordered(root, in));
  }
  unsigned counted = 0;
  for (rb_node* p = rb_first(&root); p; p = rb_next(p)) counted++;
  KUNIT_EXPECT_EQ(test, counted, in);
}

void ascending_and_descending(kunit* test) {
  static Item items[128];
  for (bool up : {true, false}) {
    rb_root root = RB_ROOT;
    for (unsigned i = 0; i < 128; i++) {
      items[i].key = up ? i : 128 - i;
      rb_add(&items[i].node, &root, less);
      KUNIT_ASSERT_TRUE(test, valid(root));
    }
    for (unsigned i = 0; i < 128; i++) {
      rb_erase(&items[i].node, &root);
      KUNIT_ASSERT_TRUE(test, valid(root));
    }
    KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&root));
  }
}

void leftmost_is_cached(kunit* test) {
  static Item items[100];
  rb_root_cached root = RB_ROOT_CACHED;
  for (Item& i : items) {
    i.key = prandom_u32_max(1000);
    rb_node* newest = rb_add_cached(&i.node, &root, less);
    KUNIT_EXPECT_EQ(test, newest == &i.node, rb_first(&root.rb_root) == &i.node);
    KUNIT_ASSERT_PTR_EQ(test, rb_first_cached(&root), rb_first(&root.rb_root));
  }
  for (Item& i : items) {
    rb_erase_cached(&i.node, &root);
    KUNIT_ASSERT_PTR_EQ(test, rb_first_cached(&root), rb_first(&root.rb_root));
  }
}

// Equal keys stay in the order they came in: round robin among equals relies on it (spec 31).
void equals_keep_their_order(kunit* test) {
  static Item items[32];
  rb_root root = RB_ROOT;
  for (unsigned i = 0; i < 32; i++) {
    items[i].key = i % 4;
    items[i].order = i;
    rb_add(&items[i].node, &root, less);
  }
  Item* last = nullptr;
  for (rb_node* p = rb_first(&root); p; p = rb_next(p)) {
    Item* i = rb_entry(p, Item, node);
    if (last && last->key == i->key) KUNIT_EXPECT_LT(test, last->order, i->order);
    last = i;
  }
}

void postorder_and_replace(kunit* test) {
  static Item items[50];
  static Item other;
  rb_root root = RB_ROOT;
  for (unsigned i = 0; i < 50; i++) {
    items[i].key = i * 7 % 50;
    items[i].in = true;
    rb_add(&items[i].node, &root, less);
  }
  other.key = items[9].key;
  other.in = true;
  rb_replace_node(&items[9].node, &other.node, &root);
  KUNIT_EXPECT_TRUE(test, valid(root));
  unsigned seen = 0;
  Item *pos, *n;
  rbtree_postorder_for_each_entry_safe(pos, n, &root, node) {
    // Children come before their parent.
    KUNIT_EXPECT_TRUE(test, pos->in);
    for (rb_node* c : {pos->node.rb_left, pos->node.rb_right})
      if (c) KUNIT_EXPECT_FALSE(test, rb_entry(c, Item, node)->in);
    pos->in = false;
    seen++;
  }
  KUNIT_EXPECT_EQ(test, seen, 50u);
}

struct Element {
  int value;
  list_head link;
};
using Elements = List<Element, &Element::link>;

void typed_lists(kunit* test) {
  Element a{1, {}}, b{2, {}}, c{3, {}};
  Elements l, m;
  KUNIT_EXPECT_NULL(test, l.pop_front());
  l.push_back(a);
  l.push_back(b);
  l.push_front(c);
  int order = 0;
  for (Element& e : l) order = order * 10 + e.value;
  KUNIT_EXPECT_EQ(test, order, 312);
  l.move_to_back(c);
  KUNIT_EXPECT_EQ(test, l.back()->value, 3);
  m.splice_back(l);
  KUNIT_EXPECT_TRUE(test, l.empty());
  KUNIT_EXPECT_EQ(test, m.count(), size_t{3});
  m.for_each_safe([](Element& e) { Elements::remove(e); });
  KUNIT_EXPECT_FALSE(test, Elements::linked(a));
  KUNIT_EXPECT_TRUE(test, m.empty());
}

kunit_case cases[] = {
    KUNIT_CASE(random_changes),          KUNIT_CASE(ascending_and_descending), KUNIT_CASE(leftmost_is_cached),
    KUNIT_CASE(equals_keep_their_order), KUNIT_CASE(postorder_and_replace),    KUNIT_CASE(typed_lists), {},
};
kunit_suite suite = {.name = "rbtree", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
