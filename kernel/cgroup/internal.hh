// Cgroups, sets and controllers, for the files of kernel/cgroup and for controllers.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <string_view>

#include "fs/proc/seq_file.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"

struct cgroup_subsys;
struct cgroup_taskset;
struct cftype;

// In the order in which cgroup.controllers names them. Other controllers of Linux (io, memory, hugetlb, rdma, misc) are not
// there. The last one has room for a controller that a test brings along.
enum cgroup_subsys_id : int { cpuset_cgrp_id, cpu_cgrp_id, pids_cgrp_id, test_cgrp_id, CGROUP_SUBSYS_COUNT };
using SubsysMask = u16;
constexpr SubsysMask subsys_bit(int id) { return static_cast<SubsysMask>(1u << id); }

extern struct mutex cgroup_mutex;  // the hierarchy, types, controllers, migrations. Outside of the thread-group lock
extern spinlock_t css_set_lock;    // who is in which set, populated and frozen counts; interrupts off. Outside of siglock

// ---- One controller's state of one cgroup -----------------------------------------------------------------------------
enum : unsigned { CSS_ONLINE = 1, CSS_DYING = 2, CSS_VISIBLE = 4 };
struct cgroup_subsys_state {
  struct cgroup* cgroup;        // referenced, unless this is the cgroup's own (self)
  cgroup_subsys* ss;            // null: a cgroup's own
  cgroup_subsys_state* parent;  // referenced; null: root
  refcount_t refcnt;            // users: tasks' sets, children, namespaces. A removed one is dying until they have gone
  refcount_t pins;              // memory: one for all users, and one for each file and each child, which may outlast them
  unsigned flags;               // CSS_*; cgroup_mutex to change
  struct list_head sibling, children;  // of self only; cgroup_mutex
  struct rcu_head rcu;
};
inline void css_get(cgroup_subsys_state* css) { refcount_inc(&css->refcnt); }
inline bool css_tryget(cgroup_subsys_state* css) { return refcount_inc_not_zero(&css->refcnt); }
inline bool css_is_dying(const cgroup_subsys_state* css) { return READ_ONCE(css->flags) & CSS_DYING; }
inline bool css_tryget_online(cgroup_subsys_state* css) { return !css_is_dying(css) && css_tryget(css); }
void css_put(cgroup_subsys_state* css);    // any context
inline void css_pin(cgroup_subsys_state* css) { refcount_inc(&css->pins); }
void css_unpin(cgroup_subsys_state* css);  // any context

// ---- A cgroup ------------------------------------------------------------------------------------------------------------
enum : unsigned { CGRP_FREEZE = 1, CGRP_FROZEN = 2 };
struct CgroupFreezer {
  int freeze;    // asked for here; cgroup_mutex
  int e_freeze;  // here or above: so many. cgroup_mutex
  int nr_frozen_descendants, nr_frozen_tasks;  // css_set_lock
};
struct CgroupTimes {
  u64 runtime, utime, stime;  // ns
};
struct CgroupInode;
struct cgroup {
  cgroup_subsys_state self;
  unsigned flags;     // CGRP_*; css_set_lock
  unsigned kill_seq;  // times that it was killed; css_set_lock
  int level;
  int max_depth, max_descendants;           // INT_MAX: no limit. cgroup_mutex
  int nr_descendants, nr_dying_descendants;  // css_set_lock
  // css_set_lock. Children count as populated once each, by whether they are threaded.
  int nr_populated_csets, nr_populated_domain_children, nr_populated_threaded_children;
  int nr_threaded_children;                 // cgroup_mutex
  SubsysMask subtree_control;               // cgroup_mutex
  cgroup_subsys_state* subsys[CGROUP_SUBSYS_COUNT];  // null: not enabled here. cgroup_mutex to change, RCU to read
  struct cgroup* dom_cgrp;                  // itself, or the threaded domain it belongs to. cgroup_mutex
  struct list_head csets;                   // css_set::cgrp_link; css_set_lock
  CgroupFreezer freezer;
  CgroupTimes left;                          // of tasks that have left; css_set_lock
  struct dentry* dir;                        // referenced; null once removed. cgroup_mutex
  CgroupInode *procs_file, *events_file;     // borrowed, as long as dir is there; events_file: css_set_lock
  const char* name;
};
inline struct cgroup* cgroup_parent(const struct cgroup* c) { return c->self.parent ? c->self.parent->cgroup : nullptr; }
inline void cgroup_get(struct cgroup* c) { css_get(&c->self); }
inline void cgroup_put(struct cgroup* c) { css_put(&c->self); }
inline bool cgroup_is_dead(const struct cgroup* c) { return !(READ_ONCE(c->self.flags) & CSS_ONLINE); }
inline bool cgroup_is_descendant(const struct cgroup* c, const struct cgroup* ancestor) {
  if (c->level < ancestor->level) return false;
  while (c->level > ancestor->level) c = cgroup_parent(c);
  return c == ancestor;
}
// Below top (which comes first in pre-order, last in post-order), cgroup_mutex held. Null: no more.
struct cgroup* cgroup_next_pre(struct cgroup* at, struct cgroup* top);
struct cgroup* cgroup_first_post(struct cgroup* top);
struct cgroup* cgroup_next_post(struct cgroup* at, struct cgroup* top);
#define for_each_descendant_pre(d, top) for (d = (top); d; d = cgroup_next_pre(d, (top)))
#define for_each_descendant_post(d, top) for (d = cgroup_first_post(top); d; d = cgroup_next_post(d, (top)))
#define for_each_child_cgroup(c, parent)                                                                              \
  for (cgroup_subsys_state* css_ = list_first_entry(&(parent)->self.children, cgroup_subsys_state, sibling);          \
       &css_->sibling != &(parent)->self.children && ((c) = css_->cgroup, true);                                       \
       css_ = list_next_entry(css_, sibling))

// ---- Sets: all that a task's place in the hierarchy means, shared by the tasks with the same ---------------------------------
struct css_set {
  cgroup_subsys_state* subsys[CGROUP_SUBSYS_COUNT];  // effective ones: of this cgroup or the nearest above. Never changed
  refcount_t refcount;         // one for each task, and whoever looks
  struct cgroup* dfl_cgrp;     // referenced
  int nr_tasks;                // not dying ones. This and the lists: css_set_lock
  struct list_head tasks, mg_tasks /* being migrated */, dying_tasks /* exiting and zombies */;
  struct hlist_node hlist;     // of the table; css_set_lock
  struct list_head cgrp_link;
  struct list_head mg_node;    // migration under way; cgroup_mutex
  struct css_set* mg_dst;
  struct rcu_head rcu;
};
inline void get_css_set(css_set* c) { refcount_inc(&c->refcount); }
void put_css_set_slow(css_set* c);
void put_css_set_locked(css_set* c);  // css_set_lock held
inline void put_css_set(css_set* c) {  // any context
  if (!refcount_dec_not_one(&c->refcount)) put_css_set_slow(c);
}
// The set that a task of c has, given what is enabled now. Referenced; ENOMEM. cgroup_mutex held, may sleep.
Result<css_set*> find_css_set(struct cgroup* c);
inline css_set* task_css_set(const task_struct* t) { return rcu_dereference(const_cast<task_struct*>(t)->cgroups); }
inline struct cgroup* task_dfl_cgroup(const task_struct* t) { return task_css_set(t)->dfl_cgrp; }
inline cgroup_subsys_state* task_css(const task_struct* t, int id) { return task_css_set(t)->subsys[id]; }
cgroup_subsys_state* cgroup_e_css(struct cgroup* c, int id);  // effective; null: no such controller
void css_set_update_populated(css_set* c, int populated);     // css_set_lock
// Takes t off `from` and puts it on `to` (either may be null); counts and references are the caller's. css_set_lock.
void css_set_move_task(task_struct* t, css_set* from, css_set* to, list_head css_set::* list);
inline bool cgroup_has_tasks(const struct cgroup* c) { return READ_ONCE(c->nr_populated_csets); }
inline bool cgroup_is_populated(const struct cgroup* c) {
  return READ_ONCE(c->nr_populated_csets) + READ_ONCE(c->nr_populated_domain_children) +
         READ_ONCE(c->nr_populated_threaded_children);
}
// visit(task) for each live task of c itself (not of its children), under css_set_lock.
template <class F>
void for_each_task_in(struct cgroup* c, F&& visit) {
  css_set* set;
  list_for_each_entry(set, &c->csets, cgrp_link) {
    task_struct* t;
    list_for_each_entry(t, &set->tasks, cg_list) visit(t);
    list_for_each_entry(t, &set->mg_tasks, cg_list) visit(t);
  }
}

// ---- Controllers -----------------------------------------------------------------------------------------------------------
// css_alloc, css_free and at least one file table are needed. cgroup_mutex is held but where told. Null: nothing to do.
struct cgroup_subsys {
  int id;
  const char* name;
  bool threaded;  // may be enabled in threaded cgroups
  Result<cgroup_subsys_state*> (*css_alloc)(cgroup_subsys_state* parent);  // parent null: root
  Result<void> (*css_online)(cgroup_subsys_state* css);
  void (*css_offline)(cgroup_subsys_state* css);
  void (*css_free)(cgroup_subsys_state* css);  // after a grace period; any context, cgroup_mutex not held
  // Migration. can_attach may refuse; cancel_attach undoes it for all tasks of the set. Thread-group lock held for writing.
  Result<void> (*can_attach)(cgroup_taskset* tset);
  void (*cancel_attach)(cgroup_taskset* tset);
  void (*attach)(cgroup_taskset* tset);
  // Fork, thread-group lock held for reading, cgroup_mutex not: may the child be in cset?
  Result<void> (*can_fork)(task_struct* child, css_set* cset);
  void (*cancel_fork)(task_struct* child, css_set* cset);
  void (*fork)(task_struct* child);     // it is
  void (*exit)(task_struct* t);
  void (*release)(task_struct* t);      // reaped
  const cftype* files;                  // ends with an empty row
};
extern cgroup_subsys* cgroup_subsys_table[CGROUP_SUBSYS_COUNT];
// f(subsys&) for each controller of the mask, in the order of ids.
template <class F>
void for_each_subsys(unsigned mask, F&& f) {
  for (unsigned left = mask; left; left &= left - 1) f(*cgroup_subsys_table[__builtin_ctz(left)]);
}
extern SubsysMask cgroup_offered;     // controllers there are
extern SubsysMask cgroup_threaded;    // of those: threaded ones
// At boot, or from a test before it makes cgroups. ENOMEM. May sleep.
Result<void> cgroup_register_subsys(cgroup_subsys* ss);
void cgroup_unregister_subsys(cgroup_subsys* ss);  // no cgroup but the root has it

// ---- Migration --------------------------------------------------------------------------------------------------------------
// The tasks that are about to move (can_attach) or have moved (attach), each with the css it comes to.
struct cgroup_taskset {
  list_head src_csets, dst_csets;  // css_set::mg_node
  list_head* csets;                // which of the two is walked
  css_set* cur_cset;
  task_struct* cur_task;
  int ssid;
};
task_struct* cgroup_taskset_first(cgroup_taskset* tset, cgroup_subsys_state** dst);
task_struct* cgroup_taskset_next(cgroup_taskset* tset, cgroup_subsys_state** dst);
#define cgroup_taskset_for_each(task, dst, tset) \
  for ((task) = cgroup_taskset_first((tset), &(dst)); (task); (task) = cgroup_taskset_next((tset), &(dst)))

enum class Move : unsigned char { Process, Thread };
Result<void> cgroup_attach_task(struct cgroup* dst, task_struct* leader, Move what);  // cgroup_mutex; takes the thread-group lock
Result<void> cgroup_migrate_all(struct cgroup* from, struct cgroup* to);               // likewise; every task of from itself
Result<void> cgroup_update_csses(struct cgroup* top);  // likewise: tasks of top's subtree get the csses that are effective now
// May tasks be moved from src to dst by somebody (current's credentials)? ns_root: of the namespace; null: any.
struct AttachCaller {
  struct cgroup* ns_root;
};
Result<void> cgroup_attach_permissions(struct cgroup* src, struct cgroup* dst, Move what, const AttachCaller& who);
Result<void> cgroup_may_write(struct cgroup* c);  // its cgroup.procs

// ---- Types and control (control.cc) --------------------------------------------------------------------------------------------
inline bool cgroup_is_threaded(const struct cgroup* c) { return c->dom_cgrp != c; }
inline bool cgroup_is_mixable(const struct cgroup* c) { return !c->self.parent; }  // the root hosts anything
bool cgroup_can_be_thread_root(const struct cgroup* c);
bool cgroup_is_thread_root(const struct cgroup* c);
bool cgroup_is_valid_domain(const struct cgroup* c);
const char* cgroup_type_name(const struct cgroup* c);
Result<void> cgroup_enable_threaded(struct cgroup* c);
SubsysMask cgroup_control(const struct cgroup* c);  // what c may enable below it
SubsysMask cgroup_ss_mask(const struct cgroup* c);  // what is enabled in c
Result<void> cgroup_set_control(struct cgroup* c, SubsysMask enable, SubsysMask disable);
Result<void> cgroup_apply_control_enable(struct cgroup* c);  // makes the csses of c's subtree that are missing
void cgroup_apply_control_disable(struct cgroup* c);         // and ends those that are too many

// ---- Life (cgroup.cc) --------------------------------------------------------------------------------------------------------
Result<struct cgroup*> cgroup_create(struct cgroup* parent, std::string_view name);  // EAGAIN, ENOMEM; no files yet
void cgroup_abandon(struct cgroup* c);              // just created, nobody knows it
void cgroup_publish(struct cgroup* c);              // its files are there
Result<void> cgroup_destroy(struct cgroup* c);      // EBUSY
Result<cgroup_subsys_state*> css_create(struct cgroup* c, cgroup_subsys* ss);
void kill_css(cgroup_subsys_state* css);

// ---- Freezing and killing ------------------------------------------------------------------------------------------------------
void cgroup_freeze(struct cgroup* c, int freeze);
void cgroup_kill(struct cgroup* c);
void cgroup_update_frozen(struct cgroup* c);  // css_set_lock
void cgroup_freezer_migrate_task(task_struct* t, struct cgroup* src, struct cgroup* dst);  // css_set_lock
void cgroup_freeze_new_task(task_struct* t);  // css_set_lock
void cgroup_freezer_online(struct cgroup* c);   // inherits; cgroup_mutex
void cgroup_freezer_offline(struct cgroup* c);

// ---- CPU time (stat.cc) ------------------------------------------------------------------------------------------------------------
void cgroup_leave_times(task_struct* t, struct cgroup* c);  // css_set_lock
void cgroup_begin_times(task_struct* t);                    // css_set_lock
void cgroup_inherit_times(struct cgroup* dying);            // css_set_lock
int cgroup_show_cpu_stat(seq_file* m, cgroup_subsys_state* css);

// ---- Files (cgroupfs.cc) -----------------------------------------------------------------------------------------------------------
enum : unsigned { CFTYPE_NOT_ON_ROOT = 1, CFTYPE_ONLY_ON_ROOT = 2, CFTYPE_NS_DELEGATABLE = 4, CFTYPE_NUMBER = 8 };
struct CgroupOpen {  // of one open file
  u64 seen;          // notifications when it was last read
  struct cgroup* ns_root;  // of who opened it; referenced
};
struct cftype {
  const char* name;  // whole
  unsigned flags;
  int (*show)(seq_file* m, cgroup_subsys_state* css);
  // text: one line without white space around; of a CFTYPE_NUMBER as it was written. css is online no more than an instant ago: look again under cgroup_mutex.
  Result<void> (*write)(cgroup_subsys_state* css, char* text, const file* f);
  // For files that tell of changes: where cgroup_file_notify() finds the file, null when it goes. css_set_lock.
  void (*keep)(cgroup_subsys_state* css, CgroupInode* file);
};
struct CgroupInode {
  inode vfs;
  cgroup_subsys_state* css;  // pinned; of a directory: the cgroup's own
  const cftype* cft;         // null: directory
  atomic_t events;
  wait_queue_head_t poll;
};
inline CgroupInode* cgroup_inode(const inode* i) { return container_of(const_cast<inode*>(i), CgroupInode, vfs); }
extern const cftype cgroup_base_files[];
Result<void> css_populate_dir(cgroup_subsys_state* css);  // EEXIST, ENOMEM
void css_clear_dir(cgroup_subsys_state* css);
void cgroup_forget_dir(struct cgroup* c);  // whoever holds the name drops it
void cgroup_file_notify(CgroupInode* file);  // css_set_lock or cgroup_mutex
struct cgroup* cgroup_of_dir_file(const file* f);  // null: not a cgroup's directory
void cgroupfs_init();
void cgroupfs_quiesce();
// "/a/b", or with ".." as seen from root. ENAMETOOLONG.
Result<char*> cgroup_path_from(const struct cgroup* c, const struct cgroup* root, char* buf, size_t size);
struct cgroup* current_cgroup_ns_root();  // borrowed

struct CgroupState {
  struct cgroup root;
  struct hlist_head sets[128];  // css_set_lock
  kmem_cache *set_cache, *cgroup_cache, *inode_cache;
  atomic_long_t nr_cgroups, nr_csses, nr_sets;
  vfsmount* mnt;                // keeps the tree of names
  bool nsdelegate;
};
extern constinit Late<CgroupState> cgroups;
inline struct cgroup* cgroup_root() { return &cgroups->root; }
extern cgroup_subsys cpuset_cgrp_subsys, cpu_cgrp_subsys, pids_cgrp_subsys;
