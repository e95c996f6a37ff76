#include <algorithm>
#include <map>
#include <unordered_map>

#include <sentencepiece_trainer.h>

#include "data/chunk_reader.hpp"
#include "data/document_texts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/permutation.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/pretoken.hpp"
#include "muonlab/data/tokenizer.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {

namespace {

using TakeText = std::function<void(std::string_view)>;
using ReadTexts = std::function<void(const TakeText&)>;

constexpr size_t kMaxDistinctPretokens = 4'000'000;

// Lines with the line feeds that follow them; longer ones are cut at borders of pretokens.
void for_each_sentence(std::string_view text, size_t max_bytes, const TakeText& take) {
  while (!text.empty()) {
    size_t end = text.substr(0, max_bytes).find('\n');
    if (end != std::string_view::npos) {
      while (end < text.size() && (text[end] == '\n' || text[end] == '\r')) ++end;
    } else if (text.size() <= max_bytes) {
      end = text.size();
    } else {
      const size_t window = std::max(max_bytes, kMaxPretokenBytes + 9);
      end = text.size() <= window ? text.size() : last_safe_cut(text.substr(0, window));
    }
    take(text.substr(0, end));
    text.remove_prefix(end);
  }
}

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

// How often each pretoken occurs; when there are too many distinct ones the rarest are forgotten.
class PretokenCounts {
 public:
  void add(std::string_view sentence) {
    while (!sentence.empty()) {
      const Pretoken pretoken = first_pretoken(sentence);
      sentence.remove_prefix(pretoken.text.size());
      if (pretoken.kind == PretokenKind::raw || pretoken.kind == PretokenKind::tabs) continue;
      const auto found = counts_.find(pretoken.text);
      if (found != counts_.end()) {
        ++found->second;
      } else {
        counts_.emplace(pretoken.text, 1);
        if (counts_.size() > kMaxDistinctPretokens) forget();
      }
    }
  }
  // Most frequent first, ties by text: independent of the order in which they came.
  std::vector<std::pair<std::string, int64_t>> sorted() const {
    std::vector<std::pair<std::string, int64_t>> rows(counts_.begin(), counts_.end());
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    return rows;
  }

 private:
  void forget() {
    while (counts_.size() > kMaxDistinctPretokens / 2) {
      std::erase_if(counts_, [&](const auto& row) { return row.second <= threshold_; });
      ++threshold_;
    }
  }

  std::unordered_map<std::string, int64_t, TextHash, std::equal_to<>> counts_;
  int64_t threshold_ = 1;
};

// Rows "pretoken <tab> count" as the trainer's tsv format wants them.
class CountIterator : public sentencepiece::SentenceIterator {
 public:
  explicit CountIterator(std::vector<std::pair<std::string, int64_t>> rows)
      : rows_(std::move(rows)) {
    show();
  }
  bool done() const override { return at_ == rows_.size(); }
  void Next() override {
    ++at_;
    show();
  }
  const std::string& value() const override { return row_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void show() {
    if (!done()) row_ = rows_[at_].first + '\t' + std::to_string(rows_[at_].second);
  }
  std::vector<std::pair<std::string, int64_t>> rows_;
  size_t at_ = 0;
  std::string row_;
};

PretokenCounts count_pretokens(const ReadTexts& read, const TokenizerTraining& training) {
  const size_t max_bytes = static_cast<size_t>(training.max_sentence_bytes);
  const auto wanted = static_cast<uint64_t>(training.input_sentences);
  uint64_t total = 0;
  if (wanted > 0) {
    read([&](std::string_view text) {
      for_each_sentence(text, max_bytes, [&](std::string_view) { ++total; });
    });
  }
  PretokenCounts counts;
  uint64_t index = 0;
  read([&](std::string_view text) {
    for_each_sentence(text, max_bytes, [&](std::string_view sentence) {
      const uint64_t i = index++;
      if (wanted == 0 || total <= wanted || base::permute(i, total, 1) < wanted)
        counts.add(sentence);
    });
  });
  return counts;
}

std::string number_after(const std::string& text, const std::string& mark) {
  const size_t at = text.rfind(mark);
  if (at == std::string::npos) return "";
  const size_t first = text.find_first_of("0123456789", at + mark.size());
  if (first == std::string::npos) return "";
  return base::with_commas(
      std::stoll(text.substr(first, text.find_first_not_of("0123456789", first) - first)));
}

// Where no piece of a unigram model is likely to occur half a time, sentencepiece ends the program.
// A character that is a pretoken is; so is some piece of any text that is not very short.
void check_unigram_text(const std::vector<std::pair<std::string, int64_t>>& rows) {
  constexpr int64_t kEnoughBytes = 1000;
  int64_t bytes = 0;
  for (const auto& [pretoken, count] : rows) {
    if (utf8_character_length(pretoken) == pretoken.size()) return;
    bytes += static_cast<int64_t>(pretoken.size()) * count;
  }
  if (bytes >= kEnoughBytes) return;
  throw base::Error(
      "the text is too short to train a unigram tokenizer on; take more text, or another --kind");
}

[[noreturn]] void refuse(const std::string& reason, const TokenizerTraining& training) {
  const std::string wanted = base::with_commas(training.vocabulary);
  if (reason.find("Vocabulary size is smaller than required_chars") != std::string::npos) {
    throw base::Error("a vocabulary of ", wanted,
                      " is too small for the text's characters and the 256 bytes: it takes ",
                      number_after(reason, " vs "),
                      " or more; raise the vocabulary or lower the coverage");
  }
  if (const std::string possible = number_after(reason, "value <= "); !possible.empty()) {
    throw base::Error("the text gives only ", possible, " pieces, not ", wanted,
                      "; choose a vocabulary of at most ", possible, " or more text");
  }
  throw base::Error("training the tokenizer failed: ", reason);
}

std::string train(const ReadTexts& read, const TokenizerTraining& training) {
  if (training.vocabulary < 259)
    throw base::Error("a vocabulary needs at least 259 pieces, not ", training.vocabulary);
  if (!(training.coverage >= 0.98 && training.coverage <= 1.0)) {
    throw base::Error("coverage must lie between 0.98 and 1, not ", training.coverage);
  }
  if (training.max_sentence_bytes < 16) throw base::Error("sentences need at least 16 bytes");
  if (training.input_sentences < 0) throw base::Error("the number of sentences cannot be negative");
  auto rows = count_pretokens(read, training).sorted();
  if (rows.empty()) throw base::Error("there is no text to train a tokenizer on");
  if (training.type == PieceModel::unigram) check_unigram_text(rows);

  CountIterator iterator(std::move(rows));
  std::string model;
  const std::unordered_map<std::string, std::string> settings = {
      {"model_type", training.type == PieceModel::bpe ? "bpe" : "unigram"},
      {"vocab_size", std::to_string(training.vocabulary)},
      {"character_coverage", base::str(training.coverage)},
      {"num_threads", std::to_string(training.threads)},
      {"input_format", "tsv"},
      {"max_sentence_length", "1000000"},
      {"normalization_rule_name", "identity"},
      {"add_dummy_prefix", "false"},
      {"remove_extra_whitespaces", "false"},
      {"allow_whitespace_only_pieces", "true"},
      {"byte_fallback", "true"},
      {"unk_id", "0"},
      {"eos_id", "1"},
      {"eos_piece", std::string(kEndOfText)},
      {"bos_id", "-1"},
      {"pad_id", "-1"},
      {"minloglevel", "3"},
  };
  const auto status = sentencepiece::SentencePieceTrainer::Train(settings, &iterator, &model);
  if (!status.ok()) refuse(status.error_message(), training);
  return model;
}

}  // namespace

std::string train_tokenizer(const std::vector<std::string>& texts,
                            const TokenizerTraining& training) {
  return train(
      [&](const TakeText& take) {
        for (const std::string& text : texts) take(text);
      },
      training);
}

std::string train_tokenizer_on_files(const InputList& list, const ReadOptions& options,
                                     const TokenizerTraining& training, BadLines& bad,
                                     const ReadProgress& progress) {
  const uint64_t passes = training.input_sentences > 0 ? 2 : 1;
  uint64_t pass = 0;
  const auto read = [&](const TakeText& take) {
    ChunkReader reader(list.inputs, options);
    bad = {};  // every pass meets the same
    if (progress && pass == 0) progress(0, passes * reader.total_bytes());
    while (const auto chunk = reader.next()) {
      for_each_text(*chunk, options, bad, [&](std::string_view text, bool) { take(text); });
      if (progress)
        progress(pass * reader.total_bytes() + chunk->done_bytes, passes * reader.total_bytes());
    }
    ++pass;
  };
  return train(read, training);
}

}  // namespace muonlab::data
