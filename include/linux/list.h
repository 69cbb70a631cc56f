// Circular doubly linked lists and hash-bucket lists, with Linux's names. The C++ face is lib/list.hh.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_LIST_H
#define _LINUX_LIST_H

#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/types.h>

#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
#define LIST_POISON1 ((struct list_head *)0x100)
#define LIST_POISON2 ((struct list_head *)0x122)

static inline void INIT_LIST_HEAD(struct list_head *h)
{
	WRITE_ONCE(h->next, h);
	h->prev = h;
}
static inline void __list_add(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	next->prev = n;
	n->next = next;
	n->prev = prev;
	__atomic_store_n(&prev->next, n, __ATOMIC_RELEASE); /* an RCU walker that sees n sees its links */
}
static inline void list_add(struct list_head *n, struct list_head *head) { __list_add(n, head, head->next); }
static inline void list_add_tail(struct list_head *n, struct list_head *head) { __list_add(n, head->prev, head); }
static inline void __list_del(struct list_head *prev, struct list_head *next)
{
	next->prev = prev;
	WRITE_ONCE(prev->next, next);
}
static inline void __list_del_entry(struct list_head *e) { __list_del(e->prev, e->next); }
static inline void list_del(struct list_head *e)
{
	__list_del_entry(e);
	e->next = LIST_POISON1;
	e->prev = LIST_POISON2;
}
static inline void list_del_init(struct list_head *e)
{
	__list_del_entry(e);
	INIT_LIST_HEAD(e);
}
static inline bool list_empty(const struct list_head *h) { return READ_ONCE(h->next) == h; }
/* Pairs with list_del_init_careful: the caller may go on without the list's lock once this is true. */
static inline bool list_empty_careful(const struct list_head *h)
{
	struct list_head *next = __atomic_load_n(&h->next, __ATOMIC_ACQUIRE);
	return next == h && next == READ_ONCE(h->prev);
}
static inline void list_del_init_careful(struct list_head *e)
{
	__list_del_entry(e);
	WRITE_ONCE(e->prev, e);
	__atomic_store_n(&e->next, e, __ATOMIC_RELEASE);
}
static inline bool list_is_first(const struct list_head *e, const struct list_head *h) { return e->prev == h; }
static inline bool list_is_last(const struct list_head *e, const struct list_head *h) { return e->next == h; }
static inline bool list_is_singular(const struct list_head *h) { return !list_empty(h) && h->next == h->prev; }
static inline void list_replace(struct list_head *old, struct list_head *n)
{
	n->next = old->next;
	n->next->prev = n;
	n->prev = old->prev;
	n->prev->next = n;
}
static inline void list_replace_init(struct list_head *old, struct list_head *n)
{
	list_replace(old, n);
	INIT_LIST_HEAD(old);
}
static inline void list_move(struct list_head *e, struct list_head *head)
{
	__list_del_entry(e);
	list_add(e, head);
}
static inline void list_move_tail(struct list_head *e, struct list_head *head)
{
	__list_del_entry(e);
	list_add_tail(e, head);
}
static inline void list_splice(struct list_head *from, struct list_head *head)
{
	if (list_empty(from))
		return;
	from->next->prev = head;
	from->prev->next = head->next;
	head->next->prev = from->prev;
	head->next = from->next;
}
static inline void list_splice_init(struct list_head *from, struct list_head *head)
{
	list_splice(from, head);
	INIT_LIST_HEAD(from);
}
static inline void list_splice_tail_init(struct list_head *from, struct list_head *head)
{
	list_splice(from, head->prev);
	INIT_LIST_HEAD(from);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_last_entry(h, type, member) list_entry((h)->prev, type, member)
#define list_first_entry_or_null(h, type, member) (list_empty(h) ? NULL : list_first_entry(h, type, member))
#define list_next_entry(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member) list_entry((pos)->member.prev, __typeof__(*(pos)), member)
#define list_entry_is_head(pos, h, member) (&(pos)->member == (h))
#define list_for_each(pos, h) for (pos = (h)->next; pos != (h); pos = pos->next)
#define list_for_each_safe(pos, n, h) for (pos = (h)->next, n = pos->next; pos != (h); pos = n, n = pos->next)
#define list_for_each_entry(pos, h, member)                                        \
	for (pos = list_first_entry(h, __typeof__(*pos), member);                  \
	     !list_entry_is_head(pos, h, member); pos = list_next_entry(pos, member))
#define list_for_each_entry_reverse(pos, h, member)                                \
	for (pos = list_last_entry(h, __typeof__(*pos), member);                   \
	     !list_entry_is_head(pos, h, member); pos = list_prev_entry(pos, member))
#define list_for_each_entry_safe(pos, n, h, member)                                \
	for (pos = list_first_entry(h, __typeof__(*pos), member), n = list_next_entry(pos, member); \
	     !list_entry_is_head(pos, h, member); pos = n, n = list_next_entry(n, member))

/* RCU: readers walk with list_for_each_entry_rcu under rcu_read_lock; removal keeps e->next for them. */
static inline void list_add_rcu(struct list_head *n, struct list_head *head) { list_add(n, head); }
static inline void list_add_tail_rcu(struct list_head *n, struct list_head *head) { list_add_tail(n, head); }
static inline void list_del_rcu(struct list_head *e)
{
	__list_del_entry(e);
	e->prev = LIST_POISON2;
}
/* For readers on their way past old: it keeps its links. */
static inline void list_replace_rcu(struct list_head *old, struct list_head *n)
{
	struct list_head *prev = old->prev;
	n->next = old->next;
	n->prev = prev;
	__atomic_store_n(&prev->next, n, __ATOMIC_RELEASE);
	n->next->prev = n;
	old->prev = LIST_POISON2;
}
/* A link that leads to what its maker published: pairs with the release in __list_add and hlist_add_head. */
#ifdef CF_RACE_POINTS
#define rcu_follow_link(ptr) READ_ONCE(ptr)
#else
#define rcu_follow_link(ptr) __atomic_load_n(&(ptr), __ATOMIC_ACQUIRE)
#endif
#define list_entry_rcu(ptr, type, member) container_of(rcu_follow_link(ptr), type, member)
#define list_for_each_entry_rcu(pos, h, member, ...)                               \
	for (pos = list_entry_rcu((h)->next, __typeof__(*pos), member); &pos->member != (h); \
	     pos = list_entry_rcu(pos->member.next, __typeof__(*pos), member))

#define HLIST_HEAD_INIT { NULL }
#define INIT_HLIST_HEAD(h) ((h)->first = NULL)
static inline void INIT_HLIST_NODE(struct hlist_node *n)
{
	n->next = NULL;
	n->pprev = NULL;
}
static inline bool hlist_unhashed(const struct hlist_node *n) { return !READ_ONCE(n->pprev); }
static inline bool hlist_empty(const struct hlist_head *h) { return !READ_ONCE(h->first); }
static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	struct hlist_node *first = h->first;
	n->next = first;
	if (first)
		first->pprev = &n->next;
	n->pprev = &h->first;
	__atomic_store_n(&h->first, n, __ATOMIC_RELEASE);
}
static inline void hlist_add_head_rcu(struct hlist_node *n, struct hlist_head *h) { hlist_add_head(n, h); }
static inline void __hlist_del(struct hlist_node *n)
{
	WRITE_ONCE(*n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
}
static inline void hlist_del(struct hlist_node *n)
{
	__hlist_del(n);
	n->next = (struct hlist_node *)LIST_POISON1;
	n->pprev = (struct hlist_node **)LIST_POISON2;
}
static inline void hlist_del_rcu(struct hlist_node *n)
{
	__hlist_del(n);
	n->pprev = (struct hlist_node **)LIST_POISON2;
}
static inline void hlist_del_init(struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	__hlist_del(n);
	INIT_HLIST_NODE(n);
}
static inline void hlist_del_init_rcu(struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	__hlist_del(n);
	WRITE_ONCE(n->pprev, (struct hlist_node **)0);
}
#define hlist_entry(ptr, type, member) container_of(ptr, type, member)
#define hlist_entry_safe(ptr, type, member) \
	({ __typeof__(ptr) __he = (ptr); __he ? hlist_entry(__he, type, member) : (type *)NULL; })
#define hlist_for_each_entry(pos, head, member)                                    \
	for (pos = hlist_entry_safe((head)->first, __typeof__(*(pos)), member); pos; \
	     pos = hlist_entry_safe((pos)->member.next, __typeof__(*(pos)), member))
#define hlist_for_each_entry_safe(pos, n, head, member)                            \
	for (pos = hlist_entry_safe((head)->first, __typeof__(*pos), member);      \
	     pos && ((n = pos->member.next), 1); pos = hlist_entry_safe(n, __typeof__(*pos), member))
#define hlist_for_each_entry_rcu(pos, head, member, ...)                           \
	for (pos = hlist_entry_safe(rcu_follow_link((head)->first), __typeof__(*(pos)), member); pos; \
	     pos = hlist_entry_safe(rcu_follow_link((pos)->member.next), __typeof__(*(pos)), member))

#endif
