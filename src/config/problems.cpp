#include "config/problems.hpp"

#include <algorithm>
#include <tuple>

#include "muonlab/base/text.hpp"

namespace muonlab::config {

namespace {

constexpr size_t kShown = 20;        // problems in one message
constexpr size_t kLineLength = 800;  // characters of one

std::string message(const std::vector<Problem>& problems) {
  std::string out;
  for (size_t i = 0; i < std::min(problems.size(), kShown); ++i) {
    out += base::clip_text(problems[i].line(), kLineLength) + "\n";
  }
  if (problems.size() > kShown) out += base::str("… and ", problems.size() - kShown, " more\n");
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
  touch(path);
  list_.push_back({mark, {mark.where(), std::move(path), std::move(text)}});
}

void Problems::add(const ConfigError& error, const Mark& near) {
  for (const Problem& p : error.problems()) {
    touch(p.path);
    list_.push_back({near, p});
  }
}

void Problems::touch(std::string path) {
  while (!path.empty() && touched_.insert(path).second) {
    const size_t parent = path.find_last_of(".[");
    path.resize(parent == std::string::npos ? 0 : parent);
  }
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
