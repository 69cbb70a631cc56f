// Callers of many kinds: without power, in namespaces, at limits.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "test/diff/diff.hh"

namespace diff {

using Act = long (*)(void* arg);

/// Runs act in a child that is a caller of the k-th kind; what it returned.
long as_caller_of_kind(u64 kind, Random& r, Act act, void* arg);
extern const u64 kCallerKinds;

template <class F>
long as_caller(Random& r, F f) {
  return as_caller_of_kind(r.below(kCallerKinds), r, [](void* arg) { return (*static_cast<F*>(arg))(); }, &f);
}

}  // namespace diff
