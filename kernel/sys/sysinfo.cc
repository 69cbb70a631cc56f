// sysinfo(2).
// SPDX-License-Identifier: Apache-2.0
#include <linux/timekeeping.h>

#include "kernel/entry/syscall.hh"
#include "kernel/sched/sched.hh"
#include "mm/page_alloc.hh"
#include "mm/uaccess.hh"

namespace {

struct user_sysinfo {
  long uptime;
  unsigned long loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
  u16 procs, pad;
  unsigned long totalhigh, freehigh;
  u32 mem_unit;
};
static_assert(sizeof(user_sysinfo) == 112);
constexpr int kLoadShift = 16 - 11;  // sysinfo counts loads in 1/65536, the kernel in 1/2048

}  // namespace

SYSCALL_DEFINE1(sysinfo, user_sysinfo __user*, out) {
  user_sysinfo s;
  __builtin_memset(&s, 0, sizeof(s));
  s.uptime = static_cast<long>((ktime_get_boottime_ns() + 999'999'999) / 1'000'000'000);
  get_avenrun(s.loads, 0, kLoadShift);
  s.totalram = totalram_pages();
  s.freeram = nr_free_pages();
  s.procs = static_cast<u16>(READ_ONCE(nr_threads));
  s.mem_unit = 4096;
  return put_user(s, out);
}
