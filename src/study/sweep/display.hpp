// What a person sees while a sweep runs: one live line, and a line for every cell that ends.
#pragma once

#include <string>
#include <vector>

#include "muonlab/base/terminal.hpp"
#include "muonlab/study/sweep/sweep.hpp"

namespace muonlab::study {

struct RunningCell {
  std::string name;
  CellStatus status;
  double left_s = 0;  // 0: not known yet
};

struct SweepProgress {
  int64_t done = 0, queued = 0, waiting = 0, failed = 0;
  int64_t elsewhere = 0;  // of the queued ones: trained by another process
  std::vector<RunningCell> running;
  double left_s = 0;  // 0: not known yet
};

// " ✓ 21 done   ▸ vo_ffn-s2  step 310/600  loss 4.21  1 min left   13 queued   29 min left", at
// most `width` columns: what is lost first is the end of the list of running cells.
std::string progress_line(const SweepProgress& progress, size_t width);
// The final validation loss of a finished cell, "4.2131", with what speaks against it.
std::string final_loss_text(const CellStatus& status);
// " ✓ vo_ffn-s2                 validation loss 4.2131   62 s"
std::string ended_line(const std::string& cell, const CellStatus& status, double seconds,
                       size_t name_width);

}  // namespace muonlab::study
