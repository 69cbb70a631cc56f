// The interface files that every cgroup has. cgroups(7); texts and errnos asked of a real 6.1.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "kernel/cgroup/internal.hh"
#include "kernel/cred/cred.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"

namespace {

// ---- Lists of tasks -------------------------------------------------------------------------------------------------------------------

enum class List : unsigned char { Processes, Threads };

// A process is where its leader is; one whose leader has ended is there while other threads live.
template <class F>
void for_each_listed(css_set* set, List what, F&& f) {
  task_struct* t;
  for (list_head* l : {&set->tasks, &set->mg_tasks}) {
    list_for_each_entry(t, l, cg_list) if (what == List::Threads || thread_group_leader(t)) f(t);
  }
  if (what == List::Threads) return;
  list_for_each_entry(t, &set->dying_tasks, cg_list) if (thread_group_leader(t) && atomic_read(&t->signal->live)) f(t);
}

// f(set) for the sets of c and, for its processes, of the threaded cgroups whose domain it is. cgroup_mutex, css_set_lock.
template <class F>
void for_each_set(struct cgroup* c, List what, F&& f) {
  struct cgroup* d;
  for_each_descendant_pre(d, c) {
    if (d != c && (what == List::Threads || d->dom_cgrp != c)) continue;
    css_set* set;
    list_for_each_entry(set, &d->csets, cgrp_link) f(set);
  }
}

int show_tasks(seq_file* m, struct cgroup* c, List what) {
  MutexGuard guard(cgroup_mutex);
  if (what == List::Processes && cgroup_is_threaded(c)) return -EOPNOTSUPP;
  pid_namespace* ns = task_active_pid_ns(current);
  IrqSpinGuard lock(css_set_lock);
  RcuReadGuard rcu;
  for_each_set(c, what, [&](css_set* set) {
    for_each_listed(set, what, [&](task_struct* t) {
      const int nr = task_pid_nr_ns(t, what == List::Processes ? PIDTYPE_TGID : PIDTYPE_PID, ns);
      if (!seq_has_overflowed(m)) seq_printf(m, "%d\n", nr);
    });
  });
  return 0;
}
int show_procs(seq_file* m, cgroup_subsys_state* css) { return show_tasks(m, css->cgroup, List::Processes); }
int show_threads(seq_file* m, cgroup_subsys_state* css) { return show_tasks(m, css->cgroup, List::Threads); }

// ---- Moving ------------------------------------------------------------------------------------------------------------------------------

// Who is meant: 0 is the writer. Referenced. Kernel threads that belong to a CPU, or to nobody but the kernel, stay.
Result<task_struct*> task_to_move(const char* text, Move what) {
  int nr;
  if (kstrtoint(text, 0, &nr) || nr < 0) return fail(EINVAL);
  task_struct* t = nr ? find_get_task_by_vpid(nr) : get_task_struct(current);
  if (!t) return fail(ESRCH);
  if (what == Move::Process && t != t->group_leader) {
    task_struct* leader = get_task_struct(t->group_leader);
    put_task_struct(t);
    t = leader;
  }
  if (data_race(t->no_cgroup_migration) || (data_race(t->flags) & PF_NO_SETAFFINITY)) {
    put_task_struct(t);
    return fail(EINVAL);
  }
  return t;
}

struct cgroup* cgroup_of(task_struct* t) {
  IrqSpinGuard guard(css_set_lock);
  return t->cgroups->dfl_cgrp;
}

// The rights are those of who opened the file: a descriptor that was handed on gives nothing more.
Result<void> permitted(struct cgroup* src, struct cgroup* dst, Move what, const file* f) {
  const struct cred* mine = override_creds(f->f_cred);
  auto r = cgroup_attach_permissions(src, dst, what, {static_cast<CgroupOpen*>(seq_of(f)->private_)->ns_root});
  revert_creds(mine);
  return r;
}

Result<void> write_tasks(struct cgroup* dst, const char* text, const file* f, Move what) {
  MutexGuard guard(cgroup_mutex);
  if (cgroup_is_dead(dst)) return fail(ENODEV);
  task_struct* t = TRY(task_to_move(text, what));
  Result<void> r = permitted(cgroup_of(t), dst, what, f);
  if (r) r = cgroup_attach_task(dst, t, what);
  put_task_struct(t);
  return r;
}
Result<void> write_procs(cgroup_subsys_state* css, char* text, const file* f) {
  return write_tasks(css->cgroup, text, f, Move::Process);
}
Result<void> write_threads(cgroup_subsys_state* css, char* text, const file* f) {
  return write_tasks(css->cgroup, text, f, Move::Thread);
}
void keep_procs(cgroup_subsys_state* css, CgroupInode* f) { css->cgroup->procs_file = f; }

// ---- Type and controllers --------------------------------------------------------------------------------------------------------------------

int show_type(seq_file* m, cgroup_subsys_state* css) {
  MutexGuard guard(cgroup_mutex);
  seq_printf(m, "%s\n", cgroup_type_name(css->cgroup));
  return 0;
}

Result<void> write_type(cgroup_subsys_state* css, char* text, const file*) {
  if (strcmp(text, "threaded") != 0) return fail(EINVAL);
  MutexGuard guard(cgroup_mutex);
  if (cgroup_is_dead(css->cgroup)) return fail(ENODEV);
  return cgroup_enable_threaded(css->cgroup);
}

void show_mask(seq_file* m, SubsysMask mask) {
  const char* separator = "";
  for_each_subsys(mask, [&](cgroup_subsys& ss) { seq_printf(m, "%s%s", std::exchange(separator, " "), ss.name); });
  if (mask) seq_putc(m, '\n');
}
int show_controllers(seq_file* m, cgroup_subsys_state* css) {
  MutexGuard guard(cgroup_mutex);
  show_mask(m, cgroup_control(css->cgroup));
  return 0;
}
int show_subtree_control(seq_file* m, cgroup_subsys_state* css) {
  MutexGuard guard(cgroup_mutex);
  show_mask(m, css->cgroup->subtree_control);
  return 0;
}

Result<SubsysMask> controller_named(const char* name) {
  SubsysMask found = 0;
  for_each_subsys(cgroup_offered, [&](cgroup_subsys& ss) {
    if (strcmp(ss.name, name) == 0) found = subsys_bit(ss.id);
  });
  if (!found) return fail(EINVAL);
  return found;
}

// "+name -name ...": of two about the same controller the later one counts.
Result<void> write_subtree_control(cgroup_subsys_state* css, char* text, const file*) {
  MutexGuard guard(cgroup_mutex);
  SubsysMask enable = 0, disable = 0;
  while (char* word = strsep(&text, " ")) {
    if (!*word) continue;
    if (*word != '+' && *word != '-') return fail(EINVAL);
    const SubsysMask bit = TRY(controller_named(word + 1));
    enable = static_cast<SubsysMask>(*word == '+' ? enable | bit : enable & ~bit);
    disable = static_cast<SubsysMask>(*word == '+' ? disable & ~bit : disable | bit);
  }
  if (cgroup_is_dead(css->cgroup)) return fail(ENODEV);
  return cgroup_set_control(css->cgroup, enable, disable);
}

// ---- Limits and counts -------------------------------------------------------------------------------------------------------------------------

int show_limit(seq_file* m, int limit) {
  if (limit == INT_MAX)
    seq_puts(m, "max\n");
  else
    seq_printf(m, "%d\n", limit);
  return 0;
}
Result<void> write_limit(struct cgroup* c, const char* text, int cgroup::* which) {
  int limit = INT_MAX;
  if (strcmp(text, "max") != 0) {
    TRY(check_abi(kstrtoint(text, 0, &limit)));
    if (limit < 0) return fail(ERANGE);
  }
  MutexGuard guard(cgroup_mutex);
  if (cgroup_is_dead(c)) return fail(ENODEV);
  WRITE_ONCE(c->*which, limit);
  return {};
}
int show_max_depth(seq_file* m, cgroup_subsys_state* css) { return show_limit(m, READ_ONCE(css->cgroup->max_depth)); }
int show_max_descendants(seq_file* m, cgroup_subsys_state* css) { return show_limit(m, READ_ONCE(css->cgroup->max_descendants)); }
Result<void> write_max_depth(cgroup_subsys_state* css, char* text, const file*) {
  return write_limit(css->cgroup, text, &cgroup::max_depth);
}
Result<void> write_max_descendants(cgroup_subsys_state* css, char* text, const file*) {
  return write_limit(css->cgroup, text, &cgroup::max_descendants);
}

int show_stat(seq_file* m, cgroup_subsys_state* css) {
  seq_printf(m, "nr_descendants %d\nnr_dying_descendants %d\n", READ_ONCE(css->cgroup->nr_descendants),
             READ_ONCE(css->cgroup->nr_dying_descendants));
  return 0;
}

int show_events(seq_file* m, cgroup_subsys_state* css) {
  const struct cgroup* c = css->cgroup;
  seq_printf(m, "populated %d\nfrozen %d\n", cgroup_is_populated(c), (READ_ONCE(c->flags) & CGRP_FROZEN) != 0);
  return 0;
}
void keep_events(cgroup_subsys_state* css, CgroupInode* f) { css->cgroup->events_file = f; }

// ---- Freeze and kill -----------------------------------------------------------------------------------------------------------------------------

int show_freeze(seq_file* m, cgroup_subsys_state* css) {
  seq_printf(m, "%d\n", READ_ONCE(css->cgroup->freezer.freeze));
  return 0;
}
Result<void> write_freeze(cgroup_subsys_state* css, char* text, const file*) {
  int freeze;
  TRY(check_abi(kstrtoint(text, 0, &freeze)));
  if (freeze < 0 || freeze > 1) return fail(ERANGE);
  MutexGuard guard(cgroup_mutex);
  if (cgroup_is_dead(css->cgroup)) return fail(ENODEV);
  cgroup_freeze(css->cgroup, freeze);
  return {};
}
Result<void> write_kill(cgroup_subsys_state* css, char* text, const file*) {
  int kill;
  TRY(check_abi(kstrtoint(text, 0, &kill)));
  if (kill != 1) return fail(ERANGE);
  MutexGuard guard(cgroup_mutex);
  if (cgroup_is_dead(css->cgroup)) return fail(ENODEV);
  if (cgroup_is_threaded(css->cgroup)) return fail(EOPNOTSUPP);  // it would have to kill by threads
  cgroup_kill(css->cgroup);
  return {};
}

}  // namespace

constinit const cftype cgroup_base_files[] = {
    {"cgroup.type", CFTYPE_NOT_ON_ROOT, show_type, write_type, nullptr},
    {"cgroup.procs", CFTYPE_NS_DELEGATABLE, show_procs, write_procs, keep_procs},
    {"cgroup.threads", CFTYPE_NS_DELEGATABLE, show_threads, write_threads, nullptr},
    {"cgroup.controllers", 0, show_controllers, nullptr, nullptr},
    {"cgroup.subtree_control", CFTYPE_NS_DELEGATABLE, show_subtree_control, write_subtree_control, nullptr},
    {"cgroup.events", CFTYPE_NOT_ON_ROOT, show_events, nullptr, keep_events},
    {"cgroup.max.descendants", 0, show_max_descendants, write_max_descendants, nullptr},
    {"cgroup.max.depth", 0, show_max_depth, write_max_depth, nullptr},
    {"cpu.stat", 0, cgroup_show_cpu_stat, nullptr, nullptr},
    {"cgroup.stat", 0, show_stat, nullptr, nullptr},
    {"cgroup.freeze", CFTYPE_NOT_ON_ROOT, show_freeze, write_freeze, nullptr},
    {"cgroup.kill", CFTYPE_NOT_ON_ROOT, nullptr, write_kill, nullptr},
    {},
};

// ---- /proc -------------------------------------------------------------------------------------------------------------------------------------------

namespace {

// Builds from the end of the buffer backwards.
class Backwards {
 public:
  Backwards(char* buf, size_t size) : start_(buf), at_(buf + size) {}
  void put(std::string_view s) {
    if (static_cast<size_t>(at_ - start_) < s.size()) {
      full_ = true;
      return;
    }
    at_ -= s.size();
    memcpy(at_, s.data(), s.size());
  }
  Result<char*> text() const { return full_ ? Result<char*>(fail(ENAMETOOLONG)) : Result<char*>(at_); }

 private:
  char *start_, *at_;
  bool full_ = false;
};

}  // namespace

Result<char*> cgroup_path_from(const struct cgroup* c, const struct cgroup* root, char* buf, size_t size) {
  Backwards b(buf, size);
  b.put(std::string_view("", 1));
  const struct cgroup* common = root;
  while (!cgroup_is_descendant(c, common)) common = cgroup_parent(common);
  if (c == root) b.put("/");
  for (; c != common; c = cgroup_parent(c)) {
    b.put(c->name);
    b.put("/");
  }
  for (; root != common; root = cgroup_parent(root)) b.put("/..");
  return b.text();
}

int show_pid_cgroup(seq_file* m, task_struct* t) {
  struct cgroup* c;
  {
    IrqSpinGuard guard(css_set_lock);
    c = t->cgroups->dfl_cgrp;
    cgroup_get(c);
  }
  auto* page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  int r = -ENOMEM;
  if (page) {
    auto text = cgroup_path_from(c, current_cgroup_ns_root(), page, PATH_MAX);
    r = text ? 0 : -text.error().code();
    if (text) seq_printf(m, "0::%s%s\n", *text, cgroup_is_dead(c) ? " (deleted)" : "");
    kfree(page);
  }
  cgroup_put(c);
  return r;
}

// cgroups(7): hierarchy 0 is version 2.
int show_proc_cgroups(seq_file* m) {
  seq_puts(m, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
  const int n = static_cast<int>(atomic_long_read(&cgroups->nr_cgroups)) + 1;
  MutexGuard guard(cgroup_mutex);
  for_each_subsys(cgroup_offered, [&](cgroup_subsys& ss) { seq_printf(m, "%s\t0\t%d\t1\n", ss.name, n); });
  return 0;
}
