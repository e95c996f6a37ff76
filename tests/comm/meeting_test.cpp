// How the processes find each other, and what ends the wait.
#include "comm/meeting.hpp"

#include <thread>

#include <gtest/gtest.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "muonlab/base/signals.hpp"
#include "muonlab/comm/communicator.hpp"
#include "support/processes.hpp"

namespace muonlab::comm {
namespace {

constexpr double kLong_s = 120;  // a test that waits so long has failed

Identity one_of(int size, int rank) {
  return {.rank = rank,
          .size = size,
          .local_rank = rank,
          .local_size = size,
          .port = support::free_port()};
}

template <class Failure, class Call>
std::string failure_of(const Call& call) {
  try {
    call();
  } catch (const Failure& failure) {
    return failure.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Meeting, EndsWhenAllHaveCome) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::string> names;
  std::thread other([&] { names = meet_all(*store, one_of(2, 1), kLong_s); });
  const std::vector<std::string> own = meet_all(*store, one_of(2, 0), kLong_s);
  other.join();
  ASSERT_EQ(own.size(), 2u);
  EXPECT_EQ(own, names);
  EXPECT_EQ(own[1].substr(0, 10), "rank 1 on ");
}

TEST(Meeting, EndsWhenAnotherIsKnownNotToCome) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  report_absence(*store, "rank 1 on a was ended by signal 9, Killed");
  EXPECT_EQ(failure_of<base::Error>([&] { meet_all(*store, one_of(2, 0), kLong_s); }),
            "rank 1 on a was ended by signal 9, Killed; not all processes had met, so rank 0 stops "
            "too");
}

class StoppedMeeting : public ::testing::Test {
 protected:
  void SetUp() override {
    base::install_signal_handlers(nullptr);
    base::stop_after(0.3);
  }
  void TearDown() override {
    base::stop_after(0);
    base::clear_stop_request();
  }
};

TEST_F(StoppedMeeting, DoesNotWaitForTheOthersAndTellsThem) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  const std::string own = failure_of<Stopped>([&] { meet_all(*store, one_of(3, 0), kLong_s); });
  EXPECT_NE(own.find("time limit  stopped while the processes waited"), std::string::npos) << own;
  base::clear_stop_request();
  const std::string other =
      failure_of<base::Error>([&] { meet_all(*store, one_of(3, 1), kLong_s); });
  EXPECT_EQ(other.find("rank 0 on "), 0u) << other;
  EXPECT_NE(other.find(" was asked to stop; not all processes had met"), std::string::npos)
      << other;
}

TEST_F(StoppedMeeting, DoesNotWaitForTheMeetingPoint) {
  failure_of<Stopped>([&] { find_meeting_point(one_of(2, 1), kLong_s); });
}

}  // namespace
}  // namespace muonlab::comm
