#include <algorithm>
#include <deque>
#include <functional>
#include <future>

#include "data/packed_corpus.hpp"
#include "data/work_pool.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/biographies.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {

namespace {

constexpr int64_t kMaxMemoryBytes = int64_t{2} << 30;
constexpr int64_t kTokenizerDocuments = 100'000;
constexpr int64_t kBlock = 4096;            // documents a job
constexpr int64_t kAnnounceFrom = 500'000;  // documents: more take over a second

using Document = std::function<std::string(int64_t)>;

struct MakeTokenizer {
  const Biographies& people;
  std::shared_ptr<const Tokenizer> operator()(const config::ByteTokenizer&) const {
    return make_byte_tokenizer();
  }
  std::shared_ptr<const Tokenizer> operator()(const config::FileTokenizer& file) const {
    return load_tokenizer(file.path);
  }
  std::shared_ptr<const Tokenizer> operator()(const config::TrainedTokenizer& trained) const {
    std::vector<std::string> texts;
    for (int64_t i = 0; i < std::min(people.num_documents(), kTokenizerDocuments); ++i) {
      texts.push_back(people.train_document(i));
    }
    TokenizerTraining training;
    training.vocabulary = trained.vocabulary;
    training.coverage = 1.0;
    training.input_sentences = 0;
    training.threads = 1;
    try {
      return make_sentencepiece_tokenizer(train_tokenizer(texts, training),
                                          "the tokenizer of the biographies");
    } catch (const base::Error& error) {
      throw base::Error("data.tokenizer.vocabulary: ", error.what());
    }
  }
};

void check_memory(const Biographies& people, const Tokenizer& tokenizer) {
  const int64_t probes = std::min<int64_t>(people.num_documents(), 256);
  int64_t ids = 0;
  for (int64_t i = 0; i < probes; ++i) {
    ids += static_cast<int64_t>(tokenizer.encode(people.train_document(i)).size()) + 1;
  }
  const int64_t width = tokenizer.vocabulary() <= (1 << 16) ? 2 : 4;
  const int64_t needed = people.num_documents() / probes * ids * width;
  if (needed > kMaxMemoryBytes) {
    throw base::Error("data: these biographies take about ",
                      base::human_bytes(static_cast<uint64_t>(needed)), " in memory, more than ",
                      base::human_bytes(kMaxMemoryBytes), "; lower data.m or data.questions");
  }
}

struct Packed {
  std::shared_ptr<const MemoryRow> row;
  uint64_t text_bytes = 0;
};

Packed pack(const Document& document, int64_t count, const Tokenizer& tokenizer) {
  struct Block {
    std::vector<int32_t> ids;
    uint64_t text_bytes = 0;
  };
  auto row = std::make_shared<MemoryRow>(tokenizer.vocabulary());
  uint64_t text_bytes = 0;
  const int threads = base::usable_processors();
  std::deque<std::future<Block>> pending;
  const auto take_oldest = [&] {
    const Block block = pending.front().get();
    pending.pop_front();
    row->add(block.ids);
    text_bytes += block.text_bytes;
  };
  WorkPool pool(threads);
  for (int64_t first = 0; first < count; first += kBlock) {
    if (static_cast<int>(pending.size()) > 2 * threads) take_oldest();
    pending.push_back(
        pool.submit([&document, &tokenizer, first, last = std::min(count, first + kBlock)] {
          Block block;
          for (int64_t i = first; i < last; ++i) {
            const std::string text = document(i);
            const auto ids = tokenizer.encode(text);
            block.ids.insert(block.ids.end(), ids.begin(), ids.end());
            block.ids.push_back(tokenizer.end_of_text());
            block.text_bytes += text.size();
          }
          return block;
        }));
  }
  while (!pending.empty()) take_oldest();
  return {row, text_bytes};
}

// Mean over people spread evenly over the classes. Names of one token a part would put the facts
// into the embeddings.
double tokens_per_name(const Biographies& people, const Tokenizer& tokenizer) {
  const int64_t probes = std::min<int64_t>(people.num_classes(), 1024);
  size_t ids = 0;
  for (int64_t i = 0; i < probes; ++i) {
    ids +=
        tokenizer.encode_rest(" " + people.person(i * people.num_classes() / probes).name).size();
  }
  return static_cast<double>(ids) / static_cast<double>(probes);
}

}  // namespace

Dataset open_biographies(const config::BiographiesConfig& config, int64_t context, int64_t seed) {
  const Biographies people(config);
  Dataset dataset;
  dataset.tokenizer = std::visit(MakeTokenizer{people}, config.tokenizer);
  check_memory(people, *dataset.tokenizer);
  if (people.num_documents() >= kAnnounceFrom) {
    base::log_info("data     writing ",
                   base::human_count(static_cast<double>(people.num_documents())),
                   " documents about ", base::with_commas(people.num_classes()), " people");
  }
  const int64_t num_facts = people.num_classes() * config.questions;
  const Packed train = pack([&](int64_t i) { return people.train_document(i); },
                            people.num_documents(), *dataset.tokenizer);
  const Packed valid =
      pack([&](int64_t i) { return people.valid_document(i); }, num_facts, *dataset.tokenizer);
  dataset.train = make_packed_corpus(train.row, context, seed, "data (training text)");
  dataset.valid = make_packed_corpus(valid.row, context, seed, "data (validation text)");

  dataset.questions = people.exam(people.num_classes(), Wording::trained);
  base::Hasher identity;
  identity.add(dataset.tokenizer->hash());
  for (const auto& row : {train.row, valid.row}) {
    identity.add("|");
    identity.add(row->bytes());
  }
  dataset.identity = identity.finish().hex();
  dataset.bytes_per_token =
      static_cast<double>(valid.text_bytes) / static_cast<double>(valid.row->size());
  dataset.description = base::str(
      "biographies  ", base::with_commas(people.num_classes()), " people, ",
      base::with_commas(people.num_samples()),
      people.num_documents() > people.num_samples() ? " questions and biographies" : " questions",
      config.uniform ? " (uniform), " : ", ",
      base::human_count(static_cast<double>(train.row->size())), " tokens (",
      dataset.tokenizer->description(), ", a name takes ",
      base::fixed(tokens_per_name(people, *dataset.tokenizer), 1), "), ",
      base::with_commas(dataset.train->samples_per_epoch()), " samples of ",
      base::with_commas(context), "; validation ",
      base::human_count(static_cast<double>(valid.row->size())));
  return dataset;
}

}  // namespace muonlab::data
