// Token shards: token ids in one file, read where they are asked for. The format is documented in
// docs/formats.md, "Token shards", and those of other programs in "Token files of other programs".
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "muonlab/base/file.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/base/readable_file.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

inline constexpr size_t kShardHeaderBytes = 128;
inline constexpr std::string_view kShardExtension = ".tokens";

struct ShardHeader {
  uint32_t id_bytes = 2;  // 2 or 4
  uint32_t end_of_text = 0;
  uint64_t vocabulary = 0;
  uint64_t num_tokens = 0;       // end-of-text ids included
  uint64_t num_documents = 0;    // end-of-text ids
  uint64_t text_bytes = 0;       // what the other ids stand for
  base::Hash128 tokenizer_hash;  // Tokenizer::hash()
  base::Hash128 content_hash;    // XXH3-128 of all bytes after the header
};

// What a token file of another program does not say itself.
struct TokenFileOptions {
  uint32_t id_bytes = 0;  // of a file without a header: 2 or 4; 0: not known
  std::optional<int64_t> vocabulary, end_of_text;
  std::shared_ptr<const Tokenizer> tokenizer;  // gives what of these is not set, and text_bytes
};

// A shard opened for reading. Header and file size are checked; the content only when asked for.
// Cheap to copy; several threads may read at once.
class Shard {
 public:
  // Throws Error with file, field and offset.
  explicit Shard(const std::string& path);
  // Of any known format. A file of another program is read once as a whole: its header() is what
  // one of ours would hold, with text_bytes 0 where the tokenizer is not known. Throws Error.
  static Shard open(const std::string& path, const TokenFileOptions& options);

  const std::string& path() const { return file_.path(); }
  const std::string& format() const { return format_; }  // "muonlab", "llm.c", …
  const ShardHeader& header() const { return header_; }
  int64_t num_tokens() const { return static_cast<int64_t>(header_.num_tokens); }
  // Ids first … first + out.size() - 1, widened. Throws Error for an id that is not below the
  // vocabulary, and where the file was cut since it was opened.
  void read(int64_t first, std::span<int32_t> out) const;
  // Reads everything: the hash, the ids' range, the number of documents. Throws Error.
  void verify_content() const;
  // The hash alone, some GB a second from memory. False when `stop` was set before the end.
  bool verify_hash(const std::atomic<bool>& stop) const;
  // Differs after the file was written to, also through another name.
  base::FileStamp stamp() const { return file_.stamp(); }

 private:
  explicit Shard(base::ReadableFile file) : file_(std::move(file)) {}
  void read_foreign(const TokenFileOptions& options);
  void count_foreign(const Tokenizer* tokenizer);
  [[noreturn]] void damaged(const std::string& what) const;

  base::ReadableFile file_;
  ShardHeader header_;
  uint64_t first_byte_ = kShardHeaderBytes;  // of the ids
  std::string format_ = "muonlab";
};

// A shard's own path, or those of the shards in a folder, by name. asked_by: the setting that names
// the path, for the message where there is none.
std::vector<std::string> shard_paths(const std::string& path, const std::string& asked_by = "");

// Writes a shard; the file has its final name only once it is complete and on disk.
class ShardWriter {
 public:
  // id_bytes, vocabulary, end_of_text and tokenizer_hash are taken from `header`; the rest is
  // counted.
  ShardWriter(std::string path, const ShardHeader& header,
              base::FileSystem& files = base::real_file_system());
  ~ShardWriter();  // an unfinished shard leaves only its temporary file

  // text_bytes: what these ids stand for, without end-of-text.
  void add(std::span<const int32_t> ids, uint64_t text_bytes);
  int64_t num_tokens() const { return static_cast<int64_t>(header_.num_tokens); }
  ShardHeader finish();

 private:
  std::string path_;
  base::FileSystem& files_;
  std::unique_ptr<base::WritableFile> file_;
  ShardHeader header_;
  base::Hasher hasher_;
};

}  // namespace muonlab::data
