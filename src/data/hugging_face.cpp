#include "data/hugging_face.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "data/byte_level.hpp"
#include "muonlab/data/pretoken.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

namespace {

using Json = nlohmann::ordered_json;

Json added_token(int id, std::string_view content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

std::map<std::string, std::string> files(const Json& tokenizer, std::string_view end_of_text_token,
                                         std::string_view kind) {
  return {{"tokenizer.json", tokenizer.dump() + "\n"},
          {"tokenizer_config.json", tokenizer_config_file(end_of_text_token, kind)}};
}

// Every pair of pieces that joins to a piece, in the order in which sentencepiece would join them:
// best score first.
Json merges(const std::vector<HfPiece>& pieces) {
  std::unordered_map<std::string_view, size_t> known;
  std::vector<size_t> order;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].special || pieces[id].byte) continue;
    known.emplace(pieces[id].text, id);
    order.push_back(id);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return pieces[a].score > pieces[b].score; });
  Json result = Json::array();
  for (const size_t id : order) {
    const std::string_view text = pieces[id].text;
    for (size_t cut = utf8_character_length(text); cut > 0 && cut < text.size();
         cut += std::max<size_t>(1, utf8_character_length(text.substr(cut)))) {
      const std::string_view left = text.substr(0, cut), right = text.substr(cut);
      if (known.contains(left) && known.contains(right)) result.push_back({left, right});
    }
  }
  return result;
}

// Piece -> id; of two pieces of one text the last counts. Not through operator[], which would
// search all members for each.
template <class Piece>
Json vocabulary_of(const std::vector<Piece>& pieces) {
  Json vocabulary = Json::object();
  auto& members = vocabulary.get_ref<Json::object_t&>();
  std::unordered_map<std::string_view, size_t> places;
  for (size_t id = 0; id < pieces.size(); ++id) {
    const auto [place, is_new] = places.emplace(pieces[id].text, members.size());
    if (is_new) {
      members.emplace_back(pieces[id].text, id);
    } else {
      members.data()[place->second].second = id;
    }
  }
  return vocabulary;
}

Json byte_fallback_bpe(const Json& vocabulary, const Json& pairs) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},  // every character has bytes
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", true},
          {"byte_fallback", true},
          {"ignore_merges", false},
          {"vocab", vocabulary},
          {"merges", pairs}};
}

}  // namespace

std::map<std::string, std::string> hugging_face_files(const std::vector<HfPiece>& pieces, bool bpe,
                                                      int unknown, int end_of_text) {
  Json model;
  if (bpe) {
    model = byte_fallback_bpe(vocabulary_of(pieces), merges(pieces));
  } else {
    Json vocabulary = Json::array();
    for (const HfPiece& piece : pieces) vocabulary.push_back({piece.text, piece.score});
    // Sentencepiece finds no special piece in a text, the tokenizers library does, by its name. No
    // text makes this one: U+2581 is always a pretoken by itself.
    vocabulary[static_cast<size_t>(unknown)][0] =
        "\u2581" + pieces[static_cast<size_t>(unknown)].text;
    model = {
        {"type", "Unigram"}, {"unk_id", unknown}, {"vocab", vocabulary}, {"byte_fallback", true}};
  }
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", kPretokenPattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const Json decoder = {
      {"type", "Sequence"},
      {"decoders", Json::array({Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}}})}};
  Json added = Json::array();
  for (size_t id = 0; id < pieces.size(); ++id) {
    // The unknown piece stands for no text, and no id needs it: it is none of the tokens that are
    // looked for in texts.
    if (pieces[id].special && static_cast<int>(id) != unknown)
      added.push_back(added_token(static_cast<int>(id), pieces[id].text));
  }
  const Json tokenizer = {
      {"version", "1.0"},          {"truncation", nullptr}, {"padding", nullptr},
      {"added_tokens", added},     {"normalizer", nullptr}, {"pre_tokenizer", split},
      {"post_processor", nullptr}, {"decoder", decoder},    {"model", model}};
  return files(tokenizer, pieces[end_of_text].text, "sentencepiece");
}

std::map<std::string, std::string> hugging_face_normalizing_files(
    const std::vector<SentencePiece>& pieces, const ModelSettings& settings, int end_of_text) {
  constexpr int kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6;
  const std::string& end = pieces[static_cast<size_t>(end_of_text)].text;
  const std::string config = tokenizer_config_file(end, "sentencepiece", settings.add_dummy_prefix);
  std::map<std::string, std::string> made{{"tokenizer_config.json", config}};
  if (settings.model_type != 2 || !settings.character_map.empty() ||
      settings.remove_extra_whitespaces)
    return made;
  std::vector<HfPiece> parts;
  Json added = Json::array();
  for (const SentencePiece& piece : pieces) {
    const int id = static_cast<int>(parts.size());
    parts.push_back({piece.text, piece.score, piece.type >= kUnknown && piece.type < kByte,
                     piece.type == kByte});
    if (piece.type != kControl && piece.type != kUserDefined) continue;
    added.push_back(added_token(id, piece.text));
    added.back()["special"] = piece.type == kControl;
  }
  constexpr const char* kSpace = "\u2581";
  const auto replace = [](const char* what, const char* with) {
    return Json{{"type", "Replace"}, {"pattern", {{"String", what}}}, {"content", with}};
  };
  const Json normalizers =
      Json::array({Json{{"type", "Prepend"}, {"prepend", kSpace}}, replace(" ", kSpace)});
  const Json decoders =
      Json::array({replace(kSpace, " "), Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}},
                   Json{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}});
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", added},
                          {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
                          {"pre_tokenizer", nullptr},
                          {"post_processor", nullptr},
                          {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
                          {"model", byte_fallback_bpe(vocabulary_of(pieces), merges(parts))}};
  made["tokenizer.json"] = tokenizer.dump() + "\n";
  return made;
}

std::map<std::string, std::string> hugging_face_byte_files() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary[byte_level_characters()[static_cast<size_t>(byte)]] = byte;
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", false},
                           {"use_regex", false}};
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", Json::array({added_token(256, kEndOfText)})},
                          {"normalizer", nullptr},
                          {"pre_tokenizer", byte_level},
                          {"post_processor", nullptr},
                          {"decoder", byte_level},
                          {"model",
                           {{"type", "BPE"},
                            {"dropout", nullptr},
                            {"unk_token", nullptr},
                            {"continuing_subword_prefix", nullptr},
                            {"end_of_word_suffix", nullptr},
                            {"fuse_unk", false},
                            {"byte_fallback", false},
                            {"ignore_merges", false},
                            {"vocab", vocabulary},
                            {"merges", Json::array()}}}};
  return files(tokenizer, kEndOfText, "byte");
}

std::string tokenizer_config_file(std::string_view end_of_text_token, std::string_view kind,
                                  bool adds_space) {
  const Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"eos_token", end_of_text_token},
                       {"muonlab", {{"tokenizer", kind}}},
                       {"clean_up_tokenization_spaces", false},
                       // Programs that make another format of the tokenizer would else put a space
                       // and a start id before every text.
                       {"add_prefix_space", adds_space},
                       {"add_bos_token", false},
                       {"add_eos_token", false},
                       // A text that happens to hold the name of a special piece is text.
                       {"split_special_tokens", true}};
  return config.dump(2) + "\n";
}

bool is_byte_tokenizer_config(const std::string& json) {
  const auto config = nlohmann::json::parse(json, nullptr, false);
  static const nlohmann::json::json_pointer kTokenizer("/muonlab/tokenizer");
  return config.is_object() && config.contains(kTokenizer) && config[kTokenizer] == "byte";
}

}  // namespace muonlab::data
