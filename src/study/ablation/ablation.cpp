#include "muonlab/study/ablation/ablation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "muonlab/base/error.hpp"
#include "muonlab/base/ratio.hpp"
#include "verdict.hpp"

namespace muonlab::study {
namespace {

using Losses = std::map<int64_t, double>;
using Values = std::vector<double>;

const AblationRow& find_row(const Ablation& ablation, const std::string& name) {
  const auto found = std::find_if(ablation.rows.begin(), ablation.rows.end(),
                                  [&](const AblationRow& row) { return row.name == name; });
  base::check(found != ablation.rows.end(), "an ablation without its row " + name);
  return *found;
}

Values finite(const Losses& losses) {
  Values values;
  for (const auto& [seed, loss] : losses) {
    if (std::isfinite(loss)) values.push_back(loss);
  }
  return values;
}

// The values of the seeds that all have, seed by seed.
std::vector<Values> paired(const std::vector<const Losses*>& rows) {
  std::vector<Values> values(rows.size());
  for (const auto& [seed, unused] : *rows.front()) {
    Values of_seed;
    for (const Losses* losses : rows) {
      const auto found = losses->find(seed);
      if (found != losses->end() && std::isfinite(found->second)) of_seed.push_back(found->second);
    }
    if (of_seed.size() < rows.size()) continue;
    for (size_t i = 0; i < rows.size(); ++i) values[i].push_back(of_seed[i]);
  }
  return values;
}

Values minus(const Values& a, const Values& b) {
  Values differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return differences;
}

std::optional<Estimate> mean_estimate(const Values& values) {
  if (values.empty()) return std::nullopt;
  Estimate estimate{.n = static_cast<int64_t>(values.size()), .value = base::mean(values)};
  if (values.size() < 2) return estimate;
  estimate.standard_error = base::standard_error(values);
  estimate.interval = base::mean_interval(values);
  return estimate;
}

std::optional<Estimate> recovered_share(const Losses& row, const Losses& baseline,
                                        const Losses& reference) {
  const std::vector<Values> losses = paired({&row, &baseline, &reference});
  const Values gain = minus(losses[1], losses[0]), gap = minus(losses[1], losses[2]);
  if (gap.empty() || base::mean(gap) <= 0.0) return std::nullopt;
  Estimate estimate{.n = static_cast<int64_t>(gap.size()),
                    .value = base::mean(gain) / base::mean(gap)};
  if (&row == &baseline || &row == &reference || gap.size() < 2) return estimate;
  estimate.interval = gap.size() < kBootstrapSeeds ? base::fieller_interval(gain, gap)
                                                   : base::bootstrap_ratio_interval(gain, gap);
  return estimate;
}

RowAnswer answer_row(const AblationRow& row, const AblationRow& baseline,
                     const AblationRow& reference) {
  RowAnswer answer{.name = row.name, .label = row.label};
  const Values losses = finite(row.losses);
  answer.loss = mean_estimate(losses);
  answer.num_diverged = static_cast<int64_t>(row.losses.size() - losses.size());
  answer.num_doubtful = static_cast<int64_t>(row.doubtful.size());
  if (losses.size() >= 2) answer.deviation = base::standard_deviation(losses);
  answer.recovered = recovered_share(row.losses, baseline.losses, reference.losses);
  answer.published = row.published;
  if (row.published && baseline.published && reference.published &&
      *baseline.published > *reference.published) {
    answer.published_recovered =
        (*baseline.published - *row.published) / (*baseline.published - *reference.published);
  }
  if (&row != &reference) {
    const std::vector<Values> pairs = paired({&row.losses, &reference.losses});
    answer.behind = mean_estimate(minus(pairs[0], pairs[1]));
  }
  if (&row == &baseline) return answer;
  const std::vector<Values> pairs = paired({&baseline.losses, &row.losses});
  answer.gain = mean_estimate(minus(pairs[0], pairs[1]));
  answer.reach = reach_of(row.curves, baseline.curves);
  if (pairs[0].size() >= 2) answer.p = base::paired_t_test(pairs[0], pairs[1]).p;
  return answer;
}

void correct_for_many_tests(std::vector<RowAnswer>& rows) {
  Values p_values;
  for (const RowAnswer& row : rows) {
    if (row.p) p_values.push_back(*row.p);
  }
  const Values adjusted = base::holm(p_values);
  size_t next = 0;
  for (RowAnswer& row : rows) {
    if (row.p) row.p_holm = adjusted[next++];
  }
}

// Gains rather than mean losses: rows may have run on different seeds. What has no gain comes last.
void sort_by_gain(std::vector<RowAnswer>& rows, const std::string& baseline) {
  const auto key = [&](const RowAnswer& row) {
    return row.gain               ? row.gain->value
           : row.name == baseline ? 0.0
                                  : -std::numeric_limits<double>::infinity();
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const auto& a, const auto& b) { return key(a) > key(b); });
}

}  // namespace

bool AblationAnswer::gain_is_certain() const {
  const RowAnswer& reference = reference_row();
  return reference.gain && reference.gain->value > 0 && reference.p && *reference.p < kSignificance;
}

bool AblationAnswer::gain_is_open() const {
  const RowAnswer& reference = reference_row();
  return reference.gain && (!reference.p || *reference.p >= kSignificance);
}

const RowAnswer& AblationAnswer::row(const std::string& name) const {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const RowAnswer& row) { return row.name == name; });
  base::check(found != rows.end(), "an answer without its row " + name);
  return *found;
}

AblationAnswer answer_ablation(const Ablation& ablation, RowOrder order) {
  const AblationRow &baseline = find_row(ablation, ablation.baseline),
                    &reference = find_row(ablation, ablation.reference);
  AblationAnswer answer{.title = ablation.title,
                        .rows = {},
                        .baseline = ablation.baseline,
                        .reference = ablation.reference,
                        .words = ablation.words,
                        .verdict = {}};
  for (const AblationRow& row : ablation.rows)
    answer.rows.push_back(answer_row(row, baseline, reference));
  correct_for_many_tests(answer.rows);
  if (order == RowOrder::by_loss) sort_by_gain(answer.rows, answer.baseline);
  answer.verdict = verdict_sentences(answer);
  return answer;
}

}  // namespace muonlab::study
