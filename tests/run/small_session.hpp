// A session small enough for hundreds of steps a second.
#pragma once

#include <string>
#include <vector>

#include "muonlab/config/load.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::run {

inline constexpr const char* kSmallRun = R"({
  "name": "small", "threads": 1,
  "data": {"kind": "biographies", "m": 3, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 1, "width": 16, "heads": 2, "context": 16},
  "optimizers": {"muon": {"rule": "muon", "lr": 0.02}, "adam": {"rule": "adamw", "lr": 0.003}},
  "assign": [{"params": ["vo"], "optimizer": "muon"}, {"params": ["all"], "optimizer": "adam"}],
  "train": {"steps": 6, "batch": 4, "micro_batch": 2, "clip": 0},
  "eval": {"every": 2, "samples": 4},
  "checkpoint": {"every": 3}
})";

inline Prepared prepare_small(const std::vector<std::string>& settings = {}) {
  tensor::start_runtime(1);
  return prepare(config::parse_config(kSmallRun, "small.json", settings).run);
}

}  // namespace muonlab::run
