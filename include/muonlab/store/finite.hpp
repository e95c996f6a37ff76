// Whether stored numbers are finite.
#pragma once

#include <optional>
#include <string>

#include "muonlab/store/safetensors.hpp"

namespace muonlab::store {

// One pass over the bytes at the speed of memory. True for integers and empty tensors.
bool all_finite(const TensorView& tensor);
// The name of the first tensor that holds NaN or an infinity.
std::optional<std::string> first_non_finite(const std::vector<TensorView>& tensors);

}  // namespace muonlab::store
