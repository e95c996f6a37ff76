#include "muonlab/study/sweep/answer.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/config/resolve.hpp"
#include "muonlab/config/routing.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/record/run_record.hpp"

namespace muonlab::study {
namespace {

const config::Axis* compared_axis(const config::SweepConfig& config) {
  const auto found =
      std::find_if(config.axes.begin(), config.axes.end(),
                   [&](const config::Axis& axis) { return axis.name == config.compare_axis; });
  return found == config.axes.end() ? nullptr : &*found;
}

// The rules that train the matrices of each role.
using Rules = std::map<config::Role, std::set<std::string>>;

Rules matrix_rules(config::RunConfig run) {
  Rules rules;
  if (!run.model.vocabulary) run.model.vocabulary = 1;  // no matrix depends on it
  const std::vector<config::ParameterSpec> parameters = config::parameter_specs(run.model);
  const std::vector<size_t> lines = config::first_matches(run.assign, parameters);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const config::Role role = parameters[i].role;
    if (lines[i] == config::kNoLine || !config::is_matrix_role(role)) continue;
    std::visit([&](const auto& rule) { rules[role].emplace(rule.kName); },
               run.optimizers.at(run.assign[lines[i]].optimizer));
  }
  return rules;
}

// Of a row; none where no run of it has begun.
Rules rules_of(const SweepResult& sweep, const std::string& block, const std::string& row) {
  for (const Point& point : sweep.points) {
    if (point.block != block || point.row != row) continue;
    const std::string path = record::RunFolder(sweep.cells[point.cell].path).resolved();
    if (!base::real_file_system().exists(path)) continue;
    return matrix_rules(config::parse_stored_config(base::read_text(path), path).run);
  }
  return {};
}

bool uses(const Rules& rules, const std::string& name) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const auto& role) { return role.second.contains(name); });
}

// Whether all matrices are trained by these rules alone.
bool uses_only(const Rules& rules, const std::set<std::string>& names) {
  return std::all_of(rules.begin(), rules.end(), [&](const auto& role) {
    return std::includes(names.begin(), names.end(), role.second.begin(), role.second.end());
  });
}

// "Adam" and "Muon" where the rows are about these, and "Muon on" where they say on what it is;
// otherwise the rows' own labels.
AblationWords words_of(const SweepResult& sweep, const config::Axis& axis,
                       const std::string& block) {
  const config::SweepConfig& config = sweep.config;
  std::map<std::string, Rules> rules;
  for (const config::AxisValue& value : axis.values)
    rules[value.name] = rules_of(sweep, block, value.name);
  const Rules &baseline = rules[config.baseline], &reference = rules[config.reference];
  const bool from_adam = !baseline.empty() && uses_only(baseline, {"adamw"}) &&
                         !uses_only(reference, {"adamw"}),
             to_muon = uses(reference, "muon") && !uses(baseline, "muon");
  AblationWords words;
  if (!from_adam) words.baseline = config.label(config.baseline);
  if (!to_muon) words.treatment = config.label(config.reference);
  std::set<Rules> begun;
  size_t num_begun = 0;
  bool only_these = true;
  for (const auto& [row, own] : rules) {
    if (own.empty()) continue;
    only_these &= uses_only(own, {"adamw", "muon"});
    begun.insert(own);
    ++num_begun;
  }
  if (!from_adam || !to_muon || !only_these || begun.size() < num_begun) words.rows = axis.name;
  return words;
}

Ablation ablation_of(const SweepResult& sweep, const config::Axis& axis, const std::string& block) {
  const config::SweepConfig& config = sweep.config;
  Ablation ablation{.title = block_title(config, block),
                    .rows = {},
                    .baseline = config.baseline,
                    .reference = config.reference,
                    .words = words_of(sweep, axis, block)};
  for (const config::AxisValue& value : axis.values) {
    AblationRow row{.name = value.name, .label = config.label(value.name)};
    if (const auto paper = config.paper.find(value.name); paper != config.paper.end())
      row.published = paper->second;
    for (const Point& point : sweep.points) {
      if (point.block != block || point.row != value.name) continue;
      const CellStatus& status = sweep.cells[point.cell].status;
      if (status.state == CellState::finished && status.val_loss) {
        row.losses[point.seed] = *status.val_loss;
        LossCurve& curve = row.curves[point.seed];
        for (const record::Validation& v : record::read_validations(sweep.cells[point.cell].path))
          curve.emplace_back(v.step, v.loss);
        if (status.doubt != record::LossDoubt::none) row.doubtful.insert(point.seed);
      }
      if (status.state == CellState::diverged)
        row.losses[point.seed] = std::numeric_limits<double>::infinity();
    }
    ablation.rows.push_back(std::move(row));
  }
  return ablation;
}

}  // namespace

std::vector<std::string> block_names(const SweepResult& sweep) {
  std::vector<std::string> names;
  for (const Point& point : sweep.points) {
    if (std::find(names.begin(), names.end(), point.block) == names.end())
      names.push_back(point.block);
  }
  return names;
}

std::string block_title(const config::SweepConfig& config, const std::string& block) {
  if (block.empty()) return "";
  std::vector<std::string> axes;
  for (const config::Axis& axis : config.axes) {
    if (axis.name != config.compare_axis) axes.push_back(axis.name);
  }
  // One word a value, as the planner joins them; values of several words stand as they are.
  std::vector<std::string> values = base::split(block, ' ');
  if (values.size() != axes.size()) return block;
  for (size_t i = 0; i < axes.size(); ++i) values[i] = axes[i] + " " + values[i];
  return base::join(values, ", ");
}

std::vector<AblationAnswer> sweep_answers(const SweepResult& sweep) {
  std::vector<AblationAnswer> answers;
  const config::Axis* axis = compared_axis(sweep.config);
  if (axis == nullptr || sweep.config.baseline.empty() || sweep.config.reference.empty())
    return answers;
  std::vector<Ablation> ablations;
  std::set<std::string> begun{sweep.config.baseline, sweep.config.reference};
  for (const std::string& block : block_names(sweep)) {
    ablations.push_back(ablation_of(sweep, *axis, block));
    for (const AblationRow& row : ablations.back().rows) {
      if (!row.losses.empty()) begun.insert(row.name);
    }
  }
  for (Ablation& ablation : ablations) {
    std::erase_if(ablation.rows, [&](const AblationRow& row) { return !begun.contains(row.name); });
    answers.push_back(answer_ablation(ablation));
  }
  return answers;
}

}  // namespace muonlab::study
