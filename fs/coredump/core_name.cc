// core_pattern: what a core file is called (spec 40 X-92, core(5)).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "fs/coredump/internal.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/nsproxy/uts.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

class Name {
 public:
  Name(char* to, size_t size) : to_(to), size_(size) { to_[0] = 0; }
  void add(char c) {
    if (n_ + 1 >= size_) {
      overflow_ = true;
      return;
    }
    to_[n_++] = c;
    to_[n_] = 0;
  }
  void add(const char* text) {
    while (*text) add(*text++);
  }
  void number(const char* format, unsigned long long v) {
    char text[24];
    snprintf(text, sizeof(text), format, v);
    add(text);
  }
  // A name that somebody chose: it must not lead elsewhere.
  void foreign(const char* text) {
    if (!strcmp(text, ".") || !strcmp(text, "..")) {
      add('!');
      text++;
    }
    for (; *text; text++) add(*text == '/' ? '!' : *text);
  }
  bool overflow() const { return overflow_; }

 private:
  char* to_;
  size_t size_, n_ = 0;
  bool overflow_ = false;
};

enum class Part : unsigned char { Path, Base };
void add_exe(Name* name, Part part) {
  file* exe = nullptr;
  mm_struct* mm = current->mm;
  {
    RwsemReadGuard guard(mm->mmap_lock);
    if (mm->exe_file) exe = get_file(mm->exe_file);
  }
  if (!exe) return name->foreign(current->comm);
  FileRef owner(exe);
  static constexpr size_t kRoom = 1024;
  char* text = static_cast<char*>(kmalloc(kRoom, GFP_KERNEL));
  if (!text) return;
  if (Result<char*> path = d_path(&exe->f_path, text, kRoom)) {
    const char* slash = part == Part::Base ? strrchr(*path, '/') : nullptr;
    name->foreign(slash ? slash + 1 : *path);
  }
  kfree(text);
}

struct Facts {
  int sig, dumpable;
  unsigned long limit;
};

void add_code(Name* name, char code, const Facts& facts) {
  task_struct* self = current;
  const struct cred* c = self->cred;
  switch (code) {
    case '%': return name->add('%');
    case 'p': return name->number("%llu", static_cast<unsigned>(task_tgid_vnr(self)));
    case 'P': return name->number("%llu", static_cast<unsigned>(self->tgid));
    case 'i': return name->number("%llu", static_cast<unsigned>(task_pid_vnr(self)));
    case 'I': return name->number("%llu", static_cast<unsigned>(self->pid));
    case 'u': return name->number("%llu", from_kuid_munged(&init_user_ns, c->uid));
    case 'g': return name->number("%llu", from_kgid_munged(&init_user_ns, c->gid));
    case 'd': return name->number("%llu", static_cast<unsigned>(facts.dumpable));
    case 's': return name->number("%llu", static_cast<unsigned>(facts.sig));
    case 't': return name->number("%llu", static_cast<unsigned long long>(ktime_get_real_seconds()));
    case 'h': return name->foreign(read_utsname().nodename);
    case 'e': return name->foreign(self->comm);
    case 'f': return add_exe(name, Part::Base);
    case 'E': return add_exe(name, Part::Path);
    case 'c': return name->number("%llu", facts.limit);
    default: return;  // unknown: nothing
  }
}

}  // namespace

bool expand_core_pattern(char* to, size_t size, int sig, int dumpable, unsigned long limit) {
  char pattern[kCorePatternSize];
  strscpy(pattern, core_settings.pattern, sizeof(pattern));
  if (pattern[0] == '|' || (!pattern[0] && !core_settings.uses_pid)) return false;
  Name name(to, size);
  const Facts facts{sig, dumpable, limit};
  bool pid_named = false;
  for (const char* p = pattern; *p; p++) {
    if (*p != '%') {
      name.add(*p);
      continue;
    }
    if (!*++p) break;
    pid_named |= *p == 'p';
    add_code(&name, *p, facts);
  }
  if (core_settings.uses_pid && !pid_named) {
    name.add('.');
    add_code(&name, 'p', facts);
  }
  return !name.overflow();
}
