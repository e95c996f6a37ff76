// Whether configurations fit their data: a warm-up into a length in epochs, the questions of
// probes.tail into the context. A configuration alone does not show it.
#pragma once

#include <set>
#include <string>

#include "muonlab/config/run.hpp"

namespace muonlab::study {

class DataFit {
 public:
  // Throws ConfigError that names the file and the `place` in it (empty: the whole file). Returns
  // why nothing could be checked: the data cannot be opened here; empty otherwise. Opens the data
  // once for configurations that ask them the same.
  std::string check(const config::RunConfig& run, const std::string& file,
                    const std::string& place);
  // Whether opening the data takes less than about a second.
  static bool is_quick(const config::RunConfig& run);

 private:
  std::set<std::string> checked_;
};

}  // namespace muonlab::study
