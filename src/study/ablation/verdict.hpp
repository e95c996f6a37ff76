// An ablation's answer in words, made from its figures.
#pragma once

#include <string>
#include <vector>

#include "muonlab/study/ablation/ablation.hpp"

namespace muonlab::study {

// One sentence about the reference's gain; then, where that can be told from noise, one about the
// rows that bring most and least of it, else one about the shares that are undefined.
std::vector<std::string> verdict_sentences(const AblationAnswer& answer);
// A sentence for every row with seeds that diverged or whose loss tells of a broken run.
std::vector<std::string> broken_run_sentences(const AblationAnswer& answer);

std::string capitalized(std::string text);        // its first letter
std::string possessive(const std::string& name);  // "Muon's", "all matrices'"
std::string p_text(double p);                     // "p = 2e-6", "p = 0.03", "p < 1e-15"
std::string percent_text(double share);           // "96 %"

constexpr size_t kTextIndent = 2;
// Words in lines of at most `width`, each with the table's indent; a figure stays on a line with
// its sign and unit.
std::string wrapped(const std::string& text, size_t width);

}  // namespace muonlab::study
