// Checkpoints written by a thread while training continues.
#include "run/saver.hpp"

#include <cerrno>
#include <latch>
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/posix_file_system.hpp"
#include "base/temporary_folder.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"
#include "support/program.hpp"

namespace muonlab::run {
namespace {

// Nothing is written before release(), and one file may be refused.
class HeldBackFiles : public base::PosixFileSystem {
 public:
  ~HeldBackFiles() override { release(); }
  std::unique_ptr<base::WritableFile> create(const std::string& path) override {
    released_.wait();
    if (!refused.empty() && base::base_name(path) == refused)
      throw base::io_error("open for writing", path, ENOSPC);
    return PosixFileSystem::create(path);
  }
  void release() {
    if (!released_.try_wait()) released_.count_down();
  }
  std::string refused;

 private:
  std::latch released_{1};
};

class SaverTest : public testing::Test {
 protected:
  train::Trainer& trainer() { return session_.trainer(); }
  void take_steps(int count) {
    for (int i = 0; i < count; ++i) train::train_step(trainer());
  }
  std::vector<int64_t> saved_steps() const {
    std::vector<int64_t> steps;
    for (const auto& entry : store::list_checkpoints(folder_.checkpoints()))
      steps.push_back(entry.step);
    return steps;
  }

  const base::TemporaryFolder here_, there_;
  record::RunFolder folder_{here_.path()}, other_{there_.path()};
  HeldBackFiles files_;
  Session session_{
      prepare_small({"model.qk_norm=no_gain", "train.average=1", "checkpoint.keep=1"})};
};

TEST_F(SaverTest, TheBytesAreThoseOfASaveAtOnceHoweverFarTrainingIs) {
  take_steps(2);
  const std::string at_once = save_state(trainer(), other_, base::real_file_system());
  Saver saver(trainer(), folder_, files_);
  saver.begin();
  EXPECT_TRUE(saver.is_busy());
  take_steps(2);
  EXPECT_FALSE(saver.has_ended());
  EXPECT_TRUE(saved_steps().empty()) << "it is not one before it is whole";
  files_.release();
  const Saved saved = saver.wait();
  EXPECT_FALSE(saver.is_busy());
  EXPECT_EQ(base::base_name(saved.path), "step-00000002");
  const auto expected = support::tree(at_once), written = support::tree(saved.path);
  ASSERT_GE(expected.size(), 6u) << "weights, average, optimizers, two configurations, manifest";
  EXPECT_TRUE(written == expected);

  // The memory of the copy is used again.
  const std::string next = save_state(trainer(), other_, base::real_file_system());
  const auto next_expected = support::tree(next);
  saver.begin();
  take_steps(1);
  EXPECT_TRUE(support::tree(saver.wait().path) == next_expected);
  EXPECT_EQ(saved_steps(), std::vector<int64_t>{4}) << "checkpoint.keep is 1";
}

TEST_F(SaverTest, AWriteThatFailsIsToldAndLeavesTheOlderCheckpoint) {
  files_.release();
  Saver saver(trainer(), folder_, files_);
  take_steps(1);
  saver.begin();
  saver.wait();
  files_.refused = "optimizer.safetensors";
  take_steps(1);
  saver.begin();
  try {
    saver.wait();
    FAIL() << "a full disk";
  } catch (const base::IoError& error) {
    EXPECT_NE(std::string(error.what()).find("the checkpoint of step 2 was not saved"),
              std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(saver.is_busy());
  EXPECT_EQ(saved_steps(), std::vector<int64_t>{1});
  files_.refused.clear();
  saver.begin();
  saver.wait();
  EXPECT_EQ(saved_steps(), std::vector<int64_t>{2});
}

TEST_F(SaverTest, ItsEndWaitsForTheSave) {
  {
    Saver saver(trainer(), folder_, files_);
    take_steps(1);
    saver.begin();
    files_.release();
  }
  EXPECT_EQ(saved_steps(), std::vector<int64_t>{1});
}

TEST_F(SaverTest, AStateThatIsNotFiniteIsRefusedAtOnce) {
  files_.release();
  Saver saver(trainer(), folder_, files_);
  take_steps(1);
  trainer().arena.find("model.norm.weight").value.detach()[0] =
      std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(saver.begin(), base::NonFinite);
  EXPECT_FALSE(saver.is_busy());
  EXPECT_TRUE(saved_steps().empty());
}

}  // namespace
}  // namespace muonlab::run
