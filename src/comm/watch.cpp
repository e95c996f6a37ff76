#include "comm/watch.hpp"

#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "muonlab/base/clock.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/exit_code.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::comm {
namespace {

constexpr double kPeriod_s = 0.5;
constexpr double kGone_s = 1.6;    // a count that stands still for so long when a connection broke
constexpr double kLastCall_s = 2;  // for the meeting point, when this process ends

std::string alive_key(size_t rank) { return base::str("alive/", rank); }
std::string left_key(size_t rank) { return base::str("left/", rank); }

std::string text_of(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

[[noreturn]] void end_process(const std::string& what) {
  base::log_error(what,
                  "; this process stops too. The newest checkpoint is whole: start the same "
                  "command again to resume from it");
  std::_Exit(base::exit_code::kError);
}

std::chrono::duration<double> seconds(double count) { return std::chrono::duration<double>(count); }

struct Peer {
  std::string count{};
  double changed_s = 0;  // when its count was last seen to change
  bool left = false;
  std::string reason{};
  double told_s = 0;  // when the reason was first seen
};

}  // namespace

struct Watch::State {
  c10::intrusive_ptr<c10d::Store> store;
  size_t rank;
  std::vector<std::string> names;
  std::string store_keeper;
  double patience_s;

  std::timed_mutex store_lock{};  // for its calls, which may take long
  std::mutex lock{};              // for what follows
  std::condition_variable wake{};
  std::vector<Peer> peers{};
  double store_answered_s = 0;
  bool ending = false, asker_ended = false, left = false, ends_with_others = false;
  int64_t count = 0;

  // Only while the meeting point answers can a count be seen to stand still.
  double silence_s(const Peer& peer) const { return store_answered_s - peer.changed_s; }
  void ask();
  void ask_until_the_end();
  void judge(double now_s);
  void judge_until_the_end();
};

// Counts, and reads how far the others have counted and which of them have left.
void Watch::State::ask() {
  const std::lock_guard store_guard(store_lock);
  store->set(alive_key(rank), std::to_string(++count));
  for (size_t p = 0; p < names.size(); ++p) {
    std::string counted, reason;
    // A process that has not counted yet has no key, and get() would wait for it.
    if (store->check({alive_key(p)})) counted = text_of(store->get(alive_key(p)));
    const bool has_left = store->check({left_key(p)});
    if (has_left) reason = text_of(store->get(left_key(p)));
    const std::lock_guard guard(lock);
    Peer& peer = peers[p];
    if (counted != peer.count) peer.changed_s = base::monotonic_seconds();
    peer.count = counted;
    peer.left = has_left;
    if (peer.reason.empty()) peer.told_s = base::monotonic_seconds();
    peer.reason = reason;
  }
  const std::lock_guard guard(lock);
  store_answered_s = base::monotonic_seconds();
}

void Watch::State::ask_until_the_end() {
  std::unique_lock guard(lock);
  while (!ending) {
    guard.unlock();
    try {
      ask();
    } catch (const std::exception&) {  // judged by when it last answered
    }
    guard.lock();
    wake.wait_for(guard, seconds(kPeriod_s), [this] { return ending; });
  }
  asker_ended = true;
  wake.notify_all();
}

void Watch::State::judge(double now_s) {
  const std::string patience = base::str(" for ", base::human_duration(patience_s));
  if (left) return;
  if (now_s - store_answered_s > patience_s) {
    end_process(base::str("the meeting point of the processes, kept by ", store_keeper,
                          ", has not answered", patience));
  }
  for (size_t p = 0; p < peers.size(); ++p) {
    if (p != rank && !peers[p].left && silence_s(peers[p]) > patience_s)
      end_process(base::str(names[p], " has not answered", patience));
    const bool told = ends_with_others && p != rank && !peers[p].reason.empty();
    if (told && now_s - peers[p].told_s > patience_s)
      end_process(base::str(names[p], " stopped: ", peers[p].reason));
  }
}

void Watch::State::judge_until_the_end() {
  double before_s = base::monotonic_seconds();
  std::unique_lock guard(lock);
  while (!ending) {
    const double now_s = base::monotonic_seconds();
    // While this process itself was stopped, silence says nothing about the others.
    const double paused_s = now_s - before_s - 2 * kPeriod_s;
    if (paused_s > 0) {
      store_answered_s += paused_s;
      for (Peer& peer : peers) {
        peer.changed_s += paused_s;
        peer.told_s += paused_s;
      }
    }
    before_s = now_s;
    judge(now_s);
    wake.wait_for(guard, seconds(kPeriod_s), [this] { return ending; });
  }
}

Watch::Watch(c10::intrusive_ptr<c10d::Store> store, int rank, std::vector<std::string> names,
             std::string store_keeper, double patience_s)
    : state_(std::make_shared<State>(std::move(store), static_cast<size_t>(rank), std::move(names),
                                     std::move(store_keeper), patience_s)) {
  state_->store_answered_s = base::monotonic_seconds();
  state_->peers.resize(state_->names.size());
  for (Peer& peer : state_->peers) peer.changed_s = state_->store_answered_s;
  asker_ = std::thread([state = state_] { state->ask_until_the_end(); });
  judge_ = std::thread([state = state_] { state->judge_until_the_end(); });
}

Watch::~Watch() {
  {
    std::unique_lock guard(state_->lock);
    state_->ending = true;
    state_->wake.notify_all();
    state_->wake.wait_for(guard, seconds(kLastCall_s), [this] { return state_->asker_ended; });
    if (!state_->asker_ended) asker_.detach();
  }
  if (asker_.joinable()) asker_.join();
  judge_.join();
}

void Watch::end_with_others() {
  const std::lock_guard guard(state_->lock);
  state_->ends_with_others = true;
}

void Watch::leave(const std::string& reason) {
  {
    const std::lock_guard guard(state_->lock);
    if (state_->left) return;
    state_->left = true;
  }
  const std::unique_lock guard(state_->store_lock, seconds(kLastCall_s));
  if (!guard) return;  // it does not answer
  try {
    state_->store->set(left_key(state_->rank), reason);
  } catch (const std::exception&) {  // then there is nobody to tell
  }
}

Watch::Cause Watch::explain(const std::string& failure) {
  const double start_s = base::monotonic_seconds();
  std::unique_lock guard(state_->lock);
  for (;;) {
    const double now_s = base::monotonic_seconds();
    for (size_t p = 0; p < state_->peers.size(); ++p) {
      const Peer& peer = state_->peers[p];
      if (p == state_->rank) continue;
      if (!peer.reason.empty())
        return {base::str(state_->names[p], " stopped: ", peer.reason), true};
      if (!peer.left && state_->silence_s(peer) > kGone_s)
        return {state_->names[p] + " has ended or cannot be reached"};
    }
    if (now_s - state_->store_answered_s > kGone_s) {
      return {base::str("the meeting point of the processes, kept by ", state_->store_keeper,
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
