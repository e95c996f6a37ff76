// Steps of training on the path cuda, by the plugin's operators for the CPU: the order of the
// calls, shapes, arenas, the numbers of a step in memory, the flag; against the path cpu.
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "cuda/host_operators.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/step.hpp"
#include "run/saver.hpp"
#include "run/small_session.hpp"
#include "support/program.hpp"

namespace muonlab::train {
namespace {

using tensor::Path;

// A step on one path after the other.
struct Runs {
  run::Session cpu, cuda;

  explicit Runs(const std::vector<std::string>& settings)
      : cpu(run::prepare_small(settings)), cuda(on_path_cuda(settings)) {}

  static run::Prepared on_path_cuda(const std::vector<std::string>& settings) {
    cuda::register_host_operators();
    run::Prepared prepared = run::prepare_small(settings);
    prepared.place.path = Path::cuda;
    return prepared;
  }
};

void expect_equal_losses(const std::vector<std::string>& settings, double tolerance) {
  SCOPED_TRACE(testing::PrintToString(settings));
  Runs runs(settings);
  for (int step = 1; step <= 20; ++step) {
    const StepRecord here = train_step(runs.cpu.trainer());
    const StepRecord there = train_step(runs.cuda.trainer());
    ASSERT_NEAR(there.loss, here.loss, tolerance) << "step " << step;
    ASSERT_NEAR(there.grad_norm, here.grad_norm, tolerance * 10 * here.grad_norm) << step;
    ASSERT_EQ(there.lr, here.lr);
    ASSERT_EQ(there.tokens, here.tokens);
  }
  EXPECT_TRUE(runs.cpu.trainer().state == runs.cuda.trainer().state);
  EXPECT_EQ(runs.cpu.trainer().optimizer.num_orthogonalizations(),
            runs.cuda.trainer().optimizer.num_orthogonalizations());
  EXPECT_NEAR(evaluate(runs.cuda.trainer()).loss, evaluate(runs.cpu.trainer()).loss, tolerance);
}

constexpr const char* kLength = "train.steps=20";

TEST(CudaPathStep, TwentyStepsHaveTheProcessorsLosses) {
  expect_equal_losses({kLength}, 2e-4);
  expect_equal_losses({kLength, "train.clip=0.5", "optimizers.adam.decay=0.1",
                       "optimizers.muon.decay=0.1", "optimizers.muon.nesterov=true",
                       "optimizers.muon.momentum_form=average", "schedule.warmup=5"},
                      2e-4);
  // What the plugin has no kernels for is composed.
  expect_equal_losses(
      {kLength, "model.attention_bias=all", "model.ffn_bias=true", "model.head_bias=true",
       "model.logit_cap=5", "model.score_cap=3", "model.attention_scale=0.3", "model.window=5",
       "model.window_pattern=wf", "model.document_start=256", "model.embedding_norm=gain",
       "model.post_norm=true", "model.rotary_fraction=0.5", "train.z_loss=0.001"},
      2e-4);
  expect_equal_losses({kLength, "model.tied=true", "model.qk_norm=gain", "model.kv_heads=1",
                       "model.gated=false", "model.activation=relu2",
                       "optimizers.muon.scale=sqrt(max(1,r/c))", "optimizers.muon.per_head=true",
                       "assign=[{\"params\":[\"matrices\"],\"optimizer\":\"muon\"},{\"params\":["
                       "\"all\"],\"optimizer\":\"adam\"}]"},
                      2e-4);
}

// The graph of a micro-batch holds its share of the step, which changes with the batch.
TEST(CudaPathStep, TheBatchGrowsAndValuesAreMixed) {
  const std::vector<std::string> settings{
      kLength, "train.batch=8", R"(train.batch_ramp=[{"batch":2,"steps":4},{"batch":4,"steps":5}])",
      "model.layers=3", "model.value_residual=learned"};
  expect_equal_losses(settings, 2e-4);
}

TEST(CudaPathStep, RulesThatNeedTheHostUpdateAfterTheStep) {
  expect_equal_losses({kLength, "optimizers.muon.orthogonalizer=svd"}, 2e-4);
  expect_equal_losses({kLength, "optimizers.adam={\"rule\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}"},
                      2e-4);
}

TEST(CudaPathStep, Bf16StaysNearTheProcessors) {
  expect_equal_losses({kLength, "precision=bf16"}, 2e-2);
}

TEST(CudaPathStep, TheSameBytesEachTime) {
  Runs runs({});
  run::Session again(Runs::on_path_cuda({}));
  for (int step = 1; step <= 6; ++step) {
    EXPECT_EQ(train_step(runs.cuda.trainer()).loss, train_step(again.trainer()).loss);
  }
  EXPECT_TRUE(at::equal(runs.cuda.trainer().arena.values(), again.trainer().arena.values()));
}

TEST(CudaPathStep, ACheckpointThatIsWrittenWhileTrainingContinuesIsThatOfItsStep) {
  const base::TemporaryFolder here, there;
  Runs runs({});
  Trainer& trainer = runs.cuda.trainer();
  for (int step = 1; step <= 2; ++step) train_step(trainer);
  base::FileSystem& files = base::real_file_system();
  const std::string at_once = run::save_state(trainer, record::RunFolder(there.path()), files);
  const record::RunFolder folder(here.path());
  run::Saver saver(trainer, folder, files);
  saver.begin();
  for (int step = 3; step <= 4; ++step) train_step(trainer);
  EXPECT_TRUE(support::tree(saver.wait().path) == support::tree(at_once));
}

TEST(CudaPathStep, ClippingClipsAndRecordsTheNormBefore) {
  Runs runs({"train.clip=0.1"});
  const double norm = train_step(runs.cuda.trainer()).grad_norm;
  ASSERT_GT(norm, 0.1);
  EXPECT_NEAR(runs.cuda.trainer().arena.grads().norm().item<double>(), 0.1, 1e-6);
  run::Session plain(Runs::on_path_cuda({}));
  EXPECT_EQ(train_step(plain.trainer()).grad_norm, norm);
  EXPECT_NEAR(plain.trainer().arena.grads().norm().item<double>(), norm, 1e-5);
}

TEST(CudaPathStep, AStepThatIsNotFiniteLeavesEverythingUntouched) {
  for (const char* host_rule : {"", "optimizers.muon.orthogonalizer=svd"}) {
    std::vector<std::string> settings;
    if (*host_rule != '\0') settings.push_back(host_rule);
    Runs runs(settings);
    Trainer& trainer = runs.cuda.trainer();
    train_step(trainer);
    trainer.arena.find("model.norm.weight")
        .value.detach()
        .fill_(std::numeric_limits<float>::infinity());
    trainer.model.weights_changed();
    const at::Tensor values = trainer.arena.values().detach().clone();
    std::vector<at::Tensor> state;
    for (const auto& tensor : trainer.optimizer.state()) state.push_back(tensor.value.clone());
    const TrainState before = trainer.state;
    try {
      train_step(trainer);
      FAIL() << "an infinite gain";
    } catch (const base::NonFinite& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("step 2: loss "), std::string::npos) << text;
      EXPECT_NE(text.find("first in the gradient of "), std::string::npos) << text;
      EXPECT_NE(text.find("stopped before the update"), std::string::npos) << text;
    }
    EXPECT_TRUE(at::equal(trainer.arena.values(), values));
    const auto after = trainer.optimizer.state();
    for (size_t i = 0; i < after.size(); ++i)
      EXPECT_TRUE(at::equal(after[i].value, state[i])) << after[i].name;
    EXPECT_TRUE(trainer.state == before);
  }
}

}  // namespace
}  // namespace muonlab::train
