#include "console.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::run {
namespace {

// Elsewhere than on a terminal a line appears this often.
constexpr double kPlainInterval_s = 10.0;

}  // namespace

std::string peak_share_text(double share) {
  return share > 1 ? "100+% of GEMM peak" : base::fixed(100 * share, 0) + "% of GEMM peak";
}

Console::Console(const train::Plan& plan, double flops_per_token, double peak_gflops)
    : plan_(plan),
      flops_per_token_(flops_per_token),
      peak_gflops_(peak_gflops),
      live_(1, kPlainInterval_s) {}

std::string Console::line(const train::StepRecord& record) const {
  const double tokens_per_s = 1.0 / seconds_per_token_;
  const std::string progress = base::str(record.step, "/", plan_.steps);
  const std::string step =
      "step " + base::pad_left(progress, 2 * base::str(plan_.steps).size() + 1);
  const std::string loss = "  loss " + base::fixed(record.loss, 3) + last_validation_;
  std::string rates = "  grad " + base::fixed(record.grad_norm, 2) + "  lr";
  for (double lr : record.lr) rates += " " + base::scientific(lr, 1);
  const std::string speed = "  " + base::with_commas(static_cast<int64_t>(tokens_per_s)) + " tok/s";
  const std::string share =
      peak_gflops_ > 0
          ? "  " + peak_share_text(tokens_per_s * flops_per_token_ / (peak_gflops_ * 1e9))
          : "";
  const double left_s = static_cast<double>(plan_.tokens - record.tokens) * seconds_per_token_;
  const std::string left =
      record.step == plan_.steps ? "" : "  " + base::human_duration(left_s) + " left";
  // A narrow terminal keeps what changes decisions.
  const std::string full = step + loss + rates + speed + share + left;
  const bool fits = !live_.on_terminal() ||
                    base::display_width(full) <= static_cast<size_t>(base::terminal_width(1));
  return fits ? full : step + loss + speed + left;
}

void Console::stepped(const train::StepRecord& record) {
  // The first step warms caches up; the average forgets it within a few steps.
  const double weight = seconds_per_token_ == 0 ? 1.0 : 0.2;
  const double now = record.total_s / static_cast<double>(plan_.tokens_of(record.step));
  seconds_per_token_ += weight * (now - seconds_per_token_);
  last_ = record;
  live_.update(line(record));
}

void Console::evaluated(int64_t step, const train::Evaluation& evaluation) {
  last_validation_ = base::str("  val ", base::fixed(evaluation.loss, 3), " @", step);
  std::string sets;
  for (const auto& [name, set] : evaluation.sets)
    sets += base::str("  ", name, " ", base::fixed(set.loss, 4));
  base::print_line(base::str("val    step ",
                             base::pad_left(base::str(step), base::str(plan_.steps).size()),
                             "  loss ", base::fixed(evaluation.loss, 4), "  perplexity ",
                             base::perplexity_text(evaluation.perplexity), "  bits per byte ",
                             base::bits_per_byte_text(evaluation.bits_per_byte), sets));
}

void Console::finish() {
  if (last_.step > 0) live_.finish(line(last_));
}

}  // namespace muonlab::run
