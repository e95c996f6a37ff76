// Samples by global index: the index is the whole position of a run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "muonlab/config/data.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

// One long row of token ids (documents, each followed by end-of-text), cut into windows of context
// + 1 ids at distance context: the last id of a window is the first of the next, so every id but
// the first is predicted once. Constant; methods may be called from several threads at once.
class Corpus {
 public:
  virtual ~Corpus() = default;

  virtual int64_t samples_per_epoch() const = 0;  // (num_tokens - 1) / context, at least 1
  virtual int64_t num_tokens() const = 0;         // end-of-text included
  // index >= 0, out.size() == context + 1. Epoch e = index / samples_per_epoch shows every window
  // once, in the order permute(index % samples_per_epoch, samples_per_epoch, permutation_key(seed,
  // e)) of base/permutation.hpp; or in the stored order, where the configuration says so.
  virtual void sample(int64_t index, std::span<int32_t> out) const = 0;
  // In file order, for validation: 0 <= index < samples_per_epoch.
  virtual void window(int64_t index, std::span<int32_t> out) const = 0;
};

// A fact of the biographies. The corpus holds the text `text + " " + answer + "."`.
struct Question {
  std::string text;    // up to and with "Answer:"
  std::string answer;  // as in "May 03, 1972", no space before, no full stop after
  int group = 0;       // 0 (asked about most often) … m
  int attribute = 0;   // 0 birth date, 1 birth city, 2 university, 3 major, 4 company, 5 work city
};

class ContentCheck;  // content_check.hpp

// Validation data beside the main ones.
struct ValidSet {
  std::unique_ptr<Corpus> corpus;
  double bytes_per_token = 0;  // as in Dataset
};

struct Dataset {
  std::unique_ptr<Corpus> train, valid;
  std::map<std::string, ValidSet> valid_sets{};  // data.valid_sets, by name
  // data.weights: the corpora that `train` is a mixture of; else empty
  std::vector<std::shared_ptr<const Corpus>> parts{};
  std::shared_ptr<const Tokenizer> tokenizer;
  // of the validation text: bytes of text / ids, end-of-text counted as an id of no bytes; NaN
  // where the text is not known
  double bytes_per_token = 0;
  std::string description;  // one line for the start of a run: name, tokens, samples
  // biographies: one a person and attribute, in a wording that training holds
  std::vector<Question> questions;
  // XXH3-128 hex of all token ids and the tokenizer; not of seed or context
  std::string identity;
  // shards: whether their ids are still those that identity names; none for a corpus in memory
  std::shared_ptr<ContentCheck> content;
};

// What data says of token files of other programs.
TokenFileOptions token_file_options(const config::ShardsConfig& config);

// Throws Error: a missing or damaged shard, shards of different tokenizers, context longer than the
// data, a corpus too large for memory. `context` in ids; `seed` orders the samples.
Dataset open_dataset(const config::DataConfig& config, int64_t context, int64_t seed);

}  // namespace muonlab::data
