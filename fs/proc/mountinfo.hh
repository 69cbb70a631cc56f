// /proc/PID/mountinfo.
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct seq_file;
struct task_struct;
int show_mountinfo(seq_file* m, task_struct* t);
