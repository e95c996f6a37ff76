#include "probes.hpp"

#include "muonlab/train/spectra_probe.hpp"

namespace muonlab::run {

std::vector<std::unique_ptr<train::Probe>> make_probes(const config::RunConfig& config) {
  std::vector<std::unique_ptr<train::Probe>> probes;
  if (config.probes.spectra) probes.push_back(std::make_unique<train::SpectraProbe>(*config.probes.spectra));
  return probes;
}

}  // namespace muonlab::run
