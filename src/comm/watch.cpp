#include "comm/watch.hpp"

#include <cstdlib>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::comm {
namespace {

constexpr double kPeriod_s = 0.5;
constexpr double kGone_s = 1.6;  // a count that stands still for so long when a connection broke

std::string alive_key(size_t rank) { return base::str("alive/", rank); }
std::string left_key(size_t rank) { return base::str("left/", rank); }

std::string text_of(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

[[noreturn]] void end_process(const std::string& what) {
  base::log_error(what,
                  "; this process stops too. The newest checkpoint is whole: start the same "
                  "command again to resume from it");
  std::_Exit(base::exit_code::kError);
}

}  // namespace

Watch::Watch(c10::intrusive_ptr<c10d::Store> store, int rank, std::vector<std::string> names,
             std::string store_keeper, double patience_s)
    : store_(std::move(store)),
      rank_(rank),
      names_(std::move(names)),
      store_keeper_(std::move(store_keeper)),
      patience_s_(patience_s),
      peers_(names_.size()),
      store_answered_s_(base::monotonic_seconds()) {
  for (Peer& peer : peers_) peer.changed_s = store_answered_s_;
  thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watch::leave(const std::string& reason) {
  {
    const std::lock_guard guard(lock_);
    if (left_) return;
    left_ = true;
  }
  try {
    const std::lock_guard guard(store_lock_);
    store_->set(left_key(static_cast<size_t>(rank_)), reason);
  } catch (const std::exception&) {  // then there is nobody to tell
  }
}

void Watch::look() {
  std::vector<std::string> keys, left;
  for (size_t p = 0; p < peers_.size(); ++p) keys.push_back(alive_key(p));
  const std::lock_guard store_guard(store_lock_);
  store_->set(keys[static_cast<size_t>(rank_)], std::to_string(++count_));
  for (size_t p = 0; p < peers_.size(); ++p) {
    std::string count, reason;
    // A process that has not counted yet has no key, and get() would wait for it.
    if (store_->check({keys[p]})) count = text_of(store_->get(keys[p]));
    const bool has_left = store_->check({left_key(p)});
    if (has_left) reason = text_of(store_->get(left_key(p)));
    const std::lock_guard guard(lock_);
    Peer& peer = peers_[p];
    if (count != peer.count) peer.changed_s = base::monotonic_seconds();
    peer.count = count;
    peer.left = has_left;
    peer.reason = reason;
  }
  const std::lock_guard guard(lock_);
  store_answered_s_ = base::monotonic_seconds();
}

void Watch::judge(double now_s) {
  const std::string patience = base::str(" for ", base::human_duration(patience_s_));
  if (left_) return;
  if (now_s - store_answered_s_ > patience_s_) {
    end_process(base::str("the meeting point of the processes, kept by ", store_keeper_,
                          ", has not answered", patience));
  }
  for (size_t p = 0; p < peers_.size(); ++p) {
    if (static_cast<int>(p) == rank_ || peers_[p].left) continue;
    if (now_s - peers_[p].changed_s > patience_s_)
      end_process(base::str(names_[p], " has not answered", patience));
  }
}

void Watch::run() {
  double before_s = base::monotonic_seconds();
  std::unique_lock guard(lock_);
  while (!ending_) {
    guard.unlock();
    try {
      look();
    } catch (const std::exception&) {  // judged by when it last answered
    }
    guard.lock();
    const double now_s = base::monotonic_seconds();
    // While this process itself was stopped, the others' silence says nothing.
    const double paused_s = now_s - before_s - 2 * kPeriod_s;
    if (paused_s > 0 && now_s - store_answered_s_ < kPeriod_s) {
      for (Peer& peer : peers_) peer.changed_s = std::min(now_s, peer.changed_s + paused_s);
    }
    before_s = now_s;
    judge(now_s);
    wake_.wait_for(guard, std::chrono::duration<double>(kPeriod_s), [this] { return ending_; });
  }
}

Watch::Cause Watch::explain(const std::string& failure) {
  const double start_s = base::monotonic_seconds();
  std::unique_lock guard(lock_);
  for (;;) {
    const double now_s = base::monotonic_seconds();
    for (size_t p = 0; p < peers_.size(); ++p) {
      const bool other = static_cast<int>(p) != rank_;
      if (other && !peers_[p].reason.empty())
        return {base::str(names_[p], " stopped: ", peers_[p].reason), true};
      if (other && !peers_[p].left && now_s - peers_[p].changed_s > kGone_s)
        return {names_[p] + " has ended or cannot be reached"};
    }
    if (now_s - store_answered_s_ > kGone_s) {
      return {base::str("the meeting point of the processes, kept by ", store_keeper_,
                        ", cannot be reached")};
    }
    if (now_s - start_s > 2 * kGone_s) break;
    guard.unlock();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    guard.lock();
  }
  return {"the connection to another process broke (" + failure + ")"};
}

}  // namespace muonlab::comm
