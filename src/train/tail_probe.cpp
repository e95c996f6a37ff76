#include "muonlab/train/tail_probe.hpp"

#include "muonlab/data/biographies.hpp"

namespace muonlab::train {

TailExam tail_exam(const config::RunConfig& run, const data::Dataset& data) {
  const data::Biographies people(std::get<config::BiographiesConfig>(run.data));
  return TailExam(people.exam(run.probes.tail->classes, data::Wording::trained), *data.tokenizer,
                  run.model.context);
}

std::vector<std::string> TailProbe::measure(Trainer& trainer) {
  if (!exam_) exam_.emplace(tail_exam(trainer.config, trainer.data));
  const WeightAverage::InPlace average(trainer.average, trainer.arena, trainer.model);
  return tail_lines(exam_->take(trainer.model, trainer.arena.values().device()),
                    trainer.state.step);
}

}  // namespace muonlab::train
