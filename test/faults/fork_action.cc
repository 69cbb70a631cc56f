// Forks as actions: the calls, their undoing, and what may come of a failure.
// SPDX-License-Identifier: Apache-2.0
#include "test/faults/fork_action.hh"

#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "kernel/exit/exit.hh"
#include "mm/uaccess.hh"

extern "C" {
long sys_clone(const pt_regs*);
long sys_clone3(const pt_regs*);
long sys_fork(const pt_regs*);
long sys_pipe2(const pt_regs*);
long sys_vfork(const pt_regs*);
}

namespace faults {
namespace {

// ---- What each stage may answer (spec 20 section 11) -----------------------------------------------------------------------

struct StageRule {
  const char* id;
  int memory[2];  // where memory is short
  int others[4];  // where another step fails
};
// A stage whose row is all zeroes cannot fail.
constexpr StageRule kStageRules[] = {
    {"S1", {}, {ERESTARTNOINTR}},
    {"S2", {ENOMEM}, {ENOMEM}},
    {"S4", {ENOMEM, ENOSPC}, {ENOMEM, ENOSPC}},  // ENOSPC: no room to count a user namespace
    {"S5", {}, {EAGAIN}},
    {"S7", {}, {}},
    {"S8", {EAGAIN}, {}},
    {"S9", {ENOMEM}, {}},
    {"S10", {}, {EAGAIN}},
    {"S11", {ENOMEM}, {}},
    {"S12", {ENOMEM}, {}},
    {"S13", {ENOMEM}, {}},
    {"S14", {ENOMEM}, {}},
    {"S15", {ENOMEM}, {ENOMEM}},
    {"S16", {ENOMEM}, {ENOMEM}},
    {"S17", {ENOMEM}, {}},
    {"S18", {ENOMEM}, {}},
    {"S19", {ENOMEM}, {ENOMEM}},
    {"S20", {ENOMEM, ENOSPC}, {ENOMEM, ENOSPC}},
    {"S21", {ENOMEM}, {}},
    {"S22", {ENOMEM}, {ENOMEM}},
    {"S23", {ENOMEM}, {EAGAIN, ENOMEM}},
    {"S24", {ENOMEM, ENFILE}, {EMFILE, ENFILE, ENOMEM, EFAULT}},
    {"S25", {}, {}},
    {"S26", {ENOMEM}, {EAGAIN}},
    {"S27", {}, {}},
    {"S30", {}, {ENOMEM, EINTR}},
};

const StageRule* rule_of(const char* stage) {
  for (const StageRule& r : kStageRules)
    if (stage && !strcmp(r.id, stage)) return &r;
  return nullptr;
}

bool is_memory(FailPoint p) { return p == FailPoint::Page || p == FailPoint::Slab || p == FailPoint::Vmalloc; }

template <size_t N>
bool among(const int (&errnos)[N], long result) {
  for (int e : errnos)
    if (e && result == -e) return true;
  return false;
}

int kernel_child(void*) { do_exit(0); }

}  // namespace

bool fork_may_answer(const FaultVisit& failed, long result) {
  const StageRule* r = rule_of(failed.stage);
  return r && (is_memory(failed.point) ? among(r->memory, result) : among(r->others, result));
}
bool knows_stage(const char* id) { return rule_of(id); }
bool stage_can_fail(const char* id) {
  const StageRule* r = rule_of(id);
  return !r || r->memory[0] || r->others[0];
}

void write_user(unsigned long at, const void* p, size_t n) { BUG_ON(copy_to_user(reinterpret_cast<void*>(at), p, n)); }
void read_user(void* p, unsigned long at, size_t n) { BUG_ON(copy_from_user(p, reinterpret_cast<void*>(at), n)); }

// ---- Health ----------------------------------------------------------------------------------------------------------------

Health::Health() {
  BUG_ON(call(sys_pipe2, kFds, O_NONBLOCK));
  pipe_in_ = peek<int>(kFds), pipe_out_ = peek<int>(kFds + 4);
}

bool Health::pipe_works() const {
  loff_t none = 0;
  poke(kArgs + 0x800, 'x');
  auto* byte = reinterpret_cast<char*>(kArgs + 0x800);
  FileRef in(fget(static_cast<unsigned>(pipe_in_))), out(fget(static_cast<unsigned>(pipe_out_)));
  return out && in && vfs_write(out.get(), byte, 1, &none) == 1 && vfs_read(in.get(), byte, 1, &none) == 1;
}

const char* Health::broken() const {
  if (peek<unsigned>(kPrivate) != kMagic) return "the parent's memory has changed";
  poke(kPrivate, kMagic);  // and can be written
  if (!pipe_works()) return "a pipe of the parent does not work";
  children_end(0);
  const long nr = call(sys_fork);
  if (nr < 0) return "the parent cannot fork any more";
  wait_until_gone(static_cast<pid_t>(nr));
  take_signals();
  return nullptr;
}

// ---- The action --------------------------------------------------------------------------------------------------------------

long ForkAction::run() {
  children_end(c_.flags);
  poke(kPidfd, -1);
  const unsigned long legacy = c_.flags | static_cast<unsigned>(c_.exit_signal);
  switch (c_.by) {
    case By::Fork: return call(sys_fork);
    case By::Vfork: return call(sys_vfork);
    case By::Clone: return call(sys_clone, legacy, 0, c_.flags & CLONE_PIDFD ? kPidfd : kParentTid, kChildTid, 0x1000);
    case By::Clone3: return clone3();
    case By::KernelThread: return kernel_thread(kernel_child, nullptr, legacy);
    case By::UserModeThread: return user_mode_thread(kernel_child, nullptr, legacy);
  }
  return -ENOSYS;
}

void ForkAction::undo(long result) {
  const int alone = c_.parent & kThreaded ? 2 : 1;
  while (c_.flags & CLONE_THREAD && READ_ONCE(current->signal->nr_threads) > alone) msleep(1);
  wait_until_gone(static_cast<pid_t>(result));
  if (c_.flags & CLONE_PIDFD)
    if (const int fd = peek<int>(kPidfd); fd >= 0) close_fd(static_cast<unsigned>(fd));
  take_signals();
}

long ForkAction::clone3() const {
  clone_args a{};
  a.flags = c_.flags;
  a.exit_signal = static_cast<u64>(c_.exit_signal);
  a.pidfd = c_.pidfd, a.parent_tid = kParentTid, a.child_tid = kChildTid;
  if (c_.flags & CLONE_SETTLS) a.tls = c_.tls;
  if (c_.set_tid) {
    for (int level = 0; level < c_.set_tid; level++) {
      const bool own = !c_.first_tid && level == c_.set_tid - 1;
      poke(kSetTid + 4ul * static_cast<unsigned>(level), own ? current->pid : (c_.first_tid ?: 5000) + 100 * level);
    }
    if (c_.set_tid == kInit) poke(kSetTid, 1);
    a.set_tid = kSetTid, a.set_tid_size = c_.set_tid == kInit ? 1 : static_cast<u64>(c_.set_tid);
  }
  if (c_.flags & CLONE_INTO_CGROUP) a.cgroup = static_cast<u64>(cgroup_fd_);
  poke(kCloneArgs, a);
  return call(sys_clone3, kCloneArgs, sizeof a);
}

}  // namespace faults
