// muonlab tail on checkpoints of a run.
#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::Result;
using support::run_program;

constexpr const char* kPeople = R"({
  "name": "people", "threads": 1,
  "data": {"kind": "biographies", "m": 3, "questions": 4, "tokenizer": {"kind": "bpe", "vocabulary": 400}},
  "model": {"layers": 1, "width": 32, "heads": 2, "context": 64},
  "optimizers": {"adam": {"rule": "adamw", "lr": 0.01}},
  "assign": [{"params": ["all"], "optimizer": "adam"}],
  "train": {"steps": 20, "batch": 4},
  "eval": {"every": 0, "samples": 1}, "checkpoint": {"every": 10}
})";

size_t count(const std::string& text, const std::string& part) {
  size_t times = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

TEST(TailCommand, ShowsGroupsAndAttributesOfSeveralCheckpoints) {
  const support::Scratch scratch("tail_command");
  std::ofstream(scratch / "people.json") << kPeople;
  ASSERT_EQ(run_program(scratch.path(), {"train", "people.json"}).code, 0);

  const Result table =
      run_program(scratch.path(), {"tail", "runs/people@10", "runs/people", "--classes", "3"});
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_EQ(count(table.out, "checkpoint              questions  first  exact "), 2u) << table.out;
  EXPECT_NE(table.out.find("\n3      runs/people@10 step 10         12  "), std::string::npos)
      << table.out;
  EXPECT_NE(table.out.find("\n3      runs/people step 20            12  "), std::string::npos)
      << table.out;
  EXPECT_NE(table.out.find("\nmajor       runs/people step 20             7  "), std::string::npos)
      << table.out;
  EXPECT_EQ(table.out.find("company"), std::string::npos) << table.out;

  const Result lines = run_program(scratch.path(), {"tail", "runs/people", "--json"});
  ASSERT_EQ(lines.code, 0) << lines.err;
  EXPECT_EQ(count(lines.out, "{\"checkpoint\":\"runs/people\",\"step\":20,\"group\":"), 4u)
      << lines.out;
  EXPECT_EQ(count(lines.out, ",\"attribute\":"), 4u) << lines.out;
  EXPECT_NE(lines.out.find("\"group\":3,\"questions\":16,\"first_token_accuracy\":"),
            std::string::npos)
      << lines.out;

  const Result held_out =
      run_program(scratch.path(), {"tail", "runs/people", "--json", "--held-out"});
  ASSERT_EQ(held_out.code, 0) << held_out.err;
  EXPECT_NE(held_out.out, lines.out);
}

// The probe's curve is the command's numbers at each step, and a killed run writes the same bytes.
TEST(TailProbe, WritesTheCommandsNumbersAndResumesByteForByte) {
  const support::Scratch scratch("tail_probe");
  std::ofstream(scratch / "people.json") << kPeople;
  const std::vector<std::string> probed{"train",    "people.json",
                                        "--set",    R"(probes.tail={"every":3,"classes":2})",
                                        "--set",    "checkpoint.permanent_every=10",
                                        "--run-dir"};
  const auto train = [&](const std::string& run) {
    std::vector<std::string> arguments = probed;
    arguments.push_back(run);
    return arguments;
  };
  ASSERT_EQ(run_program(scratch.path(), train("straight")).code, 0);
  const std::string lines = support::slurp(scratch / "straight/tail.jsonl");
  for (const char* step : {"0", "3", "18", "20"}) {
    EXPECT_EQ(count(lines, std::string("{\"step\":") + step + ","), 8u) << step << lines;
  }
  EXPECT_EQ(count(lines, "\n"), 8u * (1 + 6 + 1));
  std::string last =
      run_program(scratch.path(), {"tail", "straight", "--classes", "2", "--json"}).out;
  const std::string label = "\"checkpoint\":\"straight\",";
  for (size_t at = last.find(label); at != std::string::npos; at = last.find(label))
    last.erase(at, label.size());
  EXPECT_TRUE(lines.ends_with(last)) << lines << last;

  support::Process process(scratch.path(), train("killed"));
  ASSERT_TRUE(process.wait_for(scratch / "killed/tail.jsonl", "{\"step\":12,"));
  process.signal(SIGKILL);
  process.wait();
  EXPECT_LT(support::slurp(scratch / "killed/tail.jsonl").size(), lines.size());
  ASSERT_EQ(run_program(scratch.path(), train("killed")).code, 0);
  EXPECT_EQ(support::slurp(scratch / "killed/tail.jsonl"), lines);
  EXPECT_EQ(support::tree(scratch / "killed/checkpoints/step-00000020"),
            support::tree(scratch / "straight/checkpoints/step-00000020"));
}

// Half trained, so that some answers are right: `ask` grades each as `tail` does.
TEST(TailCommand, AskGradesAsTailDoes) {
  const support::Scratch scratch("ask_as_tail");
  std::ofstream(scratch / "half.json") << R"({
    "name": "half", "threads": 1,
    "data": {"kind": "biographies", "m": 4, "tokenizer": {"kind": "bpe", "vocabulary": 500}},
    "model": {"layers": 2, "width": 64, "heads": 4, "context": 64, "qk_norm": "gain"},
    "optimizers": {"muon": {"rule": "muon", "lr": 0.02}, "adam": {"rule": "adamw", "lr": 0.006}},
    "assign": [{"params": ["vo", "ffn"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "adam"}],
    "train": {"steps": 100, "batch": 8}, "eval": {"every": 0, "samples": 1}, "checkpoint": {"every": 50}
  })";
  ASSERT_EQ(run_program(scratch.path(), {"train", "half.json"}).code, 0);
  for (const char* checkpoint : {"runs/half@50", "runs/half"}) {
    const Result tail = run_program(scratch.path(), {"tail", checkpoint, "--json"});
    ASSERT_EQ(tail.code, 0) << tail.err;
    double exact = 0, questions = 0;
    std::istringstream lines(tail.out);
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line);
      if (!row.contains("group")) continue;
      questions += row["questions"].get<double>();
      exact += row["questions"].get<double>() * row["exact_accuracy"].get<double>();
    }
    ASSERT_EQ(questions, 96);
    // Of 480 questions each of the five groups has 96 and thus all of its own, some several times.
    std::map<std::string, bool> right;
    const Result ask = run_program(scratch.path(), {"ask", checkpoint, "--count", "480"});
    ASSERT_EQ(ask.code, 0) << ask.err;
    std::istringstream answers(ask.out);
    std::string question, model, truth;
    while (std::getline(answers, question) && std::getline(answers, model) &&
           std::getline(answers, truth)) {
      right[question + truth.substr(0, truth.find("   "))] =
          truth.find("   right   (") != std::string::npos;
    }
    EXPECT_EQ(right.size(), 96u);
    const auto num_right =
        std::count_if(right.begin(), right.end(), [](const auto& answer) { return answer.second; });
    EXPECT_EQ(std::llround(exact), num_right) << checkpoint;
    if (checkpoint == std::string("runs/half")) {
      EXPECT_GT(num_right, 0) << "trained too little for the test to mean something";
    }
  }
}

TEST(TailCommand, NeedsPeople) {
  const support::Scratch scratch("tail_command_shards");
  std::ofstream(scratch / "text.txt") << std::string(4000, 'a');
  ASSERT_EQ(
      run_program(scratch.path(), {"data", "tokens", "shards", "text.txt", "--tokenizer", "byte"})
          .code,
      0);
  std::ofstream(scratch / "shards.json") << R"({"threads": 1,
    "data": {"kind": "shards", "train": ["shards"], "valid": ["shards"]},
    "model": {"layers": 1, "width": 16, "heads": 2, "context": 32}, "train": {"steps": 1, "batch": 1}})";
  ASSERT_EQ(run_program(scratch.path(), {"train", "shards.json"}).code, 0);
  const Result refused = run_program(scratch.path(), {"tail", "runs/shards"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(
      refused.err,
      "error: runs/shards: its corpus holds no people; `tail` is for data.kind biographies\n");
}

}  // namespace
}  // namespace muonlab
