// Cgroup namespaces: which cgroup is shown as "/". cgroup_namespaces(7).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/nsproxy/ns_common.hh"

struct LeakReport;
struct cgroup;
struct ucounts;

struct cgroup_namespace {
  ns_common ns;
  user_namespace* user_ns;
  struct ucounts* ucounts;  // who is charged; null: the initial one
  struct cgroup* root;      // referenced, and if it is removed still the root
};
extern cgroup_namespace init_cgroup_ns;
void cgroup_ns_init();
void cgroup_ns_exit(LeakReport& report);
