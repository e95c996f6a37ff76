// Warm-ups and decays must fit into the run, however its length is given.
#include "config/support.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {
namespace {

// After a budget in tokens, which a run may have spent in part in smaller steps.
constexpr const char* kRemedy =
    "; if a run has done a part of its tokens with another batch, `muonlab train --resume RUN "
    "--set train.batch=N` counts the steps that are left";

// 8 samples of 32 tokens a step.
std::string of_length(const std::string& length, const std::string& schedule) {
  return R"({"model": {"context": 32}, "train": {)" + length + R"(, "batch": 8}, "schedule": )" +
         schedule + "}";
}

TEST(ScheduleLength, AWarmupLongerThanTheRunIsRefusedInStepsAndInTokens) {
  const std::string cosine = R"({"kind": "cosine", "warmup": $20})";
  expect_error(of_length(R"("steps": 20)", cosine),
               "schedule.warmup: 20 steps of warm-up leave nothing of the run's 20 steps");
  expect_error(
      of_length(R"("tokens": 5120)", cosine),
      std::string("schedule.warmup: 20 steps of warm-up leave nothing of the run's 20 steps") +
          kRemedy);
  EXPECT_EQ(errors(Marked(of_length(R"("tokens": 5121)", cosine)).text), Lines{});
  expect_error(of_length(R"("tokens": 1)", R"({"kind": "constant", "warmup": $1})"),
               std::string("schedule.warmup: 1 step of warm-up leave nothing of the run's 1 step") +
                   kRemedy);
  expect_error(
      R"({"model": {"context": 32}, "train": {"tokens": 2560, "batch": 8}, "optimizers": {"a":)"
      R"( {"rule": "sgd", "schedule": {"kind": "linear", "warmup": $30}}}})",
      std::string(
          "optimizers.a.schedule.warmup: 30 steps of warm-up leave nothing of the run's 10 steps") +
          kRemedy);
}

TEST(ScheduleLength, WarmupAndDecayOfWsdDoNotOverlap) {
  const auto wsd = [](const char* warmup, const char* fraction) {
    return std::string(R"({"kind": "wsd", "warmup": )") + warmup + R"(, "decay_fraction": )" +
           fraction + "}";
  };
  EXPECT_EQ(errors(of_length(R"("steps": 10)", wsd("8", "0.2"))), Lines{});
  EXPECT_EQ(errors(of_length(R"("steps": 30)", wsd("21", "0.3"))), Lines{});
  EXPECT_EQ(errors(of_length(R"("steps": 10)", wsd("0", "1"))), Lines{});
  expect_error(of_length(R"("steps": 10)", wsd("$9", "0.2")),
               "schedule.warmup: 9 steps of warm-up reach into the decay, which takes the last 2 "
               "of 10 steps; lower warmup or decay_fraction");
  expect_error(
      of_length(R"("tokens": 2560)", wsd("$1", "1")),
      std::string(
          "schedule.warmup: 1 step of warm-up reach into the decay, which takes the last 10 "
          "of 10 steps; lower warmup or decay_fraction") +
          kRemedy);
}

TEST(ScheduleLength, EpochsAreCheckedWhereTheDataAreKnown) {
  const RunConfig run = parse(of_length(R"("epochs": 1)", R"({"kind": "linear", "warmup": 100})"));
  EXPECT_EQ(known_steps(run), std::nullopt);
  EXPECT_TRUE(schedule_problems(run, 101).empty());
  ASSERT_EQ(schedule_problems(run, 100).size(), 1u);
  EXPECT_EQ(schedule_problems(run, 100)[0].path, "schedule.warmup");
}

TEST(ScheduleLength, StoredRunsOfAnEarlierVersionAreRead) {
  const std::string text =
      of_length(R"("tokens": 2560)", R"({"kind": "wsd", "warmup": 1000, "decay_fraction": 0.5})");
  EXPECT_EQ(errors(text).size(), 1u);
  EXPECT_EQ(parse_stored_config(text, "resolved.json", {"train.batch=4"}).run.train.batch, 4);
}

TEST(ScheduleLength, TokensBecomeStepsOfTheBatch) {
  const RunConfig run = parse(
      of_length(R"("steps": 100)",
                R"({"kind": "wsd", "warmup_tokens": 2561, "decay_tokens": 5120, "power": 0.5})"));
  const auto schedule = std::get<WsdSchedule>(schedule_of(run, run.optimizers.at("adam")));
  EXPECT_EQ(warmup_steps(schedule, 100), 11);  // 256 tokens a step
  EXPECT_EQ(schedule.decay_steps, 20);
  expect_error(of_length(R"("steps": 20)", R"({"kind": "cosine", "warmup_fraction": $1})"),
               "schedule.warmup_fraction: 20 steps of warm-up leave nothing of the run's 20 steps");
  expect_error(of_length(R"("steps": 20)", R"({"kind": "wsd", "decay_steps": $21})"),
               "schedule.decay_steps: 21 steps of decay are more than the run's 20 steps");
}

TEST(ScheduleLength, ALengthIsGivenOnce) {
  expect_error(
      of_length(R"("steps": 100)", R"({"kind": "linear", "warmup": 5, "warmup_tokens": $9})"),
      "schedule.warmup_tokens: warmup gives this length already; keep one of them");
  expect_error(
      of_length(R"("steps": 100)", R"({"kind": "wsd", "decay_fraction": 0.5, "decay_steps": $9})"),
      "schedule.decay_steps: decay_fraction gives this length already; keep one of them");
}

TEST(ScheduleLength, AnOptimizerCanDecayElsewhere) {
  const std::string text = R"({"train": {"steps": 100}, "schedule": {"kind": "wsd"}, "optimizers":)"
                           R"( {"a": {"rule": "sgd", "decay_fraction": 0.85}}, "assign":)"
                           R"( [{"params": ["all"], "optimizer": "a"}]})";
  const RunConfig run = parse(text);
  EXPECT_EQ(std::get<WsdSchedule>(schedule_of(run, run.optimizers.at("a"))).decay_fraction, 0.85);
  expect_error(R"({"train": {"steps": 100}, "optimizers": {"a": {"rule": "sgd", "decay_fraction":)"
               R"( $0.85}}, "assign": [{"params": ["all"], "optimizer": "a"}]})",
               "optimizers.a.decay_fraction: has no effect: the run's schedule is not wsd");
}

}  // namespace
}  // namespace muonlab::config
