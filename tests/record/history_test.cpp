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

TEST(History, KeepsTheClassThatWasFoundAndTheBuild) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() + "/history.jsonl";
  append_start(path, {0, {}, {{"commit", "a"}}});
  std::vector<Change> longer = classify_changes({{"train.steps", "400", "800"}});
  longer[0].kind = ChangeClass::safe;  // no step so far had another rate
  append_start(path, {163, longer, {{"commit", "b"}}});
  const History history = read_history(path);
  EXPECT_TRUE(history.changed().empty());
  EXPECT_EQ(history.build_before(163).at("commit"), "a");
  EXPECT_EQ(history.build_before(164).at("commit"), "b");
  EXPECT_TRUE(history.build_before(0).empty());
}

TEST(History, AChangeWhoseStepsWereTakenAgainDoesNotCount) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() + "/history.jsonl";
  const std::vector<Change> rate = classify_changes({{"optimizers.adam.lr", "0.001", "0.002"}});
  append_start(path, {});
  append_start(path, {10, rate});  // killed before its first checkpoint
  append_start(path, {10});        // and resumed with the settings as they were
  EXPECT_TRUE(read_history(path).changed().empty());
  append_start(path, {20, rate});
  append_start(path, {30});
  EXPECT_EQ(read_history(path).changed().size(), 1u);
  append_start(path, {15});  // from an older checkpoint: the newer ones were damaged
  EXPECT_TRUE(read_history(path).changed().empty());
}

TEST(History, KeepsTheWarningOfARunThatFinished) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() + "/history.jsonl";
  append_end(path, {400, RunOutcome::finished, "the loss is above that of guessing"});
  EXPECT_EQ(read_history(path).end.value().warning, "the loss is above that of guessing");
}

TEST(History, ALineAfterOneThatWasCutShortIsWhole) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() + "/history.jsonl";
  base::write_atomically(path, "{\"event\":\"start\",\"step\":0}\n{\"event\":\"en");
  append_start(path, {7});
  const History history = read_history(path);
  ASSERT_EQ(history.starts.size(), 2u);
  EXPECT_EQ(history.starts[1].step, 7);
}

TEST(History, PassesOverLinesItDoesNotKnow) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() + "/history.jsonl";
  base::write_atomically(
      path,
      "{\"event\":\"end\",\"outcome\":\"eaten\"}\n{\"event\":7}\nnot json\n"
      "{\"event\":\"start\",\"step\":\"x\",\"changes\":[3,{\"path\":4}]}\n{\"ev");
  const History history = read_history(path);
  ASSERT_EQ(history.starts.size(), 1u);
  EXPECT_EQ(history.starts[0].step, 0);
  EXPECT_FALSE(history.end);
}

}  // namespace
}  // namespace muonlab::record
