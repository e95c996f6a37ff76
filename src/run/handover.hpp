// How the processes of a run begin together: rank 0 decides, reads and writes as one process does,
// and hands the others the configuration and the state; they need the data, but not the run's
// folder.
#pragma once

#include <memory>

#include "muonlab/comm/communicator.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/loop.hpp"

namespace muonlab::run {

// Refuses a number of processes among which the step's micro-batches cannot be shared out evenly,
// and several of them on GPUs with the reference kernels.
void check_processes(const Prepared& prepared);

// On rank 0. Where it ends without give(), the others end as well, and say nothing.
class Handover {
 public:
  explicit Handover(std::shared_ptr<comm::Communicator> group) : group_(std::move(group)) {}
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  // From here on the session's trainer works with the others. Throws base::Error where one of them
  // could not begin, naming it, and where they are not of one kind, so that they would compute
  // different numbers.
  void give(Session& session);

 private:
  std::shared_ptr<comm::Communicator> group_;
  bool given_ = false;
};

// On all other ranks: trains along until the run ends. What every process finds by itself, such as
// a loss that is not finite, rank 0 reports. Throws base::Error for what only this one knows.
train::Outcome follow(const std::shared_ptr<comm::Communicator>& group);

}  // namespace muonlab::run
