// User programs as functions. A program is `long fn(unsigned long arg)`, runs on a fiber of its own, reaches the kernel by
// sys() through the same table as on x86, and its memory by peek() and poke(), which fault. What it returns is its exit
// status. Its C++ variables lie on a host stack outside user memory: what a system call shall read or write goes
// through Var, alloc() or memory it has mapped. Signal handlers are functions too; they run on the same fiber, above
// what they interrupt.
//
// Only what may leave user mode (sys, peek, poke, burn) lets other CPUs or interrupts in.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <type_traits>

#include "generated/unistd_64.h"

struct pt_regs;

namespace user {

using Fn = long (*)(unsigned long arg);
using Handler = void (*)(int sig, unsigned long info, unsigned long ucontext);  // addresses in user memory

long syscall6(long nr, const unsigned long (&args)[6]);

template <class T>
unsigned long word(T v) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<unsigned long>(v);
  else if constexpr (std::is_null_pointer_v<T>)
    return 0;
  else
    return static_cast<unsigned long>(static_cast<long>(v));
}
// A system call: its result, or -errno.
template <class... A>
long sys(long nr, A... a) {
  const unsigned long args[6] = {word(a)...};
  return syscall6(nr, args);
}

// User memory. A fault that the kernel cannot resolve is SIGSEGV, as for any program.
void read_bytes(void* dst, unsigned long addr, size_t n);
void write_bytes(unsigned long addr, const void* src, size_t n);
template <class T>
T peek(unsigned long addr) {
  T v;
  read_bytes(&v, addr, sizeof v);
  return v;
}
template <class T>
void poke(unsigned long addr, const T& v) {
  write_bytes(addr, &v, sizeof v);
}
unsigned compare_exchange(unsigned long addr, unsigned old, unsigned desired);  // one instruction; returns what was there

pt_regs& regs();  // this program's registers; sp is its stack pointer

// n bytes of the program's stack, 16-byte aligned; given back when the Frame goes.
class Frame {
 public:
  explicit Frame(size_t n);
  ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  unsigned long addr() const { return addr_; }

 private:
  unsigned long before_, addr_;
};

// A variable in user memory, on the program's stack.
template <class T>
class Var {
 public:
  Var() : Var(T{}) {}
  explicit Var(const T& v) : frame_(sizeof(T)) { set(v); }
  T get() const { return peek<T>(addr()); }
  void set(const T& v) { poke(addr(), v); }
  unsigned long addr() const { return frame_.addr(); }
  T* ptr() const { return reinterpret_cast<T*>(addr()); }  // for sys(); never to be followed

 private:
  Frame frame_;
};
// A string in user memory.
class Str {
 public:
  explicit Str(const char* s) : frame_(__builtin_strlen(s) + 1) { write_bytes(frame_.addr(), s, __builtin_strlen(s) + 1); }
  unsigned long addr() const { return frame_.addr(); }

 private:
  Frame frame_;
};

// New tasks. The child begins at fn(arg); the parent gets its pid or -errno.
long fork(Fn fn, unsigned long arg = 0);
long vfork(Fn fn, unsigned long arg = 0);
// clone(2) with these flags (the low byte: exit signal). stack 0: keep the caller's. Child of a CLONE_THREAD ends with exit,
// others with exit_group.
long clone(unsigned long flags, unsigned long stack, Fn fn, unsigned long arg = 0, unsigned long parent_tid = 0,
           unsigned long child_tid = 0, unsigned long tls = 0);
// clone3(2) with the struct at address args, of which size bytes count. flags: those in the struct, to know how the child ends.
long clone3(unsigned long args, size_t size, unsigned long flags, Fn fn, unsigned long arg = 0);
long thread(unsigned long stack, Fn fn, unsigned long arg = 0);  // as pthread_create would clone
unsigned long map(size_t n);     // private anonymous memory, read-write; -errno
unsigned long thread_stack();    // 64 KiB of it; its top

// rt_sigaction(2). handler: a Handler, or 0 SIG_DFL, 1 SIG_IGN.
long sigaction(int sig, unsigned long handler, unsigned long flags = 0, unsigned long mask = 0);
inline long sigaction(int sig, Handler h, unsigned long flags = 0, unsigned long mask = 0) {
  return sigaction(sig, word(h), flags, mask);
}

// While it lasts a program may call printk() and the like: nothing switches tasks on a program's stack.
class Uninterrupted {
 public:
  Uninterrupted();
  ~Uninterrupted();
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;
};

void burn(u64 ns);             // uses the CPU for so much virtual time
void raise_exception(unsigned vector, unsigned error = 0);  // as if an instruction had raised it
[[noreturn]] void exit(int status);  // exit_group

// For kernel threads (test cases): makes a process whose program is fn(arg), parented to the caller, and its end.
// Both may sleep. start returns the pid or -errno; wait the wait status or -errno.
long start_process(Fn fn, unsigned long arg = 0);
long wait_process(long pid);
long run_process(Fn fn, unsigned long arg = 0);  // both

// A tiny ELF executable whose entry point is fn (called with 0; argc at the stack pointer). Returns its size.
size_t make_elf(Fn fn, unsigned char* buffer, size_t size);
inline constexpr size_t kElfSize = 0x1000;

void mark(unsigned long a, unsigned long b = 0);  // an event of the program's own in the trace

}  // namespace user
