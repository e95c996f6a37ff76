// The whole configuration of a run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "muonlab/config/data.hpp"
#include "muonlab/config/model.hpp"
#include "muonlab/config/optim.hpp"
#include "muonlab/config/probes.hpp"

namespace muonlab::config {

enum class Device { automatic, cpu, cuda };
template <>
struct EnumNames<Device> {
  static constexpr std::array<std::string_view, 3> names{"auto", "cpu", "cuda"};
};
enum class Precision { fp32, bf16 };
template <>
struct EnumNames<Precision> {
  static constexpr std::array<std::string_view, 2> names{"fp32", "bf16"};
};
enum class Kernels { fused, reference };
template <>
struct EnumNames<Kernels> {
  static constexpr std::array<std::string_view, 2> names{"fused", "reference"};
};

// Whether a GPU's step is recorded as CUDA graphs, which start its kernels by two calls.
enum class GraphMode { automatic, off };
template <>
struct EnumNames<GraphMode> {
  static constexpr std::array<std::string_view, 2> names{"auto", "off"};
};

// How the gradients of a step's micro-batches are summed: in one fixed binary tree over the numbers
// of the micro-batches, which any number of processes adds up to the same bytes; or in the order
// that costs least, as before there was a choice, where the bytes depend on the number of
// processes.
enum class Reduction { exact, fast };
template <>
struct EnumNames<Reduction> {
  static constexpr std::array<std::string_view, 2> names{"exact", "fast"};
};

// A model whose weights a new run starts from, instead of random ones.
struct InitFromConfig {
  std::string from;
  bool resize_vocabulary = false;
  bool operator==(const InitFromConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("from", self.from,
          Field{.help = "folder of a Hugging Face model, whose weights and shape a new run starts "
                        "with"});
    visit("resize_vocabulary", self.resize_vocabulary,
          Field{.help = "allow a model.vocabulary other than the folder's: rows are cut off at the "
                        "end, or added as the mean of those there"});
  }
};

// A stage of a batch that grows. Its length is given by exactly one of steps, tokens and fraction.
struct BatchStage {
  int64_t batch = 0;
  std::optional<int64_t> steps, tokens;
  std::optional<double> fraction;
  bool operator==(const BatchStage&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("batch", self.batch,
          Field{.help = "samples per step in this stage", .min = 1, .max = 1 << 20});
    visit("steps", self.steps, Field{.help = "its length in steps", .min = 1, .max = 1e9});
    visit("tokens", self.tokens,
          Field{.help = "its length in tokens, instead of steps; the last step is rounded up",
                .min = 1,
                .max = 1e15});
    visit("fraction", self.fraction,
          Field{.help = "its length as a share of train.steps or train.tokens, instead of steps",
                .min = 0,
                .max = 1,
                .above_min = true});
  }
};

// Length is given by exactly one of steps, tokens, epochs and seconds; of a run that has begun with
// seconds, `steps` is what it measured to fill them.
struct TrainConfig {
  std::optional<int64_t> steps;
  std::optional<int64_t> tokens;
  std::optional<double> epochs;
  std::optional<double> seconds;
  int64_t batch = 32;
  std::vector<BatchStage> batch_ramp;
  std::optional<int64_t> micro_batch;
  // absent: one micro-batch a step, or open: a new run is exact, a run that has begun keeps its own
  std::optional<Reduction> reduction{};
  double clip = 0.0;
  GraphMode graph = GraphMode::automatic;
  double average = 0.0;
  double qk_clip = 0.0;
  double z_loss = 0.0;
  // REQUIRES: resolved.
  bool accumulates() const { return *micro_batch < batch; }
  bool operator==(const TrainConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("steps", self.steps, Field{.help = "length in steps (updates)", .min = 1, .max = 1e9});
    visit("tokens", self.tokens, Field{.help = "length in tokens", .min = 1, .max = 1e15});
    visit("epochs", self.epochs,
          Field{.help = "length in passes over the data", .min = 0, .max = 1e6, .above_min = true});
    visit("seconds", self.seconds,
          Field{.help = "length in seconds of training, without validations and saves: the first "
                        "start measures a step and plans as many as fill them",
                .min = 0,
                .max = 1e9,
                .above_min = true,
                .quiet = true});
    visit("batch", self.batch, Field{.help = "samples per step", .min = 1, .max = 1 << 20});
    visit("batch_ramp", self.batch_ramp,
          Field{.help = "smaller batches that the run begins with, stage after stage; then "
                        "train.batch holds",
                .quiet = true});
    visit("micro_batch", self.micro_batch,
          Field{.help = "samples per forward pass; the batch must be a multiple of it; auto: the "
                        "most that fit into memory by the estimate; default: at most 8",
                .min = 1,
                .automatic = true});
    visit("reduction", self.reduction,
          Field{.help = "how gradients of several micro-batches are summed: exact, the same bytes "
                        "with any number of processes; or fast; default: exact; a run that resumes "
                        "keeps what it began with"});
    visit("clip", self.clip,
          Field{.help = "clip the global gradient norm to this; 0: off", .min = 0});
    visit("graph", self.graph,
          Field{.help = "record a GPU's step as CUDA graphs (fused kernels on cuda only): auto, or "
                        "off",
                .quiet = true});
    visit("average", self.average,
          Field{.help = "share of the run, at its end, over whose steps the weights are averaged; "
                        "validation then judges the average; 0: off",
                .min = 0,
                .max = 1,
                .quiet = true});
    visit(
        "qk_clip", self.qk_clip,
        Field{.help = "after each step, scale q and k of every head whose largest attention logit "
                      "was above this down to it (MuonClip); costs a forward pass; 0: off",
              .min = 0,
              .quiet = true});
    visit("z_loss", self.z_loss,
          Field{.help = "weight of the mean of ln(Z)^2 in what is minimized, Z the softmax's sum "
                        "(PaLM: 1e-4); the loss shown is without it; 0: off",
                .min = 0,
                .quiet = true});
  }
};

// Which windows of the validation data are looked at: evenly spread over all of it, or its first
// ones, as before there was a choice.
enum class EvalWindows { spread, first };
template <>
struct EnumNames<EvalWindows> {
  static constexpr std::array<std::string_view, 2> names{"spread", "first"};
};

struct EvalConfig {
  int64_t every = 50;
  int64_t samples = 64;
  // absent: a new run spreads them, a run that has begun keeps its own
  std::optional<EvalWindows> windows{};
  bool operator==(const EvalConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every,
          Field{.help = "steps between validations; 0: only at the end", .min = 0});
    visit("samples", self.samples,
          Field{.help = "validation windows, the same each time", .min = 1});
    visit("windows", self.windows,
          Field{.help = "which windows: spread over all validation data, or its first ones; "
                        "default: spread; a run that resumes keeps what it began with"});
  }
};

// What the last checkpoint of a run holds: all of it, or weights without the optimizers' state,
// from which no run can resume.
enum class FinalCheckpoint { full, weights };
template <>
struct EnumNames<FinalCheckpoint> {
  static constexpr std::array<std::string_view, 2> names{"full", "weights"};
};

enum class OnSaveFailure { warn, stop };
template <>
struct EnumNames<OnSaveFailure> {
  static constexpr std::array<std::string_view, 2> names{"warn", "stop"};
};

struct CheckpointConfig {
  int64_t every = 100;
  int64_t keep = 2;
  int64_t permanent_every = 0;
  bool best = false;
  FinalCheckpoint final = FinalCheckpoint::full;
  OnSaveFailure on_failure = OnSaveFailure::warn;
  bool operator==(const CheckpointConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("every", self.every,
          Field{.help = "steps between checkpoints; 0: only at the end", .min = 0});
    visit("keep", self.keep,
          Field{.help = "how many of the newest checkpoints are kept", .min = 1});
    visit("permanent_every", self.permanent_every,
          Field{.help = "checkpoints at multiples of this are never removed; 0: none", .min = 0});
    visit("best", self.best, Field{.help = "keep the checkpoint with the best validation loss"});
    visit("final", self.final,
          Field{.help = "the last checkpoint: full, or weights (no optimizer state, and no older "
                        "checkpoints)"});
    visit("on_failure", self.on_failure,
          Field{.help =
                    "what to do if a periodic save fails (full disk) while an older checkpoint is "
                    "whole: warn and continue, or stop; the last save must always succeed"});
  }
};

// What a run writes for other programs beside its own record.
struct LogConfig {
  bool tensorboard = false;
  bool operator==(const LogConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("tensorboard", self.tensorboard,
          Field{.help = "write an event file that TensorBoard reads into the run's folder"});
  }
};

struct RunConfig {
  std::string name;
  int64_t seed = 1;
  Device device = Device::automatic;
  std::optional<int64_t> threads;
  Precision precision = Precision::fp32;
  Kernels kernels = Kernels::fused;
  ModelConfig model;
  std::optional<InitFromConfig> init{};
  DataConfig data;
  std::map<std::string, OptimizerConfig> optimizers{{"adam", AdamWConfig{}}};
  std::vector<AssignConfig> assign{{{"all"}, "adam"}};
  ScheduleConfig schedule;
  TrainConfig train;
  EvalConfig eval;
  CheckpointConfig checkpoint;
  ProbesConfig probes;
  LogConfig log;

  bool operator==(const RunConfig&) const = default;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("name", self.name, Field{.help = "name of the run; default: the file's name"});
    visit("seed", self.seed, Field{.help = "seed of initial weights and sample order"});
    visit("device", self.device, Field{.help = "where to compute"});
    visit("threads", self.threads,
          Field{.help = "compute threads; default: the processors this process may use",
                .min = 1,
                .max = 1024});
    visit("precision", self.precision, Field{.help = "number type of the matrix products"});
    visit(
        "kernels", self.kernels,
        Field{.help =
                  "fused: hand-written backward passes; reference: composed of ATen's operations"});
    visit("model", self.model, Field{.help = "the decoder"});
    visit("init", self.init, Field{.help = "weights to start from; random ones unless given"});
    visit("data", self.data, Field{.help = "the corpus"});
    visit("optimizers", self.optimizers, Field{.help = "optimizers by name"});
    visit(
        "assign", self.assign,
        Field{.help = "which parameters get which optimizer; the first line that matches decides"});
    visit("schedule", self.schedule, Field{.help = "multiplier of every learning rate"});
    visit("train", self.train, Field{.help = "length and batch"});
    visit("eval", self.eval, Field{.help = "validation"});
    visit("checkpoint", self.checkpoint, Field{.help = "checkpoints"});
    visit("probes", self.probes, Field{.help = "what is measured beside the loss"});
    visit(
        "log", self.log,
        Field{.help = "what is written for other programs beside the run's record", .quiet = true});
  }
};

}  // namespace muonlab::config
