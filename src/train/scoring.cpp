#include "muonlab/train/scoring.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/ops/cross_entropy.hpp"

namespace muonlab::train {
namespace {

// Reads tokens [begin, end) of a sequence and predicts those from `counted` + 1 to end.
struct Window {
  size_t sequence;
  int64_t begin, end, counted;

  int64_t length() const { return end - begin; }
};

std::vector<Window> windows_of(const std::vector<Ids>& sequences, const Windows& shape) {
  std::vector<Window> windows;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int64_t read = std::ssize(sequences[i]) - 1;  // the last token is only predicted
    for (int64_t done = 0; done < read;) {
      const int64_t end = std::min(read, done == 0 ? shape.context : done + shape.stride);
      windows.push_back({i, std::max<int64_t>(0, end - shape.context), end, done});
      done = end;
    }
  }
  // Windows of similar length share a forward pass.
  std::stable_sort(windows.begin(), windows.end(),
                   [](const Window& a, const Window& b) { return a.length() < b.length(); });
  return windows;
}

void take_batch(model::Model& model, const std::vector<Ids>& sequences,
                std::span<const Window> windows, at::Device device,
                std::vector<std::vector<float>>& losses) {
  const int64_t b = std::ssize(windows), t = windows.back().length();
  at::Tensor tokens_bt = at::zeros({b, t}, at::kLong);
  at::Tensor targets_bt = at::full({b, t}, ops::kIgnoredTarget, at::kLong);
  auto* tokens = tokens_bt.mutable_data_ptr<int64_t>();
  auto* targets = targets_bt.mutable_data_ptr<int64_t>();
  for (int64_t row = 0; row < b; ++row) {
    const Window& window = windows[static_cast<size_t>(row)];
    const Ids& ids = sequences[window.sequence];
    for (int64_t i = window.begin; i < window.end; ++i) {
      const int64_t at = row * t + i - window.begin;
      tokens[at] = ids[static_cast<size_t>(i)];
      if (i >= window.counted) targets[at] = ids[static_cast<size_t>(i) + 1];
    }
  }
  const at::Tensor made = model.token_losses(tokens_bt.to(device), targets_bt.to(device))
                              .to(at::kCPU, at::kFloat)
                              .contiguous();
  const float* values = made.const_data_ptr<float>();
  for (int64_t row = 0; row < b; ++row) {
    const Window& window = windows[static_cast<size_t>(row)];
    for (int64_t i = window.counted; i < window.end; ++i) {
      const float loss = values[row * t + i - window.begin];
      if (!std::isfinite(loss)) {
        throw base::NonFinite("the model's losses are not finite: its weights are not, or they ",
                              "overflow; take an earlier checkpoint");
      }
      losses[window.sequence][static_cast<size_t>(i)] = loss;
    }
  }
}

}  // namespace

std::vector<std::vector<float>> sequence_losses(model::Model& model,
                                                const std::vector<Ids>& sequences,
                                                const Windows& shape) {
  base::check(
      shape.context >= 1 && shape.stride >= 1 && shape.stride <= shape.context && shape.batch >= 1,
      "windows move on by 1 to context tokens");
  const at::NoGradGuard no_grad;
  std::vector<std::vector<float>> losses;
  for (const Ids& ids : sequences) losses.emplace_back(ids.empty() ? 0 : ids.size() - 1);
  const std::vector<Window> windows = windows_of(sequences, shape);
  const auto batch = static_cast<size_t>(shape.batch);
  for (size_t first = 0; first < windows.size(); first += batch) {
    take_batch(model, sequences,
               std::span(windows).subspan(first, std::min(batch, windows.size() - first)),
               shape.device, losses);
  }
  return losses;
}

}  // namespace muonlab::train
