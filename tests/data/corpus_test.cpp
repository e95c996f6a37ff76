#include "muonlab/data/corpus.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "data/scratch_folder.hpp"
#include "muonlab/base/permutation.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenize.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {
namespace {

std::string numbers_text(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "number " + std::to_string(i) + " of many\n";
  return text;
}

struct Shards {
  explicit Shards(const std::string& name, int64_t shard_tokens = 777) : folder(name) {
    train_text = numbers_text(700);
    make("train", train_text, shard_tokens);
    make("valid", numbers_text(60), shard_tokens);
    config.train = {folder / "c/train"};
    config.valid = {folder / "c/valid"};
  }
  void make(const std::string& split, const std::string& text, int64_t shard_tokens) {
    TokenizeOptions options;
    options.inputs = {folder.write(split + ".txt", text)};
    options.shard_tokens = shard_tokens;
    std::filesystem::create_directories(folder / "c");
    tokenize_files(*make_byte_tokenizer(), folder / ("c/" + split), options);
  }
  ScratchFolder folder;
  std::string train_text;
  config::ShardsConfig config;
};

TEST(Corpus, TheStoredOrderIsThatOfTheFilesInEveryEpoch) {
  Shards shards("corpus_stored");
  shards.config.order = config::SampleOrder::stored;
  const Dataset data = open_dataset(shards.config, 32, 5);
  const int64_t samples = data.train->samples_per_epoch();
  std::vector<int32_t> shown(33), stored(33);
  for (const int64_t i : {int64_t{0}, int64_t{1}, samples - 1, samples, 2 * samples + 7}) {
    data.train->sample(i, shown);
    data.train->window(i % samples, stored);
    EXPECT_EQ(shown, stored) << i;
  }
}

TEST(Corpus, AnEpochShowsEveryWindowOnceInAnotherOrder) {
  const Shards shards("corpus_epoch");
  const Dataset data = open_dataset(shards.config, 32, 5);
  const int64_t samples = data.train->samples_per_epoch();
  EXPECT_EQ(samples, (data.train->num_tokens() - 1) / 32);
  std::multiset<std::vector<int32_t>> windows;
  std::vector<int32_t> out(33);
  for (int64_t i = 0; i < samples; ++i) {
    data.train->window(i, out);
    windows.insert(out);
  }
  std::vector<std::vector<int32_t>> orders;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::multiset<std::vector<int32_t>> shown;
    std::vector<int32_t> order;
    for (int64_t i = 0; i < samples; ++i) {
      data.train->sample(epoch * samples + i, out);
      shown.insert(out);
      order.insert(order.end(), out.begin(), out.end());
    }
    EXPECT_EQ(shown, windows);
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_NE(orders[1], orders[2]);
}

TEST(Corpus, SeeksAnywhereAndDependsOnTheSeed) {
  const Shards shards("corpus_seek");
  const Dataset data = open_dataset(shards.config, 16, 5),
                same = open_dataset(shards.config, 16, 5),
                other = open_dataset(shards.config, 16, 6);
  const auto samples = static_cast<uint64_t>(data.train->samples_per_epoch());
  std::vector<int32_t> a(17), b(17), w(17);
  int different = 0;
  for (const int64_t index :
       {int64_t{0}, int64_t{1}, int64_t{12345}, int64_t{1} << 40, (int64_t{1} << 62) + 3}) {
    data.train->sample(index, a);
    same.train->sample(index, b);
    EXPECT_EQ(a, b);
    const auto i = static_cast<uint64_t>(index);
    data.train->window(static_cast<int64_t>(base::permute(i % samples, samples,
                                                          base::permutation_key(5, i / samples))),
                       w);
    EXPECT_EQ(a, w);
    other.train->sample(index, b);
    different += a != b;
  }
  EXPECT_GT(different, 0);
  EXPECT_EQ(data.identity, other.identity);
}

TEST(Corpus, WindowsAreTheTextInOrderAcrossShards) {
  const Shards shards("corpus_windows");
  const Dataset data = open_dataset(shards.config, 100, 1);
  std::vector<int32_t> ids, out(101);
  for (int64_t i = 0; i < data.train->samples_per_epoch(); ++i) {
    data.train->window(i, out);
    if (i > 0) {
      EXPECT_EQ(ids.back(), out.front()) << "the last id of a window is the first of the next";
    }
    if (i > 0) ids.pop_back();
    ids.insert(ids.end(), out.begin(), out.end());
  }
  EXPECT_EQ(data.tokenizer->decode(ids),
            (shards.train_text + "<|endoftext|>").substr(0, ids.size()));
  EXPECT_THROW(data.train->window(data.train->samples_per_epoch(), out), base::Bug);
  EXPECT_THROW(data.train->sample(-1, out), base::Bug);
  out.resize(100);
  EXPECT_THROW(data.train->window(0, out), base::Bug);
}

TEST(Corpus, ShardingDoesNotMatterToSamples) {
  const Shards many("corpus_many", 333), one("corpus_one", 1 << 20);
  const Dataset a = open_dataset(many.config, 64, 2), b = open_dataset(one.config, 64, 2);
  std::vector<int32_t> x(65), y(65);
  for (int64_t i = 0; i < 2 * a.train->samples_per_epoch(); ++i) {
    a.train->sample(i, x);
    b.train->sample(i, y);
    ASSERT_EQ(x, y);
  }
}

TEST(Corpus, DescribesItself) {
  const Shards shards("corpus_describe");
  const Dataset data = open_dataset(shards.config, 256, 1);
  EXPECT_EQ(data.description, "c  13.2 k tokens (byte), 51 samples of 256; validation 1.07 k");
  EXPECT_EQ(data.tokenizer->description(), "byte");
  const double bytes = static_cast<double>(numbers_text(60).size());
  EXPECT_DOUBLE_EQ(data.bytes_per_token, bytes / (bytes + 1));
  EXPECT_TRUE(data.questions.empty());
}

TEST(Corpus, RefusesWhatDoesNotFit) {
  Shards shards("corpus_errors");
  EXPECT_NE(error_of([&] { open_dataset(shards.config, 1300, 1); }).find("data.valid: 1,"),
            std::string::npos);
  auto config = shards.config;
  config.valid.clear();
  EXPECT_NE(error_of([&] { open_dataset(config, 16, 1); }).find("data.valid is empty"),
            std::string::npos);
  config = shards.config;
  config.train = {"/nowhere"};
  EXPECT_NE(error_of([&] {
              open_dataset(config, 16, 1);
            }).find("/nowhere: no such shard or folder (data.train)"),
            std::string::npos);
  TokenizerTraining training;
  training.vocabulary = 280;
  shards.folder.write("t.model", train_tokenizer({numbers_text(100)}, training));
  config = shards.config;
  config.tokenizer = shards.folder / "t.model";
  EXPECT_NE(error_of([&] { open_dataset(config, 16, 1); }).find("made with another tokenizer"),
            std::string::npos);
  TokenizeOptions options;
  options.inputs = {shards.folder / "valid.txt"};
  tokenize_files(*load_tokenizer(shards.folder / "t.model"), shards.folder / "other", options);
  config = shards.config;
  config.valid = {shards.folder / "other"};
  EXPECT_NE(error_of([&] { open_dataset(config, 16, 1); }).find("made with another tokenizer"),
            std::string::npos);
}

// Real text, where this checkout has it.
TEST(Corpus, RealTextRoundTrips) {
  const std::string path = std::string(MUONLAB_SOURCE_DIR) + "/../shared/data/tinyshakespeare.txt";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const ScratchFolder folder("corpus_real");
  const std::string text = file_bytes(path);
  TokenizerTraining training;
  training.vocabulary = 1000;
  BadLines bad;
  const auto tokenizer = make_sentencepiece_tokenizer(
      train_tokenizer_on_files(list_inputs({path}), {}, training, bad), "shakespeare");
  TokenizeOptions options;
  options.inputs = {path};
  options.threads = 2;
  const auto result = tokenize_files(*tokenizer, folder / "out", options);
  std::vector<int32_t> ids(result.num_tokens);
  Shard(result.shards.front()).read(0, ids);
  EXPECT_TRUE(tokenizer->decode(ids) == text + std::string(kEndOfText));
  EXPECT_GT(static_cast<double>(text.size()) / static_cast<double>(ids.size()), 2.2);
}

}  // namespace
}  // namespace muonlab::data
