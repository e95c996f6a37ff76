// An ablation's answer on a terminal.
#pragma once

#include <span>
#include <string>

#include "muonlab/study/ablation/ablation.hpp"

namespace muonlab::study {

// Blocks one below the other in the same columns, each with its title and its verdict; the paper's
// column only where there are published losses. Where `width` columns are too few, each row
// is a list: its label, and its figures below.
std::string ablation_table(std::span<const AblationAnswer> blocks, size_t width = 100);

}  // namespace muonlab::study
