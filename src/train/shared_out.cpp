#include "muonlab/train/shared_out.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"

namespace muonlab::train {
namespace {

using Messages = std::vector<comm::Message>;

void add(Messages& messages, const std::vector<at::Tensor>& tensors, int peer) {
  for (const at::Tensor& tensor : tensors) messages.push_back({tensor, peer});
}

// The shares of a process in a flat tensor of the arena's length.
std::vector<at::Tensor> within(const Trainer& trainer, const at::Tensor& flat, int owner) {
  std::vector<at::Tensor> views;
  for (const optim::Share& share : trainer.optimizer.shares()) {
    if (share.owner == owner) views.push_back(flat.narrow(0, share.begin, share.end - share.begin));
  }
  return views;
}

void gather(Trainer& trainer, const at::Tensor& flat) {
  comm::Communicator& processes = trainer.processes();
  const int me = processes.rank();
  Messages sends, receives;
  for (int peer = 0; peer < processes.size(); ++peer) {
    if (peer == me) continue;
    add(sends, within(trainer, flat, me), peer);
    add(receives, within(trainer, flat, peer), peer);
  }
  processes.exchange(sends, receives);
}

void copy(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to) {
  base::check(from.size() == to.size(), "the parts of the optimizers' state do not fit the whole");
  for (size_t i = 0; i < from.size(); ++i) at::Tensor(to[i]).copy_(from[i]);
}

}  // namespace

void share_out(Trainer& trainer) {
  const at::NoGradGuard no_grad;
  comm::Communicator& processes = trainer.processes();
  trainer.optimizer.share_out(processes.rank(), processes.size());
  if (processes.alone()) return;
  const std::vector<at::Tensor> own = trainer.optimizer.own_state();
  Messages sends, receives;
  if (processes.rank() == 0) {
    copy(trainer.optimizer.whole_state_of(0), own);
    for (int peer = 1; peer < processes.size(); ++peer)
      add(sends, trainer.optimizer.whole_state_of(peer), peer);
  } else {
    add(receives, own, 0);
  }
  processes.exchange(sends, receives);
}

void gather_values(Trainer& trainer) { gather(trainer, trainer.arena.values()); }
void gather_gradients(Trainer& trainer) { gather(trainer, trainer.arena.grads()); }

void collect_state(Trainer& trainer) {
  comm::Communicator& processes = trainer.processes();
  if (processes.alone()) return;
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> own = trainer.optimizer.own_state();
  Messages sends, receives;
  if (processes.rank() > 0) {
    add(sends, own, 0);
    return processes.exchange(sends, receives);
  }
  for (int peer = 1; peer < processes.size(); ++peer)
    add(receives, trainer.optimizer.whole_state_of(peer), peer);
  processes.exchange(sends, receives);
  copy(own, trainer.optimizer.whole_state_of(0));
  trainer.optimizer.whole_state_is_current();
}

void collect_gradients(Trainer& trainer) {
  comm::Communicator& processes = trainer.processes();
  Messages sends, receives;
  if (processes.rank() > 0) add(sends, within(trainer, trainer.arena.grads(), processes.rank()), 0);
  for (int peer = 1; processes.rank() == 0 && peer < processes.size(); ++peer)
    add(receives, within(trainer, trainer.arena.grads(), peer), peer);
  processes.exchange(sends, receives);
}

}  // namespace muonlab::train
