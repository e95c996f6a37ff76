#include "muonlab/config/role.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "config/kinds.hpp"
#include "config/value.hpp"
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
        Role::ffn_out, Role::norm, Role::head, Role::bias}}};
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

std::string range_text(int first, int last) {
  return first == last ? base::str("@", first) : base::str("@", first, "-", last);
}

bool has_glob(std::string_view name) { return name.find_first_of(".*") != std::string_view::npos; }

// Last parts of Hugging Face's names of matrices. up_proj is ffn_gate where the feed-forward is
// gated and ffn_in where it is plain; the name decides, not the role.
constexpr std::array<std::string_view, 9> kWords{"q_proj",    "k_proj",       "v_proj",
                                                 "o_proj",    "gate_proj",    "up_proj",
                                                 "down_proj", "embed_tokens", "lm_head"};

bool is_word(std::string_view name) {
  return std::find(kWords.begin(), kWords.end(), name) != kWords.end();
}

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
  return role != Role::embed && role != Role::norm && role != Role::head && role != Role::bias;
}

Selector::Selector(std::string_view text) {
  const size_t sign = text.rfind('@');
  const std::string_view name = text.substr(0, sign);
  name_ = name;
  if (sign != std::string_view::npos) {
    const auto layers = parse_layers(text.substr(sign + 1));
    if (!layers) return;
    ranged_ = true;
    first_ = layers->first;
    last_ = layers->last;
  }
  if (has_glob(name)) {
    glob_ = name;
  } else if (is_word(name)) {
    word_ = base::str(name, ".weight");
  } else if (const auto roles = named_roles(name)) {
    for (Role role : *roles) roles_.set(static_cast<size_t>(role));
  }
}

bool Selector::matches(const ParameterSpec& parameter) const {
  if (ranged_ && (parameter.layer < first_ || parameter.layer > last_)) return false;
  if (!glob_.empty()) return base::glob_match(glob_, parameter.name);
  if (word_.empty()) return roles_.test(static_cast<size_t>(parameter.role));
  const std::string& name = parameter.name;
  return name.ends_with(word_) &&
         (name.size() == word_.size() || name[name.size() - word_.size() - 1] == '.');
}

std::string Selector::cut_at(int layer) const {
  if (!ranged_ || last_ <= layer) return name_ + (ranged_ ? range_text(first_, last_) : "");
  return name_ + range_text(first_, layer);
}

std::string selector_problem(std::string_view selector) {
  constexpr size_t kMaxLength = 200;
  if (selector.size() > kMaxLength) {
    return base::str("is ", selector.size(), " characters long; at most ", kMaxLength,
                     " are matched against names");
  }
  const size_t sign = selector.rfind('@');
  const std::string_view name = selector.substr(0, sign);
  if (sign != std::string_view::npos && !parse_layers(selector.substr(sign + 1))) {
    return quote(selector.substr(sign)) + " is no range of layers; write @a or @a-b, from 0";
  }
  if (has_glob(name) || is_word(name) || named_roles(name)) return "";
  std::vector<std::string> known, roles = enum_names<Role>();
  for (const Group& group : groups()) known.emplace_back(group.name);
  const std::vector<std::string> words(kWords.begin(), kWords.end());
  std::string text = base::str(quote(name), " is no role, group or matching name; groups: ",
                               base::join(known, " "), "; roles: ", base::join(roles, " "));
  known.insert(known.end(), roles.begin(), roles.end());
  known.insert(known.end(), words.begin(), words.end());
  if (const auto near = base::nearest(name, known)) text += "; did you mean \"" + *near + "\"?";
  return text;
}

}  // namespace muonlab::config
