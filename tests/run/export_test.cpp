// Models written for other programs, and read back as a model of another program.
#include <filesystem>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/export_model.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/store/weight_files.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {
namespace {

constexpr const char* kExported = R"({
  "name": "tiny", "threads": 1, "device": "cpu",
  "data": {"kind": "biographies", "m": 3, "questions": 2, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "context": 32},
  "train": {"steps": 1, "batch": 1}
})";

class Export : public testing::Test {
 protected:
  std::string checkpoint(const std::vector<std::string>& settings = {}) {
    Session session(prepare(config::parse_config(kExported, "tiny.json", settings).run));
    const std::string name = base::str("c", ++count_);
    return train::save_checkpoint(
        session.trainer(), store::CheckpointWriter(base::real_file_system(), folder_ / name, 0));
  }
  std::string export_to(const std::string& model, ExportRequest request) {
    request.model = model;
    if (request.out.empty()) request.out = folder_ / base::str("e", ++count_);
    export_model(request);
    return request.out;
  }
  std::string refusal(const std::string& model, ExportRequest request) {
    return base::error_of([&] { export_to(model, request); });
  }
  static at::Tensor logits(const std::string& model) {
    const at::NoGradGuard no_grad;
    LoadedModel loaded = load_model(model);
    return loaded.model->logits(at::arange(20).view({1, 20})).clone();
  }
  static nlohmann::json json_in(const std::string& folder, const std::string& name) {
    return nlohmann::json::parse(base::read_text(base::join_path(folder, name)));
  }

  const base::TemporaryFolder folder_;
  int count_ = 0;
};

TEST_F(Export, AFolderIsTheSameModel) {
  for (const std::vector<std::string>& settings :
       {std::vector<std::string>{},
        {"model.tied=true"},
        {"model.qk_norm=no_gain"},
        {"model.qk_norm=gain"},
        {"model.gated=false", "model.activation=relu2"}}) {
    const std::string path = checkpoint(settings);
    const at::Tensor expected = logits(path);
    const std::string whole = export_to(path, {});
    EXPECT_TRUE(at::equal(logits(whole), expected)) << settings[0];
    const std::string parts = export_to(path, {.max_file_bytes = 5000});
    EXPECT_TRUE(base::real_file_system().exists(base::join_path(parts, store::kWeightsIndex)));
    EXPECT_TRUE(at::equal(logits(parts), expected));
    const std::string rough = export_to(path, {.type = ExportType::bf16});
    EXPECT_LT((logits(rough) - expected).abs().max().item<double>(), 0.02);
    EXPECT_GT((logits(rough) - expected).abs().max().item<double>(), 0);
    EXPECT_EQ(json_in(rough, "config.json")["torch_dtype"], "bfloat16");
    EXPECT_EQ(json_in(rough, "generation_config.json")["eos_token_id"], 256);
    EXPECT_NE(base::read_text(base::join_path(rough, "README.md")).find("| steps | 0 |"),
              std::string::npos);
    EXPECT_TRUE(base::real_file_system().exists(base::join_path(rough, "tokenizer.json")));
    // What was exported can be exported again, in another type.
    const std::string half = export_to(rough, {.type = ExportType::fp16});
    EXPECT_LT((logits(half) - logits(rough)).abs().max().item<double>(), 1e-3);
  }
}

// A Gemma stores the gains of its norms less one, and is read so.
TEST_F(Export, AGemmaKeepsItsGainsThereLessOne) {
  const std::vector<std::string> gemma2{"model.activation=gelu_tanh",
                                        "model.post_norm=true",
                                        "model.window=8",
                                        "model.window_pattern=wf",
                                        "model.score_cap=50",
                                        "model.embedding_scale=5.656854249492381"};
  std::vector<std::string> gemma3 = gemma2;
  gemma3[4] = "model.qk_norm=gain";
  gemma3.push_back("model.window_rope_theta=100");
  for (const std::vector<std::string>& settings : {gemma2, gemma3}) {
    Session session(prepare(config::parse_config(kExported, "tiny.json", settings).run));
    for (tensor::Parameter& parameter : session.trainer().arena.parameters()) {
      const at::NoGradGuard no_grad;
      if (!parameter.is_matrix())
        parameter.value.add_(0.3 * at::sin(at::arange(parameter.value.numel())));
    }
    const std::string path = train::save_checkpoint(
        session.trainer(),
        store::CheckpointWriter(base::real_file_system(), folder_ / base::str("g", ++count_), 0));
    const std::string there = export_to(path, {});
    const std::string model_type = json_in(there, "config.json")["model_type"];
    EXPECT_EQ(model_type, settings == gemma2 ? "gemma2" : "gemma3_text");
    LoadedModel ours = load_model(path), theirs = load_model(there);
    for (const tensor::Parameter& parameter : ours.arena->parameters()) {
      EXPECT_TRUE(
          at::allclose(theirs.arena->find(parameter.spec.name).value, parameter.value, 0, 2e-7))
          << parameter.spec.name;
    }
    EXPECT_LT((logits(there) - logits(path)).abs().max().item<double>(), 1e-4);
    const store::SafetensorsFile stored(base::join_path(there, store::kWeightsFile));
    for (const store::TensorView& view : stored.tensors()) {
      if (view.name != "model.norm.weight") continue;
      EXPECT_EQ(reinterpret_cast<const float*>(view.bytes.data())[0], 0.0f) << "a gain of one";
    }
    EXPECT_NE(refusal(path, {.format = ExportFormat::gguf, .out = folder_ / "g.gguf"})
                  .find("cannot be exported to GGUF"),
              std::string::npos);
  }
}

TEST_F(Export, ValueResidualsAreRefusedByName) {
  const std::string path = checkpoint({"model.value_residual=learned"});
  EXPECT_NE(refusal(path, {}).find("it mixes the first layer's values into those of later layers"),
            std::string::npos)
      << refusal(path, {});
}

TEST_F(Export, NothingIsWrittenOver) {
  const std::string path = checkpoint();
  base::make_directories(folder_ / "there");
  for (const ExportFormat format : {ExportFormat::hugging_face, ExportFormat::gguf}) {
    EXPECT_NE(refusal(path, {.format = format, .out = folder_ / "there"}).find("exists already"),
              std::string::npos);
  }
}

TEST_F(Export, WhatDoesNotFitIsRefusedAndLeavesNothing) {
  const std::string plain_norm = checkpoint({"model.qk_norm=gain", "model.gated=false"});
  EXPECT_NE(refusal(plain_norm, {}).find("before training"), std::string::npos);
  const std::string gelu = checkpoint({"model.activation=gelu"});
  export_to(gelu, {});
  EXPECT_NE(refusal(gelu, {.format = ExportFormat::gguf, .out = folder_ / "x.gguf"})
                .find("model.activation"),
            std::string::npos);
  EXPECT_NE(refusal(gelu, {.type = ExportType::q8_0}).find("GGUF"), std::string::npos);

  const std::string path = export_to(checkpoint(), {});
  std::vector<float> large;
  std::vector<store::TensorView> tensors;
  const std::string file = base::join_path(path, store::kWeightsFile);
  const store::SafetensorsFile stored(file);
  for (store::TensorView tensor : stored.tensors()) {
    if (tensor.name == "model.norm.weight") {
      large.assign(tensor.bytes.size() / sizeof(float), 70000.0f);
      tensor.bytes = std::as_bytes(std::span(large));
    }
    tensors.push_back(tensor);
  }
  store::write_safetensors(base::real_file_system(), file, tensors);
  const std::string out = folder_ / "half";
  EXPECT_NE(refusal(path, {.type = ExportType::fp16, .out = out}).find("65,504"),
            std::string::npos);
  EXPECT_FALSE(base::real_file_system().exists(out));
  EXPECT_FALSE(base::real_file_system().exists(out + ".partial"));
  base::make_directories(out + ".partial");
  base::write_atomically(out + ".partial/thesis.txt", "mine");
  EXPECT_NE(refusal(path, {.out = out}).find("half.partial: is there already"), std::string::npos);
  EXPECT_EQ(base::read_text(out + ".partial/thesis.txt"), "mine");
}

TEST_F(Export, AGgufFileSaysWhatTheModelIs) {
  const std::string path = checkpoint();
  const std::string out = export_to(
      path, {.format = ExportFormat::gguf, .type = ExportType::q8_0, .out = folder_ / "m.gguf"});
  const std::string file = base::read_text(out);
  for (const char* part : {"general.architecture", "llama", "blk.1.ffn_down.weight",
                           "tokenizer.ggml.tokens", "<|endoftext|>", "llama.rope.freq_base"})
    EXPECT_NE(file.find(part), std::string::npos) << part;
}

class ForeignModel : public Export {
 protected:
  // A copy of an exported folder whose file is another one.
  std::string with_file(const std::string& name, const std::string& text) {
    if (good_.empty()) good_ = export_to(checkpoint(), {});
    const std::string path = folder_ / base::str("f", ++count_);
    std::filesystem::copy(good_, path);
    base::write_atomically(base::join_path(path, name), text);
    return path;
  }
  std::string good_;
};

TEST_F(ForeignModel, TakesNoTextWithoutATokenizer) {
  const std::string path = with_file("tokenizer.json", "{}");
  base::real_file_system().remove_file(base::join_path(path, "tokenizer_config.json"));
  LoadedModel loaded = load_model(path);
  EXPECT_TRUE(loaded.is_foreign);
  EXPECT_EQ(loaded.tokenizer->vocabulary(), 257);
  EXPECT_EQ(loaded.tokenizer->end_of_text(), 256);  // of config.json
  EXPECT_THROW(loaded.tokenizer->encode("text"), base::Error);
}

TEST_F(ForeignModel, GainsThatWereTrainedAreNotPassedOver) {
  const std::string path = export_to(checkpoint({"model.qk_norm=no_gain"}), {});
  const std::string file = base::join_path(path, store::kWeightsFile);
  const store::SafetensorsFile stored(file);
  std::vector<store::TensorView> tensors = stored.tensors();
  std::vector<float> trained;
  for (store::TensorView& tensor : tensors) {
    if (tensor.name != "model.layers.1.self_attn.k_norm.weight") continue;
    trained.assign(tensor.bytes.size() / sizeof(float), 1.25f);
    tensor.bytes = std::as_bytes(std::span(trained));
  }
  ASSERT_FALSE(trained.empty());
  store::write_safetensors(base::real_file_system(), file, tensors);
  EXPECT_NE(base::error_of([&] { load_model(path); }).find("qk_norm"), std::string::npos);
}

TEST_F(ForeignModel, ADamagedFolderIsRefused) {
  EXPECT_THROW(load_model(with_file(store::kWeightsFile, "")), base::Error);
  EXPECT_THROW(load_model(with_file("config.json", "{}")), base::Error);
  EXPECT_NE(base::error_of([&] { load_model(with_file(store::kWeightsIndex, "{}")); }).find("both"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::run
