#include "muonlab/config/model_hf.hpp"

#include "config/json.hpp"
#include "config/reader.hpp"
#include "config/writer.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {

namespace {

struct Architecture {
  const char* name;
  const char* model_type;
};
constexpr Architecture kLlama{"LlamaForCausalLM", "llama"}, kQwen3{"Qwen3ForCausalLM", "qwen3"},
    kArcee{"ArceeForCausalLM", "arcee"}, kOwn{"MuonlabForCausalLM", "muonlab"};

const Architecture& architecture_of(const ModelConfig& m) {
  if (m.qk_norm != QkNorm::none) return m.gated ? kQwen3 : kOwn;
  if (m.width % m.heads != 0) return kOwn;
  return m.gated ? kLlama : kArcee;
}

// Reads the fields of one config.json; every refusal names its place.
class HuggingFaceReader {
 public:
  HuggingFaceReader(const Value& root, Problems& problems) : root_(root), problems_(problems) {}

  ModelConfig read() {
    if (const Value* own = section("muonlab")) {
      ModelConfig model;
      Reader(problems_).read(*own, "muonlab", model);
      return model;
    }
    const std::string type = model_type();
    ModelConfig m;
    if (!problems_.empty()) return m;
    m.gated = type != kArcee.model_type;
    m.qk_norm = type == kQwen3.model_type ? QkNorm::gain : QkNorm::none;
    m.width = required("hidden_size");
    m.layers = required("num_hidden_layers");
    m.heads = required("num_attention_heads");
    m.ffn_width = required("intermediate_size");
    m.vocabulary = required("vocab_size");
    m.kv_heads = integer("num_key_value_heads").value_or(type == kQwen3.model_type ? 32 : m.heads);
    m.head_dim = integer("head_dim");
    if (!m.head_dim && type == kQwen3.model_type) m.head_dim = 128;
    m.context = integer("max_position_embeddings").value_or(2048);
    m.norm_eps = number("rms_norm_eps").value_or(type == kArcee.model_type ? 1e-5 : 1e-6);
    m.init.std = number("initializer_range").value_or(0.02);
    m.tied = flag("tie_word_embeddings");
    read_rope(m);
    read_activation(m);
    refuse_unsupported();
    return m;
  }

 private:
  using Kind = Value::Kind;

  const Value* section(const char* key) const {
    const Value* value = root_.find(key);
    return value && value->is(Kind::object) ? value : nullptr;
  }

  const Value* given(const char* key) const {
    const Value* value = root_.find(key);
    return value && !value->is(Kind::null) ? value : nullptr;
  }

  void refuse(const Value& value, const std::string& key, const std::string& text) {
    problems_.add(value.mark, key, text);
  }

  std::string model_type() {
    std::string type;
    if (const Value* v = given("model_type"); v && v->is(Kind::string)) type = v->text;
    if (const Value* v = given("architectures"); type.empty() && v && !v->items.empty()) {
      for (const Architecture& a : {kLlama, kQwen3, kArcee}) {
        if (v->items.front().text == a.name) type = a.model_type;
      }
    }
    if (type != kLlama.model_type && type != kQwen3.model_type && type != kArcee.model_type) {
      const Value* at = given("model_type");
      refuse(at ? *at : root_, "model_type",
             (type.empty() ? "is missing" : quote(type) + " is not a model that muonlab computes") +
                 "; it takes llama (LlamaForCausalLM), qwen3 (Qwen3ForCausalLM), arcee "
                 "(ArceeForCausalLM)");
    }
    return type;
  }

  std::optional<int64_t> integer(const char* key) {
    const Value* value = given(key);
    if (!value) return std::nullopt;
    if (value->is(Kind::integer) && value->integer > 0 && value->integer <= (int64_t{1} << 28))
      return value->integer;
    refuse(*value, key, "expected an integer above 0, got " + describe(*value));
    return std::nullopt;
  }

  int64_t required(const char* key) {
    if (!given(key)) refuse(root_, key, "is missing");
    return integer(key).value_or(1);
  }

  std::optional<double> number(const char* key) {
    const Value* value = given(key);
    if (!value) return std::nullopt;
    if (value->is(Kind::integer) || value->is(Kind::real)) return value->real;
    refuse(*value, key, "expected a number, got " + describe(*value));
    return std::nullopt;
  }

  bool flag(const char* key) {
    const Value* value = given(key);
    if (value && !value->is(Kind::boolean))
      refuse(*value, key, "expected true or false, got " + describe(*value));
    return value && value->boolean;
  }

  // transformers 5 has rope_parameters, 4 had rope_theta and rope_scaling.
  void read_rope(ModelConfig& m) {
    m.rope_theta = number("rope_theta").value_or(10000.0);
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
      const Value* rope = given(key);
      if (!rope) continue;
      const Value* type = rope->find("rope_type");
      if (!type) type = rope->find("type");
      if (!rope->is(Kind::object) || (type && type->text != "default")) {
        refuse(*rope, key,
               "scaled rotary frequencies" + (type ? " (" + type->text + ")" : std::string()) +
                   " are not supported; muonlab computes the plain ones");
      } else if (const Value* theta = rope->find("rope_theta"); theta && theta->real > 0) {
        m.rope_theta = theta->real;
      }
    }
    if (m.rope_theta <= 0) refuse(*given("rope_theta"), "rope_theta", "is not above 0");
  }

  void read_activation(ModelConfig& m) {
    const Value* act = given("hidden_act");
    m.activation = m.gated ? Activation::silu : Activation::relu2;
    if (!act) return;
    const std::vector<std::string> names = enum_names<Activation>();
    const std::string name = act->text == "swish" ? "silu" : act->text;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      refuse(*act, "hidden_act",
             quote(act->text) + " is not supported; supported: " + base::join(names, " "));
    } else {
      m.activation = static_cast<Activation>(found - names.begin());
    }
  }

  void refuse_unsupported() {
    for (const char* key : {"attention_bias", "mlp_bias"}) {
      if (flag(key))
        refuse(*given(key), key, "biases are not supported; muonlab's matrices have none");
    }
    if (flag("use_sliding_window")) {
      refuse(*given("use_sliding_window"), "use_sliding_window",
             "sliding windows are not supported");
    }
    for (const char* key : {"attention_dropout", "partial_rotary_factor"}) {
      const double plain_value = key == std::string_view("attention_dropout") ? 0.0 : 1.0;
      const auto value = number(key);
      if (value && *value != plain_value) {
        refuse(*given(key), key,
               base::str("is not supported; muonlab computes with ", plain_value));
      }
    }
  }

  const Value& root_;
  Problems& problems_;
};

}  // namespace

std::string hugging_face_architecture(const ModelConfig& model) {
  return architecture_of(model).name;
}

std::string hugging_face_config(const ModelConfig& model, std::optional<int64_t> eos_token,
                                std::optional<int64_t> bos_token) {
  base::check(model.kv_heads && model.head_dim && model.ffn_width && model.vocabulary,
              "config.json needs a resolved model with a vocabulary");
  const Architecture& architecture = architecture_of(model);
  Value out = Value::object();
  const auto set = [&](const char* key, auto value) { out.set(key, Value::of(value)); };
  const auto token = [&](const char* key, std::optional<int64_t> id) {
    out.set(key, id ? Value::of(*id) : Value{});
  };
  Value names = Value::array();
  names.items.push_back(Value::of(std::string_view(architecture.name)));
  out.set("architectures", std::move(names));
  set("model_type", std::string_view(architecture.model_type));
  set("vocab_size", *model.vocabulary);
  set("hidden_size", model.width);
  set("intermediate_size", *model.ffn_width);
  set("num_hidden_layers", model.layers);
  set("num_attention_heads", model.heads);
  set("num_key_value_heads", *model.kv_heads);
  set("head_dim", *model.head_dim);
  set("hidden_act", EnumNames<Activation>::names[static_cast<size_t>(model.activation)]);
  set("max_position_embeddings", model.context);
  set("initializer_range", model.init.std);
  set("rms_norm_eps", model.norm_eps);
  set("rope_theta", model.rope_theta);
  Value rope = Value::object();
  rope.set("rope_type", Value::of(std::string_view("default")));
  rope.set("rope_theta", Value::of(model.rope_theta));
  out.set("rope_parameters", std::move(rope));
  set("tie_word_embeddings", model.tied);
  set("attention_bias", false);
  set("attention_dropout", 0.0);
  set("mlp_bias", false);
  token("bos_token_id", bos_token);
  token("eos_token_id", eos_token);
  set("torch_dtype", std::string_view("float32"));
  set("use_cache", true);
  out.set("muonlab", to_value(model));
  return pretty(out);
}

ModelConfig from_hugging_face(std::string_view text, const std::string& label) {
  Problems problems;
  const auto source = std::make_shared<const Source>(Source{label, "", Source::file});
  const Value root = parse_json(text, source, problems);
  problems.raise();
  if (!root.is(Value::Kind::object))
    problems.add(root.mark, "", "expected an object, got " + describe(root));
  problems.raise();
  ModelConfig model = HuggingFaceReader(root, problems).read();
  problems.raise();
  return resolve(std::move(model));
}

}  // namespace muonlab::config
