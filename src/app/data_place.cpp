#include "data_place.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/content_check.hpp"
#include "muonlab/record/changes.hpp"

namespace muonlab::app {
namespace {

config::DataConfig moved_data(const config::RunConfig& before, const DataPlace& place) {
  const config::RunConfig now =
      config::parse_stored_config(config::dump_config(before), "the checkpoint", place.settings)
          .run;
  for (const config::Difference& difference : config::diff_configs(before, now)) {
    const bool of_set = difference.path.starts_with("data.valid_sets");
    if (of_set || record::places_data(difference.path)) continue;
    throw base::UsageError(
        "--set ", difference.path,
        ": here --set says where the data are now (data.train, data.valid, "
        "data.valid_sets, data.tokenizer, data.tokenizer.path); nothing else of the checkpoint's "
        "configuration can be changed");
  }
  return now.data;
}

}  // namespace

void DataPlace::add_option(CLI::App& command) {
  command
      .add_option("--set", settings,
                  "where the data are now: data.train, data.valid, data.valid_sets, "
                  "data.tokenizer or data.tokenizer.path; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

data::Dataset open_data(const run::LoadedModel& loaded, const std::string& name,
                        const DataPlace& place) {
  if (loaded.is_foreign)
    throw base::UsageError(name, ": a Hugging Face folder has no data of its own");
  const config::RunConfig& config = loaded.config;
  const config::DataConfig where = moved_data(config, place);
  data::Dataset data;
  try {
    data = data::open_dataset(where, config.model.context, config.seed);
  } catch (const base::Error& error) {
    const bool shards = std::holds_alternative<config::ShardsConfig>(where);
    throw base::Error(error.what(), ". If the data were moved, say where they are with --set ",
                      shards ? "'data.train=[\"FOLDER\"]' --set 'data.valid=[\"FOLDER\"]'"
                             : "data.tokenizer.path=FILE");
  }
  if (data.content) data.content->verify_valid();
  if (!loaded.data_identity.empty() && data.identity != loaded.data_identity) {
    base::log_warning(name, ": these are not the data that it was trained on (content hash ",
                      data.identity, ", the checkpoint says ", loaded.data_identity, ")");
  }
  return data;
}

}  // namespace muonlab::app
