// Reads tests/golden/statistics.txt (made by scripts/make_statistics_goldens.py): lines of a name
// and numbers.
#pragma once

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace muonlab::support {

using Numbers = std::vector<double>;

// Every line of one name, in the file's order.
using GoldenNumbers = std::map<std::string, std::vector<Numbers>>;

inline const GoldenNumbers& golden_numbers() {
  static const GoldenNumbers golden = [] {
    std::ifstream in(MUONLAB_SOURCE_DIR "/tests/golden/statistics.txt");
    GoldenNumbers read;
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string name, word;
      words >> name;
      if (name == "#") continue;
      Numbers& numbers = read[name].emplace_back();
      while (words >> word) numbers.push_back(std::strtod(word.c_str(), nullptr));
    }
    if (read.empty()) throw std::runtime_error("tests/golden/statistics.txt holds nothing");
    return read;
  }();
  return golden;
}

// The one line of a name.
inline const Numbers& golden_line(const std::string& name) {
  return golden_numbers().at(name).at(0);
}

}  // namespace muonlab::support
