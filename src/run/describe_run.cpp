#include "fill_seconds.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/run/train_run.hpp"
#include "start_page.hpp"

namespace muonlab::run {

std::string describe_run(const config::RunConfig& run) {
  Prepared prepared = outline(run);
  fill_seconds(prepared);
  std::string text = start_page(prepared);
  if (!is_estimated(prepared.place)) return text;
  const auto needed = static_cast<uint64_t>(prepared.plan.memory_bytes);
  const uint64_t usable = usable_bytes(prepared);
  if (needed > usable) {
    text += base::str("\nmemory   ", base::human_bytes(needed), " are more than the ",
                      base::human_bytes(usable), " of this ",
                      prepared.place.device.is_cpu() ? "machine" : "GPU",
                      ", where the run would be refused\n");
  }
  return text;
}

}  // namespace muonlab::run
