// The one Corpus: a row of ids, wherever it lies, cut into windows.
#pragma once

#include <memory>

#include "muonlab/data/corpus.hpp"

namespace muonlab::data {

class TokenRow {
 public:
  virtual ~TokenRow() = default;
  virtual int64_t size() const = 0;
  virtual void read(int64_t first, std::span<int32_t> out) const = 0;
};

// Ids in memory, two bytes each where the vocabulary allows.
class MemoryRow : public TokenRow {
 public:
  explicit MemoryRow(int64_t vocabulary) : wide_(vocabulary > (1 << 16)) {}
  void add(std::span<const int32_t> ids);
  void reserve(int64_t ids);
  std::span<const std::byte> bytes() const;
  int64_t size() const override { return static_cast<int64_t>(wide_ ? four_.size() : two_.size()); }
  void read(int64_t first, std::span<int32_t> out) const override;

 private:
  bool wide_;
  std::vector<uint16_t> two_;
  std::vector<int32_t> four_;
};

// `what` names the row in the error when it is shorter than one sample. stored: every epoch has the
// order of the row.
std::unique_ptr<Corpus> make_packed_corpus(std::shared_ptr<const TokenRow> row, int64_t context,
                                           int64_t seed, const std::string& what,
                                           bool stored = false);

}  // namespace muonlab::data
