// muonlab config, as its users meet it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::Result;
using support::run_program;

class ConfigCommand : public ::testing::Test {
 protected:
  ConfigCommand()
      : scratch_(std::string("config_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    write("good.json", R"({"train": {"steps": 1000, "batch": 8}, "model": {"size": "tiny"}})");
    write(
        "sgd.json",
        R"({"extends": "good.json", "optimizers": {"plain": {"rule": "sgd"}}, "schedule": {"warmup": 5}})");
    write("bad.json", "{\n  \"modle\": {},\n  \"train\": {\"steps\": 0},\n}\n");
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(scratch_ / name) << text;
  }
  Result run(const std::vector<std::string>& arguments) {
    return run_program(scratch_.path(), arguments);
  }
  support::Scratch scratch_;
};

constexpr const char* kBad =
    "bad.json:2:3: unknown key \"modle\"; did you mean \"model\"?\n"
    "bad.json:3:22: train.steps: 0 is below the minimum 1\n"
    "2 errors; nothing was started.\n";

TEST_F(ConfigCommand, ChecksEveryFileAndSaysWhatEachIs) {
  const Result good = run({"config", "check", "good.json", "sgd.json"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.out,
            "good.json  ok  1.05 M parameters, 1,000 steps of 2,048 tokens, adam (adamw)\n"
            "sgd.json   ok  1.05 M parameters, 1,000 steps of 2,048 tokens, plain (sgd)\n");
  const Result mixed = run({"config", "check", "bad.json", "good.json"});
  EXPECT_EQ(mixed.code, 2);
  EXPECT_EQ(mixed.err, kBad);
  EXPECT_EQ(mixed.out.substr(0, 13), "good.json  ok");
}

TEST_F(ConfigCommand, AWrongConfigStopsTrainingBeforeAnythingExists) {
  const Result train = run({"train", "bad.json"});
  EXPECT_EQ(train.code, 2);
  EXPECT_EQ(train.err, kBad);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "runs"));
}

TEST_F(ConfigCommand, SettingsApply) {
  const Result shown = run({"config", "show", "good.json", "--set", "train.tokens=4096", "--set",
                            "optimizers.adam.lr=0.5"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  const auto json = nlohmann::json::parse(shown.out);
  EXPECT_EQ(json["train"]["tokens"], 4096);
  EXPECT_FALSE(json["train"].contains("steps"));
  EXPECT_EQ(json["optimizers"]["adam"]["lr"], 0.5);
  EXPECT_EQ(json["model"]["width"], 128);
  EXPECT_EQ(shown.err, "dropped  train.steps: train.tokens gives the length\n");
  const Result wrong = run({"config", "check", "good.json", "--set", "train.batch=none"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(wrong.err,
            "--set 1: train.batch: expected an integer, got the string \"none\"\n1 error; nothing "
            "was started.\n");
}

TEST_F(ConfigCommand, ShowsWhatAnotherRunCanRead) {
  write("resolved.json", run({"config", "show", "sgd.json"}).out);
  const Result same = run({"config", "diff", "sgd.json", "resolved.json"});
  EXPECT_EQ(same.out, "the two are the same run\n");
  EXPECT_EQ(same.code, 0);
  const Result differ =
      run({"config", "diff", "good.json", "sgd.json", "--set", "name=x", "--set", "train.batch=4"});
  EXPECT_EQ(differ.code, 1);
  EXPECT_NE(differ.out.find("assign[0].optimizer        \"adam\" -> \"plain\"\n"),
            std::string::npos)
      << differ.out;
  EXPECT_NE(differ.out.find("schedule.warmup            0 -> 5\n"), std::string::npos)
      << differ.out;
}

TEST_F(ConfigCommand, ExplainsAndDescribes) {
  const Result row = run({"config", "explain", "optimizers.muon.nesterov"});
  EXPECT_EQ(row.out,
            "optimizers.NAME[rule=sgd].nesterov      look ahead by one step of momentum [true | "
            "false; default false]\n"
            "optimizers.NAME[rule=muon].nesterov     look ahead by one step of momentum [true | "
            "false; default false]\n"
            "optimizers.NAME[rule=normuon].nesterov  look ahead by one step of momentum [true | "
            "false; default true]\n"
            "optimizers.NAME[rule=adamuon].nesterov  look ahead by one step of momentum [true | "
            "false; default false]\n");
  const Result unknown = run({"config", "explain", "train.bach"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("did you mean \"train.batch\"?"), std::string::npos) << unknown.err;
  EXPECT_EQ(nlohmann::json::parse(run({"config", "schema"}).out)["title"], "muonlab configuration");
}

TEST_F(ConfigCommand, ChecksSweepsToo) {
  write("sweep.json", R"({"base": "good.json", "axes": {"width": {"path": "model.width",
      "values": [64, 128]}}, "seeds": [1, 2, 3]})");
  const Result good = run({"config", "check", "sweep.json", "good.json"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.out.substr(0, good.out.find('\n')),
            "sweep.json  ok  a sweep of 6 runs; `muonlab sweep sweep.json --dry-run` shows them");
  write("wrong.json", R"({"base": "good.json", "axes": {"width": {"path": "model.witdh",
      "values": [64]}}})");
  const Result wrong = run({"config", "check", "wrong.json"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("did you mean \"width\"?"), std::string::npos) << wrong.err;
  EXPECT_EQ(run({"config", "check", "sweep.json", "--set", "train.batch=4"}).code, 2);
}

// The number of steps is in the data: 2 passes over the facts of eight people are 10 steps.
TEST_F(ConfigCommand, WarmupsAreComparedWithEpochsWhereTheDataOpenQuickly) {
  const auto write_run = [&](const std::string& data, int warmup) {
    write("epochs.json", R"({"model": {"size": "tiny", "context": 64}, "data": )" + data +
                             R"(, "train": {"epochs": 2}, "schedule": {"warmup": )" +
                             std::to_string(warmup) + "}}");
  };
  const std::string people = R"({"m": 3, "tokenizer": {"kind": "byte"}})";
  write("sweep.json", R"({"base": "epochs.json", "axes": {"lr": {"path": "optimizers.adam.lr",
      "values": [0.001, 0.002]}}})");
  write_run(people, 5);
  const Result good = run({"config", "check", "epochs.json", "sweep.json"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.out.find("note"), std::string::npos) << good.out;
  write_run(people, 5000);
  const Result wrong = run({"config", "check", "epochs.json", "sweep.json"});
  EXPECT_EQ(wrong.code, 2) << wrong.out;
  EXPECT_TRUE(
      wrong.err.starts_with("epochs.json: schedule.warmup: 5000 steps of warm-up leave "
                            "nothing of the run's 10 steps\n"))
      << wrong.err;
  EXPECT_NE(wrong.err.find("sweep.json: cell lr_0.001-s1: schedule.warmup: 5000 steps"),
            std::string::npos)
      << wrong.err;
  // Elsewhere the check says that it is made later.
  for (const char* data : {R"({"m": 20, "tokenizer": {"kind": "byte"}})",
                           R"({"kind": "shards", "train": ["none"], "valid": ["none"]})"}) {
    write_run(data, 5000);
    for (const char* file : {"epochs.json", "sweep.json"}) {
      const Result later = run({"config", "check", file});
      EXPECT_EQ(later.code, 0) << later.err;
      EXPECT_NE(later.out.find("note     what depends on the data (train.epochs, probes.tail) is "
                               "checked when the run starts: "),
                std::string::npos)
          << later.out;
    }
  }
}

TEST_F(ConfigCommand, SaysWhatTransformersWillNotLoad) {
  const Result plain = run({"config", "check", "good.json", "--set", "model.gated=false", "--set",
                            "model.qk_norm=gain"});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_NE(plain.out.find("note     transformers will not load its checkpoints: no architecture "
                           "there has QK-norm with a plain feed-forward\n"),
            std::string::npos)
      << plain.out;
  EXPECT_EQ(run({"config", "check", "good.json"}).out.find("note"), std::string::npos);
}

TEST_F(ConfigCommand, ControlCharactersOfNamesAndTextsDoNotReachTheTerminal) {
  const std::string name = "a\x1b]0;owned\x07\x1b[2J.json";
  const Result missing = run({"config", "check", name});
  EXPECT_EQ(missing.code, 2);
  EXPECT_NE(missing.err.find("a\\x1b]0;owned\\x07\\x1b[2J.json"), std::string::npos) << missing.err;
  write(name, R"({"na\u009bme": 1, "train": {"steps": 1}})");
  for (const Result& result :
       {missing, run({"config", "check", name}), run({"train", name}), run({name})}) {
    EXPECT_NE(result.code, 0);
    EXPECT_EQ(result.err.find_first_of("\x1b\x07"), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace muonlab
