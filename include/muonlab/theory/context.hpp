// What an experiment is given beside its settings.
#pragma once

#include <string>
#include <string_view>

#include "muonlab/base/terminal.hpp"

namespace muonlab::theory {

// Thrown by Context::progress() when the user asks to stop. What the experiment has put into its
// result until then is written.
struct Interrupted {};

class Context {
 public:
  // `label` leads every line of progress; an empty one shows nothing (tests).
  explicit Context(std::string label = "") : label_(std::move(label)) {}

  // Says what is being computed and how much of the experiment is done (0 to 1). To be called at
  // least once a second; throws Interrupted if a stop was asked for.
  void progress(std::string_view what, double share);
  void clear() { live_.clear(); }

 private:
  std::string label_;
  base::LiveLine live_;
};

}  // namespace muonlab::theory
