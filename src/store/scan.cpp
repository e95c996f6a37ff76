#include "store/scan.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "muonlab/base/error.hpp"
#include "muonlab/store/finite.hpp"
#include "store/safetensors_header.hpp"

namespace muonlab::store {
namespace {

// Reads a file from its begin to its end and hashes what it reads.
class Reader {
 public:
  Reader(const std::string& path, base::FileSystem& files) : path_(path), files_(files) {}

  uint64_t at() const { return at_; }
  base::Hash128 hash() const { return hasher_.finish(); }
  // visit(bytes) for the bytes up to `end`, in pieces of a multiple of 8 bytes; fewer where the
  // file ends before that.
  template <class Visit>
  void read_to(uint64_t end, Visit&& visit) {
    while (at_ < end && !ended_) {
      const auto wanted = static_cast<size_t>(std::min<uint64_t>(end - at_, kPiece));
      size_t filled = 0;
      while (filled < wanted) {
        const size_t got =
            files_.read(path_, at_ + filled, std::span(piece_.get() + filled, wanted - filled));
        if (got == 0) break;
        filled += got;
      }
      ended_ = filled < wanted;
      at_ += filled;
      const std::span<const std::byte> bytes(piece_.get(), filled);
      hasher_.add(bytes);
      visit(bytes);
    }
  }

 private:
  static constexpr size_t kPiece = size_t{1} << 20;  // stays in the cache from hash to check

  const std::string& path_;
  base::FileSystem& files_;
  std::unique_ptr<std::byte[]> piece_ = std::make_unique_for_overwrite<std::byte[]>(kPiece);
  base::Hasher hasher_;
  uint64_t at_ = 0;
  bool ended_ = false;
};

void pass_over(std::span<const std::byte>) {}

// Throws Error where the header is damaged, or claims bytes that are not there or taken.
std::string first_non_finite_of(const std::string& path, uint64_t size, Reader& reader) {
  constexpr uint64_t kPrefix = 8;
  std::string head;
  const auto collect = [&](std::span<const std::byte> bytes) {
    head.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  reader.read_to(std::min(size, kPrefix), collect);
  uint64_t length = 0;
  if (head.size() == kPrefix) std::memcpy(&length, head.data(), kPrefix);  // little-endian
  if (size < kPrefix || length > size - kPrefix)
    throw base::Error(path, ": the header is said to have ", length, " bytes; the file is damaged");
  head.clear();
  const uint64_t data = kPrefix + length;
  reader.read_to(data, collect);
  std::vector<HeaderTensor> tensors = parse_header(path, head, kPrefix).tensors;
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::string first;
  for (const HeaderTensor& tensor : tensors) {
    if (data + tensor.begin < reader.at() || tensor.end > size - data) {
      throw base::Error(path, ": tensor \"", tensor.view.name,
                        "\": data_offsets: claims bytes of another tensor or behind the file's "
                        "end; the file is damaged");
    }
    reader.read_to(data + tensor.begin, pass_over);
    bool finite = true;
    reader.read_to(data + tensor.end, [&](std::span<const std::byte> bytes) {
      finite = finite && all_finite({"", tensor.view.dtype, {}, bytes});
    });
    if (!finite && first.empty()) first = tensor.view.name;
  }
  return first;
}

}  // namespace

Scan scan_file(const std::string& path, bool has_tensors, base::FileSystem& files) {
  const uint64_t size = files.size(path);
  Reader reader(path, files);
  Scan scan;
  try {
    if (has_tensors) scan.non_finite = first_non_finite_of(path, size, reader);
  } catch (const base::IoError&) {
    throw;
  } catch (const base::Error& error) {  // told only if the hash says that it was written so
    scan.fault = error.what();
  }
  reader.read_to(size, pass_over);
  scan.hash = reader.hash();
  return scan;
}

}  // namespace muonlab::store
