// muonlab compare on two short runs of the real program.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/program.hpp"
#include "support/text.hpp"

namespace muonlab {
namespace {

using support::holds;
using support::Result;
using support::run_program;

const char* const kShortRun = R"({"name": "tiny", "threads": 1,
  "model": {"layers": 1, "width": 32, "heads": 2, "context": 32}, "data": {"kind": "biographies", "m": 2},
  "train": {"steps": 3, "batch": 2}, "eval": {"every": 2, "samples": 2}})";

TEST(CompareCommand, ShowsSettingsAndLossesOfTwoRuns) {
  const support::Scratch scratch("compare");
  std::ofstream(scratch / "tiny.json") << kShortRun;
  for (const char* rate : {"0.001", "0.01"}) {
    const Result trained =
        run_program(scratch.path(), {"train", "tiny.json", "--run-dir", rate, "--set",
                                     std::string("optimizers.adam.lr=") + rate});
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  const Result compared = run_program(scratch.path(), {"compare", "0.001", "0.01"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_TRUE(holds(compared.out, "optimizers.adam.lr  0.001  0.01")) << compared.out;
  // The first step's loss comes from the weights before any update.
  EXPECT_TRUE(holds(compared.out, "first differ at step 2, by ")) << compared.out;
  EXPECT_TRUE(holds(compared.out, "A  0.001  step 3/3")) << compared.out;
  EXPECT_FALSE(holds(compared.out, "\x1b"));

  const Result json =
      run_program(scratch.path(), {"compare", "0.001", "0.01", "--json", "--loss", "0.5"});
  const nlohmann::json parsed = nlohmann::json::parse(json.out);
  EXPECT_EQ(parsed["common_steps"], 3);
  EXPECT_EQ(parsed["target_loss"], 0.5);
  EXPECT_FALSE(parsed["runs"][0].contains("reached"));
  EXPECT_EQ(parsed["settings"].size(), 1u);

  EXPECT_EQ(run_program(scratch.path(), {"compare", "0.001"}).code, 2);
  const Result missing = run_program(scratch.path(), {"compare", "0.001", "nowhere"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(holds(missing.err, "nowhere: is not a run's folder")) << missing.err;
}

}  // namespace
}  // namespace muonlab
