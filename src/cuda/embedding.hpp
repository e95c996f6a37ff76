// Rows of the embedding matrix, and their gradient without atomics.
//
// The backward has the tokens sorted, with the places they came from. A block sums the runs of
// equal tokens within its kRunRows places; a run that crosses blocks leaves a share in each, and
// EmbeddingJoin adds the shares in order. Every sum therefore has one order.
#pragma once

#include "cuda/team.hpp"

namespace muonlab::cuda {

constexpr int64_t kRunRows = 32;

struct EmbeddingForward {
  static constexpr bool kPacked = true;
  const int64_t* tokens;  // [rows]
  const float* weight;    // [vocabulary, width]
  float* out;             // [rows, width]; NaN for a token outside the vocabulary
  int64_t rows, width, vocabulary;

  template <int kSize>
  MUONLAB_KERNEL static Pack<float, kSize> not_numbers() {
    Pack<float, kSize> pack;
    for (int k = 0; k < kSize; ++k) pack.at[k] = float_of(0x7fc00000u);
    return pack;
  }

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    for (int64_t row = block; row < rows; row += num_blocks) {
      const bool known = tokens[row] >= 0 && tokens[row] < vocabulary;
      const float* from = weight + (known ? tokens[row] : 0) * width;
      team.each([&](int lane) {
        const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
        for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride)
          store(out + row * width + j, known ? load<kSize>(from + j) : not_numbers<kSize>());
      });
    }
  }
};

// Block b takes the places [b kRunRows, (b + 1) kRunRows) of the sorted tokens.
struct EmbeddingRuns {
  static constexpr bool kPacked = true;
  const int64_t* sorted;  // [rows]
  const int64_t* places;  // [rows]: row of grad_out of each
  const float* grad_out;  // [rows, width]
  float* grad_weight;     // [vocabulary, width], added to
  float* head;            // [blocks, width]: share of a run that began before the block
  float* tail;  // [blocks, width]: share of a run that begins in the block and ends in a later one
  int64_t rows, width, vocabulary;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t) const {
    const int64_t begin = block * kRunRows;
    const int64_t end = begin + kRunRows < rows ? begin + kRunRows : rows;
    team.each([&](int lane) {
      const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
      for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
        for (int64_t i = begin; i < end;) {
          const int64_t token = sorted[i], first = i;
          Pack<float, kSize> sum = load<kSize>(grad_out + places[i] * width + j);
          for (++i; i < end && sorted[i] == token; ++i) {
            const Pack<float, kSize> more = load<kSize>(grad_out + places[i] * width + j);
            for (int k = 0; k < kSize; ++k) sum.at[k] += more.at[k];
          }
          const bool from_before = first == begin && first > 0 && sorted[first - 1] == token;
          const bool goes_on = i == end && end < rows && sorted[end] == token;
          if (from_before) {
            store(head + block * width + j, sum);
          } else if (goes_on) {
            store(tail + block * width + j, sum);
          } else if (token >= 0 && token < vocabulary) {
            float* to = grad_weight + token * width + j;
            Pack<float, kSize> total = load<kSize>(to);
            for (int k = 0; k < kSize; ++k) total.at[k] += sum.at[k];
            store(to, total);
          }
        }
      }
    });
  }
};

// Block b sums the run that begins in it and ends in a later block.
struct EmbeddingJoin {
  static constexpr bool kPacked = true;
  const int64_t* sorted;
  float* grad_weight;
  const float* head;
  const float* tail;
  int64_t rows, width, vocabulary;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t) const {
    const int64_t begin = block * kRunRows, end = begin + kRunRows;
    if (end >= rows) return;
    const int64_t token = sorted[end - 1];
    if (sorted[end] != token || token < 0 || token >= vocabulary) return;
    if (begin > 0 && sorted[begin] == token && sorted[begin - 1] == token) return;  // began before
    team.each([&](int lane) {
      const int64_t stride = static_cast<int64_t>(team.lanes()) * kSize;
      for (int64_t j = static_cast<int64_t>(lane) * kSize; j < width; j += stride) {
        Pack<float, kSize> sum = load<kSize>(tail + block * width + j);
        for (int64_t next = block + 1; next * kRunRows < rows && sorted[next * kRunRows] == token;
             ++next) {
          const Pack<float, kSize> more = load<kSize>(head + next * width + j);
          for (int k = 0; k < kSize; ++k) sum.at[k] += more.at[k];
        }
        float* to = grad_weight + token * width + j;
        Pack<float, kSize> total = load<kSize>(to);
        for (int k = 0; k < kSize; ++k) total.at[k] += sum.at[k];
        store(to, total);
      }
    });
  }
};

}  // namespace muonlab::cuda
