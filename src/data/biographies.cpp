#include "muonlab/data/biographies.hpp"

#include <algorithm>
#include <bit>

#include "data/biography_tables.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/permutation.hpp"
#include "muonlab/base/philox.hpp"

namespace muonlab::data {

namespace {

// Streams of Philox's purpose `corpus`, and the places of permutation keys that no epoch reaches.
enum Stream : uint64_t {
  kFacts = 1,
  kWorkCities = 2,
  kTrainWordings = 3,
  kValidWordings = 4,
  kSentenceWordings = 5
};
enum Order : uint64_t {
  kNames = uint64_t{1} << 62,
  kTrainDocuments,
  kValidDocuments,
  kExam = kNames + (uint64_t{1} << 32),       // + group
  kSentences = kNames + (uint64_t{1} << 33),  // + selection
};

uint64_t shuffled(uint64_t index, uint64_t n, int64_t seed, uint64_t order) {
  return base::permute(index, n, base::permutation_key(static_cast<uint64_t>(seed), order));
}

base::Philox numbers(int64_t seed, Stream stream) {
  return base::Philox(static_cast<uint64_t>(seed), base::Purpose::corpus, stream);
}

void fill(std::string& text, std::string_view blank, const std::string& value) {
  text.replace(text.find(blank), blank.size(), value);
}

std::string document(const Question& question) {
  return question.text + " " + question.answer + ".";
}

}  // namespace

Biographies::Biographies(const config::BiographiesConfig& config) : config_(config) {
  base::check(config.m >= 1 && config.m <= 20 && config.questions >= 1 &&
                  config.questions <= kNumAttributes && config.templates >= 1 &&
                  config.templates <= kNumWordings,
              "biographies: a setting is out of range");
}

int64_t Biographies::num_selections() const {
  return (int64_t{1} << (config_.m - 1)) * (config_.m + 2);
}

int64_t Biographies::num_documents() const {
  const bool biographies = config_.text == config::BiographyText::biographies_and_questions;
  return num_samples() + (biographies ? num_selections() : 0);
}

int Biographies::group(int64_t cls) const {
  return static_cast<int>(std::bit_width(static_cast<uint64_t>(cls)));
}

int64_t Biographies::selections(int64_t cls) const {
  if (!config_.uniform) return int64_t{1} << (config_.m - group(cls));
  return num_selections() / num_classes() + (cls < num_selections() % num_classes() ? 1 : 0);
}

int64_t Biographies::class_of(int64_t selection) const {
  base::check(selection >= 0 && selection < num_selections(), "selection out of range");
  if (config_.uniform) {
    const int64_t often = num_selections() / num_classes() + 1,
                  num_often = num_selections() % num_classes();
    if (selection < often * num_often) return selection / often;
    return num_often + (selection - often * num_often) / (often - 1);
  }
  if (selection < num_classes()) return 0;
  const int64_t group_size = num_classes() / 2;
  const int64_t g = 1 + (selection - num_classes()) / group_size;
  const int64_t place = (selection - num_classes()) % group_size;
  return (int64_t{1} << (g - 1)) + (place >> (config_.m - g));
}

int64_t Biographies::first_selection(int64_t cls) const {
  if (config_.uniform) {
    return cls * (num_selections() / num_classes()) +
           std::min(cls, num_selections() % num_classes());
  }
  if (cls == 0) return 0;
  const int g = group(cls);
  return num_classes() + (g - 1) * (num_classes() / 2) +
         ((cls - (int64_t{1} << (g - 1))) << (config_.m - g));
}

Person Biographies::person(int64_t cls) const {
  base::check(cls >= 0 && cls < num_classes(), "class out of range");
  constexpr uint64_t kNumNames = kNumFirstNames * kNumMiddleNames * kNumLastNames;
  const uint64_t name = shuffled(static_cast<uint64_t>(cls), kNumNames, config_.seed, kNames);
  const auto draw = [&, facts = numbers(config_.seed, kFacts)](int attribute, uint64_t bound) {
    return facts.below(static_cast<uint64_t>(cls) * kNumAttributes + attribute, bound);
  };
  const uint64_t employer = draw(4, kNumCompanies);
  Person person;
  person.name = first_name(name % kNumFirstNames) + " " +
                middle_name(name / kNumFirstNames % kNumMiddleNames) + " " +
                last_name(name / (kNumFirstNames * kNumMiddleNames));
  person.facts = {birth_date(draw(0, kNumBirthDates)), city(draw(1, kNumCities)),
                  university(draw(2, kNumUniversities)), major(draw(3, kNumMajors)),
                  company(employer),
                  // As in bioS, a company has one city, and all its people work there.
                  city(numbers(config_.seed, kWorkCities).below(employer, kNumCities))};
  return person;
}

Question Biographies::question(int64_t cls, int attribute, int wording) const {
  const Person asked = person(cls);
  std::string text(question_wording(attribute, wording));
  fill(text, "{}", asked.name);
  return {"Question: " + text + " Answer:", asked.facts.at(static_cast<size_t>(attribute)),
          group(cls), attribute};
}

int Biographies::valid_wording(int64_t cls, int attribute) const {
  const auto index = static_cast<uint64_t>(cls * kNumAttributes + attribute);
  return static_cast<int>(
      numbers(config_.seed, kValidWordings).below(index, static_cast<uint64_t>(config_.templates)));
}

int Biographies::train_wording(int64_t selection, int attribute) const {
  if (config_.templates == 1) return 0;
  const auto index = static_cast<uint64_t>(selection * kNumAttributes + attribute);
  const auto drawn =
      static_cast<int>(numbers(config_.seed, kTrainWordings)
                           .below(index, static_cast<uint64_t>(config_.templates - 1)));
  return drawn < valid_wording(class_of(selection), attribute) ? drawn : drawn + 1;
}

std::string Biographies::biography(int64_t selection) const {
  const Person about = person(class_of(selection));
  const auto num_sentences = static_cast<uint64_t>(config_.questions);
  const base::Philox wordings = numbers(config_.seed, kSentenceWordings);
  std::string text;
  for (uint64_t i = 0; i < num_sentences; ++i) {
    const uint64_t attribute =
        shuffled(i, num_sentences, config_.seed, kSentences + static_cast<uint64_t>(selection));
    const uint64_t wording =
        wordings.below(static_cast<uint64_t>(selection) * kNumAttributes + attribute,
                       static_cast<uint64_t>(config_.templates));
    std::string sentence(sentence_wording(static_cast<int>(attribute), static_cast<int>(wording)));
    fill(sentence, "{}", about.name);
    fill(sentence, "{fact}", about.facts[attribute]);
    text += (i == 0 ? "" : " ") + sentence;
  }
  return text;
}

std::vector<Question> Biographies::exam(int64_t classes_per_group, Wording wording) const {
  std::vector<Question> questions;
  for (int g = 0; g <= config_.m; ++g) {
    const int64_t first = g == 0 ? 0 : int64_t{1} << (g - 1), size = std::max<int64_t>(first, 1);
    const int64_t count = std::min(size, classes_per_group);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t cls =
          first + (count == size ? i
                                 : static_cast<int64_t>(shuffled(
                                       static_cast<uint64_t>(i), static_cast<uint64_t>(size),
                                       config_.seed, kExam + static_cast<uint64_t>(g))));
      for (int attribute = 0; attribute < config_.questions; ++attribute) {
        questions.push_back(question(cls, attribute,
                                     wording == Wording::held_out
                                         ? valid_wording(cls, attribute)
                                         : train_wording(first_selection(cls), attribute)));
      }
    }
  }
  return questions;
}

std::string Biographies::train_document(int64_t index) const {
  const auto sample = static_cast<int64_t>(shuffled(static_cast<uint64_t>(index),
                                                    static_cast<uint64_t>(num_documents()),
                                                    config_.seed, kTrainDocuments));
  if (sample >= num_samples()) return biography(sample - num_samples());
  const int64_t selection = sample / config_.questions;
  const auto attribute = static_cast<int>(sample % config_.questions);
  return document(question(class_of(selection), attribute, train_wording(selection, attribute)));
}

std::string Biographies::valid_document(int64_t index) const {
  const auto fact = static_cast<int64_t>(shuffled(
      static_cast<uint64_t>(index), static_cast<uint64_t>(num_classes() * config_.questions),
      config_.seed, kValidDocuments));
  const int64_t cls = fact / config_.questions;
  const auto attribute = static_cast<int>(fact % config_.questions);
  return document(question(cls, attribute, valid_wording(cls, attribute)));
}

}  // namespace muonlab::data
