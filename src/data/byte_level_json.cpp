#include "data/byte_level_json.hpp"

#include <cstdint>

#include <nlohmann/json.hpp>

#include "data/byte_level.hpp"

namespace muonlab::data {
namespace {

using Json = nlohmann::ordered_json;

std::string characters_of(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += byte_level_characters()[static_cast<uint8_t>(byte)];
  return out;
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json pre_tokenizer(const std::string& expression) {
  if (expression.empty()) return byte_level(true);
  const Json split{{"type", "Split"},
                   {"pattern", {{"Regex", expression}}},
                   {"behavior", "Isolated"},
                   {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false)})}};
}

}  // namespace

std::string byte_level_json(const ByteLevelFile& file) {
  Json vocabulary = Json::object(), merges = Json::array(), added = Json::array();
  // Not through operator[], which would search all members for each.
  auto& members = vocabulary.get_ref<Json::object_t&>();
  for (const auto& [bytes, id] : file.tokens) members.emplace_back(characters_of(bytes), id);
  for (const auto& [left, right] : file.merges)
    merges.push_back({characters_of(left), characters_of(right)});
  for (const auto& [content, id] : file.special) {
    added.push_back({{"id", id},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const Json decoder{{"type", "ByteLevel"},
                     {"add_prefix_space", true},
                     {"trim_offsets", true},
                     {"use_regex", true}};
  const Json model{{"type", "BPE"},
                   {"dropout", nullptr},
                   {"unk_token", nullptr},
                   {"continuing_subword_prefix", nullptr},
                   {"end_of_word_suffix", nullptr},
                   {"fuse_unk", false},
                   {"byte_fallback", false},
                   {"ignore_merges", file.ignore_merges},
                   {"vocab", std::move(vocabulary)},
                   {"merges", std::move(merges)}};
  const Json json{{"version", "1.0"},
                  {"truncation", nullptr},
                  {"padding", nullptr},
                  {"added_tokens", added},
                  {"normalizer", nullptr},
                  {"pre_tokenizer", pre_tokenizer(file.expression)},
                  {"post_processor", nullptr},
                  {"decoder", decoder},
                  {"model", model}};
  return json.dump() + "\n";
}

}  // namespace muonlab::data
