#include "muonlab/config/role.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "config/kinds.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {

namespace {

struct Group {
  std::string_view name;
  std::vector<Role> roles;
};

const std::vector<Group>& groups() {
  static const std::vector<Group> kGroups{
      {"qk", {Role::q, Role::k}},
      {"vo", {Role::v, Role::o}},
      {"attn", {Role::q, Role::k, Role::v, Role::o}},
      {"ffn", {Role::ffn_in, Role::ffn_gate, Role::ffn_out}},
      {"matrices",
       {Role::q, Role::k, Role::v, Role::o, Role::ffn_in, Role::ffn_gate, Role::ffn_out}},
      {"all",
       {Role::embed, Role::q, Role::k, Role::v, Role::o, Role::ffn_in, Role::ffn_gate,
        Role::ffn_out, Role::norm, Role::head}}};
  return kGroups;
}

struct Layers {
  int first, last;
};

// "@a-b" or "@a" without the '@'.
std::optional<Layers> parse_layers(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool ok = error == std::errc() && end == digits.data() + digits.size() && value >= 0 &&
                    !digits.empty() && digits.front() != '-';
    return ok ? std::optional(value) : std::nullopt;
  };
  const size_t dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return Layers{*first, *last};
}

bool is_glob(std::string_view name) { return name.find_first_of(".*") != std::string_view::npos; }

// The roles behind a group's or a role's name; null for neither.
std::optional<std::vector<Role>> named_roles(std::string_view name) {
  for (const Group& group : groups()) {
    if (group.name == name) return group.roles;
  }
  for (size_t i = 0; i < EnumNames<Role>::names.size(); ++i) {
    if (EnumNames<Role>::names[i] == name) return std::vector{static_cast<Role>(i)};
  }
  return std::nullopt;
}

}  // namespace

std::string_view role_name(Role role) { return EnumNames<Role>::names[static_cast<size_t>(role)]; }

bool is_matrix_role(Role role) {
  return role != Role::embed && role != Role::norm && role != Role::head;
}

bool selector_matches(std::string_view selector, const ParameterSpec& parameter) {
  const size_t sign = selector.rfind('@');
  const std::string_view name = selector.substr(0, sign);
  if (sign != std::string_view::npos) {
    const auto layers = parse_layers(selector.substr(sign + 1));
    if (!layers || parameter.layer < layers->first || parameter.layer > layers->last) return false;
  }
  if (is_glob(name)) return base::glob_match(name, parameter.name);
  const auto roles = named_roles(name);
  return roles && std::find(roles->begin(), roles->end(), parameter.role) != roles->end();
}

std::string selector_problem(std::string_view selector) {
  const size_t sign = selector.rfind('@');
  const std::string_view name = selector.substr(0, sign);
  if (sign != std::string_view::npos && !parse_layers(selector.substr(sign + 1))) {
    return base::str("\"", selector.substr(sign),
                     "\" is no range of layers; write @a or @a-b, from 0");
  }
  if (is_glob(name) || named_roles(name)) return "";
  std::vector<std::string> known, roles = enum_names<Role>();
  for (const Group& group : groups()) known.emplace_back(group.name);
  std::string text = base::str("\"", name, "\" is no role, group or matching name; groups: ",
                               base::join(known, " "), "; roles: ", base::join(roles, " "));
  known.insert(known.end(), roles.begin(), roles.end());
  if (const auto near = base::nearest(name, known)) text += "; did you mean \"" + *near + "\"?";
  return text;
}

std::string role_display(Role role, bool gated) {
  const auto hugging_face = [&]() -> std::string_view {
    switch (role) {
      case Role::embed: return "embed_tokens";
      case Role::q: return "q_proj";
      case Role::k: return "k_proj";
      case Role::v: return "v_proj";
      case Role::o: return "o_proj";
      case Role::ffn_in: return gated ? "gate_proj" : "up_proj";
      case Role::ffn_gate: return "up_proj";
      case Role::ffn_out: return "down_proj";
      case Role::norm: return "norm";
      case Role::head: return "lm_head";
    }
    return "";
  }();
  if (hugging_face == role_name(role)) return std::string(hugging_face);
  return base::str(role_name(role), " (", hugging_face, ")");
}

}  // namespace muonlab::config
