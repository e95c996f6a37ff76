// The GPUs that the cells of a sweep share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/config/run.hpp"

namespace muonlab::study {

struct Card {
  std::string device;  // as CUDA_VISIBLE_DEVICES names it
  uint64_t bytes = 0;  // of its memory
};

// Those that this process may use, asked of the driver without taking memory on any; none where
// there is no driver.
std::vector<Card> find_cards();

bool runs_on_card(const config::RunConfig& run);

// How many runs of `run_bytes` each fit on the cards at once, at most `most`; at least 1.
int jobs_that_fit(const std::vector<Card>& cards, uint64_t run_bytes, int most);

// The card with the fewest runs, the first of several. busy: runs on each card. REQUIRES: a card.
size_t next_card(const std::vector<int>& busy);

}  // namespace muonlab::study
