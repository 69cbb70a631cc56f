// The texts of fixed files, for the tables.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/proc/proc.hh"

int show_uptime(seq_file* m);
int show_loadavg(seq_file* m);
int show_version(seq_file* m);
int show_cmdline(seq_file* m);
int show_cpuinfo(seq_file* m);
int show_buddyinfo(seq_file* m);
int show_slabinfo(seq_file* m);
int show_enosys(seq_file* m);
int show_crashes(seq_file* m);
long provoke_crash(const ProcFile* f, char* text, size_t n);
long write_sysrq(const ProcFile* f, char* text, size_t n);
