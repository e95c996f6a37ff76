// The composition root: a configuration becomes objects.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "muonlab/config/run.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/model/model.hpp"
#include "muonlab/optim/optimizer.hpp"
#include "muonlab/store/checkpoint.hpp"
#include "muonlab/tensor/parameter.hpp"
#include "muonlab/tensor/path.hpp"
#include "muonlab/train/plan.hpp"
#include "muonlab/train/trainer.hpp"

namespace muonlab::run {

// The precision to compute in: fp32 instead of bf16 on a processor without bf16 instructions, where
// emulated products are slower by orders of magnitude.
config::Precision usable_precision(const config::RunConfig& config);

// Data and what depends on it; nothing of the model is allocated yet.
struct Prepared {
  config::RunConfig config;  // complete: vocabulary, threads, device and precision decided
  tensor::Place place;
  data::Dataset data;
  train::Plan plan;
  optim::Routing routing;
  int processes = 1;        // that work on the run
  int processes_here = 1;   // of them on this machine, whose processors and memory they share
  std::string attention{};  // what was measured to choose a GPU's attention
  bool chose_micro_batch = false;  // train.micro_batch was "auto"
};
// Throws base::Error for everything that does not fit together (vocabulary, context, plan,
// routing).
Prepared prepare(const config::RunConfig& config, int processes_here = 1, int processes = 1);
// The same for a run that is only to be described, which may need more memory than there is. Data
// that cannot be opened are described as missing where plan and model are known without them; the
// plan's epochs are then no number.
Prepared outline(const config::RunConfig& config);
// Memory that a process of the run may take: of the machine, or what is free on the GPU.
uint64_t usable_bytes(const Prepared& prepared);
// Whether there is an estimate of a run's memory: the reference kernels take more on a GPU than
// any.
bool is_estimated(const tensor::Place& place);
// Refuses a run whose estimate is above the memory that a process of it may take.
void check_memory(const Prepared& prepared);

// The compute threads of a process where the configuration leaves them open.
int64_t usual_threads(int processes_here);

// Refuses (ConfigError) what the configuration alone does not show: a vocabulary smaller than the
// tokenizer's, a question of probes.tail longer than the context, a warm-up that does not fit into
// the epochs. For a sweep, before any of its cells starts. Throws base::Error where the data cannot
// be opened.
void check_with_data(const config::RunConfig& config);

// Prepared plus weights, model and optimizers, ready to train.
class Session {
 public:
  explicit Session(Prepared prepared);

  const Prepared& prepared() const { return prepared_; }
  train::Trainer& trainer() { return trainer_; }

  // With data.weights, after the training state is there: each corpus of the mixture continues
  // where that state has it, with the weights of the configuration.
  void continue_mixture();

 private:
  Prepared prepared_;
  tensor::Arena arena_;
  std::unique_ptr<model::Model> model_;
  optim::Optimizer optimizer_;
  train::Trainer trainer_;
};

// A checkpoint opened for evaluation or sampling: weights, tokenizer, no optimizer.
struct LoadedModel {
  config::RunConfig config;
  train::TrainState state;
  std::string data_identity;  // of the data it was trained on (data::Dataset)
  std::unique_ptr<tensor::Arena> arena;
  std::unique_ptr<model::Model> model;
  std::shared_ptr<const data::Tokenizer> tokenizer;
  bool is_average = false;  // whether the weights are the averaged ones (train.average)
  // Of a Hugging Face folder: weights, shape and tokenizer are all there is. The rest of `config`
  // has its defaults, and there are no data.
  bool is_foreign = false;
};
// `checkpoint`: what record::open_checkpoint takes, or a Hugging Face folder. Starts the runtime
// with the run's threads. Computes on `device`, wherever the run was trained, with the kernels of
// its configuration. Throws base::Error where a GPU is asked for that cannot be used.
LoadedModel load_model(const std::string& checkpoint,
                       config::Device device = config::Device::automatic);
// The same at a place that was chosen.
LoadedModel load_model(const std::string& checkpoint, const tensor::Place& place);
// A folder with a Hugging Face model that is no checkpoint of muonlab's.
bool is_model_folder(const std::string& path);

}  // namespace muonlab::run
