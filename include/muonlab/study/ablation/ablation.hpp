// The result of an ablation, computed from the final losses of its rows. Rows are compared seed by
// seed: all rows with one seed start from the same initial weights and see the same data in the
// same order. docs/statistics.md has the formulas and their sources.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "muonlab/base/statistics.hpp"
#include "muonlab/study/ablation/reach.hpp"

namespace muonlab::study {

struct AblationRow {
  std::string name;   // "vo_ffn"
  std::string label;  // for people: "V O FFN"
  // final validation loss by seed; absent where the seed failed, not finite where it diverged
  std::map<int64_t, double> losses{};
  std::optional<double> published{};      // the paper's loss
  std::set<int64_t> doubtful{};           // seeds whose loss, though finite, tells of a broken run
  std::map<int64_t, LossCurve> curves{};  // validations of finished runs by seed; may be empty
};

// The words that tables and sentences use.
struct AblationWords {
  std::string rows = "Muon on";    // the column of labels
  std::string baseline = "Adam";   // what the baseline row trains with
  std::string treatment = "Muon";  // whose gain the reference row shows
};

// One block of a sweep.
struct Ablation {
  std::string title;  // "paper's protocol"; may be empty
  std::vector<AblationRow> rows;
  std::string baseline, reference;  // names of rows: nothing treated, all treated
  AblationWords words{};
};

struct Estimate {
  int64_t n = 0;  // seeds
  double value = 0;
  // Two seeds and more; shares of the gain have no standard error of their own.
  std::optional<double> standard_error{};
  std::optional<base::Interval> interval{};  // 95 %; not bounded() where a share's gap may be 0
};

// Absent members have no seed to be computed from.
struct RowAnswer {
  std::string name, label;
  std::optional<Estimate> loss{};
  std::optional<double> deviation{};  // standard deviation of the loss over seeds
  std::optional<Estimate> gain{};     // baseline - row, over the seeds of both
  // row - reference, over the seeds of both: sharper than the gain where the baseline's seeds
  // differ much. Not of the reference.
  std::optional<Estimate> behind{};
  // paired t-test of the gain; corrected over all rows but the baseline
  std::optional<double> p{}, p_holm{};
  // (baseline - row) / (baseline - reference), over the seeds of all three: 0 and 1 by definition
  // for those two rows. Absent where the gap is not positive: there is no gain to share.
  std::optional<Estimate> recovered{};
  std::optional<double> published{}, published_recovered{};
  std::optional<Reach> reach{};  // of the baseline's final loss; not of the baseline
  int64_t num_diverged = 0;      // seeds that all figures of the row leave out
  int64_t num_doubtful = 0;      // seeds that they take in (AblationRow::doubtful)
};

struct AblationAnswer {
  std::string title;
  std::vector<RowAnswer> rows;
  std::string baseline, reference;
  AblationWords words;
  // sentences: about the reference's gain, then about who brings it
  std::vector<std::string> verdict;

  const RowAnswer& row(const std::string& name) const;
  // its gain is the gap, its p the gap's
  const RowAnswer& reference_row() const { return row(reference); }
  // The reference has a significant gain. Otherwise there is no gain to give shares of.
  bool gain_is_certain() const;
  // There is a gain, of either sign, that more seeds could tell from noise.
  bool gain_is_open() const;
};

enum class RowOrder { as_given, by_loss };  // by_loss: largest paired gain first

// intervals of shares: from here on by bootstrap, below by Fieller
constexpr size_t kBootstrapSeeds = 8;
constexpr double kSignificance = 0.05;

AblationAnswer answer_ablation(const Ablation& ablation, RowOrder order = RowOrder::by_loss);

// All figures of an answer, absent ones left out; the interval of an unbounded share is the word
// "unbounded".
nlohmann::ordered_json ablation_json(const AblationAnswer& answer);

}  // namespace muonlab::study
