// A workload as rt-app writes it, in JSON: see README.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "tools/schedlab/lab_api.hh"

namespace schedlab {

struct Workload {
  std::string name, title;
  std::vector<LabTask> tasks;
  std::vector<LabPhase> phases;
  std::vector<LabOp> ops;
  std::vector<LabGroup> groups;
  std::vector<unsigned> barrier_sizes;
  unsigned nr_objects = 0;
  double seconds = 10;
  LabWorkload view(unsigned long seed, LabScheduler scheduler);
};

// Throws std::runtime_error that says what is wrong, and where.
Workload read_workload(const std::string& path);
LabScheduler scheduler_named(const std::string& name);
const char* scheduler_name(LabScheduler s);

}  // namespace schedlab
