// What the fields alone cannot say: how settings fit together. Each check reports with the place of
// the setting.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "config/problems.hpp"
#include "config/reader.hpp"
#include "muonlab/config/run.hpp"

namespace muonlab::config {

struct Checker {
  RunConfig& run;
  const Value& tree;  // as merged; empty for a configuration built in code
  Problems& problems;
  std::vector<std::string>& dropped;

  void fail(const std::string& path, std::string text) {
    problems.add(mark_at(tree, path), path, std::move(text));
  }

  // The highest layer that wrote the setting or a part of it.
  int layer(const std::string& path) const;

  // A setting that can do nothing because of another one: a mistake where the user wrote it beside
  // or above its cause, listed as dropped where it was inherited. True where it is to be dropped.
  bool without_effect(const std::string& path, const std::string& cause, const std::string& reason);

  // The same for a field; `fallback` stands for "not asked for".
  template <class T>
  void without_effect(T& field, const T& fallback, const std::string& path,
                      const std::string& cause, const std::string& reason) {
    if (field != fallback && without_effect(path, cause, reason)) field = fallback;
  }
};

// Each fills in what its section leaves open, then checks it. In this order.
void check_model(Checker& c);  // the shape behind from and size is already in place
void check_data(Checker& c);
void check_optimizers(Checker& c);
void check_assign(Checker& c);
void check_train(Checker& c);
void check_probes(Checker& c);

// Settings of a model section that follow from the others.
void fill_shape(ModelConfig& model);

}  // namespace muonlab::config
