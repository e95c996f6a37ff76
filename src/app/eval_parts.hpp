// What `muonlab eval` measures on files that are named, beside the validation data of a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/run/session.hpp"

namespace muonlab::app {

struct FileEvalOptions {
  std::vector<std::string> data;  // texts or token files
  std::string choices;            // a file of questions with answers to choose from
  int64_t context = 0;            // tokens the model sees at once; 0: its own
  int64_t stride = 0;             // 0: the context
  std::string by;                 // "", "document" or "position"
  std::string format, field = "text";
  bool json = false;
};

// The loss on documents: in all, and by document or by position in the document.
void evaluate_documents(run::LoadedModel& loaded, const FileEvalOptions& options);
// How many questions are answered right, by three ways to compare answers of different lengths.
void evaluate_choices(run::LoadedModel& loaded, const FileEvalOptions& options);

}  // namespace muonlab::app
