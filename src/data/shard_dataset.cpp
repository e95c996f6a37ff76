#include "data/shard_dataset.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "data/packed_corpus.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/content_check.hpp"
#include "muonlab/data/ids_tokenizer.hpp"
#include "muonlab/data/mixture.hpp"
#include "muonlab/data/shard.hpp"

namespace muonlab::data {

namespace {

class ShardRow : public TokenRow {
 public:
  explicit ShardRow(std::vector<Shard> shards) : shards_(std::move(shards)) {
    for (const Shard& shard : shards_) {
      starts_.push_back(size_);
      size_ += shard.num_tokens();
    }
  }
  int64_t size() const override { return size_; }
  const std::vector<Shard>& shards() const { return shards_; }

  void read(int64_t first, std::span<int32_t> out) const override {
    base::check(first >= 0 && first + static_cast<int64_t>(out.size()) <= size_,
                "ids outside the shards");
    size_t at = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), first) -
                                    starts_.begin()) -
                1;
    while (!out.empty()) {
      const int64_t inside = first - starts_[at];
      const auto count = static_cast<size_t>(
          std::min<int64_t>(shards_[at].num_tokens() - inside, static_cast<int64_t>(out.size())));
      shards_[at].read(inside, out.first(count));
      out = out.subspan(count);
      first += static_cast<int64_t>(count);
      ++at;
    }
  }

 private:
  std::vector<Shard> shards_;
  std::vector<int64_t> starts_;
  int64_t size_ = 0;
};

void require_paths(const std::vector<std::string>& paths, const std::string& key) {
  if (paths.empty()) throw base::Error(key, " is empty: name shard files, or folders of them");
}

std::shared_ptr<const ShardRow> require_tokens(std::shared_ptr<const ShardRow> row,
                                               const std::string& key) {
  if (row->size() == 0) throw base::Error(key, ": the shards hold no tokens");
  return row;
}

std::shared_ptr<const ShardRow> open_row(const std::vector<std::string>& paths,
                                         const TokenFileOptions& options, const std::string& key) {
  require_paths(paths, key);
  std::vector<Shard> shards;
  for (const std::string& path : paths) {
    for (const std::string& shard : shard_paths(path, key))
      shards.push_back(Shard::open(shard, options));
  }
  std::erase_if(shards, [](const Shard& shard) { return shard.num_tokens() == 0; });
  return std::make_shared<ShardRow>(std::move(shards));
}

std::shared_ptr<const ShardRow> joined(const std::vector<std::shared_ptr<const ShardRow>>& rows,
                                       const std::string& key) {
  std::vector<Shard> shards;
  for (const auto& row : rows)
    shards.insert(shards.end(), row->shards().begin(), row->shards().end());
  return require_tokens(std::make_shared<ShardRow>(std::move(shards)), key);
}

std::shared_ptr<const Tokenizer> tokenizer_of(const std::shared_ptr<const Tokenizer>& given,
                                              const Shard& first) {
  if (given) return given;
  if (first.format() != "muonlab") {
    return make_ids_tokenizer(static_cast<int64_t>(first.header().vocabulary),
                              static_cast<int32_t>(first.header().end_of_text));
  }
  const std::string folder = base::parent_path(first.path());
  if (auto beside = find_tokenizer(folder)) return beside;
  auto bytes = make_byte_tokenizer();
  if (first.header().tokenizer_hash.hex() == bytes->hash()) return bytes;
  throw base::Error(
      folder, ": holds neither tokenizer.model nor tokenizer.json, and ", first.path(),
      " was not made with the byte tokenizer; set data.tokenizer to what it was made with");
}

void check_tokenizer(const ShardRow& row, const Tokenizer& tokenizer) {
  for (const Shard& shard : row.shards()) {
    const bool foreign = shard.format() != "muonlab";
    if (!foreign && shard.header().tokenizer_hash.hex() != tokenizer.hash()) {
      throw base::Error(shard.path(), ": made with another tokenizer (hash ",
                        shard.header().tokenizer_hash.hex(), ", not ", tokenizer.hash(),
                        "); use shards of one tokenizer, or set data.tokenizer");
    }
    if (shard.header().vocabulary != static_cast<uint64_t>(tokenizer.vocabulary()) ||
        shard.header().end_of_text != static_cast<uint32_t>(tokenizer.end_of_text())) {
      throw base::Error(shard.path(), ": vocabulary or end-of-text id (", shard.header().vocabulary,
                        ", ", shard.header().end_of_text, ") differ from the tokenizer's (",
                        tokenizer.vocabulary(), ", ", tokenizer.end_of_text(), ")",
                        foreign ? "; correct data.vocabulary and data.end_of_text" : "");
    }
  }
}

// Of ids without a tokenizer no text is known, and so no bits per byte: NaN.
double bytes_per_token(const ShardRow& row) {
  uint64_t text_bytes = 0;
  for (const Shard& shard : row.shards()) text_bytes += shard.header().text_bytes;
  return text_bytes == 0 ? std::numeric_limits<double>::quiet_NaN()
                         : static_cast<double>(text_bytes) / static_cast<double>(row.size());
}

// "classics" of corpora/classics/train and of corpora/classics/shard-00000.tokens.
std::string name_of(std::string path) {
  if (path.ends_with(kShardExtension) || path.ends_with(".bin") || path.ends_with(".npy"))
    path = base::parent_path(path);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::string name = base::base_name(path);
  const std::string parent = base::base_name(base::parent_path(path));
  return name == "train" && base::is_bare_name(parent) ? parent : name;
}

// "classics", or the parts of a mixture with their shares: "code 25 % + prose 75 %".
std::string names_of(const config::ShardsConfig& config) {
  if (config.weights.empty()) return name_of(config.train.front());
  const double sum = std::accumulate(config.weights.begin(), config.weights.end(), 0.0);
  std::vector<std::string> parts;
  for (size_t i = 0; i < config.weights.size(); ++i) {
    parts.push_back(base::str(name_of(config.train[i]), " ",
                              base::significant(config.weights[i] / sum * 100, 3), " %"));
  }
  return base::join(parts, " + ");
}

}  // namespace

TokenFileOptions token_file_options(const config::ShardsConfig& config) {
  TokenFileOptions options;
  if (config.format) options.id_bytes = *config.format == config::IdFormat::uint16 ? 2 : 4;
  options.vocabulary = config.vocabulary;
  options.end_of_text = config.end_of_text;
  if (config.tokenizer) options.tokenizer = load_tokenizer(*config.tokenizer);
  return options;
}

Dataset open_shards(const config::ShardsConfig& config, int64_t context, int64_t seed) {
  const TokenFileOptions options = token_file_options(config);
  require_paths(config.train, "data.train");
  std::vector<std::shared_ptr<const ShardRow>> parts;
  for (const std::string& path : config.train)
    parts.push_back(open_row({path}, options, "data.train"));
  const auto train = joined(parts, "data.train");
  const auto valid = require_tokens(open_row(config.valid, options, "data.valid"), "data.valid");
  Dataset dataset;
  dataset.tokenizer = tokenizer_of(options.tokenizer, train->shards().front());
  check_tokenizer(*train, *dataset.tokenizer);
  check_tokenizer(*valid, *dataset.tokenizer);
  const bool stored = config.order == config::SampleOrder::stored;
  if (config.weights.empty()) {
    dataset.train = make_packed_corpus(train, context, seed, "data.train", stored);
  } else {
    for (size_t i = 0; i < parts.size(); ++i) {
      dataset.parts.push_back(make_packed_corpus(
          parts[i], context, seed, base::str("data.train[", i, "], ", config.train[i]), stored));
    }
    dataset.train = make_mixture(dataset.parts, {{0, config.weights}});
  }
  dataset.valid = make_packed_corpus(valid, context, seed, "data.valid");

  base::Hasher identity;
  identity.add(dataset.tokenizer->hash());
  for (const auto& row : {train, valid}) {
    identity.add("|");
    for (const Shard& shard : row->shards()) identity.add(shard.header().content_hash.hex());
  }
  // Where a part of a mixture ends decides what its weight means.
  for (size_t i = 0; i < dataset.parts.size(); ++i)
    identity.add(base::str("|", parts[i]->shards().size()));
  dataset.identity = identity.finish().hex();

  std::vector<Shard> checked = valid->shards();
  dataset.bytes_per_token = bytes_per_token(*valid);
  for (const auto& [name, paths] : config.valid_sets) {
    const std::string key = "data.valid_sets." + name;
    const auto set = require_tokens(open_row(paths, options, key), key);
    check_tokenizer(*set, *dataset.tokenizer);
    checked.insert(checked.end(), set->shards().begin(), set->shards().end());
    dataset.valid_sets[name] = {make_packed_corpus(set, context, seed, key), bytes_per_token(*set)};
  }
  dataset.content = std::make_shared<ContentCheck>(train->shards(), checked);
  dataset.description =
      base::str(names_of(config), "  ", base::human_count(static_cast<double>(train->size())),
                " tokens (", dataset.tokenizer->description(), "), ",
                base::with_commas(dataset.train->samples_per_epoch()), " samples of ",
                base::with_commas(context), "; validation ",
                base::human_count(static_cast<double>(valid->size())));
  return dataset;
}

}  // namespace muonlab::data
