#include "config/sweep_tune.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "muonlab/base/text.hpp"

namespace muonlab::config {
namespace {

bool is_number(const Value& value) {
  return (value.is(Value::Kind::integer) || value.is(Value::Kind::real)) &&
         std::isfinite(value.real);
}

// Beyond the edge of its grid there are more learning rates; of a momentum or a decay the grid says
// what there is.
bool is_learning_rate(const std::string& path) { return path == "lr" || path.ends_with(".lr"); }

}  // namespace

void TuneReader::read_tune(const Value& tune, const std::string& compare_axis,
                           const std::string& baseline) {
  const std::vector<Value> items = tune.is(Kind::array) ? tune.items : std::vector{tune};
  if (!items.empty() && compare_axis.empty()) {
    problems_.add(tune.mark, "tune", "needs \"compare\", whose axis says what keeps the rates");
    return;
  }
  for (size_t i = 0; i < items.size(); ++i)
    stages_.push_back(stage(items[i], item_path("tune", i), compare_axis, baseline));
}

TuneStage TuneReader::stage(const Value& item, const std::string& path,
                            const std::string& compare_axis, const std::string& baseline) {
  known(item, path,
        {"at", "only", "search", "path", "grid", "start", "extend", "rates", "by", "seed",
         "max_runs", "rungs", "keep", "confirm"});
  TuneStage stage;
  if (const Value* at = item.find("at")) read_rows(*at, path + ".at", compare_axis, stage);
  if (stage.rows.empty()) stage.rows = {baseline};
  if (const Value* only = item.find("only")) stage.only = selection(*only, path + ".only");
  if (const Value* by = item.find("by"); by && text(*by, path + ".by") != "final validation loss") {
    problems_.add(by->mark, path + ".by",
                  quote(by->text) + " is no choice; choices: \"final validation loss\"");
  }
  if (const Value* seed = item.find("seed")) {
    if (seed->is(Kind::integer)) stage.seed = seed->integer;
    if (!seed->is(Kind::integer)) wrong(*seed, path + ".seed", "an integer");
  }
  read_kind(item, path, stage);
  if (const Value* rates = item.find("rates")) {
    if (!rates->is(Kind::array) || rates->items.empty())
      wrong(*rates, path + ".rates", "an array of objects");
    for (size_t r = 0; r < rates->items.size(); ++r) {
      const std::string below = item_path(path + ".rates", r);
      known(rates->items[r], below, {"path", "grid", "start", "extend"});
      stage.rates.push_back(rate(rates->items[r], below));
    }
  } else {
    stage.rates.push_back(rate(item, path));
  }
  check_overlap(item, path, compare_axis, stage);
  return stage;
}

void TuneReader::read_rows(const Value& at, const std::string& path,
                           const std::string& compare_axis, TuneStage& stage) {
  const Selection rows = selection(at, path);
  const Value* named = at.is(Kind::object) ? at.find(compare_axis) : nullptr;
  if (rows.size() != 1 || !named || rows.begin()->second.empty()) {
    problems_.add(at.mark, path,
                  base::str("names one value of ", compare_axis,
                            ", or a list of them that are searched each for itself"));
    return;
  }
  stage.rows = rows.begin()->second;
  stage.own_rates = named->is(Kind::array);
}

int64_t TuneReader::count(const Value& value, const std::string& path, int64_t otherwise) {
  if (value.is(Kind::integer) && value.integer > 0) return value.integer;
  wrong(value, path, "a count");
  return otherwise;
}

void TuneReader::read_kind(const Value& item, const std::string& path, TuneStage& stage) {
  if (const Value* kind = item.find("search")) {
    const std::string name = text(*kind, path + ".search");
    if (name == "coordinates") {
      stage.kind = SearchKind::coordinates;
    } else if (name == "halving") {
      stage.kind = SearchKind::halving;
    } else if (name != "grid") {
      problems_.add(kind->mark, path + ".search",
                    quote(name) + " is no choice; choices: \"grid\" \"coordinates\" \"halving\"");
    }
  }
  if (const Value* runs = item.find("max_runs")) {
    if (stage.kind != SearchKind::coordinates)
      problems_.add(runs->mark, path + ".max_runs",
                    "has no effect; it belongs to \"search\": \"coordinates\"");
    stage.max_runs = count(*runs, path + ".max_runs", stage.max_runs);
  }
  read_rounds(item, path, stage);
  if (const Value* confirm = item.find("confirm")) read_confirm(*confirm, path + ".confirm", stage);
}

void TuneReader::read_rounds(const Value& item, const std::string& path, TuneStage& stage) {
  const Value* rungs = item.find("rungs");
  const Value* keep = item.find("keep");
  if (rungs && stage.kind == SearchKind::grid) {
    problems_.add(rungs->mark, path + ".rungs",
                  "has no effect; it belongs to \"search\": \"halving\" or \"coordinates\"");
  } else if (rungs) {
    read_rungs(*rungs, path + ".rungs", stage);
  } else if (stage.kind == SearchKind::halving) {
    problems_.add(item.mark, path + ".rungs",
                  "is missing; the steps of the rounds before the full length, [75, 150]");
  } else if (keep) {
    problems_.add(keep->mark, path + ".keep", "has no effect without \"rungs\"");
  }
  if (!keep) return;
  if (is_number(*keep) && keep->real > 0 && keep->real < 1) {
    stage.keep = keep->real;
  } else {
    wrong(*keep, path + ".keep", "a share between 0 and 1");
  }
}

void TuneReader::read_rungs(const Value& rungs, const std::string& path, TuneStage& stage) {
  stage.rungs = distinct_integers(rungs, path);
  if (!std::is_sorted(stage.rungs.begin(), stage.rungs.end()) || stage.rungs.empty() ||
      stage.rungs.front() < 1) {
    wrong(rungs, path, "an ascending array of steps");
  }
}

void TuneReader::read_confirm(const Value& confirm, const std::string& path, TuneStage& stage) {
  known(confirm, path, {"best", "seeds"});
  const Value* best = confirm.find("best");
  const Value* seeds = confirm.find("seeds");
  if (!best || !seeds) {
    problems_.add(confirm.mark, path,
                  "needs \"best\", how many of the best trials are repeated, and \"seeds\"");
    return;
  }
  stage.finalists = count(*best, path + ".best", 1);
  stage.final_seeds = distinct_integers(*seeds, path + ".seeds");
  if (std::count(stage.final_seeds.begin(), stage.final_seeds.end(), stage.seed.value_or(-1)) > 0) {
    problems_.add(seeds->mark, path + ".seeds",
                  base::str("has the seed ", *stage.seed, " of the search itself"));
  }
}

RateGrid TuneReader::rate(const Value& value, const std::string& path) {
  RateGrid rate;
  const Value* paths = value.find("path");
  if (!paths) {
    problems_.add(value.mark, path + ".path",
                  "is missing; the setting whose best value is searched");
  } else {
    rate.paths = texts(*paths, path + ".path");
    rate.where = paths->mark.where();
  }
  for (const std::string& searched : rate.paths)
    refuse_given_by_sweep(searched, nullptr, paths->mark, path + ".path", problems_);
  rate.extends = std::all_of(rate.paths.begin(), rate.paths.end(), is_learning_rate);
  if (const Value* extend = value.find("extend")) {
    if (extend->is(Kind::boolean)) rate.extends = extend->boolean;
    if (!extend->is(Kind::boolean)) wrong(*extend, path + ".extend", "true or false");
  }
  const Value* grid = value.find("grid");
  const auto usable = [](const Value& v) { return is_number(v) && v.real >= 0; };
  if (!grid || !grid->is(Kind::array) || grid->items.size() < 2 ||
      !std::all_of(grid->items.begin(), grid->items.end(), usable)) {
    wrong(grid ? *grid : value, path + ".grid",
          "an array of at least two numbers, none of them negative");
    return rate;
  }
  std::set<double> values;
  for (const Value& item : grid->items) {
    if (!values.insert(item.real).second)
      problems_.add(item.mark, path + ".grid", base::str("has the rate ", item.text, " twice"));
    if (item.real == 0 && rate.extends) {
      problems_.add(item.mark, path + ".grid",
                    "0 is no learning rate, and a grid with it cannot be extended; leave it out, "
                    "or set \"extend\": false");
    }
  }
  rate.grid.assign(values.begin(), values.end());
  rate.start = rate.grid.size() / 2;
  if (const Value* start = value.find("start")) read_start(*start, path + ".start", rate);
  return rate;
}

void TuneReader::read_start(const Value& start, const std::string& path, RateGrid& rate) {
  const auto found = is_number(start) ? std::find(rate.grid.begin(), rate.grid.end(), start.real)
                                      : rate.grid.end();
  if (found == rate.grid.end()) return wrong(start, path, "one of the grid's values");
  rate.start = static_cast<size_t>(std::distance(rate.grid.begin(), found));
}

void TuneReader::check_overlap(const Value& item, const std::string& path,
                               const std::string& compare_axis, const TuneStage& stage) {
  const auto runs_with = [&](const std::string& axis, const std::string& name) {
    const auto only = stage.only.find(axis);
    return axis == compare_axis || only == stage.only.end() ||
           std::find(only->second.begin(), only->second.end(), name) != only->second.end();
  };
  std::set<std::string> searched;
  for (const RateGrid& rate : stage.rates) {
    for (const std::string& setting : rate.paths) {
      if (!searched.insert(setting).second)
        problems_.add(item.mark, path, "searches " + quote(setting) + " twice");
      overlap_.check_search(setting, item.mark, path, runs_with, problems_);
    }
  }
}

}  // namespace muonlab::config
