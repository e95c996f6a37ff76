// What the program says to a command line that it cannot read.
#include <gtest/gtest.h>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::Result;
using support::run_program;

class CommandLine : public ::testing::Test {
 protected:
  CommandLine() : scratch_(::testing::UnitTest::GetInstance()->current_test_info()->name()) {}
  void expect_refused(const std::vector<std::string>& arguments, const std::string& message) {
    const Result result = run_program(scratch_.path(), arguments);
    EXPECT_EQ(result.code, 2) << result.out << result.err;
    EXPECT_EQ(result.err, message + "\n");
    EXPECT_EQ(result.out, "");
  }
  support::Scratch scratch_;
};

TEST_F(CommandLine, UnknownWordsGetTheirNeighbour) {
  const std::string commands =
      "; commands: new train lr-find runs sweep report compare metrics eval sample logits export "
      "inspect ask tail spectra sharpness init config data theory bench doctor completion";
  expect_refused({"bogus"}, "error: there is no command \"bogus\"" + commands);
  expect_refused({"traim", "x.json"},
                 "error: there is no command \"traim\"; did you mean \"train\"?");
  expect_refused({"sample", "run", "--temprature", "1"},
                 "error: sample: there is no option --temprature; did you mean --temperature? See "
                 "`muonlab sample --help`");
  expect_refused({"train", "a.json", "b.json"},
                 "error: train: \"b.json\" is one word too many. See `muonlab train --help`");
}

TEST_F(CommandLine, NumbersOutOfRangeAreToldTheRange) {
  expect_refused({"sample", "run", "--tokens", "0"},
                 "error: sample: --tokens: 0 is below the minimum 1. See `muonlab sample --help`");
  expect_refused(
      {"sample", "run", "--temperature", "101"},
      "error: sample: --temperature: 101 is above the maximum 100. See `muonlab sample --help`");
  expect_refused(
      {"data", "samples", "c.json", "--from", "-2"},
      "error: data samples: --from: -2 is below the minimum 0. See `muonlab data samples --help`");
}

// Wrong whatever the files hold: exit code 2, as for a wrong option.
TEST_F(CommandLine, WhatNoFileCouldMakeRightIsAMistakeOfTheCommandLine) {
  const std::string neither =
      "error: train takes a configuration file or --resume RUN; see `muonlab train --help`";
  expect_refused({"train"}, neither);
  expect_refused({"train", "a.json", "--resume", "runs/a"}, neither);
  const std::string both =
      "error: --resume RUN names the run and its start by itself; leave --run-dir and --from out";
  expect_refused({"train", "--resume", "runs/a", "--run-dir", "runs/b"}, both);
  expect_refused({"train", "--resume", "runs/a", "--from", "runs/b"}, both);
  expect_refused({"eval", "runs/a@last"},
                 "error: runs/a@last: after @ comes a step, as in runs/base@200");
  expect_refused({"config", "explain", "train.bach"},
                 "error: \"train.bach\" is no setting; did you mean \"train.batch\"?; `muonlab "
                 "config explain` lists all");
  expect_refused({"data", "tokenizer", "my.model", "text", "--vocabulary", "258"},
                 "error: data tokenizer: --vocabulary: 258 is below the minimum 259. See `muonlab "
                 "data tokenizer --help`");
  expect_refused({"data", "tokenizer", "my.model", "text", "--coverage", "1.5"},
                 "error: data tokenizer: --coverage: 1.5 is above the maximum 1. See `muonlab data "
                 "tokenizer --help`");
}

TEST_F(CommandLine, WhatIsMissingIsNamedOrTheHelpShown) {
  expect_refused({"eval"}, "error: eval: MODEL is required. See `muonlab eval --help`");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"data"}, {"config"}}) {
    const Result result = run_program(scratch_.path(), arguments);
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("Subcommands:"), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace muonlab
