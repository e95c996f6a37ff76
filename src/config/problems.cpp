#include "config/problems.hpp"

#include <algorithm>
#include <tuple>

namespace muonlab::config {

namespace {

std::string message(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& p : problems) out += p.line() + "\n";
  return base::str(out, problems.size(), problems.size() == 1 ? " error" : " errors",
                   "; nothing was started.");
}

}  // namespace

std::string Problem::line() const {
  return (where.empty() ? "" : where + ": ") + (path.empty() ? "" : path + ": ") + text;
}

ConfigError::ConfigError(std::vector<Problem> problems)
    : Error(message(problems)), problems_(std::move(problems)) {}

void Problems::add(const Mark& mark, std::string path, std::string text) {
  list_.push_back({mark, {mark.where(), std::move(path), std::move(text)}});
}

void Problems::add(const ConfigError& error, const Mark& near) {
  for (const Problem& p : error.problems()) list_.push_back({near, p});
}

bool Problems::touches(std::string_view path) const {
  return std::any_of(list_.begin(), list_.end(), [&](const Entry& e) {
    const std::string& p = e.problem.path;
    return p.starts_with(path) &&
           (p.size() == path.size() || p[path.size()] == '.' || p[path.size()] == '[');
  });
}

void Problems::raise() const {
  if (list_.empty()) return;
  std::vector<Entry> sorted = list_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) {
    return std::make_tuple(a.mark.layer(), a.mark.line, a.mark.column) <
           std::make_tuple(b.mark.layer(), b.mark.line, b.mark.column);
  });
  std::vector<Problem> problems;
  for (Entry& e : sorted) problems.push_back(std::move(e.problem));
  throw ConfigError(std::move(problems));
}

}  // namespace muonlab::config
