#include "muonlab/data/documents.hpp"

#include <algorithm>

#include "data/chunk_reader.hpp"
#include "data/document_texts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/ids_tokenizer.hpp"

namespace muonlab::data {
namespace {

using Visit = std::function<void(const Document&)>;

bool names_token_file(const std::string& name) {
  return name.ends_with(kShardExtension) || name.ends_with(".bin") || name.ends_with(".npy") ||
         name.ends_with(".ds");
}

bool is_token_path(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  if (!files.exists(path) || !files.is_directory(path)) return names_token_file(path);
  const std::vector<std::string> names = files.list(path);
  return std::any_of(names.begin(), names.end(), names_token_file);
}

void read_texts(const std::string& path, const ReadOptions& options, const Tokenizer& tokenizer,
                const Visit& visit) {
  const InputList list = list_inputs({path});
  ChunkReader reader(list.inputs, options, kChunkBytes,
                     [&](std::string_view text) { return tokenizer.last_safe_cut(text); });
  Document document;
  bool starts = true;
  BadLines bad;
  while (const auto chunk = reader.next()) {
    document.file = chunk->input->path;
    for_each_text(*chunk, options, bad, [&](std::string_view text, bool ends_document) {
      const std::vector<int32_t> ids =
          starts ? tokenizer.encode(text) : tokenizer.encode_rest(text);
      starts = ends_document || (starts && text.empty());
      document.ids.insert(document.ids.end(), ids.begin(), ids.end());
      document.text_bytes += text.size();
      if (!ends_document) return;
      if (!document.ids.empty()) visit(document);
      document.ids.clear();
      document.text_bytes = 0;
    });
  }
}

void check_tokenizer(const Shard& shard, const Tokenizer& tokenizer) {
  if (shard.format() == "muonlab" && !is_ids_tokenizer(tokenizer) &&
      shard.header().tokenizer_hash.hex() != tokenizer.hash()) {
    throw base::Error(shard.path(), ": made with another tokenizer than the model's (hash ",
                      shard.header().tokenizer_hash.hex(), ", not ", tokenizer.hash(),
                      "); its ids mean other texts to the model");
  }
  if (shard.header().vocabulary > static_cast<uint64_t>(tokenizer.vocabulary())) {
    throw base::Error(shard.path(), ": has a vocabulary of ", shard.header().vocabulary,
                      " ids, the model's tokenizer has ", tokenizer.vocabulary());
  }
}

void read_shard(const Shard& shard, const Tokenizer& tokenizer, const Visit& visit) {
  constexpr int64_t kPiece = 1 << 16;
  const auto end_of_text = static_cast<int32_t>(shard.header().end_of_text);
  Document document{.file = shard.path(), .ids = {}, .text_bytes = 0};
  const auto finish = [&] {
    if (!is_ids_tokenizer(tokenizer))
      document.text_bytes = tokenizer.decode_start(document.ids).size();
    if (!document.ids.empty()) visit(document);
    document.ids.clear();
  };
  std::vector<int32_t> piece;
  for (int64_t first = 0; first < shard.num_tokens(); first += kPiece) {
    piece.resize(static_cast<size_t>(std::min(kPiece, shard.num_tokens() - first)));
    shard.read(first, piece);
    for (const int32_t id : piece) id == end_of_text ? finish() : document.ids.push_back(id);
  }
  finish();
}

}  // namespace

void each_document(const std::vector<std::string>& paths, const ReadOptions& read,
                   const TokenFileOptions& token_files, const Visit& visit) {
  base::check(token_files.tokenizer != nullptr, "documents need a tokenizer");
  const Tokenizer& tokenizer = *token_files.tokenizer;
  for (const std::string& path : paths) {
    if (!is_token_path(path)) {
      read_texts(path, read, tokenizer, visit);
      continue;
    }
    for (const std::string& file : shard_paths(path)) {
      const Shard shard = Shard::open(file, token_files);
      check_tokenizer(shard, tokenizer);
      read_shard(shard, tokenizer, visit);
    }
  }
}

}  // namespace muonlab::data
