// Red-black trees: the balance. Written after the textbook's cases, iterative, with the colour in the parent word (bit 0: black).
// SPDX-License-Identifier: Apache-2.0
#include <linux/rbtree.h>

namespace {

constexpr unsigned long kBlack = 1;

rb_node* parent_of(const rb_node* n) { return rb_parent(n); }
bool is_black(const rb_node* n) { return !n || (n->__rb_parent_color & kBlack); }
bool is_red(const rb_node* n) { return !is_black(n); }
void set_black(rb_node* n) { n->__rb_parent_color |= kBlack; }
void set_red(rb_node* n) { n->__rb_parent_color &= ~kBlack; }
unsigned long colour_of(const rb_node* n) { return n->__rb_parent_color & kBlack; }
void set_parent(rb_node* n, rb_node* p) { n->__rb_parent_color = reinterpret_cast<unsigned long>(p) | colour_of(n); }
void copy_colour(rb_node* to, const rb_node* from) {
  to->__rb_parent_color = reinterpret_cast<unsigned long>(parent_of(to)) | colour_of(from);
}

// Where the pointer to n lies: in its parent, or the root.
rb_node** link_to(rb_node* n, rb_root* root) {
  rb_node* p = parent_of(n);
  if (!p) return &root->rb_node;
  return p->rb_left == n ? &p->rb_left : &p->rb_right;
}

using Side = rb_node* rb_node::*;
constexpr Side kLeft = &rb_node::rb_left, kRight = &rb_node::rb_right;
Side other(Side s) { return s == kLeft ? kRight : kLeft; }

// n goes down to side `down`; its child of the other side comes up in its place.
void rotate(rb_node* n, Side down, rb_root* root) {
  Side up = other(down);
  rb_node* child = n->*up;
  n->*up = child->*down;
  if (child->*down) set_parent(child->*down, n);
  WRITE_ONCE(*link_to(n, root), child);
  set_parent(child, parent_of(n));
  child->*down = n;
  set_parent(n, child);
}

// The subtree at (parent, side of it where n hangs) is one black node short.
void fix_erase(rb_node* n, rb_node* parent, rb_root* root) {
  while (parent && is_black(n)) {
    Side side = parent->rb_left == n ? kLeft : kRight;
    Side far = other(side);
    rb_node* sibling = parent->*far;
    if (is_red(sibling)) {
      set_black(sibling);
      set_red(parent);
      rotate(parent, side, root);
      sibling = parent->*far;
    }
    if (is_black(sibling->rb_left) && is_black(sibling->rb_right)) {
      set_red(sibling);
      n = parent;
      parent = parent_of(n);
      continue;
    }
    if (is_black(sibling->*far)) {
      set_black(sibling->*side);
      set_red(sibling);
      rotate(sibling, far, root);
      sibling = parent->*far;
    }
    copy_colour(sibling, parent);
    set_black(parent);
    set_black(sibling->*far);
    rotate(parent, side, root);
    return;
  }
  if (n) set_black(n);
}

rb_node* leftmost(rb_node* n) {
  while (n && n->rb_left) n = n->rb_left;
  return n;
}
rb_node* rightmost(rb_node* n) {
  while (n && n->rb_right) n = n->rb_right;
  return n;
}
// The next inner node towards `side`, in order.
rb_node* step(const rb_node* n, Side side) {
  if (RB_EMPTY_NODE(n)) return nullptr;
  if (n->*side) return side == kRight ? leftmost(n->*side) : rightmost(n->*side);
  rb_node* p = parent_of(n);
  for (; p && p->*side == n; p = parent_of(p)) n = p;
  return p;
}
// The leaf that a postorder walk of n's subtree meets first.
rb_node* deepest_first(rb_node* n) {
  for (;;) {
    if (n->rb_left) n = n->rb_left;
    else if (n->rb_right) n = n->rb_right;
    else return n;
  }
}

}  // namespace

extern "C" {

void rb_insert_color(rb_node* n, rb_root* root) {
  for (rb_node* parent; is_red(parent = parent_of(n)) && parent;) {
    rb_node* grand = parent_of(parent);  // there is one: the root is black
    Side side = grand->rb_left == parent ? kLeft : kRight;
    rb_node* uncle = grand->*other(side);
    if (is_red(uncle)) {
      set_black(parent);
      set_black(uncle);
      set_red(grand);
      n = grand;
      continue;
    }
    if (parent->*other(side) == n) {
      rotate(parent, side, root);
      parent = n;
    }
    set_black(parent);
    set_red(grand);
    rotate(grand, other(side), root);
    break;
  }
  set_black(root->rb_node);
}

void rb_erase(rb_node* n, rb_root* root) {
  rb_node *child, *parent;
  unsigned long lost;  // the colour that left the tree
  if (!n->rb_left || !n->rb_right) {
    child = n->rb_left ? n->rb_left : n->rb_right;
    parent = parent_of(n);
    lost = colour_of(n);
    WRITE_ONCE(*link_to(n, root), child);
    if (child) set_parent(child, parent);
  } else {
    rb_node* next = leftmost(n->rb_right);  // takes n's place and colour
    child = next->rb_right;
    lost = colour_of(next);
    if (parent_of(next) == n) {
      parent = next;
    } else {
      parent = parent_of(next);
      parent->rb_left = child;
      if (child) set_parent(child, parent);
      next->rb_right = n->rb_right;
      set_parent(next->rb_right, next);
    }
    WRITE_ONCE(*link_to(n, root), next);
    next->rb_left = n->rb_left;
    set_parent(next->rb_left, next);
    next->__rb_parent_color = n->__rb_parent_color;
  }
  if (lost) fix_erase(child, parent, root);
}

rb_node* rb_first(const rb_root* root) { return leftmost(root->rb_node); }
rb_node* rb_last(const rb_root* root) { return rightmost(root->rb_node); }
rb_node* rb_next(const rb_node* n) { return step(n, kRight); }
rb_node* rb_prev(const rb_node* n) { return step(n, kLeft); }

void rb_replace_node(rb_node* victim, rb_node* n, rb_root* root) {
  WRITE_ONCE(*link_to(victim, root), n);
  *n = *victim;
  if (n->rb_left) set_parent(n->rb_left, n);
  if (n->rb_right) set_parent(n->rb_right, n);
}

rb_node* rb_first_postorder(const rb_root* root) { return root->rb_node ? deepest_first(root->rb_node) : nullptr; }

rb_node* rb_next_postorder(const rb_node* n) {
  if (!n) return nullptr;
  rb_node* parent = parent_of(n);
  if (parent && n == parent->rb_left && parent->rb_right) return deepest_first(parent->rb_right);
  return parent;
}

}  // extern "C"
