#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/philox.hpp"
#include "muonlab/model/model.hpp"

namespace muonlab::model {

void initialize(const config::ModelConfig& model, int64_t seed, tensor::Arena& arena) {
  at::NoGradGuard no_grad;
  const config::InitialWeights initial(model);
  for (tensor::Parameter& parameter : arena.parameters()) {
    const config::Role role = parameter.spec.role;
    if (role == config::Role::norm) {
      parameter.value.fill_(initial.constant(parameter.spec));
      continue;
    }
    const double deviation = initial.deviation(parameter.spec);
    if (deviation == 0) {
      parameter.value.zero_();
      continue;
    }
    const base::Philox random(static_cast<uint64_t>(seed), base::Purpose::init,
                              parameter.spec.name);
    at::Tensor values = at::empty(parameter.spec.shape, at::kFloat);
    random.fill_normal({values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())}, 0,
                       0.0, deviation);
    parameter.value.copy_(values);
  }
}

}  // namespace muonlab::model
