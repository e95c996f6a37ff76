#include "muonlab/config/model_hf.hpp"

#include <nlohmann/json.hpp>

#include "config/support.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {
namespace {

ModelConfig small() {
  ModelConfig m;
  m.width = 64;
  m.kv_heads = 2;
  m.vocabulary = 300;
  return resolve(m);
}

TEST(HuggingFace, NamesTheArchitectureThatComputesTheModel) {
  ModelConfig m = small();
  EXPECT_EQ(hugging_face_architecture(m), "LlamaForCausalLM");
  m.activation = Activation::gelu;
  EXPECT_EQ(hugging_face_architecture(m), "LlamaForCausalLM");
  m.qk_norm = QkNorm::no_gain;
  EXPECT_EQ(hugging_face_architecture(m), "Qwen3ForCausalLM");
  m.gated = false;
  EXPECT_EQ(hugging_face_architecture(m), "MuonlabForCausalLM");
  m.qk_norm = QkNorm::none;
  EXPECT_EQ(hugging_face_architecture(m), "ArceeForCausalLM");
  m.heads = 6;
  EXPECT_EQ(hugging_face_architecture(m), "MuonlabForCausalLM") << "transformers refuses 64 over 6";
}

TEST(HuggingFace, WritesWhatTransformersReads) {
  ModelConfig m = small();
  m.rope_theta = 10000;
  const auto json = nlohmann::json::parse(hugging_face_config(m, 299));
  EXPECT_EQ(json["architectures"], nlohmann::json::array({"LlamaForCausalLM"}));
  EXPECT_EQ(json["model_type"], "llama");
  EXPECT_EQ(json["hidden_size"], 64);
  EXPECT_EQ(json["head_dim"], 16);
  EXPECT_EQ(json["num_key_value_heads"], 2);
  EXPECT_EQ(json["vocab_size"], 300);
  EXPECT_EQ(json["max_position_embeddings"], 256);
  EXPECT_TRUE(json["rope_theta"].is_number_float()) << "typed fields stay what they are";
  EXPECT_EQ(json["rope_parameters"],
            nlohmann::json({{"rope_type", "default"}, {"rope_theta", 10000.0}}));
  EXPECT_EQ(json["eos_token_id"], 299);
  EXPECT_TRUE(json["bos_token_id"].is_null());
  EXPECT_EQ(json["hidden_act"], "silu");
  EXPECT_EQ(json["tie_word_embeddings"], false);
  EXPECT_EQ(json["torch_dtype"], "float32");
}

TEST(HuggingFace, ReadsBackEveryModelExactly) {
  for (const bool gated : {true, false}) {
    for (const QkNorm norm : {QkNorm::none, QkNorm::no_gain, QkNorm::gain}) {
      ModelConfig m = small();
      m.gated = gated;
      m.qk_norm = norm;
      m.activation = gated ? Activation::gelu : Activation::relu2;
      m.tied = true;
      m.rope_theta = 12345.5;
      m.init.depth_scaled = true;
      EXPECT_EQ(from_hugging_face(hugging_face_config(m), "config.json"), m);
    }
  }
}

// Without muonlab's own section a foreign reader's fields must say the same.
TEST(HuggingFace, ItsPlainFieldsDescribeTheSameModel) {
  for (const bool gated : {true, false}) {
    ModelConfig m = small();
    m.gated = gated;
    m.qk_norm = gated ? QkNorm::gain : QkNorm::none;
    m.activation = Activation::relu2;
    m.rope_theta = 500.0;
    auto json = nlohmann::json::parse(hugging_face_config(m));
    json.erase("muonlab");
    EXPECT_EQ(from_hugging_face(json.dump(), "config.json"), m);
    json.erase("rope_theta");
    EXPECT_EQ(from_hugging_face(json.dump(), "config.json"), m) << "transformers 5";
    json.erase("rope_parameters");
    json["rope_theta"] = 500.0;
    EXPECT_EQ(from_hugging_face(json.dump(), "config.json"), m) << "transformers 4";
  }
}

struct Refusal {
  const char* key;
  nlohmann::json value;
  const char* text;
};

TEST(HuggingFace, RefusesWhatMuonlabDoesNotCompute) {
  const Refusal refusals[] = {
      {"attention_bias", true, "attention_bias: biases are not supported"},
      {"mlp_bias", true, "mlp_bias: biases are not supported"},
      {"rope_scaling",
       {{"rope_type", "llama3"}, {"factor", 8.0}},
       "rope_scaling: scaled rotary frequencies (llama3) are not supported"},
      {"rope_parameters",
       {{"rope_type", "yarn"}},
       "rope_parameters: scaled rotary frequencies (yarn) are not supported"},
      {"hidden_act", "gelu_pytorch_tanh",
       "hidden_act: \"gelu_pytorch_tanh\" is not supported; supported: silu gelu relu2"},
      {"use_sliding_window", true, "use_sliding_window: sliding windows are not supported"},
      {"attention_dropout", 0.1, "attention_dropout: is not supported"},
      {"partial_rotary_factor", 0.5, "partial_rotary_factor: is not supported"},
      {"model_type", "mamba", "model_type: \"mamba\" is not a model that muonlab computes"},
      {"hidden_size", "wide", "hidden_size: expected an integer above 0, got the string \"wide\""},
      {"intermediate_size", nullptr, "intermediate_size: is missing"},
  };
  auto plain_config = nlohmann::json::parse(hugging_face_config(small()));
  plain_config.erase("muonlab");
  for (const Refusal& r : refusals) {
    auto json = plain_config;
    json[r.key] = r.value;
    try {
      from_hugging_face(json.dump(), "x/config.json");
      ADD_FAILURE() << r.text;
    } catch (const ConfigError& e) {
      EXPECT_NE(std::string(e.what()).find(r.text), std::string::npos) << e.what();
      EXPECT_TRUE(e.problems()[0].where.starts_with("x/config.json:1:"));
    }
  }
}

}  // namespace
}  // namespace muonlab::config
