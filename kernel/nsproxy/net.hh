// Network namespaces: an identity, since there is no network but AF_UNIX sockets, which live in the file system.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/nsproxy/ns_common.hh"

struct net {
  ns_common ns;
  user_namespace* user_ns;
  struct ucounts* ucounts;  // who is charged for it; null for the initial one
};
extern struct net init_net;
