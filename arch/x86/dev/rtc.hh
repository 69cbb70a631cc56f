// The CMOS clock.
// SPDX-License-Identifier: Apache-2.0
#pragma once
namespace x86 {
void rtc_init();  // boot CPU, after the TSC's calibration
}
