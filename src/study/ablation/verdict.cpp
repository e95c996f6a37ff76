#include "verdict.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string_view>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::study {
namespace {

// A row as the subject of a sentence.
struct Subject {
  std::string text;
  bool plural = false;
  std::string verb(const char* plural_form) const {
    return std::string(plural_form) + (plural ? "" : "s");
  }
};

// "V O + FFN" becomes "V, O and the feed-forward matrices"; a label of other words stays as it is.
Subject subject(const std::string& label) {
  constexpr std::array<std::string_view, 7> kMatrices{"Q",    "K",      "V",    "O",
                                                      "W_in", "W_gate", "W_out"};
  std::vector<std::string> parts;
  bool plural = false;
  for (const std::string& word : base::split(label, ' ')) {
    if (word == "FFN") {
      parts.emplace_back("the feed-forward matrices");
      plural = true;
    } else if (std::find(kMatrices.begin(), kMatrices.end(), word) != kMatrices.end()) {
      parts.push_back(word);
    } else if (word != "+") {
      return {label};
    }
  }
  if (parts.empty()) return {label};
  if (parts.size() < 2) return {parts.front(), plural};
  const std::string last = parts.back();
  parts.pop_back();
  return {base::join(parts, ", ") + " and " + last, true};
}

std::string capitalized(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string amount_text(double loss) { return base::fixed(std::abs(loss), 4); }

// One seed or two can hardly tell anything from noise: then the sizes of gains are said all the
// same.
bool few_seeds(const RowAnswer& reference) { return reference.gain->n <= 2; }

std::string gain_sentence(const AblationAnswer& answer) {
  const AblationWords& words = answer.words;
  const RowAnswer& reference = answer.reference_row();
  if (!reference.gain) {
    return "No seed has both ends of the comparison yet, so " + words.treatment +
           "'s gain is unknown.";
  }
  const double gain = reference.gain->value;
  const std::string size =
      base::str(words.treatment, gain < 0 ? " loses " : " gains ", amount_text(gain),
                gain < 0 ? " against " : " over ", words.baseline);
  if (!reference.p) return size + " on one seed; whether that is noise cannot be told.";
  if (few_seeds(reference) && *reference.p >= kSignificance) {
    return base::str(size, "; two seeds are too few to tell that from noise (",
                     p_text(*reference.p), ").");
  }
  const std::string p = " (" + p_text(*reference.p) + ").";
  if (*reference.p >= kSignificance)
    return words.treatment + "'s gain cannot be told from noise" + p;
  if (gain < 0) {
    return words.treatment + " does worse than " + words.baseline + " by " + amount_text(gain) + p;
  }
  return words.treatment + "'s gain is significant" + p;
}

bool brings_something(const RowAnswer& row) {
  return row.gain->value > 0 && *row.p_holm < kSignificance;
}

std::string brings_share(const RowAnswer& row, const AblationWords& words) {
  const Subject who = subject(row.label);
  return base::str(who.text, " ", who.verb("bring"), " ", percent_text(row.recovered->value),
                   " of ", words.treatment, "'s gain");
}

// About the rows that bring least: those whose gain is noise, or else the last one.
std::string least_clause(const std::vector<const RowAnswer*>& by_share,
                         const AblationWords& words) {
  std::vector<std::string> noise;
  for (const RowAnswer* row : by_share) {
    if (*row->p_holm >= kSignificance) noise.push_back(row->label);
  }
  const RowAnswer& last = *by_share.back();
  const Subject who = subject(last.label);
  if (noise.size() == 1 && noise[0] == last.label) {
    return who.text + " " + who.verb("bring") + " none that can be told from noise";
  }
  if (!noise.empty())
    return "what these bring cannot be told from noise: " + base::join(noise, "; ");
  if (last.gain->value < 0) {
    return base::str(who.text, who.plural ? " do" : " does", " worse than ", words.baseline, " by ",
                     amount_text(last.gain->value));
  }
  return who.text + " " + who.verb("bring") + " " + percent_text(last.recovered->value);
}

std::string few_seeds_sentence(const std::vector<const RowAnswer*>& by_share,
                               const AblationWords& words, int64_t n) {
  const RowAnswer &most = *by_share.front(), &least = *by_share.back();
  std::string text = capitalized(brings_share(most, words));
  if (by_share.size() > 1)
    text += ", " + subject(least.label).text + " " + percent_text(least.recovered->value);
  return text + (n == 1 ? ", where one seed allows no error bars."
                        : ", with wide error bars from two seeds.");
}

// Where there is no certain gain of the reference to share, the row with the largest gain of its
// own.
std::string best_row_sentence(const AblationAnswer& answer) {
  const RowAnswer* best = nullptr;
  for (const RowAnswer& row : answer.rows) {
    if (row.name == answer.reference || !row.p_holm || !brings_something(row)) continue;
    if (!best || row.gain->value > best->gain->value) best = &row;
  }
  if (!best) return "";
  const Subject who = subject(best->label);
  return capitalized(who.text) + " " + who.verb("gain") + " " + amount_text(best->gain->value) +
         " over " + answer.words.baseline + " (" + p_text(*best->p_holm) + ").";
}

std::string share_sentence(const AblationAnswer& answer) {
  const RowAnswer& reference = answer.reference_row();
  std::vector<const RowAnswer*> by_share;
  for (const RowAnswer& row : answer.rows) {
    // Rows of two seeds beside more of the reference are on their way: their noise says nothing
    // yet.
    const bool comparable = row.recovered && (row.p_holm || !reference.p) &&
                            (row.gain->n > 2 || row.gain->n == reference.gain->n);
    if (comparable && row.name != answer.baseline && row.name != answer.reference)
      by_share.push_back(&row);
  }
  std::stable_sort(by_share.begin(), by_share.end(), [](const auto* a, const auto* b) {
    return a->recovered->value > b->recovered->value;
  });
  if (!reference.gain) return "";
  if (few_seeds(reference)) {
    return by_share.empty() || reference.gain->value <= 0
               ? ""
               : few_seeds_sentence(by_share, answer.words, reference.gain->n);
  }
  if (*reference.p >= kSignificance || reference.gain->value <= 0) return best_row_sentence(answer);
  if (by_share.empty()) return "";
  if (!brings_something(*by_share.front())) return "No other row's gain can be told from noise.";
  std::string text = capitalized(brings_share(*by_share.front(), answer.words));
  if (by_share.size() > 1) text += "; " + least_clause(by_share, answer.words);
  return text + ".";
}

}  // namespace

std::string wrapped(const std::string& text, size_t width) {
  std::vector<std::string> words;
  bool glue = false;
  for (const std::string& word : base::split(text, ' ')) {
    const bool sign = word == "=" || word == "<" || word == "±";
    if (glue || sign || word.starts_with("%")) {
      words.back() += " " + word;
    } else {
      words.push_back(word);
    }
    glue = sign;
  }
  std::string out, line;
  for (const std::string& word : words) {
    if (!line.empty() &&
        kTextIndent + base::display_width(line) + 1 + base::display_width(word) > width) {
      out += std::string(kTextIndent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + std::string(kTextIndent, ' ') + line + "\n";
}

std::string p_text(double p) {
  if (p < 1e-15) return "p < 1e-15";
  if (p >= 0.001) return "p = " + base::significant(p, 2);
  std::string digits = base::scientific(p, 0);  // 2e-06
  const size_t zero = digits.find("-0");
  if (zero != std::string::npos) digits.erase(zero + 1, 1);
  return "p = " + digits;
}

std::string percent_text(double share) {
  const double rounded = std::round(100.0 * share);
  return base::fixed(rounded == 0.0 ? 0.0 : rounded, 0) + " %";  // no "-0 %"
}

std::vector<std::string> verdict_sentences(const AblationAnswer& answer) {
  std::vector<std::string> sentences{gain_sentence(answer)};
  if (const std::string shares = share_sentence(answer); !shares.empty())
    sentences.push_back(shares);
  return sentences;
}

}  // namespace muonlab::study
