// Which figures of runs may be compared. A loss in nats per token depends on the text on which it
// is measured, on how a tokenizer cuts that text, and on which windows of it are read.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "muonlab/record/run_record.hpp"

namespace muonlab::study {

struct Comparability {
  bool losses = true;         // validation losses in nats a token
  bool bits_per_byte = true;  // their text is the same, whatever the tokenizer
  bool training = true;       // they train on the same tokens
  // Sentences for the reader, naming the settings; empty where all figures are comparable.
  std::vector<std::string> reasons{};
};

// Of all the runs with the first one. Runs that name other files hold the same data if their
// checkpoints recorded the same content, or else if the shards there have the same content.
Comparability comparability(std::span<const record::RunRecord* const> runs);

// Indices of the runs whose losses are comparable with each other, group by group, in the order of
// each group's first run.
std::vector<std::vector<size_t>> comparable_groups(std::span<const record::RunRecord* const> runs);

}  // namespace muonlab::study
