// RMSNorm over heads (QK-norm) and rotary positions (Su et al., arXiv 2104.09864, half-rotation
// layout) on rows of packed [query heads | key heads | value heads].
//
// A head is the work of a group of neighbouring lanes, of which each takes pairs (i, i + d / 2).
#pragma once

#include "cuda/rms_norm.hpp"
#include "cuda/team.hpp"

namespace muonlab::cuda {

// A power of two up to kWarp that covers half a head.
constexpr int lanes_of_head(int64_t head_dim, int size) {
  const int64_t packs = (head_dim / 2 + size - 1) / size;
  int group = 1;
  while (group < kWarp && group < packs) group *= 2;
  return group;
}

// What both directions know of the rows. Row r holds position r mod num_positions.
struct HeadRows {
  const float* cosine;  // [positions, d / 2]
  const float* sine;
  const float* query_gain;  // [d], or null for one
  const float* key_gain;
  int64_t rows, num_positions;
  int64_t queries, keys, head_dim;
  int group;  // lanes_of_head
  bool has_norm;
  float eps;

  MUONLAB_KERNEL int64_t packed_width() const { return (queries + 2 * keys) * head_dim; }
};

// A lane's place in the work: which head of which row, and where its pairs start.
struct HeadTask {
  bool active;
  int64_t position, start;  // start: element of the packed rows
  int64_t row, head;
};

MUONLAB_KERNEL HeadTask task_of(const HeadRows& r, int64_t index, int64_t heads) {
  const int64_t row = index / heads, head = index % heads;
  return {index < r.rows * heads, row % r.num_positions, row * r.packed_width() + head * r.head_dim,
          row, head};
}

// out may be in. The values are copied where it is not.
template <class Number>
struct RotateForward {
  static constexpr bool kPacked = true;
  HeadRows r;
  const Number* in;
  Number* out;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    const int64_t half = r.head_dim / 2, rotated = r.queries + r.keys;
    const int64_t heads = in == out ? rotated : rotated + r.keys;
    const int64_t at_once = team.lanes() / r.group, tasks = r.rows * heads;
    for (int64_t first = block * at_once; first < tasks; first += num_blocks * at_once) {
      auto squares = team.make_register();
      if (r.has_norm) {
        team.each([&](int lane) {
          const HeadTask task = task_of(r, first + lane / r.group, heads);
          if (!task.active) return;
          float total = 0.0f;
          for (int64_t i = (lane % r.group) * kSize; i < half; i += r.group * kSize) {
            const Pack<Number, kSize> x1 = load<kSize>(in + task.start + i);
            const Pack<Number, kSize> x2 = load<kSize>(in + task.start + half + i);
            for (int k = 0; k < kSize; ++k) {
              const float a = widen(x1.at[k]), b = widen(x2.at[k]);
              total += a * a + b * b;
            }
          }
          squares[lane] = total;
        });
        team.sum_groups(squares, r.group);
      }
      team.each([&](int lane) {
        const HeadTask task = task_of(r, first + lane / r.group, heads);
        if (!task.active) return;
        const bool is_value = task.head >= rotated;
        const float* gain = task.head < r.queries ? r.query_gain : r.key_gain;
        const float scale = r.has_norm ? inverse_rms(squares[lane], r.head_dim, r.eps) : 1.0f;
        for (int64_t i = (lane % r.group) * kSize; i < half; i += r.group * kSize) {
          const Pack<Number, kSize> x1 = load<kSize>(in + task.start + i);
          const Pack<Number, kSize> x2 = load<kSize>(in + task.start + half + i);
          if (is_value) {
            store(out + task.start + i, x1);
            store(out + task.start + half + i, x2);
            continue;
          }
          Pack<Number, kSize> y1, y2;
          for (int k = 0; k < kSize; ++k) {
            const float c = r.cosine[task.position * half + i + k];
            const float s = r.sine[task.position * half + i + k];
            float a = widen(x1.at[k]) * scale, b = widen(x2.at[k]) * scale;
            if (gain != nullptr) {
              a *= gain[i + k];
              b *= gain[half + i + k];
            }
            narrow(a * c - b * s, y1.at[k]);
            narrow(b * c + a * s, y2.at[k]);
          }
          store(out + task.start + i, y1);
          store(out + task.start + half + i, y2);
        }
      });
    }
  }
};

// From the gradients of rotated queries and keys and of the values, each rows of its own heads, the
// gradient of `in`, packed; `in` is read only with a norm. partial [num_blocks, 2 d]: each block's
// sums for the gains of queries and keys, or null; then the team's scratch holds 2 d floats for
// each group of lanes.
template <class Number>
struct RotateBackward {
  static constexpr bool kPacked = true;
  HeadRows r;
  const Number* in;
  const Number* grad_query;
  const Number* grad_key;
  const Number* grad_value;
  Number* grad;
  float* partial;

  template <int kSize, class Team>
  MUONLAB_KERNEL void run(Team& team, int64_t block, int64_t num_blocks) const {
    const int64_t heads = r.queries + 2 * r.keys;
    const int64_t at_once = team.lanes() / r.group, tasks = r.rows * heads;
    const int64_t d2 = 2 * r.head_dim;
    float* sums = team.scratch();
    if (partial != nullptr) {
      team.each([&](int lane) {
        for (int64_t i = lane; i < at_once * d2; i += team.lanes()) sums[i] = 0.0f;
      });
      team.barrier();
    }
    for (int64_t first = block * at_once; first < tasks; first += num_blocks * at_once) {
      auto squares = team.make_register(), products = team.make_register();
      if (r.has_norm) {
        team.each([&](int lane) {
          const HeadTask task = task_of(r, first + lane / r.group, heads);
          squares[lane] = products[lane] = 0.0f;
          if (!task.active || is_value(task)) return;
          float square = 0.0f, product = 0.0f;
          each_pair<kSize>(lane, task, [&](int64_t, float x, float g) {
            square += x * x;
            product += g * x;
          });
          squares[lane] = square;
          products[lane] = product;
        });
        team.sum_groups(squares, r.group);
        team.sum_groups(products, r.group);
      }
      team.each([&](int lane) {
        const HeadTask task = task_of(r, first + lane / r.group, heads);
        if (!task.active) return;
        if (is_value(task)) return copy_value<kSize>(lane, task);
        const float scale = r.has_norm ? inverse_rms(squares[lane], r.head_dim, r.eps) : 1.0f;
        const float pull =
            r.has_norm ? products[lane] * scale * scale * scale / static_cast<float>(r.head_dim)
                       : 0.0f;
        write_gradient<kSize>(lane, task, scale, pull, sums + lane / r.group * d2);
      });
    }
    if (partial == nullptr) return;
    team.barrier();
    team.each([&](int lane) {
      for (int64_t i = lane; i < d2; i += team.lanes()) {
        float total = 0.0f;
        for (int64_t group = 0; group < at_once; ++group) total += sums[group * d2 + i];
        partial[block * d2 + i] = total;
      }
    });
  }

  MUONLAB_KERNEL bool is_value(const HeadTask& task) const {
    return task.head >= r.queries + r.keys;
  }

  // The gradient of the task's head after the rotation.
  MUONLAB_KERNEL const Number* upstream(const HeadTask& task) const {
    const int64_t d = r.head_dim, key = task.head - r.queries;
    if (key < 0) return grad_query + (task.row * r.queries + task.head) * d;
    return key < r.keys ? grad_key + (task.row * r.keys + key) * d
                        : grad_value + (task.row * r.keys + key - r.keys) * d;
  }

  template <int kSize>
  MUONLAB_KERNEL void copy_value(int lane, const HeadTask& task) const {
    const Number* from = upstream(task);
    const int64_t half = r.head_dim / 2;
    for (int64_t i = (lane % r.group) * kSize; i < half; i += r.group * kSize) {
      store(grad + task.start + i, load<kSize>(from + i));
      store(grad + task.start + half + i, load<kSize>(from + half + i));
    }
  }

  // Turned back: the gradients of what was rotated, for the elements i and i + d / 2 of a head.
  struct Turned {
    float first, second;
  };
  MUONLAB_KERNEL Turned turn_back(int64_t position, int64_t i, float d1, float d2) const {
    const float c = r.cosine[position * (r.head_dim / 2) + i];
    const float s = r.sine[position * (r.head_dim / 2) + i];
    return {d1 * c + d2 * s, d2 * c - d1 * s};
  }

  // f(element of the head, x, gradient of the normed x).
  template <int kSize, class F>
  MUONLAB_KERNEL void each_pair(int lane, const HeadTask& task, F f) const {
    const int64_t half = r.head_dim / 2;
    const Number* from = upstream(task);
    const float* gain = task.head < r.queries ? r.query_gain : r.key_gain;
    for (int64_t i = (lane % r.group) * kSize; i < half; i += r.group * kSize) {
      const Pack<Number, kSize> x1 = load<kSize>(in + task.start + i);
      const Pack<Number, kSize> x2 = load<kSize>(in + task.start + half + i);
      const Pack<Number, kSize> d1 = load<kSize>(from + i);
      const Pack<Number, kSize> d2 = load<kSize>(from + half + i);
      for (int k = 0; k < kSize; ++k) {
        const Turned t = turn_back(task.position, i + k, widen(d1.at[k]), widen(d2.at[k]));
        f(i + k, widen(x1.at[k]), gain != nullptr ? t.first * gain[i + k] : t.first);
        f(half + i + k, widen(x2.at[k]),
          gain != nullptr ? t.second * gain[half + i + k] : t.second);
      }
    }
  }

  template <int kSize>
  MUONLAB_KERNEL void write_gradient(int lane, const HeadTask& task, float scale, float pull,
                                     float* sums) const {
    const int64_t half = r.head_dim / 2;
    const Number* from = upstream(task);
    const bool is_query = task.head < r.queries;
    const float* gain = is_query ? r.query_gain : r.key_gain;
    float* own = sums + (is_query ? 0 : r.head_dim);
    for (int64_t i = (lane % r.group) * kSize; i < half; i += r.group * kSize) {
      const Pack<Number, kSize> d1 = load<kSize>(from + i);
      const Pack<Number, kSize> d2 = load<kSize>(from + half + i);
      Pack<Number, kSize> x1{}, x2{}, y1, y2;
      if (r.has_norm) {
        x1 = load<kSize>(in + task.start + i);
        x2 = load<kSize>(in + task.start + half + i);
      }
      for (int k = 0; k < kSize; ++k) {
        const Turned t = turn_back(task.position, i + k, widen(d1.at[k]), widen(d2.at[k]));
        float a = t.first, b = t.second;
        if (r.has_norm) {
          const float in1 = widen(x1.at[k]), in2 = widen(x2.at[k]);
          if (partial != nullptr) {
            own[i + k] += a * in1 * scale;
            own[half + i + k] += b * in2 * scale;
          }
          if (gain != nullptr) {
            a *= gain[i + k];
            b *= gain[half + i + k];
          }
          a = scale * a - in1 * pull;
          b = scale * b - in2 * pull;
        }
        narrow(a, y1.at[k]);
        narrow(b, y2.at[k]);
      }
      store(grad + task.start + i, y1);
      store(grad + task.start + half + i, y2);
    }
  }
};

}  // namespace muonlab::cuda
