#include "probes.hpp"

#include "muonlab/train/sharpness_probe.hpp"
#include "muonlab/train/spectra_probe.hpp"
#include "muonlab/train/tail_probe.hpp"
#include "muonlab/train/token_rows_probe.hpp"

namespace muonlab::run {

std::vector<std::unique_ptr<train::Probe>> make_probes(const config::RunConfig& config) {
  std::vector<std::unique_ptr<train::Probe>> probes;
  if (config.probes.spectra)
    probes.push_back(std::make_unique<train::SpectraProbe>(*config.probes.spectra));
  if (config.probes.tail) probes.push_back(std::make_unique<train::TailProbe>(*config.probes.tail));
  if (config.probes.sharpness)
    probes.push_back(std::make_unique<train::SharpnessProbe>(*config.probes.sharpness));
  if (config.probes.token_rows)
    probes.push_back(std::make_unique<train::TokenRowsProbe>(*config.probes.token_rows));
  return probes;
}

}  // namespace muonlab::run
