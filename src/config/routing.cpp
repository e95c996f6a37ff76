#include "muonlab/config/routing.hpp"

#include <numeric>

namespace muonlab::config {

std::vector<size_t> first_matches(const std::vector<AssignConfig>& assign,
                                  const std::vector<ParameterSpec>& parameters) {
  std::vector<size_t> lines(parameters.size(), kNoLine);
  std::vector<size_t> open(parameters.size());  // not yet taken
  std::iota(open.begin(), open.end(), size_t{0});
  for (size_t i = 0; i < assign.size(); ++i) {
    for (const std::string& text : assign[i].params) {
      const Selector selector(text);
      std::erase_if(open, [&](size_t p) {
        if (!selector.matches(parameters[p])) return false;
        lines[p] = i;
        return true;
      });
    }
  }
  return lines;
}

}  // namespace muonlab::config
