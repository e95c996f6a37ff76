#include "muonlab/data/shard.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "data/shard_header.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::data {

static_assert(std::endian::native == std::endian::little,
              "shards are read in place: little-endian machines only");

constexpr const char* kRemedy = "; the shard is damaged, make it again with `muonlab data tokens`";

Shard::Shard(const std::string& path) : file_(path) {
  std::vector<std::byte> header(std::min<uint64_t>(file_.size(), kShardHeaderBytes));
  file_.read(0, header);
  header_ = parse_header(header, file_.size(), path);
}

void Shard::damaged(const std::string& what) const {
  throw base::Error(path(), ": ", what,
                    format_ == "muonlab" ? kRemedy
                                         : "; the file is damaged, or was made with another "
                                           "tokenizer or id width than data names");
}

void Shard::read(int64_t first, std::span<int32_t> out) const {
  base::check(first >= 0 && first + static_cast<int64_t>(out.size()) <= num_tokens(),
              "ids outside the shard " + path());
  // Narrow ids go into the back of `out` and are widened from the front: an id is read before its
  // place is written over.
  const auto bytes = std::as_writable_bytes(out);
  const auto stored = bytes.last(out.size() * header_.id_bytes);
  file_.read(first_byte_ + static_cast<uint64_t>(first) * header_.id_bytes, stored);
  if (header_.id_bytes == 2) {
    for (size_t i = 0; i < out.size(); ++i) {
      uint16_t id;
      std::memcpy(&id, stored.data() + 2 * i, 2);
      out[i] = id;
    }
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if (static_cast<uint32_t>(out[i]) >= header_.vocabulary) {
      const uint64_t offset = first_byte_ + (first + i) * header_.id_bytes;
      damaged(base::str("token ", first + static_cast<int64_t>(i), " at offset ", offset, " is ",
                        static_cast<uint32_t>(out[i]), ", the vocabulary is ", header_.vocabulary));
    }
  }
}

bool Shard::verify_hash(const std::atomic<bool>& stop) const {
  base::Hasher hasher;
  std::vector<std::byte> part(1 << 20);
  const uint64_t end = first_byte_ + header_.num_tokens * header_.id_bytes;
  for (uint64_t at = first_byte_; at < end; at += part.size()) {
    if (stop) return false;
    part.resize(std::min<uint64_t>(part.size(), end - at));
    file_.read(at, part);
    hasher.add(part);
  }
  if (hasher.finish() != header_.content_hash) {
    damaged(format_ == "muonlab" ? "the token ids do not match content_hash (offset 80)"
                                 : "the token ids are others than when the file was opened");
  }
  return true;
}

void Shard::verify_content() const {
  verify_hash(false);
  std::vector<int32_t> ids;
  uint64_t documents = 0;
  for (int64_t first = 0; first < num_tokens(); first += static_cast<int64_t>(ids.size())) {
    ids.resize(std::min<int64_t>(1 << 20, num_tokens() - first));
    read(first, ids);
    documents += std::count(ids.begin(), ids.end(), static_cast<int32_t>(header_.end_of_text));
  }
  if (documents != header_.num_documents) {
    damaged(base::str("num_documents (offset 32) is ", header_.num_documents, ", the ids hold ",
                      documents, " end-of-text ids"));
  }
}

// The header is known last. Makes the whole file durable.
static void overwrite_beginning(const std::string& path, std::span<const std::byte> bytes) {
  std::FILE* file = std::fopen(path.c_str(), "r+b");
  if (!file) throw base::io_error("open for writing", path, errno);
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() &&
                       std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0;
  const int number = errno;
  if (std::fclose(file) != 0 || !written) throw base::io_error("write", path, number, bytes.size());
}

ShardWriter::ShardWriter(std::string path, const ShardHeader& header, base::FileSystem& files)
    : path_(std::move(path)), files_(files), header_(header) {
  base::check(header.id_bytes == 2 || header.id_bytes == 4, "a shard's ids have 2 or 4 bytes");
  base::check(header.vocabulary <= (header.id_bytes == 2 ? uint64_t{1} << 16 : uint64_t{1} << 31),
              "vocabulary too large for the id width");
  header_.num_tokens = header_.num_documents = header_.text_bytes = 0;
  file_ = files_.create(path_ + ".tmp");
  const std::vector<std::byte> blank(kShardHeaderBytes);
  file_->write(blank);
}

ShardWriter::~ShardWriter() = default;

void ShardWriter::add(std::span<const int32_t> ids, uint64_t text_bytes) {
  std::vector<std::byte> bytes(ids.size() * header_.id_bytes);
  for (size_t i = 0; i < ids.size(); ++i) {
    base::check(static_cast<uint32_t>(ids[i]) < header_.vocabulary,
                "token id outside the vocabulary");
    std::memcpy(bytes.data() + i * header_.id_bytes, &ids[i], header_.id_bytes);
  }
  hasher_.add(bytes);
  file_->write(bytes);
  header_.num_tokens += ids.size();
  header_.num_documents +=
      std::count(ids.begin(), ids.end(), static_cast<int32_t>(header_.end_of_text));
  header_.text_bytes += text_bytes;
}

ShardHeader ShardWriter::finish() {
  header_.content_hash = hasher_.finish();
  file_->close();
  overwrite_beginning(path_ + ".tmp", format_header(header_));
  files_.rename(path_ + ".tmp", path_);
  return header_;
}

namespace {

// The files whose names match the last part of a path, such as "fineweb_train_*.bin".
std::vector<std::string> matching_files(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  const std::string folder = base::parent_path(path);
  const std::string pattern = path.substr(path.rfind('/') + 1);
  std::vector<std::string> found;
  if (pattern.find_first_of("*?[") == std::string::npos || !files.is_directory(folder)) return {};
  for (const std::string& name : files.list(folder)) {
    if (base::glob_match(pattern, name)) found.push_back(base::join_path(folder, name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<std::string> shard_paths(const std::string& path, const std::string& asked_by) {
  base::FileSystem& files = base::real_file_system();
  const std::string asked = asked_by.empty() ? "" : " (" + asked_by + ")";
  if (!files.exists(path)) {
    const std::vector<std::string> found = matching_files(path);
    if (!found.empty()) return found;
    throw base::Error(path, ": no such shard or folder", asked,
                      "; make it with `muonlab data tokens`");
  }
  if (!files.is_directory(path)) return {path};
  std::vector<std::string> shards;
  // A folder of ours holds nothing else; the others are those of other programs.
  for (const std::string_view extension : {kShardExtension, std::string_view(".bin"),
                                           std::string_view(".npy"), std::string_view(".ds")}) {
    for (const std::string& name : files.list(path)) {
      if (name.ends_with(extension)) shards.push_back(base::join_path(path, name));
    }
    if (!shards.empty()) return shards;
  }
  throw base::Error(path, ": the folder holds no ", kShardExtension, ", .bin, .npy or .ds file",
                    asked, "; make some with `muonlab data tokens`");
}

}  // namespace muonlab::data
