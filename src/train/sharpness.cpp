#include "muonlab/train/sharpness.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"

namespace muonlab::train {
namespace {

using Tensors = std::vector<at::Tensor>;

double sum_of_products(const at::Tensor& a, const at::Tensor& b) {
  return (a.detach().to(at::kDouble) * b.detach().to(at::kDouble)).sum().item<double>();
}

struct Block {
  BlockSharpness measured;
  Tensors values, updates;
};

std::vector<Block> blocks_of(const tensor::Arena& arena, const Update& update) {
  std::vector<Block> blocks;
  std::map<std::string, size_t> places;
  for (const auto& [index, z] : update) {
    const tensor::Parameter& parameter = arena.parameters()[index];
    const config::ParameterSpec& spec = parameter.spec;
    const std::string name = spec.layer >= 0 ? base::str("layer ", spec.layer)
                                             : std::string(config::role_name(spec.role));
    const auto [place, is_new] = places.try_emplace(name, blocks.size());
    if (is_new) blocks.push_back({{.name = name, .layer = spec.layer}, {}, {}});
    Block& block = blocks[place->second];
    block.values.push_back(parameter.value);
    block.updates.push_back(z);
    block.measured.norm = std::hypot(block.measured.norm, std::sqrt(sum_of_products(z, z)));
  }
  return blocks;
}

// <G, Z> of a block, differentiable with respect to the weights.
at::Tensor slope(const Tensors& gradients, const Tensors& updates) {
  at::Tensor sum = at::zeros({}, updates[0].options());
  for (size_t i = 0; i < updates.size(); ++i) sum = sum + (gradients[i] * updates[i]).sum();
  return sum;
}

// <Z, d slope / d W>
double curvature(const at::Tensor& slope, const Tensors& values, const Tensors& updates) {
  const Tensors products = torch::autograd::grad({slope}, values, {}, /*retain_graph=*/true,
                                                 /*create_graph=*/false, /*allow_unused=*/true);
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (products[i].defined()) sum += sum_of_products(products[i], updates[i]);
  }
  return sum;
}

void add_batch(model::Model& reference, const Batch& batch, double share,
               std::vector<Block>& blocks, Sharpness& result) {
  at::AutoGradMode with_graph(true);
  Tensors values, updates;
  for (const Block& block : blocks) {
    values.insert(values.end(), block.values.begin(), block.values.end());
    updates.insert(updates.end(), block.updates.begin(), block.updates.end());
  }
  const at::Tensor loss = reference.forward(batch.tokens_bt, batch.targets_bt);
  const Tensors gradients = torch::autograd::grad({loss}, values, {}, /*retain_graph=*/true,
                                                  /*create_graph=*/true);
  const at::Tensor whole = slope(gradients, updates);
  result.loss += share * loss.item<double>();
  result.gradient += share * whole.item<double>();
  result.curvature += share * curvature(whole, values, updates) / 2;
  size_t first = 0;
  for (Block& block : blocks) {
    const auto begin = gradients.begin() + static_cast<std::ptrdiff_t>(first);
    const Tensors own(begin, begin + std::ssize(block.values));
    block.measured.within +=
        share * curvature(slope(own, block.updates), block.values, block.updates);
    first += block.values.size();
  }
}

double mean_loss(model::Model& reference, const std::vector<Batch>& batches) {
  at::NoGradGuard no_grad;
  double sum = 0;
  for (const Batch& batch : batches)
    sum += reference.forward(batch.tokens_bt, batch.targets_bt).item<double>();
  return sum / static_cast<double>(batches.size());
}

// The loss where the update has been made; the weights are put back bit by bit.
double loss_after(model::Model& reference, std::vector<Block>& blocks,
                  const std::vector<Batch>& batches) {
  at::NoGradGuard no_grad;
  std::vector<Tensors> before;
  for (Block& block : blocks) {
    Tensors& kept = before.emplace_back();
    for (size_t i = 0; i < block.values.size(); ++i) {
      kept.push_back(block.values[i].detach().clone());
      block.values[i].sub_(block.updates[i]);
    }
  }
  reference.weights_changed();
  const double loss = mean_loss(reference, batches);
  for (size_t b = 0; b < blocks.size(); ++b) {
    for (size_t i = 0; i < before[b].size(); ++i) blocks[b].values[i].copy_(before[b][i]);
  }
  reference.weights_changed();
  return loss;
}

}  // namespace

double Sharpness::within() const {
  double sum = 0;
  for (const BlockSharpness& block : blocks) sum += block.within;
  return sum / (norm * norm);
}

Sharpness sharpness(model::Model& reference, tensor::Arena& arena,
                    const std::vector<Batch>& batches, const Update& update) {
  base::check(!update.empty() && !batches.empty(), "sharpness of nothing");
  std::vector<Block> blocks = blocks_of(arena, update);
  Sharpness result;
  const double share = 1 / static_cast<double>(batches.size());
  for (const Batch& batch : batches) add_batch(reference, batch, share, blocks, result);
  result.realised = result.loss - loss_after(reference, blocks, batches);
  for (Block& block : blocks) {
    result.norm = std::hypot(result.norm, block.measured.norm);
    result.blocks.push_back(std::move(block.measured));
  }
  return result;
}

Sharpness sharpness_of_step(const config::ModelConfig& model, tensor::Arena& arena,
                            const at::Tensor& before, const std::vector<Batch>& batches,
                            const std::vector<std::string>& params) {
  at::NoGradGuard no_grad;
  const at::Tensor after = arena.values().detach().clone(), moved = before - after;
  Update update;
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const tensor::Parameter& parameter = arena.parameters()[i];
    const bool selected =
        std::any_of(params.begin(), params.end(), [&](const std::string& selector) {
          return config::selector_matches(selector, parameter.spec);
        });
    if (!selected) continue;
    update[i] =
        moved.narrow(0, arena.offset(i), parameter.value.numel()).view(parameter.value.sizes());
  }
  arena.values().copy_(before);
  const std::unique_ptr<model::Model> reference =
      model::make_llama(model, config::Precision::fp32, tensor::Path::reference, arena);
  Sharpness measured = sharpness(*reference, arena, batches, update);
  arena.values().copy_(after);
  return measured;
}

std::vector<std::string> sharpness_lines(const Sharpness& sharpness, int64_t step) {
  using Json = nlohmann::ordered_json;
  Json whole{{"step", step},
             {"of", "update"},
             {"loss", sharpness.loss},
             {"realised", sharpness.realised},
             {"gradient", sharpness.gradient},
             {"curvature", sharpness.curvature},
             {"norm", sharpness.norm}};
  const bool moved = sharpness.norm > 0;  // a learning rate of zero moves nothing
  if (moved) {
    whole.update(
        {{"nds", sharpness.nds()}, {"within", sharpness.within()}, {"across", sharpness.across()}});
  }
  std::vector<std::string> lines{whole.dump()};
  const double size = sharpness.norm * sharpness.norm;
  for (const BlockSharpness& block : sharpness.blocks) {
    if (!moved) break;
    lines.push_back(Json{{"step", step},
                         {"of", "block"},
                         {"block", block.name},
                         {"layer", block.layer},
                         {"norm", block.norm},
                         {"within", block.within / size}}
                        .dump());
  }
  return lines;
}

}  // namespace muonlab::train
