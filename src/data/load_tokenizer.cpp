#include <nlohmann/json.hpp>

#include "data/hugging_face.hpp"
#include "data/tiktoken.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/ids_tokenizer.hpp"
#include "muonlab/data/pretoken.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

namespace {

// The eos_token of a tokenizer_config.json beside a tokenizer.json; empty where it names none.
std::string named_end_of_text(const std::string& folder) {
  const std::string path = base::join_path(folder, "tokenizer_config.json");
  if (!base::real_file_system().exists(path)) return "";
  const auto config = nlohmann::json::parse(base::read_text(path), nullptr, false);
  if (!config.is_object()) throw base::Error(path, ": not a JSON object; get the file again");
  auto token = config.find("eos_token");
  if (token == config.end()) return "";
  if (token->is_object() && token->contains("content")) token = token->find("content");
  return token->is_string() ? token->get<std::string>() : "";
}

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
  if (!files.exists(base::join_path(path, "tokenizer.model")) && files.exists(config) &&
      is_byte_tokenizer_config(base::read_text(config))) {
    return make_byte_tokenizer();
  }
  if (auto tokenizer = find_tokenizer(path)) return tokenizer;
  if (files.exists(config)) {
    if (auto ids = read_ids_tokenizer(base::read_text(config))) return ids;
  }
  throw base::Error(path, ": the folder holds neither tokenizer.model nor tokenizer.json");
}

}  // namespace muonlab::data
