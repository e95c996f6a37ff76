#include "muonlab/record/loss_doubt.hpp"

#include <cmath>
#include <limits>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::record {
namespace {

double loss_of_guessing(int64_t vocabulary) { return std::log(static_cast<double>(vocabulary)); }

}  // namespace

LossDoubt doubt_of(double final_loss, int64_t vocabulary) {
  return doubt_of(final_loss, vocabulary, std::numeric_limits<double>::infinity());
}

LossDoubt doubt_of(double final_loss, int64_t vocabulary, double best_loss) {
  constexpr double kFarAbove = 1.0;   // nats a token: a wide model may begin this far above
  constexpr double kRounding = 1e-6;  // of a mean over tokens in fp32
  if (vocabulary < 2) return LossDoubt::none;
  const double guess = loss_of_guessing(vocabulary);
  if (std::abs(final_loss - guess) <= kRounding * guess) return LossDoubt::uniform;
  if (final_loss > guess + kFarAbove) return LossDoubt::exploded;
  return final_loss > guess && final_loss > best_loss ? LossDoubt::unlearned : LossDoubt::none;
}

const char* doubt_text(LossDoubt doubt) {
  switch (doubt) {
    case LossDoubt::none: return "";
    case LossDoubt::uniform: return "the model predicts every token alike";
    case LossDoubt::exploded: return "the loss exploded";
    case LossDoubt::unlearned: return "the model has learned nothing";
  }
  return "";
}

std::string loss_warning(double final_loss, int64_t vocabulary, double best_loss) {
  const LossDoubt doubt = doubt_of(final_loss, vocabulary, best_loss);
  if (doubt == LossDoubt::none) return "";
  return base::str("the final validation loss ", base::fixed(final_loss, 4),
                   doubt == LossDoubt::uniform ? " equals " : " is above ",
                   base::fixed(loss_of_guessing(vocabulary), 4),
                   ", which giving every token the same probability would have: ",
                   doubt_text(doubt), ". Lower the learning rate or set train.clip");
}

}  // namespace muonlab::record
