// Stack walks by libunwind, for the running context and for suspended ones.
// SPDX-License-Identifier: Apache-2.0
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>

#include "arch/hosted/host/host_api.hh"

#define NOT_TRACED __attribute__((no_sanitize("thread", "address")))

namespace {

NOT_TRACED void set_registers(unw_context_t* context, const unsigned long* regs) {
  // unw_context_t is ucontext_t on x86-64. Order of regs: host_api.hh.
  auto& g = context->uc_mcontext.gregs;
  memset(context, 0, sizeof *context);
  constexpr int kOrder[] = {REG_RBX, REG_RBP, REG_R12, REG_R13, REG_R14, REG_R15, REG_RSP, REG_RIP};
  for (int i = 0; i < 8; i++) g[kOrder[i]] = static_cast<greg_t>(regs[i]);
}

NOT_TRACED void demangle(char* name, size_t size) {
  int status = 0;
  char* nice = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  if (!nice) return;
  strncpy(name, nice, size - 1);
  name[size - 1] = 0;
  free(nice);
}

}  // namespace

extern "C" NOT_TRACED unsigned host_unwind(const unsigned long* regs, HostFrame* frames, unsigned max) {
  unw_context_t context;
  unw_cursor_t cursor;
  if (regs)
    set_registers(&context, regs);
  else
    unw_getcontext(&context);
  if (unw_init_local(&cursor, &context)) return 0;
  unsigned n = 0;
  do {
    HostFrame& f = frames[n];
    unw_word_t pc = 0, offset = 0;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    if (!pc) break;
    if (unw_get_proc_name(&cursor, f.name, sizeof f.name, &offset)) strcpy(f.name, "?");
    f.pc = pc;
    f.offset = offset;
    demangle(f.name, sizeof f.name);
    n++;
  } while (n < max && unw_step(&cursor) > 0);
  return n;
}
