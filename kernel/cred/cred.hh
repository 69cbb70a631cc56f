// Credentials: copy, change, publish; capability and permission questions.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

struct user_struct {
  refcount_t count;
  kuid_t uid;
  atomic_long_t locked_vm, pipe_bufs;
  struct hlist_node hash;
};
extern user_struct root_user;
struct ucounts;
extern user_namespace init_user_ns;
extern struct cred init_cred;

struct cred* prepare_creds();     // a copy of current's to change; null: no memory
int commit_creds(struct cred* n); // publishes; 0
void abort_creds(struct cred* n);
bool set_cred_ucounts(struct cred* n);  // who counts after n's real uid or namespace changed; false: no memory
void __put_cred(struct cred* c);
inline const struct cred* get_cred(const struct cred* c) {
  atomic_inc(&const_cast<struct cred*>(c)->usage);
  return c;
}
inline void put_cred(const struct cred* c) {
  if (c && atomic_dec_and_test(&const_cast<struct cred*>(c)->usage)) __put_cred(const_cast<struct cred*>(c));
}
const struct cred* override_creds(const struct cred* n);
void revert_creds(const struct cred* old);
bool cred_has_cap(const struct cred* c, const user_namespace* target, int cap);
bool capable(int cap);  // current's subjective ones, in the initial user namespace
bool ns_capable(user_namespace* ns, int cap);
bool capable_wrt_ids(kuid_t uid, kgid_t gid, int cap);  // over what has these ids, in current's own namespace
bool in_group_p(kgid_t g);  // fsgid or supplementary
bool in_egroup_p(kgid_t g);
inline bool uid_eq(kuid_t a, kuid_t b) { return a.val == b.val; }
inline bool gid_eq(kgid_t a, kgid_t b) { return a.val == b.val; }
inline constexpr kernel_cap_t kCapFull{(1ull << 41) - 1};
enum : int {
  CAP_CHOWN = 0, CAP_DAC_OVERRIDE = 1, CAP_DAC_READ_SEARCH = 2, CAP_FOWNER = 3, CAP_FSETID = 4, CAP_KILL = 5, CAP_SETGID = 6,
  CAP_SETUID = 7, CAP_SETPCAP = 8, CAP_LINUX_IMMUTABLE = 9, CAP_NET_BIND_SERVICE = 10, CAP_NET_ADMIN = 12, CAP_IPC_LOCK = 14, CAP_IPC_OWNER = 15,
  CAP_SYS_RAWIO = 17, CAP_SYS_CHROOT = 18, CAP_SYS_PTRACE = 19, CAP_SYS_PACCT = 20, CAP_SYS_ADMIN = 21, CAP_SYS_BOOT = 22,
  CAP_SYS_NICE = 23, CAP_SYS_RESOURCE = 24, CAP_SYS_TIME = 25, CAP_SYS_TTY_CONFIG = 26, CAP_MKNOD = 27, CAP_SETFCAP = 31,
  CAP_SYSLOG = 34, CAP_CHECKPOINT_RESTORE = 40, CAP_LAST_CAP = 40,
};
