#include "muonlab/study/report/sweep_answer.hpp"

#include <algorithm>

#include "muonlab/base/file.hpp"
#include "muonlab/record/run_folder.hpp"
#include "muonlab/study/ablation/table.hpp"
#include "muonlab/study/report/page.hpp"
#include "muonlab/study/sweep/answer.hpp"
#include "study/report/tail_answer.hpp"

namespace muonlab::study {

std::string sweep_answer_text(const std::string& path, size_t width) {
  const SweepResult sweep = read_sweep(path);
  const auto has_begun = [&](const Point& point) {
    const record::RunFolder run(sweep.cells[point.cell].path);
    return base::real_file_system().exists(run.resolved());
  };
  if (std::none_of(sweep.points.begin(), sweep.points.end(), has_begun)) return "";
  const ReportData data = collect_report({path});
  std::string text = ablation_table(sweep_answers(data.sweeps.front()), width);
  if (const std::string rarest = rarest_text(data, width); !rarest.empty()) text += "\n" + rarest;
  while (text.ends_with('\n')) text.pop_back();
  if (!text.empty()) text = "\n" + text + "\n\n";
  return text + "page: " + write_report(data, path).page;
}

}  // namespace muonlab::study
