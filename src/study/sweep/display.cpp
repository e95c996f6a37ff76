#include "display.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

std::string running_text(const RunningCell& cell, bool brief) {
  std::string text = "   ▸ " + cell.name;
  if (brief) return text;
  if (cell.status.steps > 0) text += base::str("  step ", cell.status.step, "/", cell.status.steps);
  if (cell.status.loss) text += "  loss " + base::fixed(*cell.status.loss, 2);
  if (cell.left_s > 0) text += "  " + base::human_duration(cell.left_s) + " left";
  return text;
}

}  // namespace

std::string final_loss_text(const CellStatus& status) {
  std::string text = status.val_loss ? base::fixed(*status.val_loss, 4) : "unknown";
  if (status.doubt != record::LossDoubt::none)
    text += base::str(" (", record::doubt_text(status.doubt), ")");
  return text;
}

std::string progress_line(const SweepProgress& progress, size_t width) {
  const std::string head = base::str(" ✓ ", progress.done, " done");
  std::string tail;
  if (progress.failed > 0) tail += base::str("   ✗ ", progress.failed, " failed");
  if (progress.queued > 0) tail += base::str("   ", progress.queued, " queued");
  if (progress.elsewhere > 0)
    tail += base::str(" (", progress.elsewhere, " trained by another process)");
  if (progress.waiting > 0) tail += base::str("   ", progress.waiting, " wait for rates");
  if (progress.left_s > 0) tail += "   " + base::human_duration(progress.left_s) + " left";
  for (const bool brief : {false, true}) {
    std::string line = head;
    for (const RunningCell& cell : progress.running) line += running_text(cell, brief);
    if (base::display_width(line + tail) <= width) return line + tail;
  }
  return base::clip_text(base::str(head, "   ▸ ", progress.running.size(), " running", tail),
                         width);
}

std::string ended_line(const std::string& cell, const CellStatus& status, double seconds,
                       size_t name_width) {
  const std::string name = base::pad_right(cell, name_width);
  const std::string time = "   " + base::human_duration(seconds);
  switch (status.state) {
    case CellState::finished:
      return base::str(status.doubt == record::LossDoubt::none ? " ✓ " : " ! ", name,
                       "  validation loss ", final_loss_text(status), time);
    case CellState::diverged:
      return base::str(" ✗ ", name, "  diverged at step ", status.step, ": the loss was not finite",
                       time);
    default: return base::str(" ✗ ", name, "  failed at step ", status.step, time);
  }
}

}  // namespace muonlab::study
