#include "config/checker.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {

namespace {

std::optional<int64_t> tokenizer_vocabulary(const TokenizerConfig& tokenizer) {
  if (std::holds_alternative<ByteTokenizer>(tokenizer)) return 257;
  if (const auto* trained = std::get_if<TrainedTokenizer>(&tokenizer)) return trained->vocabulary;
  return std::nullopt;
}

void check_paths(Checker& c, const std::vector<std::string>& paths, const std::string& path) {
  if (paths.empty()) c.fail(path, "is missing or empty; name shard files or folders of them");
  for (size_t i = 0; i < paths.size(); ++i) {
    if (paths[i].empty()) c.fail(item_path(path, i), "is empty");
  }
}

}  // namespace

std::optional<int64_t> known_vocabulary(const DataConfig& data) {
  const auto* biographies = std::get_if<BiographiesConfig>(&data);
  return biographies ? tokenizer_vocabulary(biographies->tokenizer) : std::nullopt;
}

void check_data(Checker& c) {
  if (c.problems.touches("data")) return;
  if (const auto* shards = std::get_if<ShardsConfig>(&c.run.data)) {
    check_paths(c, shards->train, "data.train");
    check_paths(c, shards->valid, "data.valid");
    for (const auto& [name, paths] : shards->valid_sets)
      check_paths(c, paths, "data.valid_sets." + name);
    if (!shards->weights.empty() && shards->weights.size() != shards->train.size()) {
      c.fail("data.weights",
             base::str("has ", shards->weights.size(), " numbers, but data.train has ",
                       shards->train.size(), " entries; give one weight for each"));
    }
    if (shards->tokenizer && shards->tokenizer->empty()) c.fail("data.tokenizer", "is empty");
    if (shards->vocabulary && shards->end_of_text && *shards->end_of_text >= *shards->vocabulary) {
      c.fail("data.end_of_text", base::str(*shards->end_of_text, " is not below data.vocabulary, ",
                                           *shards->vocabulary));
    }
  } else {
    const auto& biographies = std::get<BiographiesConfig>(c.run.data);
    const auto* file = std::get_if<FileTokenizer>(&biographies.tokenizer);
    if (file && file->path.empty()) {
      c.fail("data.tokenizer.path", "is missing; name a .model file from `muonlab data tokenizer`");
    }
  }
  const auto known = known_vocabulary(c.run.data);
  std::optional<int64_t>& vocabulary = c.run.model.vocabulary;
  if (!known || c.problems.touches("model.vocabulary")) return;
  if (!vocabulary) {
    vocabulary = known;
  } else if (*vocabulary < *known) {
    c.fail("model.vocabulary",
           base::str(*vocabulary, " is smaller than the tokenizer's ", *known,
                     c.run.init ? "; set it, and init.resize_vocabulary, to add rows to the model"
                                : "; leave it out to take that"));
  }
}

}  // namespace muonlab::config
