#include "muonlab/study/report/sweep_answer.hpp"

#include <algorithm>

#include "muonlab/base/file.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/study/ablation/table.hpp"
#include "muonlab/study/report/page.hpp"
#include "study/ablation/verdict.hpp"
#include "study/report/tail_answer.hpp"
#include "study/report/valid_sets.hpp"

namespace muonlab::study {
namespace {

// What would tell the gain from noise, where a block cannot.
std::string what_would_settle(const SweepResult& sweep, const std::vector<AblationAnswer>& answers,
                              size_t width) {
  const auto is_open = [](const AblationAnswer& answer) { return answer.gain_is_open(); };
  if (std::none_of(answers.begin(), answers.end(), is_open)) return "";
  const std::string fair =
      sweep.searches.empty() ? ", or search the learning rates (\"tune\")," : "";
  return wrapped("To settle what is undefined, add to \"seeds\" in the sweep file" + fair +
                     " and run it again; finished runs are kept:",
                 width) +
         std::string(kTextIndent, ' ') + sweep.command + "\n";
}

}  // namespace

std::string sweep_answer_text(const std::string& path, size_t width) {
  const ReportData data = collect_report({path});
  if (!data.begun) return "";
  std::vector<AblationAnswer> answers;  // of the blocks whose rows can be compared
  for (const ReportBlock& block : data.blocks) {
    if (block.answer) answers.push_back(*block.answer);
  }
  std::string text;
  for (const std::string& reason : data.comparability.reasons) text += wrapped(reason, width);
  text += ablation_table(answers, width);
  text += what_would_settle(data.sweeps.front(), answers, width);
  for (const std::string& more : {valid_sets_text(data, width), rarest_text(data, width)}) {
    if (!more.empty()) text += "\n" + more;
  }
  while (text.ends_with('\n')) text.pop_back();
  if (!text.empty()) text = "\n" + text + "\n\n";
  return text + "page: " + write_report(data, path).page;
}

}  // namespace muonlab::study
