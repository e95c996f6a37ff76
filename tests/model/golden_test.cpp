// The decoder against an independent implementation (transformers), both kernel paths.
#include <algorithm>
#include <filesystem>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/config/model_hf.hpp"
#include "muonlab/model/model.hpp"
#include "support/golden.hpp"
#include "support/gradient_check.hpp"
#include "support/model.hpp"

namespace muonlab::model {
namespace {

config::ModelConfig model_config(const nlohmann::json& hf) {
  if (hf.contains("hf_config")) {
    config::ModelConfig model = config::from_hugging_face(hf.at("hf_config").dump(), "config.json");
    if (hf.contains("value_residual")) model.value_residual = config::ValueResidual::learned;
    return model;
  }
  config::ModelConfig model;
  model.layers = hf.at("num_hidden_layers");
  model.width = hf.at("hidden_size");
  model.heads = hf.at("num_attention_heads");
  model.kv_heads = hf.at("num_key_value_heads").get<int64_t>();
  model.head_dim = hf.at("head_dim").get<int64_t>();
  model.gated = hf.at("architecture") != "ArceeForCausalLM";
  model.activation =
      hf.at("hidden_act") == "relu2" ? config::Activation::relu2 : config::Activation::silu;
  model.ffn_width = hf.at("intermediate_size").get<int64_t>();
  const std::string qk_norm = hf.at("qk_norm");
  model.qk_norm = qk_norm == "gain"      ? config::QkNorm::gain
                  : qk_norm == "no_gain" ? config::QkNorm::no_gain
                                         : config::QkNorm::none;
  model.tied = hf.at("tie_word_embeddings");
  model.context = hf.at("max_position_embeddings");
  model.rope_theta = hf.at("rope_theta");
  model.norm_eps = hf.at("rms_norm_eps");
  model.vocabulary = hf.at("vocab_size").get<int64_t>();
  return model;
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(MUONLAB_SOURCE_DIR "/tests/golden")) {
    const std::string name = entry.path().stem();
    if (name.rfind("model_", 0) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Case {
  std::string file;
  tensor::Path path;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& name : golden_names()) {
    all.push_back({name, tensor::Path::reference});
    all.push_back({name, tensor::Path::cpu});
  }
  return all;
}

class GoldenModel : public testing::TestWithParam<Case> {};

TEST_P(GoldenModel, LogitsLossAndGradients) {
  const support::Golden golden = support::read_golden(
      std::string(MUONLAB_SOURCE_DIR "/tests/golden/") + GetParam().file + ".safetensors");
  const config::ModelConfig config = model_config(golden.config);
  tensor::Arena arena = support::make_arena(config);
  size_t num_parameters = 0;
  for (tensor::Parameter& parameter : arena.parameters()) {
    at::NoGradGuard no_grad;
    parameter.value.copy_(golden.at("param." + parameter.spec.name));
  }
  for (const auto& [name, value] : golden.tensors) num_parameters += name.rfind("param.", 0) == 0;
  ASSERT_EQ(num_parameters, arena.parameters().size());
  const auto model = make_llama(config, config::Precision::fp32, GetParam().path, arena);

  EXPECT_LE((model->logits(golden.at("tokens")) - golden.at("logits")).abs().max().item<double>(),
            1e-4);
  const at::Tensor loss = model->forward(golden.at("tokens"), golden.at("targets"));
  const double expected = golden.at("loss").item<double>();
  EXPECT_NEAR(loss.item<double>(), expected, 1e-5);
  EXPECT_NEAR(model->token_losses(golden.at("tokens"), golden.at("targets")).mean().item<double>(),
              expected, 1e-5);

  const void* grads = arena.grads().const_data_ptr();
  backward(loss, 1.0);
  for (const tensor::Parameter& parameter : arena.parameters()) {
    EXPECT_LE(support::relative_error(parameter.grad, golden.at("grad." + parameter.spec.name)),
              1e-4)
        << parameter.spec.name;
    EXPECT_EQ(parameter.value.grad().const_data_ptr(), parameter.grad.const_data_ptr())
        << parameter.spec.name;
  }
  // A second backward adds; the scale is the share of a micro-batch.
  backward(model->forward(golden.at("tokens"), golden.at("targets")), 0.5);
  for (const tensor::Parameter& parameter : arena.parameters()) {
    EXPECT_LE(
        support::relative_error(parameter.grad / 1.5, golden.at("grad." + parameter.spec.name)),
        1e-4)
        << parameter.spec.name;
    EXPECT_EQ(parameter.value.grad().const_data_ptr(), parameter.grad.const_data_ptr())
        << parameter.spec.name;
  }
  EXPECT_EQ(arena.grads().const_data_ptr(), grads);
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenModel, testing::ValuesIn(cases()), [](const auto& info) {
  return info.param.file.substr(6) +
         (info.param.path == tensor::Path::cpu ? "_fused" : "_reference");
});

TEST(GoldenModel, CoversTheArchitectures) { EXPECT_GE(golden_names().size(), 27u); }

}  // namespace
}  // namespace muonlab::model
