// The exam of rare facts against one question at a time, decoded greedily as `sample` and `ask` do.
#include "muonlab/train/tail.hpp"

#include <functional>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/data/biographies.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/step.hpp"
#include "muonlab/train/tail_probe.hpp"

namespace muonlab::train {
namespace {

constexpr const char* kSmall = R"({
  "name": "small", "threads": 1,
  "data": {"kind": "biographies", "m": 4, "questions": 3, "tokenizer": {"kind": "bpe", "vocabulary": 420}},
  "model": {"layers": 2, "width": 32, "heads": 2, "context": 64},
  "optimizers": {"adam": {"rule": "adamw", "lr": 0.01}},
  "assign": [{"params": ["all"], "optimizer": "adam"}],
  "train": {"steps": 160, "batch": 8}
})";

struct Count {
  double questions = 0, first = 0, exact = 0, tokens = 0, nats = 0;

  void add(const Count& other) {
    questions += other.questions;
    first += other.first;
    exact += other.exact;
    tokens += other.tokens;
    nats += other.nats;
  }
};

// Continues the question token by token, each the likeliest; the loss from all logits of the whole
// text.
Count ask(Trainer& trainer, const data::Question& question) {
  at::NoGradGuard no_grad;
  const data::Tokenizer& tokenizer = *trainer.data.tokenizer;
  const std::string answer = " " + question.answer + ".";
  std::vector<int64_t> ids{tokenizer.end_of_text()};
  for (const int32_t id : tokenizer.encode(question.text)) ids.push_back(id);
  const size_t prompt = ids.size();
  const std::vector<int32_t> truth = tokenizer.encode(answer);
  const auto logits_of = [&](const std::vector<int64_t>& text) {
    return trainer.model.logits(at::tensor(text, at::kLong).view({1, -1}))[0];
  };
  while (ids.size() < prompt + truth.size())
    ids.push_back(logits_of(ids)[-1].argmax().item<int64_t>());
  const std::vector<int32_t> given(ids.begin() + static_cast<std::ptrdiff_t>(prompt), ids.end());
  Count count{.questions = 1,
              .first = given[0] == truth[0] ? 1.0 : 0.0,
              .exact = tokenizer.decode(given) == answer ? 1.0 : 0.0};
  std::copy(truth.begin(), truth.end(), ids.begin() + static_cast<std::ptrdiff_t>(prompt));
  const at::Tensor log_probabilities = at::log_softmax(logits_of(ids).to(at::kDouble), -1);
  for (size_t i = prompt; i < ids.size(); ++i) {
    count.tokens += 1;
    count.nats -= log_probabilities[static_cast<int64_t>(i) - 1][ids[i]].item<double>();
  }
  return count;
}

void expect_equal(const std::vector<TailScore>& scores, const std::vector<Count>& counts) {
  ASSERT_EQ(scores.size(), counts.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(static_cast<double>(scores[i].questions), counts[i].questions);
    EXPECT_DOUBLE_EQ(scores[i].first_token_accuracy, counts[i].first / counts[i].questions);
    EXPECT_DOUBLE_EQ(scores[i].exact_accuracy, counts[i].exact / counts[i].questions);
    EXPECT_NEAR(scores[i].loss, counts[i].nats / counts[i].tokens, 1e-5);
  }
}

TEST(Tail, TheExamEqualsGreedyDecodingOfOneQuestionAtATime) {
  tensor::start_runtime(1);
  run::Session session(run::prepare(config::parse_config(kSmall, "small.json").run));
  Trainer& trainer = session.trainer();
  while (trainer.state.step < trainer.plan.steps) train_step(trainer);
  const data::Biographies people(std::get<config::BiographiesConfig>(trainer.config.data));
  for (const auto wording : {data::Wording::trained, data::Wording::held_out}) {
    const std::vector<data::Question> questions = people.exam(6, wording);
    std::vector<Count> groups(5), attributes(3);
    for (const data::Question& question : questions) {
      const Count count = ask(trainer, question);
      groups[static_cast<size_t>(question.group)].add(count);
      attributes[static_cast<size_t>(question.attribute)].add(count);
    }
    Count all;
    for (const Count& group : groups) all.add(group);
    // A model that knows all or nothing would prove little.
    EXPECT_TRUE(all.exact > 0 || wording == data::Wording::held_out);
    EXPECT_LT(all.exact, all.first);
    EXPECT_LT(all.first, all.questions);
    const TailExam exam(questions, *trainer.data.tokenizer, trainer.plan.context);
    const TailResult result = exam.take(trainer.model, at::kCPU);
    expect_equal(result.groups, groups);
    expect_equal(result.attributes, attributes);
    EXPECT_EQ(tail_lines(exam.take(trainer.model, at::kCPU), 160), tail_lines(result, 160));
  }
}

// As validations do, so that both columns of a table are of the same weights.
TEST(Tail, TheProbeAsksTheAveragedWeights) {
  tensor::start_runtime(1);
  run::Session session(run::prepare(
      config::parse_config(kSmall, "small.json",
                           {"probes.tail.classes=6", "train.average=0.5", "train.steps=20"})
          .run));
  Trainer& trainer = session.trainer();
  while (trainer.state.step < trainer.plan.steps) train_step(trainer);
  const auto ask_all = [&] {
    return tail_lines(tail_exam(trainer.config, trainer.data).take(trainer.model, at::kCPU), 20);
  };
  const at::Tensor weights = trainer.arena.values().clone();
  const std::vector<std::string> plain = ask_all();
  const std::vector<std::string> probed = TailProbe(*trainer.config.probes.tail).measure(trainer);
  EXPECT_NE(probed, plain);
  EXPECT_TRUE(at::equal(trainer.arena.values(), weights));
  EXPECT_EQ(ask_all(), plain);
  const WeightAverage::InPlace average(trainer.average, trainer.arena, trainer.model);
  EXPECT_EQ(probed, ask_all());
}

TEST(Tail, LinesHaveStableKeys) {
  TailResult result{
      .groups = {{.questions = 6, .first_token_accuracy = 0.5, .exact_accuracy = 0.25, .loss = 1.5},
                 {}},
      .attributes = {
          {}, {}, {.questions = 2, .first_token_accuracy = 1, .exact_accuracy = 0, .loss = 0.1}}};
  EXPECT_EQ(
      tail_lines(result, 100),
      (std::vector<std::string>{
          R"({"step":100,"group":0,"questions":6,"first_token_accuracy":0.5,"exact_accuracy":0.25,"loss":1.5})",
          R"({"step":100,"attribute":"university","questions":2,"first_token_accuracy":1.0,"exact_accuracy":0.0,"loss":0.1})"}));
  EXPECT_TRUE(tail_lines(result, 7, "runs/a")
                  .at(0)
                  .starts_with(R"({"checkpoint":"runs/a","step":7,"group":0,)"));
}

TEST(Tail, AQuestionLongerThanTheContextIsRefused) {
  const data::Question question{.text = "Question: Where does A work? Answer:",
                                .answer = "Foxport",
                                .group = 0,
                                .attribute = 5};
  const auto tokenizer = data::make_byte_tokenizer();
  const auto length =
      static_cast<int64_t>(1 + question.text.size() + 1 + question.answer.size() + 1);
  const TailExam fits({question}, *tokenizer, length);
  try {
    const TailExam exam({question}, *tokenizer, length - 1);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find(base::str("takes ", length, " tokens")),
              std::string::npos)
        << error.what();
  }
}

// It was found at step 0 of every cell of a sweep before.
TEST(Tail, AQuestionLongerThanTheContextIsFoundBeforeTheRun) {
  const std::vector<std::string> settings{"probes.tail.classes=20", "model.context=16"};
  const config::RunConfig run = config::parse_config(kSmall, "small.json", settings).run;
  for (const auto& check : {std::function<void()>([&] { run::prepare(run); }),
                            std::function<void()>([&] { run::check_with_data(run); })}) {
    try {
      check();
      ADD_FAILURE();
    } catch (const config::ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find("probes.tail: the longest question takes "),
                std::string::npos)
          << error.what();
    }
  }
  run::check_with_data(config::parse_config(kSmall, "small.json", {"probes.tail.classes=20"}).run);
}

TEST(Tail, AWarmupLongerThanTheEpochsIsFoundBeforeTheRun) {
  const config::RunConfig run =
      config::parse_config(kSmall, "small.json",
                           {"train.epochs=1", "schedule.kind=cosine", "schedule.warmup=100000"})
          .run;
  EXPECT_THROW(run::check_with_data(run), config::ConfigError);
}

}  // namespace
}  // namespace muonlab::train
