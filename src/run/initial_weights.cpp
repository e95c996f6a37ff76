#include "initial_weights.hpp"

#include "load_model.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/record/changes.hpp"
#include "muonlab/train/foreign_weights.hpp"

namespace muonlab::run {
namespace {

// Settings of a model that its weights do not depend on.
bool may_differ(const std::string& setting, bool resize_vocabulary) {
  return setting == "model.context" || setting == "model.rope_theta" ||
         setting == "model.window_rope_theta" || setting == "model.document_start" ||
         setting.starts_with("model.rope_scaling") || setting.starts_with("model.init.") ||
         (resize_vocabulary && setting == "model.vocabulary");
}

// The folder's model must be the configuration's, also where the shapes of tensors do not show it.
void accept_shape(const config::RunConfig& run, const config::ModelConfig& stored) {
  config::RunConfig before;
  before.model = stored;
  config::RunConfig now;
  now.model = run.model;
  std::vector<std::string> changes;
  for (const config::Difference& difference : config::diff_configs(before, now)) {
    const std::string text = record::describe_difference(difference);
    if (!may_differ(difference.path, run.init->resize_vocabulary)) {
      changes.push_back(text);
    } else if (!difference.path.starts_with("model.init.")) {
      base::print_line("changed  " + text);
    }
  }
  if (changes.empty()) return;
  throw base::Error(run.init->from,
                    ": its weights were made for another model than this configuration's: ",
                    base::join(changes, ", "), ". Leave these settings out to take the folder's",
                    run.init->resize_vocabulary ? ""
                                                : "; init.resize_vocabulary allows another "
                                                  "model.vocabulary");
}

void warn_of_other_tokenizer(const std::string& folder, const data::Tokenizer& now) {
  std::shared_ptr<const data::Tokenizer> stored;
  try {
    stored = data::load_tokenizer(folder);
  } catch (const base::Error&) {  // none, or one that muonlab does not read
    return;
  }
  if (stored->hash() == now.hash()) return;
  base::log_warning(folder, ": its tokenizer (", stored->description(),
                    ") is not that of the data (", now.description(),
                    "); the weights were learned for other ids");
}

}  // namespace

void load_initial_weights(Session& session) {
  const config::RunConfig& config = session.prepared().config;
  if (!config.init) return;
  const std::string& folder = config.init->from;
  accept_shape(config, stored_shape(folder));
  warn_of_other_tokenizer(folder, *session.prepared().data.tokenizer);
  train::Trainer& trainer = session.trainer();
  const train::ForeignWeights read =
      train::load_foreign_weights(folder, config.model, config.init->resize_vocabulary,
                                  stored_gains_less_one(folder), trainer.arena);
  trainer.model.weights_changed();
  base::print_line(base::str("init     weights of ", folder, " (", read.description(), ")"));
}

}  // namespace muonlab::run
