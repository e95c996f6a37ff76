#include "data/folder_tokens.hpp"
#include "data/hugging_face.hpp"
#include "data/tiktoken.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/ids_tokenizer.hpp"
#include "muonlab/data/pretoken.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

namespace {

std::shared_ptr<const Tokenizer> load_file(const std::string& path) {
  if (path.ends_with(".json")) {
    return make_json_tokenizer(base::read_text(path), named_end_of_text(base::parent_path(path)),
                               path);
  }
  std::string bytes = base::read_text(path);
  if (path.ends_with(".tiktoken") || is_tiktoken(bytes))
    return make_json_tokenizer(tiktoken_to_json(bytes, path), "", path);
  return make_sentencepiece_tokenizer(std::move(bytes), path);
}

// The folder's tokenizer.model, or the tokenizer.json beside it where the model lacks tokens.
std::shared_ptr<const Tokenizer> load_model_file(const std::string& folder) {
  const std::string path = base::join_path(folder, "tokenizer.model");
  auto tokenizer = load_file(path);
  const auto lacking = tokens_beyond(folder, tokenizer->vocabulary());
  if (lacking.empty()) return tokenizer;
  std::string names, why;
  for (const auto& [id, token] : lacking)
    names += base::str(names.empty() ? "" : ", ", token, " ", id);
  names = base::clip_text(names, 200);
  const std::string json = base::join_path(folder, "tokenizer.json");
  if (base::real_file_system().exists(json)) {
    try {
      return load_file(json);
    } catch (const base::Error& error) {
      why = error.what();
    }
  }
  const std::string end = named_end_of_text(folder);
  for (const auto& [id, token] : lacking) {
    if (token != end) continue;
    throw base::Error(path, ": lacks the tokens that the folder adds (", names,
                      "), among them the one that ends a text",
                      why.empty() ? "; put a tokenizer.json of byte-level BPE beside it"
                                  : "; the tokenizer.json beside it cannot be used: " + why);
  }
  base::log_warning(path, ": lacks the tokens that the folder adds (", names,
                    "); muonlab neither makes nor shows them");
  return tokenizer;
}

}  // namespace

size_t Tokenizer::last_safe_cut(std::string_view text) const { return data::last_safe_cut(text); }

std::shared_ptr<const Tokenizer> find_tokenizer(const std::string& folder) {
  base::FileSystem& files = base::real_file_system();
  for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
    const std::string path = base::join_path(folder, name);
    if (files.exists(path)) return load_file(path);
  }
  return nullptr;
}

std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path) {
  if (path == "byte") return make_byte_tokenizer();
  base::FileSystem& files = base::real_file_system();
  if (!files.exists(path)) {
    throw base::Error(path,
                      ": no such tokenizer; name a .model or .tiktoken file, a tokenizer.json, a "
                      "checkpoint folder, or \"byte\"");
  }
  if (!files.is_directory(path)) return load_file(path);

  const std::string config = base::join_path(path, "tokenizer_config.json");
  if (files.exists(base::join_path(path, "tokenizer.model"))) return load_model_file(path);
  if (files.exists(config) && is_byte_tokenizer_config(base::read_text(config)))
    return make_byte_tokenizer();
  if (auto tokenizer = find_tokenizer(path)) return tokenizer;
  if (files.exists(config)) {
    if (auto ids = read_ids_tokenizer(base::read_text(config))) return ids;
  }
  throw base::Error(path, ": the folder holds neither tokenizer.model nor tokenizer.json");
}

}  // namespace muonlab::data
