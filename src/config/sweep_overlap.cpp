#include "config/sweep_overlap.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "config/merge.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {
namespace {

using PathSteps = std::vector<std::string>;

// "assign[0].optimizer" and "assign.0.optimizer" are one setting.
PathSteps steps_of(const std::string& path) {
  Problems unused;
  return parse_setting(path + "=0", std::make_shared<const Source>(), 1, unused).steps;
}

void collect_leaves(const Value& value, PathSteps& steps, std::vector<PathSteps>& leaves) {
  if (!value.is(Value::Kind::object)) return leaves.push_back(steps);
  for (const Member& m : value.members) {
    steps.push_back(m.key);
    collect_leaves(m.value, steps, leaves);
    steps.pop_back();
  }
}

bool begins_with(const PathSteps& steps, const PathSteps& start) {
  return start.size() <= steps.size() && std::equal(start.begin(), start.end(), steps.begin());
}

}  // namespace

void SweepOverlap::add(const std::string& axis, const std::string& name, const std::string& path,
                       const Value& setting, const Mark& mark) {
  Written written{axis, name, path, steps_of(path), {}, mark};
  if (written.steps.empty()) return;  // no setting at all, which the cells report
  PathSteps steps = written.steps;
  collect_leaves(setting, steps, written.leaves);
  written_.push_back(std::move(written));
}

void SweepOverlap::check_axes(Problems& problems) const {
  // The first axis of every setting; one that a second axis sets too is a problem by then.
  std::map<PathSteps, const Written*> first;
  for (const Written& written : written_) first.emplace(written.steps, &written);
  std::set<std::pair<std::string, std::string>> reported;  // axis and setting
  for (const Written& written : written_) {
    for (PathSteps above = written.steps; !above.empty(); above.pop_back()) {
      const auto found = first.find(above);
      if (found == first.end() || found->second->axis == written.axis) continue;
      const Written& other = *found->second;
      if (!reported.emplace(written.axis, written.path).second) continue;
      problems.add(written.mark, child_path("axes", written.axis),
                   base::str(written.path == other.path
                                 ? base::str("sets ", written.path, ", which the axis ",
                                             quote(other.axis), " sets too")
                                 : base::str("sets ", written.path, ", a part of ", other.path,
                                             ", which the axis ", quote(other.axis), " sets"),
                             "; one of them would have no effect. Give every setting one axis."));
    }
  }
}

void SweepOverlap::check_search(
    const std::string& path, const Mark& mark, const std::string& where,
    const std::function<bool(const std::string& axis, const std::string& name)>& runs_with,
    Problems& problems) const {
  const PathSteps steps = steps_of(path);
  for (const Written& written : written_) {
    const auto is_searched = [&](const PathSteps& leaf) { return begins_with(leaf, steps); };
    if (!std::any_of(written.leaves.begin(), written.leaves.end(), is_searched) ||
        !runs_with(written.axis, written.name))
      continue;
    problems.add(
        mark, where,
        base::str(quote(path), " is set by the axis ", quote(written.axis), " (",
                  quote(written.name), "), and the rate that the search finds would replace that; ",
                  "take it out of the axis or of the search, or name the blocks to search in "
                  "with \"only\""));
    return;
  }
}

bool refuse_given_by_sweep(const std::string& path, const Value* values, const Mark& mark,
                           const std::string& where, Problems& problems) {
  constexpr size_t kShown = 60;
  if (path == "seed") {
    std::string list = "[…]";
    if (values && values->is(Value::Kind::array)) list = compact(*values);
    if (values && values->is(Value::Kind::integer)) list = "[" + compact(*values) + "]";
    problems.add(mark, where,
                 base::str("\"seed\" pairs the rows of a sweep and is set beside the axes: write "
                           "\"seeds\": ",
                           list.size() > kShown ? "[…]" : list));
    return true;
  }
  if (path == "name") {
    problems.add(mark, where,
                 "\"name\" is given by the sweep, which names its cells by what differs");
    return true;
  }
  return false;
}

}  // namespace muonlab::config
