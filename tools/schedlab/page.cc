// See page.hh. The template is page.html, made a string by the build.
// SPDX-License-Identifier: Apache-2.0
#include "tools/schedlab/page.hh"

extern const char kPageTemplate[];

namespace schedlab {

// Inside <script>, "</" would end it.
static std::string harmless(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (size_t k = 0; k < json.size(); k++) {
    if (json[k] == '/' && k && json[k - 1] == '<') out += '\\';
    out += json[k];
  }
  return out;
}

std::string page_for(const std::string& runs_json) {
  std::string page = kPageTemplate;
  const std::string mark = "@DATA@";
  return page.replace(page.find(mark), mark.size(), harmless(runs_json));
}

}  // namespace schedlab
