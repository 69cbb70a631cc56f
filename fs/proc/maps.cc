// /proc/PID/maps.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/rwsem.h>

#include "fs/proc/proc.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

// Blanks until `column` characters after `line`, and one in any case.
void pad_to(seq_file* m, size_t line, size_t column) {
  do {
    seq_putc(m, ' ');
  } while (!seq_has_overflowed(m) && m->count - line < column);
}

const char* special_name(const mm_struct* mm, vm_area_struct* vma) {
  if (vma->vm_ops && vma->vm_ops->name) return vma->vm_ops->name(vma);
  if (vma->vm_start <= mm->brk && vma->vm_end > mm->start_brk && mm->start_brk != mm->brk) return "[heap]";
  if (vma->vm_start <= mm->start_stack && vma->vm_end >= mm->start_stack) return "[stack]";
  return nullptr;
}

void show_area(seq_file* m, const mm_struct* mm, vm_area_struct* vma) {
  const file* f = vma->vm_file;
  const inode* i = f ? file_inode(f) : nullptr;
  unsigned dev = i && i->i_sb ? i->i_sb->s_dev : 0;
  size_t line = m->count;
  unsigned long flags = vma->vm_flags;
  seq_printf(m, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %llu", vma->vm_start, vma->vm_end, flags & VM_READ ? 'r' : '-',
             flags & VM_WRITE ? 'w' : '-', flags & VM_EXEC ? 'x' : '-', flags & VM_MAYSHARE ? 's' : 'p', f ? vma->vm_pgoff << 12 : 0,
             MAJOR(dev), MINOR(dev), i ? i->i_ino : 0);
  seq_putc(m, ' ');
  if (f) {
    pad_to(m, line, 73);
    seq_path_text(m, &f->f_path, "\n");
  } else if (const char* name = special_name(mm, vma)) {
    pad_to(m, line, 73);
    seq_puts(m, name);
  }
  seq_putc(m, '\n');
}

}  // namespace

int show_pid_maps(seq_file* m, task_struct* t) {
  mm_struct* mm = get_task_mm(t);
  if (!mm) return 0;
  {
    RwsemReadGuard guard(mm->mmap_lock);
    vm_area_struct* vma;
    for_each_vma_of(mm, vma) show_area(m, mm, vma);
  }
  mmput(mm);
  return 0;
}
