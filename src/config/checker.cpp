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

int Checker::layer(const std::string& path) const {
  const Value* value = at_path(tree, path);
  return value ? highest(*value) : static_cast<int>(Source::defaults);
}

bool Checker::without_effect(const std::string& path, const std::string& cause,
                             const std::string& reason) {
  const Value* value = at_path(tree, path);
  if (!value) return true;
  const int wrote = highest(*value);
  const bool own = wrote == Source::file || wrote == Source::setting;
  if (own && wrote >= layer(cause)) {
    fail(path, "has no effect: " + reason);
    return false;
  }
  if (wrote > Source::defaults) dropped.push_back(path + ": " + reason);
  return true;
}

}  // namespace muonlab::config
