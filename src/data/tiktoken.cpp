#include "data/tiktoken.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>
#include <vector>

#include "data/byte_level_json.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::data {
namespace {

constexpr const char* kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kThreeDigits =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kOneDigit =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kWordCase =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Special {
  const char* content;
  int32_t id;
};

// What is known beside the ranks. Special tokens that only chats use are left out.
struct Vocabulary {
  const char* name;
  size_t num_ranks;
  const char* expression;
  Special end, begin{nullptr, 0};
};

constexpr std::array<Vocabulary, 7> kKnown{{
    {"r50k_base (GPT-2)", 50256, kGpt2, {"<|endoftext|>", 50256}},
    {"p50k_base", 50280, kGpt2, {"<|endoftext|>", 50256}},
    {"cl100k_base (GPT-4)", 100256, kThreeDigits, {"<|endoftext|>", 100257}},
    {"o200k_base (GPT-4o)", 199998, kWordCase, {"<|endoftext|>", 199999}},
    {"Llama 3", 128000, kThreeDigits, {"<|end_of_text|>", 128001}, {"<|begin_of_text|>", 128000}},
    {"Llama 4", 200000, kWordCase, {"<|end_of_text|>", 200001}, {"<|begin_of_text|>", 200000}},
    {"Qwen", 151643, kOneDigit, {"<|endoftext|>", 151643}},
}};

std::optional<std::string> base64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int held = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xff);
  }
  return out;
}

struct Line {
  std::string token;
  int32_t rank;
};

std::optional<Line> parse_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos) return std::nullopt;
  const auto token = base64(line.substr(0, space));
  int32_t rank = -1;
  const auto [end, error] =
      std::from_chars(line.data() + space + 1, line.data() + line.size(), rank);
  if (!token || token->empty() || error != std::errc() || end != line.data() + line.size())
    return std::nullopt;
  return Line{*token, rank};
}

// The tokens by rank.
std::vector<Line> read_ranks(std::string_view text, const std::string& label) {
  std::vector<Line> lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (base::trim(line).empty()) continue;
    auto parsed = parse_line(line);
    if (!parsed || parsed->rank < 0)
      throw base::Error(label, ":", number,
                        ": not a token in base64 and its rank; get the file again");
    lines.push_back(std::move(*parsed));
  }
  std::ranges::sort(lines, {}, &Line::rank);
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].rank == lines[i - 1].rank)
      throw base::Error(label, ": two tokens have the rank ", lines[i].rank,
                        "; get the file again");
  }
  return lines;
}

const Vocabulary& known_vocabulary(size_t num_ranks, const std::string& label) {
  std::vector<std::string> names;
  for (const Vocabulary& known : kKnown) {
    if (known.num_ranks == num_ranks) return known;
    names.push_back(base::str(known.name, " ", known.num_ranks));
  }
  throw base::Error(label, ": its ", num_ranks,
                    " ranks are those of no vocabulary whose expression ",
                    "and special tokens are known (", base::join(names, ", "),
                    "), and the file does not hold them. Use the model's tokenizer.json");
}

}  // namespace

bool is_tiktoken(std::string_view text) {
  return parse_line(text.substr(0, std::min<size_t>(text.find('\n'), 1000))).has_value();
}

// A pair is merged where its text is a token, at that token's rank: every cut of a token into two
// is a merge. transformers converts such files in the same way.
std::string tiktoken_to_json(std::string_view text, const std::string& label) {
  const std::vector<Line> lines = read_ranks(text, label);
  const Vocabulary& known = known_vocabulary(lines.size(), label);
  std::unordered_map<std::string_view, int32_t> ranks;
  for (const Line& line : lines) ranks.emplace(line.token, line.rank);
  ByteLevelFile file{.tokens = {},
                     .merges = {},
                     .special = {},
                     .expression = known.expression,
                     .ignore_merges = true};
  for (const Line& line : lines) {
    file.tokens.emplace_back(line.token, line.rank);
    const std::string_view token = line.token;
    std::vector<std::array<int32_t, 3>> cuts;  // ranks of the parts, and where
    for (size_t at = 1; at < token.size(); ++at) {
      const auto left = ranks.find(token.substr(0, at)), right = ranks.find(token.substr(at));
      if (left != ranks.end() && right != ranks.end())
        cuts.push_back({left->second, right->second, static_cast<int32_t>(at)});
    }
    std::ranges::sort(cuts);
    for (const auto& [left, right, at] : cuts) {
      const auto place = static_cast<size_t>(at);
      file.merges.emplace_back(token.substr(0, place), token.substr(place));
    }
  }
  if (known.begin.content) file.special.emplace_back(known.begin.content, known.begin.id);
  file.special.emplace_back(known.end.content, known.end.id);
  return byte_level_json(file);
}

}  // namespace muonlab::data
