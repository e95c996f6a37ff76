// A run's record as TensorBoard reads it: an event file in the run's folder that follows the files
// of JSON lines.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "muonlab/record/event_file.hpp"
#include "muonlab/record/line_follower.hpp"
#include "muonlab/record/run_folder.hpp"

namespace muonlab::record {

// What a line says, under TensorBoard's names (docs/formats.md). `source` is the file's name
// without .jsonl. Values that are not finite are left out.
std::vector<EventValue> event_values(const std::string& source, const nlohmann::json& line);

class TensorBoardLog {
 public:
  // keep_step: the step that the run resumes from, -1 for a run that starts anew. The event file is
  // cut there, and what the record holds up to there but the event file does not is added, so that
  // the setting may come at a resume. `sources`: names of the files to follow, without .jsonl; they
  // are already cut to keep_step, except for timing.
  TensorBoardLog(const RunFolder& folder, const std::vector<std::string>& sources,
                 int64_t keep_step, base::FileSystem& files = base::real_file_system());

  void catch_up();  // adds the lines that the files have gained
  void sync() { events_.sync(); }

 private:
  void add_earlier(const RunFolder& folder, int64_t keep_step, base::FileSystem& files);
  void add(const std::string& source, const nlohmann::json& line);

  struct Source {
    std::string name;
    LineFollower lines;
  };
  EventFile events_;
  std::vector<Source> sources_;
};

}  // namespace muonlab::record
