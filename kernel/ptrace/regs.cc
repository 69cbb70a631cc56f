// The registers of a stopped tracee, in the layouts of struct user and of the register sets of core dumps.
// SPDX-License-Identifier: Apache-2.0
#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>

#include "arch/contract/arch.hh"
#include "kernel/ptrace/internal.hh"
#include "mm/uaccess.hh"

static_assert(sizeof(user_regs_struct) == 216 && sizeof(user_area) == 928 && offsetof(user_area, u_debugreg) == 848);
static_assert(offsetof(user_regs_struct, ss) == offsetof(pt_regs, ss));  // the first 21 words are pt_regs

namespace {

constexpr unsigned long kWord = sizeof(unsigned long);
// What a tracer may change of the flags: AC NT RF OF DF TF SF ZF AF PF CF.
constexpr unsigned long kFlagMask = 0x40000 | 0x4000 | 0x10000 | 0x800 | 0x400 | 0x100 | 0x80 | 0x40 | 0x10 | 0x4 | 0x1;
constexpr size_t kLegacyFpuSize = 512;
constexpr u32 kAuditArchX86_64 = 0xc000003e;

bool steps_by_us(const task_struct* t) { return test_tsk_thread_flag(t, TIF_FORCED_TF); }

unsigned long get_flags(const task_struct* t) {
  const unsigned long flags = task_pt_regs(t)->flags;
  return steps_by_us(t) ? flags & ~static_cast<unsigned long>(X86_EFLAGS_TF) : flags;
}

// A trap flag of the tracee's own is as good as ours, and stays.
void set_flags(task_struct* t, unsigned long value) {
  pt_regs* regs = task_pt_regs(t);
  if (value & X86_EFLAGS_TF)
    clear_tsk_thread_flag(t, TIF_FORCED_TF);
  else if (steps_by_us(t))
    value |= X86_EFLAGS_TF;
  regs->flags = (regs->flags & ~kFlagMask) | (value & kFlagMask);
}

// A selector is 16 bits; what is above them is not looked at.
constexpr bool valid_selector(u16 v) { return !v || (v & 3) == 3; }

}  // namespace

user_regs_struct ptrace_user_regs(const task_struct* t) {
  user_regs_struct u;
  memcpy(&u, task_pt_regs(t), sizeof(pt_regs));
  u.flags = get_flags(t);
  const arch::UserSegments s = arch::user_segments(t);
  u.fs_base = s.fs_base, u.gs_base = s.gs_base;
  u.ds = s.ds, u.es = s.es, u.fs = s.fs, u.gs = s.gs;
  return u;
}

namespace {

// Segments that are set one by one come from the same place as they go to.
Result<void> set_segment_word(task_struct* t, unsigned long offset, unsigned long value) {
  arch::UserSegments s = arch::user_segments(t);
  if (offset == offsetof(user_regs_struct, fs_base) || offset == offsetof(user_regs_struct, gs_base)) {
    if (value >= TASK_SIZE_MAX) return fail(EIO);
    (offset == offsetof(user_regs_struct, fs_base) ? s.fs_base : s.gs_base) = value;
  } else {
    const auto sel = static_cast<u16>(value);
    if (!valid_selector(sel)) return fail(EIO);
    switch (offset) {
      case offsetof(user_regs_struct, ds): s.ds = sel; break;
      case offsetof(user_regs_struct, es): s.es = sel; break;
      case offsetof(user_regs_struct, fs): s.fs = sel; break;
      default: s.gs = sel;
    }
  }
  arch::set_user_segments(t, s);
  return {};
}

Result<void> put_reg(task_struct* t, unsigned long offset, unsigned long value) {
  pt_regs* regs = task_pt_regs(t);
  switch (offset) {
    case offsetof(pt_regs, flags): set_flags(t, value); return {};
    case offsetof(pt_regs, cs):
    case offsetof(pt_regs, ss):
      value = static_cast<u16>(value);
      // Only what the machine knows to be user code and data: others would fault on the way out.
      if (value != USER_CS && value != USER_DS) return fail(EIO);
      break;
    default:
      if (offset >= sizeof(pt_regs)) return set_segment_word(t, offset, value);
  }
  reinterpret_cast<unsigned long*>(regs)[offset / kWord] = value;
  return {};
}

// Words [0, n) of the layout, each checked; those before a refused one have been set.
Result<void> write_words(task_struct* t, const user_regs_struct& u, size_t n) {
  auto* words = reinterpret_cast<const unsigned long*>(&u);
  for (size_t i = 0; i < n; i++) TRY(put_reg(t, i * kWord, words[i]));
  return {};
}

// The extended state in a buffer of its own.
class FpuImage {
 public:
  FpuImage() : size_(arch::fpu_regset_size()), data_(size_ ? kzalloc(size_, GFP_KERNEL) : nullptr) {}
  ~FpuImage() { kfree(data_); }
  FpuImage(const FpuImage&) = delete;
  size_t size() const { return size_; }
  void* data() { return data_; }

 private:
  size_t size_;
  void* data_;
};

long get_fpu(task_struct* t, unsigned long to, size_t n) {
  FpuImage image;
  if (!image.size()) return -EIO;
  if (!image.data()) return -ENOMEM;
  arch::fpu_regset_get(t, image.data());
  return copy_to_user(reinterpret_cast<void*>(to), image.data(), min(n, image.size())) ? -EFAULT : 0;
}

long set_fpu(task_struct* t, unsigned long from, size_t n) {
  FpuImage image;
  if (!image.size()) return -EIO;
  if (!image.data()) return -ENOMEM;
  if (n != kLegacyFpuSize && n != image.size()) return -EFAULT;
  if (copy_from_user(image.data(), reinterpret_cast<void*>(from), n)) return -EFAULT;
  return to_abi(arch::fpu_regset_set(t, image.data(), n));
}

// A shorter write to the legacy set leaves the rest as it is.
long set_legacy_fpu(task_struct* t, unsigned long from, size_t n) {
  FpuImage image;
  if (!image.size()) return -EIO;
  if (!image.data()) return -ENOMEM;
  arch::fpu_regset_get(t, image.data());
  if (copy_from_user(image.data(), reinterpret_cast<void*>(from), n)) return -EFAULT;
  return to_abi(arch::fpu_regset_set(t, image.data(), kLegacyFpuSize));
}

long get_general(task_struct* t, unsigned long to, size_t n) {
  const user_regs_struct u = ptrace_user_regs(t);
  return copy_to_user(reinterpret_cast<void*>(to), &u, n) ? -EFAULT : 0;
}
long set_general(task_struct* t, unsigned long from, size_t n) {
  user_regs_struct u;
  if (copy_from_user(&u, reinterpret_cast<void*>(from), n)) return -EFAULT;
  return to_abi(write_words(t, u, n / kWord));
}

struct Regset {
  unsigned long type;
  size_t size;  // 0: the machine's extended state
  long (*get)(task_struct*, unsigned long, size_t);
  long (*set)(task_struct*, unsigned long, size_t);
};
constexpr Regset kRegsets[] = {
    {NT_PRSTATUS, sizeof(user_regs_struct), get_general, set_general},
    {NT_PRFPREG, kLegacyFpuSize, get_fpu, set_legacy_fpu},
    {NT_X86_XSTATE, 0, get_fpu, set_fpu},
};

}  // namespace

long peek_user(task_struct* t, unsigned long offset, unsigned long* value) {
  if (offset % kWord || offset >= sizeof(user_area)) return -EIO;
  *value = 0;
  if (offset < sizeof(user_regs_struct)) {
    const user_regs_struct u = ptrace_user_regs(t);
    *value = reinterpret_cast<const unsigned long*>(&u)[offset / kWord];
  } else if (offset >= offsetof(user_area, u_debugreg) && offset < offsetof(user_area, error_code)) {
    *value = arch::debug_register(t, (offset - offsetof(user_area, u_debugreg)) / kWord);
  }
  return 0;
}

long poke_user(task_struct* t, unsigned long offset, unsigned long value) {
  if (offset % kWord || offset >= sizeof(user_area)) return -EIO;
  if (offset < sizeof(user_regs_struct)) return to_abi(put_reg(t, offset, value));
  if (offset >= offsetof(user_area, u_debugreg) && offset < offsetof(user_area, error_code))
    return to_abi(arch::set_debug_register(t, (offset - offsetof(user_area, u_debugreg)) / kWord, value));
  return -EIO;
}

long get_regs(task_struct* t, unsigned long to) { return get_general(t, to, sizeof(user_regs_struct)); }
long set_regs(task_struct* t, unsigned long from) { return set_general(t, from, sizeof(user_regs_struct)); }
long get_fp_regs(task_struct* t, unsigned long to) { return get_fpu(t, to, kLegacyFpuSize); }
long set_fp_regs(task_struct* t, unsigned long from) { return set_legacy_fpu(t, from, kLegacyFpuSize); }

long regset(task_struct* t, unsigned long type, unsigned long uiov, Direction way) {
  auto* user_iov = reinterpret_cast<iovec*>(uiov);
  iovec iov;
  if (get_user(iov, user_iov)) return -EFAULT;
  const Regset* set = nullptr;
  for (const Regset& r : kRegsets)
    if (r.type == type) set = &r;
  if (!set || iov.iov_len % kWord) return -EINVAL;
  const size_t n = min(iov.iov_len, set->size ? set->size : arch::fpu_regset_size());
  const auto base = reinterpret_cast<unsigned long>(iov.iov_base);
  if (long error = way == Direction::Get ? set->get(t, base, n) : set->set(t, base, n)) return error;
  return put_user(n, &user_iov->iov_len) ? -EFAULT : 0;
}

// arch_prctl(2) on the tracee's behalf.
long arch_prctl_of(task_struct* t, unsigned long option, unsigned long arg) {
  constexpr unsigned long kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;
  arch::UserSegments s = arch::user_segments(t);
  switch (option) {
    case kGetFs: return put_user(s.fs_base, reinterpret_cast<unsigned long*>(arg)) ? -EFAULT : 0;
    case kGetGs: return put_user(s.gs_base, reinterpret_cast<unsigned long*>(arg)) ? -EFAULT : 0;
    case kSetFs: s.fs = 0, s.fs_base = arg; break;
    case kSetGs: s.gs = 0, s.gs_base = arg; break;
    default: return -EINVAL;
  }
  if (arg >= TASK_SIZE_MAX) return -EPERM;
  arch::set_user_segments(t, s);
  return 0;
}

// ---- System calls -------------------------------------------------------------------------------------------------------

long get_syscall_info(task_struct* t, unsigned long size, unsigned long to) {
  const pt_regs* regs = task_pt_regs(t);
  ptrace_syscall_info info = {};
  info.arch = kAuditArchX86_64;
  info.instruction_pointer = regs->ip;
  info.stack_pointer = regs->sp;
  size_t n = offsetof(ptrace_syscall_info, entry);
  // Only with TRACESYSGOOD can such a stop be told from another.
  const bool at_syscall = t->last_siginfo && t->last_siginfo->si_code == (SIGTRAP | 0x80);
  if (at_syscall && t->ptrace_message == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
    info.op = PTRACE_SYSCALL_INFO_ENTRY;
    info.entry = {static_cast<u64>(static_cast<int>(regs->orig_ax)), {regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9}};
    n = sizeof(info);
  } else if (at_syscall && t->ptrace_message == PTRACE_EVENTMSG_SYSCALL_EXIT) {
    info.op = PTRACE_SYSCALL_INFO_EXIT;
    info.exit.rval = static_cast<s64>(regs->ax);
    info.exit.is_error = regs->ax >= static_cast<unsigned long>(-4095);
    n = offsetof(ptrace_syscall_info, exit.is_error) + 1;
  }
  return copy_to_user(reinterpret_cast<void*>(to), &info, min(n, size)) ? -EFAULT : static_cast<long>(n);
}
