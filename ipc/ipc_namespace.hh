// IPC namespaces: whose System V objects a process sees.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/nsproxy/ns_common.hh"

struct ipc_namespace {
  ns_common ns;
  user_namespace* user_ns;
  struct ucounts* ucounts;  // who is charged for it; null for the initial one
};
extern ipc_namespace init_ipc_ns;
