#include "muonlab/train/spectra_probe.hpp"

#include "muonlab/train/spectra.hpp"

namespace muonlab::train {

std::vector<std::string> SpectraProbe::measure(Trainer& trainer) {
  std::vector<MatrixSpectrum> matrices =
      weight_matrices(trainer.arena, config_.params, /*heads=*/false, trainer.config.model);
  train::measure(matrices);
  std::vector<std::string> lines;
  for (const MatrixSpectrum& matrix : matrices) lines.push_back(spectrum_json(matrix, trainer.state.step));
  return lines;
}

}  // namespace muonlab::train
