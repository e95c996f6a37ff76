#include "muonlab/train/probe.hpp"

namespace muonlab::train {

ProbeLog::ProbeLog(const std::string& folder, const std::vector<std::unique_ptr<Probe>>& probes,
                   const TrainState& state, base::FileSystem& files) {
  for (const auto& probe : probes) {
    const std::string name = probe->name();
    const auto length = state.probe_bytes.find(name);
    const int64_t keep = length == state.probe_bytes.end() ? 0 : length->second;
    files_.try_emplace(name, folder + "/" + name + ".jsonl", static_cast<uint64_t>(keep), files);
  }
}

void ProbeLog::write(const Probe& probe, const std::vector<std::string>& lines) {
  base::LineFile& file = files_.at(probe.name());
  for (const std::string& line : lines) file.write(line);
}

void ProbeLog::sync(TrainState& state) {
  for (auto& [name, file] : files_) {
    file.sync();
    state.probe_bytes[name] = static_cast<int64_t>(file.size());
  }
}

}  // namespace muonlab::train
