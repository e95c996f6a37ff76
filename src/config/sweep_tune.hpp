// The searches of a sweep file: "tune".
#pragma once

#include "config/sweep_axes.hpp"

namespace muonlab::config {

class TuneReader : protected AxisReader {
 protected:
  TuneReader(Problems& problems, std::vector<Axis>& axes, std::vector<TuneStage>& stages)
      : AxisReader(problems, axes), stages_(stages) {}

  // compare_axis: whose rows keep the rates; baseline: the row of a stage that names none.
  void read_tune(const Value& tune, const std::string& compare_axis, const std::string& baseline);

 private:
  TuneStage stage(const Value& item, const std::string& path, const std::string& compare_axis,
                  const std::string& baseline);
  void read_rows(const Value& at, const std::string& path, const std::string& compare_axis,
                 TuneStage& stage);
  void read_kind(const Value& item, const std::string& path, TuneStage& stage);
  void read_rounds(const Value& item, const std::string& path, TuneStage& stage);
  void read_rungs(const Value& rungs, const std::string& path, TuneStage& stage);
  void read_confirm(const Value& confirm, const std::string& path, TuneStage& stage);
  RateGrid rate(const Value& value, const std::string& path);
  void read_start(const Value& start, const std::string& path, RateGrid& rate);
  // Settings that the stage searches and an axis sets, or that it searches twice.
  void check_overlap(const Value& item, const std::string& path, const std::string& compare_axis,
                     const TuneStage& stage);
  int64_t count(const Value& value, const std::string& path, int64_t otherwise);

  std::vector<TuneStage>& stages_;
};

}  // namespace muonlab::config
