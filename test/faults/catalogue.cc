// Call chains of failable steps: told apart by return addresses, named by the host's unwinder.
// SPDX-License-Identifier: Apache-2.0
#include "test/faults/catalogue.hh"

#include <kunit/test.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "arch/hosted/host/host_api.hh"

namespace {

// Names that say nothing about who wants what.
constexpr const char* kPlumbing[] = {"host_unwind", "Catalogue::",   "should_fail",      "cache_alloc", "kmem_cache_alloc", "__kmalloc",
                                     "alloc_pages",   "__alloc_pages",    "kmalloc",     "kzalloc",          "get_zeroed_page",
                                     "__get_free",    "slab_pages",       "new_slab",    "alloc_from_new",   "vmalloc",
                                     "__vmalloc",     "do_vmalloc",       "kvmalloc",    "fault_here",       "(anonymous namespace)::cache_alloc",
                                     "(anonymous namespace)::alloc_pages", "(anonymous namespace)::new_slab",
                                     "(anonymous namespace)::alloc_from_new", "(anonymous namespace)::slab_pages",
                                     "(anonymous namespace)::do_vmalloc"};

bool is_plumbing(const char* name) {
  for (const char* p : kPlumbing)
    if (!strncmp(name, p, strlen(p))) return true;
  return false;
}

// Cut at the parameter list, without the noise of anonymous namespaces.
void append_name(char* text, size_t size, const char* name) {
  constexpr const char kAnonymous[] = "(anonymous namespace)::";
  if (!strncmp(name, kAnonymous, sizeof kAnonymous - 1)) name += sizeof kAnonymous - 1;
  size_t at = strlen(text);
  if (at && at + 4 < size) at += strscpy(text + at, " < ", size - at);
  for (; *name && *name != '(' && at + 1 < size; name++) text[at++] = *name;
  text[at] = 0;
}

// The first few callers that tell.
noinline void name_callers(char* text, size_t size) {
  static HostFrame frames[24];  // under the one armed injection
  const unsigned n = host_unwind(nullptr, frames, 24);
  int shown = 0;
  text[0] = 0;
  for (unsigned i = 0; i < n && shown < 3; i++) {
    if (!strncmp(frames[i].name, "(anonymous namespace)::name_callers", 35) || is_plumbing(frames[i].name)) continue;
    if (shown && (!strncmp(frames[i].name, "NewTask::", 9) || !strncmp(frames[i].name, "copy_process", 12))) break;  // the stage says that
    append_name(text, size, frames[i].name);
    shown++;
  }
}

}  // namespace

Catalogue::Catalogue()
    : steps_(static_cast<Step*>(vzalloc(kMax * sizeof(Step)))), chains_(static_cast<Chain*>(vzalloc(kMax * sizeof(Chain)))) {
  BUG_ON(!steps_ || !chains_);
}
Catalogue::~Catalogue() {
  vfree(steps_);
  vfree(chains_);
}

noinline FaultObserver Catalogue::observer() {
  top_ = reinterpret_cast<unsigned long>(__builtin_frame_address(0));
  return {visit, this};
}

void Catalogue::visit(void* self, const FaultVisit& visit) {
  static_cast<Catalogue*>(self)->note(visit, static_cast<unsigned long*>(__builtin_frame_address(0)));
}

__attribute__((no_sanitize("address"))) void Catalogue::note(const FaultVisit& visit, const unsigned long* frame) {
  visits_++;
  u64 key = static_cast<u64>(visit.point);
  for (int depth = 0; depth < 40; depth++) {
    key = (key ^ frame[1]) * 0x9ddfea08eb382d69ull;
    key ^= key >> 29;
    const auto up = frame[0];
    if (up <= reinterpret_cast<unsigned long>(frame) || up >= top_) break;
    frame = reinterpret_cast<const unsigned long*>(up);
  }
  for (unsigned i = 0; i < nr_chains_; i++) {
    if (chains_[i].key != key || chains_[i].stage != visit.stage) continue;
    steps_[chains_[i].step].times++;
    return;
  }
  BUG_ON(nr_chains_ == kMax);
  const unsigned step = step_of(visit);
  chains_[nr_chains_++] = {key, visit.stage, step};
  steps_[step].times++;
}

unsigned Catalogue::step_of(const FaultVisit& visit) {
  Step& s = steps_[n_];
  s.visit = visit;
  name_callers(s.callers, sizeof s.callers);
  for (unsigned i = 0; i < n_; i++) {
    const FaultVisit& v = steps_[i].visit;
    if (v.point == visit.point && v.step == visit.step && v.stage == visit.stage && !strcmp(steps_[i].callers, s.callers)) return i;
  }
  return n_++;
}

bool Catalogue::visited(const char* stage) const {
  for (unsigned i = 0; i < n_; i++)
    if (steps_[i].visit.stage && !strcmp(steps_[i].visit.stage, stage)) return true;
  return false;
}

void Catalogue::print(kunit* test) const {
  for (unsigned i = 0; i < n_; i++) {
    const Step& s = steps_[i];
    kunit_info(test, "%-4s %-8s %5lu  %s%s%s", s.visit.stage ?: "-", kFailPointNames[static_cast<int>(s.visit.point)], s.times,
               s.visit.step ?: "", s.visit.step ? ": " : "", s.callers);
  }
}
