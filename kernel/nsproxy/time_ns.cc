// Time namespaces.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/time_ns.hh"

#include <linux/kstrtox.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "fs/proc/seq_file.hh"

#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"
#include "mm/vdso.hh"

time_namespace init_time_ns;

namespace {

DEFINE_MUTEX(offset_mutex);  // the offsets of all namespaces, until frozen

time_namespace* to_time(ns_common* ns) { return container_of(ns, time_namespace, ns); }

// A caller of setns(2) enters at once, and so must be alone with its memory: the clocks of others must not jump.
int timens_install(nsset* set, ns_common* ns) {
  time_namespace* to = to_time(ns);
  if (READ_ONCE(current->signal->nr_threads) > 1) return -EUSERS;
  if (!may_install(set, to->user_ns)) return -EPERM;
  put_time_ns(std::exchange(set->nsproxy->time_ns, get_time_ns(to)));
  put_time_ns(std::exchange(set->nsproxy->time_ns_for_children, get_time_ns(to)));
  return 0;
}

}  // namespace

Result<time_namespace*> copy_time_ns(u64 flags, user_namespace* user_ns, time_namespace* old) {
  if (!(flags & CLONE_NEWTIME)) return get_time_ns(old);
  auto* ns = TRY(make_ns<time_namespace>(user_ns, UCOUNT_TIME_NAMESPACES, &timens_operations));
  ns->offsets = old->offsets;
  return ns;
}

void put_time_ns(time_namespace* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  release_ns(ns, UCOUNT_TIME_NAMESPACES);
  kfree(ns);
}

// ---- Entering. The offsets stay what they are from then on, and the vDSO's clock page is another one ------------------------

namespace {

void entered(time_namespace* ns, mm_struct* mm) {
  {
    MutexGuard guard(offset_mutex);
    ns->frozen = true;
  }
  if (mm) vdso_forget_clock(mm);
}

}  // namespace

void time_ns_enter_for_children(struct nsproxy* set, mm_struct* mm) {
  if (set->time_ns == set->time_ns_for_children) return;
  put_time_ns(std::exchange(set->time_ns, get_time_ns(set->time_ns_for_children)));
  entered(set->time_ns, mm);
}

void time_ns_entered(task_struct* t) { entered(t->nsproxy->time_ns, t->mm); }

s64 timens_offset_in(const time_namespace* ns, int clock) {
  switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE: return ns->offsets.monotonic;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: return ns->offsets.boottime;
    default: return 0;
  }
}

// ---- /proc/PID/timens_offsets: of the namespace that t's children will live in ------------------------------------------------

namespace {

class ForChildren {
 public:
  explicit ForChildren(task_struct* t) {
    SpinGuard guard(t->alloc_lock);
    if (t->nsproxy) ns_ = get_time_ns(t->nsproxy->time_ns_for_children);
  }
  ForChildren(const ForChildren&) = delete;
  ~ForChildren() {
    if (ns_) put_time_ns(ns_);
  }
  time_namespace* get() const { return ns_; }
  time_namespace* operator->() const { return ns_; }

 private:
  time_namespace* ns_ = nullptr;
};

constexpr s64 kLatest = TIME64_MAX / NSEC_PER_SEC / 2;  // seconds; leaves room to add

// "CLOCK SECONDS NANOSECONDS", the clock by name or number. Advances *text.
Result<void> parse_row(char** text, timens_offsets* offsets) {
  char* line = strsep(text, "\n");
  char* word[3];
  for (char*& w : word) {
    do w = strsep(&line, " \t");
    while (w && !*w);
    if (!w) return fail(EINVAL);
  }
  timespec64 ts;
  if (kstrtos64(word[1], 10, &ts.tv_sec) || kstrtol(word[2], 10, &ts.tv_nsec)) return fail(EINVAL);
  if (ts.tv_nsec < 0 || ts.tv_nsec >= NSEC_PER_SEC) return fail(EINVAL);
  const bool monotonic = !strcmp(word[0], "monotonic") || !strcmp(word[0], "1");
  if (!monotonic && strcmp(word[0], "boottime") && strcmp(word[0], "7")) return fail(EINVAL);
  if (ts.tv_sec > kLatest || ts.tv_sec < -kLatest) return fail(ERANGE);
  const s64 ns = timespec64_to_ns(&ts), now = monotonic ? ktime_get() : ktime_get_boottime();
  if (now + ns < 0 || (now + ns) / NSEC_PER_SEC > kLatest) return fail(ERANGE);  // a clock that counts from below 0, or soon ends
  (monotonic ? offsets->monotonic : offsets->boottime) = ns;
  return {};
}

Result<void> set_offsets(time_namespace* ns, char* text) {
  MutexGuard guard(offset_mutex);
  timens_offsets fresh = ns->offsets;
  for (text = strim(text); text && *text;) TRY(parse_row(&text, &fresh));
  if (ns->frozen) return fail(EACCES);
  ns->offsets = fresh;
  return {};
}

void show_row(seq_file* m, const char* clock, s64 offset) {
  const timespec64 ts = ns_to_timespec64(offset);
  seq_printf(m, "%-10s %10lld %9ld\n", clock, static_cast<long long>(ts.tv_sec), ts.tv_nsec);
}

}  // namespace

int show_timens_offsets(seq_file* m, task_struct* t) {
  ForChildren ns(t);
  if (!ns.get()) return -ESRCH;
  MutexGuard guard(offset_mutex);
  show_row(m, "monotonic", ns->offsets.monotonic);
  show_row(m, "boottime", ns->offsets.boottime);
  return 0;
}

long write_timens_offsets(file* f, task_struct* t, char* text, size_t n, loff_t pos) {
  if (pos) return -EINVAL;
  ForChildren ns(t);
  if (!ns.get()) return -ESRCH;
  if (!cred_has_cap(f->f_cred, ns->user_ns, CAP_SYS_TIME)) return -EPERM;
  Result<void> r = set_offsets(ns.get(), text);
  return r ? static_cast<long>(n) : r.error().neg();
}

constinit const proc_ns_operations timens_operations = {
    .name = "time",
    .real_ns_name = "time",
    .type = CLONE_NEWTIME,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->time_ns->ns; }); },
    .put = [](ns_common* ns) { put_time_ns(to_time(ns)); },
    .install = timens_install,
    .owner = [](ns_common* ns) { return to_time(ns)->user_ns; },
    .get_parent = nullptr,
};
constinit const proc_ns_operations timens_for_children_operations = {
    .name = "time_for_children",
    .real_ns_name = "time",
    .type = CLONE_NEWTIME,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->time_ns_for_children->ns; }); },
    .put = [](ns_common* ns) { put_time_ns(to_time(ns)); },
    .install = timens_install,
    .owner = [](ns_common* ns) { return to_time(ns)->user_ns; },
    .get_parent = nullptr,
};
