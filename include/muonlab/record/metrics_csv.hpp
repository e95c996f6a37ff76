// A run's numbers as comma-separated values.
#pragma once

#include <string>

#include "muonlab/record/run_folder.hpp"

namespace muonlab::record {

// A header line, then a row. `source` is the name of a file of the run without .jsonl. metrics: a
// row a step, training and validation of that step in one row, with the times of timing.jsonl
// beside them. Others: a row a line. Nested values have dots in their names (lr.adam); what a row
// does not have stays empty. A line that came again, as after a kill, counts in its last form.
// Throws base::Error where the run has no such file; its text names those that are there.
std::string metrics_csv(const RunFolder& folder, const std::string& source);

}  // namespace muonlab::record
