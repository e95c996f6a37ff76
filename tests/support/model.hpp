// Models for tests.
#pragma once

#include <numeric>
#include <vector>

#include <ATen/ATen.h>

#include "muonlab/model/model.hpp"

namespace muonlab::support {

inline tensor::Arena make_arena(const config::ModelConfig& model,
                                at::ScalarType dtype = at::kFloat) {
  const auto specs = config::parameter_specs(model);
  std::vector<size_t> order(specs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  return tensor::Arena(specs, order, dtype);
}

inline config::ModelConfig model_shape(int64_t layers, int64_t width, int64_t heads,
                                       int64_t kv_heads, int64_t head_dim, int64_t ffn_width,
                                       int64_t vocabulary, int64_t context) {
  config::ModelConfig model;
  model.layers = layers;
  model.width = width;
  model.heads = heads;
  model.kv_heads = kv_heads;
  model.head_dim = head_dim;
  model.ffn_width = ffn_width;
  model.vocabulary = vocabulary;
  model.context = context;
  return model;
}

}  // namespace muonlab::support
