// Chains of objects linked by a member `next` alone, as lock-free pushes make them: the last pushed first.
// SPDX-License-Identifier: Apache-2.0
#pragma once

// The same chain, the first pushed first. The caller owns it.
template <class T>
T* reversed(T* first) {
  T* in_order = nullptr;
  while (first) {
    T* next = first->next;
    first->next = in_order;
    in_order = first;
    first = next;
  }
  return in_order;
}
