#include "muonlab/tensor/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include <ATen/ATen.h>

#include "muonlab/base/error.hpp"

namespace muonlab::tensor {
namespace {

struct DtypeName {
  at::ScalarType type;
  const char* name;
};
constexpr std::array<DtypeName, 7> kDtypes{{{at::kFloat, "F32"},
                                            {at::kDouble, "F64"},
                                            {at::kBFloat16, "BF16"},
                                            {at::kHalf, "F16"},
                                            {at::kLong, "I64"},
                                            {at::kInt, "I32"},
                                            {at::kByte, "U8"}}};

const char* dtype_name(at::ScalarType type) {
  for (const DtypeName& dtype : kDtypes) {
    if (dtype.type == type) return dtype.name;
  }
  throw base::Bug(base::str("no stored form for dtype ", at::toString(type)));
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += base::str(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

}  // namespace

std::vector<store::TensorView> store_views(const std::vector<NamedTensor>& tensors) {
  std::vector<store::TensorView> views;
  views.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) {
    base::check(tensor.value.is_contiguous() && tensor.value.is_cpu(),
                "stored tensors are contiguous on the CPU");
    views.push_back(
        {tensor.name,
         dtype_name(tensor.value.scalar_type()),
         tensor.value.sizes().vec(),
         {static_cast<const std::byte*>(tensor.value.const_data_ptr()), tensor.value.nbytes()}});
  }
  return views;
}

void load_exactly(const store::SafetensorsFile& file, const std::vector<NamedTensor>& targets) {
  std::set<std::string> wanted;
  for (const NamedTensor& target : targets) {
    wanted.insert(target.name);
    const store::TensorView* found = file.find(target.name);
    if (found == nullptr) throw base::Error(file.path(), ": holds no tensor \"", target.name, "\"");
    const std::vector<int64_t> shape = target.value.sizes().vec();
    if (found->shape != shape || found->dtype != dtype_name(target.value.scalar_type())) {
      throw base::Error(file.path(), ": tensor \"", target.name, "\" is ", found->dtype, " ",
                        shape_text(found->shape), ", expected ",
                        dtype_name(target.value.scalar_type()), " ", shape_text(shape));
    }
    base::check(target.value.is_contiguous() && target.value.is_cpu(),
                "load_exactly writes contiguous CPU tensors");
    std::memcpy(target.value.mutable_data_ptr(), found->bytes.data(), found->bytes.size());
  }
  for (const store::TensorView& stored : file.tensors()) {
    if (!wanted.contains(stored.name)) {
      throw base::Error(file.path(), ": tensor \"", stored.name,
                        "\" belongs to no parameter of this configuration");
    }
  }
}

bool is_readable(std::string_view dtype) {
  return std::ranges::any_of(kDtypes, [&](const DtypeName& known) { return dtype == known.name; });
}

at::Tensor to_tensor(const store::TensorView& view) {
  for (const DtypeName& dtype : kDtypes) {
    if (view.dtype != dtype.name) continue;
    at::Tensor tensor = at::empty(view.shape, at::TensorOptions().dtype(dtype.type));
    std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    return tensor;
  }
  throw base::Error("tensor \"", view.name, "\": dtype ", view.dtype,
                    " is not supported (F32 F64 BF16 F16 I64 I32 U8)");
}

std::vector<NamedTensor> named_values(Arena& arena) {
  std::vector<NamedTensor> values;
  for (Parameter& parameter : arena.parameters())
    values.push_back({parameter.spec.name, parameter.value.detach()});
  return values;
}

}  // namespace muonlab::tensor
