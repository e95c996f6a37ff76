// Three updates against numpy's and torch.optim's in double (scripts/make_goldens.py).
#include <filesystem>

#include <gtest/gtest.h>

#include "muonlab/optim/orthogonalize.hpp"
#include "optim/trial.hpp"
#include "support/golden.hpp"

namespace muonlab::optim {
namespace {

template <class Enum>
Enum named(const std::string& name) {
  const auto& names = config::EnumNames<Enum>::names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw std::runtime_error("no such name: " + name);
  return static_cast<Enum>(found - names.begin());
}

std::vector<std::string> files(const std::string& prefix) {
  std::vector<std::string> found;
  for (const auto& entry :
       std::filesystem::directory_iterator(MUONLAB_SOURCE_DIR "/tests/golden")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with(prefix)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

support::Golden read(const std::string& name) {
  return support::read_golden(std::string(MUONLAB_SOURCE_DIR "/tests/golden/") + name +
                              ".safetensors");
}

class MuonGolden : public testing::TestWithParam<std::string> {};

// In fp32, on any processor's order of summation. Polar Express's first five polynomials stretch a
// small singular value, and the rounding on it, by up to 8.3 * 4.1 * 3.9 * 3.3 * 2.3 = 1,000.
double direction_tolerance(const nlohmann::json& config) {
  return config.at("orthogonalizer") == "polar_express" ? 6e-5 : 1e-5;
}

TEST_P(MuonGolden, EveryStepEqualsDouble) {
  const support::Golden golden = read(GetParam());
  const auto& c = golden.config;
  config::MuonConfig muon;
  muon.lr = c.at("lr");
  muon.momentum = c.at("momentum");
  muon.momentum_form = named<config::MomentumForm>(c.at("momentum_form"));
  muon.nesterov = c.at("nesterov");
  muon.orthogonalizer = named<config::Orthogonalizer>(c.at("orthogonalizer"));
  if (c.at("steps") != 0) muon.steps = c.at("steps").get<int64_t>();
  muon.scale = named<config::MuonScale>(c.at("scale"));
  muon.decay = c.at("decay");
  std::vector<ParameterSpec> specs;
  for (const auto& [name, value] : golden.tensors) {
    if (!name.ends_with(".weight0")) continue;
    specs.push_back(
        matrix(name.substr(0, name.find('.')), value.size(0), value.size(1), Role::ffn_in));
  }
  ASSERT_GE(specs.size(), 5u);
  Trial trial(specs, muon);
  for (const ParameterSpec& spec : specs)
    trial.value(spec.name).copy_(golden.at(spec.name + ".weight0"));
  const std::string state =
      muon.momentum_form == config::MomentumForm::sum ? "/momentum" : "/momentum_average";
  for (int64_t step = 1; step <= 3; ++step) {
    const std::string n = std::to_string(step);
    for (const ParameterSpec& spec : specs)
      trial.grad(spec.name).copy_(golden.at(spec.name + ".grad" + n));
    trial.optimizer.step(step, 3);
    for (const ParameterSpec& spec : specs) {
      const at::Tensor weight = golden.at(spec.name + ".weight" + n);
      const at::Tensor before = golden.at(spec.name + ".weight" + std::to_string(step - 1));
      EXPECT_LT(relative_error(trial.value(spec.name), weight), 1e-6)
          << spec.name << " step " << step;
      EXPECT_LT(
          relative_error(trial.state(spec.name + state), golden.at(spec.name + ".momentum" + n)),
          1e-6)
          << spec.name << " step " << step;
      // The change alone, which is hundreds of times smaller than the weights: fp32 weights leave
      // it this exact.
      const double change = (weight - before).norm().item<double>();
      const double rounding = 2e-7 * weight.norm().item<double>() / change;
      EXPECT_LT(relative_error(trial.value(spec.name).to(at::kDouble) - before, weight - before),
                direction_tolerance(c) + rounding)
          << spec.name << " step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, MuonGolden, testing::ValuesIn(files("muon_")),
                         [](const auto& info) { return info.param; });

// The direction itself, without weights around it.
TEST_P(MuonGolden, DirectionEqualsDouble) {
  const support::Golden golden = read(GetParam());
  const auto& c = golden.config;
  const double mu = c.at("momentum");
  const double mix = c.at("momentum_form") == "sum" ? 1.0 : 1.0 - mu;
  std::optional<int64_t> steps;
  if (c.at("steps") != 0) steps = c.at("steps").get<int64_t>();
  for (const auto& [name, expected] : golden.tensors) {
    if (!name.ends_with(".direction3")) continue;
    const std::string shape = name.substr(0, name.find('.'));
    at::Tensor update = golden.at(shape + ".momentum3");
    if (c.at("nesterov")) update = update * mu + golden.at(shape + ".grad3") * mix;
    const at::Tensor polar =
        orthogonalize(update.unsqueeze(0), named<config::Orthogonalizer>(c.at("orthogonalizer")),
                      steps, at::kFloat);
    EXPECT_LT(relative_error(polar[0], expected), direction_tolerance(c)) << shape;
  }
}

class AdamWGolden : public testing::TestWithParam<std::string> {};

TEST_P(AdamWGolden, EveryStepEqualsTorch) {
  const support::Golden golden = read(GetParam());
  config::AdamWConfig adamw;
  adamw.lr = golden.config.at("lr");
  adamw.betas = golden.config.at("betas").get<std::array<double, 2>>();
  adamw.eps = golden.config.at("eps");
  adamw.decay = golden.config.at("decay");
  const at::Tensor start = golden.at("weight0");
  Trial trial({matrix("w", start.size(0), start.size(1))}, adamw);
  trial.value("w").copy_(start);
  for (int64_t step = 1; step <= 3; ++step) {
    const std::string n = std::to_string(step);
    trial.grad("w").copy_(golden.at("grad" + n));
    trial.optimizer.step(step, 3);
    EXPECT_LT((trial.value("w") - golden.at("weight" + n)).abs().max().item<double>(), 2e-7)
        << "step " << step;
  }
  EXPECT_LT(relative_error(trial.state("w/exp_avg"), golden.at("exp_avg3")), 1e-6);
  EXPECT_LT(relative_error(trial.state("w/exp_avg_sq"), golden.at("exp_avg_sq3")), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(All, AdamWGolden, testing::ValuesIn(files("adamw_")),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Goldens, AreAllThere) {
  EXPECT_GE(files("muon_").size(), 14u);
  EXPECT_GE(files("adamw_").size(), 2u);
}

}  // namespace
}  // namespace muonlab::optim
