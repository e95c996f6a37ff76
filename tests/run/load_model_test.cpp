// A checkpoint opened for evaluation and sampling.
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/generate.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/tail.hpp"

namespace muonlab::run {
namespace {

constexpr const char* kTiny = R"({
  "name": "tiny", "threads": 1, "device": "cpu", "precision": "bf16",
  "data": {"kind": "biographies", "m": 3, "questions": 2, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 1, "width": 16, "heads": 2, "context": 64},
  "train": {"steps": 1, "batch": 1}
})";

class LoadModel : public testing::Test {
 protected:
  LoadModel() {
    Session session(prepare(config::parse_config(kTiny, "tiny.json").run));
    path_ = train::save_checkpoint(
        session.trainer(), store::CheckpointWriter(base::real_file_system(), folder_.path(), 0));
  }

  const base::TemporaryFolder folder_;
  std::string path_;
};

TEST_F(LoadModel, ComputesInAPrecisionThatTheProcessorHas) {
  const LoadedModel loaded = load_model(path_);
  config::RunConfig asked;
  asked.precision = config::Precision::bf16;
  asked.device = config::Device::cpu;
  EXPECT_EQ(loaded.config.precision, usable_precision(asked));
  EXPECT_EQ(loaded.config.device, config::Device::cpu);
}

// NaN has no place in an order, so sorting it was undefined; and what a model without numbers
// writes is no text.
TEST_F(LoadModel, ANonFiniteModelWritesNoText) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    LoadedModel loaded = load_model(path_);
    {
      at::NoGradGuard no_grad;
      loaded.arena->find("lm_head.weight").value[3].fill_(bad);
    }
    loaded.model->weights_changed();
    for (const double temperature : {0.0, 0.8}) {
      Sampling sampling{.temperature = temperature, .max_tokens = 3};
      EXPECT_THROW(generate(loaded, {5}, sampling, [](const std::string&) {}), base::NonFinite);
      sampling.top_k = 0;
      EXPECT_THROW(generate(loaded, {5}, sampling, [](const std::string&) {}), base::NonFinite);
    }
    const std::vector<data::Question> asked{{.text = "Who?", .answer = "A", .group = 0}};
    const train::TailExam exam(asked, *loaded.tokenizer, 64);
    EXPECT_THROW(exam.take(*loaded.model, at::kCPU), base::NonFinite);
  }
}

}  // namespace
}  // namespace muonlab::run
