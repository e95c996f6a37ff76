#include <algorithm>
#include <map>
#include <unordered_map>

#include "data/byte_level.hpp"
#include "data/byte_level_json.hpp"
#include "data/chunk_reader.hpp"
#include "data/document_texts.hpp"
#include "data/pair_merger.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {
namespace {

constexpr int64_t kBytes = 256;

// End-of-text, then the bytes in the order of the characters that stand for them.
std::vector<std::string> first_tokens() {
  std::vector<std::string> tokens{std::string(kEndOfText)};
  std::map<std::string, char> by_character;  // UTF-8 sorts as its code points do
  for (int byte = 0; byte < kBytes; ++byte)
    by_character[byte_level_characters()[static_cast<size_t>(byte)]] = static_cast<char>(byte);
  for (const auto& [character, byte] : by_character) tokens.emplace_back(1, byte);
  return tokens;
}

ByteLevelFile file_of(const std::vector<std::string>& tokens) {
  ByteLevelFile file;
  for (size_t id = 0; id < tokens.size(); ++id)
    file.tokens.emplace_back(tokens[id], static_cast<int32_t>(id));
  file.special.emplace_back(kEndOfText, 0);
  return file;
}

// Counts the pretokens of documents that come in parts. A document is cut only where its end is the
// end of a pretoken.
class PretokenCounter {
 public:
  PretokenCounter() {
    splits_.emplace_back(
        R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
    // No merges: what counts is where a text may be cut.
    bytes_ = make_json_tokenizer(byte_level_json(file_of(first_tokens())), std::string(kEndOfText),
                                 "the tokenizer of bytes");
  }

  void add(std::string_view part, bool ends_document) {
    pending_ += part;
    if (ends_document) {
      count(pending_);
      pending_.clear();
    } else if (pending_.size() >= next_try_) {
      const size_t cut = bytes_->last_safe_cut(pending_);
      count(std::string_view(pending_).substr(0, cut));
      pending_.erase(0, cut);
      next_try_ = pending_.size() + kTryBytes;
    }
  }
  const std::unordered_map<std::string, int64_t>& counts() const { return counts_; }

 private:
  static constexpr size_t kTryBytes = 1 << 20;

  void count(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      const auto [begin, end] = splits_[0].find(text, at);
      if (begin > at) ++counts_[std::string(text.substr(at, begin - at))];
      if (end > begin) ++counts_[std::string(text.substr(begin, end - begin))];
      at = end;
    }
  }

  std::vector<SplitPattern> splits_;
  std::shared_ptr<const Tokenizer> bytes_;
  std::string pending_;
  size_t next_try_ = kTryBytes;
  std::unordered_map<std::string, int64_t> counts_;
};

std::string learn(const PretokenCounter& counter, const TokenizerTraining& training) {
  if (training.vocabulary < kBytes + 1)
    throw base::Error("a byte-level vocabulary needs at least 257 tokens, not ",
                      training.vocabulary);
  if (counter.counts().empty()) throw base::Error("there is no text to train a tokenizer on");
  std::vector<std::pair<std::string, int64_t>> words(counter.counts().begin(),
                                                     counter.counts().end());
  std::ranges::sort(words);
  PairMerger merger(first_tokens());
  for (const auto& [word, count] : words) merger.add_word(word, count);
  if (!merger.learn(training.vocabulary)) {
    const std::string possible = base::with_commas(std::ssize(merger.tokens()));
    throw base::Error("the text gives only ", possible, " tokens, not ",
                      base::with_commas(training.vocabulary), "; choose a vocabulary of at most ",
                      possible, " or more text");
  }
  ByteLevelFile file = file_of(merger.tokens());
  file.merges = merger.merges();
  return byte_level_json(file);
}

}  // namespace

std::string train_byte_bpe(const std::vector<std::string>& texts,
                           const TokenizerTraining& training) {
  PretokenCounter counter;
  for (const std::string& text : texts) counter.add(text, true);
  return learn(counter, training);
}

std::string train_byte_bpe_on_files(const InputList& list, const ReadOptions& options,
                                    const TokenizerTraining& training, BadLines& bad,
                                    const ReadProgress& progress) {
  PretokenCounter counter;
  ChunkReader reader(list.inputs, options);
  while (const auto chunk = reader.next()) {
    for_each_text(*chunk, options, bad, [&](std::string_view text, bool ends_document) {
      counter.add(text, ends_document);
    });
    if (progress) progress(chunk->done_bytes, reader.total_bytes());
  }
  return learn(counter, training);
}

}  // namespace muonlab::data
