#include "optim/muon_device.hpp"

#include <ATen/ATen.h>

#include "muonlab/tensor/plugin.hpp"

namespace muonlab::optim {

at::Tensor newton_schulz_batched(at::Tensor x_nrc, const Coefficients& coefficients) {
  const bool tall = x_nrc.size(1) > x_nrc.size(2);
  for (const Triple& t : coefficients.steps) {
    const at::Tensor turned = x_nrc.transpose(1, 2);
    const at::Tensor gram_nss = tall ? at::bmm(turned, x_nrc) : at::bmm(x_nrc, turned);
    const at::Tensor poly_nss = at::baddbmm(gram_nss, gram_nss, gram_nss, t.b, t.c);
    x_nrc = tall ? at::baddbmm(x_nrc, x_nrc, poly_nss, t.a, 1.0)
                 : at::baddbmm(x_nrc, poly_nss, x_nrc, t.a, 1.0);
  }
  return x_nrc;
}

DeviceGroup::DeviceGroup(const std::vector<Block>& blocks, at::Device device)
    : block_(blocks.front()) {
  std::vector<int64_t> offsets;
  for (const Block& block : blocks) offsets.push_back(block.offset);
  offsets_ = at::tensor(offsets, at::kLong).to(device);
}

void DeviceGroup::enqueue(const at::Tensor& values, const at::Tensor& grads,
                          const at::Tensor& momentum, const MomentumForm& form,
                          const Coefficients& coefficients, at::ScalarType dtype,
                          const at::Tensor& numbers, const at::Tensor& status) const {
  const at::Tensor x_nrc =
      at::empty({count(), block_.rows, block_.cols}, values.options().dtype(dtype));
  tensor::plugin::muon_direction_(momentum, grads, x_nrc, offsets_, block_.stride,
                                  {form.keep, form.mix, form.ahead_g, form.ahead_m},
                                  coefficients.norm_factor, status);
  const at::Tensor polar_nrc = newton_schulz_batched(x_nrc, coefficients);
  tensor::plugin::muon_apply_(values, polar_nrc, offsets_, block_.stride, numbers, status);
}

}  // namespace muonlab::optim
