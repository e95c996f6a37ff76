// muonlab new and lr-find: what they write can be trained, and nothing is written over.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/program.hpp"
#include "support/text.hpp"

namespace muonlab {
namespace {

using support::holds;
using support::Result;
using support::run_program;
using support::slurp;

std::string some_text() {
  std::string text;
  for (int i = 0; i < 4000; ++i)
    text += "the word number " + std::to_string(i * i % 997) + (i % 50 == 0 ? "\n\n" : " and ");
  return text;
}

TEST(NewCommand, ATextBecomesAConfigurationThatTrains) {
  const support::Scratch scratch("new");
  std::ofstream(scratch / "one.txt") << some_text();
  const Result made =
      run_program(scratch.path(), {"new", "mine", "--data", "one.txt", "--time", "30s", "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  const auto json = nlohmann::json::parse(made.out);
  EXPECT_EQ(json["path"], "mine.json");
  EXPECT_GT(json["tokens"], 1000);
  EXPECT_GE(json["steps"], 10);
  EXPECT_TRUE(holds(slurp(scratch / "mine.json"), "mine-data/train"));
  const Result trained = run_program(
      scratch.path(), {"train", "mine.json", "--set", "train.steps=3", "--set", "train.batch=2",
                       "--set", "schedule.warmup=1", "--set", "threads=1"});
  EXPECT_EQ(trained.code, 0) << trained.err;

  const std::string before = slurp(scratch / "mine.json");
  EXPECT_EQ(run_program(scratch.path(), {"new", "mine", "--data", "one.txt"}).code, 1);
  EXPECT_EQ(slurp(scratch / "mine.json"), before);
  std::filesystem::remove(scratch.path() / "mine.json");
  const Result again = run_program(scratch.path(), {"new", "mine", "--data", "one.txt"});
  EXPECT_TRUE(holds(again.err, "mine-data: is there already")) << again.err;
  EXPECT_EQ(run_program(scratch.path(), {"new", "x", "--time", "soon"}).code, 2);
}

TEST(NewCommand, WithoutDataTheEmbeddedCorpusIsTrainedOn) {
  const support::Scratch scratch("new_first");
  ASSERT_EQ(run_program(scratch.path(), {"new", "first"}).code, 0);
  const Result trained =
      run_program(scratch.path(), {"train", "first.json", "--set", "train.steps=2", "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Result found = run_program(scratch.path(), {"lr-find", "first.json", "--steps", "30",
                                                    "--set", "train.batch=4", "--json"});
  ASSERT_EQ(found.code, 0) << found.err;
  const auto json = nlohmann::json::parse(found.out);
  EXPECT_DOUBLE_EQ(json["factor"], 2 * json["steepest"].get<double>());
  EXPECT_DOUBLE_EQ(json["lr"]["muon"], 0.02 * json["factor"].get<double>());
  EXPECT_TRUE(holds(slurp(scratch / "runs/first-lr-find.html"), "Learning rates of first"));
}

}  // namespace
}  // namespace muonlab
