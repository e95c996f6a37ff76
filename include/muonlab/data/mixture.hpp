// Samples of several corpora in given shares.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "muonlab/data/corpus.hpp"

namespace muonlab::data {

// From a sample on, the corpora have these shares, in proportion. Each weight is above 0.
struct MixtureStretch {
  int64_t from_sample = 0;
  std::vector<double> weights;
  bool operator==(const MixtureStretch&) const = default;
};

// Sample i is the next unread sample of one of the parts. Which one and how far each has been read
// are functions of i: among the first n samples of a stretch, a part with share s has n s of them,
// to within the number of parts' logarithm to base 2, rounded up. Where a stretch begins, each part
// continues where it was, so no sample is left out or repeated within an epoch of its part.
// `stretches` in the order of from_sample, at least one; samples before the first are an error. An
// epoch is as long as those of the parts together; window() counts through the parts one after the
// other. Throws base::Error where a stretch has another number of weights than there are parts.
std::unique_ptr<Corpus> make_mixture(std::vector<std::shared_ptr<const Corpus>> parts,
                                     std::vector<MixtureStretch> stretches);

}  // namespace muonlab::data
