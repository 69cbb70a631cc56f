// The kernel command line (spec 10 section 9, B-52..B-54).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <string_view>

inline constexpr int kMaxInitArgs = 32, kMaxInitEnvs = 32;

// What is left for init once the kernel has taken its own parameters.
struct InitArguments {
  const char* argv[kMaxInitArgs + 2];
  const char* envp[kMaxInitEnvs + 2];
};

// Looks the last occurrence of `name` up; '-' and '_' are equal in names. False: not given. value is empty for a bare word.
// Any context once the boot information is there.
bool boot_param(std::string_view name, std::string_view* value = nullptr);
// The same, as a number (base by prefix); fallback if absent or malformed.
long boot_param_long(std::string_view name, long fallback);

// One word of the command line; quotes have been taken off. Words after "--" have after_dashes set.
struct BootWord {
  std::string_view name, value;
  bool has_value, after_dashes;
};
// Calls visit for each word in order.
void for_each_boot_word(std::string_view line, void (*visit)(const BootWord&, void*), void* context);

// Splits what belongs to init off. Strings live in kernel memory until power-off. B-52: more than 32 of a kind panics.
const InitArguments& init_arguments();
void params_init();
