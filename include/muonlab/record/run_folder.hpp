// The only owner of the paths in a run's folder (design: a run's folder; docs/formats.md).
#pragma once

#include <cstdint>
#include <string>

namespace muonlab::record {

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
  std::string history() const { return path_ + "/history.jsonl"; }  // every start and every end
  std::string metrics() const { return path_ + "/metrics.jsonl"; }
  std::string timing() const { return path_ + "/timing.jsonl"; }
  std::string probe(const std::string& name) const { return path_ + "/" + name + ".jsonl"; }
  // What TensorBoard reads, with log.tensorboard. It knows its files by "tfevents" in their names.
  std::string events() const { return path_ + "/events.out.tfevents.muonlab"; }
  std::string log() const { return path_ + "/log.txt"; }
  std::string checkpoints() const { return path_ + "/checkpoints"; }
  // Written last: a folder without it is not a checkpoint.
  std::string manifest(int64_t step) const;
  std::string lock() const { return path_ + "/.lock"; }

 private:
  std::string path_;
};

}  // namespace muonlab::record
