// The devices that are nothing but memory: null, zero, full, random, urandom.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/minmax.h>
#include <linux/random.h>
#include <linux/sched.h>

#include "fs/dev/dev.hh"
#include "fs/dev/internal.hh"
#include "fs/vfs/poll.hh"
#include "kernel/signal/signal.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

ssize_t read_nothing(kiocb*, iov_iter*) { return 0; }
ssize_t write_away(kiocb*, iov_iter* from) {
  size_t n = iov_iter_count(from);
  from->count = 0;
  return static_cast<ssize_t>(n);
}
ssize_t write_full(kiocb*, iov_iter*) { return -ENOSPC; }

ssize_t read_zeroes(kiocb*, iov_iter* to) {
  ssize_t total = 0;
  while (iov_iter_count(to)) {
    size_t n = min<size_t>(iov_iter_count(to), 4096);
    size_t done = iov_iter_zero(n, to);
    total += static_cast<ssize_t>(done);
    if (done < n) return total ? total : -EFAULT;
    if (signal_pending(current)) return total;
    if (need_resched()) schedule();
  }
  return total;
}

ssize_t read_random(kiocb*, iov_iter* to) {
  ssize_t total = 0;
  while (iov_iter_count(to)) {
    char block[64];
    size_t n = min<size_t>(iov_iter_count(to), sizeof(block));
    get_random_bytes(block, n);
    size_t done = copy_to_iter(block, n, to);
    total += static_cast<ssize_t>(done);
    if (done < n) return total ? total : -EFAULT;
    if (total % 4096 == 0) {
      if (signal_pending(current)) return total;
      if (need_resched()) schedule();
    }
  }
  return total;
}
ssize_t write_random(kiocb* k, iov_iter* from) { return write_away(k, from); }

constexpr unsigned RNDGETENTCNT = 0x80045200;
long random_ioctl(file*, unsigned cmd, unsigned long arg) {
  if (cmd == RNDGETENTCNT) return put_user(256, reinterpret_cast<int*>(arg));
  return -EINVAL;
}
__poll_t random_poll(file*, poll_table*) { return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM; }

loff_t seek_to_zero(file* f, loff_t, int) { return f->f_pos = 0; }

// Private mappings of /dev/zero are anonymous memory.
int mmap_zero(file*, vm_area_struct* vma) {
  if (vma->vm_flags & VM_SHARED) return -ENODEV;
  return 0;
}

constexpr file_operations null_fops = {.llseek = seek_to_zero, .read_iter = read_nothing, .write_iter = write_away};
constexpr file_operations zero_fops = {.llseek = seek_to_zero, .read_iter = read_zeroes, .write_iter = write_away, .mmap = mmap_zero};
constexpr file_operations full_fops = {.llseek = seek_to_zero, .read_iter = read_zeroes, .write_iter = write_full};
constexpr file_operations random_fops = {.llseek = noop_llseek, .read_iter = read_random, .write_iter = write_random,
                                         .poll = random_poll, .unlocked_ioctl = random_ioctl};

struct MemDevice {
  const char* name;
  unsigned minor;
  const file_operations* fops;
};
constexpr unsigned kMemMajor = 1;
constexpr MemDevice kDevices[] = {
    {"null", 3, &null_fops}, {"zero", 5, &zero_fops},       {"full", 7, &full_fops},
    {"random", 8, &random_fops}, {"urandom", 9, &random_fops},
};

}  // namespace

void mem_devices_init() {
  for (const MemDevice& d : kDevices) BUG_ON(device_register(d.name, MKDEV(kMemMajor, d.minor), 0666, d.fops));
}
void mem_devices_quiesce() {
  for (const MemDevice& d : kDevices) device_unregister(d.name, MKDEV(kMemMajor, d.minor));
}
