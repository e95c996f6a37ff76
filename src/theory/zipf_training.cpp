#include "zipf_training.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/optim/optimizer.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "zipf_text.hpp"

namespace muonlab::theory {
namespace {

constexpr int64_t kVocabulary = 264, kClasses = 12, kTopics = 6;
constexpr int64_t kBatch = 16, kHeldOut = 64, kFirstHeldOut = 1'000'000'000;

config::RunConfig run_config(const CurvatureConfig& config, bool muon, int64_t seed) {
  const std::string text = base::str(
      R"({"name": "zipf", "data": {"kind": "biographies", "tokenizer": {"kind": "byte"}}, "train": {"steps": )",
      config.steps, R"(}, "seed": )", seed,
      R"(, "model": {"layers": 2, "width": 64, "heads": 4, "context": 32, "vocabulary": )",
      kVocabulary, R"(}, "optimizers": {"adam": {"rule": "adamw", "lr": )",
      base::exact(config.adam_lr), "}",
      muon ? base::str(R"(, "muon": {"rule": "muon", "lr": )", base::exact(config.muon_lr), "}")
           : "",
      R"(}, "assign": [)", muon ? R"({"params": ["matrices"], "optimizer": "muon"}, )" : "",
      R"({"params": ["all"], "optimizer": "adam"}]})");
  return config::parse_config(text, "curvature").run;
}

}  // namespace

std::vector<ProbedStep> train_on_zipf(const CurvatureConfig& config, bool muon, double exponent,
                                      int64_t seed, Context& context, double progress) {
  const config::RunConfig run = run_config(config, muon, seed);
  const optim::Routing routing = optim::route(config::parameter_specs(run.model), run);
  tensor::Arena arena(routing.specs, routing.order);
  const std::unique_ptr<model::Model> model =
      model::make_llama(run.model, config::Precision::fp32, tensor::Path::cpu, arena);
  model::initialize(run.model, seed, arena);
  model->weights_changed();
  optim::Optimizer optimizer(routing, run, arena);
  const ZipfText text(kVocabulary, kClasses, kTopics, exponent, seed);
  const train::Batch held_out = text.batch(kFirstHeldOut, kHeldOut, run.model.context);
  std::vector<ProbedStep> probed;
  for (int64_t step = 1; step <= config.steps; ++step) {
    context.progress(base::str(muon ? "Muon" : "Adam", ", Zipf exponent ", exponent, ", seed ",
                               seed, ", step ", step),
                     progress);
    const train::Batch batch = text.batch((step - 1) * kBatch, kBatch, run.model.context);
    arena.zero_grads();
    model::backward(model->forward(batch.tokens_bt, batch.targets_bt), 1.0);
    const bool measured = step % config.every == 1 || config.every == 1;
    at::Tensor before;
    double loss = 0;
    if (measured) {
      at::NoGradGuard no_grad;
      before = arena.values().clone();
      loss = model->forward(held_out.tokens_bt, held_out.targets_bt).item<double>();
    }
    optimizer.step(step, config.steps);
    model->weights_changed();
    if (!measured) continue;
    probed.push_back(
        {step, loss, train::sharpness_of_step(run.model, arena, before, {batch}, {"matrices"})});
  }
  return probed;
}

}  // namespace muonlab::theory
