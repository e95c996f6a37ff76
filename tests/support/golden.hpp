// Reads tests/golden/*.safetensors (made by scripts/make_goldens.py): just enough of the format for
// files we wrote.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

namespace muonlab::support {

struct Golden {
  std::map<std::string, at::Tensor> tensors;
  nlohmann::json config;

  const at::Tensor& at(const std::string& name) const { return tensors.at(name); }
};

inline Golden read_golden(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot open " + path);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)),
                                std::istreambuf_iterator<char>());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  const char* start = bytes.data() + sizeof(length);
  const auto header = nlohmann::json::parse(start, start + length);
  const std::map<std::string, at::ScalarType> dtypes{
      {"F32", at::kFloat}, {"F64", at::kDouble}, {"I64", at::kLong}};
  Golden golden;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      golden.config = nlohmann::json::parse(entry.at("config").get<std::string>());
      continue;
    }
    at::Tensor value =
        at::empty(entry.at("shape").get<std::vector<int64_t>>(), dtypes.at(entry.at("dtype")));
    const auto range = entry.at("data_offsets").get<std::vector<size_t>>();
    if (range.at(1) - range.at(0) != value.nbytes())
      throw std::runtime_error(path + ": size of " + name);
    std::memcpy(value.mutable_data_ptr(), start + length + range[0], value.nbytes());
    golden.tensors.emplace(name, std::move(value));
  }
  return golden;
}

}  // namespace muonlab::support
