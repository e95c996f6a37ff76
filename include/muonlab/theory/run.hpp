// muonlab theory: from a name and settings to a folder with results.
#pragma once

#include <string>
#include <vector>

#include "muonlab/config/load.hpp"

namespace muonlab::theory {

inline constexpr std::string_view kAll = "all";

struct ExperimentInfo {
  std::string name, title, paper, about;
};
std::vector<ExperimentInfo> experiments();
// The settings of one; throws base::UsageError for a name that is none.
std::vector<config::SettingRow> experiment_settings(const std::string& name);

struct TheoryRequest {
  std::string name;                     // of an experiment, or kAll
  std::string config{};                 // a file; empty: the defaults
  std::vector<std::string> settings{};  // "name=value"
  std::string out{};                    // default: theory/NAME, for all: theory
};

enum class TheoryOutcome { all_hold, some_fail, interrupted };

struct TheoryAnswer {
  TheoryOutcome outcome;
  std::vector<std::string> folders;  // of the experiments that ran, in order
};

// Runs one experiment or all of them, prints the claims, and writes into the folder
//   TABLE.csv    every curve
//   result.json  settings, claims, curves
//   index.html   the page
// (all: a folder an experiment, and index.html with every claim). Files that are not muonlab's own
// are never replaced.
TheoryAnswer run_theory(const TheoryRequest& request);

}  // namespace muonlab::theory
