// Extended attributes: no file system here has any. Names are checked and paths walked, so that errors are those of Linux.
// SPDX-License-Identifier: Apache-2.0
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"
#include "mm/uaccess.hh"

namespace {

constexpr size_t kNameMax = 255, kSizeMax = 65536;

Result<void> check_name(const char* user_name) {
  char name[kNameMax + 1];
  long n = strncpy_from_user(name, user_name, sizeof(name));
  if (n < 0) return fail(EFAULT);
  return n == 0 || n == sizeof(name) ? fail(ERANGE) : Result<void>{};
}

enum class Op : unsigned char { Get, Set, List, Remove };

long refuse(Op op, const char* name) {
  if (op == Op::List) return 0;
  auto r = check_name(name);
  return r ? -EOPNOTSUPP : r.error().neg();
}
long by_path(Op op, const char* path, const char* name, unsigned lookup) {
  auto p = user_path_at(AT_FDCWD, path, lookup);
  return p ? refuse(op, name) : p.error().neg();
}
long by_fd(Op op, int fd, const char* name) {
  Fd f(static_cast<unsigned>(fd));
  return f ? refuse(op, name) : -EBADF;
}
long set_checked(size_t size, int flags) { return flags & ~3 || flags == 3 ? -EINVAL : size > kSizeMax ? -E2BIG : 0; }

}  // namespace

SYSCALL_DEFINE4(getxattr, const char*, p, const char*, n, void*, v, size_t, size) { return by_path(Op::Get, p, n, LOOKUP_FOLLOW); }
SYSCALL_DEFINE4(lgetxattr, const char*, p, const char*, n, void*, v, size_t, size) { return by_path(Op::Get, p, n, 0); }
SYSCALL_DEFINE4(fgetxattr, int, fd, const char*, n, void*, v, size_t, size) { return by_fd(Op::Get, fd, n); }
SYSCALL_DEFINE5(setxattr, const char*, p, const char*, n, const void*, v, size_t, size, int, flags) {
  long r = set_checked(size, flags);
  return r ? r : by_path(Op::Set, p, n, LOOKUP_FOLLOW);
}
SYSCALL_DEFINE5(lsetxattr, const char*, p, const char*, n, const void*, v, size_t, size, int, flags) {
  long r = set_checked(size, flags);
  return r ? r : by_path(Op::Set, p, n, 0);
}
SYSCALL_DEFINE5(fsetxattr, int, fd, const char*, n, const void*, v, size_t, size, int, flags) {
  long r = set_checked(size, flags);
  return r ? r : by_fd(Op::Set, fd, n);
}
SYSCALL_DEFINE3(listxattr, const char*, p, char*, list, size_t, size) { return by_path(Op::List, p, nullptr, LOOKUP_FOLLOW); }
SYSCALL_DEFINE3(llistxattr, const char*, p, char*, list, size_t, size) { return by_path(Op::List, p, nullptr, 0); }
SYSCALL_DEFINE3(flistxattr, int, fd, char*, list, size_t, size) { return by_fd(Op::List, fd, nullptr); }
SYSCALL_DEFINE2(removexattr, const char*, p, const char*, n) { return by_path(Op::Remove, p, n, LOOKUP_FOLLOW); }
SYSCALL_DEFINE2(lremovexattr, const char*, p, const char*, n) { return by_path(Op::Remove, p, n, 0); }
SYSCALL_DEFINE2(fremovexattr, int, fd, const char*, n) { return by_fd(Op::Remove, fd, n); }
