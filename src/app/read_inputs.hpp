// What the commands that read texts share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "muonlab/base/terminal.hpp"
#include "muonlab/data/inputs.hpp"

namespace muonlab::app {

// A bar that begins with the first report and can be told to end.
class Bar {
 public:
  explicit Bar(std::string label) : label_(std::move(label)) {}
  void set(uint64_t done, uint64_t total) {
    if (!bar_) bar_.emplace(label_, total, "B");
    bar_->set(done);
  }
  void finish() {
    if (bar_) bar_->finish();
    bar_.reset();
  }

 private:
  std::string label_;
  std::optional<base::ProgressBar> bar_;
};

inline constexpr const char* kFilesHelp =
    "text, JSON and Parquet files (.txt .jsonl .ndjson .json, also with .gz or .zst, and "
    ".parquet), or "
    "folders of them";

// How text is taken from FILES.
void add_read_options(CLI::App& command, data::ReadOptions& read);

// Files and lines that were not read, on standard error.
void tell_left_out(const std::vector<std::string>& files, const data::BadLines& lines);

}  // namespace muonlab::app
