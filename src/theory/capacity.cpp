#include "muonlab/theory/capacity.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "capacity_parts.hpp"
#include "capacity_path.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::theory {
namespace capacity {

int64_t num_facts(const CapacityConfig& config, int64_t width) {
  return std::min(width * width, config.max_facts);
}

int64_t num_asked(const CapacityConfig& config, int64_t width) {
  const double expected = std::pow(static_cast<double>(width), capacity_exponent(config.alpha, 1));
  return std::min(num_facts(config, width), static_cast<int64_t>(4 * expected));
}

double largest_batch(double alpha, int64_t width) {
  return 32 * std::pow(static_cast<double>(width), alpha + 0.5);
}

double num_recovered(const GaussianMemory& memory, const at::Tensor& weights, int64_t asked) {
  return static_cast<double>(memory.recovered(weights, asked).sum().item<int64_t>());
}

}  // namespace capacity

void CapacityConfig::check(const config::Fail& fail) const {
  const auto check_widths = [&](const char* name, const std::vector<int64_t>& list, int64_t most) {
    if (list.size() < 2) fail(name, "needs at least two widths for an exponent");
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i] < 8 || list[i] > most)
        fail(name, base::str(list[i], " is not between 8 and ", most));
      if (i > 0 && list[i] <= list[i - 1])
        fail(name, base::str(list[i], " follows ", list[i - 1], "; widths must increase"));
    }
  };
  check_widths("widths", widths, 1024);
  check_widths("batch_widths", batch_widths, 256);
  check_widths("path_widths", path_widths, 96);
  constexpr double kMostSamples = 1e8;  // in one batch, some ten seconds
  const int64_t widest = batch_widths.back();
  if (capacity::largest_batch(alpha, widest) > kMostSamples) {
    double most = alpha;
    while (most > 1 && capacity::largest_batch(most, widest) > kMostSamples) most -= 0.01;
    fail("alpha",
         base::str(base::exact(alpha), " needs batches of ",
                   base::significant(capacity::largest_batch(alpha, widest), 2),
                   " samples at d = ", widest, "; at most ", base::significant(kMostSamples, 2),
                   " are drawn. For batch_widths up to ", widest, " the largest alpha is ",
                   base::fixed(most, 2)));
  }
}

double capacity_exponent(double alpha, int64_t steps) {
  return 2 - std::pow(1 - 1 / (2 * alpha), static_cast<double>(steps));
}

void run(const CapacityConfig& config, Context& context, Result& result) {
  result.remarks = {
      "The full text of the paper could not be obtained. Theorem and conjecture for several steps "
      "are quoted from a page of open problems; widths, numbers of facts, batches and all ranges "
      "are ours.",
      "Embeddings are N(0, I/d), which the theorem's step size d^(1/2) suggests."};
  capacity::run_one_step(config, context, result);
  capacity::run_batches(config, context, result);
  capacity::run_paths(config, context, result);
}

}  // namespace muonlab::theory
