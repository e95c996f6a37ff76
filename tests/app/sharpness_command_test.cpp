// muonlab sharpness on checkpoints, and the probe's file.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "app/train_fixture.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab {
namespace {

using support::run_program;
using SharpnessCommand = support::TrainFixture;

TEST_F(SharpnessCommand, MeasuresTheStepsAfterACheckpointAsTheRunDid) {
  ASSERT_EQ(train({"--run-dir", "r", "--set", "train.steps=4", "--set", "checkpoint.every=2",
                   "--set", "checkpoint.keep=5", "--set", "probes={\"sharpness\":{\"every\":1}}",
                   "--set", R"(schedule={"kind":"constant"})"})
                .code,
            0);
  std::vector<std::string> recorded;
  for (const std::string& line :
       base::split(support::slurp(scratch_ / "r/sharpness.jsonl"), '\n')) {
    if (line.find("\"step\":3,") != std::string::npos) recorded.push_back(line);
  }
  ASSERT_GE(recorded.size(), 2u) << "the update, and at least one layer";
  const support::Result result =
      run_program(scratch_.path(), {"sharpness", "r@2", "--steps", "1", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const std::vector<std::string> printed = base::split(result.out, '\n');
  ASSERT_GE(printed.size(), recorded.size());
  for (size_t i = 0; i < recorded.size(); ++i) {
    nlohmann::json line = nlohmann::json::parse(printed[i]);
    EXPECT_EQ(line.at("checkpoint"), "r@2");
    line.erase("checkpoint");
    EXPECT_EQ(line, nlohmann::json::parse(recorded[i])) << "the same step, the same figures";
  }
  const support::Result table = run_program(scratch_.path(), {"sharpness", "r@2", "r", "--blocks"});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find("NDS"), std::string::npos);
  EXPECT_NE(table.out.find("layer 0"), std::string::npos);
}

TEST_F(SharpnessCommand, RefusesASelectorThatIsNone) {
  const support::Result result =
      run_program(scratch_.path(), {"sharpness", "r", "--params", "matrixes"});
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("--params"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace muonlab
