// FPU state: per-task images and the part of a signal frame that carries them.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/cpu/fpu.hh"

#include <arch/pgtable.hh>
#include <linux/errno.h>
#include <linux/string.h>

#include "arch/x86/cpu/cpu.hh"
#include "kernel/sync/guards.hh"

namespace x86 {
namespace {

constexpr size_t kLegacySize = 512, kHeaderSize = 64;
constexpr u16 kDefaultFcw = 0x37f;
constexpr u32 kDefaultMxcsr = 0x1f80;
constexpr u32 kMagic1 = 0x46505853, kMagic2 = 0x46505845;  // 'XSPF' and 'EXPF': what signal frame readers look for
constexpr size_t kSwReserved = 464;

struct Legacy {  // start of an FXSAVE image
  u16 fcw, fsw;
  u8 ftw, reserved;
  u16 fop;
  u64 fip, fdp;
  u32 mxcsr, mxcsr_mask;
};
struct Header {  // of the XSAVE area, at 512
  u64 xstate_bv, xcomp_bv, reserved[6];
};
// What user space finds in the bytes FXSAVE leaves free.
struct SwBytes {
  u32 magic1, extended_size;
  u64 xfeatures;
  u32 xstate_size, padding[7];
};
static_assert(sizeof(SwBytes) == kLegacySize - kSwReserved);

u32 mxcsr_mask = 0xffbf;  // bits that may be set without #GP

Header& header_of(void* image) { return *reinterpret_cast<Header*>(static_cast<char*>(image) + kLegacySize); }

// An image that the CPU refuses (it can only come from a signal frame we did not sanitise) is answered by the initial
// state rather than by an oops.
bool try_restore(const void* image) {
  int failed = 0;
  if (features.xsave) {
    asm volatile(
        "1: xrstor64 %1\n"
        "2:\n"
        ".pushsection .text.fixup, \"ax\"\n3: movl $1, %0\n jmp 2b\n.popsection\n"
        X86_EXTABLE("1b", "3b")
        : "+r"(failed)
        : "m"(*static_cast<const char(*)[kLegacySize]>(image)), "a"(-1), "d"(-1)
        : "memory");
  } else {
    asm volatile(
        "1: fxrstor64 %1\n"
        "2:\n"
        ".pushsection .text.fixup, \"ax\"\n3: movl $1, %0\n jmp 2b\n.popsection\n"
        X86_EXTABLE("1b", "3b")
        : "+r"(failed)
        : "m"(*static_cast<const char(*)[kLegacySize]>(image))
        : "memory");
  }
  return !failed;
}

// Drops whatever the CPU would refuse.
void sanitise(void* image) {
  static_cast<Legacy*>(image)->mxcsr &= mxcsr_mask;
  if (!features.xsave) return;
  Header& h = header_of(image);
  h.xstate_bv &= features.xcr0;
  h.xcomp_bv = 0;
  for (u64& r : h.reserved) r = 0;
}

// Readers of a frame's legacy part must find its values there, initial ones too.
void materialise_legacy(void* image) {
  Header& h = header_of(image);
  char* bytes = static_cast<char*>(image);
  if (!(h.xstate_bv & 1)) {
    memset(bytes, 0, 24);  // control and status; mxcsr follows
    memset(bytes + 32, 0, 128);
    static_cast<Legacy*>(image)->fcw = kDefaultFcw;
  }
  if (!(h.xstate_bv & 2)) memset(bytes + 160, 0, 256);
  h.xstate_bv |= 3;
}

// XSAVE and XRSTOR straight on user memory, preemption off, so that a fault fails rather than sleeps. False: nothing can
// be said about the target; take the way through the image.
#define X86_XSTATE_ON_USER(insn)                                                           \
  bool failed = false;                                                                     \
  asm volatile(X86_STAC "1: " insn " (%1)\n2:\n" X86_CLAC                                  \
               ".pushsection .text.fixup, \"ax\"\n3: movb $1, %b0\n jmp 2b\n.popsection\n" \
               X86_EXTABLE("1b", "3b")                                                     \
               : "+q"(failed) : "r"(addr), "a"(-1), "d"(-1) : "memory");                   \
  return !failed
bool xsave_to_user(unsigned long addr) { X86_XSTATE_ON_USER("xsave64"); }
bool xrstor_from_user(unsigned long addr) { X86_XSTATE_ON_USER("xrstor64"); }

alignas(64) unsigned char init_image[4096];  // all zero but for the control words: what fpu_image_init() makes

bool user_range_ok(unsigned long addr, size_t size) { return addr < kUserTop && size <= kUserTop - addr; }

// Does the frame carry the extended state we write ourselves?
bool frame_is_extended(const SwBytes& sw, unsigned long addr) {
  u32 magic2;
  return features.xsave && sw.magic1 == kMagic1 && sw.xstate_size == features.xsave_size &&
         sw.extended_size == features.xsave_size + sizeof magic2 &&
         arch::raw_copy_from_user(&magic2, addr + features.xsave_size, sizeof magic2) == 0 && magic2 == kMagic2;
}

}  // namespace

void fpu_cpu_init() {
  if (features.xsave) {
    asm volatile("xsetbv" ::"c"(0), "a"(static_cast<u32>(features.xcr0)), "d"(static_cast<u32>(features.xcr0 >> 32)));
    features.xsave_size = cpuid(0xd).ebx;
  } else {
    features.xsave_size = kLegacySize;
  }
  alignas(16) static unsigned char probe[kLegacySize];
  u32 mxcsr = kDefaultMxcsr;
  asm volatile("fninit; ldmxcsr %1; fxsave64 %0" : "=m"(probe) : "m"(mxcsr));
  if (u32 mask = reinterpret_cast<Legacy*>(probe)->mxcsr_mask) mxcsr_mask = mask;
  fpu_image_init(init_image);
}

// The kernel's own use of vector registers is one: lib/page.S saves the single register it takes and puts it back with
// preemption off, so a task's state never notices. Where `rep` is fast, that is better.
extern "C" {
bool x86_use_vectors;
}
void choose_clear_method() { x86_use_vectors = (features.xcr0 & 4) && !features.erms; }

size_t fpu_image_size() { return features.xsave_size; }

void fpu_image_init(void* image) {
  auto* legacy = static_cast<Legacy*>(image);
  if (features.xsave) {
    memset(&header_of(image), 0, kHeaderSize);  // xstate_bv 0: every component in its initial state
  } else {
    memset(image, 0, kLegacySize);
  }
  legacy->fcw = kDefaultFcw;
  legacy->mxcsr = kDefaultMxcsr;
}

void fpu_save(void* image) {
  if (features.xsave)
    asm volatile("xsave64 (%0)" ::"r"(image), "a"(-1), "d"(-1) : "memory");
  else
    asm volatile("fxsave64 (%0)" ::"r"(image) : "memory");
}

void fpu_save_current() {
  if (this_cpu().fpu_owner == current) fpu_save(current->thread.fpu_state);
}

void copy_fpu(task_struct* child, task_struct* parent) {
  void* image = child->thread.fpu_state;
  if (!parent->thread.fpu_state) {
    memset(image, 0, fpu_image_size());
    fpu_image_init(image);
    return;
  }
  PreemptGuard no_preempt;
  if (this_cpu().fpu_owner != parent) {
    memcpy(image, parent->thread.fpu_state, fpu_image_size());
    return;
  }
  if (features.xsave) memset(&header_of(image), 0, kHeaderSize);  // XSAVE writes only the header's first word
  fpu_save(image);
}

void fpu_drop_registers() {
  Cpu& cpu = this_cpu();
  if (cpu.fpu_owner == current) cpu.fpu_owner = nullptr;
}

// From x86_user_run, interrupts off: the registers are somebody else's.
extern "C" void x86_fpu_load_current() {
  thread_struct& t = current->thread;
  Cpu& cpu = this_cpu();
  if (!try_restore(t.fpu_state)) {
    fpu_image_init(t.fpu_state);
    try_restore(t.fpu_state);
  }
  cpu.fpu_owner = current;
  t.fpu_cpu = static_cast<int>(cpu.block.cpu);
}

}  // namespace x86

namespace arch {
using namespace x86;

unsigned long elf_hwcap() { return cpuid(1).edx; }

size_t fpu_frame_size() {
  size_t size = features.xsave ? features.xsave_size + sizeof(u32) : kLegacySize;
  return (size + 63) & ~size_t{63};
}

size_t fpu_regset_size() { return features.xsave_size; }

// Components that are in their initial state have what an earlier XSAVE left in the image: shown as they are, zero.
static void clear_initial_components(void* image) {
  const u64 present = header_of(image).xstate_bv;
  materialise_legacy(image);
  for (u32 i = 2; i < 63; i++) {
    if (!(features.xcr0 >> i & 1) || (present >> i & 1)) continue;
    const CpuidRegs where = cpuid(0xd, i);
    memset(static_cast<char*>(image) + where.ebx, 0, where.eax);
  }
  header_of(image).xstate_bv = present;
}

void fpu_regset_get(const task_struct* t, void* to) {
  memcpy(to, t->thread.fpu_state, features.xsave_size);
  if (!features.xsave) return;
  clear_initial_components(to);
  memset(static_cast<char*>(to) + kSwReserved, 0, kLegacySize - kSwReserved);
  memcpy(static_cast<char*>(to) + kSwReserved, &features.xcr0, sizeof features.xcr0);  // debuggers ask here what there is
}

Result<void> fpu_regset_set(task_struct* t, const void* from, size_t n) {
  if (static_cast<const Legacy*>(from)->mxcsr & ~mxcsr_mask) return fail(EINVAL);
  char* image = static_cast<char*>(t->thread.fpu_state);
  if (features.xsave && n > kLegacySize) {
    const auto& h = *reinterpret_cast<const Header*>(static_cast<const char*>(from) + kLegacySize);
    u64 reserved = h.xcomp_bv;
    for (u64 r : h.reserved) reserved |= r;
    if ((h.xstate_bv & ~features.xcr0) || reserved) return fail(EINVAL);
  }
  memcpy(image, from, n);
  if (features.xsave && n == kLegacySize) header_of(image).xstate_bv |= 3;
  t->thread.fpu_cpu = -1;  // no CPU's registers are this any more
  return {};
}

// What a frame's readers look for behind the legacy state and behind all of it. 0 or -EFAULT.
static long write_frame_marks(unsigned long addr) {
  const SwBytes sw = {.magic1 = kMagic1,
                      .extended_size = features.xsave_size + static_cast<u32>(sizeof kMagic2),
                      .xfeatures = features.xcr0,
                      .xstate_size = features.xsave_size,
                      .padding = {}};
  if (raw_copy_to_user(addr + kSwReserved, &sw, sizeof sw)) return -EFAULT;
  return raw_copy_to_user(addr + features.xsave_size, &kMagic2, sizeof kMagic2) ? -EFAULT : 0;
}

// Writes the live registers to the frame and resets them. The header first: XSAVE writes its first word only. Initial
// components are marked present, since XSAVE has written them and readers of the legacy part look there.
static bool save_registers_to_user(unsigned long addr) {
  static constexpr Header kNoHeader{};
  if (!features.xsave || this_cpu().fpu_owner != current) return false;
  if (raw_copy_to_user(addr + kLegacySize, &kNoHeader, sizeof kNoHeader) || !xsave_to_user(addr)) return false;
  u64 present;
  if (raw_copy_from_user(&present, addr + kLegacySize, sizeof present)) return false;
  present |= 3;
  return !raw_copy_to_user(addr + kLegacySize, &present, sizeof present) && try_restore(init_image);
}

static long save_image_to_user(unsigned long addr) {
  void* image = current->thread.fpu_state;
  {
    PreemptGuard no_preempt;
    fpu_save_current();
    fpu_drop_registers();
  }
  if (features.xsave) materialise_legacy(image);
  if (raw_copy_to_user(addr, image, features.xsave_size)) return -EFAULT;
  fpu_image_init(image);
  return 0;
}

// The handler then starts in the initial state (C-49).
long fpu_save_to_user(unsigned long addr) {
  bool done;
  {
    PreemptGuard no_preempt;
    done = save_registers_to_user(addr);
  }
  if (!done)
    if (long err = save_image_to_user(addr)) return err;
  return features.xsave ? write_frame_marks(addr) : 0;
}

static bool load_registers_from_user(unsigned long addr) {
  PreemptGuard no_preempt;
  Cpu& cpu = this_cpu();
  cpu.fpu_owner = nullptr;
  if (!xrstor_from_user(addr)) return false;
  cpu.fpu_owner = current;
  current->thread.fpu_cpu = static_cast<int>(cpu.block.cpu);
  return true;
}

long fpu_restore_from_user(unsigned long addr) {
  void* image = current->thread.fpu_state;
  {
    PreemptGuard no_preempt;
    fpu_drop_registers();
  }
  if (addr == 0) {
    fpu_image_init(image);
    return 0;
  }
  SwBytes sw;
  bool ok = user_range_ok(addr, fpu_frame_size()) && !raw_copy_from_user(&sw, addr + kSwReserved, sizeof sw);
  size_t size = ok && frame_is_extended(sw, addr) ? features.xsave_size : kLegacySize;
  if (ok && features.xsave && size != kLegacySize && load_registers_from_user(addr)) return 0;
  if (!ok || raw_copy_from_user(image, addr, size)) {
    fpu_image_init(image);
    return -EFAULT;
  }
  if (features.xsave && size == kLegacySize) {
    memset(&header_of(image), 0, kHeaderSize);
    header_of(image).xstate_bv = 3;
  }
  sanitise(image);
  return 0;
}

}  // namespace arch
