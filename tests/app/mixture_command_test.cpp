// Weighted mixtures of corpora and named validation sets, trained, killed and resumed.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/train_fixture.hpp"
#include "muonlab/base/text.hpp"
#include "support/text.hpp"

namespace muonlab {
namespace {

using support::holds;
using support::Result;
using support::slurp;

constexpr const char* kMixture = R"({
  "name": "tiny", "threads": 1,
  "model": {"layers": 1, "width": 32, "heads": 2, "context": 32},
  "data": {"kind": "shards", "train": ["letters", "digits"], "weights": [3, 1], "valid": ["letters"],
           "valid_sets": {"digits": ["digits"], "both": ["letters", "digits"]}},
  "train": {"steps": 30, "batch": 4, "micro_batch": 2},
  "eval": {"every": 10, "samples": 8},
  "checkpoint": {"every": 4, "keep": 2},
  "probes": {"spectra": {"every": 10, "params": ["head"]}}
})";

class Mixture : public support::TrainFixture {
 protected:
  Mixture() {
    std::ofstream(scratch_ / "tiny.json") << kMixture;
    std::string letters, digits;
    for (int i = 0; i < 3000; ++i) {
      letters += static_cast<char>('a' + i * i % 26);
      digits += static_cast<char>('0' + i * 7 % 10);
    }
    std::ofstream(scratch_ / "letters.txt") << letters;
    std::ofstream(scratch_ / "digits.txt") << digits;
    for (const std::string name : {"letters", "digits"}) {
      const Result made = support::run_program(
          scratch_.path(), {"data", "tokens", name, name + ".txt", "--tokenizer", "byte"});
      EXPECT_EQ(made.code, 0) << made.err;
    }
  }
  // How many of the first `count` samples are digits.
  int digits_among(int count, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"data", "samples", "tiny.json", "--count",
                                       std::to_string(count)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Result samples = support::run_program(scratch_.path(), arguments);
    int digits = 0;
    for (const std::string& line : base::split(samples.out, '\n')) {
      if (line.empty()) continue;
      const auto ids = nlohmann::json::parse(line)["tokens"];
      digits += ids[1] < 'a';
    }
    return digits;
  }
};

TEST_F(Mixture, SamplesHaveTheirShares) {
  EXPECT_EQ(digits_among(400), 100);
  EXPECT_EQ(digits_among(400, {"--set", "data.weights=[1,9]"}), 360);
}

TEST_F(Mixture, KilledRunsEndAsStraightOnesAndSetsAreValidated) {
  ASSERT_EQ(train({"--run-dir", "straight"}).code, 0);
  run_with_kills("killed", 3, {}, 11);
  expect_equal_runs("straight", "killed");
  const std::string metrics = slurp(scratch_ / "straight/metrics.jsonl");
  const auto first = nlohmann::json::parse(metrics.substr(0, metrics.find('\n')));
  EXPECT_TRUE(first["sets"]["digits"]["val_loss"].is_number()) << metrics.substr(0, 300);
  EXPECT_TRUE(first["sets"]["both"]["val_bits_per_byte"].is_number());
}

TEST_F(Mixture, SetsAreInEveryAnswerAboutTheRun) {
  const auto run = [&](std::vector<std::string> words) {
    const Result result = support::run_program(scratch_.path(), words);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  };
  const Result trained = train({"--run-dir", "r", "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto summary = nlohmann::json::parse(trained.out);
  const double loss = summary["sets"]["digits"]["val_loss"];
  EXPECT_TRUE(holds(trained.err, "  digits " + base::fixed(loss, 4))) << trained.err;
  const auto measured = nlohmann::json::parse(run({"eval", "r", "--json"}));
  EXPECT_NEAR(measured["sets"]["digits"]["val_loss"].get<double>(), loss, 1e-6);
  EXPECT_EQ(measured["sets"]["both"]["windows"], 8);
  EXPECT_TRUE(holds(run({"eval", "r"}), "digits          " + base::fixed(loss, 4)));
  EXPECT_TRUE(holds(run({"metrics", "r"}), "validation set digits  loss " + base::fixed(loss, 4)));
  EXPECT_TRUE(holds(run({"metrics", "r", "--csv"}), "sets.digits.val_bits_per_byte"));
  // Moved data are found again.
  std::filesystem::rename(scratch_ / "digits", scratch_ / "moved");
  const auto moved = nlohmann::json::parse(
      run({"eval", "r", "--json", "--set", R"(data.train=["letters","moved"])", "--set",
           R"(data.valid_sets.digits=["moved"])", "--set",
           R"(data.valid_sets.both=["letters","moved"])"}));
  EXPECT_EQ(moved["sets"], measured["sets"]);
}

TEST_F(Mixture, OtherWeightsAtAResumeAreAChangeThatIsRecorded) {
  ASSERT_EQ(train({"--run-dir", "r", "--set", "train.steps=8"}).code, 0);
  const std::vector<std::string> more{"--run-dir", "r", "--set", "data.weights=[1,1]"};
  const Result refused = train(more);
  EXPECT_NE(refused.code, 0);
  EXPECT_TRUE(holds(refused.out + refused.err, "--allow-change")) << refused.out << refused.err;
  std::vector<std::string> allowed = more;
  allowed.emplace_back("--allow-change");
  const Result changed = train(allowed);
  ASSERT_EQ(changed.code, 0) << changed.out << changed.err;
  EXPECT_TRUE(holds(changed.out, "changes the mixture from here on")) << changed.out;
  const auto trainer =
      nlohmann::json::parse(slurp(scratch_ / "r/checkpoints/step-00000030/trainer.json"));
  EXPECT_EQ(trainer["state"]["mixture"].dump(),
            R"([{"from_sample":0,"weights":[3.0,1.0]},{"from_sample":32,"weights":[1.0,1.0]}])");

  // Without weights the position in each corpus would be lost.
  const Result none = train({"--run-dir", "r", "--set", "data.weights=null", "--allow-change",
                             "--set", "train.steps=40"});
  EXPECT_EQ(none.code, 1);
  EXPECT_TRUE(holds(none.err, "this run began with weights")) << none.out << none.err;
}

TEST_F(Mixture, AWrongNumberOfWeightsIsRefused) {
  const Result wrong = train({"--set", "data.weights=[1]"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(holds(wrong.err, "has 1 numbers, but data.train has 2 entries")) << wrong.err;
}

}  // namespace
}  // namespace muonlab
