// Fields of a foreign config.json, read as transformers types them.
#pragma once

#include <optional>
#include <string>

#include "config/reader.hpp"
#include "muonlab/config/model.hpp"

namespace muonlab::config {

class HfFields {
 public:
  using Kind = Value::Kind;

  HfFields(const Value& root, Problems& problems) : root_(root), problems_(problems) {}

  const Value& root() const { return root_; }
  bool has_problems() const { return !problems_.empty(); }

  // The value of a key, for which null is the same as absent.
  const Value* given(const char* key) const {
    const Value* value = root_.find(key);
    return value && !value->is(Kind::null) ? value : nullptr;
  }

  void refuse(const Value& value, const std::string& key, const std::string& text) {
    problems_.add(value.mark, key, text);
  }

  // Where transformers has no meaning for null and stops.
  void refuse_null(const char* key) {
    const Value* value = root_.find(key);
    if (value && value->is(Kind::null))
      refuse(*value, key, "is null; leave it out to take the default");
  }

  std::optional<int64_t> integer(const char* key) { return integer_in(root_, key, key); }

  std::optional<int64_t> integer_in(const Value& object, const char* key, const std::string& path) {
    const Value* value = object.find(key);
    if (!value || value->is(Kind::null)) return std::nullopt;
    if (value->is(Kind::integer) && value->integer > 0 && value->integer <= (int64_t{1} << 28))
      return value->integer;
    refuse(*value, path, "expected an integer above 0, got " + describe(*value));
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

 private:
  const Value& root_;
  Problems& problems_;
};

// rope_theta and rope_scaling (transformers 4), rope_parameters (5). REQUIRES: the model's context.
void read_rope(HfFields& file, ModelConfig& model);
// The same of a Gemma 3, which has one set for layers with the window, never scaled here, and one
// for the others: rope_local_base_freq, or sliding_attention and full_attention within
// rope_parameters.
void read_two_ropes(HfFields& file, ModelConfig& model);
// sliding_window, use_sliding_window, max_window_layers and layer_types, by what the model_type
// makes of them. REQUIRES: the model's layers.
void read_window(HfFields& file, const std::string& type, ModelConfig& model);

}  // namespace muonlab::config
