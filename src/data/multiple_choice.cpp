#include "muonlab/data/multiple_choice.hpp"

#include <array>
#include <cstring>
#include <optional>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/ids_tokenizer.hpp"

namespace muonlab::data {
namespace {

using Json = nlohmann::json;

constexpr int32_t kEvalMagic = 20240522;  // llm.c, dev/data/data_common.py
constexpr size_t kEvalHeader = 256 * sizeof(int32_t);
constexpr uint16_t kExampleStart = 65535;
constexpr size_t kMaxChoices = 64;

uint64_t bytes_of(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  if (is_ids_tokenizer(tokenizer)) return 0;
  return base::trim(tokenizer.decode(ids)).size();
}

// The body of llm.c's file: uint16 numbers.
class EvalFile {
 public:
  EvalFile(const std::string& path, std::string_view bytes, const Tokenizer& tokenizer,
           int64_t vocabulary)
      : path_(path), bytes_(bytes), tokenizer_(tokenizer), vocabulary_(vocabulary) {}

  std::vector<ChoiceQuestion> read() {
    std::array<int32_t, 4> header{};
    std::memcpy(header.data(), bytes_.data(), sizeof header);
    if (header[1] != 1) fail("version " + std::to_string(header[1]) + " is not 1");
    if (header[2] < 1) fail("says that it holds " + std::to_string(header[2]) + " examples");
    at_ = kEvalHeader;
    std::vector<ChoiceQuestion> questions;
    for (int32_t i = 0; i < header[2]; ++i) questions.push_back(question());
    if (at_ != bytes_.size()) fail("bytes behind the last example");
    return questions;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw base::Error(path_, ": ", what, " (byte ", at_,
                      "); the file is damaged or no evaluation file of llm.c");
  }
  uint16_t number() {
    if (bytes_.size() - at_ < 2) fail("the file ends inside an example");
    uint16_t value = 0;
    std::memcpy(&value, bytes_.data() + at_, 2);
    at_ += 2;
    return value;
  }
  std::vector<int32_t> ids() {
    std::vector<int32_t> ids(number());
    if (ids.empty()) fail("an example holds no tokens");
    for (int32_t& id : ids) {
      id = number();
      if (id >= vocabulary_) {
        fail(base::str("the id ", id, " is not below the model's vocabulary of ", vocabulary_));
      }
    }
    return ids;
  }
  ChoiceQuestion question() {
    const size_t begin = at_;
    if (number() != kExampleStart) fail("no example begins here");
    const size_t size = number();
    number();  // its index
    ChoiceQuestion question;
    question.right = number();
    const size_t count = number();
    if (count < 2 || count > kMaxChoices || question.right >= count)
      fail(base::str("an example with ", count, " answers, of which number ", question.right,
                     " is right"));
    question.context = ids();
    for (size_t i = 0; i < count; ++i) {
      Choice& choice = question.choices.emplace_back();
      choice.ids = ids();
      choice.text_bytes = bytes_of(tokenizer_, choice.ids);
    }
    if (at_ - begin != size) fail("an example is not as long as it says");
    return question;
  }

  const std::string& path_;
  std::string_view bytes_;
  const Tokenizer& tokenizer_;
  int64_t vocabulary_;
  size_t at_ = 0;
};

class ChoiceLine {
 public:
  ChoiceLine(std::string where, const Tokenizer& tokenizer)
      : where_(std::move(where)), tokenizer_(tokenizer) {}

  ChoiceQuestion read(std::string_view line) {
    // JSON holds no NUL byte, and the parser would take one for the end of the line.
    if (line.find('\0') != line.npos) fail("holds a NUL byte, which is not valid JSON");
    json_ = Json::parse(line, nullptr, false);
    if (!json_.is_object()) fail("expected a JSON object");
    const std::string before = context();
    read_answers();
    ChoiceQuestion question;
    question.context = tokenizer_.encode(before);
    if (question.context.empty()) question.context.push_back(tokenizer_.end_of_text());
    for (const std::string& answer : answers_) {
      const std::string_view text = base::trim(answer);
      if (text.empty()) fail("an answer is empty");
      question.choices.push_back(
          {before.empty() ? tokenizer_.encode(text) : tokenizer_.encode_rest(base::str(" ", text)),
           text.size()});
    }
    question.right = right_answer();
    return question;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw base::Error(where_, ": ", what); }

  const Json* first_of(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      const auto found = json_.find(name);
      if (found != json_.end() && !found->is_null()) return &*found;
    }
    return nullptr;
  }

  // Of a text and a question about it, one would be left out without a word: both is refused.
  std::string context() const {
    const Json* known = nullptr;
    std::string from, text;
    for (const char* name : {"context", "ctx", "question", "goal", "query"}) {
      const Json* value = first_of({name});
      if (!value) continue;
      known = value;
      if (!value->is_string()) break;
      const std::string_view trimmed = base::trim(value->get_ref<const std::string&>());
      if (trimmed.empty()) continue;
      if (!from.empty()) refuse_both(from, name);
      from = name;
      text = trimmed;
    }
    if (!known || !known->is_string()) fail("no text \"context\" (or ctx, question, goal, query)");
    for (const char* name : {"article", "passage"}) {
      if (first_of({name}) && !from.empty()) refuse_both(name, from);
    }
    return text;
  }

  [[noreturn]] void refuse_both(const std::string& first, const std::string& second) const {
    fail(base::str("has both \"", first, "\" and \"", second,
                   "\", and only one text can stand before the answers; join them in one "
                   "\"context\" and leave the others out"));
  }

  void read_answers() {
    const Json* list = first_of({"choices", "endings", "options"});
    if (list && list->is_object()) {
      if (list->contains("label") && (*list)["label"].is_array()) labels_ = (*list)["label"];
      list = list->contains("text") ? &(*list)["text"] : nullptr;
    }
    Json pair = Json::array();
    for (const char* name : {"sol1", "sol2"}) {
      if (json_.contains(name)) pair.push_back(json_[name]);
    }
    if (!list && pair.size() == 2) list = &pair;
    if (!list || !list->is_array() || list->size() < 2 || list->size() > kMaxChoices)
      fail("no list of 2 to 64 answers: \"choices\" (or endings, options, sol1 and sol2)");
    for (const Json& answer : *list) {
      if (!answer.is_string()) fail("an answer is not a text");
      answers_.push_back(answer.get<std::string>());
    }
  }

  size_t right_answer() const {
    const Json* label = first_of({"label", "answer", "gold", "answerKey"});
    if (!label) fail("no \"label\" (or answer, gold, answerKey) says which answer is right");
    for (size_t i = 0; i < labels_.size() && i < answers_.size(); ++i) {
      if (labels_[i] == *label) return i;
    }
    std::optional<int64_t> number;
    if (label->is_number_integer()) number = label->get<int64_t>();
    if (label->is_string()) {
      const std::string text = label->get<std::string>();
      if (text.size() == 1 && text[0] >= '0' && text[0] <= '9') number = text[0] - '0';
      if (text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z') number = text[0] - 'A';
    }
    if (!labels_.empty() || !number || *number < 0 || *number >= std::ssize(answers_)) {
      fail("the label " + base::clip_text(label->dump(), 40) + " names none of the " +
           std::to_string(answers_.size()) + " answers (the first is 0)");
    }
    return static_cast<size_t>(*number);
  }

  std::string where_;
  const Tokenizer& tokenizer_;
  Json json_, labels_ = Json::array();
  std::vector<std::string> answers_;
};

}  // namespace

std::vector<ChoiceQuestion> read_choice_questions(const std::string& path,
                                                  const Tokenizer& tokenizer, int64_t vocabulary) {
  const std::string bytes = base::read_text(path);
  int32_t magic = 0;
  if (bytes.size() >= sizeof magic) std::memcpy(&magic, bytes.data(), sizeof magic);
  if (magic == kEvalMagic && bytes.size() >= kEvalHeader)
    return EvalFile(path, bytes, tokenizer, vocabulary).read();
  std::vector<ChoiceQuestion> questions;
  std::string_view rest = bytes;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (base::trim(line).empty()) continue;
    questions.push_back(ChoiceLine(base::str(path, ":", number), tokenizer).read(line));
  }
  if (questions.empty()) throw base::Error(path, ": holds no questions");
  return questions;
}

}  // namespace muonlab::data
