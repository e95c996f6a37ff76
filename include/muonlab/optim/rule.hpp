// How one optimizer updates the parameters routed to it.
//
// A rule sees its parameters as one range of the arena: flat, fp32, each parameter on a 64-byte
// boundary, gaps of zeros between them. What a rule adds to the program: one source file, its
// configuration struct with its traits (config/optim.hpp), a line in MakeRule below and a row in
// the battery (tests/optim/rules_test.cpp).
#pragma once

#include <functional>
#include <memory>
#include <string_view>
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

// Elements [begin, end) of a range: neighbouring members whose state has one age.
struct Segment {
  int64_t begin, end, age;
};

// The range a rule updates; values and grads are views of the arena, fp32 [n] and of equal layout.
struct Range {
  at::Tensor values;
  at::Tensor grads;
  std::vector<Member> members;  // by offset
  // update by ATen's operations, the only way on other devices than the CPU
  bool composed = false;
  // update by the plugin's operators: the rule has the functions "on the device" below
  bool on_plugin = false;
  // How many updates each member's state has taken, the current one included: int64 [members], on
  // the CPU. Undefined unless the rule's configuration has kKeepsAge. It is not the run's step: the
  // state of a parameter that changed its optimizer in a branch is younger than the run.
  at::Tensor ages{};

  // The whole range, cut where the age changes.
  std::vector<Segment> segments() const;

  // The part of a flat tensor of the range's layout that belongs to a member, in the member's
  // shape.
  at::Tensor view(const at::Tensor& flat, const Member& member) const;
};

// work(first, count) on parts of n elements, on the computing threads.
void in_parts(int64_t n, const std::function<void(int64_t first, int64_t count)>& work);

// Where in a run an update is. `step` is the run's, counted from 1, and for random numbers and
// courses over the run: what depends on how much the state has seen takes Range::ages.
struct UpdateStep {
  double lr = 0;  // schedule applied
  int64_t step = 1;
  int64_t num_steps = 1;
};

// Into what a range may be divided, so that each part by itself is updated to the bytes that it has
// in the whole.
enum class Division { elements, members, none };

class Rule {
 public:
  virtual ~Rule() = default;
  // One update. Reads grads and leaves them as they are; of the values it reads what decay takes
  // away and nothing else, so that they may stand for zeros (with_options). REQUIRES: no gradient
  // is being recorded, and the ages count this update (Optimizer::step takes care of both).
  virtual void update(const UpdateStep& now) = 0;
  // The path cuda. An update there is enqueued without waiting for the device, so that a graph can
  // hold it: the numbers of a step lie in the device's memory, written anew for each step. A rule
  // without these functions has 0 numbers, and update() is called when the step is known to be
  // finite. `numbers` are for an update with learning rate lr, as update() has it.
  virtual int64_t num_step_numbers() const { return 0; }
  virtual void write_step_numbers(double /*lr*/, float* /*numbers*/) {}
  // numbers: fp32 [num_step_numbers()]; status: tensor::StepStatus.
  virtual void enqueue_update(const at::Tensor& /*numbers*/, const at::Tensor& /*status*/) {}
  // Named views of the state, "<parameter>/<state>"; writing to them restores it.
  virtual std::vector<tensor::NamedTensor> state() = 0;
  // How several processes may share the range, each with a rule of its own for a part of it.
  virtual Division division() const { return Division::members; }
  // What a member's update costs, beside those of other members: by default that of an iteration,
  // s² l for the short side s and the long side l.
  virtual double cost(const Member& member) const;
  // Newton–Schulz iterations or SVDs run so far, in matrices (a head counts as one); 0 for rules
  // that have none.
  virtual int64_t num_orthogonalizations() const { return 0; }
};

// A configuration becomes its rule: the visitor of config::OptimizerConfig. Each line is defined in
// its rule's source. `run` gives the head geometry (run.model, resolved) and the precision that
// muon's iteration "auto" follows.
struct MakeRule {
  Range range;
  const config::RunConfig& run;

  using Made = std::unique_ptr<Rule>;
  Made operator()(const config::AdamWConfig& config);
  Made operator()(const config::SgdConfig& config);
  Made operator()(const config::SignSgdConfig& config);
  Made operator()(const config::MuonConfig& config);
  Made operator()(const config::NorMuonConfig& config);
  Made operator()(const config::AdaMuonConfig& config);
  Made operator()(const config::LionConfig& config);
  Made operator()(const config::Dion2Config& config);
  Made operator()(const config::ScionConfig& config);
  Made operator()(const config::SoapConfig& config);
  Made operator()(const config::EmberConfig& config);
};

// A configuration with its options (config::UpdateOptions) becomes its rule.
std::unique_ptr<Rule> make_rule(const config::OptimizerConfig& config, const Range& range,
                                const config::RunConfig& run);

// Views of `flat` as state named `name` of every member.
std::vector<tensor::NamedTensor> named_state(const Range& range, const at::Tensor& flat,
                                             std::string_view name);

}  // namespace muonlab::optim
