#include "muonlab/train/spectra_probe.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include "muonlab/train/spectrum.hpp"

namespace muonlab::train {
namespace {

using Json = nlohmann::ordered_json;

struct Matrix {
  const config::ParameterSpec* spec;
  const char* of;
  at::Tensor value;  // CPU
};

std::string line_of(const Matrix& matrix, int64_t step, const Spectrum& s, double rms) {
  return Json{{"step", step},
              {"name", matrix.spec->name},
              {"role", config::role_name(matrix.spec->role)},
              {"layer", matrix.spec->layer},
              {"of", matrix.of},
              {"entropy", s.entropy},
              {"effective_rank", s.effective_rank},
              {"effective_rank_plain", s.effective_rank_plain},
              {"top10_energy", s.top10_energy},
              {"q75_q25", s.q75_q25},
              {"stable_rank", s.stable_rank},
              {"nuclear_rank", s.nuclear_rank},
              {"condition", s.condition},
              {"rms", rms}}
      .dump();
}

// A line, or nothing for a matrix of zeros, which has no spectrum.
std::string measure_matrix(const Matrix& matrix, int64_t step) {
  const double rms = root_mean_square(matrix.value);
  if (rms == 0) return "";
  return line_of(matrix, step, spectrum(singular_values(matrix.value)), rms);
}

}  // namespace

std::vector<std::string> SpectraProbe::measure(Trainer& trainer) {
  const int64_t step = trainer.state.step;
  std::vector<Matrix> matrices;
  for (const tensor::Parameter& parameter : trainer.arena.parameters()) {
    const auto wanted = [&](const std::string& selector) { return config::selector_matches(selector, parameter.spec); };
    if (!parameter.is_matrix() || std::none_of(config_.params.begin(), config_.params.end(), wanted)) continue;
    matrices.push_back({&parameter.spec, "weight", parameter.value.detach().cpu()});
    if (!matrices.back().value.isfinite().all().item<bool>()) {
      throw NonFinite("step ", step, ": ", parameter.spec.name, " holds values that are not finite.");
    }
  }
  std::vector<std::string> lines(matrices.size());
  at::parallel_for(0, static_cast<int64_t>(matrices.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      lines[static_cast<size_t>(i)] = measure_matrix(matrices[static_cast<size_t>(i)], step);
    }
  });
  std::erase(lines, "");
  return lines;
}

}  // namespace muonlab::train
