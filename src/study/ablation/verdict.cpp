#include "verdict.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <iterator>
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

std::string amount_text(double loss) { return base::fixed(std::abs(loss), 4); }

// The size of a gain with its interval: "0.0530 [0.0410, 0.0650]"; a loss is shown as a positive
// one.
std::string amount_text(const Estimate& gain) {
  std::string text = amount_text(gain.value);
  if (!gain.interval) return text;
  const double sign = gain.value < 0 ? -1 : 1;
  const double ends[] = {sign * gain.interval->low, sign * gain.interval->high};
  return base::str(text, " [", base::fixed(std::min(ends[0], ends[1]), 4), ", ",
                   base::fixed(std::max(ends[0], ends[1]), 4), "]");
}

std::string share_with_interval(const Estimate& share) {
  std::string text = percent_text(share.value);
  if (!share.interval || !share.interval->bounded()) return text;
  const auto percent = [](double value) {
    const double rounded = std::round(100 * value);
    return base::fixed(rounded == 0 ? 0.0 : rounded, 0);
  };
  return base::str(text, " [", percent(share.interval->low), ", ", percent(share.interval->high),
                   "]");
}

std::string gain_sentence(const AblationAnswer& answer) {
  const AblationWords& words = answer.words;
  const RowAnswer& reference = answer.reference_row();
  const std::string who = capitalized(words.treatment);
  if (!reference.gain) {
    return "No seed has both ends of the comparison yet, so " + possessive(words.treatment) +
           " gain is unknown.";
  }
  const Estimate& gain = *reference.gain;
  const std::string size = base::str(who, gain.value < 0 ? " loses " : " gains ", amount_text(gain),
                                     gain.value < 0 ? " against " : " over ", words.baseline);
  if (!reference.p) return size + " on one seed, which cannot tell that from noise.";
  const std::string p = " (" + p_text(*reference.p) + ")";
  if (*reference.p >= kSignificance) {
    return base::str(possessive(who), " gain cannot be told from noise",
                     gain.n == 2 ? " on two seeds" : "", p, ": it is ", gain.value < 0 ? "-" : "",
                     base::fixed(std::abs(gain.value), 4),
                     gain.interval ? base::str(" [", base::fixed(gain.interval->low, 4), ", ",
                                               base::fixed(gain.interval->high, 4), "]")
                                   : "",
                     ".");
  }
  if (gain.value < 0)
    return who + " does worse than " + words.baseline + " by " + amount_text(gain) + p + ".";
  return possessive(who) + " gain is significant" + p + ".";
}

// Of a row on enough seeds to have a test.
bool is_noise(const RowAnswer& row) { return !row.p_holm || *row.p_holm >= kSignificance; }
bool brings_something(const RowAnswer& row) {
  return row.gain && row.gain->value > 0 && !is_noise(row);
}
bool is_worse(const RowAnswer& row) { return row.gain && row.gain->value < 0 && !is_noise(row); }

using Rows = std::vector<const RowAnswer*>;

Rows those(const Rows& rows, bool (*is)(const RowAnswer&)) {
  Rows found;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(found),
               [is](const RowAnswer* row) { return is(*row); });
  return found;
}

std::string brings_share(const RowAnswer& row, const AblationWords& words) {
  const Subject who = subject(row.label);
  return base::str(who.text, " ", who.verb("bring"), " ", share_with_interval(*row.recovered),
                   " of ", possessive(words.treatment), " gain");
}

std::string worse_clause(const Rows& worse, const AblationWords& words) {
  if (worse.size() == 1) {
    const Subject who = subject(worse[0]->label);
    return base::str(who.text, who.plural ? " do" : " does", " worse than ", words.baseline, " by ",
                     amount_text(*worse[0]->gain));
  }
  std::string labels = worse[0]->label;
  for (size_t i = 1; i < worse.size(); ++i)
    labels += (i + 1 == worse.size() ? " and " : ", ") + worse[i]->label;
  return base::str("worse than ", words.baseline, " are ", labels);
}

std::string noise_clause(const Rows& noise) {
  if (noise.size() == 1) {
    const Subject who = subject(noise[0]->label);
    return who.text + " " + who.verb("bring") + " none that can be told from noise";
  }
  std::vector<std::string> labels;
  for (const RowAnswer* row : noise) labels.push_back(row->label);
  return "what these bring cannot be told from noise: " + base::join(labels, "; ");
}

// Where there is no certain gain of the reference to share, the row with the largest gain of its
// own.
std::string best_row_sentence(const AblationAnswer& answer) {
  const RowAnswer* best = nullptr;
  for (const RowAnswer& row : answer.rows) {
    if (row.name == answer.reference || !brings_something(row)) continue;
    if (!best || row.gain->value > best->gain->value) best = &row;
  }
  if (!best) return "";
  const Subject who = subject(best->label);
  return capitalized(who.text) + " " + who.verb("gain") + " " + amount_text(*best->gain) +
         " over " + answer.words.baseline + " (" + p_text(*best->p_holm) + ").";
}

// About the gain's shares, which only a gain that is certain has.
std::string share_sentence(const AblationAnswer& answer) {
  const RowAnswer& reference = answer.reference_row();
  Rows by_share;
  for (const RowAnswer& row : answer.rows) {
    // Rows of two seeds beside more of the reference are on their way: their noise says nothing
    // yet.
    const bool comparable = row.recovered && row.gain && row.p_holm &&
                            (row.gain->n > 2 || row.gain->n == reference.gain->n);
    if (comparable && row.name != answer.baseline && row.name != answer.reference)
      by_share.push_back(&row);
  }
  std::stable_sort(by_share.begin(), by_share.end(), [](const auto* a, const auto* b) {
    return a->recovered->value > b->recovered->value;
  });
  if (by_share.empty()) return "";
  const Rows gains = those(by_share, brings_something), worse = those(by_share, is_worse);
  const Rows noise = those(by_share, is_noise);
  std::vector<std::string> clauses;
  if (!gains.empty()) clauses.push_back(brings_share(*gains.front(), answer.words));
  if (!worse.empty()) clauses.push_back(worse_clause(worse, answer.words));
  if (!noise.empty())
    clauses.push_back(gains.empty() ? "no other row's gain can be told from noise"
                                    : noise_clause(noise));
  if (clauses.size() == 1 && gains.size() > 1) {
    const Subject last = subject(gains.back()->label);
    clauses.push_back(last.text + " " + last.verb("bring") + " " +
                      share_with_interval(*gains.back()->recovered));
  }
  return capitalized(base::join(clauses, "; ")) + ".";
}

// "V O FFN diverged on 1 of 3 seeds"
std::string on_seeds(int64_t part, int64_t all) {
  if (part == all) return all == 1 ? "on its seed" : base::str("on all ", all, " seeds");
  return base::str("on ", part, " of ", all, " seeds");
}

}  // namespace

std::string capitalized(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string possessive(const std::string& name) {
  return name + (name.ends_with('s') ? "'" : "'s");
}

std::vector<std::string> broken_run_sentences(const AblationAnswer& answer) {
  std::vector<std::string> sentences;
  for (const RowAnswer& row : answer.rows) {
    const int64_t finite = row.loss ? row.loss->n : 0;
    if (row.num_diverged > 0) {
      sentences.push_back(base::str(row.label, " diverged ",
                                    on_seeds(row.num_diverged, row.num_diverged + finite),
                                    finite > 0 ? ", which its figures leave out." : "."));
    }
    if (row.num_doubtful > 0) {
      sentences.push_back(base::str(
          "! ", row.label, " ended ", on_seeds(row.num_doubtful, finite),
          " no better than a guess among all tokens: its training broke, and its figures say "
          "nothing about its optimizer at a fitting learning rate."));
    }
  }
  return sentences;
}

std::string wrapped(const std::string& text, size_t width) {
  std::string out;
  for (const std::string& line :
       base::wrap_text(text, width > kTextIndent ? width - kTextIndent : 1)) {
    out += std::string(kTextIndent, ' ') + line + "\n";
  }
  return out;
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
  const auto add = [&](const std::string& sentence) {
    if (!sentence.empty()) sentences.push_back(sentence);
  };
  if (answer.gain_is_certain()) {
    add(share_sentence(answer));
    return sentences;
  }
  const RowAnswer& reference = answer.reference_row();
  const bool is_loss = reference.p && *reference.p < kSignificance;  // else the gain were certain
  if (reference.gain && !is_loss)
    add("Shares of " + possessive(answer.words.treatment) + " gain are undefined.");
  add(best_row_sentence(answer));
  return sentences;
}

}  // namespace muonlab::study
