// Whether the token ids in shards are those that their headers' hashes were made of, found out
// beside the training.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "muonlab/data/shard.hpp"

namespace muonlab::data {

class ContentCheck {
 public:
  ContentCheck(const std::vector<Shard>& train, const std::vector<Shard>& valid);
  ~ContentCheck();  // stops the reading
  ContentCheck(const ContentCheck&) = delete;
  ContentCheck& operator=(const ContentCheck&) = delete;

  uint64_t bytes() const;  // of all shards
  // Reads all shards once, on a thread of its own.
  void start();
  // Waits for that, at most so long; whether all is read, and good. Throws Error for damage found.
  bool wait(double seconds);
  // Throws Error for damage found so far. Costs next to nothing.
  void poll();
  // Waits to the end; then reads again what was written to since it was read, which throws Error
  // where the ids are others now. To be called before anything learned from the data is kept.
  void confirm();
  // Reads the validation shards here and now. Throws Error.
  void verify_valid() const;

 private:
  struct Read {
    Shard shard;
    base::FileStamp stamp;  // from before it was read
  };
  void read_all();

  std::vector<Read> shards_;
  std::vector<Shard> valid_;
  std::atomic<bool> stop_ = false, failed_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace muonlab::data
