// The losses on the named validation sets (data.valid_sets), row by row.
#pragma once

#include <string>
#include <vector>

#include "muonlab/study/report/data.hpp"

namespace muonlab::study {

// The sets that a block's finished runs were validated on, by name. A set whose name stands for
// other files in some of the runs is left out: its losses say nothing about the rows.
std::vector<std::string> valid_set_names(const ReportData& data, size_t block);

// By set, the rows in the order of the block's answer. Empty where the block has no answer.
std::vector<SetAnswer> set_answers(const ReportData& data, size_t block);

// A sentence a set and block, for a terminal of `width` columns; empty where no block has any.
std::string valid_sets_text(const ReportData& data, size_t width);

}  // namespace muonlab::study
