#include "muonlab/record/history.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::record {
namespace {

TEST(History, AnAbsentFileIsEmpty) {
  const base::TemporaryFolder folder;
  const History history = read_history(folder.path() + "/history.jsonl");
  EXPECT_TRUE(history.starts.empty());
  EXPECT_FALSE(history.end);
}

TEST(History, KeepsEveryStartWithWhatChanged) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() + "/history.jsonl";
  append_start(path, {});
  append_end(path, {163, RunOutcome::interrupted});
  append_start(path, {163, classify_changes({{"optimizers.adam.lr", "0.001", "0.002"},
                                             {"checkpoint.every", "10", "20"}})});
  const History open = read_history(path);
  ASSERT_EQ(open.starts.size(), 2u);
  EXPECT_FALSE(open.end) << "a start ends what was known of the end";
  EXPECT_EQ(open.starts[1].step, 163);
  ASSERT_EQ(open.starts[1].changes.size(), 2u);
  EXPECT_EQ(open.starts[1].changes[0].difference.after, "0.002");

  const std::vector<RunStart> changed = open.changed();
  ASSERT_EQ(changed.size(), 1u);
  ASSERT_EQ(changed[0].changes.size(), 1u) << "a change that is safe does not count";
  EXPECT_EQ(changed[0].changes[0].difference.path, "optimizers.adam.lr");

  append_end(path, {400, RunOutcome::finished});
  const History ended = read_history(path);
  ASSERT_TRUE(ended.end);
  EXPECT_EQ(ended.end->step, 400);
  EXPECT_EQ(ended.end->outcome, RunOutcome::finished);
}

TEST(History, PassesOverLinesItDoesNotKnow) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() + "/history.jsonl";
  base::write_atomically(path,
                         "{\"event\":\"end\",\"outcome\":\"eaten\"}\n{\"event\":7}\nnot json\n"
                         "{\"event\":\"start\",\"step\":\"x\",\"changes\":[3,{\"path\":4}]}\n{\"ev");
  const History history = read_history(path);
  ASSERT_EQ(history.starts.size(), 1u);
  EXPECT_EQ(history.starts[0].step, 0);
  EXPECT_FALSE(history.end);
}

}  // namespace
}  // namespace muonlab::record
