// What a person sees of a routing.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/optim/routing.hpp"

namespace muonlab::optim {
namespace {

using config::ParameterSpec;
using config::Role;

std::string number(double value) { return base::significant(value, 6); }

// {0, 1, 2, 5} -> "0-2,5"
std::string ranges(const std::set<int>& numbers) {
  std::string text;
  for (auto it = numbers.begin(); it != numbers.end();) {
    const int first = *it;
    int last = first;
    while (++it != numbers.end() && *it == last + 1) ++last;
    if (!text.empty()) text += ",";
    text += first == last ? base::str(first) : base::str(first, "-", last);
  }
  return text;
}

std::vector<size_t> members_of(const Routing& routing, const std::string& optimizer) {
  std::vector<size_t> members;
  for (size_t i = 0; i < routing.specs.size(); ++i) {
    if (routing.optimizer[i] == optimizer) members.push_back(i);
  }
  return members;
}

// "embed, head, norms, layers 0-5: q k"
std::string summary(const Routing& routing, const std::vector<size_t>& members) {
  std::vector<std::string> parts;
  size_t norms = 0;
  std::map<Role, std::set<int>> layers;  // of the matrices in layers
  for (size_t i : members) {
    const ParameterSpec& spec = routing.specs[i];
    if (spec.role == Role::norm) {
      ++norms;
    } else if (spec.layer < 0) {
      parts.emplace_back(config::role_name(spec.role));
    } else {
      layers[spec.role].insert(spec.layer);
    }
  }
  if (norms > 0) {
    const auto all = static_cast<size_t>(
        std::count_if(routing.specs.begin(), routing.specs.end(),
                      [](const auto& spec) { return spec.role == Role::norm; }));
    parts.push_back(norms == all ? "norms" : base::str(norms, " of ", all, " norms"));
  }
  // roles with the same layers share a group
  std::vector<std::pair<std::set<int>, std::string>> groups;
  for (const auto& [role, set] : layers) {
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == set; });
    if (group == groups.end()) group = groups.insert(groups.end(), {set, ""});
    group->second += base::str(" ", config::role_name(role));
  }
  for (const auto& [set, roles] : groups) {
    parts.push_back(base::str(set.size() == 1 ? "layer " : "layers ", ranges(set), ":", roles));
  }
  return base::join(parts, ", ");
}

// The part of a Hugging Face name that says what the parameter is: "gate_proj".
std::string hugging_face_role(const std::string& name) {
  std::vector<std::string> parts = base::split(name, '.');
  if (parts.size() > 1 && parts.back() == "weight") parts.pop_back();
  return parts.back();
}

// "ffn_in is gate_proj, …" for the feed-forward roles, whose two sets of names are easily confused.
std::string legend(const Routing& routing) {
  std::map<Role, std::string> names;
  for (const ParameterSpec& spec : routing.specs) {
    if (spec.role == Role::ffn_in || spec.role == Role::ffn_gate || spec.role == Role::ffn_out) {
      names.emplace(spec.role, hugging_face_role(spec.name));
    }
  }
  std::vector<std::string> parts;
  for (const auto& [role, name] : names)
    parts.push_back(base::str(config::role_name(role), " is ", name));
  return parts.empty() ? "" : "  " + base::join(parts, ", ") + "\n";
}

}  // namespace

std::string routing_table(const Routing& routing, const config::RunConfig& run, size_t width) {
  using Kind = base::TextColumn::Kind;
  base::TextTable table({{"optimizer"},
                         {"rule"},
                         {"learning rate"},
                         {"parameters", Kind::prose},
                         {"matrices", Kind::number},
                         {"values", Kind::number}});
  std::vector<std::string> shown;
  for (size_t first : routing.order) {
    const std::string& name = routing.optimizer[first];
    if (std::find(shown.begin(), shown.end(), name) != shown.end()) continue;
    shown.push_back(name);
    const config::OptimizerConfig& config = run.optimizers.at(name);
    const std::vector<size_t> members = members_of(routing, name);
    int64_t matrices = 0, values = 0;
    for (size_t i : members) {
      matrices += routing.specs[i].shape.size() == 2;
      values += routing.specs[i].count();
    }
    table.add_row({name, std::string(config::rule_name(config)),
                   std::visit([](const auto& c) { return number(c.lr); }, config),
                   summary(routing, members), base::with_commas(matrices),
                   base::human_count(static_cast<double>(values))});
  }
  return table.text(width, 2) + legend(routing);
}

std::string routing_tsv(const Routing& routing, const config::RunConfig& run) {
  std::string text =
      "parameter\trole\thugging_face_role\tshape\toptimizer\trule\tlearning_"
      "rate\tdecay\tassignment\tselectors\n";
  for (size_t i = 0; i < routing.specs.size(); ++i) {
    const ParameterSpec& spec = routing.specs[i];
    std::vector<std::string> shape;
    for (int64_t d : spec.shape) shape.push_back(base::str(d));
    const config::OptimizerConfig& config = run.optimizers.at(routing.optimizer[i]);
    const size_t line = routing.assignment[i];
    const std::array<std::string, 10> cells{
        spec.name,
        std::string(config::role_name(spec.role)),
        hugging_face_role(spec.name),
        base::join(shape, "x"),
        routing.optimizer[i],
        std::string(config::rule_name(config)),
        std::visit([](const auto& c) { return number(c.lr); }, config),
        std::visit([](const auto& c) { return number(c.decay); }, config),
        base::str("assign[", line, "]"),
        base::join(run.assign[line].params, " ")};
    text += base::join(cells, "\t") + "\n";
  }
  return text;
}

}  // namespace muonlab::optim
