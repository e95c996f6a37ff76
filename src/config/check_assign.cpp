#include <set>

#include "config/checker.hpp"
#include "muonlab/config/routing.hpp"

namespace muonlab::config {

namespace {

std::string shape_text(const ParameterSpec& p) {
  std::string text;
  for (int64_t d : p.shape) text += (text.empty() ? "[" : ", ") + std::to_string(d);
  return text + "]";
}

class AssignmentCheck {
 public:
  explicit AssignmentCheck(Checker& c) : c_(c) {}

  void run() {
    if (c_.problems.touches("assign")) return;
    for (const auto& [name, unused] : c_.run.optimizers) defined_.push_back(name);
    if (!at_path(c_.tree, "assign") && !choose_default()) return;
    for (size_t i = 0; i < c_.run.assign.size(); ++i) check_words(i);
    if (!c_.problems.touches("assign") && !c_.problems.touches("model")) route();
    if (!unknown_optimizer_) drop_unused_optimizers();
  }

 private:
  std::string line_path(size_t i) const { return item_path("assign", i); }

  // Without assignments a single optimizer takes everything.
  bool choose_default() {
    const auto& optimizers = c_.run.optimizers;
    if (optimizers.size() == 1) {
      c_.run.assign = {{{"all"}, optimizers.begin()->first}};
      return true;
    }
    // In code the member's own default may already fit.
    if (c_.tree.members.empty()) return true;
    if (!c_.problems.touches("optimizers")) {
      c_.fail("assign", optimizers.empty()
                            ? "there is no optimizer to assign"
                            : "is missing; say which parameters get which of " + some_of(defined_));
    }
    return false;
  }

  void check_words(size_t i) {
    const AssignConfig& line = c_.run.assign[i];
    if (line.params.empty()) c_.fail(line_path(i) + ".params", "is missing or empty");
    for (size_t j = 0; j < line.params.size(); ++j) {
      const std::string problem = selector_problem(line.params[j]);
      if (!problem.empty()) c_.fail(item_path(line_path(i) + ".params", j), problem);
    }
    if (line.optimizer.empty()) {
      c_.fail(line_path(i) + ".optimizer", "is missing; defined: " + some_of(defined_));
      unknown_optimizer_ = true;
    } else if (!c_.run.optimizers.contains(line.optimizer)) {
      unknown_optimizer_ = true;
      if (c_.problems.touches("optimizers")) return;  // it may be the one that could not be read
      c_.fail(line_path(i) + ".optimizer",
              base::str(quote(line.optimizer), " is no optimizer; defined: ", some_of(defined_),
                        c_.problems.crowded() ? "" : suggestion(line.optimizer, defined_)));
    }
  }

  void route() {
    ModelConfig model = c_.run.model;
    if (!model.vocabulary) model.vocabulary = 2;  // which line covers what does not depend on it
    specs_ = parameter_specs(model);
    std::vector<std::string> selectors;
    for (const AssignConfig& line : c_.run.assign)
      selectors.insert(selectors.end(), line.params.begin(), line.params.end());
    if (!c_.few_enough("assign", selectors, specs_.size())) return;
    line_of_ = first_matches(c_.run.assign, specs_);
    took_.resize(c_.run.assign.size());
    for (size_t p = 0; p < specs_.size(); ++p) {
      if (line_of_[p] != kNoLine) took_[line_of_[p]].push_back(p);
    }
    std::vector<AssignConfig> kept;
    // Places follow the lines as written, even where inherited ones are dropped.
    for (size_t i = 0; i < c_.run.assign.size(); ++i) {
      AssignConfig line = c_.run.assign[i];
      if (route_line(i, line)) kept.push_back(std::move(line));
    }
    check_coverage();
    check_per_head();
    check_hyperball();
    if (!c_.problems.touches("assign")) c_.run.assign = std::move(kept);
  }

  // False where the line is dropped.
  bool route_line(size_t i, AssignConfig& line) {
    const std::string path = line_path(i);
    std::vector<std::string> alive;
    for (size_t j = 0; j < line.params.size(); ++j) {
      const Selector parsed(line.params[j]);
      const bool matches = std::any_of(specs_.begin(), specs_.end(),
                                       [&](const ParameterSpec& p) { return parsed.matches(p); });
      const std::string selector = item_path(path + ".params", j);
      if (matches) {
        alive.push_back(c_.within_model(parsed, line.params[j], selector));
      } else if (!c_.without_effect(
                     selector, "model",
                     quote(line.params[j]) + " matches no parameter of this model")) {
        alive.push_back(line.params[j]);
      }
    }
    if (alive.empty()) return false;
    line.params = std::move(alive);
    if (took_[i].empty() && !c_.problems.touches(path)) {
      return !c_.without_effect(path, "assign", "the lines above take every parameter it names");
    }
    check_line(i, line);
    return true;
  }

  void check_line(size_t i, const AssignConfig& line) {
    const auto found = c_.run.optimizers.find(line.optimizer);
    if (found == c_.run.optimizers.end()) return;
    for (size_t p : took_[i]) {
      if (is_for_matrices_only(found->second) && specs_[p].shape.size() != 2) {
        c_.fail(line_path(i), base::str(rule_name(found->second), " updates matrices; ",
                                        specs_[p].name, " ", shape_text(specs_[p]),
                                        " is a vector; assign norms to another optimizer above"));
        break;
      }
    }
    for (size_t p : took_[i]) {
      const Role role = specs_[p].role;
      if (role == Role::q || role == Role::k || role == Role::v || role == Role::o) {
        attention_.insert(line.optimizer);
      }
    }
  }

  void check_coverage() {
    size_t missing = 0, first = 0;
    for (size_t p = specs_.size(); p-- > 0;) {
      if (line_of_[p] != kNoLine) continue;
      ++missing;
      first = p;
    }
    if (missing == 0) return;
    const ParameterSpec& p = specs_[first];
    // Without a vocabulary the first size of the embedding and of the head is not known yet.
    const bool known = c_.run.model.vocabulary || (p.role != Role::embed && p.role != Role::head);
    c_.fail("assign", base::str("no line covers ", p.name, known ? " " + shape_text(p) : "",
                                missing > 1 ? base::str(" and ", missing - 1, " more") : "",
                                "; end with a line for \"all\""));
  }

  void check_per_head() {
    const ModelConfig& m = c_.run.model;
    for (auto& [name, optimizer] : c_.run.optimizers) {
      const std::string path = "optimizers." + name + ".per_head";
      std::visit(
          [&](auto& rule) {
            if constexpr (requires { rule.per_head; }) {
              if (!attention_.contains(name)) {
                c_.without_effect(rule.per_head, false, path, "assign",
                                  "it updates no attention matrix");
              } else if (m.heads == 1) {
                c_.without_effect(rule.per_head, false, path, "model.heads", "there is one head");
              }
              if (rule.per_head) check_groups("optimizers." + name, rule.heads_per_group);
            }
          },
          optimizer);
    }
  }

  // Groups divide the heads of q and o and those of k and v.
  void check_groups(const std::string& optimizer, int64_t group) {
    const ModelConfig& m = c_.run.model;
    const int64_t kv_heads = m.kv_heads.value_or(m.heads);
    for (const auto& [heads, what] : {std::pair{m.heads, " heads"}, {kv_heads, " kv_heads"}}) {
      if (heads % group == 0) continue;
      c_.fail(optimizer + ".heads_per_group",
              base::str("the model's ", heads, what, " do not divide into groups of ", group));
      return;
    }
  }

  // The first parameter of this kind whose optimizer keeps its norm.
  template <class Wanted>
  std::optional<size_t> kept_norm(const Wanted& wanted) const {
    for (size_t p = 0; p < specs_.size(); ++p) {
      if (line_of_[p] == kNoLine || !wanted(specs_[p])) continue;
      const auto found = c_.run.optimizers.find(c_.run.assign[line_of_[p]].optimizer);
      if (found == c_.run.optimizers.end()) continue;
      if (std::visit([](const auto& rule) { return rule.hyperball; }, found->second)) return p;
    }
    return std::nullopt;
  }

  void check_hyperball() {
    const auto optimizer = [&](size_t p) {
      return "optimizers." + c_.run.assign[line_of_[p]].optimizer + ".hyperball";
    };
    const InitialWeights initial(c_.run.model);
    const auto zero = kept_norm([&](const ParameterSpec& spec) {
      return spec.role != Role::norm && initial.deviation(spec) == 0;
    });
    if (zero) {
      const bool is_bias = specs_[*zero].role == Role::bias;
      const char* cause = is_bias                           ? ""
                          : c_.run.model.init.zero_output   ? " (model.init.zero_output)"
                          : c_.run.model.init.rules.empty() ? " (model.init.std)"
                                                            : " (model.init.rules)";
      c_.fail(optimizer(*zero), base::str(specs_[*zero].name, " starts at zero", cause,
                                          ", so there is no norm to keep"));
    }
    const auto clipped = kept_norm(
        [](const ParameterSpec& spec) { return spec.role == Role::q || spec.role == Role::k; });
    if (clipped && c_.run.train.qk_clip > 0) {
      c_.fail("train.qk_clip", base::str(optimizer(*clipped), " keeps the norm of ",
                                         specs_[*clipped].name, ", which qk_clip would lower"));
    }
  }

  void drop_unused_optimizers() {
    std::set<std::string> used;
    for (const AssignConfig& line : c_.run.assign) used.insert(line.optimizer);
    std::erase_if(c_.run.optimizers, [&](const auto& entry) {
      return !used.contains(entry.first) &&
             c_.without_effect("optimizers." + entry.first, "assign", "no line of assign names it");
    });
  }

  Checker& c_;
  std::vector<std::string> defined_;  // names of the optimizers
  std::vector<ParameterSpec> specs_;
  std::vector<size_t> line_of_;            // of each parameter; kNoLine for none
  std::vector<std::vector<size_t>> took_;  // parameters of each line
  std::set<std::string> attention_;        // optimizers with an attention matrix
  bool unknown_optimizer_ = false;
};

}  // namespace

void check_assign(Checker& c) { AssignmentCheck(c).run(); }

}  // namespace muonlab::config
