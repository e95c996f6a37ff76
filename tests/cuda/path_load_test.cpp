// A checkpoint opened on the path cuda, by the plugin's operators for the CPU: what eval, sample,
// ask, tail and spectra then say, against the path cpu.
#include <numeric>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "cuda/host_operators.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/run/generate.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/spectra.hpp"
#include "muonlab/train/step.hpp"
#include "muonlab/train/tail.hpp"
#include "run/small_session.hpp"

namespace muonlab::run {
namespace {

const tensor::Place kPathCuda{at::kCPU, tensor::Path::cuda};

class CudaPathLoad : public testing::Test {
 protected:
  // Steps enough for text that is not the same token over and over.
  void train_and_load(std::vector<std::string> settings) {
    cuda::register_host_operators();
    settings.insert(settings.end(), {"model.context=128", "train.steps=12"});
    session_ = std::make_unique<Session>(prepare_small(settings));
    for (int i = 0; i < 12; ++i) train::train_step(session_->trainer());
    const std::string path = train::save_checkpoint(
        session_->trainer(), store::CheckpointWriter(base::real_file_system(), folder_.path(), 12));
    cpu_ = load_model(path);
    cuda_ = load_model(path, kPathCuda);
  }

  train::Evaluation evaluation_of(LoadedModel& loaded) {
    std::vector<int64_t> windows(5);  // the last batch is smaller
    std::iota(windows.begin(), windows.end(), 0);
    return train::evaluate(*loaded.model, session_->prepared().data, windows, 2,
                           loaded.config.model.context, loaded.arena->values().device());
  }

  const base::TemporaryFolder folder_;
  std::unique_ptr<Session> session_;
  LoadedModel cpu_, cuda_;
};

TEST_F(CudaPathLoad, EvaluatesAsTheProcessorDoes) {
  for (const char* precision : {"precision=fp32", "precision=bf16"}) {
    SCOPED_TRACE(precision);
    train_and_load({precision});
    const double tolerance = cpu_.config.precision == config::Precision::bf16 ? 1e-2 : 1e-5;
    EXPECT_NEAR(evaluation_of(cuda_).loss, evaluation_of(cpu_).loss, tolerance);
  }
}

TEST_F(CudaPathLoad, WritesTheProcessorsText) {
  train_and_load({});
  const std::vector<int32_t> prompt = cpu_.tokenizer->encode("Who is");
  for (const double temperature : {0.0, 0.8}) {
    const Sampling sampling{.temperature = temperature, .max_tokens = 140};  // past the context
    const auto text_of = [&](LoadedModel& loaded) {
      return generate(loaded, prompt, sampling, [](const std::string&) {});
    };
    const std::vector<int32_t> text = text_of(cpu_);
    EXPECT_GT(text.size(), 10u);
    EXPECT_EQ(text_of(cuda_), text);
  }
}

TEST_F(CudaPathLoad, TakesTheExamAsTheProcessorDoes) {
  train_and_load({});
  const train::TailExam exam(session_->prepared().data.questions, *cpu_.tokenizer, 128);
  const train::TailResult here = exam.take(*cpu_.model, at::kCPU);
  const train::TailResult there = exam.take(*cuda_.model, cuda_.arena->values().device());
  ASSERT_FALSE(here.groups.empty());
  ASSERT_EQ(there.groups.size(), here.groups.size());
  for (size_t g = 0; g < here.groups.size(); ++g) {
    EXPECT_EQ(there.groups[g].questions, here.groups[g].questions);
    EXPECT_EQ(there.groups[g].exact_accuracy, here.groups[g].exact_accuracy);
    EXPECT_NEAR(there.groups[g].loss, here.groups[g].loss, 1e-5);
  }
}

TEST_F(CudaPathLoad, HasTheSameSpectra) {
  train_and_load({"model.qk_norm=no_gain"});
  const auto spectra_of = [](const LoadedModel& loaded) {
    auto matrices = train::weight_matrices(*loaded.arena, {"matrices"}, true, loaded.config.model);
    train::measure(matrices);
    std::vector<std::string> lines;
    for (const auto& matrix : matrices) lines.push_back(train::spectrum_json(matrix, 12));
    return lines;
  };
  EXPECT_GT(spectra_of(cpu_).size(), 7u);
  EXPECT_EQ(spectra_of(cuda_), spectra_of(cpu_));
}

TEST_F(CudaPathLoad, AGpuThatIsNotThereIsAnError) {
  if (tensor::cuda_problem().empty()) GTEST_SKIP() << "this machine has a GPU";
  train_and_load({});
  try {
    load_model(folder_.path() + "/step-00000012", config::Device::cuda);
    FAIL() << "device cuda without a GPU";
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find("device: cuda cannot be used"), std::string::npos);
  }
}

}  // namespace
}  // namespace muonlab::run
