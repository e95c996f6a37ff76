// Weights of a Hugging Face folder, which another program may have written.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "muonlab/config/model.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::train {

// What was read: tensors by number type, and how many rows of the vocabulary were added (or, below
// zero, cut off).
struct ForeignWeights {
  std::map<std::string, int64_t> tensors_of_dtype;
  int64_t added_rows = 0;

  std::string description() const;  // "38 tensors, BF16"
};

// Reads fp32, bf16, fp16 or double weights into the arena. Every parameter of the model must be
// there with its shape, and nothing else may be; resize_vocabulary lets the embedding and the head
// have another number of rows: what is missing becomes the mean of the rows that are there.
// gains_less_one: what the file holds of the gains of norms. Throws
// base::Error naming file and tensor; NonFinite for a value that is not finite.
ForeignWeights load_foreign_weights(const std::string& folder, const config::ModelConfig& model,
                                    bool resize_vocabulary, bool gains_less_one,
                                    tensor::Arena& arena);

}  // namespace muonlab::train
