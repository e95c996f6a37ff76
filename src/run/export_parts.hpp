// The two formats of export_model().
#pragma once

#include <string>
#include <vector>

#include "muonlab/run/export_model.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/store/gguf.hpp"

namespace muonlab::run {

// Writes into a folder that exists and is empty.
Exported export_hugging_face(LoadedModel& loaded, const ExportRequest& request,
                             const std::string& folder);
// Writes a file that does not exist.
Exported export_gguf(LoadedModel& loaded, const ExportRequest& request, const std::string& path);

// README.md of a Hugging Face folder: what the model is, and the facts of its run.
std::string model_card(const LoadedModel& loaded, const std::string& name);

// The keys tokenizer.* of a GGUF file with `vocabulary` ids. Throws base::Error where llama.cpp
// would make other ids.
store::GgufPairs gguf_tokenizer(const data::Tokenizer& tokenizer, int64_t vocabulary);
// For which texts llama.cpp makes other ids with what gguf_tokenizer() writes; empty: for none.
std::string gguf_tokenizer_note(const data::Tokenizer& tokenizer);

// A name for the model in what is written: that of its run.
std::string model_name(const LoadedModel& loaded);

}  // namespace muonlab::run
