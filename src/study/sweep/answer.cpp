#include "muonlab/study/sweep/answer.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "muonlab/base/text.hpp"
#include "muonlab/record/run_record.hpp"

namespace muonlab::study {
namespace {

const config::Axis* compared_axis(const config::SweepConfig& config) {
  const auto found =
      std::find_if(config.axes.begin(), config.axes.end(),
                   [&](const config::Axis& axis) { return axis.name == config.compare_axis; });
  return found == config.axes.end() ? nullptr : &*found;
}

Ablation ablation_of(const SweepResult& sweep, const config::Axis& axis, const std::string& block) {
  const config::SweepConfig& config = sweep.config;
  Ablation ablation{.title = block_title(config, block),
                    .rows = {},
                    .baseline = config.baseline,
                    .reference = config.reference};
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
  if (block.empty() || config.labels.contains(block))
    return block.empty() ? "" : config.label(block);
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
