#include <algorithm>
#include <set>
#include <tuple>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/optim/optimizer.hpp"

namespace muonlab::optim {
namespace {

using config::ParameterSpec;

constexpr size_t kNobody = SIZE_MAX;

std::string in_quotes(std::string_view text) { return base::str('"', text, '"'); }

std::string count_of(size_t n, std::string_view noun) {
  return base::str(n, " ", noun, n == 1 ? "" : "s");
}

bool line_matches(const config::AssignConfig& line, const ParameterSpec& spec) {
  return std::any_of(line.params.begin(), line.params.end(), [&](const std::string& selector) {
    return config::selector_matches(selector, spec);
  });
}

// Layout key: matrices first, those of one shape together and next to their transposes, vectors
// last.
std::tuple<int, int64_t, int64_t, int64_t> shape_key(const ParameterSpec& spec) {
  if (spec.shape.size() != 2) return {1, spec.count(), 0, 0};
  const int64_t r = spec.shape[0], c = spec.shape[1];
  return {0, std::min(r, c), std::max(r, c), r};
}

class Router {
 public:
  Router(const std::vector<ParameterSpec>& specs, const config::RunConfig& run)
      : specs_(specs), run_(run), taker_(specs.size(), kNobody) {}

  Routing route() {
    for (size_t line = 0; line < run_.assign.size(); ++line) assign(line);
    check_coverage();
    if (!problems_.empty()) throw base::Error(base::join(problems_, "\n"));
    return result();
  }

 private:
  void assign(size_t line) {
    const config::AssignConfig& config = run_.assign[line];
    check_optimizer(line);
    const bool selectors_good = check_selectors(line);
    std::set<size_t> takers;  // earlier lines that took what this one matches
    std::vector<size_t> taken, vectors;
    for (size_t i = 0; i < specs_.size(); ++i) {
      if (!line_matches(config, specs_[i])) continue;
      if (taker_[i] != kNobody) {
        takers.insert(taker_[i]);
        continue;
      }
      taker_[i] = line;
      taken.push_back(i);
      if (specs_[i].shape.size() != 2) vectors.push_back(i);
    }
    if (is_muon(config.optimizer) && !vectors.empty()) {
      const ParameterSpec& first = specs_[vectors.front()];
      problem("assign[", line, "] gives ", count_of(vectors.size(), "vector"),
              " to muon, which updates matrices only (", first.name,
              vectors.size() > 1 ? ", …" : "",
              "); put a line before it that gives the norms to another optimizer, or select "
              "\"matrices\"");
    }
    if (!taken.empty() || !selectors_good) return;
    std::vector<std::string> names;
    for (size_t taker : takers) names.push_back(base::str("assign[", taker, "]"));
    problem("assign[", line, "] (", base::join(config.params, " "),
            ") gets nothing: ", base::join(names, ", "), names.size() == 1 ? " takes" : " take",
            " all it selects; the first match wins, so move it up or remove it");
  }

  void check_optimizer(size_t line) {
    const std::string& name = run_.assign[line].optimizer;
    if (run_.optimizers.contains(name)) return;
    std::vector<std::string> known;
    for (const auto& [key, value] : run_.optimizers) known.push_back(key);
    const auto near = base::nearest(name, known);
    problem("assign[", line, "].optimizer: ", in_quotes(name), " is no optimizer",
            near ? "; did you mean " + in_quotes(*near) + "?"
                 : "; optimizers: " + base::join(known, " "));
  }

  // A line needs one selector that matches something. A pattern or layer range that matches nothing
  // is refused in any case; a role may be absent (the head of a tied model).
  bool check_selectors(size_t line) {
    const config::AssignConfig& config = run_.assign[line];
    bool any_match = false, good = true;
    std::vector<std::string> dead;
    for (const std::string& selector : config.params) {
      const auto place = base::str("assign[", line, "].params: ");
      const std::string malformed = config::selector_problem(selector);
      const bool matches =
          malformed.empty() && std::any_of(specs_.begin(), specs_.end(), [&](const auto& spec) {
            return config::selector_matches(selector, spec);
          });
      any_match |= matches;
      if (!malformed.empty()) {
        problem(place, malformed);
        good = false;
      } else if (!matches && selector.find_first_of(".*?@") != std::string::npos) {
        problem(place, in_quotes(selector), " matches no parameter", hint(selector));
        good = false;
      } else if (!matches) {
        dead.push_back(selector);
      }
    }
    if (!any_match && good) {
      problem("assign[", line, "].params: this model has no ", base::join(dead, " "),
              "; remove the line");
      good = false;
    }
    return good;
  }

  std::string hint(const std::string& selector) const {
    const std::string pattern = selector.substr(0, selector.find('@'));
    std::vector<std::string> names;
    int last_layer = -1;
    for (const ParameterSpec& spec : specs_) {
      names.push_back(spec.name);
      last_layer = std::max(last_layer, spec.layer);
    }
    if (const auto near = base::nearest(pattern, names))
      return "; did you mean " + in_quotes(*near) + "?";
    if (pattern.size() < selector.size()) return base::str("; the layers are 0 to ", last_layer);
    return names.empty() ? "" : "; names look like " + in_quotes(names[names.size() / 2]);
  }

  void check_coverage() {
    std::vector<std::string> uncovered;
    std::set<std::string> roles;
    for (size_t i = 0; i < specs_.size(); ++i) {
      if (taker_[i] != kNobody) continue;
      uncovered.push_back(specs_[i].name);
      roles.insert(std::string(config::role_name(specs_[i].role)));
    }
    if (uncovered.empty()) return;
    const std::vector<std::string> listed(roles.begin(), roles.end());
    problem("no line of assign covers ", count_of(uncovered.size(), "parameter"), ", the first ",
            uncovered.front(), " (roles: ", base::join(listed, " "),
            "); add a last line {\"params\": [\"all\"], \"optimizer\": …}");
  }

  Routing result() const {
    Routing routing{specs_, {}, taker_, {}};
    for (size_t line : taker_) routing.optimizer.push_back(run_.assign[line].optimizer);
    // An optimizer's place is that of the first line that names it.
    const auto place = [&](size_t i) {
      const auto named = [&](const config::AssignConfig& line) {
        return line.optimizer == routing.optimizer[i];
      };
      return std::find_if(run_.assign.begin(), run_.assign.end(), named) - run_.assign.begin();
    };
    for (size_t i = 0; i < specs_.size(); ++i) routing.order.push_back(i);
    std::sort(routing.order.begin(), routing.order.end(), [&](size_t a, size_t b) {
      return std::tuple(place(a), shape_key(specs_[a]), a) <
             std::tuple(place(b), shape_key(specs_[b]), b);
    });
    return routing;
  }

  bool is_muon(const std::string& optimizer) const {
    const auto found = run_.optimizers.find(optimizer);
    return found != run_.optimizers.end() &&
           std::holds_alternative<config::MuonConfig>(found->second);
  }

  template <class... Parts>
  void problem(const Parts&... parts) {
    problems_.push_back(base::str(parts...));
  }

  const std::vector<ParameterSpec>& specs_;
  const config::RunConfig& run_;
  std::vector<size_t> taker_;  // line that took parameter i
  std::vector<std::string> problems_;
};

}  // namespace

Routing route(const std::vector<ParameterSpec>& specs, const config::RunConfig& run) {
  return Router(specs, run).route();
}

}  // namespace muonlab::optim
