// Element types and the writer; the reader is in safetensors_reader.cpp.
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "muonlab/store/safetensors.hpp"
#include "store/safetensors_header.hpp"

namespace muonlab::store {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kPiece = size_t{1} << 20;  // hashed while still in the cache from being written

constexpr std::array<std::pair<std::string_view, size_t>, 17> kDtypes{{
    {"BOOL", 1},
    {"U8", 1},
    {"I8", 1},
    {"F8_E4M3", 1},
    {"F8_E5M2", 1},
    {"F8_E8M0", 1},
    {"I16", 2},
    {"U16", 2},
    {"F16", 2},
    {"BF16", 2},
    {"I32", 4},
    {"U32", 4},
    {"F32", 4},
    {"I64", 8},
    {"U64", 8},
    {"F64", 8},
    {"C64", 8},
}};

std::string quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw base::Bug("a name in a safetensors file is not UTF-8");
  }
}

void check_tensor(const TensorView& tensor) {
  const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
  base::check(bytes && *bytes == tensor.bytes.size(),
              base::str("tensor ", tensor.name, " of type ", tensor.dtype, " has ",
                        tensor.bytes.size(), " bytes, not what its shape says"));
}

struct Layout {
  std::vector<size_t> order;  // indices into the tensors given
  std::string header;         // length prefix, JSON and padding
};

Layout lay_out(const std::vector<TensorView>& tensors, const Metadata& metadata) {
  Layout layout;
  layout.order.resize(tensors.size());
  std::iota(layout.order.begin(), layout.order.end(), size_t{0});
  std::stable_sort(layout.order.begin(), layout.order.end(), [&](size_t a, size_t b) {
    return dtype_size(tensors[a].dtype) > dtype_size(tensors[b].dtype);
  });

  Metadata all = metadata;
  all.emplace("format", "pt");
  std::string json = "{\"__metadata__\":{";
  for (const auto& [key, value] : all) {
    if (json.back() != '{') json += ',';
    json += quoted(key) + ':' + quoted(value);
  }
  json += '}';
  std::set<std::string_view> names;
  uint64_t begin = 0;
  for (const size_t i : layout.order) {
    const TensorView& tensor = tensors[i];
    check_tensor(tensor);
    base::check(tensor.name != "__metadata__" && names.insert(tensor.name).second,
                "tensor " + tensor.name + " is given twice or has a reserved name");
    const uint64_t end = begin + tensor.bytes.size();
    json += base::str(",", quoted(tensor.name), ":{\"dtype\":\"", tensor.dtype,
                      "\",\"shape\":", nlohmann::json(tensor.shape).dump(), ",\"data_offsets\":[",
                      begin, ",", end, "]}");
    begin = end;
  }
  json += '}';
  const size_t used = sizeof(uint64_t) + json.size();
  json.append((kAlignment - used % kAlignment) % kAlignment, ' ');

  uint64_t length = json.size();
  for (size_t i = 0; i < sizeof length; ++i) {
    layout.header += static_cast<char>(length >> (8 * i) & 0xFF);
  }
  layout.header += json;
  return layout;
}

}  // namespace

size_t dtype_size(std::string_view dtype) {
  for (const auto& [name, size] : kDtypes) {
    if (name == dtype) return size;
  }
  return 0;
}

std::optional<uint64_t> tensor_bytes(std::string_view dtype, const std::vector<int64_t>& shape) {
  uint64_t bytes = dtype_size(dtype);
  if (bytes == 0) return std::nullopt;
  // A zero anywhere makes the product zero, but the other factors must still not overflow.
  bool empty = false;
  for (const int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : bytes;
}

uint64_t safetensors_size(const std::vector<TensorView>& tensors, const Metadata& metadata) {
  uint64_t bytes = lay_out(tensors, metadata).header.size();
  for (const TensorView& tensor : tensors) bytes += tensor.bytes.size();
  return bytes;
}

FileDigest write_safetensors(base::FileSystem& files, const std::string& path,
                             const std::vector<TensorView>& tensors, const Metadata& metadata) {
  const Layout layout = lay_out(tensors, metadata);
  auto file = files.create(path);
  base::Hasher hasher;
  FileDigest digest;
  const auto write = [&](std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto piece = bytes.first(std::min(kPiece, bytes.size()));
      hasher.add(piece);
      file->write(piece);
      digest.size += piece.size();
      bytes = bytes.subspan(piece.size());
    }
  };
  write(std::as_bytes(std::span(layout.header)));
  for (const size_t i : layout.order) write(tensors[i].bytes);
  file->sync();
  file->close();
  digest.hash = hasher.finish();
  return digest;
}

}  // namespace muonlab::store
