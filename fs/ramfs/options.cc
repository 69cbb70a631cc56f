// tmpfs mount options: size=, nr_blocks=, nr_inodes=, mode=, uid=, gid=.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "fs/proc/seq_file.hh"
#include "fs/ramfs/internal.hh"
#include "fs/ramfs/ramfs.hh"
#include "kernel/cred/user_namespace.hh"
#include "mm/page_alloc.hh"

namespace {

// The number after '=' of one option that ends at a comma or NUL.
struct Number {
  unsigned long value;
  char suffix;  // '%' or 0
};

Result<Number> number(std::string_view v, int base) {
  char buf[32];
  if (v.empty() || v.size() >= sizeof(buf)) return fail(EINVAL);
  memcpy(buf, v.data(), v.size());
  buf[v.size()] = 0;
  if (base == 8) {
    unsigned long n;
    return kstrtoul(buf, 8, &n) ? Result<Number>(fail(EINVAL)) : Number{n, 0};
  }
  char* end;
  unsigned long n = memparse(buf, &end);
  char suffix = 0;
  if (*end == '%') {
    suffix = '%';
    end++;
  }
  if (*end || end == buf) return fail(EINVAL);
  return Number{n, suffix};
}

Result<void> one_option(std::string_view key, std::string_view v, RamfsInfo* info) {
  if (key == "mode") {
    info->mode = static_cast<umode_t>(TRY(number(v, 8)).value & 07777);
    return {};
  }
  Number n = TRY(number(v, 0));
  if (key == "size") {
    info->max_blocks = n.suffix == '%' ? totalram_pages() * n.value / 100 : (n.value + 4095) / 4096;
    return {};
  }
  if (n.suffix) return fail(EINVAL);
  if (key == "nr_blocks")
    info->max_blocks = n.value;
  else if (key == "nr_inodes")
    info->max_inodes = n.value;
  else if (key == "uid")
    info->uid = make_kuid(current_user_ns(), static_cast<unsigned>(n.value)).val;
  else if (key == "gid")
    info->gid = make_kgid(current_user_ns(), static_cast<unsigned>(n.value)).val;
  else
    return fail(EINVAL);
  return info->uid == ~0u || info->gid == ~0u ? fail(EINVAL) : Result<void>{};
}

}  // namespace

Result<void> parse_tmpfs_options(const char* text, RamfsInfo* info) {
  std::string_view rest(text ? text : "");
  while (!rest.empty()) {
    size_t comma = rest.find(',');
    std::string_view opt = rest.substr(0, comma);
    rest = comma == rest.npos ? std::string_view{} : rest.substr(comma + 1);
    if (opt.empty()) continue;
    size_t eq = opt.find('=');
    if (eq == opt.npos) return fail(EINVAL);
    TRY(one_option(opt.substr(0, eq), opt.substr(eq + 1), info));
  }
  return {};
}

void ramfs_show_options(seq_file* m, super_block* sb) {
  const auto* info = static_cast<const RamfsInfo*>(sb->s_fs_info);
  if (sb->s_magic != TMPFS_MAGIC) return;
  if (info->max_blocks && info->max_blocks != totalram_pages() / 2) seq_printf(m, ",size=%luk", info->max_blocks * 4);
  if (info->max_inodes && info->max_inodes != totalram_pages() / 2) seq_printf(m, ",nr_inodes=%lu", info->max_inodes);
  if (info->mode != 01777) seq_printf(m, ",mode=%03o", info->mode);
  if (info->uid) seq_printf(m, ",uid=%u", info->uid);
  if (info->gid) seq_printf(m, ",gid=%u", info->gid);
  seq_puts(m, ",inode64");
}
