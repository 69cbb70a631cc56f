// The names a system goes by: uname(2).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/nsproxy/ns_common.hh"

inline constexpr int __NEW_UTS_LEN = 64;
struct new_utsname {  // uname(2)
  char sysname[__NEW_UTS_LEN + 1], nodename[__NEW_UTS_LEN + 1], release[__NEW_UTS_LEN + 1], version[__NEW_UTS_LEN + 1],
      machine[__NEW_UTS_LEN + 1], domainname[__NEW_UTS_LEN + 1];
};
struct uts_namespace {
  ns_common ns;
  new_utsname name;  // uts_lock
  user_namespace* user_ns;
  struct ucounts* ucounts;  // who is charged for it; null for the initial one
};
extern uts_namespace init_uts_ns;
// Of current's namespace.
new_utsname read_utsname();
bool may_write_utsname();
void write_utsname(char (new_utsname::*which)[__NEW_UTS_LEN + 1], const char* text, size_t n);  // n at most __NEW_UTS_LEN
