// Tables of System V objects.
// SPDX-License-Identifier: Apache-2.0
#include "ipc/ids.hh"

#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "ipc/ipc_namespace.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr int kMaxIndex = 1 << kIpcIndexBits, kFirstPool = 64;
constexpr unsigned kMaxSeq = 0x7fffffff >> kIpcIndexBits;

IpcObject* find_key(const IpcIds* ids, int key) {
  for (int i = 0; i < ids->size; i++)
    if (ids->slots[i] && ids->slots[i]->key == key) return ids->slots[i];
  return nullptr;
}

// V-1: cyclic, so that a number is not met again soon; a new sequence begins where the indices wrap. -1: the pool is full.
int free_index(IpcIds* ids) {
  const int pool = min(ids->size, max(ids->used + ids->used / 2, kFirstPool)), start = ids->next < pool ? ids->next : 0;
  for (int n = 0; n < pool; n++) {
    const int i = start + n < pool ? start + n : start + n - pool;
    if (ids->slots[i]) continue;
    if (i < ids->next) ids->seq = ids->seq == kMaxSeq ? 0 : ids->seq + 1;
    ids->next = i + 1;
    return i;
  }
  return -1;
}

// Room for a pool half as large again as what is in use.
Result<void> grow(IpcIds* ids) {
  int size;
  {
    SpinGuard guard(ids->lock);
    size = ids->size ? min(ids->size * 2, kMaxIndex) : kFirstPool;
    if (ids->size == kMaxIndex) return fail(ENOSPC);
  }
  auto** fresh = static_cast<IpcObject**>(kzalloc(static_cast<size_t>(size) * sizeof(IpcObject*), GFP_KERNEL));
  if (!fresh) return fail(ENOMEM);
  {
    SpinGuard guard(ids->lock);
    if (ids->size < size) {
      if (ids->size) memcpy(fresh, ids->slots, static_cast<size_t>(ids->size) * sizeof(IpcObject*));
      std::swap(fresh, ids->slots);
      ids->size = size;
    }
  }
  kfree(fresh);
  return {};
}

bool needs_room(IpcIds* ids) {
  SpinGuard guard(ids->lock);
  return ids->used + 1 > ids->size * 2 / 3;
}

Result<int> existing(ipc_namespace* ns, const IpcKind& kind, IpcObject* o, int flags, unsigned long arg) {
  if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL)) return fail(EEXIST);
  TRY(kind.fits(o, arg));
  TRY(ipc_permission(ns, o, static_cast<unsigned>(flags) & 0777));
  return o->id;
}

// Lock held.
Result<int> insert(ipc_namespace* ns, const IpcKind& kind, IpcObject* o, int key, int flags) {
  IpcIds* ids = &(ns->*kind.ids);
  const int index = free_index(ids);
  if (index < 0) return fail(ENOSPC);
  TRY(kind.charge(ns, o));
  const struct cred* c = current->cred;
  o->key = key;
  o->id = static_cast<int>(ids->seq << kIpcIndexBits) | index;
  o->uid = o->cuid = c->euid;
  o->gid = o->cgid = c->egid;
  o->mode = static_cast<unsigned>(flags) & 0777;
  ids->slots[index] = o;
  ids->used++;
  return o->id;
}

}  // namespace

Result<int> ipc_get(ipc_namespace* ns, const IpcKind& kind, int key, int flags, unsigned long arg) {
  IpcIds* ids = &(ns->*kind.ids);
  if (key != IPC_PRIVATE) {
    SpinGuard guard(ids->lock);
    if (IpcObject* o = find_key(ids, key)) return existing(ns, kind, o, flags, arg);
    if (!(flags & IPC_CREAT)) return fail(ENOENT);
  }
  if (needs_room(ids)) {
    auto r = grow(ids);
    if (!r && r.error().code() != ENOSPC) return fail(r.error().code());  // a full pool may have holes still
  }
  IpcObject* o = TRY(kind.make(ns, arg));
  Result<int> id = fail(EINVAL);
  {
    SpinGuard guard(ids->lock);
    IpcObject* other = key == IPC_PRIVATE ? nullptr : find_key(ids, key);  // somebody may have been faster
    id = other ? existing(ns, kind, other, flags, arg) : insert(ns, kind, o, key, flags);
    if (!other && id) return id;
  }
  ipc_put(kind, o);
  return id;
}

Result<IpcObject*> ipc_find_index(IpcIds* ids, int index) {
  if (index < 0) return fail(EINVAL);
  index &= kMaxIndex - 1;
  if (index >= ids->size || !ids->slots[index]) return fail(EINVAL);
  return ids->slots[index];
}

Result<IpcObject*> ipc_find(IpcIds* ids, int id) {
  IpcObject* o = TRY(ipc_find_index(ids, id));
  if (o->id != id) return fail(EINVAL);  // the place is another's now; as a real 6.1
  return o;
}

Result<void> ipc_permission(ipc_namespace* ns, const IpcObject* o, unsigned wanted) {
  const struct cred* c = current->cred;
  const unsigned asked = (wanted >> 6 | wanted >> 3 | wanted) & 7;
  unsigned granted = o->mode;
  if (uid_eq(c->euid, o->cuid) || uid_eq(c->euid, o->uid))
    granted >>= 6;
  else if (in_egroup_p(o->cgid) || in_egroup_p(o->gid))
    granted >>= 3;
  return (asked & ~granted) && !ns_capable(ns->user_ns, CAP_IPC_OWNER) ? fail(EACCES) : Result<void>{};
}

Result<void> ipc_owner_only(ipc_namespace* ns, const IpcObject* o) {
  const struct cred* c = current->cred;
  if (uid_eq(c->euid, o->cuid) || uid_eq(c->euid, o->uid) || ns_capable(ns->user_ns, CAP_SYS_ADMIN)) return {};
  return fail(EPERM);
}

void ipc_unlink(IpcIds* ids, IpcObject* o) {
  ids->slots[o->id & (kMaxIndex - 1)] = nullptr;
  ids->used--;
  o->removed = true;
}

UserIpcPerm ipc_perm_to_user(const IpcObject* o) {
  const user_namespace* ns = current_user_ns();
  return {.key = o->key,
          .uid = from_kuid_munged(ns, o->uid),
          .gid = from_kgid_munged(ns, o->gid),
          .cuid = from_kuid_munged(ns, o->cuid),
          .cgid = from_kgid_munged(ns, o->cgid),
          .mode = o->mode,
          .seq = static_cast<unsigned short>(o->id >> kIpcIndexBits),
          .pad1 = 0,
          .pad2 = 0,
          .unused = {}};
}

Result<void> ipc_perm_from_user(IpcObject* o, const UserIpcPerm& p) {
  const kuid_t uid = make_kuid(current_user_ns(), p.uid);
  const kgid_t gid = make_kgid(current_user_ns(), p.gid);
  if (!uid_valid(uid) || !gid_valid(gid)) return fail(EINVAL);
  o->uid = uid;
  o->gid = gid;
  o->mode = (o->mode & ~0777u) | (p.mode & 0777);
  return {};
}

int ipc_highest_index(const IpcIds* ids) {
  for (int i = ids->size; i-- > 0;)
    if (ids->slots[i]) return i;
  return 0;
}
