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

std::vector<std::string> texts(const Settings& settings) {
  std::vector<std::string> list;
  for (const SweptSetting& setting : settings) list.push_back(setting.text);
  return list;
}

using Texts = std::vector<std::string>;

TEST(SweepFile, IsReadWhole) {
  const SweepConfig sweep = parse_sweep(kFile, "sweeps/tiny.json");
  EXPECT_EQ(sweep.name, "tiny");
  EXPECT_EQ(sweep.base, "sweeps/base.json");
  EXPECT_EQ(texts(sweep.settings), Texts{"train.steps=60"});
  EXPECT_EQ(sweep.settings[0].where, "sweeps/tiny.json:3:16");
  ASSERT_EQ(sweep.axes.size(), 4u);
  EXPECT_EQ(texts(sweep.axes[0].values[1].settings), Texts{"optimizers.embed.lr=0.003"});
  EXPECT_EQ(texts(sweep.axes[1].values[0].settings),
            Texts{R"(assign=[{"params": ["all"], "optimizer": "adam"}])"});
  EXPECT_EQ(sweep.axes[2].values[1].name, "96_3");
  EXPECT_EQ(texts(sweep.axes[2].values[1].settings), (Texts{"model.width=96", "model.layers=3"}));
  EXPECT_EQ(sweep.axes[2].values[1].settings[1].where, "sweeps/tiny.json:7:82");
  EXPECT_EQ(sweep.axes[3].values[0].name, "8");
  ASSERT_EQ(sweep.runs.size(), 2u);
  EXPECT_EQ(sweep.runs[0].seeds, std::vector<int64_t>{5});
  EXPECT_EQ(sweep.runs[1].seeds, (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(sweep.tune.size(), 1u);
  EXPECT_EQ(sweep.tune[0].rows, std::vector<std::string>{"all"});
  EXPECT_FALSE(sweep.tune[0].own_rates);
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
       "tune[0].grid: expected an array of at least two numbers, none of them negative"},
      {with("[0.2, 0.1]", "[0.2, -0.1]"),
       "tune[0].grid: expected an array of at least two numbers, none of them negative"},
      {with("\"baseline\": \"adam\"", "\"baseline\": \"sgd\""),
       "compare.baseline: \"sgd\" is no value of row"},
      {with("\"axis\": \"row\"", "\"axis\": \"rows\""), "compare.axis: \"rows\" is no axis"},
      {with("\"adam\": 3.9", "\"adam\": \"low\""),
       "paper.adam: expected a number, got the string \"low\""},
      {with("\"values\": [8, 16]", "\"values\": [8, 8]"),
       "sweeps/s.json:8:52: axes.batch: has the value 8 twice"},
      {with("\"values\": [8, 16]", "\"values\": [8, 16, 8.0]"),
       "axes.batch: has the value 8.0 twice, spelled differently"},
      {with("[0.2, 0.1]", "[0.003, 3e-3]"), "tune[0].grid: has the rate 3e-3 twice"},
      {with("[0.2, 0.1]", "[0.1, 1e999]"), "the number '1e999' is out of range"},
      {with("[\"a.lr\", \"b.lr\"]", "[\"a.lr\", \"a.lr\"]"), "tune[0]: searches \"a.lr\" twice"},
      {with("\"baseline\": \"adam\"", "\"baseline\": \"all\""),
       "compare.reference: \"all\" is the baseline too; name another row"},
      {with("[1, 2],\n  \"runs\"", "[1, 2, 1],\n  \"runs\""), "10:19: seeds: has 1 twice"},
      {with("\"seeds\": [1, 2],\n", "\"max_cells\": 0,\n"), "max_cells: expected a count"},
      {with("\"seeds\": [1, 2]", "\"seeds\": [1, 2.5]"), "seeds: expected an array of integers"},
      {with("[0.2, 0.1]", "[0, 0.1]"), "tune[0].grid: 0 is no learning rate, and a grid with it"},
      {with("\"all\": \"everything\"", "\"all\": \"adam\""),
       "labels: \"adam\" and \"all\" are both called \"adam\""},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"search\": \"random\""),
       "\"random\" is no choice; choices: \"grid\" \"coordinates\" \"halving\""},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"max_runs\": 5"),
       "tune[0].max_runs: has no effect; it belongs to \"search\": \"coordinates\""},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"search\": \"halving\""), "tune[0].rungs: is missing"},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"rungs\": [5]"),
       "tune[0].rungs: has no effect; it belongs to \"search\": \"halving\" or \"coordinates\""},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"search\": \"coordinates\", \"keep\": 0.5"),
       "tune[0].keep: has no effect without \"rungs\""},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"search\": \"halving\", \"rungs\": [20, 10]"),
       "tune[0].rungs: expected an ascending array of steps"},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"start\": 0.3"),
       "tune[0].start: expected one of the grid's values"},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"confirm\": {\"best\": 2}"),
       "tune[0].confirm: needs \"best\", how many of the best trials are repeated, and \"seeds\""},
      {with("[0.2, 0.1]", "[0.2, 0.1], \"seed\": 7, \"confirm\": {\"best\": 2, \"seeds\": [7]}"),
       "tune[0].confirm.seeds: has the seed 7 of the search itself"},
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

// An axis on the seed would train one run a row and show it in every block.
TEST(SweepFile, SeedsAreNoAxis) {
  const std::string as_axis =
      errors_of(R"({"base": "b.json", "axes": {"seed": {"path": "seed", "values": [1, 2, 3]}}})");
  EXPECT_NE(as_axis.find("s.json:1:38: axes.seed: \"seed\" pairs the rows of a sweep and is set "
                         "beside the axes: write \"seeds\": [1, 2, 3]"),
            std::string::npos)
      << as_axis;
  for (const char* text : {R"({"base": "b.json", "settings": {"seed": 5}})",
                           R"({"base": "b.json", "axes": {"row": {"a": {"seed": 5}, "b": {}}}})",
                           R"({"base": "b.json", "axes": {"x": {"paths": ["seed", "train.batch"],
                               "values": [[1, 2]]}}})"}) {
    EXPECT_NE(errors_of(text).find("write \"seeds\": ["), std::string::npos) << errors_of(text);
  }
  EXPECT_NE(errors_of(with("[\"a.lr\", \"b.lr\"]", "\"seed\"")).find("tune[0].path: \"seed\""),
            std::string::npos);
  EXPECT_NE(errors_of(R"({"base": "b.json", "settings": {"name": "x"}})").find("\"name\" is given"),
            std::string::npos);
  EXPECT_TRUE(parse_sweep(R"({"base": "b.json"})", "s.json").runs[0].seeds.empty());
}

TEST(SweepFile, OneSettingBelongsToOneAxis) {
  const auto axes = [](const std::string& a, const std::string& b) {
    return errors_of("{\"base\": \"b.json\", \"axes\": {\"a\": " + a + ", \"b\": " + b + "}}");
  };
  const std::string rates = R"({"path": "optimizers.muon.lr", "values": [0.01, 0.02]})";
  const std::string twice = axes(rates, rates);
  EXPECT_NE(twice.find("axes.b: sets optimizers.muon.lr, which the axis \"a\" sets too"),
            std::string::npos)
      << twice;
  EXPECT_NE(twice.find("1 error;"), std::string::npos) << twice;
  const std::string whole = R"({"x": {}, "y": {"optimizers.muon": {"rule": "muon", "lr": 1}}})";
  for (const std::string& part : {axes(rates, whole), axes(whole, rates)})
    EXPECT_NE(part.find("sets optimizers.muon.lr, a part of optimizers.muon"), std::string::npos)
        << part;
  EXPECT_NE(axes(R"({"x": {"assign[0].optimizer": "adam"}})",
                 R"({"path": "assign.0.optimizer", "values": ["muon"]})")
                .find("axes.b: sets assign.0.optimizer"),
            std::string::npos);
  // Names that only begin alike are different settings.
  EXPECT_EQ(axes(R"({"path": "optimizers.a.lr", "values": [1, 2]})",
                 R"({"path": "optimizers.ab.lr", "values": [1, 2]})"),
            "");
}

TEST(SweepFile, ASearchedRateIsNotSweptInTheSameBlocks) {
  const auto searching = [](const std::string& protocols, const std::string& only) {
    return errors_of(R"({"base": "b.json", "axes": {"protocol": )" + protocols +
                     R"(, "row": {"adam": {}, "all": {}}},
       "tune": {"at": {"row": "adam"}, )" +
                     only +
                     R"("path": "optimizers.adam.lr", "grid": [1, 2]},
       "compare": {"axis": "row", "baseline": "adam", "reference": "all"}})");
  };
  for (const char* fixed : {R"({"optimizers.adam.lr": 3})", R"({"optimizers.adam": {"lr": 3}})"}) {
    const std::string protocols = R"({"fixed": )" + std::string(fixed) + R"(, "free": {}})";
    const std::string error = searching(protocols, "");
    EXPECT_NE(error.find("tune[0]: \"optimizers.adam.lr\" is set by the axis \"protocol\""),
              std::string::npos)
        << error;
    EXPECT_EQ(searching(protocols, R"("only": {"protocol": "free"}, )"), "");
  }
  EXPECT_EQ(searching(R"({"a": {"optimizers.adam": {"rule": "adamw"}}, "b": {}})", ""), "");
}

// Refused from the counts alone, before any cell is built.
TEST(SweepFile, ASweepWithoutEndIsRefused) {
  std::string axes = R"("row": {"adam": {}, "all": {}})";
  for (int i = 0; i < 200; ++i) axes += ", \"a" + std::to_string(i) + R"(": {"x": {}, "y": {}})";
  const std::string many_axes =
      errors_of(R"({"base": "b.json", "seeds": [1], "axes": {)" + axes + "}}");
  EXPECT_NE(
      many_axes.find("the sweep has about 3e+60 cells, more than 10,000; choose fewer values, "
                     "seeds or rates, or allow more with \"max_cells\""),
      std::string::npos)
      << many_axes;
  // Choosing a few points of it does not make the grid smaller.
  EXPECT_NE(errors_of(R"({"base": "b.json", "runs": [{"only": {"row": "adam"}}], "axes": {)" +
                      axes + "}}")
                .find("about 3e+60 cells"),
            std::string::npos);

  const auto numbers = [](int count) {
    std::string list;
    for (int i = 1; i <= count; ++i) list += (i == 1 ? "[" : ", ") + std::to_string(i);
    return list + "]";
  };
  const std::string rows =
      R"("axes": {"row": {"adam": {}, "all": {}}},
         "compare": {"axis": "row", "baseline": "adam", "reference": "all"})";
  EXPECT_NE(errors_of(R"({"base": "b.json", )" + rows + ", \"seeds\": " + numbers(100000) + "}")
                .find("has 200,000 cells"),
            std::string::npos);
  const std::string search = R"({"base": "b.json", )" + rows + R"(, "tune": {"rates": [
      {"path": "a.lr", "grid": )" +
                             numbers(999) + R"(}, {"path": "b.lr", "grid": )" + numbers(999) +
                             "}]}}";
  EXPECT_NE(errors_of(search).find("has 998,003 cells"), std::string::npos) << errors_of(search);
  const std::string raised = R"({"base": "b.json", "max_cells": 200000, )" + rows +
                             ", \"seeds\": " + numbers(100000) + "}";
  EXPECT_EQ(num_cells(parse_sweep(raised, "s.json")), 200000);
}

// What a value of a path is chosen by is the value.
TEST(SweepFile, ValuesAreChosenAsTheyAreWritten) {
  const SweepConfig sweep = parse_sweep(
      R"({"base": "b.json", "axes": {"lr": {"path": "a.lr", "values": [1e-05, 0.10000000000000001234]}},
          "runs": [{"only": {"lr": [1e-05, 1e-05]}}]})",
      "s.json");
  EXPECT_EQ(sweep.runs[0].only.at("lr"), Texts{"1e_05"});
  EXPECT_EQ(sweep.axes[0].values[1].settings[0].text, "a.lr=0.10000000000000001234");
}

TEST(SweepFile, ErrorsStayShort) {
  std::string values = "[0";
  for (int i = 1; i < 5000; ++i) values += ", " + std::to_string(i);
  const std::string error =
      errors_of(R"({"base": "b.json", "axes": {"x": {"path": "train.batch", "values": )" + values +
                R"(]}}, "runs": [{"only": {"x": ")" + std::string(10000, 'z') + "\"}}]}");
  EXPECT_NE(error.find("is no value of x; values: 0 1 2"), std::string::npos) << error;
  EXPECT_LT(error.size(), 1000u) << error;
}

}  // namespace
}  // namespace muonlab::config
