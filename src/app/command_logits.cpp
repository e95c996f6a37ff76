// muonlab logits: JSON lines of ids or texts in, log-probabilities out.
#include <iostream>
#include <memory>
#include <sstream>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/train/log_probs.hpp"

namespace muonlab::app {
namespace {

struct LogitsOptions {
  std::string model, file;
  int64_t top = 0;
  bool start = false;
  config::Device device = config::Device::automatic;
};

// One line of input and what it asks for.
class LogitsLine {
 public:
  LogitsLine(run::LoadedModel& loaded, const LogitsOptions& options, std::string where)
      : loaded_(loaded), options_(options), where_(std::move(where)) {}

  std::string answer(const std::string& text) {
    // The parser would take a NUL byte for the end of the line.
    if (text.find('\0') != text.npos) fail("holds a NUL byte, which is not valid JSON");
    json_ = nlohmann::json::parse(text, nullptr, false);
    if (!json_.is_object()) fail("expected a JSON object, such as {\"text\": \"…\"}");
    std::vector<int32_t> ids;
    if (options_.start) ids.push_back(loaded_.tokenizer->end_of_text());
    const bool has_text = json_.contains("text") || json_.contains("ids");
    if (has_text) append(ids, "text", "ids");
    const bool has_end = json_.contains("continuation") || json_.contains("continuation_ids");
    const size_t first = has_end ? ids.size() : 1;
    if (has_end) append(ids, "continuation", "continuation_ids");
    if (ids.empty()) fail("holds no tokens: give \"text\" or \"ids\"");
    if (has_end && first == 0)
      fail("nothing stands before the continuation; --start puts an end-of-text id there");
    const int64_t context = loaded_.config.model.context;
    if (std::ssize(ids) > context)
      fail(base::str(ids.size(), " tokens do not fit into the model's context of ", context));
    return output(ids, first);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw base::Error(where_, ": ", what); }

  void append(std::vector<int32_t>& ids, const char* text_key, const char* ids_key) const {
    const bool is_text = json_.contains(text_key);
    if (is_text && json_.contains(ids_key))
      fail(base::str("gives both \"", text_key, "\" and \"", ids_key, "\""));
    const nlohmann::json& value = json_[is_text ? text_key : ids_key];
    if (is_text) {
      if (!value.is_string()) fail(base::str("\"", text_key, "\" is not a text"));
      const bool starts = ids.empty() || ids.back() == loaded_.tokenizer->end_of_text();
      const auto made = starts ? loaded_.tokenizer->encode(value.get<std::string>())
                               : loaded_.tokenizer->encode_rest(value.get<std::string>());
      ids.insert(ids.end(), made.begin(), made.end());
      return;
    }
    const int64_t vocabulary = *loaded_.config.model.vocabulary;
    if (!value.is_array()) fail(base::str("\"", ids_key, "\" is not a list of ids"));
    for (const nlohmann::json& id : value) {
      if (!id.is_number_integer() || id < 0 || id >= vocabulary) {
        fail(base::str("\"", ids_key, "\" holds ", base::clip_text(id.dump(), 40),
                       ", which is no id from 0 to ", vocabulary - 1));
      }
      ids.push_back(id.get<int32_t>());
    }
  }

  // `first`: the place of the first token that counts.
  std::string output(const std::vector<int32_t>& ids, size_t first) const {
    const train::TokenLogProbs made =
        train::token_log_probs(*loaded_.model, ids, options_.top, loaded_.arena->values().device());
    nlohmann::ordered_json log_probs = nlohmann::ordered_json::array({nullptr});
    for (const double value : made.log_probs) log_probs.push_back(value);
    double sum = 0;
    bool greedy = true;
    for (size_t i = first; i < ids.size(); ++i) {
      sum += made.log_probs[i - 1];
      greedy = greedy && made.greedy[i - 1];
    }
    nlohmann::ordered_json json{
        {"ids", ids}, {"log_probs", log_probs}, {"sum", sum}, {"greedy", greedy}};
    if (options_.top > 0) json["top"] = made.top;
    return json.dump();
  }

  run::LoadedModel& loaded_;
  const LogitsOptions& options_;
  std::string where_;
  nlohmann::json json_;
};

void answer_lines(const LogitsOptions& options) {
  const bool from_file = !options.file.empty() && options.file != "-";
  std::istringstream file(from_file ? base::read_text(options.file) : "");
  std::istream& in = from_file ? static_cast<std::istream&>(file) : std::cin;
  run::LoadedModel loaded = run::load_model(options.model, options.device);
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (base::trim(line).empty()) continue;
    const std::string where = base::str(from_file ? options.file : "standard input", ":", number);
    std::cout << LogitsLine(loaded, options, where).answer(line) << "\n" << std::flush;
  }
}

}  // namespace

void add_logits(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "logits",
      R"(Print the log-probabilities that a model gives to the tokens of texts, as JSON lines.

  muonlab logits runs/quickstart texts.jsonl
  muonlab logits runs/quickstart texts.jsonl --start --top 5

Each line of the input is an object with "text" or "ids" and, where only the end of it counts, a "continuation" or
"continuation_ids". A line of the output has the ids, the natural logarithm of each one's probability given those
before it, their sum, and whether each is the likeliest ("greedy").)");
  auto options = std::make_shared<LogitsOptions>();
  command->add_option("MODEL", options->model, kModelHelp)->required();
  command->add_option("FILE", options->file, "JSON lines; default: standard input");
  command->add_flag("--start", options->start,
                    "put an end-of-text id before each text, as documents begin in training");
  command
      ->add_option("--top", options->top,
                   "list the so many likeliest ids behind each token, with their log-probabilities")
      ->capture_default_str()
      ->check(at_least(0));
  add_device(*command, options->device);
  command->callback([options] { answer_lines(*options); });
}

}  // namespace muonlab::app
