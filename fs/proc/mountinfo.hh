// /proc/PID/mountinfo, mounts, mountstats: the mounts of a process's namespace that its root shows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct seq_file;
struct task_struct;
int show_mountinfo(seq_file* m, task_struct* t);
int show_mounts(seq_file* m, task_struct* t);
int show_mountstats(seq_file* m, task_struct* t);
