#include "config/checker.hpp"

namespace muonlab::config {

namespace {

// Rules whose fields alone say everything.
template <class Rule>
void check_rule(Checker&, const std::string&, Rule&) {}

void check_rule(Checker& c, const std::string& path, MuonConfig& muon) {
  if (c.problems.touches(path)) return;
  const std::string name(
      EnumNames<Orthogonalizer>::names[static_cast<size_t>(muon.orthogonalizer)]);
  if (muon.orthogonalizer == Orthogonalizer::svd) {
    const std::string cause = path + ".orthogonalizer";
    c.without_effect(muon.steps, {}, path + ".steps", cause, "an svd does not iterate");
    c.without_effect(muon.iteration, IterationType::automatic, path + ".iteration", cause,
                     "an svd does not iterate");
  } else {
    const StepRange steps = step_range(muon.orthogonalizer);
    if (!muon.steps) muon.steps = steps.usual;
    if (*muon.steps < steps.least || *muon.steps > steps.most) {
      c.fail(path + ".steps",
             steps.least == steps.most
                 ? base::str(name, " has exactly ", steps.least, " steps, not ", *muon.steps)
                 : base::str(name, " takes ", steps.least, " to ", steps.most, " steps, not ",
                             *muon.steps));
    }
  }
  if (muon.orthogonalizer == Orthogonalizer::exact && muon.iteration == IterationType::bf16) {
    c.fail(path + ".iteration", "bf16 rounds away what exact is for; use fp32 or auto");
  }
  if (muon.momentum == 0) {
    c.without_effect(muon.nesterov, false, path + ".nesterov", path + ".momentum", "momentum is 0");
    c.without_effect(muon.momentum_form, MomentumForm::sum, path + ".momentum_form",
                     path + ".momentum", "momentum is 0");
  }
}

void check_rule(Checker& c, const std::string& path, SgdConfig& sgd) {
  if (sgd.momentum == 0) {
    c.without_effect(sgd.nesterov, false, path + ".nesterov", path + ".momentum", "momentum is 0");
  }
}

void check_schedule(Checker& c, const std::string& path, ScheduleConfig& schedule) {
  if (c.problems.touches(path)) return;
  if (auto* wsd = std::get_if<WsdSchedule>(&schedule); wsd && wsd->decay_fraction == 0) {
    c.without_effect(wsd->final, 0.0, path + ".final", path + ".decay_fraction",
                     "decay_fraction is 0");
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
