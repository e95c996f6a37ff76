// What a run's folder may suffer between two commands: each is answered with exit code 1, one
// message, and nothing lost.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "muonlab/store/checkpoint.hpp"
#include "support/program.hpp"

namespace muonlab {
namespace {

using support::Result;
using support::run_program;
using support::slurp;

constexpr const char* kTiny = R"({
  "name": "tiny", "threads": 1,
  "data": {"kind": "biographies", "m": 3, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 1, "width": 16, "heads": 2, "context": 16},
  "train": {"steps": 6, "batch": 2}, "eval": {"every": 0, "samples": 2}, "checkpoint": {"every": 2, "keep": 1}
})";

class BrokenInput : public ::testing::Test {
 protected:
  BrokenInput() : scratch_(::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream(scratch_ / "tiny.json") << kTiny;
    EXPECT_EQ(train({}).code, 0);
  }
  Result train(std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "tiny.json", "--run-dir", "runs/a"});
    return run_program(scratch_.path(), more);
  }
  Result go_on() { return train({"--set", "train.steps=8"}); }
  void expect_refused(const Result& result, const std::string& text) {
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
    EXPECT_LT(result.err.size(), 1000u);
    EXPECT_EQ(result.err.find("json.exception"), std::string::npos) << result.err;
  }
  // The newest checkpoint again, whole and vouched for, but with another trainer.json.
  void replace_trainer_file(const std::string& text) {
    const std::string folder = scratch_ / "runs/a/checkpoints";
    const std::string path = folder + "/step-00000006";
    std::vector<std::pair<std::string, std::string>> files;
    for (const auto& [name, bytes] : support::tree(path)) {
      if (name != "manifest.json") files.emplace_back(name, name == "trainer.json" ? text : bytes);
    }
    store::CheckpointWriter writer(base::real_file_system(), folder, 6);
    for (const auto& [name, bytes] : files) writer.add_file(name, bytes);
    writer.commit();
  }
  std::string trainer_file() {
    return slurp(scratch_ / "runs/a/checkpoints/step-00000006/trainer.json");
  }

  support::Scratch scratch_;
};

TEST_F(BrokenInput, LostCheckpointsAreNotARunThatStartsOver) {
  std::filesystem::remove_all(scratch_ / "runs/a/checkpoints");
  const auto before = slurp(scratch_ / "runs/a/metrics.jsonl");
  expect_refused(go_on(), "records steps up to 6");
  EXPECT_EQ(slurp(scratch_ / "runs/a/metrics.jsonl"), before);
  EXPECT_EQ(run_program(scratch_.path(), {"train", "--resume", "runs/a"}).code, 1);
  // Before the first save there is nothing to lose: the same steps come again, and the program says
  // so.
  std::ofstream(scratch_ / "runs/a/metrics.jsonl") << R"({"step":1,"tokens":32,"loss":5.5})"
                                                   << "\n";
  const Result again = train({});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("starts over at step 0"), std::string::npos) << again.err;
}

TEST_F(BrokenInput, AStateThatCannotBeIsRefusedAndTheRecordStays) {
  const std::string whole = trainer_file(), resolved = slurp(scratch_ / "runs/a/resolved.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, from.size(), to);
  };
  for (const char* step : {"null", "-5", "1e300", "5", "7"}) {
    replace_trainer_file(with("\"step\": 6", std::string("\"step\": ") + step));
    expect_refused(go_on(), "trainer.json");
    EXPECT_EQ(slurp(scratch_ / "runs/a/resolved.json"), resolved) << step;
  }
  replace_trainer_file(with("\"next_sample\": 12", "\"next_sample\": -12"));
  expect_refused(go_on(), "trainer.json");
  replace_trainer_file(with("\"optimizer_of\": {", "\"optimizer_of\": 3, \"z\": {"));
  expect_refused(go_on(), "\"optimizer_of\" is not an object");
  replace_trainer_file(
      with("{", "{\"z\": " + std::string(300000, '[') + std::string(300000, ']') + ", "));
  expect_refused(go_on(), "nested deeper than 64 levels");
  replace_trainer_file("{\"format\": \"" + std::string(1 << 20, 'a') + "\"}");
  expect_refused(go_on(), "is not 1");
  replace_trainer_file(whole);
  EXPECT_EQ(go_on().code, 0);
}

TEST_F(BrokenInput, PipesDoNotHangIt) {
  for (const char* name : {"timing.jsonl", "log.txt", "metrics.jsonl"}) {
    const std::string path = scratch_ / (std::string("runs/a/") + name);
    std::filesystem::rename(path, path + ".kept");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    expect_refused(go_on(), name);
    std::filesystem::remove(path);
    std::filesystem::rename(path + ".kept", path);
  }
  const std::string pipe = scratch_ / "pipe.txt";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect_refused(
      run_program(scratch_.path(), {"data", "tokens", "out", "pipe.txt", "--tokenizer", "byte"}),
      "pipe.txt");
}

TEST_F(BrokenInput, TheListOfRunsPassesOverNonsense) {
  std::ofstream(scratch_ / "runs/a/metrics.jsonl", std::ios::app)
      << R"({"step":"x","loss":[],"val_loss":null})"
      << "\n";
  std::ofstream(scratch_ / "runs/a/plan.json") << R"({"steps":true})";
  std::filesystem::create_directories(scratch_ / "runs/b");
  std::ofstream(scratch_ / "runs/b/resolved.json") << "{}";
  std::filesystem::create_directories(scratch_ / "runs/b/plan.json");  // a folder in a file's place
  std::filesystem::create_directory_symlink(scratch_ / "runs", scratch_ / "linked");
  for (const char* folder : {"runs", "linked"}) {
    const Result list = run_program(scratch_.path(), {"runs", folder});
    EXPECT_EQ(list.code, 0) << list.err;
    EXPECT_NE(list.out.find("/a "), std::string::npos) << list.out;
    EXPECT_NE(list.err.find("b/plan.json"), std::string::npos) << list.err;
  }
}

TEST_F(BrokenInput, ARunTooLargeForTheMachineIsRefusedBeforeItBegins) {
  for (const char* setting :
       {"model.width=1048576", "model.vocabulary=268435456", "model.ffn_width=16777216"}) {
    const Result large =
        run_program(scratch_.path(), {"train", "tiny.json", "--run-dir", "large", "--set", setting,
                                      "--set", "model.layers=4096"});
    expect_refused(large, "this machine has");
    EXPECT_FALSE(std::filesystem::exists(scratch_ / "large"));
  }
}

}  // namespace
}  // namespace muonlab
