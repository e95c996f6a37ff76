#include "muonlab/data/tokenize.hpp"

#include <algorithm>
#include <deque>
#include <future>
#include <iomanip>
#include <sstream>

#include "data/chunk_reader.hpp"
#include "data/work_pool.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/shard.hpp"

namespace muonlab::data {

namespace {

struct EncodedChunk {
  std::vector<int32_t> ids;
  uint64_t text_bytes = 0;
  uint64_t done_bytes = 0;
  bool is_text = false, ends_document = false;  // a text's end-of-text is added by the writer
};

EncodedChunk encode_chunk(const Tokenizer& tokenizer, const Chunk& chunk,
                          const std::string& field) {
  EncodedChunk result;
  result.done_bytes = chunk.done_bytes;
  result.is_text = chunk.input->kind == InputKind::text;
  result.ends_document = chunk.ends_document;
  for_each_text(chunk, field, [&](std::string_view text, bool) {
    if (text.empty()) return;
    const auto ids = tokenizer.encode(text);
    result.ids.insert(result.ids.end(), ids.begin(), ids.end());
    result.text_bytes += text.size();
    if (!result.is_text) result.ids.push_back(tokenizer.end_of_text());
  });
  return result;
}

// One shard after the other in a folder, each of shard_tokens ids but the last.
class ShardSeries {
 public:
  ShardSeries(const Tokenizer& tokenizer, std::string folder, int64_t shard_tokens)
      : tokenizer_(tokenizer), folder_(std::move(folder)), shard_tokens_(shard_tokens) {}

  void add(std::span<const int32_t> ids, uint64_t text_bytes) {
    while (!ids.empty()) {
      if (!writer_) open_next();
      const auto space = static_cast<size_t>(shard_tokens_ - writer_->num_tokens());
      if (ids.size() < space) {
        writer_->add(ids, text_bytes);
        return;
      }
      const auto part = ids.first(space);
      const uint64_t part_bytes = space == ids.size() ? text_bytes : bytes_of(part);
      writer_->add(part, part_bytes);
      close();
      ids = ids.subspan(space);
      text_bytes -= part_bytes;
    }
  }
  void close() {
    if (!writer_) return;
    const ShardHeader header = writer_->finish();
    result_.num_tokens += header.num_tokens;
    result_.num_documents += header.num_documents;
    result_.text_bytes += header.text_bytes;
    writer_.reset();
  }
  uint64_t num_tokens() const {
    return result_.num_tokens + (writer_ ? static_cast<uint64_t>(writer_->num_tokens()) : 0);
  }
  const TokenizeResult& result() const { return result_; }

 private:
  void open_next() {
    ShardHeader header;
    header.vocabulary = static_cast<uint64_t>(tokenizer_.vocabulary());
    header.id_bytes = header.vocabulary <= (1 << 16) ? 2 : 4;
    header.end_of_text = static_cast<uint32_t>(tokenizer_.end_of_text());
    header.tokenizer_hash = *base::parse_hash(tokenizer_.hash());
    std::ostringstream name;
    name << "shard-" << std::setw(5) << std::setfill('0') << result_.shards.size()
         << kShardExtension;
    result_.shards.push_back(name.str());
    writer_ = std::make_unique<ShardWriter>(base::join_path(folder_, name.str()), header);
  }
  uint64_t bytes_of(std::span<const int32_t> ids) const {
    const auto ends = std::count(ids.begin(), ids.end(), tokenizer_.end_of_text());
    return tokenizer_.decode(ids).size() - static_cast<uint64_t>(ends) * kEndOfText.size();
  }

  const Tokenizer& tokenizer_;
  std::string folder_;
  int64_t shard_tokens_;
  std::unique_ptr<ShardWriter> writer_;
  TokenizeResult result_;
};

constexpr const char* kPartial = ".partial";
constexpr const char* kReplaced = ".replaced";  // the old folder while the new one takes its place

bool is_ours(const std::string& name) {
  return name.ends_with(kShardExtension) || name.ends_with(std::string(kShardExtension) + ".tmp") ||
         name == "tokenizer.model";
}

// Refuses what must not be overwritten; clears the left-overs of an interrupted run.
void prepare(const std::string& out_dir, const std::string& partial, bool force) {
  base::FileSystem& files = base::real_file_system();
  for (const std::string& folder : {out_dir, partial, out_dir + kReplaced}) {
    if (!files.exists(folder)) continue;
    if (!files.is_directory(folder))
      throw base::Error(folder, ": is a file; name a folder for the shards");
    for (const std::string& name : files.list(folder)) {
      if (!is_ours(name)) {
        throw base::Error(folder, ": holds ", name,
                          ", which is no token shard; name another folder");
      }
    }
  }
  if (files.exists(out_dir) && !files.list(out_dir).empty() && !force) {
    throw base::Error(out_dir, ": holds token shards already; --force replaces them");
  }
  base::remove_tree(partial);
  base::make_directories(partial);
}

// Puts the finished folder in its place.
void publish(const std::string& partial, const std::string& out_dir) {
  base::FileSystem& files = base::real_file_system();
  files.sync_directory(partial);
  const std::string old = out_dir + kReplaced;
  base::remove_tree(old);
  if (files.exists(out_dir)) files.rename(out_dir, old);
  files.rename(partial, out_dir);
  files.sync_directory(base::parent_path(out_dir));
  base::remove_tree(old);
}

TokenizeResult write_shards(const Tokenizer& tokenizer, const std::string& folder,
                            const std::vector<Input>& inputs, const TokenizeOptions& options,
                            const TokenizeProgress& progress) {
  ShardSeries shards(tokenizer, folder, options.shard_tokens);
  ChunkReader reader(inputs);
  const size_t budget =
      (size_t{2} << 20) * static_cast<size_t>(std::max(1, options.threads)) + (4 << 20);
  struct Pending {
    size_t bytes;
    std::future<EncodedChunk> encoded;
  };
  std::deque<Pending> pending;
  size_t pending_bytes = 0;
  bool document_has_text = false;
  const auto write_oldest = [&] {
    const EncodedChunk chunk = pending.front().encoded.get();
    pending_bytes -= pending.front().bytes;
    pending.pop_front();
    shards.add(chunk.ids, chunk.text_bytes);
    if (chunk.is_text) {
      document_has_text |= chunk.text_bytes > 0;
      if (chunk.ends_document && document_has_text) {
        const int32_t end = tokenizer.end_of_text();
        shards.add({&end, 1}, 0);
      }
      if (chunk.ends_document) document_has_text = false;
    }
    if (progress) progress(chunk.done_bytes, reader.total_bytes(), shards.num_tokens());
  };
  if (progress) progress(0, reader.total_bytes(), 0);
  WorkPool pool(options.threads);
  while (auto chunk = reader.next()) {
    const size_t bytes = chunk->text.size();
    while (!pending.empty() && pending_bytes + bytes > budget) write_oldest();
    pending_bytes += bytes;
    auto shared = std::make_shared<Chunk>(std::move(*chunk));
    pending.push_back({bytes, pool.submit([&tokenizer, &options, shared] {
                         return encode_chunk(tokenizer, *shared, options.field);
                       })});
  }
  while (!pending.empty()) write_oldest();
  shards.close();
  if (shards.result().shards.empty())
    throw base::Error("the inputs hold no text; nothing was written");
  return shards.result();
}

}  // namespace

TokenizeResult tokenize_files(const Tokenizer& tokenizer, const std::string& out_dir_as_given,
                              const TokenizeOptions& options, const TokenizeProgress& progress) {
  if (options.shard_tokens < 1)
    throw base::Error("a shard needs at least one token, not ", options.shard_tokens);
  std::string out_dir = out_dir_as_given;
  while (out_dir.size() > 1 && out_dir.back() == '/') out_dir.pop_back();
  const std::vector<Input> inputs = list_inputs(options.inputs);
  const std::string partial = out_dir + kPartial;
  prepare(out_dir, partial, options.force);
  try {
    TokenizeResult result = write_shards(tokenizer, partial, inputs, options, progress);
    const auto files = tokenizer.files();
    if (const auto model = files.find("tokenizer.model"); model != files.end()) {
      base::write_atomically(base::join_path(partial, "tokenizer.model"), model->second);
    }
    publish(partial, out_dir);
    for (std::string& shard : result.shards) shard = base::join_path(out_dir, shard);
    return result;
  } catch (...) {
    base::remove_tree(partial);
    throw;
  }
}

}  // namespace muonlab::data
