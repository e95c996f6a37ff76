// muonlab sharpness: how much the loss curves along the next steps of runs, from their checkpoints.
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/error.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/open_checkpoint.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/checkpoint.hpp"
#include "muonlab/train/evaluation.hpp"
#include "muonlab/train/sharpness_probe.hpp"
#include "muonlab/train/step.hpp"

namespace muonlab::app {
namespace {

struct SharpnessOptions {
  std::vector<std::string> checkpoints, params{"matrices"};
  int64_t steps = 4;
  bool blocks = false, json = false;
};

struct Probed {
  std::string name;  // as given
  int64_t step = 0;
  double validation_loss = 0;
  std::vector<train::Sharpness> steps;

  template <class Value>
  double mean(Value value) const {
    double sum = 0;
    for (const train::Sharpness& one : steps) sum += value(one);
    return sum / static_cast<double>(steps.size());
  }
};

// The direction of a step does not depend on its learning rate, and a schedule may have ended.
void hold_learning_rates(config::RunConfig& config) {
  config.schedule = config::ConstantSchedule{};
  for (auto& [name, optimizer] : config.optimizers)
    std::visit([](auto& rule) { rule.schedule.reset(); }, optimizer);
}

Probed probe(const std::string& name, const SharpnessOptions& options) {
  const train::SavedState saved(record::open_checkpoint(name));
  if (!saved.has_optimizer_state()) {
    throw base::Error(name, ": holds weights alone; the next steps of a run need its optimizers' ",
                      "state. Take an earlier checkpoint of the run (RUN@STEP)");
  }
  config::RunConfig config = saved.trainer.config;
  config.device = config::Device::cpu;
  hold_learning_rates(config);
  tensor::start_runtime(config.threads.value_or(base::usable_processors()));
  run::Session session(run::prepare(config));
  train::Trainer& trainer = session.trainer();
  train::load_checkpoint(saved, trainer);
  trainer.model.weights_changed();
  Probed probed{name, saved.step(), train::evaluate(trainer).loss, {}};
  train::SharpnessProbe measured(config::SharpnessConfig{.every = 1, .params = options.params});
  for (int64_t i = 0; i < options.steps; ++i) {
    measured.before_step(trainer);
    train::train_step(trainer);
    probed.steps.push_back(measured.measure_step(trainer));
    if (!(probed.steps.back().norm > 0)) {
      throw base::Error(name, ": step ", trainer.state.step, " does not move ",
                        base::join(options.params, " "), "; measure parameters that are trained");
    }
  }
  return probed;
}

std::string four_digits(double value) { return base::significant(value, 4); }

void print_updates(const std::vector<Probed>& all) {
  using enum base::TextColumn::Kind;
  using train::Sharpness;
  base::TextTable table({{"checkpoint"},
                         {"val. loss", number},
                         {"|Z|", number},
                         {"I1", number},
                         {"I2", number},
                         {"I1 - I2", number},
                         {"realised", number},
                         {"NDS", number},
                         {"within", number},
                         {"across", number}});
  for (const Probed& one : all) {
    const auto cell = [&](auto value) { return four_digits(one.mean(value)); };
    table.add_row({base::str(one.name, " step ", one.step), base::fixed(one.validation_loss, 4),
                   cell([](const Sharpness& s) { return s.norm; }),
                   cell([](const Sharpness& s) { return s.gradient; }),
                   cell([](const Sharpness& s) { return s.curvature; }),
                   cell([](const Sharpness& s) { return s.gradient - s.curvature; }),
                   cell([](const Sharpness& s) { return s.realised; }),
                   cell([](const Sharpness& s) { return s.nds(); }),
                   cell([](const Sharpness& s) { return s.within(); }),
                   cell([](const Sharpness& s) { return s.across(); })});
  }
  std::cout << table.text(base::table_width()) << "\n";
}

void print_blocks(const std::vector<Probed>& all) {
  using enum base::TextColumn::Kind;
  base::TextTable table({{"block"}, {"checkpoint"}, {"|Z|", number}, {"within", number}});
  for (size_t block = 0; block < all[0].steps[0].blocks.size(); ++block) {
    for (const Probed& one : all) {
      if (block >= one.steps[0].blocks.size()) continue;
      table.add_row(
          {one.steps[0].blocks[block].name, base::str(one.name, " step ", one.step),
           four_digits(one.mean([&](const train::Sharpness& s) { return s.blocks[block].norm; })),
           four_digits(one.mean([&](const train::Sharpness& s) {
             return s.blocks[block].within / (s.norm * s.norm);
           }))});
    }
  }
  std::cout << table.text(base::table_width()) << "\n";
}

void print_tables(const std::vector<Probed>& all, const SharpnessOptions& options) {
  print_updates(all);
  if (options.blocks) print_blocks(all);
  const std::string legend = base::str(
      "Means over ", options.steps, options.steps == 1 ? " step" : " steps",
      " from each checkpoint, with learning rates as before ",
      "the schedule. Z: what a step subtracts from ", base::join(options.params, " "),
      ". I1 = <G, Z> and I2 = <Z, H Z> / 2 predict the decrease I1 - I2 of the batch's loss; ",
      "realised: the decrease itself. NDS = <Z, H Z> / |Z|^2, its parts within layers and across ",
      "them. Compare checkpoints of equal validation loss.");
  for (const std::string& line : base::wrap_text(legend, base::table_width()))
    std::cout << line << "\n";
}

void print_json(const std::vector<Probed>& all) {
  for (const Probed& one : all) {
    for (size_t i = 0; i < one.steps.size(); ++i) {
      const int64_t step = one.step + static_cast<int64_t>(i) + 1;
      for (const std::string& text : train::sharpness_lines(one.steps[i], step)) {
        nlohmann::ordered_json line{{"checkpoint", one.name}};
        line.update(nlohmann::ordered_json::parse(text));
        std::cout << record::json_text(line) << "\n";
      }
    }
  }
}

}  // namespace

void add_sharpness(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "sharpness",
      R"(Measure how much the loss curves along the next steps of runs, from their checkpoints.

  muonlab sharpness runs/adam@400 runs/muon@300
  muonlab sharpness runs/adam runs/muon --steps 8 --blocks)");
  auto options = std::make_shared<SharpnessOptions>();
  command
      ->add_option("CHECKPOINT", options->checkpoints,
                   "runs, RUN@STEP, or checkpoints' folders, side by side")
      ->required();
  command->add_option("--steps", options->steps, "steps to take from each checkpoint, in memory")
      ->capture_default_str()
      ->check(at_least(1));
  command
      ->add_option("--params", options->params,
                   "the part of the update to measure, in the words of assign")
      ->type_name("NAMES")
      ->delimiter(',')
      ->capture_default_str();
  command->add_flag("--blocks", options->blocks, "one row for each layer as well");
  command->add_flag("--json", options->json, "print lines as in sharpness.jsonl");
  command->callback([options] {
    for (const std::string& selector : options->params) {
      const std::string problem = config::selector_problem(selector);
      if (!problem.empty()) throw base::UsageError("--params: ", problem);
    }
    std::vector<Probed> all;
    for (const std::string& checkpoint : options->checkpoints)
      all.push_back(probe(checkpoint, *options));
    options->json ? print_json(all) : print_tables(all, *options);
  });
}

}  // namespace muonlab::app
