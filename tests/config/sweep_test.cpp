#include "muonlab/config/sweep.hpp"

#include <gtest/gtest.h>

namespace muonlab::config {
namespace {

constexpr const char* kFile = R"({
  "base": "base.json",
  "settings": {"train.steps": 60},
  "axes": {
    "protocol": {"paper": {}, "fair": {"optimizers.embed.lr": 0.003}},
    "row": {"adam": {"assign": [{"params": ["all"], "optimizer": "adam"}]}, "all": {}},
    "shape": {"paths": ["model.width", "model.layers"], "values": [[64, 2], [96, 3]]},
    "batch": {"path": "train.batch", "values": [8, 16]}
  },
  "seeds": [1, 2],
  "runs": [{"only": {"row": "adam", "batch": 8}, "seeds": [5]}, {}],
  "tune": {"at": {"row": "all"}, "only": {"protocol": ["fair"]}, "path": ["a.lr", "b.lr"], "grid": [0.2, 0.1]},
  "compare": {"axis": "row", "baseline": "adam", "reference": "all"},
  "paper": {"adam": 3.9, "all": 3.5},
  "labels": {"all": "everything"}
})";

std::string errors_of(std::string_view text) {
  try {
    parse_sweep(text, "sweeps/s.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

// The file with one part of it replaced.
std::string with(const std::string& from, const std::string& to) {
  std::string text = kFile;
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(SweepFile, IsReadWhole) {
  const SweepConfig sweep = parse_sweep(kFile, "sweeps/tiny.json");
  EXPECT_EQ(sweep.name, "tiny");
  EXPECT_EQ(sweep.base, "sweeps/base.json");
  EXPECT_EQ(sweep.settings, Settings{"train.steps=60"});
  ASSERT_EQ(sweep.axes.size(), 4u);
  EXPECT_EQ(sweep.axes[0].values[1].settings, Settings{"optimizers.embed.lr=0.003"});
  EXPECT_EQ(sweep.axes[1].values[0].settings,
            Settings{R"(assign=[{"params": ["all"], "optimizer": "adam"}])"});
  EXPECT_EQ(sweep.axes[2].values[1].name, "96_3");
  EXPECT_EQ(sweep.axes[2].values[1].settings, (Settings{"model.width=96", "model.layers=3"}));
  EXPECT_EQ(sweep.axes[3].values[0].name, "8");
  ASSERT_EQ(sweep.runs.size(), 2u);
  EXPECT_EQ(sweep.runs[0].seeds, std::vector<int64_t>{5});
  EXPECT_EQ(sweep.runs[1].seeds, (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(sweep.tune.size(), 1u);
  EXPECT_EQ(sweep.tune[0].row, "all");
  EXPECT_EQ(sweep.tune[0].rates[0].grid, (std::vector<double>{0.1, 0.2}));
  EXPECT_EQ(sweep.paper.at("adam"), 3.9);
  EXPECT_EQ(sweep.label("all"), "everything");
  EXPECT_EQ(sweep.label("adam"), "adam");
}

TEST(SweepFile, MistakesHaveTheirPlaceAndRemedy) {
  struct Case {
    std::string text, expected;
  };
  const Case cases[] = {
      {with("\"seeds\": [1, 2]", "\"seed\": [1, 2]"),
       "sweeps/s.json:10:3: unknown key \"seed\"; did you mean \"seeds\"?"},
      {with("\"base\": \"base.json\",", ""), "base: is missing"},
      {with("{\"row\": \"adam\", \"batch\": 8}", "{\"rwo\": \"adam\"}"),
       "runs[0].only: \"rwo\" is no axis; axes: protocol row shape batch; did you mean \"row\"?"},
      {with("{\"row\": \"adam\", \"batch\": 8}", "{\"row\": \"adma\"}"),
       "\"adma\" is no value of row; values: adam all; did you mean \"adam\"?"},
      {with("[[64, 2], [96, 3]]", "[[64, 2], [96]]"),
       "axes.shape.values[1]: expected an array of 2 values, one a path, got an array"},
      {with("[0.2, 0.1]", "[0.2]"),
       "tune[0].grid: expected an array of at least two positive numbers"},
      {with("[0.2, 0.1]", "[0.2, -0.1]"),
       "tune[0].grid: expected an array of at least two positive numbers"},
      {with("\"baseline\": \"adam\"", "\"baseline\": \"sgd\""),
       "compare.baseline: \"sgd\" is no value of row"},
      {with("\"axis\": \"row\"", "\"axis\": \"rows\""), "compare.axis: \"rows\" is no axis"},
      {with("\"adam\": 3.9", "\"adam\": \"low\""),
       "paper.adam: expected a number, got the string \"low\""},
      {with("\"values\": [8, 16]", "\"values\": [8, 8]"), "axes.batch: has the value 8 twice"},
      {with("\"seeds\": [1, 2]", "\"seeds\": [1, 2.5]"), "seeds: expected an array of integers"},
      {"[1]", "expected an object"},
      {"{\"seeds\": [1]}", "base: is missing; name the configuration that all cells start from"},
      {"{\"model\": {}}",
       "base: is missing; this looks like the configuration of one run: `muonlab train FILE`"},
  };
  for (const Case& c : cases) {
    const std::string errors = errors_of(c.text);
    EXPECT_NE(errors.find(c.expected), std::string::npos) << c.expected << "\nnot in\n" << errors;
  }
}

TEST(SweepFile, AllMistakesComeAtOnce) {
  std::string text = with("\"adam\": 3.9", "\"adma\": 3.9");
  text.replace(text.find("[0.2, 0.1]"), 10, "[]");
  const std::string errors = errors_of(text);
  EXPECT_NE(errors.find("\"adma\""), std::string::npos) << errors;
  EXPECT_NE(errors.find("tune[0].grid"), std::string::npos) << errors;
  EXPECT_NE(errors.find("2 errors; nothing was started."), std::string::npos) << errors;
}

}  // namespace
}  // namespace muonlab::config
