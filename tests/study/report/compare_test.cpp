#include "muonlab/study/report/compare.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "support/text.hpp"

namespace muonlab::study {
namespace {

using support::holds;

// Four steps of 100 tokens with validations at steps 0, 2 and 4.
record::RunRecord record(const std::string& path, const std::string& settings,
                         std::vector<double> losses, std::vector<double> validations) {
  record::RunRecord run{.path = path,
                        .name = path,
                        .config = config::parse_config(settings, path).run,
                        .steps = 4,
                        .tokens_per_step = 100,
                        .state = record::RunState::finished,
                        .train = {},
                        .validations = {},
                        .timing = {},
                        .commit = "",
                        .processor = ""};
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto step = static_cast<int64_t>(i) + 1;
    run.train.push_back({step, 100 * step, losses[i], 1.0});
    run.timing.push_back({step, 2.0, 50.0 + static_cast<double>(i), 300.0, 0.5});
  }
  for (size_t i = 0; i < validations.size(); ++i) {
    run.validations.push_back(
        {2 * static_cast<int64_t>(i), validations[i], std::exp(validations[i]), 1.0});
  }
  return run;
}

const char* const kAdam = R"({"name": "adam", "train": {"steps": 4}})";
const char* const kMuon = R"({"name": "muon", "train": {"steps": 4},
    "optimizers": {"muon": {"rule": "muon", "lr": 0.02}, "adam": {"rule": "adamw", "lr": 0.003}},
    "assign": [{"params": ["matrices"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "adam"}]})";

Comparison adam_and_muon() {
  return compare_runs({record("runs/adam", kAdam, {7.0, 6.5, 6.25, 6.0}, {7.0, 6.0, 5.0}),
                       record("runs/muon", kMuon, {7.0, 6.25, 5.5, 5.0}, {7.0, 5.0, 4.0})});
}

TEST(Compare, FindsWhereLossesFirstDiffer) {
  const Comparison comparison = adam_and_muon();
  EXPECT_EQ(comparison.common_steps, 4);
  ASSERT_TRUE(comparison.first_difference);
  EXPECT_EQ(comparison.first_difference->step, 2);
  EXPECT_EQ(comparison.first_difference->losses, (std::vector<double>{6.5, 6.25}));
  EXPECT_EQ(comparison.first_difference->spread, 0.25);
}

TEST(Compare, EqualRunsDoNotDiffer) {
  const record::RunRecord run = record("a", kAdam, {7.0, std::nan(""), 6.0}, {7.0});
  const Comparison comparison = compare_runs({run, run});
  EXPECT_FALSE(comparison.first_difference);
  EXPECT_TRUE(comparison.settings.empty());
  const std::string text = comparison_text(comparison);
  EXPECT_TRUE(holds(text, "the same at all 3 common steps")) << text;
  EXPECT_TRUE(holds(text, "no setting differs")) << text;
}

TEST(Compare, SettingsThatDifferAreListedForEveryRun) {
  const record::RunRecord third =
      record("c", R"({"name": "c", "seed": 2, "train": {"steps": 4}})", {7.0}, {7.0});
  const Comparison comparison =
      compare_runs({record("a", kAdam, {7.0}, {7.0}), record("b", kMuon, {7.0}, {7.0}), third});
  std::map<std::string, std::vector<std::string>> settings;
  for (const SettingDifference& setting : comparison.settings)
    settings[setting.path] = setting.values;
  EXPECT_EQ(settings.at("seed"), (std::vector<std::string>{"1", "1", "2"}));
  EXPECT_EQ(settings.at("optimizers.adam.lr"),
            (std::vector<std::string>{"0.001", "0.003", "0.001"}));
  EXPECT_EQ(settings.at("optimizers.muon.lr"), (std::vector<std::string>{"", "0.02", ""}));
  EXPECT_FALSE(settings.contains("name"));
}

TEST(Compare, LossIsReachedBetweenValidations) {
  const Comparison comparison = adam_and_muon();
  ASSERT_TRUE(comparison.target);
  EXPECT_EQ(*comparison.target, 5.0);  // the best of the worse run
  EXPECT_EQ(comparison.figures[0].reached->step, 4.0);
  EXPECT_EQ(comparison.figures[1].reached->step, 2.0);
  EXPECT_EQ(comparison.figures[1].reached->tokens, 200.0);
  const Comparison asked = compare_runs(comparison.runs, 4.25);
  EXPECT_FALSE(asked.figures[0].reached);
  EXPECT_EQ(asked.figures[1].reached->step, 3.5);  // three quarters of the way from 5 to 4
  EXPECT_EQ(compare_runs(comparison.runs, 9.0).figures[0].reached->step, 0.0);
}

TEST(Compare, FiguresOfARun) {
  const RunFigures figures = compare_runs({record("a", kAdam, {7.0, 6.0, 5.5}, {7.0, 5.0, 5.5}),
                                           record("b", kAdam, {7.0}, {7.0})})
                                 .figures[0];
  EXPECT_EQ(*figures.train_loss, 5.5);
  EXPECT_EQ(figures.last->loss, 5.5);
  EXPECT_EQ(figures.best->step, 2);
  EXPECT_EQ(*figures.tokens_per_s, 51.0);
  EXPECT_EQ(*figures.optimizer_share, 0.25);
}

TEST(Compare, ARunWithoutStepsIsNamed) {
  try {
    compare_runs({record("runs/a", kAdam, {7.0}, {7.0}), record("runs/b", kAdam, {}, {})});
    FAIL() << "a run without steps was compared";
  } catch (const base::Error& error) {
    EXPECT_TRUE(holds(error.what(), "runs/b: has recorded no step yet")) << error.what();
  }
}

TEST(Compare, WithoutValidationThereIsNoTarget) {
  const Comparison comparison =
      compare_runs({record("a", kAdam, {7.0}, {}), record("b", kAdam, {6.0}, {6.5})});
  EXPECT_FALSE(comparison.target);
  const std::string text = comparison_text(comparison);
  EXPECT_FALSE(holds(text, "steps to")) << text;
  EXPECT_FALSE(holds(text, "nan")) << text;
}

TEST(Compare, TextHoldsTheFigures) {
  const std::string text = comparison_text(adam_and_muon());
  EXPECT_TRUE(holds(text, "  A  runs/adam  step 4/4\n")) << text;
  EXPECT_TRUE(holds(text, "training losses first differ at step 2, by 0.25 (A 6.5, B 6.25)"))
      << text;
  EXPECT_TRUE(holds(text, "steps to 5.0000")) << text;
  EXPECT_TRUE(holds(text, "25.0 %")) << text;
  EXPECT_TRUE(holds(text, "validation loss")) << text;
  EXPECT_FALSE(holds(text, "\x1b")) << "colour without being asked";
  EXPECT_TRUE(holds(comparison_text(adam_and_muon(), 100, true), "\x1b[34m"));
  for (const size_t width : {100u, 60u}) {
    for (const std::string& line : base::split(comparison_text(adam_and_muon(), width), '\n')) {
      if (holds(line, "first differ")) continue;
      EXPECT_LE(base::display_width(line), width) << line;
    }
  }
}

record::RunRecord resumed_with(const std::string& path, const char* before, const char* after) {
  record::RunRecord run = record(path, kAdam, {7.0, 6.5, 6.0, 5.5}, {7.0, 6.0, 5.5});
  run.history.starts = {
      {.step = 0},
      {.step = 2, .changes = record::classify_changes({{"optimizers.adam.lr", before, after}})}};
  return run;
}

TEST(Compare, ASettingChangedAtAResumeDiffers) {
  const record::RunRecord plain = record("a", kAdam, {7.0, 6.5, 6.25, 6.0}, {7.0, 6.0, 5.0});
  const Comparison comparison = compare_runs({plain, resumed_with("b", "0.01", "0.001")});
  ASSERT_EQ(comparison.settings.size(), 1u);
  EXPECT_EQ(comparison.settings[0].path, "optimizers.adam.lr");
  const std::string text = comparison_text(comparison);
  EXPECT_TRUE(holds(text, "optimizers.adam.lr  0.001  0.01, from step 2 on 0.001\n")) << text;
  EXPECT_TRUE(holds(text, "no single command makes this run")) << text;
  EXPECT_FALSE(holds(text, "no setting differs")) << text;
  const nlohmann::ordered_json json = comparison_json(comparison);
  EXPECT_EQ(json["runs"][1]["changes"].dump(),
            R"([{"step":2,"path":"optimizers.adam.lr","before":0.01,"after":0.001}])");
  EXPECT_FALSE(json["runs"][0].contains("changes"));

  const record::RunRecord same = resumed_with("b", "0.01", "0.001");
  EXPECT_TRUE(compare_runs({same, same}).settings.empty());
}

TEST(Compare, LossesOfOtherDataAreNotSetSideBySide) {
  const char* const kOther =
      R"({"name": "o", "train": {"steps": 4}, "data": {"kind": "biographies", "m": 3}})";
  const record::RunRecord a = record("a", kAdam, {7.0, 6.0}, {7.0, 6.0}),
                          b = record("b", kOther, {5.0, 4.0}, {5.0, 4.0});
  const Comparison comparison = compare_runs({a, b});
  EXPECT_FALSE(comparison.target);
  EXPECT_FALSE(comparison.first_difference);
  const std::string text = comparison_text(comparison);
  EXPECT_EQ(text.find("  The runs were validated on different text (data.m)"), 0u) << text;
  EXPECT_FALSE(holds(text, "steps to")) << text;
  EXPECT_FALSE(holds(text, "first differ")) << text;
  EXPECT_TRUE(holds(text, "not comparable with each other\n  A  train loss 6.0000")) << text;
  EXPECT_FALSE(comparison_json(comparison)["comparable"]["losses"]);
  EXPECT_THROW(compare_runs({a, b}, 4.5), base::Error);
}

TEST(Compare, OtherTokenizersAreComparedByBitsPerByte) {
  const char* const kBytes = R"({"name": "o", "train": {"steps": 4},
      "data": {"kind": "biographies", "tokenizer": {"kind": "byte"}}})";
  const std::string text = comparison_text(compare_runs(
      {record("a", kAdam, {7.0}, {7.0, 6.0}), record("b", kBytes, {5.0}, {5.0, 4.0})}));
  EXPECT_TRUE(holds(text, "run  bits/byte    best  tokens/s")) << text;
  EXPECT_TRUE(holds(text, "  bits per byte of validation text\n")) << text;
  EXPECT_FALSE(holds(text, "steps to")) << text;
}

TEST(Compare, AnEarlierLossIsNoResultOfADivergedRun) {
  record::RunRecord run = record("a", kAdam, {7.0, 6.0, NAN}, {7.0, 6.0});
  run.state = record::RunState::diverged;
  const Comparison comparison = compare_runs({run, record("b", kAdam, {7.0}, {7.0})});
  EXPECT_FALSE(comparison.figures[0].last || comparison.figures[0].train_loss);
  const std::string text = comparison_text(comparison);
  EXPECT_TRUE(holds(text, "  A  a  step 3/4  diverged\n")) << text;
  EXPECT_TRUE(holds(text, "  A      diverged   diverged  6.0000")) << text;

  // The other one's best loss is the target, which the diverged run does not reach.
  const Comparison three = compare_runs(
      {run, record("b", kAdam, {7.0}, {7.0, 6.5}), record("c", kAdam, {7.0}, {7.0, 6.0})});
  EXPECT_EQ(three.target, 6.5);
  EXPECT_FALSE(three.figures[0].reached);
  EXPECT_EQ(three.figures[2].reached->step, 1.0);
  EXPECT_FALSE(compare_runs({run, run}).target);
}

TEST(Compare, JsonHoldsTheFigures) {
  const nlohmann::ordered_json json = comparison_json(adam_and_muon());
  EXPECT_EQ(json["runs"][1]["path"], "runs/muon");
  EXPECT_EQ(json["runs"][1]["best_validation"]["loss"], 4.0);
  EXPECT_EQ(json["runs"][1]["reached"]["step"], 2.0);
  EXPECT_EQ(json["first_difference"]["step"], 2);
  EXPECT_EQ(json["target_loss"], 5.0);
  EXPECT_TRUE(json["settings"].is_array() && !json["settings"].empty());
  for (const auto& setting : json["settings"]) {
    if (setting["path"] != "optimizers.muon.lr") continue;
    EXPECT_EQ(setting["values"].dump(), "[null,0.02]");
  }
}

}  // namespace
}  // namespace muonlab::study
