// The rows of the battery: every rule, and its settings that take another way through it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "muonlab/config/optim.hpp"

namespace muonlab::optim {

struct Row {
  std::string name;
  config::OptimizerConfig config;
  double quadratic_lr;
  double tolerance = 0.02;  // of the distance that is left on a quadratic; 1: it may stay
};

inline std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }

inline config::MuonConfig muon(config::Orthogonalizer orthogonalizer,
                               config::IterationType iteration, config::MomentumForm form,
                               bool nesterov, bool per_head = false) {
  config::MuonConfig c;
  c.orthogonalizer = orthogonalizer;
  c.iteration = iteration;
  c.momentum_form = form;
  c.nesterov = nesterov;
  c.per_head = per_head;
  return c;
}

template <class Config, class Change>
Config with(Config config, Change change) {
  change(config);
  return config;
}

template <class Change>
config::OptimizerConfig with(config::OptimizerConfig config, Change change) {
  std::visit(change, config);
  return config;
}

using config::AdamWConfig;
using config::SgdConfig;
using config::SignSgdConfig;
using enum config::Orthogonalizer;
using enum config::IterationType;
using enum config::MomentumForm;

inline const std::vector<Row> kRows{
    {"adamw", AdamWConfig{}, 0.05},
    {"adamw_slow",
     with(AdamWConfig{},
          [](auto& c) {
            c.betas = {0.9, 0.999};
          }),
     0.05},
    {"sgd", SgdConfig{}, 0.02},
    {"sgd_nesterov", with(SgdConfig{}, [](auto& c) { c.nesterov = true; }), 0.02},
    {"sgd_plain", with(SgdConfig{}, [](auto& c) { c.momentum = 0.0; }), 0.1},
    {"signsgd", SignSgdConfig{}, 0.05},
    {"signsgd_momentum", with(SignSgdConfig{}, [](auto& c) { c.momentum = 0.9; }), 0.05},
    {"muon", config::MuonConfig{}, 0.1},
    {"muon_average_nesterov", muon(you, fp32, average, true), 0.1},
    {"muon_bf16", muon(keller, bf16, sum, false), 0.1},
    {"muon_polar_express_bf16", muon(polar_express, bf16, average, true), 0.1},
    {"muon_exact", muon(exact, fp32, sum, false), 0.1},
    {"muon_svd", muon(svd, automatic, sum, true), 0.1},
    {"muon_per_head", muon(keller, fp32, sum, false, true), 0.1},
    {"muon_random_spectrum",
     with(muon(keller, fp32, sum, false, true),
          [](auto& c) { c.spectrum = config::UpdateSpectrum::random; }),
     0.1, 0.04},  // a step is not a descent of every direction alike
    {"muon_random_spectrum_svd",
     with(muon(svd, automatic, sum, false),
          [](auto& c) { c.spectrum = config::UpdateSpectrum::random; }),
     0.1, 0.04},
    {"muon_after",
     with(muon(keller, fp32, average, true), [](auto& c) { c.order = config::PolarOrder::after; }),
     0.1},
    {"muon_none", with(config::MuonConfig{}, [](auto& c) { c.order = config::PolarOrder::none; }),
     0.1},
    {"muon_groups_of_heads",
     with(muon(keller, fp32, sum, false, true), [](auto& c) { c.heads_per_group = 3; }), 0.1},
    {"muon_momentum_course",
     with(muon(keller, fp32, average, true),
          [](auto& c) {
            c.momentum_warmup = c.momentum_cooldown = 2;
            c.momentum_start = c.momentum_final = 0.8;
          }),
     0.1},
    {"normuon", config::NorMuonConfig{}, 0.1},
    {"normuon_longer_per_head",
     with(config::NorMuonConfig{},
          [](auto& c) {
            c.axis = config::NormAxis::longer;
            c.per_head = true;
            c.iteration = bf16;
          }),
     0.1},
    {"adamuon", config::AdaMuonConfig{}, 0.1, 0.1},
    {"adamuon_emerging", with(config::AdaMuonConfig{}, [](auto& c) { c.sign = c.rescale = false; }),
     0.02, 0.1},
    {"lion", config::LionConfig{}, 0.02, 0.1},
    {"dion2", config::Dion2Config{}, 0.5, 0.1},
    {"dion2_normalized", with(config::Dion2Config{}, [](auto& c) { c.normalize = true; }), 0.5,
     0.1},
    {"scion",
     with(config::ScionConfig{},
          [](auto& c) {
            c.radius = 1.0;
            c.decay = 0.0;
          }),
     0.2, 0.05},
    {"scion_row",
     with(config::ScionConfig{},
          [](auto& c) {
            c.norm = config::ScionNorm::row;
            c.radius = 1.0;
            c.decay = 0.0;
          }),
     0.05},
    {"soap", config::SoapConfig{}, 0.15},
    {"soap_kl",
     with(config::SoapConfig{},
          [](auto& c) {
            c.kl = true;
            c.basis_every = 2;
          }),
     0.05},
    {"soap_polar",
     with(config::SoapConfig{},
          [](auto& c) {
            c.polar = true;
            c.max_side = 20;
          }),
     0.1, 0.1},
    {"ember", config::EmberConfig{}, 0.05},
    {"adamw_cautious", with(AdamWConfig{}, [](auto& c) { c.cautious = true; }), 0.05},
    {"adamw_rate_squared",
     with(AdamWConfig{}, [](auto& c) { c.decay_form = config::DecayForm::rate_squared; }), 0.05},
    {"muon_hyperball", with(config::MuonConfig{}, [](auto& c) { c.hyperball = true; }), 0.05, 1.0},
    {"sgd_floor", with(SgdConfig{}, [](auto& c) { c.floor = 0.001; }), 0.02},
};

}  // namespace muonlab::optim
