#include "data/packed_corpus.hpp"

#include <algorithm>

#include "muonlab/base/error.hpp"
#include "muonlab/base/permutation.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::data {

void MemoryRow::add(std::span<const int32_t> ids) {
  if (wide_) {
    four_.insert(four_.end(), ids.begin(), ids.end());
  } else {
    two_.insert(two_.end(), ids.begin(), ids.end());
  }
}

void MemoryRow::reserve(int64_t ids) {
  if (wide_) {
    four_.reserve(static_cast<size_t>(ids));
  } else {
    two_.reserve(static_cast<size_t>(ids));
  }
}

std::span<const std::byte> MemoryRow::bytes() const {
  return wide_ ? std::as_bytes(std::span(four_)) : std::as_bytes(std::span(two_));
}

void MemoryRow::read(int64_t first, std::span<int32_t> out) const {
  base::check(first >= 0 && first + static_cast<int64_t>(out.size()) <= size(),
              "ids outside the row");
  if (wide_) {
    std::copy_n(four_.begin() + first, out.size(), out.begin());
  } else {
    std::copy_n(two_.begin() + first, out.size(), out.begin());
  }
}

namespace {

class PackedCorpus : public Corpus {
 public:
  PackedCorpus(std::shared_ptr<const TokenRow> row, int64_t context, int64_t seed, bool stored)
      : row_(std::move(row)),
        context_(context),
        stored_(stored),
        seed_(static_cast<uint64_t>(seed)),
        samples_((row_->size() - 1) / context) {}

  int64_t samples_per_epoch() const override { return samples_; }
  int64_t num_tokens() const override { return row_->size(); }

  void sample(int64_t index, std::span<int32_t> out) const override {
    base::check(index >= 0, "negative sample index");
    const auto samples = static_cast<uint64_t>(samples_);
    const uint64_t epoch = static_cast<uint64_t>(index) / samples;
    const uint64_t place = static_cast<uint64_t>(index) % samples;
    if (stored_) return window(static_cast<int64_t>(place), out);
    window(static_cast<int64_t>(base::permute(place, samples, base::permutation_key(seed_, epoch))),
           out);
  }

  void window(int64_t index, std::span<int32_t> out) const override {
    base::check(index >= 0 && index < samples_, "window index outside the epoch");
    base::check(static_cast<int64_t>(out.size()) == context_ + 1, "a sample has context + 1 ids");
    row_->read(index * context_, out);
  }

 private:
  std::shared_ptr<const TokenRow> row_;
  int64_t context_;
  bool stored_;
  uint64_t seed_;
  int64_t samples_;
};

}  // namespace

std::unique_ptr<Corpus> make_packed_corpus(std::shared_ptr<const TokenRow> row, int64_t context,
                                           int64_t seed, const std::string& what, bool stored) {
  base::check(context >= 1, "a context has at least one token");
  if (row->size() < context + 1) {
    throw base::Error(what, ": ", base::with_commas(row->size()),
                      " tokens are too few for one sample of context ", base::with_commas(context),
                      " (which takes ", base::with_commas(context + 1),
                      "); use more text or a shorter model.context");
  }
  return std::make_unique<PackedCorpus>(std::move(row), context, seed, stored);
}

}  // namespace muonlab::data
