#include "data/folder_tokens.hpp"

#include <charconv>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

namespace {

using Json = nlohmann::json;

// An object; empty where the folder has no such file.
Json read_object(const std::string& folder, const char* name) {
  const std::string path = base::join_path(folder, name);
  if (!base::real_file_system().exists(path)) return Json::object();
  Json json = Json::parse(base::read_text(path), nullptr, false);
  if (!json.is_object()) throw base::Error(path, ": not a JSON object; get the file again");
  return json;
}

const Json& member(const Json& object, const char* name) {
  static const Json none;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? *found : none;
}

// A token is given by its text, or by an object that holds it.
std::string content_of(const Json& token) {
  const Json& content = token.is_object() ? member(token, "content") : token;
  return content.is_string() ? content.get<std::string>() : "";
}

// The token that a post_processor puts before a text; empty where it puts none.
std::string first_token(const Json& processor) {
  const Json& single = member(processor, "single");
  if (single.is_array() && !single.empty()) {
    const Json& id = member(member(single[0], "SpecialToken"), "id");
    if (id.is_string()) return id.get<std::string>();
  }
  const Json& parts = member(processor, "processors");
  if (!parts.is_array()) return "";
  for (const Json& part : parts) {
    if (std::string token = first_token(part); !token.empty()) return token;
  }
  return "";
}

}  // namespace

std::string named_end_of_text(const std::string& folder) {
  return content_of(member(read_object(folder, "tokenizer_config.json"), "eos_token"));
}

std::map<int64_t, std::string> tokens_beyond(const std::string& folder, int64_t first) {
  std::map<int64_t, std::string> tokens;
  const auto add = [&](int64_t id, const std::string& token) {
    if (id >= first && !token.empty()) tokens.emplace(id, token);
  };
  const Json config = read_object(folder, "tokenizer_config.json");
  const Json added = read_object(folder, "added_tokens.json");
  const Json& given = member(config, "added_tokens_decoder");
  const Json decoder = given.is_object() ? given : Json::object();
  for (const auto& [key, token] : decoder.items()) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error == std::errc() && end == key.data() + key.size()) add(id, content_of(token));
  }
  for (const auto& [token, id] : added.items()) {
    if (id.is_number_integer()) add(id.get<int64_t>(), token);
  }
  return tokens;
}

std::string token_before_texts(const std::string& folder) {
  const Json config = read_object(folder, "tokenizer_config.json");
  const Json& adds = member(config, "add_bos_token");
  if (adds == false) return "";
  const Json file = read_object(folder, "tokenizer.json");
  if (std::string token = first_token(member(file, "post_processor")); !token.empty()) return token;
  const std::string kind = content_of(member(config, "tokenizer_class"));
  // Without the setting, these classes of transformers add the token.
  const bool by_default = adds.is_null() && (kind.starts_with("LlamaTokenizer") ||
                                             kind.starts_with("CodeLlamaTokenizer") ||
                                             kind.starts_with("GemmaTokenizer"));
  if (adds != true && !by_default) return "";
  const std::string token = content_of(member(config, "bos_token"));
  return token.empty() ? "<s>" : token;
}

}  // namespace muonlab::data
