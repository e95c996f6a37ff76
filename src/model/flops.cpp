#include "muonlab/model/model.hpp"

namespace muonlab::model {

double flops_per_token(const config::ModelConfig& model) {
  // A tied embedding is multiplied once, as the head.
  double weights = static_cast<double>(*model.vocabulary) * static_cast<double>(model.width);
  for (const config::ParameterSpec& spec : config::parameter_specs(model)) {
    if (config::is_matrix_role(spec.role)) weights += static_cast<double>(spec.count());
  }
  // Scores and mixing of the (context + 1) / 2 keys that a query sees on average; backward is twice
  // the forward.
  const double keys = static_cast<double>(model.context + 1) / 2.0;
  const double attention =
      static_cast<double>(model.layers * model.heads * *model.head_dim) * 2.0 * keys;
  return 6.0 * (weights + attention);
}

}  // namespace muonlab::model
