// Handlers: the frame on the user's stack, the way back, and restarting of interrupted system calls. Spec 21 section 19,
// 10 section 14.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/signal/frame.hh"

#include "arch/contract/arch.hh"
#include "kernel/entry/rseq.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/signal/altstack.hh"
#include "kernel/signal/sets.hh"
#include "mm/uaccess.hh"

namespace {

void save_registers(SigContext* c, const pt_regs& r, unsigned long oldmask) {
  c->r8 = r.r8, c->r9 = r.r9, c->r10 = r.r10, c->r11 = r.r11;
  c->r12 = r.r12, c->r13 = r.r13, c->r14 = r.r14, c->r15 = r.r15;
  c->di = r.di, c->si = r.si, c->bp = r.bp, c->bx = r.bx;
  c->dx = r.dx, c->ax = r.ax, c->cx = r.cx, c->sp = r.sp;
  c->ip = r.ip, c->flags = r.flags;
  c->cs = static_cast<u16>(r.cs), c->gs = 0, c->fs = 0, c->ss = static_cast<u16>(r.ss);
  const thread_struct& t = current->thread;
  c->err = t.error_code, c->trapno = t.trap_nr, c->oldmask = oldmask, c->cr2 = t.cr2;
}

void restore_registers(pt_regs* r, const SigContext& c, u64 uc_flags) {
  r->r8 = c.r8, r->r9 = c.r9, r->r10 = c.r10, r->r11 = c.r11;
  r->r12 = c.r12, r->r13 = c.r13, r->r14 = c.r14, r->r15 = c.r15;
  r->di = c.di, r->si = c.si, r->bp = c.bp, r->bx = c.bx;
  r->dx = c.dx, r->ax = c.ax, r->cx = c.cx, r->sp = c.sp;
  r->ip = c.ip;
  r->flags = (r->flags & ~kRestorableFlags) | (c.flags & kRestorableFlags);
  r->cs = c.cs | 3u;
  r->ss = uc_flags & kUcStrictRestoreSs ? c.ss | 3u : USER_DS;
  r->orig_ax = ~0ul;  // the restored ax is no system call's result (E-33)
}

void fill_frame(RtSigframe* f, const ksignal& ksig, const pt_regs& regs, const sigset_t& mask, unsigned long fpstate,
                size_t fpu_size) {
  f->return_address = reinterpret_cast<u64>(ksig.ka.sa.sa_restorer);
  f->uc.flags = kUcSigcontextSs | kUcStrictRestoreSs | (fpu_size > 512 ? kUcFpXstate : 0);
  f->uc.link = 0;
  f->uc.stack = altstack_for_frame(regs.sp);
  save_registers(&f->uc.mcontext, regs, mask.sig[0]);
  f->uc.mcontext.fpstate = fpstate;
  __builtin_memset(f->uc.mcontext.reserved, 0, sizeof(f->uc.mcontext.reserved));
  f->uc.sigmask = mask;
}

// S-51.
void enter_handler(pt_regs* regs, const ksignal& ksig, unsigned long frame) {
  regs->di = static_cast<unsigned long>(ksig.sig);
  regs->ax = 0;
  regs->si = frame + offsetof(RtSigframe, info);
  regs->dx = frame + offsetof(RtSigframe, uc);
  regs->ip = reinterpret_cast<unsigned long>(ksig.ka.sa.sa_handler);
  regs->sp = frame;
  regs->cs = USER_CS;
  regs->flags &= ~static_cast<unsigned long>(X86_EFLAGS_DF | X86_EFLAGS_RF | X86_EFLAGS_TF);
}

// False: the stack cannot take it (S-27).
bool setup_frame(const ksignal& ksig, pt_regs* regs) {
  const unsigned long flags = ksig.ka.sa.sa_flags;
  if (!(flags & SA_RESTORER)) return false;  // S-52
  task_struct* self = current;
  unsigned long sp = regs->sp - kRedZone;
  const bool on_altstack = on_sig_stack(self, regs->sp);
  const bool enters_altstack = (flags & SA_ONSTACK) && !on_altstack && self->sas_ss_size;
  if (enters_altstack) sp = self->sas_ss_sp + self->sas_ss_size;
  const size_t fpu_size = arch::fpu_frame_size();
  const FramePlace place = place_frame(sp, fpu_size);
  if ((on_altstack || enters_altstack) && !within_sig_stack(self, place.frame)) return false;  // S-50

  if (place.fpstate && (!access_ok(reinterpret_cast<void*>(place.fpstate), fpu_size) ||
                        arch::fpu_save_to_user(place.fpstate)))
    return false;
  RtSigframe frame;
  fill_frame(&frame, ksig, *regs, self->restore_sigmask ? self->saved_sigmask : self->blocked, place.fpstate, fpu_size);
  size_t size = offsetof(RtSigframe, info);
  if (flags & SA_SIGINFO) {
    frame.info.k = ksig.info;
    __builtin_memset(frame.info.pad + sizeof(kernel_siginfo), 0, sizeof(frame.info) - sizeof(kernel_siginfo));
    size = sizeof(frame);
  }
  if (copy_to_user(reinterpret_cast<void*>(place.frame), &frame, size)) return false;
  enter_handler(regs, ksig, place.frame);
  if (self->sas_ss_flags & SS_AUTODISARM) disable_altstack(self);
  return true;  // the FPU has been reset by its saving
}

// S-53.
void signal_delivered(const ksignal& ksig) {
  task_struct* self = current;
  self->restore_sigmask = 0;
  sigset_t blocked = {self->blocked.sig[0] | ksig.ka.sa.sa_mask.sig[0]};
  if (!(ksig.ka.sa.sa_flags & SA_NODEFER)) sigaddset(&blocked, ksig.sig);
  set_current_blocked(&blocked);
}

// ---- Restart (10 section 14) ----------------------------------------------------------------------------------------

constexpr unsigned long kRestartSyscall = 219;

bool in_syscall(const pt_regs* regs) { return static_cast<int>(regs->orig_ax) != -1; }

void restart(pt_regs* regs, unsigned long nr) {
  regs->ax = nr;
  regs->ip -= 2;  // SYSCALL and INT 80 are two bytes each
}

// A handler will run: EINTR, or the call again after it.
void fix_result_for_handler(pt_regs* regs, const ksignal& ksig) {
  if (!in_syscall(regs)) return;
  switch (-static_cast<long>(regs->ax)) {
    case ERESTARTSYS:
      if (ksig.ka.sa.sa_flags & SA_RESTART) return restart(regs, regs->orig_ax);
      regs->ax = static_cast<unsigned long>(-EINTR);
      return;
    case ERESTARTNOINTR: return restart(regs, regs->orig_ax);
    case ERESTARTNOHAND:
    case ERESTART_RESTARTBLOCK: regs->ax = static_cast<unsigned long>(-EINTR);
  }
}

void fix_result_without_handler(pt_regs* regs) {
  if (!in_syscall(regs)) return;
  switch (-static_cast<long>(regs->ax)) {
    case ERESTARTSYS:
    case ERESTARTNOINTR:
    case ERESTARTNOHAND: return restart(regs, regs->orig_ax);
    case ERESTART_RESTARTBLOCK: return restart(regs, kRestartSyscall);
  }
}

void handle_signal(const ksignal& ksig, pt_regs* regs) {
  fix_result_for_handler(regs, ksig);  // before the frame is built: sigreturn executes the call again (E-32)
  rseq_signal_deliver(regs);
  const bool stepping = test_thread_flag(TIF_SINGLESTEP);
  if (stepping) [[unlikely]] user_disable_single_step(current);  // the trap flag is not to get into the frame
  if (!setup_frame(ksig, regs)) return force_sigsegv(ksig.sig);
  signal_delivered(ksig);
  if (stepping) [[unlikely]] ptrace_handler_entered();
}

}  // namespace

void do_signal_or_restart(pt_regs* regs) {
  ksignal ksig;
  if (get_signal(&ksig)) return handle_signal(ksig, regs);
  fix_result_without_handler(regs);
  restore_saved_sigmask_unless(false);  // E-35
}

unsigned long max_sigframe_size() { return sizeof(RtSigframe) + 16 + 64 + kRedZone + arch::fpu_frame_size(); }

long copy_siginfo_to_user(void __user* to, const kernel_siginfo* from) {
  char __user* p = static_cast<char*>(to);
  if (copy_to_user(p, from, sizeof(*from))) return -EFAULT;
  return clear_user(p + sizeof(*from), SI_MAX_SIZE - sizeof(*from)) ? -EFAULT : 0;
}

// ---- rt_sigreturn (S-56) ----------------------------------------------------------------------------------------------

namespace {

bool do_sigreturn(pt_regs* regs) {
  auto* frame = reinterpret_cast<RtSigframe*>(regs->sp - sizeof(u64));
  UserContext uc;
  if (copy_from_user(&uc, &frame->uc, sizeof(uc))) return false;
  set_current_blocked(&uc.sigmask);
  restore_registers(regs, uc.mcontext, uc.flags);
  current->restart_block.fn = do_no_restart_syscall;
  const u64 fp = uc.mcontext.fpstate;
  if (fp && !access_ok(reinterpret_cast<void*>(fp), arch::fpu_frame_size())) return false;
  if (arch::fpu_restore_from_user(fp)) return false;
  restore_altstack(uc.stack, regs->sp);
  return true;
}

}  // namespace

extern "C" long sys_rt_sigreturn(const pt_regs* entry) {
  auto* regs = const_cast<pt_regs*>(entry);
  if (do_sigreturn(regs)) return static_cast<long>(regs->ax);
  force_sig(SIGSEGV);
  return 0;
}
