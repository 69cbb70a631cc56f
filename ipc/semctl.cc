// semctl(2), and /proc/sysvipc/sem. Spec 60 V-3, V-19, V-27.
// SPDX-License-Identifier: Apache-2.0
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "fs/proc/seq_file.hh"
#include "ipc/sem_undo.hh"
#include "ipc/sysvipc.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

struct UserSemidDs {
  UserIpcPerm perm;
  long otime, pad1, ctime, pad2;
  unsigned long nsems, unused[2];
};
static_assert(sizeof(UserSemidDs) == 104);

struct UserSeminfo {
  int semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};

Result<SemArray*> find_sems(ipc_namespace* ns, int id, unsigned wanted) {
  SemArray* a = to_sems(TRY(ipc_find(&ns->sems, id)));
  if (wanted) TRY(ipc_permission(ns, &a->ipc, wanted));
  return a;
}

long info(ipc_namespace* ns, int command, void __user* to) {
  UserSeminfo i{.semmap = ns->sem_limits[1], .semmni = ns->sem_limits[3], .semmns = ns->sem_limits[1], .semmnu = ns->sem_limits[1],
                .semmsl = ns->sem_limits[0], .semopm = ns->sem_limits[2], .semume = ns->sem_limits[2], .semusz = 20,
                .semvmx = SEMVMX, .semaem = SEMVMX};
  int highest;
  {
    SpinGuard guard(ns->sems.lock);
    if (command == SEM_INFO) i.semusz = ns->sems.used, i.semaem = ns->used_sems;
    highest = ipc_highest_index(&ns->sems);
  }
  return copy_to_user(to, &i, sizeof(i)) ? -EFAULT : highest;
}

Result<int> stat_of(ipc_namespace* ns, int id, int command, UserSemidDs* out) {
  SpinGuard guard(ns->sems.lock);
  SemArray* a = to_sems(TRY(command == IPC_STAT ? ipc_find(&ns->sems, id) : ipc_find_index(&ns->sems, id)));
  if (command != SEM_STAT_ANY) TRY(ipc_permission(ns, &a->ipc, 0444));
  *out = {.perm = ipc_perm_to_user(&a->ipc), .otime = a->otime, .pad1 = 0, .ctime = a->ctime, .pad2 = 0,
          .nsems = static_cast<unsigned long>(a->n), .unused = {}};
  return command == IPC_STAT ? 0 : a->ipc.id;
}

Result<void> set(ipc_namespace* ns, int id, const UserIpcPerm& perm) {
  SpinGuard guard(ns->sems.lock);
  SemArray* a = TRY(find_sems(ns, id, 0));
  TRY(ipc_owner_only(ns, &a->ipc));
  TRY(ipc_perm_from_user(&a->ipc, perm));
  a->ctime = ktime_get_real_seconds();
  return {};
}

Result<void> remove(ipc_namespace* ns, int id) {
  SemArray* a;
  {
    SpinGuard guard(ns->sems.lock);
    a = TRY(find_sems(ns, id, 0));
    TRY(ipc_owner_only(ns, &a->ipc));
    sem_remove(ns, a);
  }
  ipc_put(kSemKind, &a->ipc);
  return {};
}

int count_waiting(const SemArray* a, int num, bool for_zero) {
  int n = 0;
  SemWait* w;
  list_for_each_entry(w, &a->waiting, list) {
    const sembuf& op = w->ops[w->blocked_on];
    n += op.sem_num == num && !op.sem_op == for_zero;
  }
  return n;
}

Result<int> get_one(ipc_namespace* ns, int id, int num, int command) {
  SpinGuard guard(ns->sems.lock);
  SemArray* a = TRY(find_sems(ns, id, 0444));
  if (num < 0 || num >= a->n) return fail(EINVAL);
  switch (command) {
    case GETVAL: return a->sems[num].value;
    case GETPID: return a->sems[num].pid ? pid_vnr(a->sems[num].pid) : 0;
    default: return count_waiting(a, num, command == GETZCNT);
  }
}

void changed(SemArray* a) {
  a->ctime = ktime_get_real_seconds();
  sem_wake_waiters(a);
}

Result<void> set_one(ipc_namespace* ns, int id, int num, int value) {
  if (value < 0 || value > SEMVMX) return fail(ERANGE);
  SpinGuard guard(ns->sems.lock);
  SemArray* a = TRY(find_sems(ns, id, 0));
  if (num < 0 || num >= a->n) return fail(EINVAL);
  TRY(ipc_permission(ns, &a->ipc, 0222));
  sem_undo_forget(a, num);
  a->sems[num].value = value;
  put_pid(std::exchange(a->sems[num].pid, get_pid(task_tgid(current))));
  changed(a);
  return {};
}

Result<void> copy_values(ipc_namespace* ns, int id, int command, unsigned short* values, int n) {
  SpinGuard guard(ns->sems.lock);
  SemArray* a = TRY(find_sems(ns, id, command == GETALL ? 0444 : 0222));
  if (a->n != n) return fail(EIDRM);  // removed and made again meanwhile
  if (command == GETALL) {
    for (int i = 0; i < n; i++) values[i] = static_cast<unsigned short>(a->sems[i].value);
    return {};
  }
  for (int i = 0; i < n; i++) a->sems[i].value = values[i];
  sem_undo_forget(a, -1);
  for (int i = 0; i < n; i++) put_pid(std::exchange(a->sems[i].pid, get_pid(task_tgid(current))));
  changed(a);
  return {};
}

Result<int> size_of(ipc_namespace* ns, int id, int command) {
  SpinGuard guard(ns->sems.lock);
  return TRY(find_sems(ns, id, command == GETALL ? 0444 : 0222))->n;
}

long all(ipc_namespace* ns, int id, int command, unsigned short __user* user) {
  const int n = TRY_ABI(size_of(ns, id, command));
  const size_t bytes = static_cast<size_t>(n) * sizeof(unsigned short);
  auto* values = static_cast<unsigned short*>(kvmalloc(bytes, GFP_KERNEL));
  if (!values) return -ENOMEM;
  long r = 0;
  if (command == SETALL && copy_from_user(values, user, bytes)) r = -EFAULT;
  for (int i = 0; !r && command == SETALL && i < n; i++)
    if (values[i] > SEMVMX) r = -ERANGE;
  if (!r) r = to_abi(copy_values(ns, id, command, values, n));
  if (!r && command == GETALL && copy_to_user(user, values, bytes)) r = -EFAULT;
  kvfree(values);
  return r;
}

}  // namespace

SYSCALL_DEFINE4(semctl, int, id, int, num, int, command, unsigned long, arg) {
  ipc_namespace* ns = current_ipc_ns();
  if (id < 0) return -EINVAL;
  command &= ~IPC_64;
  auto* user = reinterpret_cast<void __user*>(arg);
  switch (command) {
    case IPC_INFO:
    case SEM_INFO: return info(ns, command, user);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY: {
      UserSemidDs ds;
      const int r = TRY_ABI(stat_of(ns, id, command, &ds));
      return copy_to_user(user, &ds, sizeof(ds)) ? -EFAULT : r;
    }
    case IPC_SET: {
      UserSemidDs ds;
      return copy_from_user(&ds, user, sizeof(ds)) ? -EFAULT : to_abi(set(ns, id, ds.perm));
    }
    case IPC_RMID: return to_abi(remove(ns, id));
    case GETALL:
    case SETALL: return all(ns, id, command, static_cast<unsigned short __user*>(user));
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT: return to_abi(get_one(ns, id, num, command));
    case SETVAL: return to_abi(set_one(ns, id, num, static_cast<int>(arg)));
    default: return -EINVAL;
  }
}

int show_sysvipc_sem(seq_file* m) {
  seq_puts(m, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
  ipc_namespace* ns = current_ipc_ns();
  SpinGuard guard(ns->sems.lock);
  for (int i = 0; i < ns->sems.size; i++) {
    if (!ns->sems.slots[i]) continue;
    const SemArray* a = to_sems(ns->sems.slots[i]);
    const UserIpcPerm p = ipc_perm_to_user(&a->ipc);
    seq_printf(m, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lld %10lld\n", p.key, a->ipc.id, p.mode, static_cast<unsigned>(a->n), p.uid, p.gid,
               p.cuid, p.cgid, static_cast<long long>(a->otime), static_cast<long long>(a->ctime));
  }
  return 0;
}
