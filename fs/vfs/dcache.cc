// The dentry cache: names in memory, found by (parent, name) in one hash table without taking a lock.
//
// A hashed dentry holds one reference on itself, so a dentry whose count falls to zero is never hashed and is freed at
// once; there is no list of unused ones. File systems that live in memory hash every name they have (s_complete), so
// that a miss is an answer; others (procfs) need not hash anything.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "fs/vfs/internal.hh"
#include "init/report.hh"
#include "kernel/sync/guards.hh"

DEFINE_SPINLOCK(dcache_lock);
unsigned rename_seq;

namespace {

constexpr unsigned kHashBits = 12;

struct Buckets {
  struct hlist_head head[1u << kHashBits];
};
constinit Buckets* buckets = nullptr;

hlist_head* bucket(const dentry* parent, u32 hash) {
  u64 key = (reinterpret_cast<unsigned long>(parent) >> 6) + hash * 0x9E3779B97F4A7C15ull;
  return &buckets->head[(key * 0x61C8864680B583EBull) >> (64 - kHashBits)];
}

void free_dname(dentry* d) {
  if (d->d_name != &d->d_iname) kfree(d->d_name);
}

void free_dentry_now(dentry* d) {
  free_dname(d);
  atomic_long_dec(&vfs->nr_dentries);
  kmem_cache_free(vfs->dentry_cache, d);
}

void free_dentry_rcu(rcu_head* head) { free_dentry_now(container_of(head, dentry, d_rcu)); }

void set_dflag(dentry* d, unsigned flag) { __atomic_fetch_or(&d->d_flags, flag, __ATOMIC_RELAXED); }
void clear_dflag(dentry* d, unsigned flag) { __atomic_fetch_and(&d->d_flags, ~flag, __ATOMIC_RELAXED); }

dname* make_name(std::string_view name) {
  auto* n = static_cast<dname*>(kmalloc(sizeof(dname) + name.size() + 1, GFP_KERNEL));
  if (n) {
    n->hash = name_hash(name.data(), name.size());
    n->len = static_cast<u32>(name.size());
    memcpy(n->text(), name.data(), name.size());
    n->text()[name.size()] = 0;
  }
  return n;
}

void free_name_later(dentry* d, dname* n) {
  if (n != &d->d_iname) kfree_rcu(n, rcu);
}

}  // namespace

u32 name_hash(const char* s, size_t n) {
  u32 h = 0;
  for (size_t i = 0; i < n; i++) h = (h ^ static_cast<unsigned char>(s[i])) * 0x01000193u;
  return h;
}

dentry* d_alloc(dentry* parent, std::string_view name) {
  auto* d = static_cast<dentry*>(kmem_cache_alloc(vfs->dentry_cache, GFP_KERNEL));
  if (!d) return nullptr;
  if (name.size() < kDnameInline) [[likely]] {
    d->d_name = &d->d_iname;
    d->d_iname.hash = name_hash(name.data(), name.size());
    d->d_iname.len = static_cast<u32>(name.size());
    memcpy(d->d_iname.text(), name.data(), name.size());
    d->d_iname.text()[name.size()] = 0;
  } else if (!(d->d_name = make_name(name))) {
    kmem_cache_free(vfs->dentry_cache, d);
    return nullptr;
  }
  INIT_HLIST_NODE(&d->d_hash);
  d->d_parent = parent ? dget(parent) : d;
  d->d_inode = nullptr;
  atomic_set(&d->d_count, 1);
  d->d_flags = 0;
  d->d_sb = parent ? parent->d_sb : nullptr;
  d->d_cookie = 0;
  d->d_fsdata = nullptr;
  INIT_LIST_HEAD(&d->d_child);
  INIT_LIST_HEAD(&d->d_subdirs);
  atomic_long_inc(&vfs->nr_dentries);
  return d;
}

dentry* d_alloc_root(inode* root) {
  dentry* d = d_alloc(nullptr, "/");
  if (!d) {
    iput(root);
    return nullptr;
  }
  d->d_sb = root->i_sb;
  d->d_inode = root;
  return d;
}

void d_instantiate(dentry* d, inode* i) { WRITE_ONCE(d->d_inode, i); }

void d_add(dentry* d) {
  dget(d);
  set_dflag(d, DCACHE_HASHED);
  SpinGuard g(dcache_lock);
  d->d_cookie = ++d->d_sb->s_next_cookie;
  list_add_tail(&d->d_child, &d->d_parent->d_subdirs);
  hlist_add_head_rcu(&d->d_hash, bucket(d->d_parent, d->d_name->hash));
}

namespace {

// dcache_lock held; the reference of being hashed is the caller's now.
void unhash(dentry* d) {
  clear_dflag(d, DCACHE_HASHED);
  set_dflag(d, DCACHE_DELETED);
  hlist_del_init_rcu(&d->d_hash);
  list_del_init(&d->d_child);
}

}  // namespace

void d_drop(dentry* d) {
  {
    SpinGuard g(dcache_lock);
    if (!(d->d_flags & DCACHE_HASHED)) return;
    unhash(d);
  }
  dput(d);
}

void dput(dentry* d) {
  while (d && atomic_dec_and_test(&d->d_count)) {
    dentry* parent = d->d_parent == d ? nullptr : d->d_parent;
    inode* i = d->d_inode;
    // Nobody can find a dentry that was never hashed but through a reference; a root is found through its mount.
    if (!parent || (d->d_flags & (DCACHE_DELETED | DCACHE_HASHED)))
      call_rcu(&d->d_rcu, free_dentry_rcu);
    else
      free_dentry_now(d);
    if (i) iput(i);
    d = parent;
  }
}

dentry* __d_lookup(const dentry* parent, u32 hash, const char* name, u32 len) {
  hlist_node* n = rcu_dereference(bucket(parent, hash)->first);
  for (; n; n = rcu_dereference(n->next)) {
    dentry* d = hlist_entry(n, dentry, d_hash);
    if (READ_ONCE(d->d_parent) != parent) continue;
    dname* dn = rcu_dereference(d->d_name);
    if (dn->hash == hash && dn->len == len && memcmp(dn->text(), name, len) == 0) return d;
  }
  return nullptr;
}

dentry* d_lookup_hashed(dentry* parent, u32 hash, const char* name, u32 len) {
  RcuReadGuard rcu;
  dentry* d = __d_lookup(parent, hash, name, len);
  return d && dget_unless_dead(d) ? d : nullptr;
}

dentry* d_lookup(dentry* parent, std::string_view name) {
  return d_lookup_hashed(parent, name_hash(name.data(), name.size()), name.data(), static_cast<u32>(name.size()));
}

namespace {

// dcache_lock held, inside rename_seq.
void rehash(dentry* d, dentry* parent, dname* name) {
  hlist_del_init_rcu(&d->d_hash);
  list_del_init(&d->d_child);
  WRITE_ONCE(d->d_parent, parent);
  rcu_assign_pointer(d->d_name, name);
  d->d_cookie = ++d->d_sb->s_next_cookie;
  list_add_tail(&d->d_child, &parent->d_subdirs);
  hlist_add_head_rcu(&d->d_hash, bucket(parent, name->hash));
}

}  // namespace

dname* d_make_name(std::string_view name) { return make_name(name); }
void d_free_name(dname* n) { kfree(n); }

void d_move(dentry* d, dentry* new_parent, dname* fresh, dentry* target) {
  dname* old_name = d->d_name;
  dentry* old_parent = d->d_parent;
  dget(new_parent);
  {
    SpinGuard g(dcache_lock);
    seq_begin(rename_seq);
    if (target) unhash(target);
    rehash(d, new_parent, fresh);
    seq_end(rename_seq);
  }
  free_name_later(d, old_name);
  dput(old_parent);
  dput(target);
}

void d_exchange(dentry* a, dname* for_a, dentry* b, dname* for_b) {
  dname *old_a = a->d_name, *old_b = b->d_name;
  {
    SpinGuard g(dcache_lock);
    seq_begin(rename_seq);
    dentry *pa = a->d_parent, *pb = b->d_parent;  // the references change hands
    rehash(a, pb, for_a);
    rehash(b, pa, for_b);
    seq_end(rename_seq);
  }
  free_name_later(a, old_a);
  free_name_later(b, old_b);
}

bool d_has_children(dentry* d) {
  SpinGuard g(dcache_lock);
  return !list_empty(&d->d_subdirs);
}

bool is_subdir(dentry* d, const dentry* ancestor) {
  SpinGuard g(dcache_lock);
  for (;; d = d->d_parent) {
    if (d == ancestor) return true;
    if (d->d_parent == d) return false;
  }
}

// Drops every name below root, leaves first. Nobody walks there any more.
void shrink_tree(dentry* root) {
  for (dentry* d = dget(root);;) {
    dentry* child = nullptr;
    {
      SpinGuard g(dcache_lock);
      if (!list_empty(&d->d_subdirs)) child = dget(list_first_entry(&d->d_subdirs, dentry, d_child));
    }
    if (child) {
      dput(d);
      d = child;
      continue;
    }
    if (d == root) {
      dput(d);
      return;
    }
    dentry* parent = dget(d->d_parent);
    d_drop(d);
    dput(d);
    d = parent;
  }
}

void dcache_init() {
  rename_seq = 0;
  vfs->dentry_cache = kmem_cache_create("dentry", sizeof(dentry), 64, 0, nullptr);
  buckets = static_cast<Buckets*>(kvzalloc(sizeof(Buckets), GFP_KERNEL));
  BUG_ON(!buckets || !vfs->dentry_cache);
}

void dcache_exit(LeakReport& r) {
  r.expect_zero("dentries", atomic_long_read(&vfs->nr_dentries));
  kmem_cache_destroy(vfs->dentry_cache);
  kvfree(buckets);
  buckets = nullptr;
}
