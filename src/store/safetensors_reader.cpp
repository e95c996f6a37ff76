#include <algorithm>

#include "muonlab/base/text.hpp"
#include "muonlab/store/safetensors.hpp"
#include "store/safetensors_header.hpp"

namespace muonlab::store {
namespace {

constexpr uint64_t kPrefix = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the reference reader's limit

uint64_t header_length(const base::MappedFile& file) {
  const uint64_t size = file.size();
  if (size < kPrefix) {
    throw base::Error(file.path(), ": ", size,
                      " bytes are too few for a safetensors file (byte 0)");
  }
  uint64_t length = 0;
  for (size_t i = kPrefix; i-- > 0;)
    length = length << 8 | std::to_integer<uint64_t>(file.bytes()[i]);
  if (length > kMaxHeader || length > size - kPrefix) {
    throw base::Error(file.path(), ": the header is said to have ", length, " bytes, the file has ",
                      size, " and the format allows ", kMaxHeader,
                      " (byte 0); the file is cut off, damaged or no safetensors file");
  }
  return length;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path, base::FileSystem& files)
    : SafetensorsFile(base::load_file(path, files)) {}

SafetensorsFile::SafetensorsFile(base::MappedFile file) : file_(std::move(file)) {
  const uint64_t length = header_length(file_);
  Header header = parse_header(file_.path(), file_.text().substr(kPrefix, length), kPrefix);
  metadata_ = std::move(header.metadata);

  const auto data = file_.bytes().subspan(kPrefix + length);
  // Empty tensors share their neighbour's begin: they sort before it by their end.
  std::sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  tensors_.reserve(header.tensors.size());
  for (HeaderTensor& entry : header.tensors) {
    const auto fail = [&](const std::string& what) {
      throw base::Error(path(), ": tensor \"", base::clip_text(entry.view.name, 80),
                        "\": data_offsets: ", what, " (byte ", entry.position,
                        "); the file is damaged");
    };
    if (entry.begin < covered)
      fail(base::str("begins at ", entry.begin, ", inside the tensor before it"));
    if (entry.begin > covered)
      fail(base::str("bytes ", covered, " to ", entry.begin, " belong to no tensor"));
    if (entry.end > data.size()) {
      fail(
          base::str("ends at ", entry.end, ", but the file holds ", data.size(), " bytes of data"));
    }
    covered = entry.end;
    entry.view.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    tensors_.push_back(std::move(entry.view));
  }
  if (covered != data.size()) {
    throw base::Error(path(), ": ", data.size() - covered, " bytes behind the last tensor (byte ",
                      kPrefix + length + covered, "); the file is damaged");
  }
  by_name_.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].name, i);
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const TensorView& SafetensorsFile::at(std::string_view name) const {
  if (const TensorView* tensor = find(name)) return *tensor;
  std::vector<std::string> names;
  for (const TensorView& tensor : tensors_) names.push_back(tensor.name);
  const auto near = base::nearest(name, names);
  throw base::Error(path(), ": no tensor \"", name, "\"",
                    near ? "; the nearest name is \"" + *near + "\"" : "");
}

}  // namespace muonlab::store
