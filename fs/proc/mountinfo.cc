// /proc/PID/mountinfo.
// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/mountinfo.hh"

#include <linux/slab.h>

#include "fs/proc/seq_file.hh"
#include "fs/vfs/super.hh"

namespace {

struct FlagName {
  int flag;
  const char* name;
};
constexpr FlagName kFlags[] = {{MNT_NOSUID, ",nosuid"}, {MNT_NODEV, ",nodev"}, {MNT_NOEXEC, ",noexec"},
                               {MNT_NOATIME, ",noatime"}, {MNT_NODIRATIME, ",nodiratime"}, {MNT_RELATIME, ",relatime"},
                               {MNT_NOSYMFOLLOW, ",nosymfollow"}};

void print_root(seq_file* m, vfsmount* mnt) {
  if (auto* show = mnt->mnt_sb->s_op->show_path) return show(m, mnt->mnt_root);
  auto* page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!page) return;
  if (auto text = dentry_path(mnt->mnt_root, page, PATH_MAX)) seq_escape(m, *text, " \t\n\\");
  kfree(page);
}

void print_one(vfsmount* mnt, void* context) {
  auto* m = static_cast<seq_file*>(context);
  const super_block* sb = mnt->mnt_sb;
  const path root{mnt, mnt->mnt_root};
  seq_printf(m, "%d %d %u:%u ", mnt->mnt_id, mnt->mnt_parent->mnt_id, MAJOR(sb->s_dev), MINOR(sb->s_dev));
  print_root(m, mnt);
  seq_putc(m, ' ');
  seq_path_text(m, &root, " \t\n\\");
  seq_puts(m, mnt->mnt_flags & MNT_READONLY ? " ro" : " rw");
  for (const FlagName& f : kFlags)
    if (mnt->mnt_flags & f.flag) seq_puts(m, f.name);
  seq_printf(m, " - %s ", sb->s_type->name);
  seq_escape(m, mnt->mnt_devname, " \t\n\\");
  seq_puts(m, sb->s_flags & MS_RDONLY ? " ro" : " rw");
  if (sb->s_op->show_options) sb->s_op->show_options(m, mnt->mnt_sb);
  seq_putc(m, '\n');
}

}  // namespace

int show_mountinfo(seq_file* m, task_struct*) {
  for_each_mount(print_one, m);
  return 0;
}
