// What a process does when another says that it stops, and whom it names when nobody answers.
#include "comm/watch.hpp"

#include <atomic>
#include <future>

#include <gtest/gtest.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "muonlab/base/exit_code.hpp"

namespace muonlab::comm {
namespace {

void wait_while_the_other_stops(bool ends_with_others) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  const std::vector<std::string> names{"rank 0 on a", "rank 1 on b"};
  Watch own(store, 0, names, names[0], 1), other(store, 1, names, names[0], 1);
  if (ends_with_others) own.end_with_others();
  other.leave("the disk is full");
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  std::_Exit(0);
}

TEST(Watch, AReasonOfAnotherEndsAProcessWhoseCallsWouldWaitForever) {
  EXPECT_EXIT(wait_while_the_other_stops(true), testing::ExitedWithCode(base::exit_code::kError),
              "rank 1 on b stopped: the disk is full; this process stops too");
  EXPECT_EXIT(wait_while_the_other_stops(false), testing::ExitedWithCode(0), "");
}

// A meeting point that stops to answer after so many counts.
class FallsSilent : public c10d::HashStore {
 public:
  explicit FallsSilent(int answers) : answers_left_(answers) {}
  using c10d::HashStore::set;
  void set(const std::string& key, const std::vector<uint8_t>& value) override {
    if (answers_left_-- > 0) return c10d::HashStore::set(key, value);
    silence_.set_value();
    speech_.get_future().wait();
  }
  void wait_for_silence() { silence_.get_future().wait(); }
  void speak() {
    answers_left_ = 1000;
    speech_.set_value();
  }

 private:
  std::atomic<int> answers_left_;
  std::promise<void> silence_, speech_;
};

const std::vector<std::string> kTwo{"rank 0 on a", "rank 1 on b"};

// The other process never counts, which says nothing while the meeting point is silent.
void wait_while_the_meeting_point_is_silent() {
  const auto store = c10::make_intrusive<FallsSilent>(2);
  Watch own(store, 0, kTwo, "the launcher at c", 3);
  std::this_thread::sleep_for(std::chrono::minutes(2));
}

TEST(Watch, ASilentMeetingPointIsNotTakenForASilentProcess) {
  EXPECT_EXIT(wait_while_the_meeting_point_is_silent(),
              testing::ExitedWithCode(base::exit_code::kError),
              "the meeting point of the processes, kept by the launcher at c, has not answered");
  const auto store = c10::make_intrusive<FallsSilent>(1);
  Watch own(store, 0, kTwo, "the launcher at c", 60);
  store->wait_for_silence();
  EXPECT_EQ(own.explain("the call failed").text,
            "the meeting point of the processes, kept by the launcher at c, cannot be reached");
  store->speak();
}

}  // namespace
}  // namespace muonlab::comm
