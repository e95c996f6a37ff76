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

void check_model(Checker& c) {
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
}

}  // namespace muonlab::config
