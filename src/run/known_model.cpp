#include "known_model.hpp"

#include "muonlab/base/error.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::run {

std::vector<std::string> settings_beyond_llama(const config::ModelConfig& model) {
  config::RunConfig whole, known;
  whole.model = model;
  config::ModelConfig& m = known.model;
  m.layers = model.layers;
  m.width = model.width;
  m.heads = model.heads;
  m.kv_heads = model.kv_heads;
  m.head_dim = model.head_dim;
  m.gated = model.gated;
  m.activation = model.activation;
  m.ffn_width = model.ffn_width;
  m.qk_norm = model.qk_norm;
  m.tied = model.tied;
  m.context = model.context;
  m.rope_theta = model.rope_theta;
  m.norm_eps = model.norm_eps;
  m.vocabulary = model.vocabulary;
  m.init = model.init;
  std::vector<std::string> names;
  for (const config::Difference& difference : config::diff_configs(known, whole))
    names.push_back(base::str(difference.path, " ", difference.after));
  return names;
}

}  // namespace muonlab::run
