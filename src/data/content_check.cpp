#include "muonlab/data/content_check.hpp"

#include <algorithm>
#include <chrono>

#include "muonlab/base/error.hpp"

namespace muonlab::data {

ContentCheck::ContentCheck(const std::vector<Shard>& train, const std::vector<Shard>& valid)
    : valid_(valid) {
  for (const std::vector<Shard>* shards : {&train, &valid}) {
    for (const Shard& shard : *shards) {
      const auto same = [&](const Read& other) { return other.shard.path() == shard.path(); };
      if (std::none_of(shards_.begin(), shards_.end(), same)) shards_.push_back({shard, {}});
    }
  }
}

ContentCheck::~ContentCheck() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

uint64_t ContentCheck::bytes() const {
  uint64_t sum = 0;
  for (const Read& read : shards_) sum += read.shard.stamp().size;
  return sum;
}

void ContentCheck::start() {
  base::check(!thread_.joinable(), "the content is being read already");
  for (Read& read : shards_) read.stamp = read.shard.stamp();
  thread_ = std::thread([this] { read_all(); });
}

void ContentCheck::read_all() {
  std::exception_ptr failure;
  try {
    for (const Read& read : shards_) {
      if (!read.shard.verify_hash(stop_)) return;
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  done_ = true;
  failure_ = failure;
  failed_ = failure != nullptr;
  ended_.notify_all();
}

bool ContentCheck::wait(double seconds) {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return done_; });
  if (failure_) std::rethrow_exception(failure_);
  return done_;
}

void ContentCheck::poll() {
  if (failed_) wait(0);
}

void ContentCheck::confirm() {
  while (!wait(60)) {
  }
  for (Read& read : shards_) {
    const base::FileStamp now = read.shard.stamp();
    if (now == read.stamp) continue;
    read.stamp = now;
    read.shard.verify_hash(stop_);
  }
}

void ContentCheck::verify_valid() const {
  for (const Shard& shard : valid_) shard.verify_hash(stop_);
}

}  // namespace muonlab::data
