// Red-black trees. The caller descends and links; rb_insert_color restores the balance. No locks of their own.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_RBTREE_H
#define _LINUX_RBTREE_H
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/rbtree_types.h>
#define rb_parent(n) ((struct rb_node *)((n)->__rb_parent_color & ~3ul))
#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define rb_entry_safe(ptr, type, member) ({ __typeof__(ptr) __rbp = (ptr); __rbp ? rb_entry(__rbp, type, member) : NULL; })
#define RB_EMPTY_ROOT(root) (READ_ONCE((root)->rb_node) == NULL)
#define RB_EMPTY_NODE(n) ((n)->__rb_parent_color == (unsigned long)(n))
#define RB_CLEAR_NODE(n) ((n)->__rb_parent_color = (unsigned long)(n))
CF_C_BEGIN
void rb_insert_color(struct rb_node *n, struct rb_root *root);
void rb_erase(struct rb_node *n, struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_first_postorder(const struct rb_root *root);
struct rb_node *rb_next_postorder(const struct rb_node *n);
void rb_replace_node(struct rb_node *victim, struct rb_node *n, struct rb_root *root);
CF_C_END
static inline void rb_link_node(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->__rb_parent_color = (unsigned long)parent; /* red */
	n->rb_left = n->rb_right = NULL;
	*link = n;
}
#define rb_first_cached(root) ((root)->rb_leftmost)
static inline void rb_insert_color_cached(struct rb_node *n, struct rb_root_cached *root, bool leftmost)
{
	if (leftmost)
		root->rb_leftmost = n;
	rb_insert_color(n, &root->rb_root);
}
/* The new leftmost if it changed, else NULL. */
static inline struct rb_node *rb_erase_cached(struct rb_node *n, struct rb_root_cached *root)
{
	struct rb_node *leftmost = NULL;
	if (root->rb_leftmost == n)
		leftmost = root->rb_leftmost = rb_next(n);
	rb_erase(n, &root->rb_root);
	return leftmost;
}
static inline void rb_replace_node_cached(struct rb_node *victim, struct rb_node *n, struct rb_root_cached *root)
{
	if (root->rb_leftmost == victim)
		root->rb_leftmost = n;
	rb_replace_node(victim, n, &root->rb_root);
}
/* Equal ones go to the right of those that are there. Returns n if it is the new leftmost. */
static __always_inline struct rb_node *rb_add_cached(struct rb_node *n, struct rb_root_cached *tree,
						     bool (*less)(struct rb_node *, const struct rb_node *))
{
	struct rb_node **link = &tree->rb_root.rb_node, *parent = NULL;
	bool leftmost = true;
	while (*link) {
		parent = *link;
		if (less(n, parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(n, parent, link);
	rb_insert_color_cached(n, tree, leftmost);
	return leftmost ? n : NULL;
}
static __always_inline void rb_add(struct rb_node *n, struct rb_root *tree, bool (*less)(struct rb_node *, const struct rb_node *))
{
	struct rb_node **link = &tree->rb_node, *parent = NULL;
	while (*link) {
		parent = *link;
		link = less(n, parent) ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(n, parent, link);
	rb_insert_color(n, tree);
}
/* The node equal to key, or NULL. cmp: <0 key is left of node. */
static __always_inline struct rb_node *rb_find(const void *key, const struct rb_root *tree, int (*cmp)(const void *key, const struct rb_node *))
{
	struct rb_node *n = tree->rb_node;
	while (n) {
		int c = cmp(key, n);
		if (c == 0)
			return n;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}
#define rbtree_postorder_for_each_entry_safe(pos, n, root, field)                                 \
	for (pos = rb_entry_safe(rb_first_postorder(root), __typeof__(*pos), field);              \
	     pos && ({ n = rb_entry_safe(rb_next_postorder(&pos->field), __typeof__(*pos), field); 1; }); pos = n)
#endif
