// Heavy-tailed biographies as question–answer text (arXiv 2509.26030; the people in the manner of
// Allen-Zhu and Li's bioS). Everything is a function of the configuration: no file, no state.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "muonlab/config/data.hpp"
#include "muonlab/data/corpus.hpp"

namespace muonlab::data {

inline constexpr int kNumAttributes = 6;
inline constexpr int kNumWordings = 6;
extern const std::array<const char*, kNumAttributes> kAttributeNames;  // "birth date", …

struct Person {
  std::string name;  // "First Middle Last", unique
  std::array<std::string, kNumAttributes> facts;
};

// A wording in which the training text asks about that very fact, or the one kept from it.
enum class Wording { trained, held_out };

// Classes are 0 … 2^m - 1. Group 0 is class 0; group g >= 1 the 2^(g-1) classes from 2^(g-1) on. A
// class of group g is selected 2^(m-g) times (uniform: all equally often, to within one, with the
// same total), and every selection gives one sample an attribute asked about and, where `text` says
// so, one biography.
class Biographies {
 public:
  explicit Biographies(const config::BiographiesConfig& config);

  int64_t num_classes() const { return int64_t{1} << config_.m; }
  int64_t num_selections() const;                                               // 2^(m-1) (m + 2)
  int64_t num_samples() const { return num_selections() * config_.questions; }  // questions
  // of the training text: questions, and biographies if there are any
  int64_t num_documents() const;
  int group(int64_t cls) const;
  int64_t selections(int64_t cls) const;

  Person person(int64_t cls) const;
  // The class of a selection, 0 <= selection < num_selections(): selections of a class are
  // neighbours.
  int64_t class_of(int64_t selection) const;
  // One question in one of the wordings 0 … kNumWordings - 1.
  Question question(int64_t cls, int attribute, int wording) const;
  // With several templates, one of them, chosen by class and attribute, is kept for validation and
  // is never used for that class and attribute in training; with one template both use it.
  int valid_wording(int64_t cls, int attribute) const;
  int train_wording(int64_t selection, int attribute) const;
  int64_t first_selection(int64_t cls) const;
  // A sentence an attribute asked about, each with the full name, in an order and wordings of the
  // selection's own.
  std::string biography(int64_t selection) const;

  // Questions to examine a model with, from the most to the least frequent group: all attributes of
  // at most `classes_per_group` people of each group, drawn by the corpus's seed alone, so that all
  // runs are asked the same.
  std::vector<Question> exam(int64_t classes_per_group, Wording wording) const;

  // Document `index` of the training text in its shuffled order, 0 <= index < num_documents(), and
  // of the validation text, 0 <= index < num_classes() * questions: every fact once, as a question.
  std::string train_document(int64_t index) const;
  std::string valid_document(int64_t index) const;

 private:
  config::BiographiesConfig config_;
};

// Tokenized, packed and held in memory (2 or 4 bytes an id). Throws Error when that would exceed 2
// GiB.
Dataset open_biographies(const config::BiographiesConfig& config, int64_t context, int64_t seed);

}  // namespace muonlab::data
