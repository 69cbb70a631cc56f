// Where cgroups are, and a cgroup for the scope of a case.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>
#include <sys/vfs.h>

#include "test/guest/guest.hh"

namespace guest {

/// Where cgroup v2 is mounted, "" if it is not to be had.
inline std::string cgroup_root() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs st;
    if (statfs(path, &st) == 0 && st.f_type == 0x63677270) return path;
  }
  return "";
}

/// A cgroup for the scope.
class Group {
 public:
  explicit Group(const std::string& parent, const char* name) : path(parent + "/guest-" + name + "-" + std::to_string(getpid())) {
    made = mkdir(path.c_str(), 0755) == 0;
  }
  ~Group() {
    if (!made) return;
    EXPECT_TRUE(eventually([&] { return rmdir(path.c_str()) == 0 || errno != EBUSY; }));
  }
  std::string read(const char* file) const { return read_file(path + "/" + file); }
  int write(const char* file, const std::string& text) const { return write_file(path + "/" + file, text); }
  std::string path;
  bool made;
};

}  // namespace guest

#define NEED_CGROUPS()                                              \
  std::string top = guest::cgroup_root();                           \
  if (top.empty()) GTEST_SKIP() << "no cgroup v2 is mounted";       \
  if (access(top.c_str(), W_OK)) GTEST_SKIP() << "cgroups cannot be made here"; \
  {                                                                 \
    guest::Group probe(top, "probe");                               \
    if (!probe.made) GTEST_SKIP() << "cgroups cannot be made here"; \
  }
