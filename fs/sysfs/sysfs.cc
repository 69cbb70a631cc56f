// A small /sys: the CPUs, in the places where C libraries and tools look for them, and where they are taken down and up.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/proc/seq_file.hh"
#include "fs/ramfs/ramfs.hh"
#include "fs/vfs/vfs.hh"
#include "init/report.hh"
#include "kernel/cpu/hotplug.hh"
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

// ---- Attributes: a text that is made when read, taken in one write --------------------------------------------------------

struct Attribute {
  const char* name;
  int (*show)(seq_file* m, unsigned cpu);              // null: cannot be read
  Result<void> (*store)(const char* text, unsigned cpu) = nullptr;  // null: cannot be written. May sleep
};
// d_fsdata says which attribute, and of which CPU.
constexpr unsigned kCpuBits = 8;
const Attribute& attribute_of(const file* f);
unsigned cpu_of(const file* f) {
  return reinterpret_cast<unsigned long>(f->f_path.dentry->d_fsdata) & ((1u << kCpuBits) - 1);
}

int show_attribute(seq_file* m, void*) { return attribute_of(m->file).show(m, cpu_of(m->file)); }

// Whoever may ignore modes may not ignore these.
int open_attribute(inode*, file* f) {
  const Attribute& a = attribute_of(f);
  if ((f->f_mode & FMODE_WRITE && !a.store) || (f->f_mode & FMODE_READ && !a.show)) return -EACCES;
  return single_open(f, show_attribute, nullptr);
}

constexpr size_t kMaxText = 4096;
ssize_t write_attribute(kiocb* k, iov_iter* from) {
  const size_t n = min(iov_iter_count(from), kMaxText);
  if (!n) return 0;
  char* text = static_cast<char*>(kmalloc(n + 1, GFP_KERNEL));
  if (!text) return -ENOMEM;
  const bool copied = copy_from_iter(text, n, from) == n;
  text[n] = 0;
  const Result<void> r = copied ? attribute_of(k->ki_filp).store(text, cpu_of(k->ki_filp)) : fail(EFAULT);
  kfree(text);
  if (!r) return r.error().neg();
  k->ki_pos += static_cast<loff_t>(n);
  return static_cast<ssize_t>(n);
}
constexpr file_operations kAttributeFops = {.llseek = seq_lseek, .read_iter = seq_read_iter, .write_iter = write_attribute,
                                            .open = open_attribute, .release = single_release};

// O_TRUNC, which a shell's > gives, means nothing.
Result<void> set_attribute_attr(dentry* d, iattr* attr) {
  attr->ia_valid &= ~ATTR_SIZE;
  return simple_setattr(d, attr);
}
constexpr inode_operations kAttributeIops = {.setattr = set_attribute_attr};

Result<void> add_attribute(dentry* parent, const Attribute& a, unsigned long data) {
  dentry* d = d_alloc(parent, a.name);
  if (!d) return fail(ENOMEM);
  inode* pi = parent->d_inode;
  inode_lock(pi);
  auto r = pi->i_op->create(pi, d, a.store ? 0644 : 0444);
  if (r) {
    inode* i = d->d_inode;
    i->i_op = &kAttributeIops;
    i->i_fop = &kAttributeFops;
    i->i_uid = {0};  // whoever mounts it first
    i->i_gid = {0};
    i_size_write(i, 4096);
    d->d_fsdata = reinterpret_cast<void*>(data);
    d_add(d);
  }
  inode_unlock(pi);
  dput(d);
  return r;
}

// ---- The CPUs -----------------------------------------------------------------------------------------------------------

int show_list(seq_file* m, unsigned long cpus) {
  seq_print_list(m, cpus);
  seq_putc(m, '\n');
  return 0;
}
int show_online(seq_file* m, unsigned) { return show_list(m, READ_ONCE(cpu_online_mask->bits[0])); }
int show_possible(seq_file* m, unsigned) { return show_list(m, cpu_possible_mask->bits[0]); }
int show_present(seq_file* m, unsigned) { return show_list(m, cpu_present_mask->bits[0]); }
int show_offline(seq_file* m, unsigned) {
  return show_list(m, cpu_possible_mask->bits[0] & ~READ_ONCE(cpu_online_mask->bits[0]));
}
int show_kernel_max(seq_file* m, unsigned) {
  seq_printf(m, "%d\n", NR_CPUS - 1);
  return 0;
}
int show_is_online(seq_file* m, unsigned cpu) {
  seq_printf(m, "%d\n", cpu_online(cpu));
  return 0;
}
Result<bool> truth_of(const char* text) {
  bool yes;
  if (kstrtobool(text, &yes)) return fail(EINVAL);
  return yes;
}
Result<void> store_online(const char* text, unsigned cpu) { return TRY(truth_of(text)) ? cpu_up(cpu) : cpu_down(cpu); }

// ---- ... and how they hang together: of an offline one nothing is known --------------------------------------------------

unsigned long online_with(unsigned cpu, unsigned arch::CpuPlace::* what) {
  unsigned long same = 0;
  unsigned other;
  for_each_online_cpu(other)
    if (arch::cpu_place(other).*what == arch::cpu_place(cpu).*what) same |= 1ul << other;
  return same;
}
int show_number(seq_file* m, unsigned cpu, unsigned n) {
  if (!cpu_online(cpu)) return -ENOENT;
  seq_printf(m, "%u\n", n);
  return 0;
}
int show_cpus(seq_file* m, unsigned cpu, unsigned arch::CpuPlace::* what) {
  return cpu_online(cpu) ? show_list(m, online_with(cpu, what)) : -ENOENT;
}
int show_core(seq_file* m, unsigned cpu) { return show_number(m, cpu, arch::cpu_place(cpu).core); }
int show_package(seq_file* m, unsigned cpu) { return show_number(m, cpu, arch::cpu_place(cpu).package); }
int show_die(seq_file* m, unsigned cpu) { return show_number(m, cpu, 0); }
int show_of_core(seq_file* m, unsigned cpu) { return show_cpus(m, cpu, &arch::CpuPlace::core); }
int show_of_package(seq_file* m, unsigned cpu) { return show_cpus(m, cpu, &arch::CpuPlace::package); }

constexpr Attribute kAttributes[] = {
    // of the CPUs
    {"online", show_online},
    {"offline", show_offline},
    {"possible", show_possible},
    {"present", show_present},
    {"kernel_max", show_kernel_max},
    // of each
    {"online", show_is_online, store_online},
    // of each one's place
    {"core_id", show_core},
    {"physical_package_id", show_package},
    {"die_id", show_die},
    {"core_cpus_list", show_of_core},
    {"thread_siblings_list", show_of_core},
    {"core_siblings_list", show_of_package},
    {"die_cpus_list", show_of_package},
    {"package_cpus_list", show_of_package},
};
constexpr unsigned kOfEach = 5, kOfPlace = 6, kEnd = sizeof kAttributes / sizeof kAttributes[0];

const Attribute& attribute_of(const file* f) {
  return kAttributes[reinterpret_cast<unsigned long>(f->f_path.dentry->d_fsdata) >> kCpuBits];
}
Result<void> add_attributes(dentry* dir, unsigned first, unsigned end, unsigned cpu) {
  for (unsigned i = first; i < end; i++) TRY(add_attribute(dir, kAttributes[i], static_cast<unsigned long>(i) << kCpuBits | cpu));
  return {};
}

Result<void> add_one_cpu(dentry* dir, unsigned cpu) {
  char name[16];
  scnprintf(name, sizeof(name), "cpu%u", cpu);
  dentry* d = TRY(add_dir(dir, name));
  if (cpu_is_hotpluggable(cpu)) TRY(add_attributes(d, kOfEach, kOfPlace, cpu));
  return add_attributes(TRY(add_dir(d, "topology")), kOfPlace, kEnd, cpu);
}

Result<void> add_cpus(dentry* root) {
  dentry* devices = TRY(add_dir(root, "devices"));
  dentry* system = TRY(add_dir(devices, "system"));
  dentry* dir = TRY(add_dir(system, "cpu"));
  TRY(add_attributes(dir, 0, kOfEach, 0));
  unsigned cpu;
  for_each_cpu(cpu, cpu_present_mask) TRY(add_one_cpu(dir, cpu));
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
