// /proc/PID/mountinfo, mounts and mountstats. proc(5).
// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/mountinfo.hh"

#include <linux/slab.h>

#include "fs/proc/seq_file.hh"
#include "fs/vfs/mount.hh"
#include "fs/vfs/super.hh"
#include "kernel/sync/guards.hh"

namespace {

struct FlagName {
  int flag;
  const char* name;
};
constexpr FlagName kFlags[] = {{MNT_NOSUID, ",nosuid"}, {MNT_NODEV, ",nodev"}, {MNT_NOEXEC, ",noexec"},
                               {MNT_NOATIME, ",noatime"}, {MNT_NODIRATIME, ",nodiratime"}, {MNT_RELATIME, ",relatime"},
                               {MNT_NOSYMFOLLOW, ",nosymfollow"}};

// Whose mounts are shown, and seen from where.
struct View {
  seq_file* m;
  path root;
  char* page;  // for names
};

// As View::root sees it; false: it does not.
bool put_mountpoint(const View& v, vfsmount* mnt) {
  if (!mount_below(mnt, v.root.mnt)) return false;
  const path at{mnt, mnt->mnt_root};
  auto text = d_path_from(&at, &v.root, v.page, PATH_MAX);
  if (text) seq_escape(v.m, *text, " \t\n\\");
  return true;
}

// A mount elsewhere in the tree, out of the root's sight.
bool hidden(const View& v, const vfsmount* mnt) {
  const dentry* d = mnt->mnt_root;
  while (mnt != v.root.mnt) {
    if (!has_parent(mnt)) return true;
    d = mnt->mnt_mountpoint;
    mnt = mnt->mnt_parent;
  }
  return !is_subdir(const_cast<dentry*>(d), v.root.dentry);
}

void put_flags(seq_file* m, const vfsmount* mnt) {
  for (const FlagName& f : kFlags)
    if (mnt->mnt_flags & f.flag) seq_puts(m, f.name);
}

void put_root(const View& v, vfsmount* mnt) {
  if (auto* show = mnt->mnt_sb->s_op->show_path) return show(v.m, mnt->mnt_root);
  if (auto text = dentry_path(mnt->mnt_root, v.page, PATH_MAX)) seq_escape(v.m, *text, " \t\n\\");
}

void put_propagation(const View& v, const vfsmount* mnt) {
  if (is_shared(mnt)) seq_printf(v.m, " shared:%d", mnt->mnt_group_id);
  if (const vfsmount* master = mnt->mnt_master) {
    seq_printf(v.m, " master:%d", master->mnt_group_id);
    const int seen = get_dominating_id(mnt, &v.root);
    if (seen && seen != master->mnt_group_id) seq_printf(v.m, " propagate_from:%d", seen);
  }
  if (mnt->mnt_flags & MNT_UNBINDABLE) seq_puts(v.m, " unbindable");
}

void print_info(vfsmount* mnt, void* context) {
  const View& v = *static_cast<View*>(context);
  if (hidden(v, mnt)) return;
  seq_file* m = v.m;
  const super_block* sb = mnt->mnt_sb;
  seq_printf(m, "%d %d %u:%u ", mnt->mnt_id, mnt->mnt_parent->mnt_id, MAJOR(sb->s_dev), MINOR(sb->s_dev));
  put_root(v, mnt);
  seq_putc(m, ' ');
  put_mountpoint(v, mnt);
  seq_puts(m, mnt->mnt_flags & MNT_READONLY ? " ro" : " rw");
  put_flags(m, mnt);
  put_propagation(v, mnt);
  seq_printf(m, " - %s ", sb->s_type->name);
  seq_escape(m, mnt->mnt_devname, " \t\n\\");
  seq_puts(m, sb->s_flags & MS_RDONLY ? " ro" : " rw");
  if (sb->s_op->show_options) sb->s_op->show_options(m, mnt->mnt_sb);
  seq_putc(m, '\n');
}

void print_mount(vfsmount* mnt, void* context) {
  const View& v = *static_cast<View*>(context);
  if (hidden(v, mnt)) return;
  seq_escape(v.m, mnt->mnt_devname ? mnt->mnt_devname : "none", " \t\n\\#");
  seq_putc(v.m, ' ');
  put_mountpoint(v, mnt);
  seq_printf(v.m, " %s %s", mnt->mnt_sb->s_type->name, mount_is_readonly(mnt) ? "ro" : "rw");
  put_flags(v.m, mnt);
  if (mnt->mnt_sb->s_op->show_options) mnt->mnt_sb->s_op->show_options(v.m, mnt->mnt_sb);
  seq_puts(v.m, " 0 0\n");
}

void print_stats(vfsmount* mnt, void* context) {
  const View& v = *static_cast<View*>(context);
  if (hidden(v, mnt)) return;
  seq_puts(v.m, "device ");
  seq_escape(v.m, mnt->mnt_devname ? mnt->mnt_devname : "none", " \t\n\\#");
  seq_puts(v.m, " mounted on ");
  put_mountpoint(v, mnt);
  seq_printf(v.m, " with fstype %s\n", mnt->mnt_sb->s_type->name);
}

int show_each(seq_file* m, task_struct* t, void (*print)(vfsmount*, void*)) {
  View v{m, {}, nullptr};
  mnt_namespace* ns;
  {
    SpinGuard guard(t->alloc_lock);
    if (!t->nsproxy || !t->fs) return -EINVAL;
    ns = t->nsproxy->mnt_ns;
    refcount_inc(&ns->ns.count);
    get_fs_root(t->fs, &v.root);
  }
  v.page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (v.page) for_each_mount(ns, print, &v);
  const bool ok = v.page;
  kfree(v.page);
  path_put(&v.root);
  put_mnt_ns(ns);
  return ok ? 0 : -ENOMEM;
}

}  // namespace

int show_mountinfo(seq_file* m, task_struct* t) { return show_each(m, t, print_info); }
int show_mounts(seq_file* m, task_struct* t) { return show_each(m, t, print_mount); }
int show_mountstats(seq_file* m, task_struct* t) { return show_each(m, t, print_stats); }
