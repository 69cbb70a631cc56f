// /proc/PID/uid_map, gid_map, projid_map and setgroups.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/proc/seq_file.hh"

struct task_struct;
int show_uid_map(seq_file* m, task_struct* t);
int show_gid_map(seq_file* m, task_struct* t);
int show_projid_map(seq_file* m, task_struct* t);
int show_setgroups(seq_file* m, task_struct* t);
long write_uid_map(file* f, task_struct* t, char* text, size_t n, loff_t pos);
long write_gid_map(file* f, task_struct* t, char* text, size_t n, loff_t pos);
long write_projid_map(file* f, task_struct* t, char* text, size_t n, loff_t pos);
long write_setgroups(file* f, task_struct* t, char* text, size_t n, loff_t pos);
