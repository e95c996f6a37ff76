#include "config/hf_fields.hpp"

namespace muonlab::config {

namespace {

// One set of rotary parameters.
class HfRotation {
 public:
  HfRotation(HfFields& file, const Value& rope, std::string key, int64_t context)
      : file_(file), rope_(rope), key_(std::move(key)), context_(context) {}

  // The theta, where the set says one.
  std::optional<double> theta() { return number("rope_theta"); }

  RopeScaling scaling() {
    const Value* type = rope_.find("rope_type");
    if (!type) type = rope_.find("type");
    if (!type && rope_.find("factor")) {
      file_.refuse(rope_, key_, "has a factor, but no rope_type says what it scales");
      return NoScaling{};
    }
    const std::string kind = type ? type->text : "default";
    if (kind == "default") return NoScaling{};
    if (kind == "linear") {
      LinearScaling scaling;
      scaling.factor = factor();
      return scaling;
    }
    if (kind == "dynamic") {
      DynamicScaling scaling;
      scaling.factor = factor();
      scaling.original_context = context_;
      return scaling;
    }
    if (kind == "llama3") return llama3();
    if (kind == "yarn") return yarn();
    file_.refuse(rope_, key_,
                 base::str("scaled rotary frequencies (", base::clip_text(kind, 40),
                           ") are not supported; muonlab computes default linear dynamic yarn "
                           "llama3"));
    return NoScaling{};
  }

 private:
  std::string path(const char* key) const { return key_ + "." + key; }
  std::optional<double> number(const char* key) { return file_.number_in(rope_, key, path(key)); }
  double needed(const char* key) {
    const std::optional<double> value = number(key);
    if (!value && !file_.has_problems()) file_.refuse(rope_, path(key), "is missing");
    return value.value_or(1.0);
  }
  double factor() {
    const double value = needed("factor");
    if (value < 1) file_.refuse(*rope_.find("factor"), path("factor"), "is below 1");
    return std::max(value, 1.0);
  }
  int64_t original() {
    const char* key = "original_max_position_embeddings";
    if (const auto outside = file_.integer(key)) return *outside;
    return file_.integer_in(rope_, key, path(key)).value_or(context_);
  }

  Llama3Scaling llama3() {
    Llama3Scaling scaling;
    scaling.factor = factor();
    scaling.original_context = original();
    scaling.low_frequency = needed("low_freq_factor");
    scaling.high_frequency = needed("high_freq_factor");
    return scaling;
  }

  // The default of a number that is 0 too.
  double or_default(const char* key, double usual) {
    const double value = number(key).value_or(0.0);
    return value == 0 ? usual : value;
  }

  YarnScaling yarn() {
    YarnScaling scaling;
    scaling.factor = factor();
    scaling.original_context = original();
    scaling.beta_fast = or_default("beta_fast", 32);
    scaling.beta_slow = or_default("beta_slow", 1);
    scaling.attention_factor = number("attention_factor");
    const double mscale = or_default("mscale", 0), all = or_default("mscale_all_dim", 0);
    if (!scaling.attention_factor && mscale != 0 && all != 0 && scaling.factor > 1) {
      const double log_factor = std::log(scaling.factor);
      scaling.attention_factor = (0.1 * mscale * log_factor + 1) / (0.1 * all * log_factor + 1);
    }
    if (const Value* truncate = rope_.find("truncate");
        truncate && truncate->is(Value::Kind::boolean) && !truncate->boolean)
      file_.refuse(*truncate, path("truncate"), "is not supported; muonlab computes with true");
    return scaling;
  }

  HfFields& file_;
  const Value& rope_;
  std::string key_;
  int64_t context_;
};

}  // namespace

void read_rope(HfFields& file, ModelConfig& model) {
  std::optional<double> theta = file.number("rope_theta");
  std::optional<RopeScaling> scaling;
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const Value* rope = file.given(key);
    if (!rope) continue;
    if (!rope->is(Value::Kind::object)) {
      file.refuse(*rope, key, "expected an object, got " + describe(*rope));
      continue;
    }
    bool is_nested = false;
    for (const Member& m : rope->members) {
      if (!m.value.is(Value::Kind::object) || is_nested) continue;
      is_nested = true;
      file.refuse(m.value, child_path(key, m.key),
                  base::str("rotary parameters of one kind of layer are not supported; muonlab has "
                            "one set for all layers, with rope_type and rope_theta directly in ",
                            key));
    }
    if (is_nested) continue;
    HfRotation rotation(file, *rope, key, model.context);
    const RopeScaling inner_scaling = rotation.scaling();
    if (scaling && *scaling != inner_scaling)
      file.refuse(*rope, key, "is another scaling than that of rope_parameters");
    scaling = inner_scaling;
    const std::string part = base::str(key, ".partial_rotary_factor");
    if (file.number_in(*rope, "partial_rotary_factor", part).value_or(1.0) != 1.0)
      file.refuse(*rope->find("partial_rotary_factor"), part,
                  "is not supported; muonlab rotates all of a head that it reads");
    const std::optional<double> inner = rotation.theta();
    if (inner && theta && *inner != *theta) {
      file.refuse(*rope, key,
                  base::str("its rope_theta is ", plain(*inner), ", another one is ", plain(*theta),
                            "; transformers 4 and 5 would take different ones"));
    }
    if (inner) theta = inner;
  }
  if (!theta) file.refuse_null("rope_theta");
  model.rope_theta = theta.value_or(10000.0);
  model.rope_scaling = scaling.value_or(NoScaling{});
  if (model.rope_theta <= 0) file.refuse(file.root(), "rope_theta", "is not above 0");
}

namespace {

// The theta that a field outside and a set of parameters say; they must not differ.
double theta_of(HfFields& file, const char* outside, const Value* inner, const std::string& path,
                double usual) {
  const std::optional<double> above = file.number(outside);
  std::optional<double> within;
  if (inner) within = file.number_in(*inner, "rope_theta", path + ".rope_theta");
  if (above && within && *above != *within) {
    file.refuse(
        *inner, path,
        base::str("its rope_theta is ", plain(*within), ", but ", outside, " is ", plain(*above)));
  }
  const double theta = within.value_or(above.value_or(usual));
  if (theta <= 0) file.refuse(inner ? *inner : file.root(), path, "is not above 0");
  return theta;
}

// One kind of layer's set within rope_parameters.
const Value* set_within(HfFields& file, const Value* sets, const char* kind) {
  const Value* set = sets ? sets->find(kind) : nullptr;
  if (!set || set->is(Value::Kind::null)) return nullptr;
  if (set->is(Value::Kind::object)) return set;
  file.refuse(*set, child_path("rope_parameters", kind),
              "expected an object, got " + describe(*set));
  return nullptr;
}

}  // namespace

void read_two_ropes(HfFields& file, ModelConfig& model) {
  const Value* sets = file.given("rope_parameters");
  if (sets && !sets->is(Value::Kind::object)) {
    file.refuse(*sets, "rope_parameters", "expected an object, got " + describe(*sets));
    return;
  }
  if (sets) {
    for (const Member& m : sets->members) {
      if (m.key == "full_attention" || m.key == "sliding_attention") continue;
      file.refuse(m.value, child_path("rope_parameters", m.key),
                  "is not supported in a Gemma 3, which has full_attention and sliding_attention "
                  "there");
      return;
    }
  }
  const Value* full = set_within(file, sets, "full_attention");
  const Value* windowed = set_within(file, sets, "sliding_attention");
  model.rope_theta =
      theta_of(file, "rope_theta", full, "rope_parameters.full_attention", 1'000'000.0);
  model.window_rope_theta = theta_of(file, "rope_local_base_freq", windowed,
                                     "rope_parameters.sliding_attention", 10'000.0);
  std::optional<RopeScaling> scaling;
  if (full)
    scaling = HfRotation(file, *full, "rope_parameters.full_attention", model.context).scaling();
  if (const Value* old = file.given("rope_scaling"); old && old->is(Value::Kind::object)) {
    const RopeScaling other = HfRotation(file, *old, "rope_scaling", model.context).scaling();
    if (scaling && *scaling != other)
      file.refuse(*old, "rope_scaling", "is another scaling than that of rope_parameters");
    scaling = other;
  } else if (old) {
    file.refuse(*old, "rope_scaling", "expected an object, got " + describe(*old));
  }
  model.rope_scaling = scaling.value_or(NoScaling{});
  if (windowed) {
    const std::string path = "rope_parameters.sliding_attention";
    if (HfRotation(file, *windowed, path, model.context).scaling() != RopeScaling(NoScaling{}))
      file.refuse(*windowed, path, "a scaling in layers with the window is not supported");
  }
}

}  // namespace muonlab::config
