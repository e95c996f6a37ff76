// Square matrices over two classes of facts that are unchanged when facts of a class are permuted:
// six numbers instead of K². Gradients, weights and their polar factors stay of this form from
// W = 0 on, so GD, SignGD and Muon are followed exactly at any K.
#pragma once

#include <array>
#include <cstdint>

namespace muonlab::theory {

// Entries by the class of the column (key): on the diagonal, at another object of that class, at an
// object of the other class.
struct TwoClassMatrix {
  std::array<double, 2> own{}, same{}, other{};
};

class TwoClasses {
 public:
  // Class 0 (head) has `head` of the facts and `mass` of the frequency.
  TwoClasses(double facts, double head, double mass);

  TwoClassMatrix gradient(const TwoClassMatrix& logits) const;
  TwoClassMatrix polar(const TwoClassMatrix& x) const;
  // Of the logits: 0 is the head's.
  std::array<double, 2> correct_probability(const TwoClassMatrix& logits) const;
  double loss(const TwoClassMatrix& logits) const;
  double imbalance(const TwoClassMatrix& logits) const;  // Delta
  const std::array<double, 2>& size() const { return size_; }
  // Of one fact.
  const std::array<double, 2>& frequency() const { return frequency_; }

 private:
  struct LogShares {  // log-probabilities of the three kinds of objects
    double own, same, other;
  };
  LogShares log_shares(const TwoClassMatrix& logits, size_t key) const;

  std::array<double, 2> size_, frequency_;
};

TwoClassMatrix sign_of(const TwoClassMatrix& x);
TwoClassMatrix scaled(const TwoClassMatrix& x, double factor);
// x - step * direction.
TwoClassMatrix stepped(const TwoClassMatrix& x, double step, const TwoClassMatrix& direction);

}  // namespace muonlab::theory
