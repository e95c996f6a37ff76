#include "muonlab/data/convert.hpp"

#include <algorithm>
#include <limits>
#include <memory>

#include "data/shard_series.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/partial_output.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/ids_tokenizer.hpp"

namespace muonlab::data {
namespace {

constexpr size_t kChunk = 1 << 20;  // ids at a time
constexpr uint64_t kMostInt32 = 0x7FFFFFFF;

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Several token files as one row.
struct Inputs {
  std::vector<Shard> shards;
  uint64_t num_tokens = 0, num_documents = 0, vocabulary = 0;
  uint32_t end_of_text = 0;
  // Of the tokenizer that made the ids, and who names it; empty where that is not known.
  std::string tokenizer_hash, named_by;
};

// Empty for a file that does not say which tokenizer made its ids.
std::string tokenizer_hash_of(const Shard& shard) {
  const ShardHeader& header = shard.header();
  const auto without = make_ids_tokenizer(static_cast<int64_t>(header.vocabulary),
                                          static_cast<int32_t>(header.end_of_text));
  const std::string hash = header.tokenizer_hash.hex();
  return shard.format() != "muonlab" || hash == without->hash() ? "" : hash;
}

// Equal ids of two tokenizers stand for different texts, and nothing would tell them apart later.
void require_one_tokenizer(Inputs& inputs, const Shard& shard) {
  const std::string hash = tokenizer_hash_of(shard);
  if (hash.empty()) return;
  if (inputs.tokenizer_hash.empty()) {
    inputs.tokenizer_hash = hash;
    inputs.named_by = shard.path();
  }
  if (hash == inputs.tokenizer_hash) return;
  throw base::Error(shard.path(), ": made with another tokenizer (hash ", hash, ") than ",
                    inputs.named_by, " (", inputs.tokenizer_hash,
                    "), so that equal ids stand for different texts; convert files of one "
                    "tokenizer together");
}

Inputs open_inputs(const std::vector<std::string>& paths, const TokenFileOptions& options) {
  Inputs inputs;
  if (options.tokenizer && !is_ids_tokenizer(*options.tokenizer)) {
    inputs.tokenizer_hash = options.tokenizer->hash();
    inputs.named_by = "the one that is named";
  }
  for (const std::string& path : paths) {
    for (const std::string& shard : shard_paths(path)) {
      inputs.shards.push_back(Shard::open(shard, options));
      const ShardHeader& header = inputs.shards.back().header();
      const ShardHeader& first = inputs.shards.front().header();
      if (header.vocabulary != first.vocabulary || header.end_of_text != first.end_of_text) {
        throw base::Error(shard, ": vocabulary or end-of-text id (", header.vocabulary, ", ",
                          header.end_of_text, ") differ from those of ",
                          inputs.shards.front().path(), " (", first.vocabulary, ", ",
                          first.end_of_text, "); convert files of one tokenizer together");
      }
      require_one_tokenizer(inputs, inputs.shards.back());
      inputs.num_tokens += header.num_tokens;
      inputs.num_documents += header.num_documents;
    }
  }
  if (inputs.num_tokens == 0) throw base::Error(paths.front(), ": holds no token ids");
  inputs.vocabulary = inputs.shards.front().header().vocabulary;
  inputs.end_of_text = inputs.shards.front().header().end_of_text;
  return inputs;
}

template <class Take>
void each_chunk(const Inputs& inputs, const ConvertProgress& progress, Take&& take) {
  std::vector<int32_t> ids(kChunk);
  uint64_t done = 0;
  for (const Shard& shard : inputs.shards) {
    for (int64_t first = 0; first < shard.num_tokens();) {
      const auto count = static_cast<size_t>(std::min<int64_t>(kChunk, shard.num_tokens() - first));
      const auto part = std::span(ids).first(count);
      shard.read(first, part);
      take(std::span<const int32_t>(part));
      first += static_cast<int64_t>(count);
      done += count;
      if (progress) progress(done, inputs.num_tokens);
    }
  }
}

class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : output_(path), file_(base::real_file_system().create_new(output_.path())) {}

  void write(const std::string& bytes) { file_->write_text(bytes); }
  void complete() {
    file_->sync();
    file_->close();
    output_.publish();
  }

 private:
  base::PartialOutput output_;
  std::unique_ptr<base::WritableFile> file_;
};

void refuse_present(const std::string& path) {
  if (base::real_file_system().exists(path))
    throw base::Error(path, ": is there already, and is not written over; name another place");
}

void append_ids(std::string& bytes, std::span<const int32_t> ids, uint32_t id_bytes) {
  for (const int32_t id : ids) {
    if (id_bytes == 2) {
      append(bytes, static_cast<uint16_t>(id));
    } else {
      append(bytes, id);
    }
  }
}

std::string llmc_header(const Inputs& inputs, uint32_t id_bytes) {
  if (inputs.num_tokens > kMostInt32) {
    throw base::Error("an llm.c file holds at most 2,147,483,647 ids, and these are ",
                      base::with_commas(static_cast<int64_t>(inputs.num_tokens)),
                      "; convert fewer files at a time");
  }
  std::string header;
  append(header, id_bytes == 2 ? 20240520u : 20240801u);
  append(header, id_bytes == 2 ? 1u : 7u);
  append(header, static_cast<uint32_t>(inputs.num_tokens));
  header.resize(1024);
  return header;
}

// Format 1.0 of numpy.lib.format; the header ends at a multiple of 64 bytes.
std::string npy_header(const Inputs& inputs, uint32_t id_bytes) {
  std::string text = base::str("{'descr': '<u", id_bytes, "', 'fortran_order': False, 'shape': (",
                               inputs.num_tokens, ",), }");
  constexpr size_t kBefore = 10;
  text.resize((kBefore + text.size() + 1 + 63) / 64 * 64 - kBefore - 1, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  append(header, static_cast<uint16_t>(text.size()));
  return header + text;
}

// Lengths of documents, each with its end-of-text; what follows the last one is a document too.
class DocumentLengths {
 public:
  explicit DocumentLengths(int32_t end_of_text) : end_of_text_(end_of_text) {}
  void add(std::span<const int32_t> ids) {
    for (const int32_t id : ids) {
      if (++length_ > kMostInt32)
        throw base::Error("a document is longer than Megatron's 2^31 ids");
      if (id == end_of_text_) end();
    }
  }
  const std::vector<uint64_t>& finish() {
    if (length_ > 0) end();
    return lengths_;
  }

 private:
  void end() {
    lengths_.push_back(length_);
    length_ = 0;
  }
  int32_t end_of_text_;
  uint64_t length_ = 0;
  std::vector<uint64_t> lengths_;
};

std::string megatron_index(const std::vector<uint64_t>& lengths, uint32_t id_bytes) {
  std::string index("MMIDIDX\0\0", 9);
  append(index, uint64_t{1});
  append(index, static_cast<uint8_t>(id_bytes == 2 ? 8 : 4));
  append(index, static_cast<uint64_t>(lengths.size()));
  append(index, static_cast<uint64_t>(lengths.size() + 1));
  for (const uint64_t length : lengths) append(index, static_cast<int32_t>(length));
  int64_t pointer = 0;
  for (const uint64_t length : lengths) {
    append(index, pointer);
    pointer += static_cast<int64_t>(length * id_bytes);
  }
  for (size_t i = 0; i <= lengths.size(); ++i) append(index, static_cast<int64_t>(i));
  return index;
}

uint32_t id_bytes_of(const Inputs& inputs, TokenLayout layout) {
  const bool narrow = inputs.vocabulary <= (1 << 16);
  if (layout == TokenLayout::uint16 && !narrow) {
    throw base::Error("ids of a vocabulary of ",
                      base::with_commas(static_cast<int64_t>(inputs.vocabulary)),
                      " do not fit into 16 bits; choose uint32");
  }
  // Its reader takes 16 bits for GPT-2's ids.
  if (layout == TokenLayout::llmc) return inputs.vocabulary <= 50257 ? 2 : 4;
  return layout == TokenLayout::uint32 || !narrow ? 4 : 2;
}

Converted write_file(const Inputs& inputs, TokenLayout layout, const std::string& out,
                     const ConvertProgress& progress) {
  const uint32_t id_bytes = id_bytes_of(inputs, layout);
  const bool megatron = layout == TokenLayout::megatron;
  const std::string path = megatron ? out + ".bin" : out, index_path = out + ".idx";
  refuse_present(path);
  if (megatron) refuse_present(index_path);
  NewFile file(path);
  if (layout == TokenLayout::llmc) file.write(llmc_header(inputs, id_bytes));
  if (layout == TokenLayout::npy) file.write(npy_header(inputs, id_bytes));
  DocumentLengths lengths(static_cast<int32_t>(inputs.end_of_text));
  std::string bytes;
  each_chunk(inputs, progress, [&](std::span<const int32_t> ids) {
    bytes.clear();
    append_ids(bytes, ids, id_bytes);
    file.write(bytes);
    if (megatron) lengths.add(ids);
  });
  Converted converted{{path}, inputs.num_tokens, inputs.num_documents};
  if (megatron) {
    NewFile index(index_path);
    index.write(megatron_index(lengths.finish(), id_bytes));
    file.complete();
    index.complete();
    converted.files.push_back(index_path);
  } else {
    file.complete();
  }
  return converted;
}

std::shared_ptr<const Tokenizer> tokenizer_of(const Inputs& inputs,
                                              const TokenFileOptions& options) {
  if (options.tokenizer) return options.tokenizer;
  const std::string folder = base::parent_path(inputs.shards.front().path());
  if (auto beside = find_tokenizer(folder)) return beside;
  throw base::Error(folder,
                    ": holds no tokenizer, and a shard names the one of its ids; name it "
                    "with --tokenizer");
}

Converted write_shards(const Inputs& inputs, const TokenFileOptions& options,
                       const std::string& out, const ConvertProgress& progress) {
  constexpr int64_t kShardTokens = 1 << 28;
  const auto tokenizer = tokenizer_of(inputs, options);
  if (tokenizer->vocabulary() != static_cast<int64_t>(inputs.vocabulary) ||
      tokenizer->end_of_text() != static_cast<int32_t>(inputs.end_of_text)) {
    throw base::Error(inputs.shards.front().path(), ": vocabulary or end-of-text id (",
                      inputs.vocabulary, ", ", inputs.end_of_text, ") are not the tokenizer's (",
                      tokenizer->vocabulary(), ", ", tokenizer->end_of_text(), ")");
  }
  if (!inputs.tokenizer_hash.empty() && tokenizer->hash() != inputs.tokenizer_hash) {
    throw base::Error(inputs.named_by, ": made with another tokenizer (hash ",
                      inputs.tokenizer_hash, ") than the one beside ", inputs.shards.front().path(),
                      " (", tokenizer->hash(), "); name the right one with --tokenizer");
  }
  refuse_present(out);
  base::PartialOutput output(out);
  base::make_directories(output.path());
  ShardSeries series(*tokenizer, output.path(), kShardTokens);
  bool starts = true;
  each_chunk(inputs, progress, [&](std::span<const int32_t> ids) {
    const auto ends = std::ranges::count(ids, tokenizer->end_of_text());
    const std::string text = starts ? tokenizer->decode_start(ids) : tokenizer->decode(ids);
    series.add(ids, text.size() - static_cast<uint64_t>(ends) * kEndOfText.size());
    starts = !ids.empty() && ids.back() == tokenizer->end_of_text();
  });
  series.close();
  const std::map<std::string, std::string> described = tokenizer->files();
  for (const std::string& name : tokenizer->defining_files())
    base::write_atomically(base::join_path(output.path(), name), described.at(name));
  output.publish();
  Converted converted{{}, series.totals().num_tokens, series.totals().num_documents};
  for (const std::string& name : series.totals().shards)
    converted.files.push_back(base::join_path(out, name));
  return converted;
}

}  // namespace

const std::vector<std::string>& token_layout_names() {
  static const std::vector<std::string> kNames{"muonlab", "llm.c", "uint16",
                                               "uint32",  "npy",   "megatron"};
  return kNames;
}

Converted convert_tokens(const std::vector<std::string>& inputs, const TokenFileOptions& options,
                         TokenLayout layout, const std::string& out,
                         const ConvertProgress& progress) {
  const Inputs opened = open_inputs(inputs, options);
  return layout == TokenLayout::muonlab ? write_shards(opened, options, out, progress)
                                        : write_file(opened, layout, out, progress);
}

}  // namespace muonlab::data
