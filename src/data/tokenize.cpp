#include "muonlab/data/tokenize.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <filesystem>
#include <future>
#include <set>

#include "data/chunk_reader.hpp"
#include "data/document_texts.hpp"
#include "data/shard_series.hpp"
#include "data/work_pool.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/base/partial_output.hpp"
#include "muonlab/data/shard.hpp"

namespace muonlab::data {

namespace {

// A document, or the part of one that lies in a chunk.
struct Part {
  size_t ids_end;  // its ids end there; end-of-text is the last where it ends in the chunk
  uint64_t text_bytes;
  bool ends;
};

struct EncodedChunk {
  std::vector<int32_t> ids;
  std::vector<Part> parts;
  uint64_t text_bytes = 0, done_bytes = 0;
  uint64_t num_splits = 0;
  BadLines bad_lines;
};

EncodedChunk encode_chunk(const Tokenizer& tokenizer, const Chunk& chunk,
                          const ReadOptions& options) {
  EncodedChunk result;
  result.done_bytes = chunk.done_bytes;
  bool starts = chunk.begins_document;
  for_each_text(chunk, options, result.bad_lines, [&](std::string_view text, bool ends_document) {
    const auto ids = starts ? tokenizer.encode(text) : tokenizer.encode_rest(text);
    starts = ends_document || (starts && text.empty());
    result.ids.insert(result.ids.end(), ids.begin(), ids.end());
    // Whether an empty end of a document that began in an earlier chunk counts the writer knows.
    if (ends_document && !text.empty()) result.ids.push_back(tokenizer.end_of_text());
    result.text_bytes += text.size();
    result.parts.push_back({result.ids.size(), text.size(), ends_document});
  });
  if (chunk.input->kind == InputKind::text) result.num_splits = result.parts.size() - 1;
  return result;
}

struct Ids {
  std::vector<int32_t> ids;
  uint64_t text_bytes = 0;

  void add(const Ids& more) {
    ids.insert(ids.end(), more.ids.begin(), more.ids.end());
    text_bytes += more.text_bytes;
  }
};

// Which documents are kept. Equal ids are equal texts.
class Selection {
 public:
  explicit Selection(const TokenizeOptions& options)
      : min_bytes_(options.min_bytes),
        max_bytes_(options.max_bytes),
        deduplicate_(options.deduplicate) {}

  bool keeps(const Ids& document) {
    if (document.text_bytes < min_bytes_) return ++num_too_short_, false;
    if (max_bytes_ > 0 && document.text_bytes > max_bytes_) return ++num_too_long_, false;
    if (!deduplicate_) return true;
    const base::Hash128 hash = base::hash_bytes(std::as_bytes(std::span(document.ids)));
    if (!seen_.insert({hash.high, hash.low}).second) return ++num_repeated_, false;
    return true;
  }
  void report(TokenizeResult& result) const {
    result.num_too_short = num_too_short_;
    result.num_too_long = num_too_long_;
    result.num_repeated = num_repeated_;
  }

 private:
  uint64_t min_bytes_, max_bytes_;
  bool deduplicate_;
  uint64_t num_too_short_ = 0, num_too_long_ = 0, num_repeated_ = 0;
  std::set<std::pair<uint64_t, uint64_t>> seen_;
};

// Chunks in their order become documents, and these go to the shards for training or validation.
class DocumentWriter {
 public:
  DocumentWriter(const Tokenizer& tokenizer, const std::string& folder,
                 const TokenizeOptions& options)
      : end_of_text_(tokenizer.end_of_text()),
        valid_share_(options.valid_share),
        selection_(options),
        selects_(options.min_bytes > 0 || options.max_bytes > 0 || options.deduplicate) {
    const bool splits = valid_share_ > 0;
    for (const char* name : {"train", "valid"}) {
      const std::string path = splits ? base::join_path(folder, name) : folder;
      base::make_directories(path);
      sides_.push_back({ShardSeries(tokenizer, path, options.shard_tokens)});
      if (!splits) break;
    }
  }

  void write(const EncodedChunk& chunk) {
    size_t first = 0;
    for (const Part& part : chunk.parts) {
      Side& side = sides_[is_valid() ? 1 : 0];
      // A document that may be left out waits for its end.
      Ids& target = selects_ ? waiting_ : side.ids;
      const auto begin = chunk.ids.begin();
      target.ids.insert(target.ids.end(), begin + static_cast<std::ptrdiff_t>(first),
                        begin + static_cast<std::ptrdiff_t>(part.ids_end));
      target.text_bytes += part.text_bytes;
      first = part.ids_end;
      if (part.ends && part.text_bytes == 0 && has_text_) target.ids.push_back(end_of_text_);
      has_text_ |= part.text_bytes > 0;
      if (!part.ends) continue;
      if (has_text_ && (!selects_ || selection_.keeps(waiting_))) {
        if (selects_) side.ids.add(waiting_);
        ++document_;
      }
      waiting_ = {};
      has_text_ = false;
    }
    for (Side& side : sides_) {
      side.shards.add(side.ids.ids, side.ids.text_bytes);
      side.ids = {};
    }
  }

  const Selection& selection() const { return selection_; }

  uint64_t num_tokens() const {
    uint64_t sum = 0;
    for (const Side& side : sides_) sum += side.shards.num_tokens();
    return sum;
  }

  // For training, and for validation where that was asked for.
  std::vector<ShardTotals> finish() {
    std::vector<ShardTotals> totals;
    for (Side& side : sides_) {
      side.shards.close();
      totals.push_back(side.shards.totals());
    }
    return totals;
  }

 private:
  struct Side {
    ShardSeries shards;
    Ids ids{};
  };

  // Document number d is the middle one of its 1 / share when d * share + 1/2 passes a whole
  // number.
  bool is_valid() const {
    const auto passed = [&](uint64_t documents) {
      return std::floor(static_cast<double>(documents) * valid_share_ + 0.5);
    };
    return passed(document_ + 1) > passed(document_);
  }

  int32_t end_of_text_;
  double valid_share_;
  Selection selection_;
  bool selects_;
  Ids waiting_;
  std::vector<Side> sides_;
  uint64_t document_ = 0;  // documents with text that are complete
  bool has_text_ = false;  // of the one that is being written
};

bool is_ours(const std::string& name) {
  return name.ends_with(kShardExtension) || name.ends_with(std::string(kShardExtension) + ".tmp") ||
         name == "tokenizer.model" || name == "tokenizer.json" || name == "tokenizer_config.json";
}

// Refuses a folder with files of other kinds; the parts of a split may be folders in it.
void require_ours(const std::string& folder, bool may_hold_parts) {
  base::FileSystem& files = base::real_file_system();
  if (!files.exists(folder)) return;
  if (!files.is_directory(folder))
    throw base::Error(folder, ": is a file; name a folder for the shards");
  for (const std::string& name : files.list(folder)) {
    const std::string path = base::join_path(folder, name);
    if (may_hold_parts && (name == "train" || name == "valid") && files.is_directory(path)) {
      require_ours(path, false);
    } else if (!is_ours(name)) {
      throw base::Error(folder, ": holds ", name, ", which is no token shard; name another folder");
    }
  }
}

void require_new(const std::string& out_dir, bool force) {
  base::FileSystem& files = base::real_file_system();
  require_ours(out_dir, true);
  if (files.exists(out_dir) && !files.list(out_dir).empty() && !force) {
    throw base::Error(out_dir, ": holds token shards already; --force replaces them");
  }
}

// A link to a folder stays, and what it leads to is replaced.
std::string target_of(const std::string& out_dir) {
  std::error_code absent;
  const auto target = std::filesystem::canonical(out_dir, absent);
  return absent ? out_dir : target.string();
}

void require_text(const TokenizeResult& result) {
  const uint64_t documents =
      result.num_documents + (result.valid ? result.valid->num_documents : 0);
  const uint64_t dropped = result.num_too_short + result.num_too_long + result.num_repeated;
  if (documents == 0 && dropped > 0) {
    throw base::Error("all ", dropped, " documents were left out as too short (",
                      result.num_too_short, ") or too long (", result.num_too_long,
                      "); nothing was written");
  }
  if (documents == 0) {
    throw base::Error(
        "the inputs hold no text; nothing was written",
        result.bad_lines.count == 0
            ? ""
            : base::str(" (", result.bad_lines.count, " bad lines were left out, the first: ",
                        result.bad_lines.shown.front(), ")"));
  }
  if (result.num_documents == 0 || (result.valid && result.valid->num_documents == 0)) {
    throw base::Error(
        "the inputs hold ", documents, documents == 1 ? " document" : " documents",
        ", too few to take that share of them for validation; nothing was written. Raise "
        "--valid-share, or cut the files into documents with --split-documents-at");
  }
}

TokenizeResult write_shards(const Tokenizer& tokenizer, const std::string& folder,
                            const std::vector<Input>& inputs, const TokenizeOptions& options,
                            const TokenizeProgress& progress) {
  DocumentWriter writer(tokenizer, folder, options);
  ChunkReader reader(inputs, options.read, kChunkBytes,
                     [&tokenizer](std::string_view text) { return tokenizer.last_safe_cut(text); });
  const size_t budget =
      (size_t{2} << 20) * static_cast<size_t>(std::max(1, options.threads)) + (4 << 20);
  struct Pending {
    size_t bytes;
    std::future<EncodedChunk> encoded;
  };
  std::deque<Pending> pending;
  size_t pending_bytes = 0;
  TokenizeResult result;
  const auto write_oldest = [&] {
    const EncodedChunk chunk = pending.front().encoded.get();
    pending_bytes -= pending.front().bytes;
    pending.pop_front();
    writer.write(chunk);
    result.bad_lines.add(chunk.bad_lines);
    result.num_splits += chunk.num_splits;
    if (progress) progress(chunk.done_bytes, reader.total_bytes(), writer.num_tokens());
  };
  if (progress) progress(0, reader.total_bytes(), 0);
  WorkPool pool(options.threads);
  while (auto chunk = reader.next()) {
    const size_t bytes = chunk->text.size();
    while (!pending.empty() && pending_bytes + bytes > budget) write_oldest();
    pending_bytes += bytes;
    auto shared = std::make_shared<Chunk>(std::move(*chunk));
    pending.push_back({bytes, pool.submit([&tokenizer, &options, shared] {
                         return encode_chunk(tokenizer, *shared, options.read);
                       })});
  }
  while (!pending.empty()) write_oldest();
  const std::vector<ShardTotals> totals = writer.finish();
  static_cast<ShardTotals&>(result) = totals.front();
  if (totals.size() > 1) result.valid = totals.back();
  writer.selection().report(result);
  require_text(result);
  return result;
}

}  // namespace

TokenizeResult tokenize_files(const Tokenizer& tokenizer, const std::string& out_dir,
                              const TokenizeOptions& options, const TokenizeProgress& progress) {
  if (options.shard_tokens < 1)
    throw base::Error("a shard needs at least one token, not ", options.shard_tokens);
  if (!(options.valid_share >= 0 && options.valid_share < 1))
    throw base::Error("the share for validation lies between 0 and 1, not ", options.valid_share);
  const InputList list = list_inputs(options.inputs);
  require_new(out_dir, options.force);
  using enum base::PartialOutput::Existing;
  base::PartialOutput output(target_of(out_dir), options.force ? replaced : refused);
  require_new(out_dir, options.force);  // another process may just have finished it
  TokenizeResult result = write_shards(tokenizer, output.path(), list.inputs, options, progress);
  result.left_out = list.left_out;
  const auto files = tokenizer.files();
  // Puts the part of the shards in `folder` right beside their tokenizer.
  const auto complete = [&](ShardTotals& part, const std::string& folder) {
    const std::string inside = base::join_path(output.path(), folder);
    for (const std::string& name : tokenizer.defining_files())
      base::write_atomically(base::join_path(inside, name), files.at(name));
    base::real_file_system().sync_directory(inside);
    for (std::string& shard : part.shards)
      shard = base::join_path(base::join_path(out_dir, folder), shard);
  };
  complete(result, result.valid ? "train" : "");
  if (result.valid) complete(*result.valid, "valid");
  output.publish();
  return result;
}

}  // namespace muonlab::data
