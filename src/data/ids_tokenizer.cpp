#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/data/ids_tokenizer.hpp"

namespace muonlab::data {

namespace {

class IdsTokenizer : public Tokenizer {
 public:
  IdsTokenizer(int64_t vocabulary, int32_t end_of_text)
      : vocabulary_(vocabulary), end_of_text_(end_of_text) {}

  std::vector<int32_t> encode(std::string_view text) const override {
    if (text.empty()) return {};
    throw base::Error(
        "this model was trained on token ids whose tokenizer is not known, so text cannot be "
        "turned into ids; train with data.tokenizer set, or put its tokenizer.json into the "
        "checkpoint");
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocabulary_)
        throw base::Error("token id ", id, " is not in the vocabulary of ", vocabulary_);
      text += id == end_of_text_ ? std::string(kEndOfText) : base::str(id, " ");
    }
    return text;
  }
  int64_t vocabulary() const override { return vocabulary_; }
  int32_t end_of_text() const override { return end_of_text_; }
  std::string hash() const override {
    return base::hash_text(base::str("muonlab ids ", vocabulary_, " ", end_of_text_)).hex();
  }
  std::string description() const override {
    return base::str(base::with_commas(vocabulary_), " ids without a tokenizer");
  }
  std::map<std::string, std::string> files() const override {
    const nlohmann::ordered_json config = {
        {"muonlab",
         {{"tokenizer", "ids"}, {"vocabulary", vocabulary_}, {"end_of_text", end_of_text_}}}};
    return {{"tokenizer_config.json", config.dump(2) + "\n"}};
  }
  std::vector<std::string> defining_files() const override { return {"tokenizer_config.json"}; }

 private:
  int64_t vocabulary_;
  int32_t end_of_text_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_ids_tokenizer(int64_t vocabulary, int32_t end_of_text) {
  return std::make_shared<IdsTokenizer>(vocabulary, end_of_text);
}

bool is_ids_tokenizer(const Tokenizer& tokenizer) {
  return dynamic_cast<const IdsTokenizer*>(&tokenizer) != nullptr;
}

std::shared_ptr<const Tokenizer> read_ids_tokenizer(const std::string& json) {
  const auto config = nlohmann::json::parse(json, nullptr, false);
  if (!config.is_object() || !config.contains("muonlab")) return nullptr;
  const auto& own = config["muonlab"];
  const auto number = [&](const char* name) {
    const auto found = own.find(name);
    return found != own.end() && found->is_number_integer() ? found->get<int64_t>() : -1;
  };
  if (!own.is_object() || !own.contains("tokenizer") || own["tokenizer"] != "ids") return nullptr;
  const int64_t vocabulary = number("vocabulary"), end_of_text = number("end_of_text");
  if (vocabulary < 1 || vocabulary > 1 << 24 || end_of_text < 0 || end_of_text >= vocabulary)
    return nullptr;
  return make_ids_tokenizer(vocabulary, static_cast<int32_t>(end_of_text));
}

}  // namespace muonlab::data
