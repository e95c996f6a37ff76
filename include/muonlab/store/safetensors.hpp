// The safetensors format (huggingface/safetensors, README "Format"): u64 header length, JSON
// header, tensor bytes. Files are written so that every reader accepts them. When a file is read,
// every claim of its header is checked before a byte is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "muonlab/base/file.hpp"
#include "muonlab/base/hash.hpp"

namespace muonlab::store {

// A tensor's bytes: row-major, little-endian, owned by someone else. dtype is the format's name:
// BOOL U8 I8 F8_E4M3 F8_E5M2 F8_E8M0 I16 U16 F16 BF16 I32 U32 F32 I64 U64 F64 C64. A scalar has no
// dimensions.
struct TensorView {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};
size_t dtype_size(std::string_view dtype);  // bytes an element; 0 for an unknown name

using Metadata = std::map<std::string, std::string>;

struct FileDigest {
  uint64_t size = 0;
  base::Hash128 hash;
  bool operator==(const FileDigest&) const = default;
};

// Writes and syncs a file; the hash is computed on the way. The header is padded so that the data
// begin at a multiple of 64; wide elements go first (otherwise in the order given), so that every
// tensor is aligned to its element. "format": "pt" is added to the metadata. Throws IoError; Bug
// for a wrong size, an unknown dtype or a double name.
FileDigest write_safetensors(base::FileSystem& files, const std::string& path,
                             const std::vector<TensorView>& tensors, const Metadata& metadata = {});
// Bytes that write_safetensors will write.
uint64_t safetensors_size(const std::vector<TensorView>& tensors, const Metadata& metadata = {});

// A file's tensors, read into memory: cutting or overwriting the file afterwards changes nothing.
// The constructor throws Error naming file, tensor, field and byte offset of the
// first fault.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path,
                           base::FileSystem& files = base::real_file_system());
  explicit SafetensorsFile(base::MappedFile file);
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  // In the order of their bytes.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  const TensorView* find(std::string_view name) const;  // nullptr when absent
  // Throws Error with the nearest name when absent.
  const TensorView& at(std::string_view name) const;
  const Metadata& metadata() const { return metadata_; }
  const std::string& path() const { return file_.path(); }

 private:
  base::MappedFile file_;
  std::vector<TensorView> tensors_;  // bytes point into file_; foreign files need not align them
  std::unordered_map<std::string_view, size_t> by_name_;  // views of names in tensors_
  Metadata metadata_;
};

}  // namespace muonlab::store
