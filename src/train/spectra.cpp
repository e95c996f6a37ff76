#include "muonlab/train/spectra.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "muonlab/base/non_finite.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::train {
namespace {

using config::Role;

std::string head_parent(
    const std::string& parameter) {  // "….self_attn" of "….self_attn.o_proj.weight"
  return parameter.substr(0, parameter.rfind('.', parameter.rfind('.') - 1));
}

void append_products(const tensor::Parameter& v, const tensor::Parameter& o,
                     const config::ModelConfig& model, std::vector<MatrixSpectrum>& matrices) {
  const int64_t dim = model.head_dim.value(), group = model.heads / model.kv_heads.value();
  const at::Tensor v_value = v.value.detach().cpu(), o_value = o.value.detach().cpu();
  for (int64_t head = 0; head < model.heads; ++head) {
    matrices.push_back({.name = head_parent(o.spec.name) + ".ov",
                        .role = "ov",
                        .layer = o.spec.layer,
                        .head = head,
                        .value = o_value.narrow(1, head * dim, dim),
                        .right = v_value.narrow(0, head / group * dim, dim)});
  }
}

// Of the matrix left right, from the triangular factors of left and rightᵀ.
std::vector<double> singular_values_of_product(const at::Tensor& left, const at::Tensor& right) {
  const at::Tensor upper = std::get<1>(at::linalg_qr(left.to(at::kDouble), "r"));
  const at::Tensor lower = std::get<1>(at::linalg_qr(right.to(at::kDouble).t(), "r"));
  return singular_values(at::mm(upper, lower.t()));
}

void measure_one(MatrixSpectrum& matrix) {
  if (!matrix.right.defined()) {
    matrix.rms = root_mean_square(matrix.value);
    if (matrix.rms == 0) return;
    matrix.singular_values = singular_values(matrix.value);
    matrix.spectrum = spectrum(matrix.singular_values);
    return;
  }
  matrix.singular_values = singular_values_of_product(matrix.value, matrix.right);
  double squares = 0;
  for (double value : matrix.singular_values) squares += value * value;
  matrix.rms =
      std::sqrt(squares / static_cast<double>(matrix.value.size(0) * matrix.right.size(1)));
  if (matrix.rms > 0) matrix.spectrum = spectrum(matrix.singular_values);
}

// How many singular values lie in each of equal parts from the smallest to the largest.
nlohmann::ordered_json histogram_json(const std::vector<double>& descending) {
  constexpr size_t kParts = 30;
  const double least = descending.back(), most = descending.front();
  std::vector<int64_t> counts(kParts, 0);
  double sum = 0, squares = 0;
  for (const double value : descending) {
    const double place = most > least ? (value - least) / (most - least) : 0.0;
    ++counts[std::min(kParts - 1, static_cast<size_t>(place * static_cast<double>(kParts)))];
    sum += value;
    squares += value * value;
  }
  return {
      {"min", least}, {"max", most}, {"sum", sum}, {"sum_squares", squares}, {"counts", counts}};
}

}  // namespace

bool is_selected(const std::vector<std::string>& selectors, const config::ParameterSpec& spec) {
  const auto matches = [&](const std::string& selector) {
    return config::selector_matches(selector, spec);
  };
  return spec.shape.size() == 2 && std::any_of(selectors.begin(), selectors.end(), matches);
}

void append_matrix(const config::ParameterSpec& spec, const char* of, const at::Tensor& value,
                   bool heads, const config::ModelConfig& model,
                   std::vector<MatrixSpectrum>& matrices) {
  MatrixSpectrum whole{.name = spec.name,
                       .role = std::string(config::role_name(spec.role)),
                       .layer = spec.layer,
                       .of = of,
                       .value = value.detach().cpu()};
  matrices.push_back(whole);
  const Role role = spec.role;
  if (!heads || (role != Role::q && role != Role::k && role != Role::v && role != Role::o)) return;
  const int64_t axis = role == Role::o ? 1 : 0, dim = model.head_dim.value();
  for (int64_t head = 0; head < whole.value.size(axis) / dim; ++head) {
    MatrixSpectrum part = whole;
    part.head = head;
    part.value = whole.value.narrow(axis, head * dim, dim);
    matrices.push_back(std::move(part));
  }
}

std::vector<MatrixSpectrum> weight_matrices(const tensor::Arena& arena,
                                            const std::vector<std::string>& selectors, bool heads,
                                            const config::ModelConfig& model) {
  std::vector<MatrixSpectrum> matrices;
  std::map<int, const tensor::Parameter*> v, o;  // by layer
  for (const tensor::Parameter& parameter : arena.parameters()) {
    if (!is_selected(selectors, parameter.spec)) continue;
    append_matrix(parameter.spec, "weight", parameter.value, heads, model, matrices);
    if (parameter.spec.role == Role::v) v[parameter.spec.layer] = &parameter;
    if (parameter.spec.role == Role::o) o[parameter.spec.layer] = &parameter;
  }
  if (!heads) return matrices;
  for (const auto& [layer, parameter] : o) {
    if (v.contains(layer)) append_products(*v[layer], *parameter, model, matrices);
  }
  return matrices;
}

void measure(std::vector<MatrixSpectrum>& matrices) {
  for (const MatrixSpectrum& matrix : matrices) {
    if (matrix.head >= 0 || matrix.value.isfinite().all().item<bool>()) continue;
    throw base::NonFinite("spectra: the ", matrix.of, " of ", matrix.name,
                          " holds values that are not finite.");
  }
  tensor::each_on_one_thread(static_cast<int64_t>(matrices.size()),
                             [&](int64_t i) { measure_one(matrices[static_cast<size_t>(i)]); });
  std::erase_if(matrices, [](const MatrixSpectrum& matrix) { return matrix.rms == 0; });
}

std::string spectrum_json(const MatrixSpectrum& matrix, int64_t step, bool histogram) {
  const Spectrum& s = matrix.spectrum;
  nlohmann::ordered_json json{{"step", step},
                              {"name", matrix.name},
                              {"role", matrix.role},
                              {"layer", matrix.layer},
                              {"of", matrix.of}};
  if (matrix.head >= 0) json["head"] = matrix.head;
  json.update({{"entropy", s.entropy},
               {"effective_rank", s.effective_rank},
               {"effective_rank_plain", s.effective_rank_plain},
               {"top10_energy", s.top10_energy},
               {"q75_q25", s.q75_q25},
               {"stable_rank", s.stable_rank},
               {"nuclear_rank", s.nuclear_rank},
               {"condition", s.condition},
               {"rms", matrix.rms}});
  if (std::isfinite(matrix.ratio)) json["ratio"] = matrix.ratio;
  if (std::isfinite(matrix.angle_deg)) json["angle_deg"] = matrix.angle_deg;
  if (histogram) json["histogram"] = histogram_json(matrix.singular_values);
  return json.dump();
}

}  // namespace muonlab::train
