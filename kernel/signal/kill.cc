// Who may signal whom, and the system calls that send. Spec 21 section 15.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>

#include <climits>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "fs/proc/proc.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/pid/pidfd.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

// ---- Permission (S-25) ------------------------------------------------------------------------------------------------

namespace {

bool ids_allow(const struct cred* sender, const struct cred* target) {
  return uid_eq(sender->euid, target->suid) || uid_eq(sender->euid, target->uid) || uid_eq(sender->uid, target->suid) ||
         uid_eq(sender->uid, target->uid) || ns_capable(target->user_ns, CAP_KILL);
}

bool from_user(const kernel_siginfo* info) { return info == SEND_SIG_NOINFO || (!is_special(info) && info->si_code <= SI_USER); }

}  // namespace

int check_kill_permission(int sig, const kernel_siginfo* info, task_struct* t) {
  if (!valid_signal(static_cast<unsigned>(sig))) return -EINVAL;
  if (!from_user(info) || same_thread_group(current, t)) return 0;
  if (ids_allow(current->cred, rcu_dereference(t->real_cred))) return 0;
  return sig == SIGCONT && task_session(t) == task_session(current) ? 0 : -EPERM;
}

// ---- Targets ----------------------------------------------------------------------------------------------------------

int group_send_sig_info(int sig, kernel_siginfo* info, task_struct* p, pid_type type) {
  int error;
  {
    RcuReadGuard rcu;
    error = check_kill_permission(sig, info, p);
  }
  return error || !sig ? error : do_send_sig_info(sig, info, p, type);
}

int kill_pid_info(int sig, kernel_siginfo* info, struct pid* pid) {
  RcuReadGuard rcu;
  for (;;) {
    task_struct* p = pid_task(pid, PIDTYPE_PID);
    if (!p) return -ESRCH;
    int error = group_send_sig_info(sig, info, p, PIDTYPE_TGID);
    // It was released under our eyes. Unless exec just moved its number to another thread, the next look finds nobody.
    if (error != -ESRCH) return error;
  }
}

int kill_pid(struct pid* pid, int sig, int priv) { return kill_pid_info(sig, priv ? SEND_SIG_PRIV : SEND_SIG_NOINFO, pid); }

namespace {

// tasklist_lock. 0 if one member took it, else the last error, -ESRCH for an empty group.
int kill_group_members(int sig, kernel_siginfo* info, struct pid* pgrp) {
  int error = -ESRCH;
  bool success = false;
  hlist_node* n;
  for (n = pgrp->tasks[PIDTYPE_PGID].first; n; n = n->next) {
    auto* p = reinterpret_cast<task_struct*>(reinterpret_cast<char*>(n - PIDTYPE_PGID) - offsetof(task_struct, pid_links));
    error = group_send_sig_info(sig, info, p, PIDTYPE_PGID);
    success |= !error;
  }
  return success ? 0 : error;
}

// kill(-1): everybody but init and the caller's own group.
int kill_everybody(int sig, kernel_siginfo* info) {
  int candidates = 0, result = 0;
  task_struct* p;
  for_each_process(p) {
    if (task_pid_vnr(p) <= 1 || same_thread_group(p, current)) continue;
    int error = group_send_sig_info(sig, info, p, PIDTYPE_MAX);
    candidates++;
    if (error != -EPERM) result = error;
  }
  return candidates ? result : -ESRCH;
}

kernel_siginfo user_info(int sig, int code) {
  kernel_siginfo info = {};
  info.si_signo = sig;
  info.si_code = code;
  info.si_pid = own_pid_number(PIDTYPE_TGID);
  info.si_uid = from_kuid_munged(current->cred->user_ns, current->cred->uid);
  return info;
}

}  // namespace

int kill_pgrp(struct pid* pgrp, int sig, int priv) {
  ReadGuard guard(tasklist_lock);
  return kill_group_members(sig, priv ? SEND_SIG_PRIV : SEND_SIG_NOINFO, pgrp);
}

// Under tasklist_lock already, as exit is.
int __kill_pgrp_info(int sig, kernel_siginfo* info, struct pid* pgrp) { return kill_group_members(sig, info, pgrp); }

// ---- System calls -----------------------------------------------------------------------------------------------------

SYSCALL_DEFINE2(kill, pid_t, pid, int, sig) {
  kernel_siginfo info = user_info(sig, SI_USER);
  if (pid > 0) {
    RcuReadGuard rcu;
    return kill_pid_info(sig, &info, find_vpid(pid));
  }
  if (pid == INT_MIN) return -ESRCH;
  ReadGuard guard(tasklist_lock);
  if (pid == -1) return kill_everybody(sig, &info);
  struct pid* pgrp = pid ? find_vpid(-pid) : task_pgrp(current);
  return pgrp ? kill_group_members(sig, &info, pgrp) : -ESRCH;
}

namespace {

// raise(3): nobody to look for, to ask for permission, or to lose.
long send_to_self(task_struct* self, int sig, kernel_siginfo* info) {
  if (!valid_signal(static_cast<unsigned>(sig))) return -EINVAL;
  if (!sig) return 0;
  IrqOffSpinGuard guard(self->sighand->siglock);
  return send_translated_locked(sig, info, self, PIDTYPE_PID, Force::No);
}

// tgid 0: any. A target that dies meanwhile counts as reached.
long send_to_thread(pid_t tgid, pid_t pid, int sig, kernel_siginfo* info) {
  if (pid == own_pid_number(PIDTYPE_PID) && (!tgid || tgid == own_pid_number(PIDTYPE_TGID))) return send_to_self(current, sig, info);
  RcuReadGuard rcu;
  task_struct* p = find_task_by_vpid(pid);
  if (!p || (tgid && pid_vnr(rcu_dereference(p->signal->pids[PIDTYPE_TGID])) != tgid)) return -ESRCH;
  if (int error = check_kill_permission(sig, info, p)) return error;
  if (!sig) return 0;
  int error = do_send_sig_info(sig, info, p, PIDTYPE_PID);
  return error == -ESRCH ? 0 : error;
}

// Does the kernel know what a siginfo of this kind holds? Then what lies behind that is of no interest.
constexpr int kSiDethread = -7, kSiAsyncNl = -60;
bool known_layout(int sig, int code) {
  if (code <= SI_USER) return code >= SI_TKILL || code == kSiDethread || code == kSiAsyncNl;
  if (code == SI_KERNEL) return true;
  switch (sig) {
    case SIGILL: return code <= 11;
    case SIGFPE: return code <= 15;
    case SIGSEGV: return code <= 9;
    case SIGBUS: return code <= 5;
    case SIGTRAP: return code <= 6;
    case SIGCHLD: return code <= CLD_CONTINUED;
    case SIGSYS: return code <= 2;
    default: return code <= 6;  // SIGPOLL's, whatever the number
  }
}

// What a user hands over to be queued. Of a kind that is not known, the part that would be lost must be empty.
Result<kernel_siginfo> copy_siginfo_from_user(const siginfo_t __user* uinfo) {
  siginfo_t u;
  if (copy_from_user(&u.k, uinfo, sizeof(u.k))) return fail(EFAULT);
  if (known_layout(u.k.si_signo, u.k.si_code)) return u.k;
  char* rest = u.pad + sizeof(u.k);
  constexpr size_t kRest = sizeof(u) - sizeof(u.k);
  if (copy_from_user(rest, reinterpret_cast<const char*>(uinfo) + sizeof(u.k), kRest)) return fail(EFAULT);
  for (size_t i = 0; i < kRest; i++)
    if (rest[i]) return fail(E2BIG);
  return u.k;
}

// The number is the call's.
Result<kernel_siginfo> info_from_user(int sig, const siginfo_t __user* uinfo) {
  kernel_siginfo info = TRY(copy_siginfo_from_user(uinfo));
  info.si_signo = sig;
  return info;
}

// The kernel alone may claim to be the kernel or kill(2).
bool spoofed(const kernel_siginfo& info) { return info.si_code >= 0 || info.si_code == SI_TKILL; }

}  // namespace

SYSCALL_DEFINE3(tgkill, pid_t, tgid, pid_t, pid, int, sig) {
  if (tgid <= 0 || pid <= 0) return -EINVAL;
  kernel_siginfo info = user_info(sig, SI_TKILL);
  return send_to_thread(tgid, pid, sig, &info);
}

SYSCALL_DEFINE2(tkill, pid_t, pid, int, sig) {
  if (pid <= 0) return -EINVAL;
  kernel_siginfo info = user_info(sig, SI_TKILL);
  return send_to_thread(0, pid, sig, &info);
}

SYSCALL_DEFINE3(rt_sigqueueinfo, pid_t, pid, int, sig, const siginfo_t __user*, uinfo) {
  auto info = info_from_user(sig, uinfo);
  if (!info) return info.error().neg();
  if (spoofed(*info) && task_pid_vnr(current) != pid) return -EPERM;
  RcuReadGuard rcu;
  return kill_pid_info(sig, &*info, find_vpid(pid));
}

SYSCALL_DEFINE4(rt_tgsigqueueinfo, pid_t, tgid, pid_t, pid, int, sig, const siginfo_t __user*, uinfo) {
  auto info = info_from_user(sig, uinfo);
  if (!info) return info.error().neg();
  if (tgid <= 0 || pid <= 0) return -EINVAL;
  if (spoofed(*info) && task_pid_vnr(current) != pid) return -EPERM;
  return send_to_thread(tgid, pid, sig, &*info);
}

namespace {

// A pidfd, or a directory /proc/PID that is open.
Result<struct pid*> signal_target(int fd) {
  Fd f(static_cast<unsigned>(fd));
  if (!f) return fail(EBADF);
  struct pid* pid = pidfd_pid(f.get());
  if (!pid) pid = tgid_pidfd_to_pid(f.get());
  if (!pid) return fail(EBADF);
  return get_pid(pid);
}

// In the caller's pid namespace or in one below it?
bool within_own_pid_ns(const struct pid* pid) {
  const pid_namespace* own = task_active_pid_ns(current);
  return own->level <= pid->level && pid->numbers[own->level].ns == own;
}

}  // namespace

SYSCALL_DEFINE4(pidfd_send_signal, int, fd, int, sig, const siginfo_t __user*, uinfo, unsigned, flags) {
  if (flags) return -EINVAL;
  struct pid* pid = TRY_ABI(signal_target(fd));
  PidHold hold(pid);
  if (!within_own_pid_ns(pid)) return -EINVAL;
  kernel_siginfo info = user_info(sig, SI_USER);
  if (uinfo) {
    info = TRY_ABI(copy_siginfo_from_user(uinfo));
    if (info.si_signo != sig) return -EINVAL;
    if (spoofed(info) && task_pid(current) != pid) return -EPERM;
  }
  return kill_pid_info(sig, &info, pid);
}
