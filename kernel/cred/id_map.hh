// The map of one kind of id of a user namespace: ranges, written once. user_namespaces(7).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/types.h>

#include "lib/result.hh"

inline constexpr unsigned kMapInline = 5, kMapMax = 340;

struct IdExtent {
  u32 first;        // inside
  u32 lower_first;  // as the kernel has it, that is in the initial namespace
  u32 count;
};

// Up to kMapInline ranges stand in the map itself, in the order written; more are kept twice, sorted for each direction.
struct IdMap {
  unsigned nr;  // 0: not written yet. Released when the ranges stand
  IdExtent extent[kMapInline];
  IdExtent *forward, *reverse;  // by first, by lower_first; null if they are few

  const IdExtent* written() const { return forward ? forward : extent; }
};

u32 map_id_down(const IdMap* map, u32 id);  // from inside to the kernel's; ~0: none
u32 map_id_up(const IdMap* map, u32 id);
// [id, id + count) inside to the start of the kernel's range; ~0 unless one extent holds all of it.
u32 map_id_range_down(const IdMap* map, u32 id, u32 count);

// The text written to uid_map: 1 to kMapMax lines of three numbers, not overlapping. EINVAL, ENOMEM. The second numbers
// are left as they are: those of the parent.
Result<void> parse_id_map(char* text, IdMap* map);
Result<void> sort_id_map(IdMap* map);  // once the second numbers are the kernel's. ENOMEM
void free_id_map(IdMap* map);
void identity_map(IdMap* map);  // the initial namespace's
