// Measurements beside the loss, each with a file of its own: spectra.jsonl, tail.jsonl.
//
// What a probe adds to the program: a configuration struct in config/probes.hpp, a class here, a
// line in make_probes (run/probes.cpp). The loop says when it measures; its lines are cut and
// continued at resume like metrics.jsonl.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "muonlab/base/line_file.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::train {

class Probe {
 public:
  virtual ~Probe() = default;
  // Its file is <name>.jsonl. Constant over the run.
  virtual std::string name() const = 0;
  // Steps between measurements, at least 1; the first (0) and the last step are measured as well.
  virtual int64_t every() const = 0;
  // Whether it reads the optimizers' state.
  virtual bool reads_state() const { return false; }
  // Called right before a step that will be measured; at step 0 there is none.
  virtual void before_step(Trainer&) {}
  // The JSON lines of the step trainer.state.step, after its update; the step's gradients are still
  // in the arena. Leaves weights, gradients and state as they are. Equal runs give equal lines: no
  // clock values.
  virtual std::vector<std::string> measure(Trainer& trainer) = 0;
};

// The probes' files.
class ProbeLog {
 public:
  // Opens FOLDER/<name>.jsonl for every probe, cut to its length in `state`. Throws base::Error
  // when a file is shorter.
  ProbeLog(const std::string& folder, const std::vector<std::unique_ptr<Probe>>& probes,
           const TrainState& state, base::FileSystem& files = base::real_file_system());

  void write(const Probe& probe, const std::vector<std::string>& lines);
  // Makes all lines so far durable and notes the files' lengths.
  void sync(TrainState& state);

 private:
  std::map<std::string, base::LineFile> files_;  // by the probe's name
};

}  // namespace muonlab::train
