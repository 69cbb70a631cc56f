// Red-black tree nodes and roots.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_RBTREE_TYPES_H
#define _LINUX_RBTREE_TYPES_H
#include <linux/types.h>
struct rb_node {
	unsigned long __rb_parent_color; /* parent pointer; bit 0 set: black */
	struct rb_node *rb_right, *rb_left;
} __attribute__((aligned(sizeof(long))));
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; struct rb_node *rb_leftmost; };
#define RB_ROOT { NULL }
#define RB_ROOT_CACHED { { NULL }, NULL }
#endif
