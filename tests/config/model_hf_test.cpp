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

nlohmann::json plain_config(QkNorm norm = QkNorm::none) {
  ModelConfig m = small();
  m.qk_norm = norm;
  auto json = nlohmann::json::parse(hugging_face_config(m));
  json.erase("muonlab");
  return json;
}

// transformers 5.24 reads these so; what it makes of the rest it refuses, and so does muonlab.
TEST(HuggingFace, ReadsDefaultsAsTransformersDoes) {
  const auto read = [](const nlohmann::json& json) {
    return from_hugging_face(json.dump(), "config.json");
  };
  auto qwen = plain_config(QkNorm::gain);
  qwen["num_attention_heads"] = 64;
  qwen["head_dim"] = 2;
  qwen["num_key_value_heads"] = nullptr;
  EXPECT_EQ(read(qwen).kv_heads, 64) << "as many as there are heads";
  qwen.erase("num_key_value_heads");
  EXPECT_EQ(read(qwen).kv_heads, 32) << "Qwen3's own default";
  qwen.erase("head_dim");
  EXPECT_EQ(read(qwen).head_dim, 128);
  qwen.erase("max_position_embeddings");
  EXPECT_EQ(read(qwen).context, 32768);
  qwen["layer_types"] = std::vector<std::string>(6, "full_attention");
  qwen["sliding_window"] = 16;
  EXPECT_EQ(read(qwen).layers, 6) << "a window that no layer uses";

  auto llama = plain_config();
  llama.erase("rope_theta");
  llama["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500000}};
  EXPECT_EQ(read(llama).rope_theta, 500000.0);
  llama["rope_parameters"] = nullptr;
  EXPECT_EQ(read(llama).rope_theta, 10000.0);
  llama["rope_scaling"] = {{"type", "default"}, {"rope_theta", 77.0}};
  EXPECT_EQ(read(llama).rope_theta, 77.0);
  llama["hidden_act"] = "swish";
  llama["head_dim"] = nullptr;
  EXPECT_EQ(read(llama).head_dim, 16);
}

TEST(HuggingFace, ReadsAKeyThatStandsTwiceAsPythonDoes) {
  std::string text = plain_config().dump();
  text.insert(1, "\"num_hidden_layers\": 99, \"rope_theta\": \"none\",");
  EXPECT_EQ(from_hugging_face(text, "config.json").layers, 6);
  EXPECT_EQ(errors(minimal("\"seed\": 1, \"seed\": 2")).size(), 1u) << "our own files";
}

TEST(HuggingFace, RefusesASectionThatDisagreesWithTheFieldsBesideIt) {
  const auto whole = nlohmann::json::parse(hugging_face_config(small()));
  const struct {
    const char* key;
    nlohmann::json value;
    const char* text;
  } changes[] = {
      {"num_hidden_layers", 12,
       "muonlab.layers: is 6, but num_hidden_layers is 12; remove the section \"muonlab\" to take "
       "the fields beside it"},
      {"vocab_size", 1200, "muonlab.vocabulary: is 300, but vocab_size is 1200"},
      {"rope_theta", 5.0, "rope_parameters: its rope_theta is 10000, another one is 5"},
      {"hidden_act", "gelu", "muonlab.activation: is \"silu\", but hidden_act is \"gelu\""},
      {"tie_word_embeddings", true, "muonlab.tied: is false, but tie_word_embeddings is true"},
      {"rms_norm_eps", 1e-6, "muonlab.norm_eps: is 1e-05, but rms_norm_eps is 1e-06"},
      {"max_position_embeddings", 64, "muonlab.context: is 256, but max_position_embeddings is 64"},
      {"attention_bias", true,
       "muonlab.attention_bias: is \"none\", but attention_bias is \"all\""},
      {"mlp_bias", true, "muonlab.ffn_bias: is false, but mlp_bias is true"},
      {"rope_scaling",
       {{"rope_type", "linear"}, {"factor", 2.0}},
       "rope_scaling: is another scaling than that of rope_parameters"},
      {"muonlab", "none", "muonlab: expected an object, got the string \"none\""},
      {"muonlab", nlohmann::json::object(), "muonlab.width: is 256, but hidden_size is 64"},
  };
  for (const auto& change : changes) {
    auto json = whole;
    json[change.key] = change.value;
    try {
      from_hugging_face(json.dump(), "c.json");
      ADD_FAILURE() << change.text;
    } catch (const ConfigError& e) {
      EXPECT_NE(std::string(e.what()).find(change.text), std::string::npos) << e.what();
    }
  }
  auto changed = whole;
  changed["num_hidden_layers"] = 12;
  changed.erase("muonlab");
  EXPECT_EQ(from_hugging_face(changed.dump(), "c.json").layers, 12);
}

TEST(HuggingFace, SaysWhichModelsTransformersDoesNotLoad) {
  ModelConfig m = small();
  EXPECT_EQ(hugging_face_gap(m), "");
  m.gated = false;
  EXPECT_EQ(hugging_face_gap(m), "");
  m.qk_norm = QkNorm::gain;
  EXPECT_EQ(hugging_face_gap(m), "no architecture there has QK-norm with a plain feed-forward");
  m = small();
  m.heads = 6;
  EXPECT_EQ(hugging_face_gap(m),
            "6 heads do not divide the width 64, which only Qwen3 (gated, with QK-norm) allows "
            "there");
  m.qk_norm = QkNorm::no_gain;
  EXPECT_EQ(hugging_face_gap(m), "");
}

struct Refusal {
  const char* key;
  nlohmann::json value;
  const char* text;
};

TEST(HuggingFace, RefusesWhatMuonlabDoesNotCompute) {
  const Refusal refusals[] = {
      {"qkv_bias", true, "qkv_bias: is not supported"},
      {"rope_parameters",
       {{"rope_type", "longrope"}},
       "rope_parameters: scaled rotary frequencies (longrope) are not supported"},
      {"rope_parameters", {{"rope_type", "yarn"}}, "rope_parameters.factor: is missing"},
      {"rope_parameters",
       {{"rope_type", "yarn"}, {"factor", 2.0}, {"truncate", false}},
       "rope_parameters.truncate: is not supported; muonlab computes with true"},
      {"rope_parameters",
       {{"rope_type", "llama3"}, {"factor", 8.0}},
       "rope_parameters.low_freq_factor: is missing"},
      {"rope_parameters",
       {{"rope_type", "linear"}, {"factor", 0.5}},
       "rope_parameters.factor: is below 1"},
      {"hidden_act", "gelu_new",
       "hidden_act: \"gelu_new\" is not supported; supported: silu gelu relu2 gelu_pytorch_tanh"},
      {"hidden_act", "gelu_tanh", "hidden_act: \"gelu_tanh\" is not supported"},
      {"use_sliding_window", true, "sliding windows are not supported for a llama"},
      {"attention_dropout", 0.1, "attention_dropout: is not supported"},
      {"partial_rotary_factor", 0.5, "partial_rotary_factor: is not supported"},
      {"model_type", "mamba", "model_type: \"mamba\" is not a model that muonlab computes"},
      {"hidden_size", "wide", "hidden_size: expected an integer above 0, got the string \"wide\""},
      {"intermediate_size", nullptr, "intermediate_size: is missing"},
      {"rope_theta", "500000.0", "rope_theta: expected a number, got the string \"500000.0\""},
      {"rope_parameters",
       {{"rope_type", "default"}, {"rope_theta", "500000.0"}},
       "rope_parameters.rope_theta: expected a number, got the string \"500000.0\""},
      {"rope_parameters",
       {{"full_attention", {{"rope_type", "default"}, {"rope_theta", 500000.0}}}},
       "rope_parameters.full_attention: rotary parameters of one kind of layer are not supported"},
      {"rope_parameters",
       {{"rope_type", "default"}, {"rope_theta", 5.0}},
       "rope_parameters: its rope_theta is 5, another one is 10000"},
      {"rope_parameters",
       {{"rope_type", "default"}, {"rope_theta", 10000.0}, {"partial_rotary_factor", 0.5}},
       "rope_parameters.partial_rotary_factor: is not supported"},
      {"rope_scaling", {{"factor", 2.0}}, "rope_scaling: has a factor, but no rope_type says what"},
      {"layer_types",
       {"sliding_attention", "full_attention"},
       "layer_types[0]: \"sliding_attention\" is not supported; muonlab computes full_attention "
       "in this model"},
      {"num_attention_heads", 4.0, "num_attention_heads: expected an integer above 0"},
      {"layer_types", {"full_attention"}, "layer_types: names 1 layers, num_hidden_layers says 6"},
      {"hidden_act", nullptr, "hidden_act: is null; leave it out to take the default"},
      {"hidden_act", 7, "hidden_act: the number 7 is not supported"},
      {"attention_bias", 1, "attention_bias: expected true or false, got the number 1"},
      {"num_experts", 8, "num_experts: is not supported; muonlab computes with 0"},
      {"logits_scaling", 8.0, "logits_scaling: is not supported; muonlab computes with 1"},
      {"attention_multiplier", 0.1, "attention_multiplier: is not supported"},
      {"final_logit_softcapping", 30.0, "final_logit_softcapping: is not supported"},
      {"architectures",
       {"Qwen3ForCausalLM"},
       "architectures: is for qwen3, but model_type is llama"},
      {"model_type", 3, "model_type: expected a string, got the number 3"},
  };
  for (const Refusal& r : refusals) {
    auto json = plain_config();
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
