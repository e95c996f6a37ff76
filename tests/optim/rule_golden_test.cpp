// Updates of every rule against numpy's in double (scripts/make_rule_goldens.py).
#include <filesystem>

#include <gtest/gtest.h>

#include "muonlab/config/load.hpp"
#include "optim/trial.hpp"
#include "support/golden.hpp"

namespace muonlab::optim {
namespace {

constexpr const char* kFolder = MUONLAB_SOURCE_DIR "/tests/golden/";

std::vector<std::string> rule_files() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("rule_")) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Reads the optimizer as a configuration has it, with all its checks.
config::OptimizerConfig parsed(const nlohmann::json& optimizer) {
  const nlohmann::json run{{"train", {{"steps", 10}}},
                           {"optimizers", {{"rule", optimizer}, {"norms", {{"rule", "adamw"}}}}},
                           {"assign",
                            {{{"params", {"norm"}}, {"optimizer", "norms"}},
                             {{"params", {"all"}}, {"optimizer", "rule"}}}}};
  return config::parse_config(run.dump(), "golden").run.optimizers.at("rule");
}

ParameterSpec spec_of(const std::string& name, const at::Tensor& value) {
  const std::string role = name.substr(0, name.rfind('_'));
  const bool in_layer = role == "ffn_in";
  return {name,
          in_layer          ? Role::ffn_in
          : role == "embed" ? Role::embed
                            : Role::head,
          in_layer ? 0 : -1, value.sizes().vec()};
}

class RuleGolden : public testing::TestWithParam<std::string> {};

TEST_P(RuleGolden, EveryStepEqualsDouble) {
  const support::Golden golden = support::read_golden(kFolder + GetParam() + ".safetensors");
  const auto updates = golden.config.at("updates").get<int64_t>();
  std::vector<ParameterSpec> specs;
  for (const auto& [name, value] : golden.tensors) {
    if (name.ends_with(".weight0")) specs.push_back(spec_of(name.substr(0, name.find('.')), value));
  }
  ASSERT_GE(specs.size(), 3u);
  Trial trial(specs, parsed(golden.config.at("optimizer")));
  for (const ParameterSpec& spec : specs)
    trial.value(spec.name).copy_(golden.at(spec.name + ".weight0"));
  for (int64_t step = 1; step <= updates; ++step) {
    for (const ParameterSpec& spec : specs)
      trial.grad(spec.name).copy_(golden.at(base::str(spec.name, ".grad", step)));
    trial.optimizer.step(step, updates);
    for (const ParameterSpec& spec : specs) {
      const at::Tensor weight = golden.at(base::str(spec.name, ".weight", step));
      const at::Tensor before = golden.at(base::str(spec.name, ".weight", step - 1));
      EXPECT_LT(relative_error(trial.value(spec.name), weight), 3e-6)
          << spec.name << " step " << step;
      // The change alone: fp32 weights leave it this exact.
      const double change = (weight - before).norm().item<double>();
      if (change == 0) continue;
      const double rounding = 4e-7 * weight.norm().item<double>() / change;
      EXPECT_LT(relative_error(trial.value(spec.name).to(at::kDouble) - before, weight - before),
                5e-5 + rounding)
          << spec.name << " step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RuleGolden, testing::ValuesIn(rule_files()),
                         [](const auto& info) { return info.param; });

TEST(RuleGoldens, AreAllThere) { EXPECT_GE(rule_files().size(), 24u); }

}  // namespace
}  // namespace muonlab::optim
