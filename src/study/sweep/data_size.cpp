#include <algorithm>
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/config/batch_sizes.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenizer.hpp"
#include "muonlab/study/sweep/estimate.hpp"

namespace muonlab::study {

DataSizes::Size DataSizes::read(const config::DataConfig& data) {
  Size size;
  try {
    if (const auto* shards = std::get_if<config::ShardsConfig>(&data)) {
      const data::TokenFileOptions options = data::token_file_options(*shards);
      for (const std::string& path : shards->train) {
        for (const std::string& file : data::shard_paths(path)) {
          const data::ShardHeader header = data::Shard::open(file, options).header();
          size.vocabulary = static_cast<int64_t>(header.vocabulary);
          size.num_tokens += static_cast<int64_t>(header.num_tokens);
        }
      }
    } else if (const auto* people = std::get_if<config::BiographiesConfig>(&data)) {
      if (const auto* file = std::get_if<config::FileTokenizer>(&people->tokenizer))
        size.vocabulary = data::load_tokenizer(file->path)->vocabulary();
    }
  } catch (const base::Error&) {
    return {};  // the run itself will say what is wrong with its data
  }
  return size;
}

config::RunConfig DataSizes::complete(config::RunConfig run) {
  if (run.model.vocabulary && !run.train.epochs) return run;
  config::RunConfig data_alone;
  data_alone.data = run.data;
  const auto [entry, is_new] = sizes_.try_emplace(config::dump_config(data_alone));
  if (is_new) entry->second = read(run.data);
  const Size& size = entry->second;
  if (!run.model.vocabulary && size.vocabulary > 0) run.model.vocabulary = size.vocabulary;
  if (run.train.epochs && size.num_tokens > run.model.context) {
    // As train::make_plan counts them.
    const auto samples = static_cast<double>((size.num_tokens - 1) / run.model.context);
    const config::BatchSizes batches(run);
    run.train.steps = std::max<int64_t>(
        1, batches.grow()
               ? batches.steps_for(std::llround(*run.train.epochs * samples))
               : std::llround(*run.train.epochs * samples / static_cast<double>(run.train.batch)));
    run.train.epochs.reset();
  }
  return run;
}

}  // namespace muonlab::study
