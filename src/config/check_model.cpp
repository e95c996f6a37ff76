#include <cmath>

#include "config/checker.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {

namespace {

struct NamedSize {
  std::string_view name;
  int64_t layers, width, heads;
};
// 14m and 160m are the shapes of the benchmark and of the paper's 160 M model.
constexpr NamedSize kSizes[] = {
    {"tiny", 4, 128, 4}, {"small", 6, 256, 4}, {"14m", 6, 384, 6}, {"160m", 12, 768, 12}};

void check_attention(Checker& c) {
  ModelConfig& m = c.run.model;
  if (m.window_pattern.empty() || m.window_pattern.find_first_not_of("wf") != std::string::npos) {
    c.fail(
        "model.window_pattern",
        quote(m.window_pattern) + " is no pattern; write w (window) and f (full), as in \"wwf\"");
    m.window_pattern = "w";
  } else if (!m.window) {
    c.without_effect(m.window_pattern, "w", "model.window_pattern", "model.window",
                     "no window is set");
  } else if (m.window_pattern.find('w') == std::string::npos) {
    c.fail("model.window_pattern", "gives the window to no layer; leave model.window out");
  }
  if (!m.window) {
    c.without_effect(m.window_rope_theta, {}, "model.window_rope_theta", "model.window",
                     "no window is set");
  }
  if (m.value_residual == ValueResidual::none) {
    c.without_effect(m.value_residual_share, ModelConfig{}.value_residual_share,
                     "model.value_residual_share", "model.value_residual",
                     "value_residual is none");
  } else if (m.layers == 1) {
    c.without_effect(m.value_residual, ValueResidual::none, "model.value_residual", "model.layers",
                     "no layer follows the first");
  }
  if (m.logit_cap == 0) {
    c.without_effect(m.logit_cap_form, CapForm::tanh, "model.logit_cap_form", "model.logit_cap",
                     "there is no cap");
  }
  if (m.document_start && m.vocabulary && *m.document_start >= *m.vocabulary) {
    c.fail("model.document_start",
           base::str(*m.document_start, " is outside the vocabulary of ", *m.vocabulary));
  }
  const double pairs = m.rotary_fraction * static_cast<double>(m.head_dim.value_or(2) / 2);
  if (std::abs(pairs - std::round(pairs)) > 1e-6) {
    c.fail(
        "model.rotary_fraction",
        base::str("rotates ", pairs, " pairs of each head; choose a share that makes whole ones"));
  }
  if (const auto* scaling = std::get_if<Llama3Scaling>(&m.rope_scaling);
      scaling && scaling->high_frequency <= scaling->low_frequency) {
    c.fail("model.rope_scaling.high_frequency",
           base::str(scaling->high_frequency, " is not above low_frequency, ",
                     scaling->low_frequency));
  }
}

void check_init(Checker& c) {
  ModelConfig model = c.run.model;
  if (!model.vocabulary) model.vocabulary = 2;  // what matches does not depend on it
  const std::vector<ParameterSpec> specs = parameter_specs(model);
  std::vector<InitRule>& rules = c.run.model.init.rules;
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string path = item_path("model.init.rules", i);
    InitRule& rule = rules[i];
    if (rule.params.empty()) c.fail(path + ".params", "is missing or empty");
    if (!c.few_enough(path + ".params", rule.params, specs.size())) return;
    for (size_t j = 0; j < rule.params.size(); ++j) {
      const std::string item = item_path(path + ".params", j);
      const std::string problem = selector_problem(rule.params[j]);
      const Selector selector(rule.params[j]);
      const auto matches = [&](const ParameterSpec& spec) {
        return spec.shape.size() == 2 && selector.matches(spec);
      };
      if (!problem.empty()) {
        c.fail(item, problem);
      } else if (std::none_of(specs.begin(), specs.end(), matches)) {
        c.fail(item, quote(rule.params[j]) + " matches no matrix of this model");
      } else {
        rule.params[j] = c.within_model(selector, rule.params[j], item);
      }
    }
    if (rule.kind == InitKind::zero && rule.value)
      c.fail(path + ".value", "has no effect: the kind is zero");
  }
}

}  // namespace

std::optional<ModelConfig> named_size(std::string_view name) {
  for (const NamedSize& size : kSizes) {
    if (size.name != name) continue;
    ModelConfig model;
    model.layers = size.layers;
    model.width = size.width;
    model.heads = size.heads;
    return model;
  }
  return std::nullopt;
}

std::vector<std::string> size_names() {
  std::vector<std::string> names;
  for (const NamedSize& size : kSizes) names.emplace_back(size.name);
  return names;
}

void fill_shape(ModelConfig& model) {
  if (!model.kv_heads) model.kv_heads = model.heads;
  if (!model.head_dim) model.head_dim = std::max<int64_t>(2, model.width / model.heads);
  // 8/3 of the width to the nearest integer keeps the gated layer as large as the plain one.
  if (!model.ffn_width) model.ffn_width = model.gated ? (8 * model.width + 1) / 3 : 4 * model.width;
}

namespace {

void check_init_from(Checker& c) {
  if (!c.run.init) return;
  if (c.run.init->from.empty())
    c.fail("init", "from is missing: name the folder of a Hugging Face model");
  const std::string reason = "the weights come from init.from";
  InitConfig& random = c.run.model.init;
  c.without_effect(random.depth_scaled, false, "model.init.depth_scaled", "init.from", reason);
  c.without_effect(random.zero_output, false, "model.init.zero_output", "init.from", reason);
}

}  // namespace

void check_model(Checker& c) {
  check_init_from(c);
  ModelConfig& m = c.run.model;
  m.from.reset();
  m.size.reset();
  const bool shape_ok = !c.problems.touches("model.width") && !c.problems.touches("model.heads");
  if (!m.head_dim && shape_ok && !c.problems.touches("model.head_dim")) {
    if (m.width % m.heads != 0) {
      c.fail("model.heads", base::str(m.heads, " heads do not divide the width ", m.width,
                                      "; change one, or give head_dim"));
    } else if ((m.width / m.heads) % 2 != 0) {
      c.fail("model.heads",
             base::str("width ", m.width, " over ", m.heads, " heads gives a head of width ",
                       m.width / m.heads, "; rotary embeddings need an even one"));
    }
  }
  if (m.head_dim && *m.head_dim % 2 != 0) {
    c.fail("model.head_dim",
           base::str(*m.head_dim, " is odd; rotary embeddings need an even width"));
  }
  if (m.kv_heads && shape_ok && m.heads % *m.kv_heads != 0) {
    c.fail("model.kv_heads", base::str(*m.kv_heads, " does not divide the ", m.heads, " heads"));
  }
  fill_shape(m);
  if (m.init.zero_output) {
    c.without_effect(m.init.depth_scaled, false, "model.init.depth_scaled",
                     "model.init.zero_output", "zero_output starts o and ffn_out at zero");
  }
  if (c.problems.touches("model")) return;
  check_attention(c);
  if (!m.init.rules.empty()) check_init(c);
}

}  // namespace muonlab::config
