// Computes the answer of an ablation from a sweep's folder.
#pragma once

#include <string>
#include <vector>

#include "muonlab/study/ablation/ablation.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::study {

// The blocks of a sweep in the order of their points; one without a name where nothing but the
// compared axis varies.
std::vector<std::string> block_names(const SweepResult& sweep);
// A block's name for people: its label, else "protocol fair" of the axis protocol; empty for the
// block without a name.
std::string block_title(const config::SweepConfig& config, const std::string& block);

// One answer a block, from the final validation losses of the cells that are finished; none where
// nothing is compared. Rows without a result in any block are left out.
std::vector<AblationAnswer> sweep_answers(const SweepResult& sweep);

}  // namespace muonlab::study
