// What the files of kernel/printk share.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <string_view>

#include "init/report.hh"

// text may begin with a KERN_ prefix and end with a newline; level -1: the default one.
void log_store(std::string_view text, int level, u8 facility);
void panic_options_init();
void syslog_reset();
u64 syslog_clear_seq();  // what syslog(2) has cleared ends here
void panic_options_exit(LeakReport& report);
