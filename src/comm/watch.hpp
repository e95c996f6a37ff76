// Whether the other processes still live: each counts at the meeting point twice a second, and
// reads the others' counts.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace muonlab::comm {

class Watch {
 public:
  struct Cause {
    std::string text;
    bool is_told = false;  // by the process that stopped
  };

  // `store`: a connection of its own. names[p]: how messages call rank p. A process whose count
  // stands still for patience_s, and one that keeps a meeting point which does not answer so long,
  // ends this process with a message.
  Watch(c10::intrusive_ptr<c10d::Store> store, int rank, std::vector<std::string> names,
        std::string store_keeper, double patience_s);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Why a call failed with `failure`: which process is gone, or the reason that one gave when it
  // left. Takes up to three seconds, in which a dead process' count is seen to stand still.
  Cause explain(const std::string& failure);
  // From now on a reason that another process leaves ends this one after patience_s as well: for
  // calls that do not fail when the other is gone, as those of a GPU.
  void end_with_others();
  // Leaves `reason` for the others; an orderly end has none.
  void leave(const std::string& reason);

 private:
  struct State;
  // Shared with the thread that asks the meeting point, whose call may hang where the network is
  // cut.
  std::shared_ptr<State> state_;
  std::thread asker_, judge_;
};

}  // namespace muonlab::comm
