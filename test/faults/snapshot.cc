// What a snapshot looks at. A field that fork, exec or unshare starts to touch belongs here.
// SPDX-License-Identifier: Apache-2.0
#include "test/faults/snapshot.hh"

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/vmalloc.h>

#include "fs/vfs/internal.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cgroup/internal.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/sched/rq.hh"
#include "kernel/sched/sched.hh"
#include "mm/internal.hh"
#include "mm/mm_struct.hh"
#include "mm/page_alloc.hh"
#include "mm/pgtable.hh"
#include "mm/slab.hh"
#include "mm/vmalloc.hh"

// Kinds that are not linked in are null.
extern const proc_ns_operations mntns_operations __attribute__((weak)), netns_operations __attribute__((weak)),
    utsns_operations __attribute__((weak)), ipcns_operations __attribute__((weak)), pidns_operations __attribute__((weak)),
    pidns_for_children_operations __attribute__((weak)), userns_operations __attribute__((weak)),
    cgroupns_operations __attribute__((weak)), timens_operations __attribute__((weak)),
    timens_for_children_operations __attribute__((weak));

namespace {

const proc_ns_operations* const kNamespaces[] = {
    &mntns_operations,  &netns_operations,    &utsns_operations,  &ipcns_operations,
    &pidns_operations,  &pidns_for_children_operations, &userns_operations, &cgroupns_operations,
    &timens_operations, &timens_for_children_operations,
};

template <class T>
u64 word(T v) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<u64>(v);
  else
    return static_cast<u64>(v);
}

u64 length(const list_head* head) {
  u64 n = 0;
  for (const list_head* p = head->next; p != head; p = p->next) n++;
  return n;
}
u64 length(const hlist_head* head) {
  u64 n = 0;
  for (const hlist_node* p = head->first; p; p = p->next) n++;
  return n;
}

}  // namespace

Snapshot::Snapshot() : fields_(static_cast<Field*>(vmalloc(kMaxFields * sizeof(Field)))) { BUG_ON(!fields_); }
Snapshot::~Snapshot() { vfree(fields_); }

void Snapshot::add(const char* name, u64 value, long index) {
  BUG_ON(n_ == kMaxFields);
  fields_[n_++] = {name, index, value};
}

void Snapshot::add_bytes(const char* name, const void* p, size_t n, long index) {
  u64 hash = n;
  for (size_t i = 0; i < n; i++) hash = (hash ^ static_cast<const unsigned char*>(p)[i]) * 0x100000001b3ull;
  add(name, hash, index);
}

#define ADD(what, member) add(#what "." #member, word((what)->member))
#define ADD_BYTES(what, member) add_bytes(#what "." #member, &(what)->member, sizeof((what)->member))

// ---- The task itself (spec 20 section 2) ---------------------------------------------------------------------------------

void Snapshot::add_task(task_struct* t) {
  add("t.thread_info.flags", t->thread_info.flags & ~(_TIF(TIF_NEED_RESCHED) | _TIF(TIF_NEED_FPU_LOAD) | _TIF(TIF_POLLING_NRFLAG) | _TIF(TIF_SIGPENDING)));
  ADD(t, thread_info.syscall_work);
  ADD(t, __state), ADD(t, stack), ADD(t, flags), ADD(t, ptrace), ADD(t, stack_canary);
  add("t.usage", refcount_read(&t->usage));
  add("t.rcu_users", refcount_read(&t->rcu_users));
  add("t.stack_refcount", refcount_read(&t->stack_refcount));
  ADD(t, prio), ADD(t, static_prio), ADD(t, normal_prio), ADD(t, rt_priority), ADD(t, policy), ADD(t, sched_class);
  ADD(t, se.load.weight), ADD(t, sched_reset_on_fork), ADD(t, nr_cpus_allowed), ADD(t, migration_disabled);
  ADD_BYTES(t, cpus_mask);
  ADD(t, in_execve), ADD(t, in_iowait), ADD(t, restore_sigmask), ADD(t, no_new_privs);
  ADD(t, wake_q_next), ADD(t, on_rq), ADD(t, on_cpu);
  ADD(t, mm), ADD(t, active_mm), ADD(t, exit_state), ADD(t, exit_code), ADD(t, exit_signal), ADD(t, pdeath_signal);
  ADD(t, jobctl), ADD(t, personality), ADD(t, restart_block.fn), ADD(t, pid), ADD(t, tgid);
  ADD(t, real_parent), ADD(t, parent), ADD(t, group_leader), ADD(t, thread_pid);
  add("t.children", length(&t->children));
  add("t.ptraced", length(&t->ptraced));
  ADD(t, vfork_done), ADD(t, set_child_tid), ADD(t, clear_child_tid), ADD(t, worker_private);
  ADD(t, ptracer_cred), ADD(t, real_cred), ADD(t, cred), ADD_BYTES(t, comm);
  ADD(t, cgroups), ADD(t, frozen), ADD(t, io_context);
  add("css_set.refcount", refcount_read(&t->cgroups->refcount));
  ADD(t, fs), ADD(t, files), ADD(t, nsproxy), ADD(t, signal), ADD(t, sighand);
  ADD(t, sas_ss_sp), ADD(t, sas_ss_size), ADD(t, sas_ss_flags), ADD(t, task_works);
  ADD(t, parent_exec_id), ADD(t, self_exec_id), ADD(t, timer_slack_ns), ADD(t, default_timer_slack_ns);
  ADD(t, robust_list), ADD(t, last_siginfo), ADD(t, futex_state), ADD(t, pi_state_cache);
  if (!t->ptrace) ADD(t, ptrace_message);  // a tracer has heard of other children before
  ADD(t, rseq), ADD(t, rseq_len), ADD(t, rseq_sig);
  ADD(t, start_time);
  add("t.preempt_count", static_cast<u64>(preempt_count()));
  add("t.alloc_lock", spin_is_locked(&t->alloc_lock));
}

void Snapshot::add_cred(const struct cred* c) {
  add("cred.usage", static_cast<u64>(atomic_read(&c->usage)));
  ADD(c, uid.val), ADD(c, euid.val), ADD(c, gid.val), ADD(c, securebits);
  ADD(c, cap_effective.bits), ADD(c, cap_permitted.bits), ADD(c, user), ADD(c, user_ns), ADD(c, groups);
  add("user.count", refcount_read(&c->user->count));
  long level = 0;
  for (const ucounts* u = c->ucounts; u; u = ucounts_above(u), level++) {
    add("ucounts.count", refcount_read(&u->count), level);
    for (int i = 0; i < UCOUNT_RLIMIT_COUNTS; i++) add("ucounts.rlimit", static_cast<u64>(atomic_long_read(&u->rlimit[i])), level * 100 + i);
    for (int i = 0; i < UCOUNT_COUNTS; i++) add("ucounts.ucount", static_cast<u64>(atomic_read(&u->ucount[i])), level * 100 + i);
  }
  if (c->groups) add("groups.usage", static_cast<u64>(atomic_read(&c->groups->usage)));
}

void Snapshot::add_namespaces(task_struct* t) {
  const struct nsproxy* ns = t->nsproxy;
  if (!ns) return;
  add("nsproxy.count", refcount_read(&ns->count));
  for (const proc_ns_operations* ops : kNamespaces) {
    if (!ops) continue;
    ns_common* common = ops->get(t);
    add_pointer(ops->name, common);
    if (!common) continue;
    if (common != &init_pid_ns.ns) add(ops->name, refcount_read(&common->count), 0);  // that one is not counted
    ops->put(common);
  }
  const pid_namespace* pids = ns->pid_ns_for_children;
  add("pid_ns.pid_allocated", pids->pid_allocated);
  ADD(pids, child_reaper);
}

// ---- Signals -------------------------------------------------------------------------------------------------------------

void Snapshot::add_signals(task_struct* t) {
  sighand_struct* h = t->sighand;
  add("sighand.count", refcount_read(&h->count));
  add("sighand.siglock", spin_is_locked(&h->siglock));
  for (int i = 0; i < _NSIG; i++) add_bytes("sighand.action", &h->action[i], sizeof(h->action[i]), i + 1);
  ADD_BYTES(t, blocked), ADD_BYTES(t, real_blocked);
  ADD_BYTES(t, pending.signal);
  add("t.pending.list", length(&t->pending.list));
}

void Snapshot::add_signal_struct(signal_struct* s) {
  add("signal.sigcnt", refcount_read(&s->sigcnt));
  add("signal.live", static_cast<u64>(atomic_read(&s->live)));
  ADD(s, nr_threads), ADD(s, quick_threads);
  add("signal.thread_head", length(&s->thread_head));
  add("signal.multiprocess", length(&s->multiprocess));
  ADD_BYTES(s, shared_pending.signal);
  add("signal.shared_pending.list", length(&s->shared_pending.list));
  ADD(s, group_exit_code), ADD(s, notify_count), ADD(s, group_exec_task), ADD(s, group_stop_count), ADD(s, flags);
  ADD(s, is_child_subreaper), ADD(s, has_child_subreaper), ADD(s, tty), ADD(s, tty_old_pgrp), ADD(s, leader);
  add("signal.posix_timers", length(&s->posix_timers));
  ADD_BYTES(s, rlim), ADD(s, oom_score_adj), ADD(s, oom_score_adj_min);
  ADD(s, pids[PIDTYPE_TGID]), ADD(s, pids[PIDTYPE_PGID]), ADD(s, pids[PIDTYPE_SID]);
}

void Snapshot::add_pids(task_struct* t) {
  for (int type = 0; type < PIDTYPE_MAX; type++) {
    const struct pid* pid = type == PIDTYPE_PID ? t->thread_pid : t->signal->pids[type];
    if (!pid) continue;
    add("pid.count", refcount_read(&pid->count), type);
    for (int role = 0; role < PIDTYPE_MAX; role++) add("pid.tasks", length(&pid->tasks[role]), type * 10 + role);
  }
}

// ---- Files ---------------------------------------------------------------------------------------------------------------

void Snapshot::add_files(files_struct* files) {
  if (!files) return;
  add("files.count", static_cast<u64>(atomic_read(&files->count)));
  add("files.next_fd", files->next_fd);
  add("files.file_lock", spin_is_locked(&files->file_lock));
  const fdtable* t = files->fdt;  // it may have grown: only what is open counts
  for (unsigned fd = 0; fd < t->max_fds; fd++) {
    const bool open = t->open_fds[fd / 64] >> fd % 64 & 1;
    if (!open && !t->fd[fd]) continue;
    add("fd", fd, fd);
    add("fd.close_on_exec", t->close_on_exec[fd / 64] >> fd % 64 & 1, fd);
    const file* f = t->fd[fd];
    add("fd.file", reinterpret_cast<u64>(f), fd);
    if (!f) continue;
    add("file.f_count", static_cast<u64>(atomic_long_read(&f->f_count)), fd);
    add("file.f_flags", f->f_flags, fd);
    add("file.f_pos", static_cast<u64>(f->f_pos), fd);
  }
}

void Snapshot::add_fs(const fs_struct* fs) {
  if (!fs) return;
  ADD(fs, users), ADD(fs, umask), ADD(fs, in_exec), ADD(fs, seq);
  ADD(fs, root.dentry), ADD(fs, root.mnt), ADD(fs, pwd.dentry), ADD(fs, pwd.mnt);
  add("fs.lock", spin_is_locked(&fs->lock));
}

// ---- Memory --------------------------------------------------------------------------------------------------------------

void Snapshot::add_mm(mm_struct* mm) {
  if (!mm) return;
  add("mm.mm_users", static_cast<u64>(atomic_read(&mm->mm_users)));
  add("mm.mm_count", static_cast<u64>(atomic_read(&mm->mm_count)));
  ADD(mm, map_count), ADD(mm, total_vm), ADD(mm, data_vm), ADD(mm, exec_vm), ADD(mm, stack_vm), ADD(mm, locked_vm), ADD(mm, pinned_vm);
  for (int i = 0; i < NR_MM_COUNTERS; i++) add("mm.rss_stat", static_cast<u64>(atomic_long_read(&mm->rss_stat[i])), i);
  add("mm.pgtables_bytes", static_cast<u64>(atomic_long_read(&mm->pgtables_bytes)));
  ADD(mm, flags), ADD(mm, def_flags), ADD(mm, brk), ADD(mm, start_brk), ADD(mm, exe_file), ADD(mm, user_ns), ADD(mm, membarrier_state);
  if (mm->exe_file) add("mm.exe_file.f_count", static_cast<u64>(atomic_long_read(&mm->exe_file->f_count)));
  add("mm.mmap_lock", rwsem_is_locked(&mm->mmap_lock));
  add("mm.page_table_lock", spin_is_locked(&mm->page_table_lock));
  long i = 0;
  vm_area_struct* vma;
  for_each_vma_of(mm, vma) {
    add("vma.vm_start", vma->vm_start, i), add("vma.vm_end", vma->vm_end, i), add("vma.vm_flags", vma->vm_flags, i);
    add("vma.vm_pgoff", vma->vm_pgoff, i), add("vma.vm_has_anon", vma->vm_has_anon, i);
    add("vma.vm_file", reinterpret_cast<u64>(vma->vm_file), i);
    if (vma->vm_file) add("vma.vm_file.f_count", static_cast<u64>(atomic_long_read(&vma->vm_file->f_count)), i);
    for_each_pte_run(mm, vma->vm_start, vma->vm_end, [&](pte_t* pte, unsigned long at, unsigned long end) {
      for (; at < end; at += kPageSize, pte++) {
        const pte_t e = pte_read(pte);  // the right to write comes and goes with COW: only what is there counts
        if (!pte_has_page(e)) continue;
        add("page", pte_phys(e), static_cast<long>(at >> 12));
        add("page.count", static_cast<u64>(page_count(pte_page(e))), static_cast<long>(at >> 12));
      }
    });
    i++;
  }
}

// ---- The system ------------------------------------------------------------------------------------------------------------

void Snapshot::add_slab(const SlabInfo& info, void* self) {
  static_cast<Snapshot*>(self)->add(info.name, info.active_objects);
}

void Snapshot::add_system() {
  add("nr_threads", static_cast<u64>(nr_threads));
  add("init_pid_ns.pid_allocated", init_pid_ns.pid_allocated);
  add("open files", static_cast<u64>(atomic_long_read(&vfs->nr_files)));
  add("dentries", static_cast<u64>(atomic_long_read(&vfs->nr_dentries)));
  add("inodes", static_cast<u64>(atomic_long_read(&vfs->nr_inodes)));
  add("mounts", static_cast<u64>(atomic_long_read(&vfs->nr_mounts)));
  add("committed pages", static_cast<u64>(vm_committed()));
  add("kernel stacks", static_cast<u64>(kernel_stacks_in_use()));
  add("vmalloc pages", nr_vmalloc_pages());
  add("tasks", length(&init_task.tasks));
  unsigned cpu, running = 0;
  for_each_online_cpu(cpu) running += READ_ONCE(cpu_rq(cpu)->nr_running);
  add("rq.nr_running", running);  // wherever we are by now
  for_each_slab_cache(add_slab, this);
  // The slabs' own slack is no leak; what is handed out of them is counted above.
  add("pages in use", totalram_pages() - nr_free_pages() - nr_slab_pages());
}

void Snapshot::take(task_struct* t) {
  n_ = 0;
  add_task(t);
  add_cred(t->cred);
  add_namespaces(t);
  add_signals(t);
  add_signal_struct(t->signal);
  add_pids(t);
  add_files(t->files);
  add_fs(t->fs);
  add_mm(t->mm);
  add_system();
}

bool Snapshot::same_as(const Snapshot& before, kunit* test, const char* when) const {
  int shown = 0;
  auto differs = [&](const char* name, long index, u64 was, u64 is) {
    if (++shown > 12) return;
    if (index < 0)
      KUNIT_FAIL(test, "%s: %s was %llu (0x%llx), is %llu (0x%llx)", when, name, was, was, is, is);
    else
      KUNIT_FAIL(test, "%s: %s[%ld] was %llu (0x%llx), is %llu (0x%llx)", when, name, index, was, was, is, is);
  };
  unsigned i = 0;
  for (; i < n_ && i < before.n_; i++) {
    const Field &a = before.fields_[i], &b = fields_[i];
    if (a.name != b.name || a.index != b.index) {
      KUNIT_FAIL(test, "%s: where there was %s[%ld] there is %s[%ld]", when, a.name, a.index, b.name, b.index);
      return false;
    }
    if (a.value != b.value) differs(b.name, b.index, a.value, b.value);
  }
  if (n_ != before.n_) KUNIT_FAIL(test, "%s: %u fields, there were %u", when, n_, before.n_);
  return shown == 0 && n_ == before.n_;
}

// An idle CPU keeps the tables of who ran there last: let that be us, so that no dead address space is left.
static void visit_cpus() {
  if (num_online_cpus() == 1 || current->nr_cpus_allowed < static_cast<int>(num_online_cpus())) return;
  const cpumask_t allowed = current->cpus_mask;
  unsigned cpu;
  for_each_online_cpu(cpu) {
    cpumask_t one{};
    cpumask_set_cpu(cpu, &one);
    (void)set_cpus_allowed_ptr(current, &one);
    msleep(1);
  }
  (void)set_cpus_allowed_ptr(current, &allowed);
}

void settle() {
  visit_cpus();
  msleep(2);  // a dead task's references go with its last switch
  rcu_barrier();
  drain_stacks();
  pgtable_caches_drain();
  vfree(vmalloc(1));  // finishes what was freed in atomic context
}
