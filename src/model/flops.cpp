#include "muonlab/model/model.hpp"
#include "muonlab/ops/attention_spec.hpp"

namespace muonlab::model {

double flops_per_token(const config::ModelConfig& model) {
  // A tied embedding is multiplied once, as the head.
  double weights = static_cast<double>(*model.vocabulary) * static_cast<double>(model.width);
  for (const config::ParameterSpec& spec : config::parameter_specs(model)) {
    if (config::is_matrix_role(spec.role)) weights += static_cast<double>(spec.count());
  }
  // Scores and mixing of the keys that a query sees; backward is twice the forward.
  double attention = 0;
  for (int64_t i = 0; i < model.layers; ++i) {
    const ops::AttentionSpec spec = ops::attention_spec(model, i);
    attention +=
        static_cast<double>(spec.heads.query_width()) * 2.0 * spec.mean_keys(model.context);
  }
  return 6.0 * (weights + attention);
}

}  // namespace muonlab::model
