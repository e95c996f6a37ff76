// The update of all parameters, each by the rule it is routed to.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/config/run.hpp"
#include "muonlab/optim/routing.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"

namespace muonlab::optim {

// A parameter's averages or sums of its gradient and of the gradient's square, in its shape, views;
// undefined where its rule keeps none.
struct Moments {
  at::Tensor first, second;
};

// Elements [begin, end) of an arena, and the process that updates them.
struct Share {
  int64_t begin, end;
  int owner;
};

// All rules over an arena.
class Optimizer {
 public:
  // share_out() reads `run` again.
  Optimizer(const Routing& routing, const config::RunConfig& run, tensor::Arena& arena,
            tensor::Path path = tensor::Path::cpu);
  ~Optimizer();
  // Learning rate of each optimizer (in the order of names()) at a step.
  std::vector<double> learning_rates(int64_t step, int64_t num_steps) const;
  const std::vector<std::string>& names() const;
  // From now on every learning rate is `factor` times what configuration and schedule say (1 at the
  // start). For measurements; no checkpoint keeps it.
  void scale_rates(double factor);
  // One update of every parameter from the gradients in the arena, which it leaves as they are.
  void step(int64_t step, int64_t num_steps);

  // For several processes on one run, of which this one is `rank` of `size`: from now on a step
  // updates the values and the state of this process' shares only, from their gradients. Rank 0
  // alone has the whole state beside its own, for state() and moments(), and it is current when the
  // owners' state was copied into it; the others give theirs up. The new state is zero everywhere.
  void share_out(int rank, int size);
  // By their place in the arena, which they cover; empty: one process.
  const std::vector<Share>& shares() const;
  // The state with which this process updates its shares, views. On rank 0, where another process'
  // own state belongs in the whole: views of the same shapes, in the same order.
  std::vector<at::Tensor> own_state();
  std::vector<at::Tensor> whole_state_of(int owner);
  // On rank 0: the owners' state of now has been copied into the whole.
  void whole_state_is_current();

  // The same on the path cuda, in three parts. begin_step counts the update and sends its numbers
  // to the device; enqueue_step enqueues the update of every rule that can do without the host, and
  // does nothing on the device where status (tensor::StepStatus) has its flag down; end_step
  // updates by the others, which only a finite step may ask for. take_back undoes begin_step's
  // count.
  void begin_step(int64_t step, int64_t num_steps);
  void enqueue_step(const at::Tensor& status);
  void end_step(int64_t step, int64_t num_steps);
  void take_back();
  // Whether end_step has anything to do.
  bool needs_host() const;

  // State tensors by name ("model.layers.0.self_attn.v_proj.weight/momentum"), views that can be
  // read and written. A rule that corrects young moments has "<parameter>/age" as well: int64, no
  // dimensions, the number of updates that the parameter's moments have taken. Throws base::Error
  // where that is shared out and not current here.
  std::vector<tensor::NamedTensor> state();
  // By the parameter's name.
  std::map<std::string, Moments> moments();
  // Newton–Schulz calls so far (a test asserts that Muon really ran).
  int64_t num_orthogonalizations() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether a state tensor of this name is an age.
bool is_age(std::string_view state_name);

}  // namespace muonlab::optim
