#include <algorithm>
#include <string_view>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/study/sweep/plan.hpp"

namespace muonlab::study {

void CellProblems::add(const config::ConfigError& error, const std::string& cell,
                       const config::Settings& settings) {
  ++num_cells_;
  // As load_config names the place of a swept setting, counted from 1.
  constexpr std::string_view kNumbered = "sweep setting ";
  for (config::Problem problem : error.problems()) {
    if (problem.where.starts_with(kNumbered)) {
      const auto number = static_cast<size_t>(std::stoi(problem.where.substr(kNumbered.size())));
      problem.where = settings.at(number - 1).where;
    }
    add(std::move(problem), cell);
  }
}

void CellProblems::add(config::Problem problem, const std::string& cell) {
  const auto same = [&](const Entry& entry) { return entry.problem.line() == problem.line(); };
  auto entry = std::find_if(entries_.begin(), entries_.end(), same);
  if (entry == entries_.end())
    entry = entries_.insert(entries_.end(), {std::move(problem), cell, 0});
  ++entry->num_cells;
}

void CellProblems::raise() const {
  if (entries_.empty()) return;
  std::vector<config::Problem> problems;
  for (const Entry& entry : entries_) {
    problems.push_back(entry.problem);
    const size_t others = entry.num_cells - 1;
    problems.back().text += " (cell " + entry.first_cell;
    if (others > 0)
      problems.back().text += base::str(" and ", others, others == 1 ? " other" : " others");
    problems.back().text += ")";
  }
  throw config::ConfigError(std::move(problems));
}

}  // namespace muonlab::study
