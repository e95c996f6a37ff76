#include "muonlab/study/report/comparability.hpp"

#include <algorithm>
#include <optional>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/shard.hpp"

namespace muonlab::study {
namespace {

using record::RunRecord;

// What the shards of a setting hold, as far as their headers say.
struct ShardContent {
  std::vector<std::string> tokens;  // content hashes, in order
  std::string tokenizer;            // hash
  uint64_t text_bytes = 0, documents = 0;
};

// None where a shard is gone or damaged: then only the paths are known.
std::optional<ShardContent> content_of(const std::vector<std::string>& paths) {
  ShardContent content;
  try {
    for (const std::string& path : paths) {
      for (const std::string& file : data::shard_paths(path)) {
        const data::ShardHeader header = data::Shard(file).header();
        content.tokens.push_back(header.content_hash.hex());
        content.tokenizer = header.tokenizer_hash.hex();
        content.text_bytes += header.text_bytes;
        content.documents += header.num_documents;
      }
    }
  } catch (const base::Error&) {
    return std::nullopt;
  }
  return content;
}

struct Likeness {
  bool text = true, tokenizer = true;
};

// Two lists of shards. Other tokens of one tokenizer are another text; tokens of two tokenizers
// stand for one text if that has as many bytes and documents.
Likeness likeness(const std::vector<std::string>& a, const std::vector<std::string>& b,
                  bool same_tokenizer_setting) {
  const std::optional<ShardContent> left = content_of(a), right = content_of(b);
  if (!left || !right) return {a == b, a == b && same_tokenizer_setting};
  const bool tokenizer = left->tokenizer == right->tokenizer;
  const bool text =
      tokenizer ? left->tokens == right->tokens
                : left->text_bytes == right->text_bytes && left->documents == right->documents;
  return {text, tokenizer};
}

struct DataLikeness {
  Likeness validation;
  bool training = true;  // the same tokens to train on
};

DataLikeness biographies_likeness(config::BiographiesConfig a, config::BiographiesConfig b) {
  const bool tokenizer = a.tokenizer == b.tokenizer;
  a.tokenizer = b.tokenizer;
  const bool text = a == b;
  // A BPE is trained on the corpus itself.
  const bool trained = std::holds_alternative<config::TrainedTokenizer>(b.tokenizer);
  return {{text, tokenizer && (text || !trained)}, text && tokenizer};
}

DataLikeness data_likeness(const RunRecord& a, const RunRecord& b) {
  const bool recorded = !a.data_identity.empty() && !b.data_identity.empty();
  if (recorded && a.data_identity == b.data_identity) return {};
  if (a.config.data == b.config.data) {
    // Other content under the same settings: the files were replaced between the runs.
    return recorded ? DataLikeness{{false, false}, false} : DataLikeness{};
  }
  const auto *people = std::get_if<config::BiographiesConfig>(&a.config.data),
             *others = std::get_if<config::BiographiesConfig>(&b.config.data);
  if (people && others) return biographies_likeness(*people, *others);
  const auto *left = std::get_if<config::ShardsConfig>(&a.config.data),
             *right = std::get_if<config::ShardsConfig>(&b.config.data);
  if (!left || !right) return {{false, false}, false};
  const bool setting = left->tokenizer == right->tokenizer;
  const Likeness training = likeness(left->train, right->train, setting);
  return {likeness(left->valid, right->valid, setting), training.text && training.tokenizer};
}

// The settings at or below one of the prefixes in which two runs differ: " (data.m, data.seed)".
std::string settings_in(const RunRecord& a, const RunRecord& b,
                        std::initializer_list<std::string_view> prefixes) {
  std::vector<std::string> paths;
  for (const config::Difference& difference : config::diff_configs(a.config, b.config)) {
    const std::string& path = difference.path;
    const bool wanted = std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) {
      return path.starts_with(prefix) && path != "eval.every";
    });
    if (wanted) paths.push_back(path);
  }
  return paths.empty() ? "" : " (" + base::join(paths, ", ") + ")";
}

Comparability of_pair(const RunRecord& a, const RunRecord& b) {
  Comparability pair;
  const DataLikeness likeness = data_likeness(a, b);
  const std::string windows = settings_in(a, b, {"eval.", "model.context"});
  pair.training = likeness.training;
  pair.bits_per_byte = likeness.validation.text && windows.empty();
  pair.losses = pair.bits_per_byte && likeness.validation.tokenizer;
  if (!likeness.validation.text) {
    const std::string settings = settings_in(a, b, {"data."});
    pair.reasons.push_back("The runs were validated on different text" +
                           (settings.empty() ? " under the same names of files" : settings) +
                           ": neither their losses nor their bits per byte can be compared.");
  } else if (!windows.empty()) {
    pair.reasons.push_back("The runs were validated on other windows of the text" + windows +
                           ": neither their losses nor their bits per byte can be compared.");
  } else if (!likeness.validation.tokenizer) {
    pair.reasons.push_back(
        "The runs use different tokenizers on the same text" + settings_in(a, b, {"data."}) +
        ": their losses a token cannot be compared, only their bits per byte, and these only "
        "roughly unless eval.samples covers the whole text.");
  } else if (!likeness.training) {
    pair.reasons.push_back("The runs were trained on different data" +
                           settings_in(a, b, {"data."}) +
                           ": a difference in loss may come from the data.");
  }
  return pair;
}

}  // namespace

Comparability comparability(std::span<const RunRecord* const> runs) {
  Comparability all;
  for (size_t i = 1; i < runs.size(); ++i) {
    const Comparability pair = of_pair(*runs[0], *runs[i]);
    all.losses &= pair.losses;
    all.bits_per_byte &= pair.bits_per_byte;
    all.training &= pair.training;
    for (const std::string& reason : pair.reasons) {
      if (std::find(all.reasons.begin(), all.reasons.end(), reason) == all.reasons.end())
        all.reasons.push_back(reason);
    }
  }
  return all;
}

std::vector<std::vector<size_t>> comparable_groups(std::span<const RunRecord* const> runs) {
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& group) {
      return of_pair(*runs[group.front()], *runs[i]).losses;
    });
    if (same == groups.end()) {
      groups.push_back({i});
    } else {
      same->push_back(i);
    }
  }
  return groups;
}

}  // namespace muonlab::study
