// Unpacks the initramfs, opens the console, finds and execs init.
// SPDX-License-Identifier: Apache-2.0
#include "init/start_init.hh"

#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "fs/initramfs/initramfs.hh"
#include "fs/vfs/vfs.hh"
#include "init/params.hh"
#include "kernel/exec/exec.hh"
#include "kernel/task/task.hh"

namespace {

// B-49: descriptors 0, 1 and 2 on /dev/console; without it init starts with none.
void open_console() {
  auto console = filp_open("/dev/console", O_RDWR, 0);
  if (!console) {
    pr_warn("Warning: unable to open an initial console.\n");
    return;
  }
  FileRef file(*console);
  for (int i = 0; i < 3; i++) {
    auto fd = receive_fd(file.get(), 0);
    if (!fd) panic("no descriptors for init's console");
  }
}

// Takes over the process if the program starts. ENOENT is silent when asked so (B-50, the last four candidates).
enum class Missing : unsigned char { Report, Silent };
bool try_init(const char* path, Missing missing) {
  InitArguments args = init_arguments();
  args.argv[0] = path;
  pr_info("Run %s as init process\n", path);
  Result<void> started = kernel_execve(path, args.argv, args.envp);
  if (started) return true;
  int error = started.error().code();
  if (missing == Missing::Report || error != ENOENT) pr_err("Failed to execute %s (error -%d)\n", path, error);
  return false;
}

// The value of a path parameter, NUL-terminated in buf; fallback if not given.
const char* path_param(std::string_view name, const char* fallback, std::span<char> buf) {
  std::string_view value;
  if (!boot_param(name, &value)) return fallback;
  if (value.size() >= buf.size()) panic("%.*s= is too long", static_cast<int>(name.size()), name.data());
  memcpy(buf.data(), value.data(), value.size());
  buf[value.size()] = 0;
  return buf.data();
}

}  // namespace

void start_init_process() {
  populate_rootfs();
  open_console();
  char buf[256];
  const char* ramdisk_init = path_param("rdinit", "/init", buf);
  if (init_eaccess(ramdisk_init) && try_init(ramdisk_init, Missing::Report)) return;
  if (const char* path = path_param("init", nullptr, buf)) {
    if (try_init(path, Missing::Report)) return;
    panic("Requested init %s failed.", path);  // B-51
  }
  for (const char* path : {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"})
    if (try_init(path, Missing::Silent)) return;
  panic("No working init found.  Try passing init= option to kernel.");
}
