// Id maps: lookup both ways, and reading them from text. user_namespaces(7), "Defining user and group ID mappings".
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/id_map.hh"

#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include <utility>

namespace {

using Side = u32 IdExtent::*;

// The range that holds id on one side; null: none. Few ranges are looked through, many are sorted by that side.
const IdExtent* find_range(const IdMap* map, u32 id, Side side) {
  const unsigned nr = __atomic_load_n(&map->nr, __ATOMIC_ACQUIRE);
  auto holds = [&](const IdExtent& e) { return id - e.*side < e.count; };
  if (nr <= kMapInline) {
    for (unsigned i = 0; i < nr; i++)
      if (holds(map->extent[i])) return &map->extent[i];
    return nullptr;
  }
  const IdExtent* sorted = side == &IdExtent::first ? map->forward : map->reverse;
  unsigned low = 0, high = nr;  // the last range that begins at or below id is before high
  while (low < high) {
    const unsigned mid = (low + high) / 2;
    if (sorted[mid].*side <= id)
      low = mid + 1;
    else
      high = mid;
  }
  return low && holds(sorted[low - 1]) ? &sorted[low - 1] : nullptr;
}

template <Side side>
int compare(const void* a, const void* b) {
  const u32 x = static_cast<const IdExtent*>(a)->*side, y = static_cast<const IdExtent*>(b)->*side;
  return x < y ? -1 : x > y;
}

bool overlap(u32 a, u32 a_count, u32 b, u32 b_count) { return a - b < b_count || b - a < a_count; }

bool overlaps_earlier(const IdMap* map, const IdExtent& e) {
  const IdExtent* all = map->written();
  for (unsigned i = 0; i < map->nr; i++)
    if (overlap(e.first, e.count, all[i].first, all[i].count) || overlap(e.lower_first, e.count, all[i].lower_first, all[i].count))
      return true;
  return false;
}

Result<void> append(IdMap* map, const IdExtent& e) {
  if (map->nr == kMapMax) return fail(EINVAL);
  if (map->nr == kMapInline) {
    map->forward = static_cast<IdExtent*>(kmalloc_array(kMapMax, sizeof(IdExtent), GFP_KERNEL));
    if (!map->forward) return fail(ENOMEM);
    memcpy(map->forward, map->extent, sizeof(map->extent));
  }
  (map->forward ? map->forward : map->extent)[map->nr++] = e;
  return {};
}

// A decimal number at *p, which moves behind it and the blanks that follow. False: there is none.
bool number(char** p, u32* out) {
  char* s = *p;
  while (*s == ' ' || *s == '\t') s++;
  u64 v = 0;
  const char* digits = s;
  for (; *s >= '0' && *s <= '9'; s++) v = v * 10 + static_cast<unsigned>(*s - '0');
  if (s == digits) return false;
  *out = static_cast<u32>(v);  // larger ones wrap, as on Linux
  *p = s;
  return true;
}

Result<IdExtent> parse_line(char* line) {
  IdExtent e{};
  if (!number(&line, &e.first) || !isspace(*line)) return fail(EINVAL);
  if (!number(&line, &e.lower_first) || !isspace(*line)) return fail(EINVAL);
  if (!number(&line, &e.count)) return fail(EINVAL);
  while (isspace(*line)) line++;
  if (*line || !e.count || e.first == ~0u || e.lower_first == ~0u) return fail(EINVAL);
  // Neither side may run past the last id; -1 is no id.
  if (e.first + e.count <= e.first || e.lower_first + e.count <= e.lower_first) return fail(EINVAL);
  return e;
}

}  // namespace

u32 map_id_down(const IdMap* map, u32 id) {
  const IdExtent* e = find_range(map, id, &IdExtent::first);
  return e ? id - e->first + e->lower_first : ~0u;
}

u32 map_id_up(const IdMap* map, u32 id) {
  const IdExtent* e = find_range(map, id, &IdExtent::lower_first);
  return e ? id - e->lower_first + e->first : ~0u;
}

u32 map_id_range_down(const IdMap* map, u32 id, u32 count) {
  const IdExtent* e = find_range(map, id, &IdExtent::first);
  return e && id - e->first + u64{count} <= e->count ? id - e->first + e->lower_first : ~0u;
}

Result<void> parse_id_map(char* text, IdMap* map) {
  *map = {};
  for (char* next; text && *text; text = next) {
    next = strchr(text, '\n');
    if (next) *next++ = 0;
    const IdExtent e = TRY(parse_line(text));
    if (overlaps_earlier(map, e)) return fail(EINVAL);
    TRY(append(map, e));
  }
  return map->nr ? Result<void>{} : fail(EINVAL);
}

Result<void> sort_id_map(IdMap* map) {
  if (map->nr <= kMapInline) return {};
  map->reverse = static_cast<IdExtent*>(kmalloc_array(map->nr, sizeof(IdExtent), GFP_KERNEL));
  if (!map->reverse) return fail(ENOMEM);
  memcpy(map->reverse, map->forward, map->nr * sizeof(IdExtent));
  sort(map->forward, map->nr, sizeof(IdExtent), compare<&IdExtent::first>, nullptr);
  sort(map->reverse, map->nr, sizeof(IdExtent), compare<&IdExtent::lower_first>, nullptr);
  return {};
}

void free_id_map(IdMap* map) {
  kfree(std::exchange(map->forward, nullptr));
  kfree(std::exchange(map->reverse, nullptr));
}

void identity_map(IdMap* map) {
  *map = {};
  map->nr = 1;
  map->extent[0] = {0, 0, ~0u};
}
