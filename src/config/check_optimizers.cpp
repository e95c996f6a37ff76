#include <algorithm>
#include <type_traits>

#include "config/checker.hpp"

namespace muonlab::config {

namespace {

// Settings of the iteration that makes polar factors.
template <class Rule>
void check_iteration(Checker& c, const std::string& path, Rule& rule) {
  const std::string name(
      EnumNames<Orthogonalizer>::names[static_cast<size_t>(rule.orthogonalizer)]);
  if (rule.orthogonalizer == Orthogonalizer::svd) {
    const std::string cause = path + ".orthogonalizer";
    c.without_effect(rule.steps, {}, path + ".steps", cause, "an svd does not iterate");
    c.without_effect(rule.iteration, IterationType::automatic, path + ".iteration", cause,
                     "an svd does not iterate");
  } else {
    const StepRange steps = step_range(rule.orthogonalizer);
    if (!rule.steps) rule.steps = steps.usual;
    if (*rule.steps < steps.least || *rule.steps > steps.most) {
      c.fail(path + ".steps",
             steps.least == steps.most
                 ? base::str(name, " has exactly ", steps.least, " steps, not ", *rule.steps)
                 : base::str(name, " takes ", steps.least, " to ", steps.most, " steps, not ",
                             *rule.steps));
    }
  }
  if (rule.orthogonalizer == Orthogonalizer::exact && rule.iteration == IterationType::bf16) {
    c.fail(path + ".iteration", "bf16 rounds away what exact is for; use fp32 or auto");
  }
}

// A momentum that starts or ends elsewhere: over how many steps, and where.
void check_ramp(Checker& c, const std::string& path, const std::string& steps_name, int64_t steps,
                const std::string& target_name, std::optional<double>& target) {
  if (steps > 0) {
    if (!target) target = 0.85;
  } else {
    c.without_effect(target, {}, path + "." + target_name, path + "." + steps_name,
                     steps_name + " is 0");
  }
}

void check_momentum(Checker& c, const std::string& path, MuonConfig& muon) {
  const bool none = muon.order == PolarOrder::none;
  if (none || muon.momentum == 0) {
    const std::string cause = path + (none ? ".order" : ".momentum");
    const std::string reason = none ? "order none keeps no momentum" : "momentum is 0";
    const auto drop = [&](auto& field, const auto& fallback, const char* name) {
      c.without_effect(field, fallback, path + "." + name, cause, reason);
    };
    drop(muon.nesterov, false, "nesterov");
    drop(muon.momentum_form, MomentumForm::sum, "momentum_form");
    drop(muon.momentum_warmup, 0, "momentum_warmup");
    drop(muon.momentum_cooldown, 0, "momentum_cooldown");
    if (none) drop(muon.momentum, MuonConfig{}.momentum, "momentum");
    if (!none) drop(muon.order, PolarOrder::before, "order");
  }
  check_ramp(c, path, "momentum_warmup", muon.momentum_warmup, "momentum_start",
             muon.momentum_start);
  check_ramp(c, path, "momentum_cooldown", muon.momentum_cooldown, "momentum_final",
             muon.momentum_final);
  if (!muon.per_head) {
    c.without_effect(muon.heads_per_group, 1, path + ".heads_per_group", path + ".per_head",
                     "per_head is false");
  }
}

void check_soap(Checker& c, const std::string& path, SoapConfig& soap) {
  if (soap.polar) return check_iteration(c, path, soap);
  const SoapConfig usual;
  const auto drop = [&](auto& field, const auto& fallback, const char* name) {
    c.without_effect(field, fallback, path + "." + name, path + ".polar", "polar is false");
  };
  drop(soap.orthogonalizer, usual.orthogonalizer, "orthogonalizer");
  drop(soap.steps, usual.steps, "steps");
  drop(soap.scale, usual.scale, "scale");
  drop(soap.iteration, usual.iteration, "iteration");
}

void check_options(Checker& c, const std::string& path, UpdateOptions& options, double& decay) {
  if (options.hyperball) {
    const std::string cause = path + ".hyperball";
    c.without_effect(decay, 0.0, path + ".decay", cause, "hyperball keeps the norm of the weights");
    c.without_effect(options.floor, 0.0, path + ".floor", cause,
                     "hyperball gives every update the same norm");
  }
  if (decay == 0) {
    const auto drop = [&](auto& field, const auto& fallback, const char* name) {
      c.without_effect(field, fallback, path + "." + name, path + ".decay", "decay is 0");
    };
    drop(options.cautious, false, "cautious");
    drop(options.decay_form, DecayForm::rate, "decay_form");
  }
}

template <class Rule>
void check_rule(Checker& c, const std::string& path, Rule& rule) {
  if (c.problems.touches(path)) return;
  if constexpr (std::is_same_v<Rule, SoapConfig>) {
    check_soap(c, path, rule);
  } else if constexpr (requires { rule.orthogonalizer; }) {
    check_iteration(c, path, rule);
  }
  if constexpr (std::is_base_of_v<MuonConfig, Rule>) check_momentum(c, path, rule);
  if constexpr (std::is_same_v<Rule, SgdConfig>) {
    if (rule.momentum == 0) {
      c.without_effect(rule.nesterov, false, path + ".nesterov", path + ".momentum",
                       "momentum is 0");
    }
  }
  if constexpr (std::is_same_v<Rule, Dion2Config>) {
    if (!rule.normalize) {
      c.without_effect(rule.beta2, Dion2Config{}.beta2, path + ".beta2", path + ".normalize",
                       "normalize is false");
    }
  }
  check_options(c, path, rule, rule.decay);
}

// One length is given in one way.
void only_one(Checker& c, const std::string& path, const std::vector<std::string>& given) {
  if (given.size() > 1) {
    c.fail(path + "." + given.back(),
           base::str(given.front(), " gives this length already; keep ", "one of them"));
  }
}

void check_schedule(Checker& c, const std::string& path, ScheduleConfig& schedule) {
  if (c.problems.touches(path)) return;
  std::visit(
      [&]<class S>(const S& s) {
        std::vector<std::string> given;
        if (s.warmup != S{}.warmup) given.emplace_back("warmup");
        if (s.warmup_tokens) given.emplace_back("warmup_tokens");
        if (s.warmup_fraction) given.emplace_back("warmup_fraction");
        only_one(c, path, given);
      },
      schedule);
  auto* wsd = std::get_if<WsdSchedule>(&schedule);
  if (!wsd) return;
  std::vector<std::string> given;
  if (wsd->decay_fraction != WsdSchedule{}.decay_fraction) given.emplace_back("decay_fraction");
  if (wsd->decay_steps) given.emplace_back("decay_steps");
  if (wsd->decay_tokens) given.emplace_back("decay_tokens");
  only_one(c, path, given);
  if (wsd->decay_fraction == 0) {
    const std::string cause = path + ".decay_fraction";
    c.without_effect(wsd->final, 0.0, path + ".final", cause, "decay_fraction is 0");
    c.without_effect(wsd->power, 1.0, path + ".power", cause, "decay_fraction is 0");
  }
}

// A decay of its own needs a schedule that decays.
template <class Rule>
void check_decay_fraction(Checker& c, const std::string& path, Rule& rule) {
  if (!rule.decay_fraction) return;
  const std::string own = path + ".decay_fraction";
  if (rule.schedule) {
    c.without_effect(rule.decay_fraction, {}, own, path + ".schedule",
                     "the optimizer has a schedule of its own");
  } else if (!std::holds_alternative<WsdSchedule>(c.run.schedule)) {
    c.without_effect(rule.decay_fraction, {}, own, "schedule", "the run's schedule is not wsd");
  }
}

}  // namespace

void check_optimizers(Checker& c) {
  bool all_have_own_schedule = !c.run.optimizers.empty();
  for (auto& [name, optimizer] : c.run.optimizers) {
    const std::string path = "optimizers." + name;
    std::visit(
        [&](auto& rule) {
          check_rule(c, path, rule);
          all_have_own_schedule &= rule.schedule.has_value();
          if (rule.schedule) check_schedule(c, path + ".schedule", *rule.schedule);
          check_decay_fraction(c, path, rule);
        },
        optimizer);
  }
  if (!all_have_own_schedule) return check_schedule(c, "schedule", c.run.schedule);
  if (!c.problems.touches("optimizers")) {
    c.without_effect(c.run.schedule, ScheduleConfig{}, "schedule", "optimizers",
                     "every optimizer has a schedule of its own");
  }
}

}  // namespace muonlab::config
