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
                        .finished = true,
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

TEST(Compare, FindsWhereRunsPart) {
  const Comparison comparison = adam_and_muon();
  EXPECT_EQ(comparison.common_steps, 4);
  ASSERT_TRUE(comparison.parting);
  EXPECT_EQ(comparison.parting->step, 2);
  EXPECT_EQ(comparison.parting->losses, (std::vector<double>{6.5, 6.25}));
  EXPECT_EQ(comparison.parting->spread, 0.25);
}

TEST(Compare, EqualRunsDoNotPart) {
  const record::RunRecord run = record("a", kAdam, {7.0, std::nan(""), 6.0}, {7.0});
  const Comparison comparison = compare_runs({run, run});
  EXPECT_FALSE(comparison.parting);
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
