// Whether the other processes still live: each counts at the meeting point twice a second, and
// reads the others' counts.
#pragma once

#include <condition_variable>
#include <mutex>
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
  // Leaves `reason` for the others; an orderly end has none.
  void leave(const std::string& reason);

 private:
  struct Peer {
    std::string count;
    double changed_s = 0;  // when its count was last seen to change
    bool left = false;
    std::string reason{};
  };

  void run();
  void look();
  void judge(double now_s);

  c10::intrusive_ptr<c10d::Store> store_;
  const int rank_;
  const std::vector<std::string> names_;
  const std::string store_keeper_;
  const double patience_s_;

  std::mutex store_lock_;  // for its calls, which may take long
  std::mutex lock_;        // for what follows
  std::condition_variable wake_;
  std::vector<Peer> peers_;
  double store_answered_s_;
  bool ending_ = false, left_ = false;
  int64_t count_ = 0;
  std::thread thread_;
};

}  // namespace muonlab::comm
