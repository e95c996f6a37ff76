// Which rows of a sweep know rare facts better than its baseline, group by group.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/study/report/data.hpp"

namespace muonlab::study {

// How often a person of a group is asked about in the training text, where the corpus says it.
std::optional<int64_t> times_asked(const ReportData& data, size_t block, int64_t group);
std::string group_name(const ReportData& data, size_t block,
                       int64_t group);  // "asked 4×"; else "group 5"
std::string accuracy_text(
    const RowAnswer& row);  // "0.790 ± 0.011" of a row of a GroupAnswer that has runs

// By group, the rows in the order of the block's answer. Empty where the block has no answer or its
// runs no tail probe.
std::vector<GroupAnswer> group_answers(const ReportData& data, size_t block);

// The rarest group's accuracies, one line a block, for a terminal of `width` columns; empty where
// no block has any.
std::string rarest_text(const ReportData& data, size_t width);

}  // namespace muonlab::study
