// Operations: control groups, whose limits refuse forks, which freeze, kill, and are forked into; identities in a user
// namespace. The supervisor has mounted the hierarchy.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "test/fuzz/program.hh"

namespace fuzz {
namespace {

constexpr const char* kGroups[] = {"/cg", "/cg/a", "/cg/a", "/cg/a/b", "/cg/a/b", "/cg/c"};
constexpr long kWriteOnly = 1, kDirectory = 0200000, kCloseOnExec = 02000000;

long write_to(const char* group, const char* file, const char* text, const char* what) {
  char name[40];
  snprintf(name, sizeof name, "%s/%s", group, file);
  user::Str path(name), words(text);
  long result = sys(__NR_open, path.addr(), kWriteOnly, 0);
  if (result >= 0) {
    const long fd = result;
    result = sys(__NR_write, fd, words.addr(), strlen(text));
    sys(__NR_close, fd);
  }
  tally(what, result);
  return result;
}

void move(Stream& in, const char* group) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", some_relative(in));
  write_to(group, in.byte() < 200 ? "cgroup.procs" : "cgroup.threads", pid, "cgroup: move a process or thread");
}

void limit(Stream& in, const char* group) {
  char max[16];
  snprintf(max, sizeof max, "%u", in.below(32));
  write_to(group, "pids.max", in.byte() < 100 ? "max" : max, "cgroup: pids.max");
}

void make_or_remove(Stream& in, const char* group) {
  user::Str path(group);
  const u8 how = in.byte();
  const long result = how < 160 ? sys(__NR_mkdir, path.addr(), 0755) : sys(__NR_rmdir, path.addr());
  tally(how < 160 ? "cgroup: make" : "cgroup: remove", result);
}

}  // namespace

long open_cgroup(Stream& in) {
  user::Str path(in.pick(kGroups));
  return sys(__NR_open, path.addr(), kDirectory | kCloseOnExec, 0);
}

void op_cgroup(Stream& in) {
  const char* group = in.pick(kGroups);
  const u8 how = in.byte();
  switch (how % 12) {
    case 0:
    case 1: make_or_remove(in, group); break;
    case 2:
    case 3: limit(in, group); break;
    case 4: write_to(group, "cgroup.freeze", how < 140 ? "0" : "1", "cgroup: freeze or thaw"); break;
    case 5: write_to(group, "cgroup.kill", "1", "cgroup: kill"); break;
    case 6: write_to(group, "cgroup.subtree_control", how < 200 ? "+pids" : "-pids", "cgroup: controllers"); break;
    case 7:
      if (how > 60) return move(in, group);
      write_to(group, "cgroup.type", "threaded", "cgroup: threaded");
      break;
    default: move(in, group);
  }
}

void op_id_map(Stream& in) {
  user::Str setgroups("/proc/self/setgroups"), deny("deny");
  if (const long fd = sys(__NR_open, setgroups.addr(), kWriteOnly, 0); fd >= 0) {
    sys(__NR_write, fd, deny.addr(), 4);
    sys(__NR_close, fd);
  }
  constexpr const char* kMaps[] = {"0 0 1", "0 1000 1", "0 0 65535", "1000 0 10"};
  write_to("/proc/self", in.byte() < 128 ? "uid_map" : "gid_map", in.pick(kMaps), "map of ids");
}

}  // namespace fuzz
