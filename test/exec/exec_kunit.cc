// exec from end to end, up to the first instruction: a child of the test executes crafted files and looks at what it has
// become (spec 40).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/elf.h>

#include "kernel/cred/cred.hh"
#include "kernel/exec/exec.hh"
#include "kernel/exit/exit.hh"
#include "kernel/fault_inject.hh"
#include "kernel/fork/fork.hh"
#include "kernel/signal/signal.hh"
#include "mm/filemap.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned long kP = 4096, kLoad = 0x400000;
constexpr unsigned long kNoRandom = 0x0040000;  // ADDR_NO_RANDOMIZE
constexpr const char* kPath = "/program";

// ---- Files ------------------------------------------------------------------------------------------------------------

void put_file(kunit* test, const char* path, const void* data, size_t n, umode_t mode = 0755) {
  (void)init_unlink(path);
  Result<file*> f = filp_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
  KUNIT_ASSERT_TRUE_MSG(test, f.has_value(), "%s", path);
  loff_t pos = 0;
  KUNIT_EXPECT_EQ(test, kernel_write(*f, data, n, &pos), static_cast<ssize_t>(n));
  fput(*f);
  (void)init_chmod(path, mode);
}
void put_text(kunit* test, const char* path, const char* text, umode_t mode = 0755) {
  put_file(test, path, text, strlen(text), mode);
}

// A program of one page: header, table, and one segment that maps it all, with a page and a bit of bss behind.
struct Program {
  Elf64_Ehdr h;
  Elf64_Phdr p[6];
  char rest[512];

  explicit Program(u16 type = ET_EXEC) {
    memset(static_cast<void*>(this), 0, sizeof(*this));
    memcpy(h.e_ident, "\177ELF\2\1\1", 7);
    h.e_type = type;
    h.e_machine = EM_X86_64;
    h.e_version = 1;
    h.e_phoff = sizeof(Elf64_Ehdr);
    h.e_ehsize = sizeof(Elf64_Ehdr);
    h.e_phentsize = sizeof(Elf64_Phdr);
    h.e_phnum = 1;
    unsigned long base = type == ET_EXEC ? kLoad : 0;
    h.e_entry = base + 0x123;
    p[0] = {PT_LOAD, PF_R | PF_W | PF_X, 0, base, base, sizeof(*this), sizeof(*this) + kP, kP};
    memset(rest, 'r', sizeof(rest));
  }
  Elf64_Phdr& add(u32 type) {
    p[h.e_phnum].p_type = type;
    return p[h.e_phnum++];
  }
  void interpreter(const char* path) {
    strcpy(rest, path);
    Elf64_Phdr& i = add(PT_INTERP);
    i.p_offset = offsetof(Program, rest);
    i.p_filesz = strlen(path) + 1;
  }
  void write(kunit* test, const char* path = kPath) const { put_file(test, path, this, sizeof(*this)); }
};

// ---- A child that executes ------------------------------------------------------------------------------------------------

struct Try {
  kunit* kt;
  const char* path = kPath;
  const char* argv[8] = {"zero", "one", nullptr};
  const char* envp[4] = {"A=1", "BB=22", nullptr};
  unsigned long personality = kNoRandom;
  void (*before)(Try& t) = nullptr;
  void (*inspect)(Try& t) = nullptr;  // in the child, if it is a new program now
  void* context = nullptr;
  long fail_nth = 0;  // inject a failure
  // Out:
  int error = 0;       // what exec answered
  bool fatal = false;  // it was past the point of no return
  bool fired = false;
  completion done;
};

int child_main(void* arg) {
  Try& t = *static_cast<Try*>(arg);
  current->personality = t.personality;
  if (t.before) t.before(t);
  Result<void> r;
  {
    FaultInjection inject(t.fail_nth ? static_cast<task_struct*>(current) : nullptr, t.fail_nth);
    r = kernel_execve(t.path, t.argv, t.envp);
    t.fired = inject.fired();
  }
  t.error = r ? 0 : r.error().code();
  t.fatal = r && sigismember(&current->pending.signal, SIGSEGV);
  if (r && !t.fatal && t.inspect) t.inspect(t);
  complete(&t.done);
  do_exit(0);
}

// True: the child runs the program.
bool run(Try& t) {
  init_completion(&t.done);
  KUNIT_EXPECT_GT(t.kt, user_mode_thread(child_main, &t, CLONE_FS | CLONE_FILES | SIGCHLD), 0);
  wait_for_completion(&t.done);
  return !t.error && !t.fatal;
}

u64 word_at(unsigned long addr) {
  u64 w = 0xbadbadbad;
  return copy_from_user(&w, reinterpret_cast<void*>(addr), 8) ? 0xfa17fa17 : w;
}
bool text_at(unsigned long addr, const char* text) {
  char buf[64] = {};
  return strncpy_from_user(buf, reinterpret_cast<char*>(addr), sizeof(buf)) == static_cast<long>(strlen(text)) &&
         strcmp(buf, text) == 0;
}
u64 aux_value(u64 tag) {
  const unsigned long* a = current->mm->saved_auxv;
  for (int i = 0; i < 24; i++)
    if (a[2 * i] == tag) return a[2 * i + 1];
  return ~0ull;
}

// ---- The first stack: X-84 to X-88 ------------------------------------------------------------------------------------------

void check_stack(Try& t) {
  kunit* test = t.kt;
  const pt_regs* regs = task_pt_regs(current);
  const mm_struct* mm = current->mm;
  unsigned long sp = regs->sp;
  KUNIT_EXPECT_EQ(test, sp % 16, 0ul);
  KUNIT_EXPECT_EQ(test, word_at(sp), 2ull);
  unsigned long argv0 = word_at(sp + 8), argv1 = word_at(sp + 16), env0 = word_at(sp + 32), env1 = word_at(sp + 40);
  KUNIT_EXPECT_TRUE(test, text_at(argv0, "zero"));
  KUNIT_EXPECT_TRUE(test, text_at(argv1, "one"));
  KUNIT_EXPECT_EQ(test, word_at(sp + 24), 0ull);
  KUNIT_EXPECT_TRUE(test, text_at(env0, "A=1"));
  KUNIT_EXPECT_TRUE(test, text_at(env1, "BB=22"));
  KUNIT_EXPECT_EQ(test, word_at(sp + 48), 0ull);
  // strings in ascending order without gaps, then the file name, then eight zero bytes.
  KUNIT_EXPECT_EQ(test, argv1, argv0 + 5);
  KUNIT_EXPECT_EQ(test, env0, argv1 + 4);
  KUNIT_EXPECT_EQ(test, env1, env0 + 4);
  unsigned long name = env1 + 6, top = name + strlen(kPath) + 1;
  KUNIT_EXPECT_TRUE(test, text_at(name, kPath));
  KUNIT_EXPECT_EQ(test, word_at(top), 0ull);
  KUNIT_EXPECT_EQ(test, top + 8, 0x7ffffffff000ul);  // not randomised
  KUNIT_EXPECT_EQ(test, mm->arg_start, argv0);
  KUNIT_EXPECT_EQ(test, mm->arg_end, env0);
  KUNIT_EXPECT_EQ(test, mm->env_start, env0);
  KUNIT_EXPECT_EQ(test, mm->env_end, name);
  KUNIT_EXPECT_EQ(test, mm->start_stack, sp);
  // The auxiliary vector follows; /proc/PID/auxv is the same.
  for (int i = 0; i < 40; i++) KUNIT_EXPECT_EQ(test, word_at(sp + 56 + i * 8), static_cast<u64>(mm->saved_auxv[i]));
  KUNIT_EXPECT_EQ(test, aux_value(AT_EXECFN), static_cast<u64>(name));
}
void stack_image(kunit* test) {
  Program().write(test);
  Try t{test};
  t.inspect = check_stack;
  KUNIT_EXPECT_TRUE(test, run(t));
}

void check_aux(Try& t) {
  kunit* test = t.kt;
  constexpr u64 kOrder[] = {AT_SYSINFO_EHDR, AT_MINSIGSTKSZ, AT_HWCAP, AT_PAGESZ, AT_CLKTCK, AT_PHDR, AT_PHENT, AT_PHNUM,
                            AT_BASE, AT_FLAGS, AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID, AT_SECURE, AT_RANDOM, AT_HWCAP2,
                            AT_EXECFN, AT_PLATFORM, AT_NULL};
  const unsigned long* a = current->mm->saved_auxv;
  int i = 0;
  for (u64 tag : kOrder) {
    if (tag == AT_SYSINFO_EHDR && a[0] != AT_SYSINFO_EHDR) continue;
    KUNIT_EXPECT_EQ(test, static_cast<u64>(a[2 * i]), tag);
    i++;
  }
  KUNIT_EXPECT_EQ(test, aux_value(AT_PAGESZ), 4096ull);
  KUNIT_EXPECT_EQ(test, aux_value(AT_CLKTCK), 100ull);
  KUNIT_EXPECT_EQ(test, aux_value(AT_PHDR), u64{kLoad} + 64);
  KUNIT_EXPECT_EQ(test, aux_value(AT_PHENT), 56ull);
  KUNIT_EXPECT_EQ(test, aux_value(AT_PHNUM), 1ull);
  KUNIT_EXPECT_EQ(test, aux_value(AT_BASE), 0ull);
  KUNIT_EXPECT_EQ(test, aux_value(AT_ENTRY), u64{kLoad} + 0x123);
  KUNIT_EXPECT_EQ(test, aux_value(AT_SECURE), 0ull);
  KUNIT_EXPECT_EQ(test, aux_value(AT_UID), 0ull);
  KUNIT_EXPECT_TRUE(test, text_at(aux_value(AT_PLATFORM), "x86_64"));
  *static_cast<u64*>(t.context) = word_at(aux_value(AT_RANDOM));
}
void auxiliary_vector(kunit* test) {
  Program().write(test);
  u64 random[2] = {};
  for (u64& r : random) {
    Try t{test};
    t.inspect = check_aux;
    t.context = &r;
    KUNIT_EXPECT_TRUE(test, run(t));
  }
  KUNIT_EXPECT_NE(test, random[0], random[1]);
}

//
void first_registers(kunit* test) {
  Program().write(test);
  Try t{test};
  t.inspect = [](Try& t) {
    pt_regs r = *task_pt_regs(current);
    KUNIT_EXPECT_EQ(t.kt, r.ip, kLoad + 0x123);
    KUNIT_EXPECT_EQ(t.kt, r.cs, 0x33ul);
    KUNIT_EXPECT_EQ(t.kt, r.ss, 0x2bul);
    KUNIT_EXPECT_EQ(t.kt, r.flags, 0x200ul);
    KUNIT_EXPECT_EQ(t.kt, r.ax | r.bx | r.cx | r.dx | r.si | r.di | r.bp | r.r8 | r.r9 | r.r10 | r.r11 | r.r12 | r.r13 |
                                r.r14 | r.r15, 0ul);
  };
  KUNIT_EXPECT_TRUE(test, run(t));
}

// file, zeroes, more zeroes, and the heap right behind
void memory_of_a_program(kunit* test) {
  Program().write(test);
  Try t{test};
  t.inspect = [](Try& t) {
    kunit* test = t.kt;
    char b[4] = {};
    KUNIT_EXPECT_EQ(test, copy_from_user(b, reinterpret_cast<void*>(kLoad), 4), 0ul);
    KUNIT_EXPECT_MEMEQ(test, b, "\177ELF", 4);
    KUNIT_EXPECT_EQ(test, word_at(kLoad + sizeof(Program) - 8), 0x7272727272727272ull);
    KUNIT_EXPECT_EQ(test, word_at(kLoad + sizeof(Program)), 0ull);
    KUNIT_EXPECT_EQ(test, word_at(kLoad + kP), 0ull);
    KUNIT_EXPECT_EQ(test, word_at(kLoad + 2 * kP), 0xfa17fa17ull);
    const mm_struct* mm = current->mm;
    KUNIT_EXPECT_EQ(test, mm->brk, kLoad + 2 * kP);
    KUNIT_EXPECT_EQ(test, mm->start_brk, mm->brk);
    KUNIT_EXPECT_EQ(test, mm->start_code, kLoad);
    KUNIT_EXPECT_EQ(test, mm->end_code, kLoad + sizeof(Program));
    KUNIT_EXPECT_EQ(test, mm->stack_vm, 33ul);  // one page of strings and 128 KiB
  };
  KUNIT_EXPECT_TRUE(test, run(t));
}

// ---- Where programs lie (section 16) ---------------------------------------------------------------------------------------

struct Place {
  unsigned long entry, sp, base, brk;
};
void note_place(Try& t) {
  const pt_regs* r = task_pt_regs(current);
  *static_cast<Place*>(t.context) = {static_cast<unsigned long>(aux_value(AT_ENTRY)), r->sp,
                                     static_cast<unsigned long>(aux_value(AT_BASE)), current->mm->brk};
}
Place place_of(kunit* test, unsigned long personality) {
  Place p = {};
  Try t{test};
  t.personality = personality;
  t.inspect = note_place;
  t.context = &p;
  KUNIT_EXPECT_TRUE(test, run(t));
  return p;
}

void position_independent_with_interpreter(kunit* test) {
  Program(ET_DYN).write(test, "/interp");
  Program pie(ET_DYN);
  pie.interpreter("/interp");
  pie.write(test);
  Place p = place_of(test, kNoRandom);
  KUNIT_EXPECT_EQ(test, p.entry, 0x555555554000ul + 0x123);
  KUNIT_EXPECT_GT(test, p.base, 0x7f0000000000ul);
  Try t{test};
  t.inspect = [](Try& t) {  // the interpreter runs first
    KUNIT_EXPECT_EQ(t.kt, u64{task_pt_regs(current)->ip}, aux_value(AT_BASE) + 0x123);
  };
  KUNIT_EXPECT_TRUE(test, run(t));
}

void static_position_independent(kunit* test) {
  Program(ET_DYN).write(test);
  Place p = place_of(test, kNoRandom);
  KUNIT_EXPECT_GT(test, p.entry, 0x7f0000000000ul);
  KUNIT_EXPECT_EQ(test, p.base, 0ul);
}

//
void randomisation(kunit* test) {
  Program(ET_DYN).write(test, "/interp");
  Program pie(ET_DYN);
  pie.interpreter("/interp");
  pie.write(test);
  Place a = place_of(test, 0), b = place_of(test, 0);
  KUNIT_EXPECT_NE(test, a.entry, b.entry);
  KUNIT_EXPECT_NE(test, a.sp, b.sp);
  KUNIT_EXPECT_NE(test, a.base, b.base);
  KUNIT_EXPECT_NE(test, a.brk, b.brk);
  KUNIT_EXPECT_EQ(test, a.sp % 16, 0ul);
  KUNIT_EXPECT_EQ(test, a.entry % kP, 0x123ul);
  Place c = place_of(test, kNoRandom), d = place_of(test, kNoRandom);
  KUNIT_EXPECT_MEMEQ(test, &c, &d, sizeof(c));
}

//
void executable_stack_on_request(kunit* test) {
  for (u32 flags : {u32{PF_R | PF_W}, u32{PF_R | PF_W | PF_X}}) {
    Program p;
    p.add(PT_GNU_STACK).p_flags = flags;
    p.write(test);
    Try t{test};
    t.context = &flags;
    t.inspect = [](Try& t) {
      const vm_area_struct* stack = find_vma(current->mm, current->mm->start_stack);
      KUNIT_EXPECT_EQ(t.kt, (stack->vm_flags & VM_EXEC) != 0, (*static_cast<u32*>(t.context) & PF_X) != 0);
    };
    KUNIT_EXPECT_TRUE(test, run(t));
  }
}

// ---- What is refused, and what kills (X-9, X-70) -----------------------------------------------------------------

struct Refusal {
  void (*spoil)(Program& p);
  int error;  // -1: kills
};
constexpr Refusal kRefusals[] = {
    {[](Program& p) { p.h.e_ident[0] = 0; }, ENOEXEC},
    {[](Program& p) { p.h.e_ident[3] = 'f'; }, ENOEXEC},
    {[](Program& p) { p.h.e_type = 1; }, ENOEXEC},
    {[](Program& p) { p.h.e_type = 4; }, ENOEXEC},
    {[](Program& p) { p.h.e_machine = 3; }, ENOEXEC},
    {[](Program& p) { p.h.e_ident[4] = 1; }, 0},       // class, data, version: not looked at
    {[](Program& p) { p.h.e_ident[5] = 2; }, 0},
    {[](Program& p) { p.h.e_ident[6] = 9; }, 0},
    {[](Program& p) { p.h.e_version = 7; }, 0},
    {[](Program& p) { p.h.e_ehsize = 1; }, 0},
    {[](Program& p) { p.h.e_flags = ~0u; }, 0},
    {[](Program& p) { p.h.e_phentsize = 55; }, ENOEXEC},
    {[](Program& p) { p.h.e_phnum = 0; }, ENOEXEC},
    {[](Program& p) { p.h.e_phnum = 74; }, ENOEXEC},
    {[](Program& p) { p.h.e_phoff = 1 << 20; }, ENOEXEC},
    {[](Program& p) { p.h.e_phoff = ~0ul; }, ENOEXEC},
    {[](Program& p) { p.h.e_phoff = sizeof(Program) - 20; }, ENOEXEC},
    {[](Program& p) { p.interpreter("/none"); }, ENOENT},
    {[](Program& p) { p.interpreter("/"); }, EACCES},
    {[](Program& p) { p.interpreter("/x"), p.p[1].p_filesz = 1; }, ENOEXEC},
    {[](Program& p) { p.interpreter("/x"), p.p[1].p_filesz = 4097; }, ENOEXEC},
    {[](Program& p) { p.interpreter("/x"), p.p[1].p_filesz = 2; }, ENOEXEC},  // no NUL at the end
    {[](Program& p) { p.interpreter("/x"), p.p[1].p_offset = sizeof(Program) - 1; }, EIO},
    {[](Program& p) { p.interpreter("/short"); }, EIO},
    {[](Program& p) { p.interpreter("/text"); }, ELIBBAD},
    {[](Program& p) { p.interpreter("/other-machine"); }, ELIBBAD},
    {[](Program& p) { p.interpreter("/not-executable"); }, EACCES},
    {[](Program& p) { p.interpreter("/relocatable"); }, -1},
    {[](Program& p) { p.p[0].p_filesz = p.p[0].p_memsz + 1; }, -1},
    {[](Program& p) { p.p[0].p_vaddr = 0xffff800000000000; }, -1},
    {[](Program& p) { p.p[0].p_memsz = 1ul << 47; }, -1},
    {[](Program& p) { p.p[0].p_offset = 8; }, -1},  // not congruent
    {[](Program& p) { p.h.e_entry = 0x7ffffffff000; }, -1},
    {[](Program& p) { p.h.e_entry = 0x10; }, 0},  // merely unmapped
    {[](Program& p) { p.h.e_type = ET_DYN, p.p[0].p_type = 7; }, -1},  // nothing to load
    {[](Program& p) { p.p[0].p_align = 3; }, 0},
};
KUNIT_ARRAY_PARAM(refusal, kRefusals, nullptr);
void refused_programs(kunit* test) {
  auto* c = static_cast<const Refusal*>(test->param_value);
  put_text(test, "/short", "\177ELF");
  char text[100];
  memset(text, 'x', sizeof(text));
  put_file(test, "/text", text, sizeof(text));
  put_file(test, "/not-executable", text, sizeof(text), 0644);
  Program other(ET_DYN);
  other.h.e_machine = 40;
  other.write(test, "/other-machine");
  Program relocatable(1);
  relocatable.write(test, "/relocatable");
  Program p;
  c->spoil(p);
  p.write(test);
  Try t{test};
  run(t);
  KUNIT_EXPECT_EQ(test, t.error, c->error < 0 ? 0 : c->error);
  KUNIT_EXPECT_EQ(test, t.fatal, c->error < 0);
}

// Section 7, X-13, X-14
void files_that_cannot_be_executed(kunit* test) {
  Program().write(test);
  struct Case {
    const char* path;
    int error;
  };
  put_text(test, "/plain", "\177ELF", 0644);
  put_text(test, "/empty", "");
  put_text(test, "/letters", "hello");
  for (Case c : {Case{"/none", ENOENT}, {"/none/x", ENOENT}, {"/plain/x", ENOTDIR}, {"/", EACCES}, {"/plain", EACCES},
                 {"/empty", ENOEXEC}, {"/letters", ENOEXEC}}) {
    Try t{test};
    t.path = c.path;
    run(t);
    KUNIT_EXPECT_EQ_MSG(test, t.error, c.error, "%s", c.path);
  }
}

void busy_texts(kunit* test) {
  Program().write(test);
  {
    Result<file*> writer = filp_open(kPath, O_WRONLY, 0);
    KUNIT_ASSERT_TRUE(test, writer.has_value());
    Try t{test};
    run(t);
    KUNIT_EXPECT_EQ(test, t.error, ETXTBSY);
    fput(*writer);
  }
  Try t{test};
  t.inspect = [](Try& t) {
    Result<file*> f = filp_open(kPath, O_WRONLY, 0);
    KUNIT_EXPECT_FALSE(t.kt, f.has_value());
    if (!f) KUNIT_EXPECT_EQ(t.kt, f.error().code(), ETXTBSY);
  };
  KUNIT_EXPECT_TRUE(test, run(t));
}

// ---- Limits: X-4 -------------------------------------------------------------------------------------------------------------

int error_with_argument(kunit* test, const char* argument, unsigned long stack_limit) {
  Try t{test};
  t.argv[1] = argument;
  t.context = &stack_limit;
  t.before = [](Try& t) { current->signal->rlim[RLIMIT_STACK].rlim_cur = *static_cast<unsigned long*>(t.context); };
  run(t);
  return t.error;
}
void lengths_of_arguments(kunit* test) {
  Program().write(test);
  char* s = static_cast<char*>(kunit_kmalloc(test, 131073, GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, s);
  memset(s, 'x', 131072);
  s[131072] = 0;
  KUNIT_EXPECT_EQ(test, error_with_argument(test, s, 8ul << 20), E2BIG);  // with NUL more than 32 pages
  s[131071] = 0;
  KUNIT_EXPECT_EQ(test, error_with_argument(test, s, 8ul << 20), 0);
  // The floor of 128 KiB: pointers of 2 arguments and 2 environment strings, and "zero", "A=1", "BB=22" beside it.
  unsigned long room = 131072 - 4 * 8 - 5 - 4 - 6;
  KUNIT_EXPECT_EQ(test, error_with_argument(test, s, 256ul << 10), E2BIG);
  s[room] = 0;
  KUNIT_EXPECT_EQ(test, error_with_argument(test, s, 256ul << 10), E2BIG);
  s[room - 1] = 0;
  KUNIT_EXPECT_EQ(test, error_with_argument(test, s, 256ul << 10), 0);
}

// ---- Scripts ------------------------------------------------------------------------------------------------------------------

//
void a_script_runs_its_interpreter(kunit* test) {
  Program().write(test);
  put_text(test, "/script", "#! /program  -x y \n");
  Try t{test};
  t.path = "/script";
  t.inspect = [](Try& t) {
    kunit* test = t.kt;
    unsigned long sp = task_pt_regs(current)->sp;
    KUNIT_EXPECT_EQ(test, word_at(sp), 4ull);
    const char* expected[] = {"/program", "-x y", "/script", "one"};
    for (int i = 0; i < 4; i++) KUNIT_EXPECT_TRUE(test, text_at(word_at(sp + 8 + i * 8), expected[i]));
    KUNIT_EXPECT_TRUE(test, text_at(aux_value(AT_EXECFN), "/script"));
    KUNIT_EXPECT_STREQ(test, current->comm, "script");
  };
  KUNIT_EXPECT_TRUE(test, run(t));
}

//
void scripts_of_scripts(kunit* test) {
  Program().write(test);
  put_text(test, "/s1", "#!/program\n");
  for (int i = 2; i <= 6; i++) {
    char path[8], text[16];
    snprintf(path, sizeof(path), "/s%d", i);
    snprintf(text, sizeof(text), "#!/s%d\n", i - 1);
    put_text(test, path, text);
  }
  Try five{test}, six{test};
  five.path = "/s5";
  KUNIT_EXPECT_TRUE(test, run(five));
  six.path = "/s6";
  run(six);
  KUNIT_EXPECT_EQ(test, six.error, ELOOP);
}

// ---- What a new program keeps and loses (section 11) ----------------------------------------------------------------------------

void what_exec_resets(kunit* test) {
  Program().write(test);
  Try t{test};
  t.before = [](Try&) {
    sighand_struct* s = current->sighand;
    s->action[SIGUSR1 - 1].sa.sa_handler = reinterpret_cast<__sighandler_t>(0x1234);
    s->action[SIGUSR2 - 1].sa.sa_handler = SIG_IGN;
    sigaddset(&current->blocked, SIGTERM);
    current->sas_ss_sp = 0x5000;
    current->sas_ss_size = 8192;
    current->sas_ss_flags = 0;
  };
  t.inspect = [](Try& t) {
    kunit* test = t.kt;
    const sighand_struct* s = current->sighand;
    KUNIT_EXPECT_PTR_EQ(test, s->action[SIGUSR1 - 1].sa.sa_handler, SIG_DFL);
    KUNIT_EXPECT_PTR_EQ(test, s->action[SIGUSR2 - 1].sa.sa_handler, SIG_IGN);
    KUNIT_EXPECT_TRUE(test, sigismember(&current->blocked, SIGTERM));
    KUNIT_EXPECT_EQ(test, current->sas_ss_size, size_t{0});
    KUNIT_EXPECT_STREQ(test, current->comm, "program");
    KUNIT_EXPECT_EQ(test, current->mm->locked_vm, 0ul);
    KUNIT_EXPECT_EQ(test, get_dumpable(current->mm), +SUID_DUMP_USER);
    KUNIT_EXPECT_EQ(test, current->flags & PF_FORKNOEXEC, 0u);
  };
  KUNIT_EXPECT_TRUE(test, run(t));
}

//
void set_user_id(kunit* test) {
  Program().write(test);
  KUNIT_ASSERT_TRUE(test, init_chown(kPath, 1000, 0).has_value());
  KUNIT_ASSERT_TRUE(test, init_chmod(kPath, 04755).has_value());
  Try t{test};
  t.inspect = [](Try& t) {
    const struct cred* c = current_cred();
    KUNIT_EXPECT_EQ(t.kt, c->uid.val, 0u);
    KUNIT_EXPECT_EQ(t.kt, c->euid.val, 1000u);
    KUNIT_EXPECT_EQ(t.kt, c->suid.val, 1000u);
    KUNIT_EXPECT_EQ(t.kt, c->fsuid.val, 1000u);
    KUNIT_EXPECT_EQ(t.kt, aux_value(AT_SECURE), 1ull);
    KUNIT_EXPECT_EQ(t.kt, aux_value(AT_EUID), 1000ull);
    KUNIT_EXPECT_EQ(t.kt, get_dumpable(current->mm), +SUID_DUMP_DISABLE);
  };
  KUNIT_EXPECT_TRUE(test, run(t));
}

// T19, X-7: every acquisition fails once; before the point of no return the error is seen and nothing has changed, after it
// the process dies. The leak check of the world finds what is left.
void failures_at_every_stage(kunit* test) {
  Program(ET_DYN).write(test, "/interp");
  Program pie(ET_DYN);
  pie.interpreter("/interp");
  pie.write(test);
  put_text(test, "/script", "#!/program arg\n");
  int failed = 0, killed = 0;
  for (long n = 1; n < 200; n++) {
    Try t{test};
    t.path = "/script";
    t.fail_nth = n;
    bool ok = run(t);
    if (!t.fired) {
      KUNIT_EXPECT_TRUE(test, ok);
      KUNIT_EXPECT_GT(test, failed, 10);
      KUNIT_EXPECT_GT(test, killed, 3);
      return;
    }
    if (t.fatal) killed++;
    if (t.error) failed++;
    KUNIT_EXPECT_TRUE(test, !t.error || t.error == ENOMEM || t.error == ENFILE);
  }
  KUNIT_FAIL(test, "exec never ran out of acquisitions");
}

kunit_case cases[] = {KUNIT_CASE(stack_image),
                      KUNIT_CASE(auxiliary_vector),
                      KUNIT_CASE(first_registers),
                      KUNIT_CASE(memory_of_a_program),
                      KUNIT_CASE(position_independent_with_interpreter),
                      KUNIT_CASE(static_position_independent),
                      KUNIT_CASE(randomisation),
                      KUNIT_CASE(executable_stack_on_request),
                      KUNIT_CASE_PARAM(refused_programs, refusal_gen_params),
                      KUNIT_CASE(files_that_cannot_be_executed),
                      KUNIT_CASE(busy_texts),
                      KUNIT_CASE(lengths_of_arguments),
                      KUNIT_CASE(a_script_runs_its_interpreter),
                      KUNIT_CASE(scripts_of_scripts),
                      KUNIT_CASE(what_exec_resets),
                      KUNIT_CASE(set_user_id),
                      KUNIT_CASE(failures_at_every_stage),
                      {}};
kunit_suite suite = {.name = "exec", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
