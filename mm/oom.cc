// The OOM killer: when nothing can be freed, the process whose death frees most dies (spec 41 section 11).
// SPDX-License-Identifier: Apache-2.0
#include <linux/freezer.h>
#include <linux/mutex.h>
#include <linux/printk.h>

#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "mm/internal.hh"
#include "mm/page_alloc.hh"

namespace {

constexpr long kNever = (-__LONG_MAX__ - 1);
constexpr int OOM_SCORE_ADJ_MIN = -1000;

constinit atomic_t running{};  // one killer at a time; who comes second tries its allocation again

// A thread of p that still has the address space, with its alloc_lock held; null: all are past it.
task_struct* find_lock_task_mm(task_struct* p) {
  task_struct* t;
  for_each_thread(p, t) {
    spin_lock(&t->alloc_lock);
    if (t->mm) return t;
    spin_unlock(&t->alloc_lock);
  }
  return nullptr;
}

struct Choice {
  task_struct* victim = nullptr;  // referenced
  long points = 0;
  bool wait = false;  // an earlier victim still holds memory
};

bool is_dying_victim(task_struct* p) {
  task_struct* t = find_lock_task_mm(p);
  if (!t) return false;
  unsigned long f = READ_ONCE(t->mm->flags);
  spin_unlock(&t->alloc_lock);
  return (f & MMF_OOM_VICTIM) && !(f & MMF_OOM_SKIP);
}

Choice choose_victim(unsigned long totalpages) {
  Choice c;
  RcuReadGuard rcu;
  task_struct* p;
  for_each_process(p) {
    if ((data_race(p->flags) & PF_KTHREAD) || is_global_init(p)) continue;
    if (is_dying_victim(p)) {  // M-85
      c.wait = true;
      break;
    }
    long points = oom_badness(p, totalpages);
    if (points == kNever || (c.victim && points <= c.points)) continue;
    if (c.victim) put_task_struct(c.victim);
    c.victim = get_task_struct(p);
    c.points = points;
  }
  return c;
}

void mark_victim(mm_struct* mm) { __atomic_fetch_or(&mm->flags, MMF_OOM_VICTIM, __ATOMIC_RELAXED); }

// M-88: everybody who shares the memory must go, or it stays.
void kill_sharers(mm_struct* mm) {
  RcuReadGuard rcu;
  task_struct* p;
  for_each_process(p) {
    if (READ_ONCE(p->mm) != mm || (data_race(p->flags) & PF_KTHREAD) || is_global_init(p)) continue;
    do_send_sig_info(SIGKILL, SEND_SIG_PRIV, p, PIDTYPE_TGID);
  }
}

bool kill_victim(task_struct* victim, long points) {
  RcuReadGuard rcu;
  task_struct* t = find_lock_task_mm(victim);
  if (!t) return true;  // it has given its memory back by itself
  mm_struct* mm = t->mm;
  mmgrab(mm);
  mark_victim(mm);
  set_tsk_thread_flag(t, TIF_MEMDIE);
  spin_unlock(&t->alloc_lock);
  __thaw_task(t);  // no freezer holds it (spec 33 W-54): it is to die
  pr_err("Out of memory: Killed process %d (%s) score:%ld total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, shmem-rss:%lukB, "
         "pgtables:%lukB oom_score_adj:%d\n",
         victim->tgid, victim->comm, points, mm->total_vm << 2, get_mm_counter(mm, MM_ANONPAGES) << 2,
         get_mm_counter(mm, MM_FILEPAGES) << 2, get_mm_counter(mm, MM_SHMEMPAGES) << 2,
         static_cast<unsigned long>(atomic_long_read(&mm->pgtables_bytes)) >> 10, victim->signal->oom_score_adj);
  do_send_sig_info(SIGKILL, SEND_SIG_PRIV, victim, PIDTYPE_TGID);
  kill_sharers(mm);
  mmdrop(mm);
  return true;
}

}  // namespace

// Before anybody dies: what mm keeps for speed alone. Page-cache pages are the files themselves here, so there is nothing else.
unsigned long try_to_free_pages(unsigned, gfp_t) { return pgtable_caches_shrink(); }

// M-84
long oom_badness(task_struct* p, unsigned long totalpages) {
  if (is_global_init(p) || (data_race(p->flags) & PF_KTHREAD)) return kNever;
  int adj = p->signal->oom_score_adj;
  task_struct* t = find_lock_task_mm(p);
  if (!t) return kNever;
  const mm_struct* mm = t->mm;
  bool skip = adj == OOM_SCORE_ADJ_MIN || (READ_ONCE(mm->flags) & MMF_OOM_SKIP) || (t->vfork_done && t->real_parent->mm == mm);
  long points = get_mm_rss(mm) + get_mm_counter(mm, MM_SWAPENTS) + (atomic_long_read(&mm->pgtables_bytes) >> 12);
  spin_unlock(&t->alloc_lock);
  if (skip) return kNever;
  return points + adj * static_cast<long>(totalpages / 1000);
}

bool tsk_is_oom_victim(const task_struct* t) {
  const mm_struct* mm = t->mm;
  return mm && (READ_ONCE(mm->flags) & MMF_OOM_VICTIM);
}

bool out_of_memory(gfp_t, unsigned order) {
  task_struct* t = current;
  if (t->mm && fatal_signal_pending(t)) {  // it is dying anyway: let it, with what it needs for that
    mark_victim(t->mm);
    set_tsk_thread_flag(t, TIF_MEMDIE);
    return true;
  }
  if (atomic_xchg(&running, 1)) return true;
  bool killed = true;
  if (mm_settings.panic_on_oom == 2) panic("Out of memory: compulsory panic_on_oom is enabled");
  if (mm_settings.oom_kill_allocating_task && t->mm && oom_badness(t->group_leader, totalram_pages()) != kNever) {
    killed = kill_victim(t->group_leader, 0);
  } else {
    Choice c = choose_victim(totalram_pages());
    if (c.victim && !c.wait) {
      if (mm_settings.panic_on_oom) panic("Out of memory: panic_on_oom is enabled");
      killed = kill_victim(c.victim, c.points);
    }
    if (c.victim) put_task_struct(c.victim);
    if (!c.victim && !c.wait) killed = false;
  }
  atomic_set(&running, 0);
  (void)order;
  return killed;
}
