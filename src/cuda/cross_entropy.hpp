// Softmax cross-entropy of rows of logits, which become their gradients in place; a block takes
// whole rows, and finds a row that it has read in the caches again.
#pragma once

#include <cmath>

#include "cuda/team.hpp"

namespace muonlab::cuda {

template <class Number>
struct CrossEntropy {
  static constexpr bool kPacked = true;
  Number* logits;          // [rows, stride], of which `vocabulary` columns count
  const int64_t* targets;  // [rows]
  // [rows], in nats; 0 for a target of `ignored`, NaN for one outside the vocabulary
  float* losses;
  // one number: the gradient is (softmax - one at the target) / max(counted, 1); null leaves the
  // logits alone
  const int64_t* counted;
  int64_t rows, vocabulary, stride;
  int64_t ignored;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    for (int64_t row = block; row < rows; row += num_blocks) {
      Number* x = logits + row * stride;
      const int64_t target = targets[row];
      if (target == ignored) {
        leave_out<kSize>(team, x, row);
        continue;
      }
      auto largest = team.make_register();
      team.each([&](int lane) {
        float most = -3.402823466e38f;
        each_column<kSize>(team, lane, x,
                           [&](int64_t, float value) { most = value > most ? value : most; });
        largest[lane] = most;
      });
      const float most = team.max(largest);
      auto exponentials = team.make_register();
      team.each([&](int lane) {
        float total = 0.0f;
        each_column<kSize>(team, lane, x,
                           [&](int64_t, float value) { total += expf(value - most); });
        exponentials[lane] = total;
      });
      const float sum = team.sum(exponentials);
      team.each([&](int lane) {
        if (lane != 0) return;
        const bool known = target >= 0 && target < vocabulary;
        losses[row] = known ? logf(sum) + most - widen(x[target]) : float_of(0x7fc00000u);
      });
      if (counted == nullptr) continue;
      team.barrier();  // the target's logit is read before it becomes a gradient
      const float scale = 1.0f / static_cast<float>(*counted > 1 ? *counted : 1);
      const float over_sum = scale / sum;
      team.each([&](int lane) {
        const int64_t step = static_cast<int64_t>(team.lanes()) * kSize;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < stride; j += step) {
          Pack<Number, kSize> pack = load<kSize>(x + j);
          for (int k = 0; k < kSize; ++k) {
            float d = j + k < vocabulary ? expf(widen(pack.at[k]) - most) * over_sum : 0.0f;
            if (j + k == target) d -= scale;
            narrow(d, pack.at[k]);
          }
          store(x + j, pack);
        }
      });
    }
  }

  // f(column, value) for the lane's columns.
  template <int kSize, class Team, class F>
  MUONLAB_KERNEL void each_column(Team& team, int lane, const Number* x, F f) const {
    const int64_t step = static_cast<int64_t>(team.lanes()) * kSize;
    for (int64_t j = static_cast<int64_t>(lane) * kSize; j < vocabulary; j += step) {
      const Pack<Number, kSize> pack = load<kSize>(x + j);
      for (int k = 0; k < kSize; ++k) {
        if (j + k < vocabulary) f(j + k, widen(pack.at[k]));
      }
    }
  }

  template <int kSize, class Team>
  MUONLAB_KERNEL void leave_out(Team& team, Number* x, int64_t row) const {
    team.each([&](int lane) {
      if (lane == 0) losses[row] = 0.0f;
      if (counted == nullptr) return;
      for (int64_t j = lane; j < stride; j += team.lanes()) narrow(0.0f, x[j]);
    });
  }
};

}  // namespace muonlab::cuda
