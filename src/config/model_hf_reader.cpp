// config.json of Hugging Face to a model section. Whatever changes what transformers computes is
// read as transformers reads it, or refused; what it ignores is ignored.
#include "config/architecture.hpp"
#include "config/hf_fields.hpp"
#include "config/json.hpp"
#include "config/writer.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {

namespace {

// Settings of other architectures that scale, cap, widen or route what is computed, with the number
// that stands for "not used"; null always does. LLaMA's own code would pass over them, but a file
// that has one was not made for LLaMA's own code.
struct Foreign {
  const char* key;
  std::optional<double> unused;
  bool of_gemma = false;  // Gemma 2 has it
};
constexpr Foreign kForeign[] = {{"attention_dropout", 0},
                                {"partial_rotary_factor", 1},
                                {"rotary_pct", 1},
                                {"embedding_multiplier", 1},
                                {"residual_multiplier", 1},
                                {"logits_scaling", 1},
                                {"logit_scale", 1},
                                {"scale_emb", 1},
                                {"num_experts", 0},
                                {"num_local_experts", 0},
                                {"n_routed_experts", 0},
                                {"num_kv_shared_layers", 0},
                                {"attention_multiplier", {}},
                                {"query_pre_attn_scalar", {}, true},
                                {"final_logit_softcapping", {}, true},
                                {"attn_logit_softcapping", {}, true},
                                {"clip_qkv", {}},
                                {"scale_depth", {}},
                                {"attention_chunk_size", {}}};

// What transformers fills in where a file is silent.
struct Defaults {
  int64_t context = 2048;
  double norm_eps = 1e-6;
  std::optional<int64_t> kv_heads{}, head_dim{};
  bool tied = false;
  Activation activation = Activation::silu;
};

Defaults defaults_of(const std::string& type) {
  if (type == kQwen3.model_type) return {.context = 32768, .kv_heads = 32, .head_dim = 128};
  if (type == kQwen2.model_type) return {.context = 32768, .kv_heads = 32};
  if (type == kMistral.model_type) return {.context = 131072, .kv_heads = 8};
  if (type == kArcee.model_type)
    return {.context = 4096, .norm_eps = 1e-5, .activation = Activation::relu2};
  if (type == kGemma2.model_type) {
    return {.context = 8192,
            .kv_heads = 4,
            .head_dim = 256,
            .tied = true,
            .activation = Activation::gelu_tanh};
  }
  if (type == kGemma3.model_type) {
    return {.context = 131072,
            .kv_heads = 4,
            .head_dim = 256,
            .tied = true,
            .activation = Activation::gelu_tanh};
  }
  return {};
}

class HuggingFaceReader {
 public:
  HuggingFaceReader(const Value& root, Problems& problems)
      : file_(root, problems), problems_(problems) {}

  std::string type() { return model_type(file_.given("muonlab") != nullptr); }

  ModelConfig read() {
    const Value* own = file_.given("muonlab");
    const std::string type = this->type();
    if (!problems_.empty()) return {};
    ModelConfig m;
    if (own) {
      // The section says what the fields beside it cannot; where both speak they must agree.
      Reader(problems_).read(*own, "muonlab", m);
      if (!problems_.empty()) return {};
      m = resolve(std::move(m));
    }
    const ModelConfig beside = fields(type, own ? &m : nullptr);
    if (!own) return beside;
    if (problems_.empty()) compare(*own, m, beside);
    return m;
  }

 private:
  using Kind = Value::Kind;

  ModelConfig fields(const std::string& type, const ModelConfig* own) {
    const bool is_own = own && type == kOwn.model_type;
    const bool qwen = type == kQwen3.model_type, arcee = type == kArcee.model_type;
    const bool gemma = is_gemma(type), gemma3 = type == kGemma3.model_type;
    const Defaults usual = defaults_of(type);
    // What no field of transformers says, where an architecture of ours needs none.
    ModelConfig m = is_own ? *own : ModelConfig{};
    if (!is_own) {
      m.gated = !arcee;
      m.qk_norm = qwen || gemma3 ? QkNorm::gain : QkNorm::none;
      // without gain it is a Qwen3 whose gains are ones
      if (own && qwen && own->qk_norm != QkNorm::none) m.qk_norm = own->qk_norm;
    }
    m.width = file_.required("hidden_size");
    m.layers = file_.required("num_hidden_layers");
    m.heads = file_.required("num_attention_heads");
    m.ffn_width = file_.required("intermediate_size");
    m.vocabulary = file_.required("vocab_size");
    // A default may be a number, but null means as many as there are heads.
    const bool absent = file_.root().find("num_key_value_heads") == nullptr;
    m.kv_heads = file_.integer("num_key_value_heads")
                     .value_or(absent ? usual.kv_heads.value_or(m.heads) : m.heads);
    if (usual.head_dim) file_.refuse_null("head_dim");
    m.head_dim = file_.integer("head_dim");
    if (!m.head_dim) m.head_dim = usual.head_dim;
    m.context = file_.integer("max_position_embeddings").value_or(usual.context);
    m.norm_eps = file_.number("rms_norm_eps").value_or(usual.norm_eps);
    m.init.std = file_.number("initializer_range").value_or(0.02);
    m.tied = file_.given("tie_word_embeddings") ? file_.flag("tie_word_embeddings") : usual.tied;
    const char* activation = gemma ? "hidden_activation" : "hidden_act";
    for (const char* key :
         {"max_position_embeddings", "rms_norm_eps", "initializer_range", activation})
      file_.refuse_null(key);
    gemma3 ? read_two_ropes(file_, m) : read_rope(file_, m);
    read_activation(m, activation, is_own ? m.activation : usual.activation);
    read_biases(type, m);
    if (!is_own) read_window(file_, type, m);
    if (!m.window) m.window_rope_theta.reset();
    if (gemma) read_gemma(m, gemma3);
    refuse_unsupported(gemma);
    return m;
  }

  void read_biases(const std::string& type, ModelConfig& m) {
    const bool is_own = type == kOwn.model_type;
    const bool of_attention = file_.flag("attention_bias"), of_ffn = file_.flag("mlp_bias");
    if (is_own) return;
    const auto none_there = [&](const char* key) {
      file_.refuse(*file_.given(key), key, "a " + type + " has no such biases");
    };
    if (type == kQwen2.model_type) {
      m.attention_bias = AttentionBias::qkv;
    } else if (of_attention && type == kMistral.model_type) {
      none_there("attention_bias");
    } else if (of_attention) {
      m.attention_bias = AttentionBias::all;
    }
    m.ffn_bias = of_ffn;
    if (of_ffn && type != kLlama.model_type && type != kArcee.model_type) none_there("mlp_bias");
  }

  // Caps, scales and norms of Gemma 2 and 3.
  void read_gemma(ModelConfig& m, bool third) {
    const auto cap = [&](const char* key, double usual) {
      return file_.root().find(key) ? file_.number(key).value_or(0.0) : usual;
    };
    m.score_cap = cap("attn_logit_softcapping", third ? 0 : 50);
    m.logit_cap = cap("final_logit_softcapping", third ? 0 : 30);
    if (third && m.score_cap > 0) {
      file_.refuse(*file_.given("attn_logit_softcapping"), "attn_logit_softcapping",
                   "is not supported in a Gemma 3, where transformers computes without it");
    }
    m.attention_scale =
        1.0 / std::sqrt(static_cast<double>(file_.integer("query_pre_attn_scalar").value_or(256)));
    m.embedding_scale = std::sqrt(static_cast<double>(m.width));
    m.post_norm = true;
    if (file_.flag("use_bidirectional_attention"))
      file_.refuse(*file_.given("use_bidirectional_attention"), "use_bidirectional_attention",
                   "is not supported; muonlab's attention is causal");
  }

  std::string model_type(bool own) {
    const Value* at = file_.given("model_type");
    std::string type, named;
    if (at && !at->is(Kind::string))
      file_.refuse(*at, "model_type", "expected a string, got " + describe(*at));
    if (at && at->is(Kind::string)) type = at->text;
    if (const Value* v = file_.given("architectures");
        v && v->is(Kind::array) && !v->items.empty()) {
      for (const Architecture& a :
           {kLlama, kMistral, kQwen2, kQwen3, kArcee, kGemma2, kGemma3, kOwn}) {
        if (v->items.front().text == a.name) named = a.model_type;
      }
    }
    if (type.empty()) type = named;
    bool known = own && type == kOwn.model_type;
    std::string takes;
    for (const Architecture& a : {kLlama, kMistral, kQwen2, kQwen3, kArcee, kGemma2, kGemma3}) {
      known = known || type == a.model_type;
      takes += base::str(takes.empty() ? "" : ", ", a.model_type);
    }
    if (!known && problems_.empty()) {
      file_.refuse(
          at ? *at : file_.root(), "model_type",
          (type.empty() ? "is missing" : quote(type) + " is not a model that muonlab computes") +
              "; it takes " + takes);
    }
    if (known && !named.empty() && named != type) {
      file_.refuse(*file_.given("architectures"), "architectures",
                   base::str("is for ", named, ", but model_type is ", type));
    }
    return type;
  }

  void read_activation(ModelConfig& m, const char* key, Activation usual) {
    const Value* act = file_.given(key);
    m.activation = usual;
    if (!act) return;
    const std::vector<std::string> names = enum_names<Activation>();
    // Names under which transformers has the same function.
    const std::string name = act->text == "swish"               ? "silu"
                             : act->text == "gelu_python"       ? "gelu"
                             : act->text == "gelu_pytorch_tanh" ? "gelu_tanh"
                                                                : act->text;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end() || act->text == "gelu_tanh") {
      file_.refuse(*act, key,
                   (act->is(Kind::string) ? quote(act->text) : describe(*act)) +
                       " is not supported; supported: silu gelu relu2 gelu_pytorch_tanh");
    } else {
      m.activation = static_cast<Activation>(found - names.begin());
    }
  }

  void refuse_unsupported(bool gemma) {
    for (const char* key : {"qkv_bias", "use_bias"}) {
      if (file_.flag(key))
        file_.refuse(*file_.given(key), key, "is not supported; biases are told by attention_bias");
    }
    for (const Foreign& foreign : kForeign) {
      if (gemma && foreign.of_gemma) continue;
      const auto value = file_.number(foreign.key);
      if (!value || value == foreign.unused) continue;
      file_.refuse(
          *file_.given(foreign.key), foreign.key,
          "is not supported" + (foreign.unused ? "; muonlab computes with " + plain(*foreign.unused)
                                               : std::string()));
    }
    if (const Value* layers = file_.given("per_layer_config"))
      file_.refuse(*layers, "per_layer_config", "layers that differ are not supported");
  }

  // A program that changed the fields and kept the section made a file that says two things.
  void compare(const Value& section, const ModelConfig& own, const ModelConfig& beside) {
    const auto same = [&](const char* field, auto a, auto b, const char* key) {
      if (a == b) return;
      const Value* at = section.find(field);
      file_.refuse(
          at ? *at : section, base::str("muonlab.", field),
          base::str("is ", compact(Value::of(a)), ", but ", key, " is ", compact(Value::of(b)),
                    "; remove the section \"muonlab\" to take the fields beside it"));
    };
    const ModelConfig other = resolve(beside);
    same("layers", own.layers, other.layers, "num_hidden_layers");
    same("width", own.width, other.width, "hidden_size");
    same("heads", own.heads, other.heads, "num_attention_heads");
    same("kv_heads", *own.kv_heads, *other.kv_heads, "num_key_value_heads");
    same("head_dim", *own.head_dim, *other.head_dim, "head_dim");
    same("ffn_width", *own.ffn_width, *other.ffn_width, "intermediate_size");
    if (own.vocabulary) same("vocabulary", *own.vocabulary, *other.vocabulary, "vocab_size");
    same("context", own.context, other.context, "max_position_embeddings");
    same("gated", own.gated, other.gated, "that of model_type");
    same("tied", own.tied, other.tied, "tie_word_embeddings");
    same("rope_theta", own.rope_theta, other.rope_theta, "rope_theta");
    same("norm_eps", own.norm_eps, other.norm_eps, "rms_norm_eps");
    const auto name = [](auto value) {
      return EnumNames<decltype(value)>::names[static_cast<size_t>(value)];
    };
    same("activation", name(own.activation), name(other.activation), "hidden_act");
    same("attention_bias", name(own.attention_bias), name(other.attention_bias), "attention_bias");
    same("ffn_bias", own.ffn_bias, other.ffn_bias, "mlp_bias");
    same("window", own.window.value_or(0), other.window.value_or(0), "sliding_window");
    for (int64_t i = 0; i < own.layers && own.layers == other.layers; ++i) {
      if (own.has_window(i) == other.has_window(i)) continue;
      file_.refuse(section, "muonlab.window_pattern", "is another one than that of layer_types");
      break;
    }
    same("rope_scaling", scaling_text(own), scaling_text(other), "rope_parameters");
    same("qk_norm", name(own.qk_norm), name(other.qk_norm), "that of model_type");
    const std::string holds = hugging_face_architecture(own);
    const Value* named = file_.given("architectures");
    if (problems_.empty() && named && named->items.front().text != holds) {
      file_.refuse(section, "muonlab",
                   base::str("is a model of ", holds, ", which architectures does not say"));
    }
  }

  // As it computes: the original context where it is left to the model's.
  static std::string scaling_text(const ModelConfig& m) {
    RopeScaling scaling = m.rope_scaling;
    if (auto* dynamic = std::get_if<DynamicScaling>(&scaling))
      dynamic->original_context = dynamic->original_context.value_or(m.context);
    if (auto* yarn = std::get_if<YarnScaling>(&scaling))
      yarn->original_context = yarn->original_context.value_or(m.context);
    return compact(to_value(scaling));
  }

  HfFields file_;
  Problems& problems_;
};

}  // namespace

namespace {

Value parse_object(std::string_view text, const std::string& label, Problems& problems) {
  const auto source = std::make_shared<const Source>(Source{label, "", Source::file});
  Value root = parse_json(text, source, problems, DuplicateKeys::last_wins);
  problems.raise();
  if (!root.is(Value::Kind::object))
    problems.add(root.mark, "", "expected an object, got " + describe(root));
  problems.raise();
  return root;
}

}  // namespace

ModelConfig from_hugging_face(std::string_view text, const std::string& label) {
  Problems problems;
  const Value root = parse_object(text, label, problems);
  ModelConfig model = HuggingFaceReader(root, problems).read();
  problems.raise();
  return resolve(std::move(model));
}

bool stores_gains_less_one(std::string_view text, const std::string& label) {
  Problems problems;
  const Value root = parse_object(text, label, problems);
  const std::string type = HuggingFaceReader(root, problems).type();
  problems.raise();
  return is_gemma(type);
}

}  // namespace muonlab::config
