#include <array>
#include <numeric>

#include "config/checker.hpp"

namespace muonlab::config {

namespace {

// Of several lengths the one written last wins (a setting over the file, the file over what it
// extends); two written side by side are a mistake.
void choose_length(Checker& c) {
  TrainConfig& train = c.run.train;
  struct Length {
    const char* name;
    bool given;
    int layer;
  };
  std::array<Length, 4> lengths{{{"steps", train.steps.has_value(), 0},
                                 {"tokens", train.tokens.has_value(), 0},
                                 {"epochs", train.epochs.has_value(), 0},
                                 {"seconds", train.seconds.has_value(), 0}}};
  const Length* winner = nullptr;
  for (Length& length : lengths) {
    if (!length.given) continue;
    length.layer = c.layer(base::str("train.", length.name));
    if (!winner || length.layer > winner->layer) winner = &length;
  }
  if (!winner)
    return c.fail("train", "the length is missing; give one of steps, tokens, epochs, seconds");
  const Length &steps = lengths[0], &seconds = lengths[3];
  const bool measured =
      c.stored && steps.given && seconds.given && steps.layer == seconds.layer && winner == &steps;
  for (const Length& length : lengths) {
    if (!length.given || &length == winner || (measured && &length == &seconds)) continue;
    const std::string path = base::str("train.", length.name);
    if (length.layer == winner->layer) {
      c.fail(path,
             base::str("train.", winner->name, " gives the length already; keep one of them"));
    } else {
      c.dropped.push_back(base::str(path, ": train.", winner->name, " gives the length"));
    }
  }
  if (winner != &steps) train.steps.reset();
  if (winner != &lengths[1]) train.tokens.reset();
  if (winner != &lengths[2]) train.epochs.reset();
  if (winner != &seconds && !measured) train.seconds.reset();
}

int64_t largest_divisor(int64_t n, int64_t most) {
  int64_t d = std::min(n, most);
  while (n % d != 0) --d;
  return d;
}

void check_stage(Checker& c, const std::string& path, const BatchStage& stage) {
  if (stage.batch == 0 && !c.problems.touches(path + ".batch")) c.fail(path, "batch is missing");
  const int lengths =
      stage.steps.has_value() + stage.tokens.has_value() + stage.fraction.has_value();
  if (lengths != 1 && !c.problems.touches(path))
    c.fail(path, "give its length by exactly one of steps, tokens, fraction");
  const TrainConfig& train = c.run.train;
  if (stage.fraction && !train.steps && (train.epochs || train.seconds)) {
    c.fail(path + ".fraction",
           base::str("is a share of train.steps or train.tokens, and the length is given by train.",
                     train.epochs ? "epochs" : "seconds", "; give the stage's steps or tokens"));
  }
}

void check_ramp(Checker& c) {
  const TrainConfig& train = c.run.train;
  for (size_t i = 0; i < train.batch_ramp.size(); ++i) {
    const BatchStage& stage = train.batch_ramp[i];
    const std::string path = item_path("train.batch_ramp", i);
    check_stage(c, path, stage);
    if (c.problems.touches("train.batch_ramp")) continue;
    const bool is_last = i + 1 == train.batch_ramp.size();
    const int64_t next = is_last ? train.batch : train.batch_ramp[i + 1].batch;
    if (next > 0 && stage.batch > next) {
      c.fail(path + ".batch", base::str(stage.batch, " is above the ", next, " of ",
                                        is_last ? "train.batch" : "the next stage",
                                        ", which follows; a ramp does not fall"));
    }
  }
}

// The largest number that divides the batch of every stage.
int64_t common_divisor(const TrainConfig& train) {
  int64_t divisor = train.batch;
  for (const BatchStage& stage : train.batch_ramp) divisor = std::gcd(divisor, stage.batch);
  return divisor;
}

void check_batch(Checker& c) {
  TrainConfig& train = c.run.train;
  if (c.problems.touches("train.batch")) return;
  check_ramp(c);
  if (c.problems.touches("train.batch_ramp") || c.problems.touches("train.micro_batch")) return;
  if (!train.micro_batch) {
    train.micro_batch = largest_divisor(common_divisor(train), 8);
  } else if (*train.micro_batch != kAutomatic && train.batch % *train.micro_batch != 0) {
    c.fail("train.micro_batch",
           base::str("the batch of ", train.batch, " is no multiple of ", *train.micro_batch,
                     "; its divisor below is ", largest_divisor(train.batch, *train.micro_batch)));
  } else if (*train.micro_batch != kAutomatic && common_divisor(train) % *train.micro_batch != 0) {
    c.fail("train.micro_batch",
           base::str("a batch of train.batch_ramp is no multiple of ", *train.micro_batch,
                     "; the divisor of all batches below is ",
                     largest_divisor(common_divisor(train), *train.micro_batch)));
  }
  if (train.micro_batch == train.batch) {
    c.without_effect(train.reduction, std::nullopt, "train.reduction", "train.micro_batch",
                     "the batch is one micro-batch, so nothing is summed");
  }
  const GraphMode usual = TrainConfig{}.graph;
  if (c.run.device == Device::cpu) {
    c.without_effect(train.graph, usual, "train.graph", "device",
                     "device is cpu, and only a GPU has CUDA graphs");
  } else if (c.run.kernels == Kernels::reference) {
    c.without_effect(train.graph, usual, "train.graph", "kernels",
                     "kernels are the reference, which is never recorded as CUDA graphs");
  }
  const double tokens = static_cast<double>(train.steps.value_or(1)) *
                        static_cast<double>(train.batch) * static_cast<double>(c.run.model.context);
  if (tokens > 1e18) c.fail("train.steps", "more than 1e18 tokens in all");
}

void check_checkpoints(Checker& c) {
  CheckpointConfig& keep = c.run.checkpoint;
  const CheckpointConfig usual;
  if (keep.every == 0) {
    const char* reason = "checkpoint.every is 0: only the end is saved";
    c.without_effect(keep.keep, usual.keep, "checkpoint.keep", "checkpoint.every", reason);
    c.without_effect(keep.permanent_every, usual.permanent_every, "checkpoint.permanent_every",
                     "checkpoint.every", reason);
  } else if (keep.permanent_every % keep.every != 0) {
    c.fail("checkpoint.permanent_every",
           base::str(keep.permanent_every, " is no multiple of checkpoint.every, ", keep.every));
  }
  if (c.run.eval.every == 0) {
    c.without_effect(keep.best, usual.best, "checkpoint.best", "eval.every",
                     "eval.every is 0: only the end is evaluated");
  }
}

}  // namespace

void check_train(Checker& c) {
  if (!c.problems.touches("train.steps") && !c.problems.touches("train.tokens") &&
      !c.problems.touches("train.epochs") && !c.problems.touches("train.seconds")) {
    choose_length(c);
  }
  check_batch(c);
  if (c.run.model.qk_norm != QkNorm::none) {
    c.without_effect(c.run.train.qk_clip, 0.0, "train.qk_clip", "model.qk_norm",
                     "qk_norm removes the scale of q and k");
  }
  if (!c.problems.touches("checkpoint") && !c.problems.touches("eval")) check_checkpoints(c);
}

}  // namespace muonlab::config
