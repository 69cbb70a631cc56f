// Clocks. The machine gives one monotonic nanosecond clock; every other clock is that plus an offset in one word, so
// readers need no lock. jiffies advance under tick.lock, by whichever CPU takes its tick first.
// SPDX-License-Identifier: Apache-2.0
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/timekeeping.h>

#include "arch/contract/arch.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "lib/late.hh"
#include "mm/vdso.hh"

extern "C" {
constinit u64 jiffies_64 = INITIAL_JIFFIES;
}

namespace {

struct Clocks {
  raw_spinlock_t lock{};   // interrupts off: jiffies and the two below
  u64 last_jiffy_ns = 0;   // when jiffies last advanced; also what the coarse clocks say
  s64 real_offset = 0;
};
constinit Late<Clocks> clocks;

}  // namespace

void timekeeping_init() {
  Clocks& c = clocks.construct();
  raw_spin_lock_init(&c.lock);
  c.real_offset = static_cast<s64>(arch::boot_wall_ns());
  c.last_jiffy_ns = arch::clock_ns();
  WRITE_ONCE(jiffies_64, INITIAL_JIFFIES);
}
void timekeeping_exit(LeakReport&) { clocks.destroy(); }

void update_jiffies(u64 now) {
  if (now - READ_ONCE(clocks->last_jiffy_ns) < static_cast<u64>(TICK_NSEC)) return;
  IrqSpinGuard g(clocks->lock);
  const u64 last = clocks->last_jiffy_ns;
  if (now < last) return;  // another CPU has been here with a later time
  const u64 ticks = (now - last) / TICK_NSEC;
  WRITE_ONCE(clocks->last_jiffy_ns, last + ticks * TICK_NSEC);
  WRITE_ONCE(jiffies_64, jiffies_64 + ticks);
}

s64 timekeeping_real_offset() { return READ_ONCE(clocks->real_offset); }
s64 timekeeping_tai_offset() { return timekeeping_real_offset(); }  // nobody has told us of leap seconds

ktime_t clock_now(int clock) {
  const auto now = static_cast<ktime_t>(arch::clock_ns());
  return clock == CLOCK_REALTIME || clock == CLOCK_TAI ? now + timekeeping_real_offset() : now;
}

extern "C" {

ktime_t ktime_get() { return static_cast<ktime_t>(arch::clock_ns()); }
ktime_t ktime_get_boottime() { return ktime_get(); }  // never suspended
ktime_t ktime_get_real() { return ktime_get() + timekeeping_real_offset(); }
ktime_t ktime_get_clocktai() { return ktime_get() + timekeeping_tai_offset(); }
ktime_t ktime_get_coarse() { return static_cast<ktime_t>(READ_ONCE(clocks->last_jiffy_ns)); }
ktime_t ktime_get_coarse_real() { return ktime_get_coarse() + timekeeping_real_offset(); }
void ktime_get_ts64(timespec64* ts) { *ts = ns_to_timespec64(ktime_get()); }
void ktime_get_real_ts64(timespec64* ts) { *ts = ns_to_timespec64(ktime_get_real()); }
void ktime_get_boottime_ts64(timespec64* ts) { *ts = ns_to_timespec64(ktime_get_boottime()); }
void ktime_get_coarse_ts64(timespec64* ts) { *ts = ns_to_timespec64(ktime_get_coarse()); }
void ktime_get_coarse_real_ts64(timespec64* ts) { *ts = ns_to_timespec64(ktime_get_coarse_real()); }
time64_t ktime_get_seconds() { return ktime_get_coarse() / NSEC_PER_SEC; }
time64_t ktime_get_real_seconds() { return ktime_get_coarse_real() / NSEC_PER_SEC; }

// The time of day may not come before the boot (CLOCK_MONOTONIC would exceed CLOCK_REALTIME), as in Linux since 4.3.
int do_settimeofday64(const timespec64* ts) {
  if (!timespec64_valid(ts) || ts->tv_sec >= KTIME_SEC_MAX) return -EINVAL;
  const s64 offset = timespec64_to_ns(ts) - ktime_get();
  if (offset < 0) return -EINVAL;
  WRITE_ONCE(clocks->real_offset, offset);
  vdso_update_clock();
  clock_was_set();
  return 0;
}

}  // extern "C"
