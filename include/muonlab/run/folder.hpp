// The only owner of the paths in a run's folder (design §6).
#pragma once

#include <string>

namespace muonlab::run {

class RunFolder {
 public:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string config() const { return path_ + "/config.json"; }
  std::string resolved() const { return path_ + "/resolved.json"; }
  std::string assignment() const { return path_ + "/assignment.tsv"; }
  std::string plan() const { return path_ + "/plan.json"; }
  std::string build() const { return path_ + "/build.json"; }
  std::string origin() const { return path_ + "/origin.json"; }  // of a branch: where it came from
  std::string metrics() const { return path_ + "/metrics.jsonl"; }
  std::string timing() const { return path_ + "/timing.jsonl"; }
  std::string log() const { return path_ + "/log.txt"; }
  std::string checkpoints() const { return path_ + "/checkpoints"; }
  std::string lock() const { return path_ + "/.lock"; }

 private:
  std::string path_;
};

// A run's folder, one of its checkpoints, or RUN@STEP, as a checkpoint's path; the newest good one
// for a run. Throws base::Error naming what is there instead.
std::string find_checkpoint(const std::string& run_or_checkpoint);

}  // namespace muonlab::run
