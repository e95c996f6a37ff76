#include "muonlab/config/routing.hpp"

#include <algorithm>

namespace muonlab::config {

std::vector<size_t> first_matches(const std::vector<AssignConfig>& assign,
                                  const std::vector<ParameterSpec>& parameters) {
  std::vector<size_t> lines(parameters.size(), kNoLine);
  for (size_t p = 0; p < parameters.size(); ++p) {
    const auto matches = [&](const AssignConfig& line) {
      return std::any_of(line.params.begin(), line.params.end(), [&](const std::string& selector) {
        return selector_matches(selector, parameters[p]);
      });
    };
    const auto found = std::find_if(assign.begin(), assign.end(), matches);
    if (found != assign.end()) lines[p] = static_cast<size_t>(found - assign.begin());
  }
  return lines;
}

}  // namespace muonlab::config
