// Sources of the numbers: muon.md §2; Keller Jordan's Muon, YouJiacheng (modded-nanogpt), Polar
// Express (arXiv 2505.16932) and DeepSeek-V4's 8 + 2.
#include <cmath>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/orthogonalize.hpp"

namespace muonlab::optim {
namespace {

constexpr Triple kKeller{3.4445, -4.7750, 2.0315};
constexpr Triple kExact{2.0, -1.5, 0.5};

const std::vector<Triple> kYou{{4.0848, -6.8946, 2.9270},
                               {3.9505, -6.3029, 2.6377},
                               {3.7418, -5.5913, 2.3037},
                               {2.8769, -3.1427, 1.2046},
                               {2.8366, -3.0525, 1.2012}};

const std::vector<Triple> kPolarExpressFive{
    {8.156554524902461, -22.48329292557795, 15.878769915207462},
    {4.042929935166739, -2.808917465908714, 0.5000178451051316},
    {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
    {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
    {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}};
constexpr double kPolarExpressFiveNorm = 1.02;

const std::vector<Triple> kPolarExpressRaw{
    {8.28721201814563, -23.595886519098837, 17.300387312530933},
    {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
    {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
    {3.3184196573706015, -2.488488024314874, 0.51004894012372},
    {2.300652019954817, -1.6689039845747493, 0.4188073119525673},
    {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
    {1.8750014808534479, -1.2500016453999487, 0.3750001645474248},
    {1.875, -1.25, 0.375}};
constexpr double kPolarExpressSafety = 1.01;

std::string_view name_of(config::Orthogonalizer orthogonalizer) {
  return config::EnumNames<config::Orthogonalizer>::names[static_cast<size_t>(orthogonalizer)];
}

size_t checked_steps(config::Orthogonalizer orthogonalizer, std::optional<int64_t> steps) {
  const auto [least, most, usual] = config::step_range(orthogonalizer);
  const int64_t asked = steps.value_or(usual);
  if (asked >= least && asked <= most) return static_cast<size_t>(asked);
  const std::string range = least == most ? base::str(least) : base::str(least, " to ", most);
  throw base::Error("muon: ", name_of(orthogonalizer), " takes ", range, " steps, not ", asked,
                    least == most ? "; leave \"steps\" out" : "");
}

}  // namespace

Coefficients coefficients(config::Orthogonalizer orthogonalizer, std::optional<int64_t> steps) {
  using config::Orthogonalizer;
  if (orthogonalizer == Orthogonalizer::svd && steps)
    throw base::Error("muon: svd has no steps; leave \"steps\" out");
  const size_t n = checked_steps(orthogonalizer, steps);
  switch (orthogonalizer) {
    case Orthogonalizer::keller: return {std::vector<Triple>(n, kKeller)};
    case Orthogonalizer::you: return {kYou};
    case Orthogonalizer::polar_express: {
      if (n == kPolarExpressFive.size()) return {kPolarExpressFive, kPolarExpressFiveNorm};
      Coefficients result{
          {kPolarExpressRaw.begin(), kPolarExpressRaw.begin() + static_cast<int64_t>(n)}};
      const double s = kPolarExpressSafety;
      for (size_t i = 0; i < n && i + 1 < kPolarExpressRaw.size(); ++i) {
        Triple& t = result.steps[i];
        t = {t.a / s, t.b / std::pow(s, 3), t.c / std::pow(s, 5)};
      }
      return result;
    }
    case Orthogonalizer::exact: {
      Coefficients result{std::vector<Triple>(8, kKeller)};
      result.steps.insert(result.steps.end(), 2, kExact);
      return result;
    }
    case Orthogonalizer::quintic: return {std::vector<Triple>(n, kExact)};
    case Orthogonalizer::svd: return {};
  }
  throw base::Bug("coefficients: an orthogonalizer without a case");
}

at::ScalarType iteration_type(config::Orthogonalizer orthogonalizer, config::IterationType type,
                              bool bf16_run) {
  using config::IterationType;
  using config::Orthogonalizer;
  const bool fine =
      orthogonalizer == Orthogonalizer::exact || orthogonalizer == Orthogonalizer::svd;
  if (fine && type == IterationType::bf16) {
    throw base::Error("muon: ", name_of(orthogonalizer),
                      " in bf16 is not exact: bf16 rounds each entry by 0.4 %; ",
                      "set \"iteration\" to \"auto\" or \"fp32\", or another orthogonalizer");
  }
  if (orthogonalizer == Orthogonalizer::svd) return at::kDouble;
  if (fine || type == IterationType::fp32) return at::kFloat;
  return type == IterationType::bf16 || bf16_run ? at::kBFloat16 : at::kFloat;
}

}  // namespace muonlab::optim
