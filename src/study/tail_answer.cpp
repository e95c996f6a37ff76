#include "tail_answer.hpp"

#include <map>

#include "ablation_verdict.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

using LossBySeed = std::map<int64_t, double>;

// What finished runs of a block got wrong, by group and by their row's label. A row still training has other steps.
std::map<int64_t, std::map<std::string, LossBySeed>> wrong_answers(const ReportData& data, size_t block) {
  std::map<int64_t, std::map<std::string, LossBySeed>> wrong;
  for (const ReportRun& run : data.runs) {
    if (run.block != block || !run.record.finished) continue;
    for (const auto& [group, trace] : run.groups) {
      wrong[group][data.rows[run.row].label][run.record.config.seed] = 1 - trace.first_token.back();
    }
  }
  return wrong;
}

// "all Muon 0.790 ± 0.011 (p = 3e-4)"
std::string rare_accuracy(const RowAnswer& row) {
  std::string text = row.label + " " + base::fixed(1 - row.loss->value, 3);
  if (row.loss->standard_error) text += " ± " + base::fixed(*row.loss->standard_error, 3);
  if (row.p_holm) text += " (" + p_text(*row.p_holm) + ")";
  return text;
}

}  // namespace

std::string group_name(const ReportData& data, int64_t group) {
  const auto* people = std::get_if<config::BiographiesConfig>(&data.runs[0].record.config.data);
  if (people == nullptr || people->uniform || group < 0 || group > people->m) return base::str("group ", group);
  return base::str("asked ", int64_t{1} << (people->m - group), "×");
}

std::vector<GroupAnswer> group_answers(const ReportData& data, size_t block) {
  std::vector<GroupAnswer> answers;
  const std::optional<AblationAnswer>& of_loss = data.blocks[block].answer;
  if (!of_loss) return answers;
  for (auto& [group, by_label] : wrong_answers(data, block)) {
    Ablation ablation{.title = of_loss->title,
                      .rows = {},
                      .baseline = of_loss->baseline,
                      .reference = of_loss->reference,
                      .words = of_loss->words};
    for (const RowAnswer& row : of_loss->rows) ablation.rows.push_back({row.name, row.label, by_label[row.label]});
    answers.push_back({group, answer_ablation(ablation, RowOrder::as_given)});
  }
  return answers;
}

std::string rarest_text(const ReportData& data, size_t width) {
  std::string text;
  for (size_t block = 0; block < data.blocks.size(); ++block) {
    const std::vector<GroupAnswer> groups = group_answers(data, block);
    if (groups.empty()) continue;
    std::vector<std::string> rows;
    for (const RowAnswer& row : groups.back().answer.rows) {
      if (row.loss) rows.push_back(rare_accuracy(row));
    }
    const std::string& title = data.blocks[block].title;
    text += wrapped(base::str("First-token accuracy on the rarest facts (", title.empty() ? "" : title + ", ",
                              group_name(data, groups.back().group), "): ", base::join(rows, ", ")),
                    width);
  }
  return text;
}

}  // namespace muonlab::study
