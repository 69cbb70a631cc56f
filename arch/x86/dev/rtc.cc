// Wall clock at boot from the CMOS clock.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/dev/rtc.hh"

#include <linux/compiler.h>

#include "arch/x86/cpu/cpu.hh"

namespace x86 {
namespace {

u64 wall_at_zero;  // CLOCK_REALTIME in ns at clock_ns() == 0

u8 cmos(u8 index) {
  outb(0x70, index);
  return inb(0x71);
}

struct RtcTime {
  u8 second, minute, hour, day, month, year;
  bool operator==(const RtcTime&) const = default;
};
RtcTime read_once() {
  for (int i = 0; i < 1000000 && (cmos(0x0a) & 0x80); i++) arch::cpu_relax();  // update in progress
  return {cmos(0), cmos(2), cmos(4), cmos(7), cmos(8), cmos(9)};
}

constexpr u64 days_from_epoch(unsigned year, unsigned month, unsigned day) {
  // Counts years from March, so that the leap day is the last of its year.
  unsigned y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;
  return 365ull * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}
static_assert(days_from_epoch(1970, 1, 1) == 0 && days_from_epoch(2024, 2, 29) == 19782);

}  // namespace

void rtc_init() {
  RtcTime t = read_once();
  for (RtcTime again = read_once(); !(again == t); again = read_once()) t = again;
  u8 format = cmos(0x0b);
  bool pm = t.hour & 0x80;
  t.hour &= 0x7f;
  auto bin = [&](u8 v) { return static_cast<u8>(format & 4 ? v : (v >> 4) * 10 + (v & 15)); };
  unsigned hour = bin(t.hour);
  if (!(format & 2)) hour = hour % 12 + (pm ? 12 : 0);
  u64 days = days_from_epoch(2000u + bin(t.year), bin(t.month), bin(t.day));
  u64 seconds = ((days * 24 + hour) * 60 + bin(t.minute)) * 60 + bin(t.second);
  wall_at_zero = seconds * 1'000'000'000 - arch::clock_ns();
}

}  // namespace x86

namespace arch {
u64 boot_wall_ns() { return x86::wall_at_zero; }
}  // namespace arch
