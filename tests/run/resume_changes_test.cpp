// What a changed setting means for the steps that a run has done, and for what it remembers.
#include "run/resume_changes.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/train/step.hpp"
#include "run/small_session.hpp"
#include "run/start.hpp"

namespace muonlab::run {
namespace {

using record::ChangeClass;
using Settings = std::vector<std::string>;

// A run with constant rates, saved after so many of its 6 steps, and resumed with other settings.
class SavedRun {
 public:
  SavedRun(const Settings& settings, int64_t step) : run_(folder_.path()), settings_(settings) {
    settings_.push_back(R"(schedule={"kind":"constant"})");
    Session session(prepare_small(settings_));
    train::Trainer& trainer = session.trainer();
    while (trainer.state.step < step) train::train_step(trainer);
    trainer.state.best_step = 0;
    trainer.state.best_val_loss = 1.5;
    train::save_checkpoint(trainer, {base::real_file_system(), run_.checkpoints(), step});
  }

  Prepared with(const Settings& more) const {
    Settings settings = settings_;
    settings.insert(settings.end(), more.begin(), more.end());
    return prepare_small(settings);
  }
  ChangeClass class_of_change(const std::string& setting) const {
    const train::SavedState saved(*store::open_newest_good(run_.checkpoints(), {}));
    const std::vector<record::Change> changes = find_changes(saved, with({setting}), run_);
    EXPECT_EQ(changes.size(), 1u) << setting;
    return changes.at(0).kind;
  }
  train::TrainState resumed_with(const Settings& more) const {
    Prepared prepared = with(more);
    base::FileSystem& files = base::real_file_system();
    Start start = find_start(run_, "", prepared, files);
    accept_start(start, prepared, run_, false);
    Session session(std::move(prepared));
    load_start(start, session, run_, files);
    return session.trainer().state;
  }

 private:
  base::TemporaryFolder folder_;
  record::RunFolder run_;
  Settings settings_;
};

ChangeClass class_of_length(const Settings& settings, int64_t step = 6) {
  return SavedRun(settings, step).class_of_change("train.steps=12");
}

TEST(ResumeChanges, AnotherLengthIsSafeWhereEveryStepSoFarStaysAsItWas) {
  EXPECT_EQ(class_of_length({}), ChangeClass::safe);
}

TEST(ResumeChanges, NotWhereTheirBatchesWouldHaveBeenOthers) {
  EXPECT_EQ(class_of_length({R"(train.batch_ramp=[{"batch":2,"fraction":0.5}])"}),
            ChangeClass::length);
  EXPECT_EQ(class_of_length({R"(train.batch_ramp=[{"batch":2,"fraction":0.5}])"}, 3),
            ChangeClass::safe)
      << "of 6 or 12 steps the first 3 have 2 samples";
  EXPECT_EQ(class_of_length({R"(train.batch_ramp=[{"batch":2,"steps":3}])"}), ChangeClass::safe);
}

TEST(ResumeChanges, NotWhereTheirMomentumWouldHaveBeenAnother) {
  const Settings cooldown{"optimizers.muon.momentum_cooldown=2"};
  EXPECT_EQ(class_of_length(cooldown), ChangeClass::length);
  EXPECT_EQ(class_of_length(cooldown, 5), ChangeClass::length);
  EXPECT_EQ(class_of_length(cooldown, 4), ChangeClass::safe);
  EXPECT_EQ(class_of_length({"optimizers.muon.momentum_warmup=2"}), ChangeClass::safe);
}

TEST(ResumeChanges, NotWhereTheAverageWouldHaveTakenInOthers) {
  EXPECT_EQ(class_of_length({"train.average=0.5"}), ChangeClass::length);
  EXPECT_EQ(class_of_length({"train.average=0.5"}, 3), ChangeClass::safe);
  EXPECT_EQ(SavedRun({}, 6).class_of_change("train.average=0.5"), ChangeClass::length);
  EXPECT_EQ(SavedRun({"train.average=0.5"}, 6).class_of_change("train.average=0"),
            ChangeClass::length);
  EXPECT_EQ(SavedRun({}, 3).class_of_change("train.average=0.5"), ChangeClass::safe);
}

// checkpoint.best would keep weights that are the best of other windows.
TEST(ResumeChanges, TheBestValidationIsForgottenWhereLaterOnesDoNotCompare) {
  const SavedRun run({}, 2);
  for (const Settings& same : {Settings{}, {"checkpoint.every=5"}, {"eval.every=3"}}) {
    EXPECT_EQ(run.resumed_with(same).best_step, 0);
    EXPECT_EQ(run.resumed_with(same).best_val_loss, 1.5);
  }
  for (const char* other : {"eval.samples=3", "eval.windows=first", "train.average=0.5"}) {
    const train::TrainState state = run.resumed_with({other});
    EXPECT_EQ(state.best_step, -1) << other;
    EXPECT_EQ(state.best_val_loss, train::TrainState{}.best_val_loss) << other;
  }
}

}  // namespace
}  // namespace muonlab::run
