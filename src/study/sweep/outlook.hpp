// What a sweep says about itself before and while it runs.
#pragma once

#include <string>
#include <vector>

#include "cards.hpp"
#include "queue.hpp"

namespace muonlab::study {

// The work that is left, for the machine this runs on.
struct Outlook {
  int64_t num_runs = 0;  // left to run, those that wait for rates included
  int64_t num_finished = 0, num_waiting = 0;
  int64_t num_unknown = 0;     // of the runs left: their data tell no vocabulary or length
  double max_more_trials = 0;  // of searches, beyond num_runs
  double seconds = 0;          // 0: not known
  std::string rate_source;
  uint64_t memory_bytes = 0;           // of the largest `jobs` cells together; 0: not known
  uint64_t card_bytes = 0;             // of a GPU's memory, of the largest cell that runs on one
  uint64_t disk_bytes = 0;             // that the sweep will add
  bool fills_memory = false;           // a cell takes all there is: its train.micro_batch is "auto"
  std::vector<std::string> batches{};  // of cells whose batch grows, each once
};
// `measure`: times some steps of every shape for the seconds; else they follow from the rate of
// matrix products.
Outlook look_ahead(SweepQueue& queue, int jobs, bool measure);
// What --dry-run proposes for the cards: "gpus     1 with 85.0 GB; …"; empty without any.
std::string cards_text(const Outlook& outlook, const std::vector<Card>& cards);
// "sweep    runs/tiny_gated" with what is planned, the line of cells, the time, memory and disk
// they take.
std::string outlook_text(const Outlook& outlook, SweepQueue& queue, int jobs);
// Plans anew from what is known, keeps the plan in the sweep's folder where it changed, and prints
// a line for every search that has found its rates by that.
void plan_again(SweepQueue& queue);

}  // namespace muonlab::study
