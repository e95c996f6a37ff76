// Models of Hugging Face folders, opened for use.
#include <numeric>

#include <nlohmann/json.hpp>

#include "load_model.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/data/ids_tokenizer.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/store/weight_files.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/foreign_weights.hpp"

namespace muonlab::run {
namespace {

std::string config_path(const std::string& folder) {
  return base::join_path(folder, "config.json");
}

// The id that config.json names for the end of a text, or the first of several; 0 where it names
// none.
int32_t end_of_text_of(const std::string& folder, int64_t vocabulary) {
  const auto json = nlohmann::json::parse(base::read_text(config_path(folder)), nullptr, false);
  auto id = json.is_object() ? json.value("eos_token_id", nlohmann::json()) : nlohmann::json();
  if (id.is_array() && !id.empty()) id = nlohmann::json(id.front());
  const bool known = id.is_number_integer() && id >= 0 && id < vocabulary;
  return known ? id.get<int32_t>() : 0;
}

// Ids alone where the folder has no tokenizer, or one that is not supported: texts are refused when
// there is one to encode.
std::shared_ptr<const data::Tokenizer> tokenizer_of(const std::string& folder,
                                                    const config::ModelConfig& model) {
  std::string reason = "holds no tokenizer";
  try {
    auto tokenizer = data::load_tokenizer(folder);
    if (tokenizer->vocabulary() <= *model.vocabulary) {
      if (const std::string token = data::token_before_texts(folder); !token.empty()) {
        base::log_warning(folder, ": its tokenizer puts ", token,
                          " before every text; muonlab does not, and an export does not say so: "
                          "losses and answers can differ from those of other programs");
      }
      return tokenizer;
    }
    reason = base::str("its tokenizer has ", tokenizer->vocabulary(), " ids, its model ",
                       *model.vocabulary);
  } catch (const base::Error& error) {
    reason = error.what();
  }
  base::log_warning(folder, ": takes token ids only, no text (", reason, ")");
  return data::make_ids_tokenizer(*model.vocabulary, end_of_text_of(folder, *model.vocabulary));
}

}  // namespace

config::ModelConfig stored_shape(const std::string& folder) {
  const std::string path = config_path(folder);
  return config::from_hugging_face(base::read_text(path), path);
}

bool stored_gains_less_one(const std::string& folder) {
  const std::string path = config_path(folder);
  return config::stores_gains_less_one(base::read_text(path), path);
}

bool is_model_folder(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  return files.exists(config_path(path)) && store::has_weight_files(path) &&
         !files.exists(base::join_path(path, "manifest.json"));
}

LoadedModel load_foreign_model(const std::string& folder,
                               const std::function<tensor::Place(config::RunConfig&)>& choose) {
  LoadedModel loaded;
  loaded.is_foreign = true;
  std::string name = folder;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  loaded.config.name = base::base_name(name);
  loaded.config.model = stored_shape(folder);
  loaded.config.data = config::ShardsConfig{};
  loaded.config.eval.windows = config::EvalWindows::spread;
  const tensor::Place place = choose(loaded.config);
  loaded.config.threads = base::usable_processors();
  tensor::start_runtime(*loaded.config.threads);
  loaded.tokenizer = tokenizer_of(folder, loaded.config.model);
  const std::vector<config::ParameterSpec> specs = config::parameter_specs(loaded.config.model);
  std::vector<size_t> order(specs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  loaded.arena = std::make_unique<tensor::Arena>(specs, order, at::kFloat, place.device);
  train::load_foreign_weights(folder, loaded.config.model, /*resize_vocabulary=*/false,
                              stored_gains_less_one(folder), *loaded.arena);
  loaded.model =
      model::make_llama(loaded.config.model, loaded.config.precision, place.path, *loaded.arena);
  loaded.model->weights_changed();
  return loaded;
}

}  // namespace muonlab::run
