// Names of error numbers, for %pe.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>


namespace {
// Indexed by number; "-" in front so that both signs can be answered from one string.
#define E(name) {name, "-" #name}
struct ErrName {
  int code;
  const char* name;
};
constexpr ErrName kNames[] = {
    E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD), E(EAGAIN), E(ENOMEM),
    E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV), E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE),
    E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE),
    E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK), E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(ENOMSG), E(EIDRM), E(ENODATA), E(ETIME),
    E(EPROTO), E(EBADMSG), E(EOVERFLOW), E(EBADFD), E(EILSEQ), E(EUSERS), E(EMSGSIZE), E(EOPNOTSUPP), E(EADDRINUSE),
    E(ENOBUFS), E(ETIMEDOUT), E(EALREADY), E(EINPROGRESS), E(ESTALE), E(EDQUOT), E(ECANCELED), E(ENOKEY), E(EOWNERDEAD),
    E(ENOTRECOVERABLE), E(ERESTARTSYS), E(ERESTARTNOINTR), E(ERESTARTNOHAND), E(ENOIOCTLCMD), E(ERESTART_RESTARTBLOCK),
    E(EPROBE_DEFER), E(EOPENSTALE),
};
#undef E
}  // namespace

extern "C" const char* errname(int err) {
  int code = err < 0 ? -err : err;
  for (const ErrName& e : kNames)
    if (e.code == code) return err < 0 ? e.name : e.name + 1;
  return nullptr;
}
