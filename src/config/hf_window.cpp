#include "config/architecture.hpp"
#include "config/hf_fields.hpp"

namespace muonlab::config {

namespace {

// w and f of each layer, from layer_types; empty where there is none, or a problem was found.
std::string types_of_layers(HfFields& file, int64_t num_layers, bool allow_windows) {
  const Value* types = file.given("layer_types");
  if (!types) return "";
  if (!types->is(Value::Kind::array)) {
    file.refuse(*types, "layer_types", "expected an array, got " + describe(*types));
    return "";
  }
  std::string pattern;
  for (size_t i = 0; i < types->items.size(); ++i) {
    const std::string& type = types->items[i].text;
    if (type == "full_attention") {
      pattern += 'f';
    } else if (allow_windows && type == "sliding_attention") {
      pattern += 'w';
    } else {
      file.refuse(types->items[i], item_path("layer_types", i),
                  quote(type) + " is not supported; muonlab computes full_attention" +
                      (allow_windows ? " and sliding_attention" : " in this model"));
      return "";
    }
  }
  if (static_cast<int64_t>(pattern.size()) == num_layers) return pattern;
  file.refuse(*types, "layer_types",
              base::str("names ", pattern.size(), " layers, num_hidden_layers says ", num_layers));
  return "";
}

// The shortest pattern that, repeated, gives all of it.
std::string period_of(const std::string& pattern) {
  for (size_t length = 1; length < pattern.size(); ++length) {
    size_t i = length;
    while (i < pattern.size() && pattern[i] == pattern[i % length]) ++i;
    if (i == pattern.size()) return pattern.substr(0, length);
  }
  return pattern;
}

}  // namespace

void read_window(HfFields& file, const std::string& type, ModelConfig& model) {
  const auto layers = static_cast<size_t>(model.layers);
  const bool is_qwen = type == kQwen2.model_type || type == kQwen3.model_type;
  const bool is_mistral = type == kMistral.model_type, of_gemma = is_gemma(type);
  const bool is_used = is_qwen ? file.flag("use_sliding_window") : is_mistral || of_gemma;
  if (!is_qwen && file.flag("use_sliding_window")) {
    file.refuse(*file.given("use_sliding_window"), "use_sliding_window",
                "sliding windows are not supported for a " + type);
  }
  const Value* at = file.root().find("sliding_window");
  const bool is_null = at && at->is(Value::Kind::null);
  const bool has_window = is_used && !is_null;
  std::string pattern = types_of_layers(file, model.layers, has_window);
  if (!has_window) {
    if (of_gemma) file.refuse_null("sliding_window");
    return;
  }
  const int64_t window = file.integer("sliding_window").value_or(4096);
  if (is_mistral && pattern.find('f') != std::string::npos)
    file.refuse(*file.given("layer_types"), "layer_types",
                "a Mistral has the window in every layer");
  if (pattern.empty()) {
    pattern.assign(layers, 'w');
    if (of_gemma) {
      const size_t period =
          type == kGemma2.model_type
              ? 2
              : static_cast<size_t>(file.integer("sliding_window_pattern").value_or(6));
      for (size_t i = period - 1; i < layers; i += period) pattern[i] = 'f';
    } else if (is_qwen) {
      const auto first = static_cast<size_t>(file.integer("max_window_layers").value_or(28));
      for (size_t i = 0; i < std::min(first, layers); ++i) pattern[i] = 'f';
    }
  }
  if (pattern.find('w') == std::string::npos) return;
  model.window = window;
  model.window_pattern = period_of(pattern);
}

}  // namespace muonlab::config
