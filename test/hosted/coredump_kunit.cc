// Core dumps: when there is one, what it is called, and what is in it. Spec 40 section 20, core(5).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/elf.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/prctl.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/wait.h>

#include "kernel/fault_inject.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;

constexpr int kDumped = 0x80;
constexpr unsigned long kPage = 4096;

void set_core_limit(unsigned long soft) {
  Var<rlimit> r(rlimit{soft, ~0ul});
  sys(__NR_prlimit64, 0, RLIMIT_CORE, r.addr(), 0);
}
long file_size(const char* name) {
  user::Str path(name);
  const long fd = sys(__NR_open, path.addr(), O_RDONLY, 0);
  if (fd < 0) return fd;
  const long size = sys(__NR_lseek, fd, 0, 2);
  sys(__NR_close, fd);
  return size;
}
long remove(const char* name) {
  user::Str path(name);
  return sys(__NR_unlink, path.addr());
}
long aborts(unsigned long limit) {
  set_core_limit(limit);
  kill(getpid(), SIGABRT);
  return 0;
}

// ---- When (X-91, X-93) -------------------------------------------------------------------------------------------------------

PROGRAM_CASE(limits) {  // spec 40; asked of a real 6.1
  MUST(ends_by(user::fork(aborts, 0), SIGABRT) && file_size("/core") == -ENOENT);
  MUST(ends_by(user::fork(aborts, 4095), SIGABRT) && file_size("/core") == -ENOENT);
  MUST(ends_by(user::fork(aborts, 4096), SIGABRT | kDumped));  // cut off at the last piece that fitted
  MUST(file_size("/core") > 0 && file_size("/core") <= 4096);
  MUST(ends_by(user::fork(aborts, ~0ul), SIGABRT | kDumped));  // instead of the one that is there
  MUST(file_size("/core") > 4096 && remove("/core") == 0);
  return 0;
}

PROGRAM_CASE(which_signals) {  // spec 21 section 11
  for (int sig : {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS}) {
    const long pid = user::fork([](unsigned long s) -> long {
      set_core_limit(~0ul);
      kill(getpid(), static_cast<int>(s));
      return 0;
    }, static_cast<unsigned long>(sig));
    Var<siginfo_t> info;
    MUST(sys(__NR_waitid, P_PID, pid, info.addr(), WEXITED | WNOWAIT, 0) == 0);
    MUST(info.get().k.si_code == CLD_DUMPED && info.get().k.si_status == sig);
    MUST(ends_by(pid, sig | kDumped) && remove("/core") == 0);
  }
  for (int sig : {SIGTERM, SIGKILL, SIGALRM, 40}) {
    const long pid = user::fork([](unsigned long s) -> long {
      set_core_limit(~0ul);
      kill(getpid(), static_cast<int>(s));
      return 0;
    }, static_cast<unsigned long>(sig));
    MUST(ends_by(pid, sig) && remove("/core") == -ENOENT);
  }
  return 0;
}

PROGRAM_CASE(who_may_not_be_dumped) {  // spec 40
  const long pid = user::fork([](unsigned long) -> long {
    sys(__NR_prctl, PR_SET_DUMPABLE, 0);
    return aborts(~0ul);
  });
  MUST(ends_by(pid, SIGABRT) && file_size("/core") == -ENOENT);
  user::Str core("/core");
  MUST(sys(__NR_mkdir, core.addr(), 0755) == 0);  // no place for it
  MUST(ends_by(user::fork(aborts, ~0ul), SIGABRT));
  MUST(sys(__NR_rmdir, core.addr()) == 0);
  const long masked = user::fork([](unsigned long) -> long {
    sys(__NR_umask, 0600);  // not even its owner could read it
    return aborts(~0ul);
  });
  MUST(ends_by(masked, SIGABRT));
  remove("/core");
  return 0;
}

// ---- Names (X-92) ---------------------------------------------------------------------------------------------------------------

struct Proc {
  user::Str dir{"/mnt"}, type{"proc"};
  Proc() {
    sys(__NR_mkdir, dir.addr(), 0755);
    sys(__NR_mount, type.addr(), dir.addr(), type.addr(), 0, 0);
  }
  ~Proc() { sys(__NR_umount2, dir.addr(), 0); }
  static long write(const char* name, const char* text) {
    user::Str path(name), bytes(text);
    const long fd = sys(__NR_open, path.addr(), O_RDWR, 0);
    if (fd < 0) return fd;
    const long r = sys(__NR_write, fd, bytes.addr(), strlen(text));
    sys(__NR_close, fd);
    return r;
  }
};

PROGRAM_CASE(names) {  // spec 40 X-92
  Proc proc;
  auto pattern = [](const char* text) { return Proc::write("/mnt/sys/kernel/core_pattern", text) == static_cast<long>(strlen(text)); };
  struct Row {
    const char* pattern;
    const char* before;
    bool pid;
    const char* after;
  };
  for (Row r : {Row{"/dump.%p", "/dump.", true, ""}, {"/%%%s-%u-%d%q%", "/%6-0-1", false, ""}, {"/tmp_%e.%P.x", "/tmp_odd!name.", true, ".x"},
                {"/c%c", "/c18446744073709551615", false, ""}}) {
    MUST(pattern(r.pattern));
    const long pid = user::fork([](unsigned long) -> long {
      user::Str name("odd/name");
      sys(__NR_prctl, PR_SET_NAME, name.addr());
      return aborts(~0ul);
    });
    MUST(ends_by(pid, SIGABRT | kDumped));
    char name[64];
    strscpy(name, r.before, sizeof(name));
    if (r.pid) append_number(name, pid);
    __builtin_strcat(name, r.after);
    MUST(file_size(name) > 4096 && remove(name) == 0);
  }
  MUST(pattern("/plain") && Proc::write("/mnt/sys/kernel/core_uses_pid", "1") == 1);
  const long pid = user::fork(aborts, ~0ul);
  MUST(ends_by(pid, SIGABRT | kDumped));
  char name[32] = "/plain.";
  append_number(name, pid);
  MUST(remove(name) == 0);
  MUST(pattern("|/bin/helper %p"));  // there is no way to run one
  MUST(ends_by(user::fork(aborts, ~0ul), SIGABRT));
  return 0;
}

// ---- Contents ---------------------------------------------------------------------------------------------------------------------

// The file in kernel memory, for the test to look at.
struct Core {
  char* data = nullptr;
  size_t size = 0;
  ~Core() { kvfree(data); }
  template <class T>
  const T* at(size_t offset) const {
    return offset + sizeof(T) <= size ? reinterpret_cast<const T*>(data + offset) : nullptr;
  }
  const Elf64_Ehdr* header() const { return at<Elf64_Ehdr>(0); }
  const Elf64_Phdr* segment(unsigned i) const { return at<Elf64_Phdr>(header()->e_phoff + i * sizeof(Elf64_Phdr)); }
  const Elf64_Phdr* segment_of(unsigned long addr) const {
    for (unsigned i = 1; i < header()->e_phnum; i++)
      if (segment(i)->p_vaddr <= addr && addr < segment(i)->p_vaddr + segment(i)->p_memsz) return segment(i);
    return nullptr;
  }
  // A word of the process's memory; -1: not in the file.
  long word(unsigned long addr) const {
    const Elf64_Phdr* p = segment_of(addr);
    if (!p || addr - p->p_vaddr >= p->p_filesz) return -1;
    const long* w = at<long>(p->p_offset + (addr - p->p_vaddr));
    return w ? *w : -1;
  }
  // The n-th note of a type, and its size.
  const char* note(u32 type, unsigned n, size_t* length) const {
    const Elf64_Phdr* notes = segment(0);
    for (size_t at_ = notes->p_offset; at_ + 12 <= notes->p_offset + notes->p_filesz;) {
      const u32* h = at<u32>(at_);
      const size_t desc = at_ + 12 + ((h[0] + 3) & ~3ul);
      if (h[2] == type && !n--) {
        *length = h[1];
        return data + desc;
      }
      at_ = desc + ((h[1] + 3) & ~3ul);
    }
    return nullptr;
  }
  unsigned count(u32 type) const {
    size_t n;
    unsigned found = 0;
    while (note(type, found, &n)) found++;
    return found;
  }
};
bool read_core(Core* core, const char* name) {
  const long size = file_size(name);
  if (size <= 0) return false;
  core->size = static_cast<size_t>(size);
  core->data = static_cast<char*>(kvmalloc(core->size, GFP_KERNEL));
  user::Str path(name);
  const long fd = sys(__NR_open, path.addr(), O_RDONLY, 0);
  const unsigned long room = user::map(kPage);
  for (size_t at = 0; at < core->size;) {
    const long n = sys(__NR_read, fd, room, kPage);
    if (n <= 0) return false;
    user::read_bytes(core->data + at, room, static_cast<size_t>(n));
    at += static_cast<size_t>(n);
  }
  sys(__NR_close, fd);
  return true;
}

unsigned long private_page, untouched_page, shared_mapping;
int tids[2];
long sleeps_in_thread(unsigned long) {
  tids[1] = static_cast<int>(gettid());
  user::regs().r14 = 0x2222;
  return waits_for_signals(0);
}
long faults_with_a_thread(unsigned long filter) {
  if (filter != 0x33) {
    char text[24] = "";
    append_number(text, static_cast<long>(filter));
    MUST(Proc::write("/mnt/self/coredump_filter", text) == static_cast<long>(strlen(text)));
  }
  set_core_limit(~0ul);
  tids[0] = static_cast<int>(gettid());
  tids[1] = 0;
  private_page = user::map(4 * kPage);
  user::poke<long>(private_page + kPage, 0x1122334455667788);
  untouched_page = user::map(2 * kPage);
  shared_mapping = shared_page();
  user::poke<long>(shared_mapping, 0x99);
  user::thread(user::thread_stack(), sleeps_in_thread);
  while (!tids[1]) nap(1);
  user::regs().r14 = 0x1111;
  return user::peek<int>(0x4444);
}

PROGRAM_CASE(notes_and_memory) {  // spec 40 section 20, X-95
  MUST(ends_by(user::fork(faults_with_a_thread, 0x33), SIGSEGV | kDumped));
  Core c;
  MUST(read_core(&c, "/core"));
  const Elf64_Ehdr* h = c.header();
  MUST(!memcmp(h->e_ident, ELFMAG, SELFMAG) && h->e_type == ET_CORE && h->e_machine == EM_X86_64 && h->e_phoff == 64 && h->e_phnum > 3);
  MUST(c.segment(0)->p_type == PT_NOTE);
  unsigned long end = 0;
  for (unsigned i = 1; i < h->e_phnum; i++) {
    const Elf64_Phdr* p = c.segment(i);
    MUST(p->p_type == PT_LOAD && p->p_vaddr >= end && p->p_offset % kPage == 0 && p->p_filesz <= p->p_memsz && p->p_paddr == 0);
    MUST(p->p_offset + p->p_filesz <= c.size);
    end = p->p_vaddr + p->p_memsz;
  }
  // The thread that dumped comes first, with its registers; the other one last.
  size_t n;
  MUST(c.count(1) == 2 && c.count(3) == 1 && c.count(0x53494749) == 1 && c.count(6) == 1);
  const char* p = c.note(1, 0, &n);
  int id;
  user_regs_struct regs;
  auto look = [&](const char* status) {
    memcpy(&id, status + 32, sizeof(id));
    memcpy(&regs, status + 112, sizeof(regs));
  };
  look(p);
  MUST(n == 336 && id == tids[0] && regs.r14 == 0x1111 && *reinterpret_cast<const int*>(p) == SIGSEGV);
  look(c.note(1, 1, &n));
  MUST(id == tids[1] && regs.r14 == 0x2222 && regs.orig_ax == __NR_pause);
  MUST(c.note(3, 0, &n) && n == 136);
  kernel_siginfo info;
  memcpy(&info, c.note(0x53494749, 0, &n), sizeof(info));
  MUST(n == 128 && info.si_signo == SIGSEGV && info.si_code == SEGV_MAPERR && info.si_addr == reinterpret_cast<void*>(0x4444));
  // What was written is there, what was not reads as zeroes or is left out.
  MUST(c.word(private_page + kPage) == 0x1122334455667788 && c.word(private_page) == 0);
  MUST(c.word(untouched_page) == -1 || c.word(untouched_page) == 0);
  MUST(c.segment_of(untouched_page) != nullptr);
  MUST(c.word(shared_mapping) == 0x99);  // anonymous shared memory: bit 1
  MUST(remove("/core") == 0);
  return 0;
}

PROGRAM_CASE(filters) {  // spec 40 X-95: the filter is the process's, and inherited
  Proc proc;
  MUST(ends_by(user::fork(faults_with_a_thread, 0), SIGSEGV | kDumped));
  {
    Core c;
    MUST(read_core(&c, "/core"));
    MUST(c.segment_of(private_page) != nullptr);
    MUST(c.word(private_page + kPage) == -1);
    MUST(c.word(shared_mapping) == -1);
  }
  MUST(ends_by(user::fork(faults_with_a_thread, 1), SIGSEGV | kDumped));
  {
    Core c;
    MUST(read_core(&c, "/core"));
    MUST(c.word(private_page + kPage) == 0x1122334455667788 && c.word(shared_mapping) == -1);
  }
  MUST(Proc::write("/mnt/self/coredump_filter", "0x2") == 3);
  const long pid = user::fork(faults_with_a_thread, 0x33);
  MUST(ends_by(pid, SIGSEGV | kDumped));
  {
    Core c;
    MUST(read_core(&c, "/core"));
    MUST(c.word(private_page + kPage) == -1 && c.word(shared_mapping) == 0x99);
  }
  MUST(remove("/core") == 0);
  return 0;
}

// ---- Failures ------------------------------------------------------------------------------------------------------------------------

long waits_then_aborts(unsigned long) {
  set_core_limit(~0ul);
  return waits_for_signals(0);
}
// Whatever fails on the way, the process dies of its signal, and nothing is left behind.
void every_acquisition_fails(kunit* test) {
  for (long nth = 1; nth < 500; nth++) {
    const long pid = user::start_process(waits_then_aborts);
    task_struct* t = find_get_task_by_vpid(static_cast<int>(pid));
    KUNIT_ASSERT_NOT_NULL(test, t);
    for (int i = 0; i < 3; i++) schedule_timeout_uninterruptible(1);
    bool fired;
    {
      FaultInjection inject(t, nth);
      struct pid* p = find_get_pid(static_cast<int>(pid));
      kill_pid(p, SIGABRT, 1);
      put_pid(p);
      const long status = user::wait_process(pid);
      KUNIT_EXPECT_EQ(test, status & 0x7f, long{SIGABRT});
      fired = inject.fired();
    }
    put_task_struct(t);
    if (!fired) {
      KUNIT_EXPECT_GT(test, nth, 10l);
      return;
    }
  }
  KUNIT_FAIL(test, "it never went through");
}

kunit_case cases[] = {
    KUNIT_CASE(limits), KUNIT_CASE(which_signals), KUNIT_CASE(who_may_not_be_dumped), KUNIT_CASE(names), KUNIT_CASE(notes_and_memory),
    KUNIT_CASE(filters), KUNIT_CASE(every_acquisition_fails), {},
};
kunit_suite suite = {.name = "coredump", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
