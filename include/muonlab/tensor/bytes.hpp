// Tensors as bytes of the store, and back.
#pragma once

#include <string_view>
#include <vector>

#include "muonlab/store/safetensors.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::tensor {

// Views of contiguous CPU tensors; REQUIRES that they outlive the views. dtypes: F32 F64 BF16 F16
// I64 I32 U8.
std::vector<store::TensorView> store_views(const std::vector<NamedTensor>& tensors);

// Copies every tensor of `targets` from the file, by name. Throws base::Error naming the file and
// the tensor that is missing, of another shape or of another dtype, and tensors of the file that
// nobody asked for.
void load_exactly(const store::SafetensorsFile& file, const std::vector<NamedTensor>& targets);

// Whether to_tensor() reads the type: F32 F64 BF16 F16 I64 I32 U8.
bool is_readable(std::string_view dtype);
// A copy of one stored tensor on the CPU. Throws base::Error for a type that is not readable.
at::Tensor to_tensor(const store::TensorView& view);

// Values of all parameters, by name, as a checkpoint holds them.
std::vector<NamedTensor> named_values(Arena& arena);

}  // namespace muonlab::tensor
