// Pipes and FIFOs: what others ask of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

Result<void> create_pipe_files(file** read_end, file** write_end, int flags);
long pipe_fcntl(file* f, unsigned cmd, unsigned arg);  // F_SETPIPE_SZ, F_GETPIPE_SZ; EBADF if not a pipe
long memfd_fcntl(file* f, unsigned cmd, unsigned arg);  // F_ADD_SEALS, F_GET_SEALS; EINVAL if it has none (fs/ramfs)
bool is_pipe(const file* f);
struct pipe_state {
  unsigned queued;  // bytes
  unsigned slots_used, slots;
};
void free_pipe_info(pipe_inode_info* p);
void pipe_init();
void pipe_quiesce();
void pipe_exit(LeakReport& r);
