#include "muonlab/data/mixture.hpp"

#include <cmath>
#include <numeric>

#include "muonlab/base/error.hpp"

namespace muonlab::data {
namespace {

// A share as a multiple of 2^-32, so that positions are exact whole numbers.
constexpr int kShareBits = 32;

struct Place {
  size_t part;
  int64_t index;
};

// How the samples of one stretch are dealt to the parts first … last - 1. The samples that reach a
// group of parts are halved: a share goes to its left half, the rest to its right half.
class Deal {
 public:
  explicit Deal(const std::vector<double>& weights) : sums_(weights.size() + 1, 0.0) {
    std::partial_sum(weights.begin(), weights.end(), sums_.begin() + 1);
  }

  // Which part the sample n of the stretch belongs to, and how many that part had before.
  Place at(int64_t n) const {
    size_t first = 0, last = sums_.size() - 1;
    while (last - first > 1) {
      const size_t middle = (first + last) / 2;
      const uint64_t share = left_share(first, middle, last);
      const int64_t left = scaled(n, share);
      if (scaled(n + 1, share) > left) {
        last = middle;
        n = left;
      } else {
        first = middle;
        n -= left;
      }
    }
    return {first, n};
  }

  // How many of the first n samples each part has.
  void count(int64_t n, std::vector<int64_t>& counts) const {
    count(n, 0, sums_.size() - 1, counts);
  }

 private:
  uint64_t left_share(size_t first, size_t middle, size_t last) const {
    const double share = (sums_[middle] - sums_[first]) / (sums_[last] - sums_[first]);
    return static_cast<uint64_t>(std::llround(std::ldexp(share, kShareBits)));
  }
  // n times the share, rounded to the nearest whole number.
  static int64_t scaled(int64_t n, uint64_t share) {
    using Wide = unsigned __int128;
    const Wide half = Wide{1} << (kShareBits - 1);
    return static_cast<int64_t>((static_cast<Wide>(n) * share + half) >> kShareBits);
  }
  void count(int64_t n, size_t first, size_t last, std::vector<int64_t>& counts) const {
    if (last - first == 1) {
      counts[first] += n;
      return;
    }
    const size_t middle = (first + last) / 2;
    const int64_t left = scaled(n, left_share(first, middle, last));
    count(left, first, middle, counts);
    count(n - left, middle, last, counts);
  }

  std::vector<double> sums_;
};

class Mixture : public Corpus {
 public:
  Mixture(std::vector<std::shared_ptr<const Corpus>> parts, std::vector<MixtureStretch> stretches)
      : parts_(std::move(parts)) {
    std::vector<int64_t> counts(parts_.size(), 0);
    for (const MixtureStretch& stretch : stretches) {
      if (stretch.weights.size() != parts_.size()) {
        throw base::Error("a mixture of ", parts_.size(), " corpora has ", stretch.weights.size(),
                          " weights; give one for each");
      }
      if (!runs_.empty()) runs_.back().deal.count(stretch.from_sample - runs_.back().from, counts);
      runs_.push_back({stretch.from_sample, Deal(stretch.weights), counts});
    }
    for (const auto& part : parts_) {
      samples_ += part->samples_per_epoch();
      tokens_ += part->num_tokens();
    }
  }

  int64_t samples_per_epoch() const override { return samples_; }
  int64_t num_tokens() const override { return tokens_; }

  void sample(int64_t index, std::span<int32_t> out) const override {
    size_t at = runs_.size();
    while (at > 0 && runs_[at - 1].from > index) --at;
    base::check(at > 0, "a sample before the mixture begins");
    const Run& run = runs_[at - 1];
    const Place place = run.deal.at(index - run.from);
    parts_[place.part]->sample(run.counts[place.part] + place.index, out);
  }

  void window(int64_t index, std::span<int32_t> out) const override {
    size_t part = 0;
    while (part + 1 < parts_.size() && index >= parts_[part]->samples_per_epoch())
      index -= parts_[part++]->samples_per_epoch();
    parts_[part]->window(index, out);
  }

 private:
  struct Run {
    int64_t from;
    Deal deal;
    std::vector<int64_t> counts;  // samples of each part before it
  };

  std::vector<std::shared_ptr<const Corpus>> parts_;
  std::vector<Run> runs_;
  int64_t samples_ = 0, tokens_ = 0;
};

}  // namespace

std::unique_ptr<Corpus> make_mixture(std::vector<std::shared_ptr<const Corpus>> parts,
                                     std::vector<MixtureStretch> stretches) {
  base::check(!parts.empty() && !stretches.empty(), "a mixture of nothing");
  return std::make_unique<Mixture>(std::move(parts), std::move(stretches));
}

}  // namespace muonlab::data
