// Chains of objects linked by one pointer alone, as lock-free pushes make them: the last pushed first.
// SPDX-License-Identifier: Apache-2.0
#pragma once

// The same chain, the first pushed first; Next is the member that links it. The caller owns it.
template <auto Next, class T>
T* reversed(T* first) {
  T* in_order = nullptr;
  while (first) {
    T* next = first->*Next;
    first->*Next = in_order;
    in_order = first;
    first = next;
  }
  return in_order;
}
