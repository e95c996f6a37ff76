#include "muonlab/train/tail_probe.hpp"

#include "muonlab/data/biographies.hpp"

namespace muonlab::train {

std::vector<std::string> TailProbe::measure(Trainer& trainer) {
  if (!exam_) {
    const data::Biographies people(std::get<config::BiographiesConfig>(trainer.config.data));
    exam_.emplace(people.exam(config_.classes, data::Wording::trained), *trainer.data.tokenizer,
                  trainer.plan.context);
  }
  return tail_lines(exam_->take(trainer.model, trainer.arena.values().device()),
                    trainer.state.step);
}

}  // namespace muonlab::train
