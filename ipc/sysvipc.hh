// What /proc shows of System V objects: of the reader's namespace.
// SPDX-License-Identifier: Apache-2.0
#pragma once
struct seq_file;
int show_sysvipc_sem(seq_file* m);
int show_sysvipc_msg(seq_file* m);
