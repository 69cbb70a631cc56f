// The files by which a user namespace gets its maps, and who may write them. user_namespaces(7).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/userns_proc.hh"

#include <linux/mutex.h>
#include <linux/string.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/sync/guards.hh"

namespace {

DEFINE_MUTEX(userns_state_mutex);  // writing of maps, and the flags of namespaces

class UserNsRef {
 public:
  explicit UserNsRef(task_struct* t) {
    RcuReadGuard rcu;
    ns_ = get_user_ns(rcu_dereference(t->real_cred)->user_ns);
  }
  ~UserNsRef() { put_user_ns(ns_); }
  UserNsRef(const UserNsRef&) = delete;
  user_namespace* get() const { return ns_; }
  user_namespace* operator->() const { return ns_; }

 private:
  user_namespace* ns_;
};

// What differs between the three maps.
struct MapKind {
  IdMap user_namespace::* map;
  int cap;  // who may map at will; -1: anybody
};
constexpr MapKind kUids{&user_namespace::uid_map, CAP_SETUID}, kGids{&user_namespace::gid_map, CAP_SETGID},
    kProjects{&user_namespace::projid_map, -1};

bool file_ns_capable(const file* f, const user_namespace* ns, int cap) { return cred_has_cap(f->f_cred, ns, cap); }

// Both who opened the file and who writes must have the power: a privileged program may have been handed the descriptor.
bool both_capable(const file* f, user_namespace* ns, int cap) { return ns_capable(ns, cap) && file_ns_capable(f, ns, cap); }

// ---- Showing ------------------------------------------------------------------------------------------------------------

int show_map(seq_file* m, task_struct* t, const MapKind& kind) {
  UserNsRef ns(t);
  // The second number is in the ids of who opened the file; in the same namespace, in those of the parent.
  const user_namespace* viewer = m->file->f_cred->user_ns;
  if (viewer == ns.get() && viewer->parent) viewer = viewer->parent;
  const IdMap& map = ns.get()->*kind.map;
  const unsigned nr = __atomic_load_n(&map.nr, __ATOMIC_ACQUIRE);
  for (unsigned i = 0; i < nr; i++) {
    const IdExtent& e = map.written()[i];
    seq_printf(m, "%10u %10u %10u\n", e.first, map_id_up(&(viewer->*kind.map), e.lower_first), e.count);
  }
  return 0;
}

// ---- Writing ------------------------------------------------------------------------------------------------------------

// Mapping the parent's root makes programs with file capabilities that the parent trusts.
bool may_map_root(const file* f, const user_namespace* ns, const IdMap& fresh) {
  bool maps_root = false;
  for (unsigned i = 0; i < fresh.nr; i++) maps_root |= fresh.written()[i].lower_first == 0;
  if (!maps_root) return true;
  return f->f_cred->user_ns == ns ? ns->parent_could_setfcap : file_ns_capable(f, ns->parent, CAP_SETFCAP);
}

// Without power in the parent: one id, one's own.
bool maps_own_id(const file* f, const user_namespace* ns, const MapKind& kind, const IdMap& fresh) {
  const struct cred* c = f->f_cred;
  if (fresh.nr != 1 || fresh.extent[0].count != 1 || !uid_eq(ns->owner, c->euid)) return false;
  const u32 id = fresh.extent[0].lower_first;
  if (kind.cap == CAP_SETUID) return uid_eq(make_kuid(ns->parent, id), c->euid);
  return kind.cap == CAP_SETGID && !(ns->flags & USERNS_SETGROUPS_ALLOWED) && gid_eq(make_kgid(ns->parent, id), c->egid);
}

bool may_map(const file* f, const user_namespace* ns, const MapKind& kind, const IdMap& fresh) {
  if (kind.cap == CAP_SETUID && !may_map_root(f, ns, fresh)) return false;
  return maps_own_id(f, ns, kind, fresh) || kind.cap < 0 || both_capable(f, ns->parent, kind.cap);
}

// From the parent's ids to the kernel's: each range must lie in one of the parent's.
Result<void> lower_to_kernel(IdMap* fresh, const IdMap& parent) {
  auto* e = fresh->forward ? fresh->forward : fresh->extent;
  for (unsigned i = 0; i < fresh->nr; i++) {
    e[i].lower_first = map_id_range_down(&parent, e[i].lower_first, e[i].count);
    if (e[i].lower_first == ~0u) return fail(EPERM);
  }
  return {};
}

void publish(IdMap* map, const IdMap& fresh) {
  memcpy(map->extent, fresh.extent, sizeof(map->extent));
  map->forward = fresh.forward;
  map->reverse = fresh.reverse;
  __atomic_store_n(&map->nr, fresh.nr, __ATOMIC_RELEASE);
}

Result<void> define_map(const file* f, user_namespace* ns, const MapKind& kind, char* text) {
  MutexGuard guard(userns_state_mutex);
  if ((ns->*kind.map).nr) return fail(EPERM);
  if (kind.cap >= 0 && !file_ns_capable(f, ns, CAP_SYS_ADMIN)) return fail(EPERM);
  IdMap fresh;
  auto r = parse_id_map(text, &fresh);
  if (r && !may_map(f, ns, kind, fresh)) r = fail(EPERM);
  if (r) r = lower_to_kernel(&fresh, ns->parent->*kind.map);
  if (r) r = sort_id_map(&fresh);
  if (r)
    publish(&(ns->*kind.map), fresh);
  else
    free_id_map(&fresh);
  return r;
}

long write_map(const file* f, task_struct* t, const MapKind& kind, char* text, size_t n, loff_t pos) {
  if (pos) return -EINVAL;
  UserNsRef ns(t);
  const user_namespace* opener = f->f_cred->user_ns;
  if (!ns->parent || (opener != ns.get() && opener != ns->parent)) return -EPERM;
  auto r = define_map(f, ns.get(), kind, text);
  return r ? static_cast<long>(n) : r.error().neg();
}

Result<void> allow_setgroups(user_namespace* ns) {
  MutexGuard guard(userns_state_mutex);
  return ns->flags & USERNS_SETGROUPS_ALLOWED ? Result<void>{} : fail(EPERM);  // what was denied stays so
}

Result<void> deny_setgroups(user_namespace* ns) {
  MutexGuard guard(userns_state_mutex);
  if (ns->gid_map.nr) return fail(EPERM);  // they may have been changed already
  WRITE_ONCE(ns->flags, ns->flags & ~USERNS_SETGROUPS_ALLOWED);
  return {};
}

}  // namespace

int show_uid_map(seq_file* m, task_struct* t) { return show_map(m, t, kUids); }
int show_gid_map(seq_file* m, task_struct* t) { return show_map(m, t, kGids); }
int show_projid_map(seq_file* m, task_struct* t) { return show_map(m, t, kProjects); }
long write_uid_map(file* f, task_struct* t, char* text, size_t n, loff_t pos) { return write_map(f, t, kUids, text, n, pos); }
long write_gid_map(file* f, task_struct* t, char* text, size_t n, loff_t pos) { return write_map(f, t, kGids, text, n, pos); }
long write_projid_map(file* f, task_struct* t, char* text, size_t n, loff_t pos) { return write_map(f, t, kProjects, text, n, pos); }

int show_setgroups(seq_file* m, task_struct* t) {
  UserNsRef ns(t);
  seq_puts(m, READ_ONCE(ns->flags) & USERNS_SETGROUPS_ALLOWED ? "allow\n" : "deny\n");
  return 0;
}

long write_setgroups(file* f, task_struct* t, char* text, size_t n, loff_t pos) {
  if (pos || n >= 8) return -EINVAL;
  UserNsRef ns(t);
  if (!file_ns_capable(f, ns.get(), CAP_SYS_ADMIN)) return -EPERM;
  const char* word = strim(text);
  Result<void> r = fail(EINVAL);
  if (strcmp(word, "allow") == 0) r = allow_setgroups(ns.get());
  if (strcmp(word, "deny") == 0) r = deny_setgroups(ns.get());
  return r ? static_cast<long>(n) : r.error().neg();
}
