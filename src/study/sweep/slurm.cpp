#include "slurm.hpp"

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::study {
namespace {

constexpr size_t kMostSearchTasks = 64;
constexpr const char* kSearches = "searches";

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

using base::shell_quoted;

// A word as one would type it.
std::string typed(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789-_=./:,%@+") == std::string::npos;
  return plain ? word : shell_quoted(word);
}

// Slurm replaces %A and the like in the names of output files.
std::string without_patterns(const std::string& path) {
  std::string result;
  for (const char c : path) result += c == '%' ? std::string("%%") : std::string(1, c);
  return result;
}

std::string run(const std::vector<std::string>& command) {
  const base::ProgramResult result = base::run_program(command);
  if (result.exit_code == 0) return result.output;
  throw base::Error(
      command.front(), ": ", first_line(result.output),
      result.exit_code == 127 ? ". --slurm needs Slurm's own programs on this machine" : "");
}

}  // namespace

std::vector<std::string> option_words(const std::string& text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool blank = quote == 0 && (c == ' ' || c == '\t' || c == '\n');
    if (blank) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) throw base::UsageError("--slurm ", text, ": the quote ", quote, " is not closed");
  return words;
}

SlurmSweep::SlurmSweep(SweepQueue& queue, const SweepRequest& request)
    : queue_(queue), request_(request), options_(option_words(*request.slurm)) {}

std::string SlurmSweep::path(const std::string& name) const {
  return queue_.folder().path() + "/slurm/" + name;
}

// Any task takes any trial, so the tasks are alike; as many as there are trials to begin with.
std::vector<std::string> SlurmSweep::list_searches() const {
  size_t open = 0;
  for (const Cell& cell : queue_.plan().cells) {
    if (cell.tuning && queue_.is_wanted(cell)) open += !has_ended(queue_.status(cell).state);
  }
  return std::vector<std::string>(std::min(open, kMostSearchTasks), "tune-*");
}

std::vector<std::string> SlurmSweep::list_cells() {
  std::vector<std::string> names;
  for (const Cell& cell : queue_.outline().cells) {
    if (cell.tuning || !queue_.is_wanted(cell)) continue;
    if (!queue_.is_planned(cell) || !has_ended(queue_.status(cell).state))
      names.push_back(cell.name);
  }
  return names;
}

std::vector<SlurmArray> SlurmSweep::arrays() {
  base::FileSystem& files = base::real_file_system();
  int number = 1;
  while (files.exists(path(base::str("cells-", number, ".txt"))) ||
         files.exists(path(base::str(kSearches, "-", number, ".txt"))))
    ++number;
  std::vector<SlurmArray> all;
  for (const std::string name : {kSearches, "cells"}) {
    std::vector<std::string> tasks = name == kSearches ? list_searches() : list_cells();
    if (tasks.empty()) continue;
    all.push_back({"", path(base::str(name, "-", number, ".sh")),
                   path(base::str(name, "-", number, ".txt")), std::move(tasks)});
  }
  return all;
}

std::vector<std::string> SlurmSweep::command_of(const SlurmArray& array,
                                                const std::string& after) const {
  int64_t threads = 1;
  for (const Cell& cell : queue_.plan().cells)
    threads = std::max(threads, cell.config.threads.value_or(base::usable_processors()));
  std::vector<std::string> command{
      "sbatch",
      "--parsable",
      base::str("--array=1-", array.tasks.size(),
                request_.jobs > 0 ? base::str("%", request_.jobs) : ""),
      "--job-name=" + base::base_name(queue_.folder().path()),
      "--output=" + without_patterns(path("")) + "%A_%a.txt",
      base::str("--cpus-per-task=", threads)};
  // Whatever became of the searches: a cell's task continues one that was cut short.
  if (!after.empty()) command.push_back("--dependency=afterany:" + after);
  command.insert(command.end(), options_.begin(), options_.end());
  command.push_back(array.script);
  return command;
}

std::vector<std::string> SlurmSweep::describe() {
  std::vector<std::string> lines;
  std::string after;
  for (const SlurmArray& array : arrays()) {
    std::vector<std::string> words;
    for (const std::string& word : command_of(array, after)) words.push_back(typed(word));
    lines.push_back(base::join(words, " "));
    after = "JOB";
  }
  return lines;
}

void SlurmSweep::write(const SlurmArray& array) const {
  base::write_atomically(array.list, base::join(array.tasks, "\n") + "\n");
  base::write_atomically(
      array.script,
      base::str(
          "#!/bin/sh\n# Written by `muonlab sweep --slurm`: each task of the array trains the "
          "cells that its line of the list names.\n",
          "only=$(sed -n \"${SLURM_ARRAY_TASK_ID}p\" ", shell_quoted(array.list), ")\n", "exec ",
          shell_quoted(base::own_program()), " sweep ", shell_quoted(request_.file), " --out ",
          shell_quoted(queue_.folder().path()), " --only \"$only\" --jobs 1\n"));
}

bool SlurmSweep::submit() {
  base::make_directories(base::parent_path(path("jobs.json")));
  jobs_.clear();
  nlohmann::ordered_json record = nlohmann::ordered_json::array();
  for (const SlurmArray& array : arrays()) {
    write(array);
    try {
      const std::string answer = run(command_of(array, jobs_.empty() ? "" : jobs_.back()));
      // "17", or "17;cluster"; what sbatch warns of stands in lines before it.
      std::string job;
      std::istringstream lines(answer);
      for (std::string line; std::getline(lines, line);) {
        const std::string number = line.substr(0, line.find(';'));
        if (!number.empty() && number.find_first_not_of("0123456789") == std::string::npos)
          job = number;
      }
      if (job.empty()) throw base::Error("sbatch: no job number in its answer: ", answer);
      jobs_.push_back(job);
      record.push_back({{"job", job}, {"list", base::base_name(array.list)}});
    } catch (const base::Error&) {
      for (const std::string& job : jobs_) base::run_program({"scancel", job});
      base::real_file_system().remove_file(array.list);
      throw;
    }
  }
  if (!jobs_.empty()) base::write_atomically(path("jobs.json"), record.dump(1) + "\n");
  return !jobs_.empty();
}

bool SlurmSweep::attach() {
  const nlohmann::json record = record::value_in(path("jobs.json"));
  jobs_.clear();
  if (!record.is_array()) return false;
  for (const nlohmann::json& array : record) {
    if (array.is_object() && array.contains("job") && array["job"].is_string())
      jobs_.push_back(array["job"].get<std::string>());
  }
  const SlurmState now = state();
  return now.pending + now.running > 0;
}

SlurmState SlurmSweep::state() {
  if (jobs_.empty()) return {};
  const base::ProgramResult answer = base::run_program(
      {"squeue", "--noheader", "--array", "--format=%T", "--jobs=" + base::join(jobs_, ",")});
  // Slurm forgets a job minutes after its end.
  const bool forgotten = answer.output.find("Invalid job id") != std::string::npos;
  if (answer.exit_code != 0 && !forgotten) return known_;
  known_ = {};
  std::istringstream lines(forgotten ? "" : answer.output);
  for (std::string word; lines >> word;) {
    known_.pending += word == "PENDING" || word == "REQUEUED" || word == "REQUEUE_HOLD";
    known_.running +=
        word == "RUNNING" || word == "COMPLETING" || word == "CONFIGURING" || word == "SUSPENDED";
  }
  return known_;
}

std::string SlurmSweep::job_names() const {
  return base::str(jobs_.size() == 1 ? "job " : "jobs ", base::join(jobs_, " and "));
}

std::string SlurmSweep::cancel_command() const { return "scancel " + base::join(jobs_, " "); }

}  // namespace muonlab::study
