// An ablation's answer in words, made from its figures.
#pragma once

#include <string>
#include <vector>

#include "muonlab/study/ablation/ablation.hpp"

namespace muonlab::study {

// One sentence about the reference's gain, and one about the rows that bring most and least of it
// where it has bounds.
std::vector<std::string> verdict_sentences(const AblationAnswer& answer);

std::string p_text(double p);            // "p = 2e-6", "p = 0.03", "p < 1e-15"
std::string percent_text(double share);  // "96 %"

constexpr size_t kTextIndent = 2;
// Words in lines of at most `width`, each with the table's indent; a figure stays on a line with
// its sign and unit.
std::string wrapped(const std::string& text, size_t width);

}  // namespace muonlab::study
