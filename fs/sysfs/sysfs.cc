// A small /sys: the CPUs, in the places where C libraries and tools look for them. Texts are made when it is first mounted.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "fs/ramfs/ramfs.hh"
#include "fs/vfs/vfs.hh"
#include "init/report.hh"
#include "kernel/nsproxy/net.hh"
#include "kernel/nsproxy/nsproxy.hh"

namespace {

Result<dentry*> add_dir(dentry* parent, const char* name) {
  dentry* d = d_alloc(parent, name);
  if (!d) return fail(ENOMEM);
  inode* pi = parent->d_inode;
  inode_lock(pi);
  auto r = pi->i_op->mkdir(pi, d, 0755);
  if (r) d_add(d);
  inode_unlock(pi);
  dput(d);  // its being found keeps it
  if (!r) return std::unexpected(r.error());
  return d;
}

Result<void> add_file(dentry* parent, const char* name, const char* text) {
  dentry* d = d_alloc(parent, name);
  if (!d) return fail(ENOMEM);
  inode* pi = parent->d_inode;
  inode_lock(pi);
  auto r = pi->i_op->create(pi, d, 0444);
  if (r) {
    d_add(d);
    auto n = filemap_write(&d->d_inode->i_data, 0, text, strlen(text), BufferIn::Kernel);
    if (!n) r = std::unexpected(n.error());
  }
  inode_unlock(pi);
  dput(d);
  return r;
}

// "0-3\n", or "0\n".
void cpu_range(char* buf, size_t size, unsigned n) {
  if (n > 1)
    scnprintf(buf, size, "0-%u\n", n - 1);
  else
    scnprintf(buf, size, "0\n");
}

Result<void> add_one_cpu(dentry* dir, unsigned cpu) {
  char name[16], text[16];
  scnprintf(name, sizeof(name), "cpu%u", cpu);
  dentry* d = TRY(add_dir(dir, name));
  if (cpu) TRY(add_file(d, "online", "1\n"));
  dentry* t = TRY(add_dir(d, "topology"));
  scnprintf(text, sizeof(text), "%u\n", cpu);
  TRY(add_file(t, "core_id", text));
  TRY(add_file(t, "core_cpus_list", text));
  TRY(add_file(t, "thread_siblings_list", text));
  return add_file(t, "physical_package_id", "0\n");
}

Result<void> add_cpus(dentry* root) {
  dentry* devices = TRY(add_dir(root, "devices"));
  dentry* system = TRY(add_dir(devices, "system"));
  dentry* cpu = TRY(add_dir(system, "cpu"));
  char range[32];
  cpu_range(range, sizeof(range), num_online_cpus());
  TRY(add_file(cpu, "online", range));
  cpu_range(range, sizeof(range), num_possible_cpus());
  TRY(add_file(cpu, "possible", range));
  TRY(add_file(cpu, "present", range));
  scnprintf(range, sizeof(range), "%d\n", NR_CPUS - 1);
  TRY(add_file(cpu, "kernel_max", range));
  TRY(add_file(cpu, "offline", "\n"));
  for (unsigned k = 0; k < num_online_cpus(); k++) TRY(add_one_cpu(cpu, k));
  return {};
}

Result<void> fill_sysfs(super_block* sb, const char*) {
  TRY(ramfs_fill_super(sb, nullptr));
  sb->s_magic = SYSFS_MAGIC;
  for (const char* name : {"block", "bus", "class", "dev", "firmware", "fs", "kernel", "module", "power"})
    TRY(add_dir(sb->s_root, name));
  dentry* fs = d_lookup(sb->s_root, "fs");
  auto cgroup = add_dir(fs, "cgroup");  // a place to mount on
  dput(fs);
  if (!cgroup) return std::unexpected(cgroup.error());
  dentry* kernel = d_lookup(sb->s_root, "kernel");
  auto tracing = add_dir(kernel, "tracing");  // likewise
  dput(kernel);
  if (!tracing) return std::unexpected(tracing.error());
  return add_cpus(sb->s_root);
}

user_namespace* net_ns_owner() { return current->nsproxy->net_ns->user_ns; }

constinit file_system_type sysfs_type{"sysfs", FS_SINGLE | FS_USERNS_MOUNT | FS_USERNS_VISIBLE, fill_sysfs, nullptr, net_ns_owner};

}  // namespace

void sysfs_init() { BUG_ON(register_filesystem(&sysfs_type)); }
void sysfs_exit(LeakReport&) { unregister_filesystem(&sysfs_type); }
