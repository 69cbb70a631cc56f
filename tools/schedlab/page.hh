// One HTML page, complete in itself: the runs' data and the script that draws them.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace schedlab {
std::string page_for(const std::string& runs_json);
}
