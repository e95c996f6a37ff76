#include "muonlab/record/progress.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/record/history.hpp"

namespace muonlab::record {
namespace {

class Progress : public testing::Test {
 protected:
  RunFolder folder() const { return RunFolder(folder_.path()); }
  RunProgress progress() const { return read_progress(folder()); }
  void write(const std::string& path, const std::string& text) const {
    base::make_directories(base::parent_path(path));
    base::write_atomically(path, text);
  }
  // A run of four steps with a validation after the last one, but not yet saved.
  void complete(const std::string& val_loss) const {
    write(folder().plan(), R"({"steps":4})");
    write(folder().metrics(), R"({"step":0,"val_loss":5.5})"
                              "\n"
                              R"({"step":4,"loss":4.25})"
                              "\n"
                              R"({"step":4,"val_loss":)" +
                                  val_loss + "}\n");
    base::make_directories(folder().checkpoints());
  }

 private:
  base::TemporaryFolder folder_;
};

TEST_F(Progress, AnEmptyFolderHasNotBegun) {
  EXPECT_EQ(progress().state, RunState::stopped);
  EXPECT_EQ(progress().step, 0);
  EXPECT_EQ(progress().steps, 0);
  EXPECT_FALSE(progress().val_loss);
}

TEST_F(Progress, FinishedNeedsTheLastStepItsValidationAndItsCheckpoint) {
  complete("4.5");
  EXPECT_EQ(progress().state, RunState::stopped);
  write(folder().manifest(4), "{}");
  EXPECT_EQ(progress().state, RunState::finished);
  EXPECT_EQ(progress().val_loss, 4.5);
  EXPECT_EQ(progress().loss, 4.25);
  write(folder().plan(), R"({"steps":5})");
  EXPECT_EQ(progress().state, RunState::stopped);
}

TEST_F(Progress, AFinishedRunMayLoseItsCheckpoints) {
  complete("4.5");
  append_start(folder().history(), {});
  EXPECT_EQ(progress().state, RunState::stopped);
  append_end(folder().history(), {4, RunOutcome::finished});
  EXPECT_EQ(progress().state, RunState::finished);
}

// Shared case: the loss before the run diverged was taken for its result.
TEST_F(Progress, ALastValidationThatIsNotFiniteIsADivergence) {
  complete("null");
  write(folder().manifest(4), "{}");
  EXPECT_EQ(progress().state, RunState::diverged);
}

TEST_F(Progress, ADivergedEndCountsUntilTheRunIsStartedAgain) {
  write(folder().plan(), R"({"steps":4})");
  append_start(folder().history(), {});
  append_end(folder().history(), {2, RunOutcome::diverged});
  EXPECT_EQ(progress().state, RunState::diverged);
  append_start(folder().history(), {.step = 2});
  EXPECT_EQ(progress().state, RunState::stopped);
}

TEST_F(Progress, FindsAValidationFarFromTheEnd) {
  std::string text = R"({"step":1,"val_loss":3.5})"
                     "\n";
  for (int step = 2; step < 2000; ++step)
    text += base::str(R"({"step":)", step, R"(,"loss":3})", "\n");
  write(folder().metrics(), text);
  EXPECT_EQ(progress().val_loss, 3.5);
  EXPECT_EQ(progress().step, 1999);
}

}  // namespace
}  // namespace muonlab::record
