#include "config/checker.hpp"

namespace muonlab::config {

namespace {

int highest(const Value& value) {
  int top = value.mark.layer();
  for (const Value& item : value.items) top = std::max(top, highest(item));
  for (const Member& m : value.members) top = std::max(top, highest(m.value));
  return top;
}

}  // namespace

int Checker::layer(const std::string& path) {
  const auto [known, is_new] = layers.try_emplace(path, static_cast<int>(Source::defaults));
  const Value* value = is_new ? at_path(tree, path) : nullptr;
  if (value) known->second = highest(*value);
  return known->second;
}

bool Checker::is_inherited(const std::string& path, const std::string& cause) {
  const Value* value = at_path(tree, path);
  const int wrote = value ? highest(*value) : static_cast<int>(Source::defaults);
  const bool own = wrote == Source::file || wrote == Source::setting;
  return !own || wrote < layer(cause);
}

bool Checker::without_effect(const std::string& path, const std::string& cause,
                             const std::string& reason) {
  if (!is_inherited(path, cause)) {
    fail(path, "has no effect: " + reason);
    return false;
  }
  const Value* value = at_path(tree, path);
  if (value && highest(*value) > Source::defaults) dropped.push_back(path + ": " + reason);
  return true;
}

bool Checker::few_enough(const std::string& path, const std::vector<std::string>& selectors,
                         size_t num_parameters) {
  constexpr size_t kMatches = 100'000'000, kGlobMatches = 10'000'000;
  size_t globs = 0;
  for (const std::string& text : selectors) globs += Selector(text).is_glob() ? 1 : 0;
  if (selectors.size() <= kMatches / num_parameters && globs <= kGlobMatches / num_parameters)
    return true;
  fail(path, base::str(selectors.size(), " selectors, ", globs, " of them patterns, for ",
                       num_parameters, " parameters are too many; use groups, roles and ranges"));
  return false;
}

std::string Checker::within_model(const Selector& selector, const std::string& text,
                                  const std::string& path) {
  const int last = static_cast<int>(run.model.layers) - 1;
  if (stored || selector.last_layer() <= last) return text;
  const std::string reason = base::str(quote(text), " goes beyond the model's last layer, ", last);
  if (!is_inherited(path, "model")) {
    fail(path, base::str(reason, "; write ", quote(selector.cut_at(last))));
    return text;
  }
  dropped.push_back(path + ": " + reason);
  return selector.cut_at(last);
}

}  // namespace muonlab::config
