#include "study/report/tail_answer.hpp"

#include <algorithm>
#include <map>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "study/ablation/verdict.hpp"

namespace muonlab::study {
namespace {

using LossBySeed = std::map<int64_t, double>;

// What finished runs of a block got wrong, by group and by their row's label. A row still training
// has other steps.
std::map<int64_t, std::map<std::string, LossBySeed>> wrong_answers(const ReportData& data,
                                                                   size_t block) {
  std::map<int64_t, std::map<std::string, LossBySeed>> wrong;
  for (const ReportRun& run : data.runs) {
    if (run.block != block || !run.record.finished()) continue;
    for (const auto& [group, trace] : run.groups) {
      wrong[group][data.rows[run.row].label][run.record.config.seed] = 1 - trace.first_token.back();
    }
  }
  return wrong;
}

// "all Muon 0.790 ± 0.011 (p = 3e-4)"
std::string rare_accuracy(const RowAnswer& row) {
  return row.label + " " + accuracy_text(row) +
         (row.p_holm ? " (" + p_text(*row.p_holm) + ")" : "");
}

}  // namespace

std::optional<int64_t> times_asked(const ReportData& data, size_t block, int64_t group) {
  const auto run = std::find_if(data.runs.begin(), data.runs.end(),
                                [&](const ReportRun& one) { return one.block == block; });
  if (run == data.runs.end()) return std::nullopt;
  const auto* people = std::get_if<config::BiographiesConfig>(&run->record.config.data);
  if (people == nullptr || people->uniform || group < 0 || group > people->m) return std::nullopt;
  return int64_t{1} << (people->m - group);
}

std::string group_name(const ReportData& data, size_t block, int64_t group) {
  const std::optional<int64_t> times = times_asked(data, block, group);
  return times ? base::str("asked ", *times, "×") : base::str("group ", group);
}

std::string accuracy_text(const RowAnswer& row) {
  return base::fixed(1 - row.loss->value, 3) +
         (row.loss->standard_error ? " ± " + base::fixed(*row.loss->standard_error, 3) : "");
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
    for (const RowAnswer& row : of_loss->rows)
      ablation.rows.push_back({row.name, row.label, by_label[row.label]});
    answers.push_back({group, answer_ablation(ablation, RowOrder::as_given)});
  }
  return answers;
}

std::string rarest_text(const ReportData& data, size_t width) {
  std::string text;
  for (size_t i = 0; i < data.blocks.size(); ++i) {
    const ReportBlock& block = data.blocks[i];
    if (block.groups.empty()) continue;
    const GroupAnswer& rarest = block.groups.back();
    std::vector<std::string> rows;
    for (const RowAnswer& row : rarest.answer.rows) {
      if (row.loss) rows.push_back(rare_accuracy(row));
    }
    text += wrapped(base::str("First-token accuracy on the rarest facts (",
                              block.title.empty() ? "" : block.title + ", ",
                              group_name(data, i, rarest.group), "): ", base::join(rows, ", ")),
                    width);
  }
  return text;
}

}  // namespace muonlab::study
