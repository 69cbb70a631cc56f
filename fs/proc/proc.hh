// procfs. A file is one row of a table: a name, a mode and the function that writes its text.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/proc/seq_file.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/pid/pid_namespace.hh"

// A file in /proc that belongs to no process.
struct ProcFile {
  const char* name;
  umode_t mode;
  int (*show)(seq_file* m);
  // Text written to it (NUL-terminated, at most a page); count or -errno. Null: EIO.
  long (*store)(const ProcFile* f, char* text, size_t n);
  void* data;  // sysctl: the variable
  bool (*owned)() = nullptr;  // is it the caller's own, of its namespace? Null: the inode's owner says
};
// A directory of them. Both tables end with an empty row; either may be null.
struct ProcDir {
  const char* name;
  const ProcFile* files;
  const ProcDir* dirs;
};
extern const ProcDir kProcRoot;  // fs/proc/tables.cc

// A file or link in /proc/PID. The task is pinned while a function runs.
enum class PidKind : unsigned char { File, Link, Directory, Raw };
struct PidEntry {
  const char* name;
  PidKind kind;
  umode_t mode;
  int (*show)(seq_file* m, task_struct* t);
  Result<path> (*link)(task_struct* t);  // referenced
  const file_operations* fops;           // Raw
  const PidEntry* entries;               // Directory; null: "fd", "fdinfo" and "task" are made up
  bool in_task;                          // in /proc/PID/task/TID too
  // Text written to a File (NUL-terminated, less than a page) at pos; count or -errno. Null: EINVAL.
  long (*store)(file* f, task_struct* t, char* text, size_t n, loff_t pos) = nullptr;
  bool guarded = false;                  // to be opened by those only who may look into the process (ptrace's read rule)
};
extern const PidEntry kNsEntries[];
extern const PidEntry kPidEntries[];  // ends with an empty row

struct ProcInode {
  inode vfs;
  struct pid* pid;        // null: not of a process
  const PidEntry* entry;  // of a process's file; null for its directory
  const ProcFile* file;
  const ProcDir* dir;
  int fd;                 // /proc/PID/fd/N, /proc/PID/fdinfo/N
  bool thread;            // below /proc/PID/task
};
inline ProcInode* proc_inode(const inode* i) { return container_of(i, ProcInode, vfs); }
// The namespace whose numbers a mount of /proc shows: that of who mounted it first.
inline pid_namespace* proc_pid_ns(const super_block* sb) { return static_cast<pid_namespace*>(sb->s_fs_info); }
inline pid_namespace* proc_pid_ns(const seq_file* m) { return proc_pid_ns(file_inode(m->file)->i_sb); }
task_struct* get_proc_task(const inode* i);  // referenced; null: it has gone
struct pid* tgid_pidfd_to_pid(const file* f);  // f is an open directory /proc/PID: its process, not referenced; else null

// Tables and pieces, by file.
ProcInode* new_proc_inode(super_block* sb, umode_t mode, struct pid* pid);  // pid: a reference is taken; null: no memory
Result<dentry*> proc_child(dentry* parent, std::string_view name, ProcInode* i);  // not hashed: looked up anew each time
extern const inode_operations pid_dir_iops, fd_dir_iops, task_dir_iops;
extern const file_operations pid_dir_fops, fd_dir_fops, task_dir_fops, fdinfo_fops;
Result<dentry*> lookup_pid_dir(dentry* parent, int nr, bool thread);
void set_pid_owner(ProcInode* i, task_struct* t);

int show_pid_stat(seq_file* m, task_struct* t);
int show_pid_statm(seq_file* m, task_struct* t);
int show_pid_status(seq_file* m, task_struct* t);
int show_pid_maps(seq_file* m, task_struct* t);
int show_pid_timers(seq_file* m, task_struct* t);  // kernel/time
int show_pid_sched(seq_file* m, task_struct* t);   // kernel/sched
int show_pid_schedstat(seq_file* m, task_struct* t);
int show_schedstat(seq_file* m);
int show_pid_autogroup(seq_file* m, task_struct* t);
long write_pid_autogroup(file* f, task_struct* t, char* text, size_t n, loff_t pos);
long write_pid_sched(file* f, task_struct* t, char* text, size_t n, loff_t pos);
int show_meminfo(seq_file* m);
int show_proc_stat(seq_file* m);
extern const file_operations mem_fops;
extern const ProcDir kSysctlDirs[];
