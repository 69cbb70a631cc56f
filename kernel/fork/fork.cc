// Boot and end of this subsystem: limits, caches, idle tasks.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fork/fork.hh"

#include <linux/gfp.h>

#include <linux/minmax.h>

#include "init/report.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/fork/task_memory.hh"
#include "mm/page_alloc.hh"

// F-63.
int max_threads_for(u64 ram_bytes) {
  return static_cast<int>(clamp<u64>(ram_bytes / (8ull * THREAD_SIZE), 20, 0x3fffffff));
}

void fork_init() {
  task_memory_init();
  max_threads = max_threads_for(u64{totalram_pages()} * 4096);
  user_namespace_init();
  const auto half = static_cast<unsigned long>(max_threads / 2);
  init_task.signal->rlim[RLIMIT_NPROC] = init_task.signal->rlim[RLIMIT_SIGPENDING] = {half, half};
}

void fork_exit(LeakReport& report) {
  report.expect_zero("threads", nr_threads);
  task_memory_exit(report);
}
