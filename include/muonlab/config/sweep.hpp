// A sweep file: one base configuration, axes of settings over it, seeds, and a search of learning
// rates before the rest. docs/sweeps.md explains every key.
//
// clang-format off
//   {
//     "base": "base_tiny.json",                       // relative to this file
//     "settings": {"train.steps": 600},               // for every cell, over the base
//     "axes": {                                       // the first varies slowest
//       "protocol": {"paper": {}, "fair": {"optimizers.embed.lr": 0.003}},                 // named settings
//       "width": {"path": "model.width", "values": [64, 128]},                             // one setting
//       "shape": {"paths": ["model.heads", "model.layers"], "values": [[2, 2], [4, 3]]}    // paired settings
//     },
//     "seeds": [1, 2, 3],                             // default: the base's own
//     "runs": [{"only": {"width": [64]}, "seeds": [1, 2]}, …],    // which points in which order; default: the grid
//     "tune": [{"at": {"row": "adam"}, "only": {…}, "path": "optimizers.adam.lr", "grid": [0.001, 0.002]}, …],
//     "compare": {"axis": "row", "baseline": "adam", "reference": "all"},
//     "paper": {"adam": 3.8837},                      // published losses by value of the compared axis
//     "labels": {"vo_ffn": "V O FFN"},                // names for people
//     "max_cells": 20000                              // a larger sweep than the default limit
//   }
// clang-format on
//
// A block is a combination of all axes but the compared one. Rates are searched block by block,
// each stage of "tune" at the row it names and with the rates that earlier stages found, which
// every row of the block then keeps. Where "at" lists several rows, each of them is searched for
// itself and keeps its own. "path" may be a list (tied: one value for all of them); "rates":
// [{"path", "grid"}, …] searches several settings at once: as a full grid, by coordinate steps or
// by successive halving ("search"). A best learning rate at the edge of its grid extends it, by the
// ratio of the two values there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "muonlab/config/error.hpp"

namespace muonlab::config {

struct SweptSetting {
  std::string text;   // "path=JSON value", as load_config takes it
  std::string where;  // "sweep.json:7:20", for messages
};
using Settings = std::vector<SweptSetting>;

struct AxisValue {
  std::string name;  // as written, or "64" for the value of a path
  Settings settings;
};
struct Axis {
  std::string name;
  bool named = false;  // its values have names of their own
  std::vector<AxisValue> values;
};

// Per axis, the names of the values allowed; an axis that is not named allows all of its own.
using Selection = std::map<std::string, std::vector<std::string>>;

struct SweepRuns {
  Selection only;
  std::vector<int64_t> seeds;  // empty: the base's own
};

// A searched setting: mostly a learning rate, but any number of the configuration.
struct RateGrid {
  std::vector<std::string> paths;  // tied
  std::vector<double> grid;        // ascending, not negative, distinct
  bool extends = true;             // grows where its best value is at an edge
  size_t start = 0;                // index of the value that coordinate steps start from
  std::string where{};             // of the path, for messages
};

enum class SearchKind {
  grid,         // every combination
  coordinates,  // from the start along one setting at a time, until no neighbour is better
  halving,      // every combination for a few steps, the best of them for more
};
struct TuneStage {
  std::vector<std::string> rows;  // values of the compared axis; at least one
  bool own_rates = false;         // each row keeps what its own search found
  Selection only;                 // blocks it is for
  SearchKind kind = SearchKind::grid;
  std::vector<RateGrid> rates;
  std::optional<int64_t> seed;  // absent: the base's own
  int64_t max_runs = 50;        // of coordinate steps: trials of one search
  std::vector<int64_t> rungs;  // train.steps of the rounds before the full length. Coordinate steps
                               // are made at the first of them; without any, at the full length
  double keep = 1.0 / 3;       // share of the trials that the next round takes
  int64_t finalists = 1;       // the best trials, which are run with final_seeds too;
  std::vector<int64_t> final_seeds;  // the mean loss over all seeds then chooses
};

constexpr int64_t kMaxCells = 10'000;  // unless the file says "max_cells"

struct SweepConfig {
  std::string path, name, base;  // base: as load_config finds it
  Settings settings;
  std::vector<Axis> axes;
  std::vector<SweepRuns> runs;  // at least one
  std::vector<TuneStage> tune;
  std::string compare_axis, baseline, reference;  // empty: nothing is compared
  std::map<std::string, double> paper;
  std::map<std::string, std::string> labels;
  std::string source_text;  // the file as given

  std::string label(const std::string& row) const {
    const auto found = labels.find(row);
    return found == labels.end() ? row : found->second;
  }
};

// How many trials a search of the stage takes: exact for grids and halving, extensions of the grids
// left out; at most, for coordinate steps.
double num_trials(const TuneStage& stage);
// How many cells the sweep has, at most: equal ones are one run. Trials of searches are counted,
// extensions of their grids are not. Never less than the number of points of the whole grid.
double num_cells(const SweepConfig& sweep);

// Whether a file is a sweep rather than the configuration of one run: it names a "base". False for
// what cannot be read.
bool is_sweep(const std::string& path);
// Reads and checks the file itself (not yet what the settings make of the base). Throws ConfigError
// with all problems.
SweepConfig load_sweep(const std::string& path);
SweepConfig parse_sweep(std::string_view text, const std::string& label);

}  // namespace muonlab::config
