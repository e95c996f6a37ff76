// config.json of Hugging Face to a model section. Whatever changes what transformers computes is
// read as transformers reads it, or refused; what it ignores is ignored.
#include "config/architecture.hpp"
#include "config/json.hpp"
#include "config/reader.hpp"
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
                                {"query_pre_attn_scalar", {}},
                                {"final_logit_softcapping", {}},
                                {"attn_logit_softcapping", {}},
                                {"clip_qkv", {}},
                                {"scale_depth", {}},
                                {"attention_chunk_size", {}}};

class HuggingFaceReader {
 public:
  HuggingFaceReader(const Value& root, Problems& problems) : root_(root), problems_(problems) {}

  ModelConfig read() {
    const Value* own = given("muonlab");
    const std::string type = model_type(own != nullptr);
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

  // The value of a key, for which null is the same as absent.
  const Value* given(const char* key) const {
    const Value* value = root_.find(key);
    return value && !value->is(Kind::null) ? value : nullptr;
  }

  void refuse(const Value& value, const std::string& key, const std::string& text) {
    problems_.add(value.mark, key, text);
  }

  ModelConfig fields(const std::string& type, const ModelConfig* own) {
    const bool qwen = type == kQwen3.model_type, arcee = type == kArcee.model_type;
    ModelConfig m;
    m.gated = own && type == kOwn.model_type ? own->gated : !arcee;
    m.qk_norm = qwen ? QkNorm::gain : QkNorm::none;
    if (own && (type == kOwn.model_type || (qwen && own->qk_norm != QkNorm::none)))
      m.qk_norm = own->qk_norm;  // without gain it is a Qwen3 whose gains are ones
    m.width = required("hidden_size");
    m.layers = required("num_hidden_layers");
    m.heads = required("num_attention_heads");
    m.ffn_width = required("intermediate_size");
    m.vocabulary = required("vocab_size");
    // Qwen3's default is a number, but null means as many as there are heads, as elsewhere.
    const bool absent = root_.find("num_key_value_heads") == nullptr;
    m.kv_heads = integer("num_key_value_heads").value_or(qwen && absent ? 32 : m.heads);
    if (qwen) refuse_null("head_dim");
    m.head_dim = integer("head_dim");
    if (!m.head_dim && qwen) m.head_dim = 128;
    m.context = integer("max_position_embeddings").value_or(qwen ? 32768 : arcee ? 4096 : 2048);
    m.norm_eps = number("rms_norm_eps").value_or(arcee ? 1e-5 : 1e-6);
    m.init.std = number("initializer_range").value_or(0.02);
    m.tied = flag("tie_word_embeddings");
    for (const char* key :
         {"max_position_embeddings", "rms_norm_eps", "initializer_range", "hidden_act"})
      refuse_null(key);
    read_rope(m);
    read_activation(m);
    refuse_unsupported();
    refuse_layer_types(m.layers);
    return m;
  }

  std::string model_type(bool own) {
    const Value* at = given("model_type");
    std::string type, named;
    if (at && !at->is(Kind::string))
      refuse(*at, "model_type", "expected a string, got " + describe(*at));
    if (at && at->is(Kind::string)) type = at->text;
    if (const Value* v = given("architectures"); v && v->is(Kind::array) && !v->items.empty()) {
      for (const Architecture& a : {kLlama, kQwen3, kArcee, kOwn}) {
        if (v->items.front().text == a.name) named = a.model_type;
      }
    }
    if (type.empty()) type = named;
    const bool known = type == kLlama.model_type || type == kQwen3.model_type ||
                       type == kArcee.model_type || (own && type == kOwn.model_type);
    if (!known && problems_.empty()) {
      refuse(at ? *at : root_, "model_type",
             (type.empty() ? "is missing" : quote(type) + " is not a model that muonlab computes") +
                 "; it takes llama (LlamaForCausalLM), qwen3 (Qwen3ForCausalLM), arcee "
                 "(ArceeForCausalLM)");
    }
    if (known && !named.empty() && named != type) {
      refuse(*given("architectures"), "architectures",
             base::str("is for ", named, ", but model_type is ", type));
    }
    return type;
  }

  // Where transformers has no meaning for null and stops.
  void refuse_null(const char* key) {
    const Value* value = root_.find(key);
    if (value && value->is(Kind::null))
      refuse(*value, key, "is null; leave it out to take the default");
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

  std::optional<double> number(const char* key) { return number_in(root_, key, key); }

  std::optional<double> number_in(const Value& object, const char* key, const std::string& path) {
    const Value* value = object.find(key);
    if (!value || value->is(Kind::null)) return std::nullopt;
    if (value->is(Kind::integer) || value->is(Kind::real)) return value->real;
    refuse(*value, path, "expected a number, got " + describe(*value));
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
    std::optional<double> theta = number("rope_theta");
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
      const Value* rope = given(key);
      if (!rope) continue;
      const std::optional<double> inner = read_rotation(*rope, key);
      if (inner && theta && *inner != *theta) {
        refuse(*rope, key,
               base::str("its rope_theta is ", plain(*inner), ", another one is ", plain(*theta),
                         "; transformers 4 and 5 would take different ones"));
      }
      if (inner) theta = inner;
    }
    if (!theta) refuse_null("rope_theta");
    m.rope_theta = theta.value_or(10000.0);
    if (m.rope_theta <= 0) refuse(root_, "rope_theta", "is not above 0");
  }

  // The theta in one set of rotary parameters, where it says one.
  std::optional<double> read_rotation(const Value& rope, const std::string& key) {
    if (!rope.is(Kind::object)) {
      refuse(rope, key, "expected an object, got " + describe(rope));
      return std::nullopt;
    }
    for (const Member& m : rope.members) {
      if (!m.value.is(Kind::object)) continue;
      refuse(m.value, child_path(key, m.key),
             "rotary parameters of one kind of layer are not supported; muonlab has one set for "
             "all layers, with rope_type and rope_theta directly in " +
                 key);
      return std::nullopt;
    }
    const Value* type = rope.find("rope_type");
    if (!type) type = rope.find("type");
    const Value* factor = rope.find("factor");
    if (type ? type->text != "default" : factor != nullptr) {
      refuse(rope, key,
             "scaled rotary frequencies" +
                 (type ? " (" + base::clip_text(type->text, 40) + ")" : std::string()) +
                 " are not supported; muonlab computes the plain ones");
      return std::nullopt;
    }
    const std::string part = key + ".partial_rotary_factor";
    if (number_in(rope, "partial_rotary_factor", part).value_or(1.0) != 1.0)
      refuse(*rope.find("partial_rotary_factor"), part,
             "is not supported; muonlab rotates all of a head");
    return number_in(rope, "rope_theta", key + ".rope_theta");
  }

  void read_activation(ModelConfig& m) {
    const Value* act = given("hidden_act");
    m.activation = m.gated ? Activation::silu : Activation::relu2;
    if (!act) return;
    const std::vector<std::string> names = enum_names<Activation>();
    // Names under which transformers has the same function.
    const std::string name = act->text == "swish"         ? "silu"
                             : act->text == "gelu_python" ? "gelu"
                                                          : act->text;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      refuse(*act, "hidden_act",
             (act->is(Kind::string) ? quote(act->text) : describe(*act)) +
                 " is not supported; supported: " + base::join(names, " "));
    } else {
      m.activation = static_cast<Activation>(found - names.begin());
    }
  }

  void refuse_unsupported() {
    for (const char* key : {"attention_bias", "mlp_bias", "qkv_bias", "use_bias"}) {
      if (flag(key))
        refuse(*given(key), key, "biases are not supported; muonlab's matrices have none");
    }
    if (flag("use_sliding_window")) {
      refuse(*given("use_sliding_window"), "use_sliding_window",
             "sliding windows are not supported");
    }
    for (const Foreign& foreign : kForeign) {
      const auto value = number(foreign.key);
      if (!value || value == foreign.unused) continue;
      refuse(
          *given(foreign.key), foreign.key,
          "is not supported" + (foreign.unused ? "; muonlab computes with " + plain(*foreign.unused)
                                               : std::string()));
    }
    if (const Value* layers = given("per_layer_config"))
      refuse(*layers, "per_layer_config", "layers that differ are not supported");
  }

  void refuse_layer_types(int64_t num_layers) {
    const Value* types = given("layer_types");
    if (!types) return;
    if (!types->is(Kind::array))
      return refuse(*types, "layer_types", "expected an array, got " + describe(*types));
    for (size_t i = 0; i < types->items.size(); ++i) {
      if (types->items[i].text == "full_attention") continue;
      return refuse(
          types->items[i], item_path("layer_types", i),
          quote(types->items[i].text) + " is not supported; muonlab computes full_attention");
    }
    if (static_cast<int64_t>(types->items.size()) != num_layers)
      refuse(
          *types, "layer_types",
          base::str("names ", types->items.size(), " layers, num_hidden_layers says ", num_layers));
  }

  // A program that changed the fields and kept the section made a file that says two things.
  void compare(const Value& section, const ModelConfig& own, const ModelConfig& beside) {
    const auto same = [&](const char* field, auto a, auto b, const char* key) {
      if (a == b) return;
      const Value* at = section.find(field);
      refuse(at ? *at : section, base::str("muonlab.", field),
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
    same("qk_norm", name(own.qk_norm), name(other.qk_norm), "that of model_type");
  }

  const Value& root_;
  Problems& problems_;
};

}  // namespace

ModelConfig from_hugging_face(std::string_view text, const std::string& label) {
  Problems problems;
  const auto source = std::make_shared<const Source>(Source{label, "", Source::file});
  const Value root = parse_json(text, source, problems, DuplicateKeys::last_wins);
  problems.raise();
  if (!root.is(Value::Kind::object))
    problems.add(root.mark, "", "expected an object, got " + describe(root));
  problems.raise();
  ModelConfig model = HuggingFaceReader(root, problems).read();
  problems.raise();
  return resolve(std::move(model));
}

}  // namespace muonlab::config
