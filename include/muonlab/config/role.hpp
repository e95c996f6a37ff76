// Roles of parameters and the groups of roles that assignments name (design §5).
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

enum class Role { embed, q, k, v, o, ffn_in, ffn_gate, ffn_out, norm, head, bias };

template <>
struct EnumNames<Role> {
  static constexpr std::array<std::string_view, 11> names{
      "embed", "q", "k", "v", "o", "ffn_in", "ffn_gate", "ffn_out", "norm", "head", "bias"};
};

std::string_view role_name(Role role);
// True for the weight matrices of attention and feed-forward, the members of the group "matrices".
bool is_matrix_role(Role role);

// The name of a parameter, as Hugging Face has it, with its role, layer (-1 outside the layers) and
// shape ([out, in] for matrices, [width] for norms, [out] for biases).
struct ParameterSpec {
  std::string name;
  Role role;
  int layer = -1;
  std::vector<int64_t> shape;

  int64_t count() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
};

// What a line of assign names, read once: a group (qk vo attn ffn matrices all), a role's name,
// Hugging Face's word for a matrix (q_proj, gate_proj, up_proj, lm_head, …: the last part of its
// name), or a glob on the parameter's name ("model.layers.*.mlp.*"; it holds a '.' or a '*');
// "@a-b" or "@a" after any of them keeps the layers a..b. A text that is malformed matches nothing.
class Selector {
 public:
  explicit Selector(std::string_view text);
  bool matches(const ParameterSpec& parameter) const;
  bool is_glob() const { return !glob_.empty(); }
  // The last layer named after '@'; -1 where none is.
  int last_layer() const { return ranged_ ? last_ : -1; }
  // The same selector with its range cut at a model's last layer.
  std::string cut_at(int layer) const;

 private:
  std::string name_, glob_, word_;
  std::bitset<EnumNames<Role>::names.size()> roles_;
  bool ranged_ = false;
  int first_ = 0, last_ = 0;
};

inline bool selector_matches(std::string_view selector, const ParameterSpec& parameter) {
  return Selector(selector).matches(parameter);
}
// Empty when the selector is well formed, else the reason, with the known groups and roles.
std::string selector_problem(std::string_view selector);

}  // namespace muonlab::config
