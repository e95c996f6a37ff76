// What a process does when another says that it stops.
#include "comm/watch.hpp"

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

}  // namespace
}  // namespace muonlab::comm
