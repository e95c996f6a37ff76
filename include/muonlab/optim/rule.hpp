// How one optimizer updates the parameters routed to it.
//
// A rule sees its parameters as one range of the arena: flat, fp32, each parameter on a 64-byte
// boundary, gaps of zeros between them. What a rule adds to the program: one source file with its
// make_…, declared below, its configuration struct, a line in make_rule (optimizer.cpp) and a row
// in the battery (tests/optim/rules_test.cpp).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "muonlab/config/run.hpp"
#include "muonlab/tensor/parameter.hpp"

namespace muonlab::optim {

// A parameter inside a rule's range.
struct Member {
  config::ParameterSpec spec;
  int64_t offset = 0;  // in elements, from the start of the range
};

// The range a rule updates; values and grads are views of the arena, fp32 [n] and of equal layout.
struct Range {
  at::Tensor values;
  at::Tensor grads;
  std::vector<Member> members;  // by offset
  // update by ATen's operations, the only way on other devices than the CPU
  bool composed = false;

  // The part of a flat tensor of the range's layout that belongs to a member, in the member's
  // shape.
  at::Tensor view(const at::Tensor& flat, const Member& member) const;
};

class Rule {
 public:
  virtual ~Rule() = default;
  // One update with learning rate lr (schedule applied) as the step-th one, counted from 1. Reads
  // grads and leaves them as they are. REQUIRES: no gradient is being recorded (Optimizer::step
  // takes care of it).
  virtual void update(double lr, int64_t step) = 0;
  // Named views of the state, "<parameter>/<state>"; writing to them restores it.
  virtual std::vector<tensor::NamedTensor> state() = 0;
  // Newton–Schulz iterations or SVDs run so far, in matrices (a head counts as one); 0 for rules
  // that have none.
  virtual int64_t num_orthogonalizations() const { return 0; }
};

std::unique_ptr<Rule> make_adamw(const config::AdamWConfig& config, Range range);
std::unique_ptr<Rule> make_sgd(const config::SgdConfig& config, Range range);
std::unique_ptr<Rule> make_signsgd(const config::SignSgdConfig& config, Range range);
// `run` gives the head geometry (run.model, resolved) and the precision that iteration "auto"
// follows.
std::unique_ptr<Rule> make_muon(const config::MuonConfig& config, Range range,
                                const config::RunConfig& run);

// Views of `flat` as state named `name` of every member.
std::vector<tensor::NamedTensor> named_state(const Range& range, const at::Tensor& flat,
                                             const std::string& name);

}  // namespace muonlab::optim
