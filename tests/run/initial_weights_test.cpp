// Runs that start with the weights of a Hugging Face folder.
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/export_model.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "run/initial_weights.hpp"

namespace muonlab::run {
namespace {

constexpr const char* kStarted = R"({
  "name": "tiny", "threads": 1, "device": "cpu", "seed": 8,
  "data": {"kind": "biographies", "m": 3, "questions": 2, "tokenizer": {"kind": "byte"}},
  "train": {"steps": 1, "batch": 1}
})";

class InitialWeights : public testing::Test {
 protected:
  // A folder with a model of random weights.
  InitialWeights() : folder_path_(folder_ / "hf") {
    Session session = begin({"model.layers=2", "model.width=32", "model.heads=4",
                             "model.kv_heads=2", "model.context=32", "seed=3"});
    const std::string path = train::save_checkpoint(
        session.trainer(), store::CheckpointWriter(base::real_file_system(), folder_ / "c", 0));
    ExportRequest request;
    request.model = path;
    request.out = folder_path_;
    export_model(request);
  }
  Session begin(std::vector<std::string> settings) {
    return Session(prepare(config::parse_config(kStarted, "tiny.json", settings).run));
  }
  // The values of a run that starts with the folder.
  std::map<std::string, at::Tensor> started(std::vector<std::string> settings = {}) {
    settings.insert(settings.begin(), "init.from=" + folder_path_);
    Session session = begin(settings);
    load_initial_weights(session);
    std::map<std::string, at::Tensor> values;
    for (tensor::Parameter& parameter : session.trainer().arena.parameters())
      values[parameter.spec.name] = parameter.value.detach().clone();
    return values;
  }
  std::string refusal(const std::vector<std::string>& settings) {
    return base::error_of([&] { started(settings); });
  }

  const base::TemporaryFolder folder_;
  const std::string folder_path_;
};

TEST_F(InitialWeights, AreThoseOfTheFolderWithItsShape) {
  LoadedModel stored = load_model(folder_path_);
  const auto values = started();
  ASSERT_EQ(values.size(), stored.arena->parameters().size());
  for (const tensor::Parameter& parameter : stored.arena->parameters())
    EXPECT_TRUE(at::equal(values.at(parameter.spec.name), parameter.value)) << parameter.spec.name;
  EXPECT_EQ(started({"model.context=16"}).size(), values.size());
}

TEST_F(InitialWeights, AnotherModelIsRefusedAlsoWhereTheShapesAgree) {
  EXPECT_NE(refusal({"model.heads=2", "model.kv_heads=1", "model.head_dim=16"})
                .find("model.heads 4 -> 2"),
            std::string::npos)
      << refusal({"model.heads=2", "model.kv_heads=1", "model.head_dim=16"});
  EXPECT_NE(refusal({"model.norm_eps=0.1"}).find("model.norm_eps"), std::string::npos);
  EXPECT_NE(refusal({"model.activation=gelu"}).find("model.activation"), std::string::npos);
  EXPECT_NE(refusal({"model.layers=1"}).find("model.layers 2 -> 1"), std::string::npos);
}

TEST_F(InitialWeights, TheVocabularyIsResizedOnRequestAlone) {
  EXPECT_NE(refusal({"model.vocabulary=260"}).find("init.resize_vocabulary"), std::string::npos);
  const auto before = started();
  const auto after = started({"model.vocabulary=260", "init.resize_vocabulary=true"});
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight"}) {
    const at::Tensor &old = before.at(name), &now = after.at(name);
    ASSERT_EQ(now.size(0), 260);
    EXPECT_TRUE(at::equal(now.narrow(0, 0, 257), old));
    for (int64_t row = 257; row < 260; ++row)
      EXPECT_LT((now[row] - old.to(at::kDouble).mean(0)).abs().max().item<double>(), 1e-7);
  }
}

}  // namespace
}  // namespace muonlab::run
