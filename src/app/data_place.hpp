// The data that a run's checkpoint names, which may have been moved since it was made.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "muonlab/data/corpus.hpp"
#include "muonlab/run/session.hpp"

namespace muonlab::app {

// Where the data are now: settings of data alone.
struct DataPlace {
  std::vector<std::string> settings;
  void add_option(CLI::App& command);
};

// `name`: the checkpoint as the user named it. Warns where other data lie there.
data::Dataset open_data(const run::LoadedModel& loaded, const std::string& name,
                        const DataPlace& place);

}  // namespace muonlab::app
