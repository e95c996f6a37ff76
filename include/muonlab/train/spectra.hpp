// The matrices of a model whose spectra are measured: whole, cut into heads, and the products O·V
// of heads.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/config/model.hpp"
#include "muonlab/config/role.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/train/spectrum.hpp"

namespace muonlab::train {

// What is measured, and after measure() what it came to. One line of spectra.jsonl
// (docs/formats.md).
struct MatrixSpectrum {
  std::string name;           // the parameter's; "model.layers.0.self_attn.ov" for a product
  std::string role;           // a role's name, or "ov"
  int layer = -1;             // -1 outside the layers
  const char* of = "weight";  // weight | gradient | momentum | update
  int64_t head = -1;          // -1: the whole matrix; of k and v: the key-value head
  at::Tensor value;           // [r, c] on the CPU
  at::Tensor right{};         // where defined, the matrix is value right: [r, d] [d, c]
  Spectrum spectrum{};
  std::vector<double> singular_values{};  // descending
  double rms = 0;
  // of an update: its RMS / the weight's
  double ratio = std::numeric_limits<double>::quiet_NaN();
  // of an update: between Adam's and Muon's
  double angle_deg = std::numeric_limits<double>::quiet_NaN();
};

bool is_selected(const std::vector<std::string>& selectors, const config::ParameterSpec& spec);

// A parameter's matrix, and with `heads` its heads: rows of q, k and v, columns of o. `model` is
// resolved.
void append_matrix(const config::ParameterSpec& spec, const char* of, const at::Tensor& value,
                   bool heads, const config::ModelConfig& model,
                   std::vector<MatrixSpectrum>& matrices);
// The selected weights of the arena; with `heads` also O_h V_h of each query head of a layer whose
// o and v are selected.
std::vector<MatrixSpectrum> weight_matrices(const tensor::Arena& arena,
                                            const std::vector<std::string>& selectors, bool heads,
                                            const config::ModelConfig& model);

// Fills in spectrum and rms, and drops matrices of zeros, which have no spectrum. Throws NonFinite
// for values that are not finite. The result does not depend on the number of threads.
void measure(std::vector<MatrixSpectrum>& matrices);

// A line of spectra.jsonl; with `histogram` also how the singular values are distributed.
std::string spectrum_json(const MatrixSpectrum& matrix, int64_t step, bool histogram = false);

}  // namespace muonlab::train
