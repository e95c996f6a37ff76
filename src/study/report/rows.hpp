// Which runs are one row of a report, the colours of the rows, and the titles of their blocks.
#pragma once

#include "muonlab/study/report/data.hpp"

namespace muonlab::study {

// The row of a label, added if there is none.
size_t row_index(ReportData& data, const std::string& label);
// The rows of a sweep in its order; its baseline gets colour 0, its reference colour 1.
void add_sweep_rows(ReportData& data, const config::SweepConfig& sweep);
// Rows of the runs from `first` on, which belong to no sweep: by configuration, seed and name
// apart.
void group_rows(ReportData& data, size_t first);
// Colours of the rows that have none: 0 for Adam on every matrix and 1 for Muon, where these are
// free; then the others, first without a marker, then with one.
void colour_rows(ReportData& data);

// Of a sweep's block, with the sweep's name before it; either may be empty.
std::string titled_block(const std::string& sweep_name, const config::SweepConfig& sweep,
                         const std::string& block);

}  // namespace muonlab::study
