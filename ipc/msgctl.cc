// msgctl(2), and /proc/sysvipc/msg. Spec 60 V-3, V-12, V-27.
// SPDX-License-Identifier: Apache-2.0
#include <linux/timekeeping.h>

#include "fs/proc/seq_file.hh"
#include "ipc/msg.hh"
#include "ipc/sysvipc.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

struct UserMsqidDs {
  UserIpcPerm perm;
  long stime, rtime, ctime;
  unsigned long cbytes, qnum, qbytes;
  int lspid, lrpid;
  unsigned long unused[2];
};
static_assert(sizeof(UserMsqidDs) == 120);

struct UserMsginfo {
  int msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
  unsigned short msgseg, pad;
};

int number(const struct pid* pid) { return pid ? pid_vnr(pid) : 0; }

long info(ipc_namespace* ns, int command, void __user* to) {
  UserMsginfo i{.msgpool = static_cast<int>(static_cast<s64>(ns->msgmni) * ns->msgmnb / 1024), .msgmap = ns->msgmnb, .msgmax = ns->msgmax, .msgmnb = ns->msgmnb,
                .msgmni = ns->msgmni, .msgssz = 16, .msgtql = ns->msgmnb, .msgseg = 0xffff, .pad = 0};
  int highest;
  {
    SpinGuard guard(ns->queues.lock);
    if (command == MSG_INFO) {
      i.msgpool = ns->queues.used;
      i.msgmap = static_cast<int>(atomic_long_read(&ns->msg_headers));
      i.msgtql = static_cast<int>(atomic_long_read(&ns->msg_bytes));
    }
    highest = ipc_highest_index(&ns->queues);
  }
  return copy_to_user(to, &i, sizeof(i)) ? -EFAULT : highest;
}

Result<int> stat_of(ipc_namespace* ns, int id, int command, UserMsqidDs* out) {
  SpinGuard guard(ns->queues.lock);
  MsgQueue* q = to_queue(TRY(command == IPC_STAT ? ipc_find(&ns->queues, id) : ipc_find_index(&ns->queues, id)));
  if (command != MSG_STAT_ANY) TRY(ipc_permission(ns, &q->ipc, 0444));
  *out = {.perm = ipc_perm_to_user(&q->ipc), .stime = q->stime, .rtime = q->rtime, .ctime = q->ctime, .cbytes = q->bytes,
          .qnum = q->count, .qbytes = q->max_bytes, .lspid = number(q->last_sender), .lrpid = number(q->last_receiver), .unused = {}};
  return command == IPC_STAT ? 0 : q->ipc.id;
}

Result<MsgQueue*> own_queue(ipc_namespace* ns, int id) {
  MsgQueue* q = to_queue(TRY(ipc_find(&ns->queues, id)));
  TRY(ipc_owner_only(ns, &q->ipc));
  return q;
}

Result<void> set(ipc_namespace* ns, int id, const UserMsqidDs& ds) {
  SpinGuard guard(ns->queues.lock);
  MsgQueue* q = TRY(own_queue(ns, id));
  if (ds.qbytes > static_cast<unsigned long>(ns->msgmnb) && !capable(CAP_SYS_RESOURCE)) return fail(EPERM);  // V-12
  TRY(ipc_perm_from_user(&q->ipc, ds.perm));
  q->max_bytes = ds.qbytes;
  q->ctime = ktime_get_real_seconds();
  msg_wake_senders(q, 0);
  return {};
}

Result<void> remove(ipc_namespace* ns, int id) {
  MsgQueue* q;
  {
    SpinGuard guard(ns->queues.lock);
    q = TRY(own_queue(ns, id));
    msg_remove(ns, q);
  }
  ipc_put(kMsgKind, &q->ipc);
  return {};
}

}  // namespace

SYSCALL_DEFINE3(msgctl, int, id, int, command, void __user*, user) {
  ipc_namespace* ns = current_ipc_ns();
  command &= ~IPC_64;
  if (id < 0 || command < 0) return -EINVAL;
  UserMsqidDs ds;
  switch (command) {
    case IPC_INFO:
    case MSG_INFO: return info(ns, command, user);
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY: {
      const int r = TRY_ABI(stat_of(ns, id, command, &ds));
      return copy_to_user(user, &ds, sizeof(ds)) ? -EFAULT : r;
    }
    case IPC_SET: return copy_from_user(&ds, user, sizeof(ds)) ? -EFAULT : to_abi(set(ns, id, ds));
    case IPC_RMID: return to_abi(remove(ns, id));
    default: return -EINVAL;
  }
}

int show_sysvipc_msg(seq_file* m) {
  seq_puts(m, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
  ipc_namespace* ns = current_ipc_ns();
  SpinGuard guard(ns->queues.lock);
  for (int i = 0; i < ns->queues.size; i++) {
    if (!ns->queues.slots[i]) continue;
    const MsgQueue* q = to_queue(ns->queues.slots[i]);
    const UserIpcPerm p = ipc_perm_to_user(&q->ipc);
    seq_printf(m, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10lld %10lld %10lld\n", p.key, q->ipc.id, p.mode, q->bytes, q->count,
               number(q->last_sender), number(q->last_receiver), p.uid, p.gid, p.cuid, p.cgid, static_cast<long long>(q->stime),
               static_cast<long long>(q->rtime), static_cast<long long>(q->ctime));
  }
  return 0;
}
