// What every optimizer can be asked for, whatever its rule.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

// By what the weights shrink in a step: decay times the learning rate, or times its square
// (modded-nanogpt, PaLM).
enum class DecayForm { rate, rate_squared };
template <>
struct EnumNames<DecayForm> {
  static constexpr std::array<std::string_view, 2> names{"rate", "rate_squared"};
};

struct UpdateOptions {
  DecayForm decay_form = DecayForm::rate;
  bool cautious = false;
  bool hyperball = false;
  double floor = 0.0;
  std::optional<double> decay_fraction;
  bool operator==(const UpdateOptions&) const = default;

  // Whether an update differs from what the rule alone would do.
  bool shapes_update() const {
    return decay_form != DecayForm::rate || cautious || hyperball || floor > 0;
  }

  template <class Self, class Visit>
  static void option_fields(Self& self, Visit&& visit) {
    visit("decay_form", self.decay_form,
          Field{.help = "weights shrink by decay times the learning rate, or times its square",
                .quiet = true});
    visit(
        "cautious", self.cautious,
        Field{.help = "decay only the weights that the update moves towards zero", .quiet = true});
    visit("hyperball", self.hyperball,
          Field{.help = "keep the norm of each parameter at its first value; lr is then the length "
                        "of a step as a share of that norm",
                .quiet = true});
    visit("floor", self.floor,
          Field{.help = "least norm of the update before the learning rate, as a share of the "
                        "parameter's norm; smaller updates are scaled up; 0: off",
                .min = 0,
                .quiet = true});
    visit("decay_fraction", self.decay_fraction,
          Field{.help = "decay_fraction of the run's wsd schedule, for this optimizer alone",
                .min = 0,
                .max = 1});
  }
};

// The state tensors in which a rule keeps averages or sums of the gradient (or of the direction
// that it made of the gradient) and of its square, in the parameter's shape, by the names they have
// in a checkpoint; empty for none.
struct MomentNames {
  std::string_view first{}, second{};
};

// What the program has to know of a rule stands in its configuration struct, and nothing else asks
// which rule it is:
//   kMatricesOnly  a vector that is assigned to it is refused
//   kKeepsAge      it corrects young state, so the age of each parameter's state is kept with it
//   moments()      MomentNames

}  // namespace muonlab::config
