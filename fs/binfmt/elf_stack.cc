// argc, argv, envp, auxv: what a program finds on its stack.
// SPDX-License-Identifier: Apache-2.0
#include "fs/binfmt/elf_stack.hh"

#include <linux/random.h>
#include <linux/string.h>
#include <linux/slab.h>
#include <uapi/linux/elf.h>

#include <linux/minmax.h>

#include "kernel/cred/user_namespace.hh"
#include "kernel/signal/frame.hh"
#include "mm/exec_mm.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned long kPage = 4096, kStackTopMax = 0x7ffffffff000, kExtra = 128ul << 10;
constexpr size_t kAuxWords = 2 * 22;
constexpr char kPlatform[] = "x86_64";

bool randomized() { return current->flags & PF_RANDOMIZE; }

// The words of the table, collected in kernel memory and written in one go.
class Table {
 public:
  explicit Table(size_t words) : words_(small_) {
    if (words > kSmall) words_ = static_cast<u64*>(kvmalloc(words * sizeof(u64), GFP_KERNEL));
  }
  Table(const Table&) = delete;
  ~Table() {
    if (words_ != small_) kvfree(words_);
  }
  explicit operator bool() const { return words_; }
  void add(u64 w) { words_[used_++] = w; }
  void aux(u64 tag, u64 value) {
    add(tag);
    add(value);
  }
  const u64* words() const { return words_; }
  size_t used() const { return used_; }

 private:
  static constexpr size_t kSmall = 96;
  u64 small_[kSmall];
  u64* words_;
  size_t used_ = 0;
};

// Adds the addresses of n strings; *at is the first one's, and becomes that of what follows.
void add_strings(Table* table, const ArgPages& args, unsigned long top, unsigned long* at, int n) {
  for (; n > 0; n--) {
    table->add(*at);
    *at += args.string_length(top - *at) + 1;
  }
  table->add(0);
}

void add_aux(Table* table, const linux_binprm* b, const AuxInfo& info, unsigned long exec_name, unsigned long random,
             unsigned long platform) {
  const struct cred* c = current_cred();
  if (info.vdso) table->aux(AT_SYSINFO_EHDR, info.vdso);
  table->aux(AT_MINSIGSTKSZ, max_sigframe_size(arch::fpu_frame_size()));
  table->aux(AT_HWCAP, arch::elf_hwcap());
  table->aux(AT_PAGESZ, kPage);
  table->aux(AT_CLKTCK, 100);
  table->aux(AT_PHDR, info.phdr);
  table->aux(AT_PHENT, sizeof(Elf64_Phdr));
  table->aux(AT_PHNUM, info.phnum);
  table->aux(AT_BASE, info.base);
  table->aux(AT_FLAGS, 0);
  table->aux(AT_ENTRY, info.entry);
  table->aux(AT_UID, from_kuid_munged(c->user_ns, c->uid));
  table->aux(AT_EUID, from_kuid_munged(c->user_ns, c->euid));
  table->aux(AT_GID, from_kgid_munged(c->user_ns, c->gid));
  table->aux(AT_EGID, from_kgid_munged(c->user_ns, c->egid));
  table->aux(AT_SECURE, b->secureexec);
  table->aux(AT_RANDOM, random);
  table->aux(AT_HWCAP2, 0);
  table->aux(AT_EXECFN, exec_name);
  table->aux(AT_PLATFORM, platform);
  table->aux(AT_NULL, 0);
}

Result<void> write(unsigned long at, const void* data, size_t n) {
  if (copy_to_user(reinterpret_cast<void*>(at), data, n)) return fail(EFAULT);
  return {};
}

}  // namespace

Result<StackTop> setup_exec_stack(linux_binprm* b, bool executable) {
  unsigned long top = kStackTopMax;
  if (randomized()) top -= (get_random_long() & 0x3fffff) << 12;
  // room below the strings, as far as the limit lets.
  unsigned long used = b->args.pages().size() * kPage;
  unsigned long limit = b->stack_limit.rlim_cur & ~(kPage - 1);
  unsigned long size = max<unsigned long>(used, min<unsigned long>(used + kExtra, limit));
  TRY(install_exec_stack(top, size, b->args.pages(), executable ? VM_EXEC : 0));
  b->args.pages_taken();
  return StackTop{top, top - b->args.used()};
}

Result<unsigned long> create_elf_tables(linux_binprm* b, const StackTop& stack, const AuxInfo& info) {
  mm_struct* mm = current->mm;
  auto argc = static_cast<size_t>(b->argc), envc = static_cast<size_t>(b->envc);
  Table table(1 + argc + 1 + envc + 1 + kAuxWords);
  if (!table) return fail(ENOMEM);

  unsigned long p = stack.strings;
  if (randomized()) p -= get_random_long() % 8192;
  p &= ~15ul;
  unsigned long platform = p -= sizeof(kPlatform);
  TRY(write(platform, kPlatform, sizeof(kPlatform)));
  unsigned char bytes[16];
  get_random_bytes(bytes, sizeof(bytes));
  unsigned long random = p -= sizeof(bytes);
  TRY(write(random, bytes, sizeof(bytes)));

  unsigned long at = stack.strings;
  table.add(argc);
  mm->arg_start = at;
  add_strings(&table, b->args, stack.top, &at, b->argc);
  mm->arg_end = mm->env_start = at;
  add_strings(&table, b->args, stack.top, &at, b->envc);
  mm->env_end = at;
  size_t aux_at = table.used();
  add_aux(&table, b, info, stack.top - b->exec_at, random, platform);

  size_t aux_bytes = (table.used() - aux_at) * sizeof(u64);
  memcpy(mm->saved_auxv, table.words() + aux_at, min<unsigned long>(aux_bytes, sizeof(mm->saved_auxv)));
  unsigned long sp = (p - table.used() * sizeof(u64)) & ~15ul;
  mm->start_stack = sp;
  TRY(write(sp, table.words(), table.used() * sizeof(u64)));
  return sp;
}
