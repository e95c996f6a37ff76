// config.json of Llama 3, Mistral, Qwen2, Qwen3, Gemma 2 and 3 in and out.
#include <functional>

#include <nlohmann/json.hpp>

#include "config/support.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {
namespace {

using Json = nlohmann::json;

ModelConfig family_model() {
  ModelConfig m;
  m.width = 64;
  m.kv_heads = 2;
  m.vocabulary = 300;
  return resolve(m);
}

// A file as these families store it, without what muonlab adds.
Json file(const std::string& type, const Json& changes = Json::object()) {
  Json json{
      {"model_type", type},     {"hidden_size", 64},           {"intermediate_size", 171},
      {"num_hidden_layers", 6}, {"num_attention_heads", 4},    {"num_key_value_heads", 2},
      {"head_dim", 16},         {"vocab_size", 300},           {"max_position_embeddings", 256},
      {"rms_norm_eps", 1e-5},   {"tie_word_embeddings", false}};
  json.update(changes);
  return json;
}

ModelConfig read(const Json& json) { return from_hugging_face(json.dump(), "config.json"); }

TEST(ModelFamilies, Llama3Rope) {
  ModelConfig m = family_model();
  m.rope_theta = 500000;
  Llama3Scaling scaling;
  scaling.factor = 32;
  m.rope_scaling = scaling;
  const Json stored{{"factor", 32.0},
                    {"high_freq_factor", 4.0},
                    {"low_freq_factor", 1.0},
                    {"original_max_position_embeddings", 8192},
                    {"rope_type", "llama3"}};
  EXPECT_EQ(read(file("llama", {{"rope_theta", 500000.0}, {"rope_scaling", stored}})), m)
      << "as Llama 3.2 stores it";
  Json five = stored;
  five["rope_theta"] = 500000.0;
  EXPECT_EQ(read(file("llama", {{"rope_parameters", five}})), m) << "as transformers 5 does";
  EXPECT_EQ(Json::parse(hugging_face_config(m))["rope_parameters"], five);
}

TEST(ModelFamilies, Yarn) {
  const ModelConfig m = read(file("qwen3", {{"rope_scaling",
                                             {{"type", "yarn"},
                                              {"factor", 4.0},
                                              {"original_max_position_embeddings", 64},
                                              {"mscale", 1.0},
                                              {"mscale_all_dim", 0.5}}}}));
  const auto& yarn = std::get<YarnScaling>(m.rope_scaling);
  EXPECT_EQ(yarn.original_context, 64);
  EXPECT_DOUBLE_EQ(*yarn.attention_factor, (0.1 * std::log(4.0) + 1) / (0.05 * std::log(4.0) + 1));
}

TEST(ModelFamilies, WindowsByTheRulesOfEachFamily) {
  ModelConfig m = read(file("mistral"));
  EXPECT_EQ(m.window, 4096) << "its default";
  EXPECT_EQ(m.window_pattern, "w");
  EXPECT_FALSE(read(file("mistral", {{"sliding_window", nullptr}})).window);
  EXPECT_FALSE(read(file("qwen2", {{"sliding_window", 8}})).window) << "not used";
  const Json used{{"use_sliding_window", true}, {"sliding_window", 8}};
  EXPECT_FALSE(read(file("qwen2", used)).window) << "from layer 28 on";
  Json some = file("qwen2", used);
  some["max_window_layers"] = 4;
  m = read(some);
  EXPECT_EQ(m.window, 8);
  EXPECT_EQ(m.window_pattern, "ffffww");
  some["layer_types"] = {"sliding_attention", "sliding_attention", "full_attention",
                         "sliding_attention", "sliding_attention", "full_attention"};
  EXPECT_EQ(read(some).window_pattern, "wwf");
}

TEST(ModelFamilies, Biases) {
  EXPECT_EQ(read(file("qwen2")).attention_bias, AttentionBias::qkv);
  const ModelConfig m = read(file("llama", {{"attention_bias", true}, {"mlp_bias", true}}));
  EXPECT_EQ(m.attention_bias, AttentionBias::all);
  EXPECT_TRUE(m.ffn_bias);
}

TEST(ModelFamilies, Gemma2) {
  const Json json = file("gemma2", {{"query_pre_attn_scalar", 64}, {"sliding_window", 32}});
  const ModelConfig m = read(json);
  EXPECT_EQ(m.score_cap, 50);
  EXPECT_EQ(m.logit_cap, 30);
  EXPECT_EQ(m.attention_scale, 0.125);
  EXPECT_EQ(m.embedding_scale, 8);
  EXPECT_TRUE(m.post_norm);
  EXPECT_EQ(m.activation, Activation::gelu_tanh);
  EXPECT_EQ(m.window_pattern, "wf");
  EXPECT_TRUE(stores_gains_less_one(json.dump(), "config.json"));
  EXPECT_FALSE(stores_gains_less_one(file("llama").dump(), "config.json"));
}

// As Gemma 3 1B has it, by transformers 4.
Json gemma3(const Json& changes = Json::object()) {
  Json json = file("gemma3_text", {{"query_pre_attn_scalar", 64},
                                   {"sliding_window", 32},
                                   {"sliding_window_pattern", 3},
                                   {"rope_theta", 1000000},
                                   {"rope_local_base_freq", 10000},
                                   {"rope_scaling", nullptr},
                                   {"attn_logit_softcapping", nullptr},
                                   {"final_logit_softcapping", nullptr}});
  json.update(changes);
  return json;
}

TEST(ModelFamilies, Gemma3) {
  const ModelConfig m = read(gemma3());
  EXPECT_EQ(m.qk_norm, QkNorm::gain);
  EXPECT_EQ(m.score_cap, 0);
  EXPECT_EQ(m.logit_cap, 0);
  EXPECT_EQ(m.window, 32);
  EXPECT_EQ(m.window_pattern, "wwf");
  EXPECT_EQ(m.rope_theta, 1e6);
  EXPECT_EQ(m.window_rope_theta, 1e4);
  EXPECT_TRUE(m.post_norm);
  Json six = gemma3();
  six.erase("sliding_window_pattern");
  EXPECT_EQ(read(six).window_pattern, "wwwwwf") << "its default";
  // As transformers 5 stores it.
  Json five = six;
  for (const char* key : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) five.erase(key);
  five["rope_parameters"] = {
      {"full_attention", {{"rope_type", "default"}, {"rope_theta", 1e6}}},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}};
  EXPECT_EQ(read(five), read(six));
  five.erase("rope_parameters");
  EXPECT_EQ(read(five), read(six)) << "its defaults";
  // Gemma 3 4B scales the rotation of its full layers.
  const ModelConfig scaled =
      read(gemma3({{"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}}}));
  EXPECT_EQ(std::get<LinearScaling>(scaled.rope_scaling).factor, 8);
}

TEST(ModelFamilies, WhatGemma3DoesNotComputeIsRefused) {
  const auto refused = [](const Json& changes) {
    try {
      read(gemma3(changes));
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const std::pair<Json, const char*> cases[] = {
      {{{"attn_logit_softcapping", 50.0}}, "attn_logit_softcapping: is not supported in a Gemma 3"},
      {{{"use_bidirectional_attention", true}}, "use_bidirectional_attention"},
      {{{"rope_parameters", {{"rope_type", "default"}}}}, "rope_parameters.rope_type: is not supp"},
      {{{"rope_parameters", {{"full_attention", {{"rope_theta", 5.0}}}}}},
       "rope_parameters.full_attention: its rope_theta is 5, but rope_theta is 1000000"},
      {{{"rope_parameters", {{"sliding_attention", {{"rope_type", "linear"}, {"factor", 2.0}}}}}},
       "rope_parameters.sliding_attention: a scaling in layers with the window"},
      {{{"embedding_multiplier", 2.0}}, "embedding_multiplier"},
      {{{"mlp_bias", true}}, "mlp_bias: a gemma3_text has no such biases"},
      {{{"model_type", "gemma3"}}, "\"gemma3\" is not a model that muonlab computes"}};
  for (const auto& [changes, text] : cases)
    EXPECT_NE(refused(changes).find(text), std::string::npos) << text << "\n" << refused(changes);
}

// A checkpoint holds the gains themselves, so it is no Gemma; an export is one.
TEST(ModelFamilies, GemmasAreExported) {
  const std::pair<Json, const char*> cases[] = {
      {file("gemma2", {{"query_pre_attn_scalar", 64}, {"sliding_window", 32}}),
       "Gemma2ForCausalLM"},
      {gemma3(), "Gemma3ForCausalLM"},
      {gemma3({{"final_logit_softcapping", 30.0}, {"attention_bias", true}}), "Gemma3ForCausalLM"},
      {gemma3({{"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}}}),
       "Gemma3ForCausalLM"}};
  for (const auto& [json, name] : cases) {
    const ModelConfig m = read(json);
    EXPECT_EQ(hugging_face_architecture(m), "MuonlabForCausalLM");
    EXPECT_NE(hugging_face_gap(m).find("less one"), std::string::npos);
    EXPECT_EQ(read(Json::parse(hugging_face_config(m))), m) << "its checkpoint";
    EXPECT_EQ(hugging_face_architecture(m, HfFile::exported), name);
    EXPECT_EQ(hugging_face_gap(m, HfFile::exported), "");
    EXPECT_TRUE(exports_gains_less_one(m));
    const std::string exported = hugging_face_config(m, 1, {}, HfFile::exported);
    EXPECT_EQ(read(Json::parse(exported)), m) << exported;
    EXPECT_TRUE(stores_gains_less_one(exported, "config.json"));
  }
  ModelConfig other = read(gemma3());
  other.embedding_scale = 7;
  EXPECT_FALSE(exports_gains_less_one(other));
  EXPECT_NE(hugging_face_gap(other, HfFile::exported), "");
}

struct Family {
  const char* architecture;
  std::function<void(ModelConfig&)> change;
};

const std::vector<Family> kFamilies{
    {"LlamaForCausalLM", [](auto& m) { m.attention_bias = AttentionBias::all, m.ffn_bias = true; }},
    {"LlamaForCausalLM", [](auto& m) { m.rope_scaling = Llama3Scaling(); }},
    {"LlamaForCausalLM", [](auto& m) { m.activation = Activation::gelu_tanh; }},
    {"LlamaForCausalLM",
     [](auto& m) {
       YarnScaling yarn;
       yarn.factor = 3;
       yarn.original_context = 64;
       m.rope_scaling = yarn;
     }},
    {"ArceeForCausalLM",
     [](auto& m) { m.gated = false, m.ffn_bias = true, m.activation = Activation::relu2; }},
    {"MistralForCausalLM", [](auto& m) { m.window = 7; }},
    {"Qwen2ForCausalLM", [](auto& m) { m.attention_bias = AttentionBias::qkv; }},
    {"Qwen2ForCausalLM",
     [](auto& m) {
       m.attention_bias = AttentionBias::qkv, m.window = 7, m.window_pattern = "ffw";
     }},
    {"Qwen3ForCausalLM", [](auto& m) {
       m.qk_norm = QkNorm::gain, m.attention_bias = AttentionBias::all, m.window = 9;
     }}};

TEST(ModelFamilies, EachIsWrittenAndReadBack) {
  for (const Family& family : kFamilies) {
    ModelConfig m = family_model();
    family.change(m);
    m = resolve(m);
    EXPECT_EQ(hugging_face_architecture(m), family.architecture);
    EXPECT_EQ(hugging_face_gap(m), "");
    Json json = Json::parse(hugging_face_config(m));
    EXPECT_EQ(read(json), m) << family.architecture;
    json.erase("muonlab");
    EXPECT_EQ(read(json), m) << family.architecture << ", by its plain fields";
  }
}

TEST(ModelFamilies, OwnModelsAreReadBackAndSaidToBeOwn) {
  const std::vector<std::pair<std::function<void(ModelConfig&)>, const char*>> models{
      {[](auto& m) { m.head_bias = true; }, "its head has a bias"},
      {[](auto& m) { m.logit_cap = 15; }, "it caps scores or logits"},
      {[](auto& m) { m.rotary_fraction = 0.5; }, "it rotates a share of each head"},
      {[](auto& m) { m.attention_scale = 0.12; }, "its scale of attention is not 1/sqrt(head_dim)"},
      {[](auto& m) { m.embedding_norm = QkNorm::gain; }, "it has a norm after the embedding"},
      {[](auto& m) { m.value_residual = ValueResidual::learned; },
       "it mixes the first layer's values into those of later layers"},
      {[](auto& m) { m.window = 5, m.window_rope_theta = 100.0; },
       "it has two rotary thetas, which is Gemma 3's"},
      {[](auto& m) { m.window = 5, m.window_pattern = "wf"; },
       "windows are Mistral's (gated, in every layer, no biases), Qwen2's and Qwen3's there"}};
  for (const auto& [change, gap] : models) {
    ModelConfig m = family_model();
    change(m);
    EXPECT_EQ(hugging_face_gap(m), gap);
    EXPECT_EQ(read(Json::parse(hugging_face_config(m))), m) << gap;
  }
}

TEST(ModelFamilies, ASectionOfAnotherArchitectureIsRefused) {
  Json json = Json::parse(hugging_face_config(family_model()));
  json["muonlab"]["logit_cap"] = 15.0;
  try {
    read(json);
    ADD_FAILURE();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("muonlab: is a model of MuonlabForCausalLM"),
              std::string::npos)
        << e.what();
  }
}

TEST(ModelFamilies, SettingsThatCannotBeAreRefused) {
  const auto refused = [](const std::string& model) {
    const auto all = errors(minimal("\"model\": {" + model + "}"));
    return all.empty() ? std::string("nothing") : all[0];
  };
  const std::pair<const char*, const char*> cases[] = {
      {R"("window_pattern": "wf")", "no window is set"},
      {R"("window": 8, "window_pattern": "f")", "gives the window to no layer"},
      {R"("window": 8, "window_pattern": "wx")", "\"wx\" is no pattern"},
      {R"("window": 8, "window_pattern": "")", "\"\" is no pattern"},
      {R"("logit_cap_form": "rsqrt")", "there is no cap"},
      {R"("rotary_fraction": 0.3)", "rotates 9.6 pairs of each head"},
      {R"("rope_scaling": {"factor": 2})", "it belongs to linear dynamic yarn llama3"},
      {R"("rope_scaling": {"kind": "llama3", "low_frequency": 5})", "is not above low_frequency"},
      {R"("init": {"rules": [{"params": ["norm"]}]})", "matches no matrix of this model"},
      {R"("init": {"rules": [{"params": ["o"], "kind": "zero", "value": 1}]})", "has no effect"},
      {R"("init": {"rules": [{"kind": "zero"}]})", "params: is missing or empty"}};
  for (const auto& [model, text] : cases)
    EXPECT_NE(refused(model).find(text), std::string::npos) << model << ": " << refused(model);
}

}  // namespace
}  // namespace muonlab::config
