// rseq(2): tells user space the CPU it runs on, and sends it to its abort handler if it was interrupted inside a
// critical section. Spec 22 C-75; the layout is that of rseq(2)'s struct rseq.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/entry/rseq.hh"

#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "mm/uaccess.hh"

namespace {

struct user_rseq {
  u32 cpu_id_start, cpu_id;
  u64 rseq_cs;
  u32 flags, padding[3];
};
static_assert(sizeof(user_rseq) == 32);
struct user_rseq_cs {
  u32 version, flags;
  u64 start_ip, post_commit_offset, abort_ip;
};
constexpr u32 kCpuUninitialized = ~0u;
constexpr int kFlagUnregister = 1;

user_rseq __user* area(const task_struct* t) { return static_cast<user_rseq*>(t->rseq); }

bool update_cpu_id(task_struct* self) {
  u32 cpu[2];
  cpu[0] = cpu[1] = task_cpu(self);
  return !copy_to_user(&area(self)->cpu_id_start, cpu, sizeof(cpu));
}

// Leaves the critical section that regs->ip lies in, if it does. False: something is wrong with it.
bool fix_ip(task_struct* self, pt_regs* regs) {
  u64 address;
  if (get_user(address, &area(self)->rseq_cs)) return false;
  if (!address) return true;
  user_rseq_cs cs;
  if (address >= TASK_SIZE_MAX || copy_from_user(&cs, reinterpret_cast<void*>(address), sizeof(cs))) return false;
  if (cs.start_ip >= TASK_SIZE_MAX || cs.start_ip + cs.post_commit_offset >= TASK_SIZE_MAX || cs.abort_ip >= TASK_SIZE_MAX ||
      cs.version > 0)
    return false;
  if (cs.abort_ip - cs.start_ip < cs.post_commit_offset) return false;  // the handler inside its own section
  if (regs->ip - cs.start_ip >= cs.post_commit_offset) {
    return !clear_user(&area(self)->rseq_cs, sizeof(u64));  // left already: forget it
  }
  u32 signature;  // stands in front of the handler
  if (get_user(signature, reinterpret_cast<u32*>(cs.abort_ip - sizeof(u32))) || signature != self->rseq_sig) return false;
  if (clear_user(&area(self)->rseq_cs, sizeof(u64))) return false;
  regs->ip = cs.abort_ip;
  return true;
}

}  // namespace

void rseq_handle_notify_resume(pt_regs* regs) {
  task_struct* self = current;
  if (!fix_ip(self, regs) || !update_cpu_id(self)) force_sig(SIGSEGV);
}

void rseq_signal_deliver(pt_regs* regs) {
  if (current->rseq) rseq_handle_notify_resume(regs);
}

// Spec 20 section 18: same registration without VM, none with it.
void rseq_fork(task_struct* child, u64 clone_flags) {
  if (!(clone_flags & CLONE_VM)) return;
  child->rseq = nullptr;
  child->rseq_len = child->rseq_sig = 0;
}

void rseq_execve(task_struct* t) {
  t->rseq = nullptr;
  t->rseq_len = t->rseq_sig = 0;
}

namespace {

long unregister(task_struct* self, void* address, u32 len, u32 sig) {
  if (self->rseq != address || !address) return -EINVAL;
  if (len != self->rseq_len) return -EINVAL;
  if (sig != self->rseq_sig) return -EPERM;
  const u32 ids[2] = {0, kCpuUninitialized};
  if (copy_to_user(&area(self)->cpu_id_start, ids, sizeof(ids))) return -EFAULT;
  rseq_execve(self);
  return 0;
}

}  // namespace

SYSCALL_DEFINE4(rseq, void __user*, address, u32, len, int, flags, u32, sig) {
  task_struct* self = current;
  if (flags & kFlagUnregister) return flags & ~kFlagUnregister ? -EINVAL : unregister(self, address, len, sig);
  if (flags) return -EINVAL;
  if (self->rseq) {
    if (self->rseq != address || self->rseq_len != len) return -EINVAL;
    return self->rseq_sig != sig ? -EPERM : -EBUSY;
  }
  if (reinterpret_cast<unsigned long>(address) % 32 || len != sizeof(user_rseq)) return -EINVAL;
  if (!address || !access_ok(address, len)) return -EFAULT;
  self->rseq = address;
  self->rseq_len = len;
  self->rseq_sig = sig;
  set_tsk_thread_flag(self, TIF_NOTIFY_RESUME);  // the CPU number is there before user code goes on
  return 0;
}
