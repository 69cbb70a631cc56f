// ELF64 programs: what is accepted, and how a program and its interpreter are mapped (spec 40 sections 15 and 16).
// SPDX-License-Identifier: Apache-2.0
#include "fs/binfmt/elf.hh"

#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/mman.h>

#include <linux/minmax.h>

#include "fs/binfmt/elf_stack.hh"
#include "kernel/signal/signal.hh"
#include "mm/exec_mm.hh"
#include "mm/uaccess.hh"
#include "mm/vdso.hh"

namespace {

constexpr unsigned long kPage = 4096, kTaskSize = 0x7ffffffff000;
constexpr unsigned long kPieBase = kTaskSize / 3 * 2 & ~(kPage - 1);
constexpr unsigned long page_start(unsigned long a) { return a & ~(kPage - 1); }
constexpr unsigned long page_up(unsigned long a) { return (a + kPage - 1) & ~(kPage - 1); }
constexpr unsigned long page_offset(unsigned long a) { return a & (kPage - 1); }

bool randomized() { return current->flags & PF_RANDOMIZE; }

// ---- Checking (nothing of the caller changes) -----------------------------------------------------------------------------

bool acceptable(const Elf64_Ehdr& h) {
  return memcmp(h.e_ident, ELFMAG, SELFMAG) == 0 && (h.e_type == ET_EXEC || h.e_type == ET_DYN) && h.e_machine == EM_X86_64;
}

Result<void> read_exactly(file* f, void* to, size_t n, unsigned long offset, int short_error) {
  auto pos = static_cast<loff_t>(offset);
  ssize_t got = kernel_read(f, to, n, &pos);
  if (got < 0) return fail(static_cast<int>(-got));
  if (static_cast<size_t>(got) != n) return fail(short_error);
  return {};
}

//
Result<void> read_table(ElfFile* e, file* f, int error) {
  const Elf64_Ehdr& h = e->header;
  size_t size = sizeof(Elf64_Phdr) * h.e_phnum;
  if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum == 0 || size > kPage) return fail(error);
  e->table = static_cast<Elf64_Phdr*>(kmalloc(size, GFP_KERNEL));
  if (!e->table) return fail(ENOMEM);
  if (!read_exactly(f, e->table, size, h.e_phoff, error)) return fail(error);
  return {};
}

// X-66, row by row.
Result<void> open_interpreter(ElfImage* image, file* program, const Elf64_Phdr& p) {
  if (p.p_filesz < 2 || p.p_filesz > PATH_MAX) return fail(ENOEXEC);
  char* name = static_cast<char*>(kmalloc(p.p_filesz, GFP_KERNEL));
  if (!name) return fail(ENOMEM);
  auto opened = [&]() -> Result<file*> {
    TRY(read_exactly(program, name, p.p_filesz, p.p_offset, EIO));
    if (name[p.p_filesz - 1] != 0) return fail(ENOEXEC);
    if (!name[0]) return fail(EACCES);
    return open_exec(name);
  }();
  kfree(name);
  image->interpreter_file = ExecFile(TRY(std::move(opened)));
  file* f = image->interpreter_file.get();
  Elf64_Ehdr& h = image->interpreter.header;
  TRY(read_exactly(f, &h, sizeof(h), 0, EIO));
  if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_machine != EM_X86_64) return fail(ELIBBAD);
  return read_table(&image->interpreter, f, ELIBBAD);
}

Result<void> look_at_segments(linux_binprm* b, ElfImage* image) {
  bool interpreter_seen = false;
  for (const Elf64_Phdr& p : image->program.segments()) {
    if (p.p_type == PT_GNU_STACK) image->exec_stack = p.p_flags & PF_X;
    if (p.p_type != PT_INTERP || interpreter_seen) continue;
    interpreter_seen = true;
    TRY(open_interpreter(image, b->file.get(), p));
    const file* f = image->interpreter_file.get();
    b->unreadable |= !inode_permission(f->f_path.mnt, file_inode(f), MAY_READ);
  }
  return {};
}

Result<void> prepare_elf(linux_binprm* b) {
  Elf64_Ehdr header;
  memcpy(&header, b->buf, sizeof(header));
  if (!acceptable(header) || !b->file.get()->f_op->mmap) return fail(ENOEXEC);
  auto* image = static_cast<ElfImage*>(kzalloc(sizeof(ElfImage), GFP_KERNEL));
  if (!image) return fail(ENOMEM);
  b->elf = new (image) ElfImage;
  image->program.header = header;
  TRY(read_table(&image->program, b->file.get(), ENOEXEC));
  return look_at_segments(b, image);
}

// ---- Mapping (a failure kills) -------------------------------------------------------------------------------------------

unsigned long protection(const Elf64_Phdr& p) {
  return (p.p_flags & PF_R ? PROT_READ : 0) | (p.p_flags & PF_W ? PROT_WRITE : 0) | (p.p_flags & PF_X ? PROT_EXEC : 0);
}

unsigned long total_size(std::span<const Elf64_Phdr> segments) {
  unsigned long low = ~0ul, high = 0;
  for (const Elf64_Phdr& p : segments) {
    if (p.p_type != PT_LOAD) continue;
    low = min<unsigned long>(low, page_start(p.p_vaddr));
    high = max<unsigned long>(high, p.p_vaddr + p.p_memsz);
  }
  return high > low ? high - low : 0;
}

// Maps a segment's file part at addr; `total` reserves the whole span with it. Zero length: nothing, but accepted.
Result<unsigned long> map_segment(file* f, unsigned long addr, const Elf64_Phdr& p, unsigned long flags, unsigned long total) {
  unsigned long offset_in_page = page_offset(p.p_vaddr);
  unsigned long size = page_up(p.p_filesz + offset_in_page), offset = p.p_offset - offset_in_page;
  addr = page_start(addr);
  if (!size) return addr;
  if (page_offset(offset)) return fail(EINVAL);
  if (!total) return vm_mmap(f, addr, size, protection(p), MAP_PRIVATE | flags, offset);
  total = page_up(total);
  unsigned long at = TRY(vm_mmap(f, addr, total, protection(p), MAP_PRIVATE | flags, offset));
  if (total > size) TRY(vm_munmap(at + size, total - size));
  return at;
}

// what a segment has in memory but not in the file. If the last page's rest cannot be zeroed, that is an error in the last
// segment alone, and not even there if it is writable: then the file ends before it, and the program meets SIGBUS itself.
enum class Zeroing : unsigned char { MustWork, MayFail };
Result<void> map_bss(const Elf64_Phdr& p, unsigned long bias, Zeroing zeroing) {
  unsigned long file_end = bias + p.p_vaddr + p.p_filesz, memory_end = bias + p.p_vaddr + p.p_memsz;
  if (memory_end == file_end) return {};
  unsigned long from = page_up(file_end), to = page_up(memory_end);
  if (from < to) TRY(vm_brk_flags(from, to - from, p.p_flags & PF_X ? VM_EXEC : 0));
  unsigned long rest = from - file_end;
  if (rest && p.p_filesz && clear_user(reinterpret_cast<void*>(file_end), rest) && zeroing == Zeroing::MustWork)
    return fail(EFAULT);
  return {};
}

struct Mapped {
  unsigned long bias = 0, entry = 0, phdr = 0, end = 0;
  unsigned long start_code = ~0ul, end_code = 0, start_data = 0, end_data = 0;
};

Result<void> check_segment(const Elf64_Phdr& p, unsigned long at) {
  if (at >= kTaskSize || p.p_filesz > p.p_memsz || p.p_memsz > kTaskSize || kTaskSize - p.p_memsz < at) return fail(EINVAL);
  return {};
}

void note_bounds(Mapped* m, const Elf64_Phdr& p) {
  unsigned long at = m->bias + p.p_vaddr;
  if ((p.p_flags & PF_X) && at < m->start_code) m->start_code = at;
  m->start_data = max<unsigned long>(m->start_data, at);
  if (p.p_flags & PF_X) m->end_code = max<unsigned long>(m->end_code, at + p.p_filesz);
  m->end_data = max<unsigned long>(m->end_data, at + p.p_filesz);
  m->end = max<unsigned long>(m->end, at + p.p_memsz);
}

// Where the first segment goes: an address that must be free, or 0 for a place of mmap's choice.
struct Placement {
  unsigned long base;
  unsigned long flags;
};

Result<Mapped> map_file(file* f, const ElfFile& e, Placement place) {
  Mapped m;
  bool first = true, relocatable = e.header.e_type == ET_DYN;
  unsigned long total = relocatable ? total_size(e.segments()) : 0;
  if (relocatable && !total) return fail(EINVAL);
  const Elf64_Phdr* last = nullptr;
  for (const Elf64_Phdr& p : e.segments())
    if (p.p_type == PT_LOAD) last = &p;
  for (const Elf64_Phdr& p : e.segments()) {
    if (p.p_type != PT_LOAD) continue;
    if (first && relocatable && place.base) m.bias = page_start(place.base - p.p_vaddr);
    unsigned long flags = first ? place.flags : MAP_FIXED;
    unsigned long at = TRY(map_segment(f, m.bias + p.p_vaddr, p, flags, first ? total : 0));
    if (first && relocatable) m.bias = at - page_start(p.p_vaddr);
    first = false;
    TRY(check_segment(p, m.bias + p.p_vaddr));
    TRY(map_bss(p, m.bias, &p == last && !(p.p_flags & PF_W) ? Zeroing::MustWork : Zeroing::MayFail));
    note_bounds(&m, p);
    if (p.p_offset <= e.header.e_phoff && e.header.e_phoff < p.p_offset + p.p_filesz)
      m.phdr = e.header.e_phoff - p.p_offset + p.p_vaddr + m.bias;
  }
  if (!m.phdr) m.phdr = m.bias;
  m.entry = e.header.e_entry + m.bias;
  return m;
}

Placement place_program(const ElfImage& image) {
  if (image.program.header.e_type == ET_EXEC) return {0, MAP_FIXED_NOREPLACE};
  if (!image.interpreter_file) return {0, 0};
  unsigned long align = kPage, base = kPieBase;
  for (const Elf64_Phdr& p : image.program.segments())
    if (p.p_type == PT_LOAD && p.p_align > align && (p.p_align & (p.p_align - 1)) == 0) align = p.p_align;
  if (randomized()) base += (get_random_long() & ((1ul << 28) - 1)) << 12;
  return {base & ~(align - 1), MAP_FIXED_NOREPLACE};
}

void set_brk(mm_struct* mm, const ElfImage& image, const Mapped& m) {
  mm->start_brk = mm->brk = page_up(m.end);
  if (!randomized() || randomize_va_space() != 2) return;
  if (image.program.header.e_type == ET_DYN && !image.interpreter_file) mm->start_brk = mm->brk = kPieBase;
  mm->start_brk = mm->brk = page_up(mm->brk + (get_random_long() & ((32ul << 20) - 1)));
}

Result<void> load_elf(linux_binprm* b, pt_regs* regs) {
  ElfImage& image = *b->elf;
  mm_struct* mm = current->mm;
  StackTop stack = TRY(setup_exec_stack(b, image.exec_stack));
  file* f = mm->exe_file;
  Mapped m = TRY(map_file(f, image.program, place_program(image)));
  unsigned long entry = m.entry, interpreter_bias = 0;
  if (image.interpreter_file) {
    if (image.interpreter.header.e_type != ET_DYN && image.interpreter.header.e_type != ET_EXEC) return fail(ELIBBAD);
    bool fixed = image.interpreter.header.e_type == ET_EXEC;
    Mapped i = TRY(map_file(image.interpreter_file.get(), image.interpreter, {0, fixed ? unsigned{MAP_FIXED} : 0}));
    entry = i.entry;
    interpreter_bias = i.bias;
  }
  if (entry >= kTaskSize) return fail(EINVAL);
  mm->start_code = m.start_code;
  mm->end_code = m.end_code;
  mm->start_data = m.start_data;
  mm->end_data = m.end_data;
  set_brk(mm, image, m);
  AuxInfo aux{m.phdr, image.program.header.e_phnum, interpreter_bias, m.entry, map_vdso(stack.top)};
  unsigned long sp = TRY(create_elf_tables(b, stack, aux));
  start_thread(regs, entry, sp);
  return {};
}

}  // namespace

void free_elf_image(ElfImage* image) {
  kfree(image->program.table);
  kfree(image->interpreter.table);
  image->~ElfImage();
  kfree(image);
}

constinit const linux_binfmt elf_format{"elf", prepare_elf, load_elf};
