#include <set>

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "optim/trial.hpp"

namespace muonlab::optim {
namespace {

config::RunConfig paper() {
  config::RunConfig run;
  run.model.layers = 6;
  run.model.width = 16;
  run.model.heads = run.model.kv_heads.emplace(4);
  run.model.head_dim = 4;
  run.model.ffn_width = 40;
  run.model.vocabulary = 100;
  run.optimizers = {{"adam", config::AdamWConfig{}}, {"muon", config::MuonConfig{}}};
  run.assign = {{{"vo", "ffn"}, "muon"}, {{"all"}, "adam"}};
  return run;
}

TEST(Router, TheFirstMatchWins) {
  const config::RunConfig run = paper();
  const auto specs = config::parameter_specs(run.model);
  const Routing routing = route(specs, run);
  ASSERT_EQ(routing.optimizer.size(), specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    const bool muon = config::is_matrix_role(specs[i].role) && specs[i].role != Role::q &&
                      specs[i].role != Role::k;
    EXPECT_EQ(routing.optimizer[i], muon ? "muon" : "adam") << specs[i].name;
    EXPECT_EQ(routing.assignment[i], muon ? 0u : 1u) << specs[i].name;
  }
}

TEST(Router, OrdersByOptimizerThenShapeWithTransposesTogether) {
  const config::RunConfig run = paper();
  const Routing routing = route(config::parameter_specs(run.model), run);
  ASSERT_EQ(std::set<size_t>(routing.order.begin(), routing.order.end()).size(),
            routing.specs.size());
  std::vector<std::string> seen;  // "optimizer short x long", each once if ranges hold together
  for (size_t i : routing.order) {
    const auto& shape = routing.specs[i].shape;
    const std::string key = shape.size() == 1
                                ? routing.optimizer[i] + " vector"
                                : base::str(routing.optimizer[i], " ", std::min(shape[0], shape[1]),
                                            "x", std::max(shape[0], shape[1]));
    if (seen.empty() || seen.back() != key) seen.push_back(key);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"muon 16x16", "muon 16x40", "adam 16x16", "adam 16x100",
                                            "adam vector"}));
}

TEST(Router, OptimizersStandInTheOrderOfTheirLines) {
  const config::RunConfig run = paper();
  const auto specs = config::parameter_specs(run.model);
  Trial trial(specs, run);
  EXPECT_EQ(trial.optimizer.names(), (std::vector<std::string>{"muon", "adam"}));
  EXPECT_EQ(trial.optimizer.learning_rates(1, 10), (std::vector<double>{0.01, 0.001}));
}

TEST(Router, Table) {
  const config::RunConfig run = paper();
  EXPECT_EQ(routing_table(route(config::parameter_specs(run.model), run), run),
            "  optimizer  rule   learning rate  parameters                               matrices  "
            "values\n"
            "  muon       muon   0.01           layers 0-5: v o ffn_in ffn_gate ffn_out        30  "
            "14.6 k\n"
            "  adam       adamw  0.001          embed, head, norms, layers 0-5: q k            14  "
            "6.48 k\n"
            "  ffn_in is gate_proj, ffn_gate is up_proj, ffn_out is down_proj\n");
}

TEST(Router, TheTableWrapsWhatANarrowTerminalCannotHold) {
  const config::RunConfig run = paper();
  const std::string table = routing_table(route(config::parameter_specs(run.model), run), run, 80);
  for (const std::string& line : base::split(table, '\n')) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_NE(table.find("\n  muon       muon   0.01           layers 0-5: v o ffn_in"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("\n                                   ffn_gate ffn_out\n"),
            std::string::npos)
      << table;
}

TEST(Router, TableOfLayersAndSomeNorms) {
  config::RunConfig run = paper();
  run.assign = {{{"v@0-2", "o@1", "ffn_in@0-2"}, "muon"},
                {{"model.norm.*", "qk@3", "vo@3"}, "b"},
                {{"all"}, "adam"}};
  run.optimizers["b"] = config::SgdConfig{};
  const std::string table = routing_table(route(config::parameter_specs(run.model), run), run);
  EXPECT_NE(table.find(" layers 0-2: v ffn_in, layer 1: o "), std::string::npos) << table;
  EXPECT_NE(table.find(" 1 of 13 norms, layer 3: q k v o "), std::string::npos) << table;
  EXPECT_NE(
      table.find(
          " embed, head, 12 of 13 norms, layers 0-2,4-5: q k, layers 4-5: v, layers 0,2,4-5: o, "
          "layers 3-5: ffn_in, layers 0-5: ffn_gate ffn_out "),
      std::string::npos)
      << table;
}

TEST(Router, Tsv) {
  const config::RunConfig run = paper();
  const std::string tsv = routing_tsv(route(config::parameter_specs(run.model), run), run);
  const auto lines = base::split(tsv, '\n');
  EXPECT_EQ(lines.front(),
            "parameter\trole\thugging_face_role\tshape\toptimizer\trule\tlearning_"
            "rate\tdecay\tassignment\tselectors");
  EXPECT_EQ(lines.size(), config::parameter_specs(run.model).size() + 2);
  const auto has = [&](const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  EXPECT_TRUE(
      has("model.layers.2.mlp.gate_proj.weight\tffn_in\tgate_proj\t40x16\tmuon\tmuon\t0.01\t0\t"
          "assign[0]\tvo ffn"));
  EXPECT_TRUE(has("model.norm.weight\tnorm\tnorm\t16\tadam\tadamw\t0.001\t0\tassign[1]\tall"));
  EXPECT_TRUE(has("lm_head.weight\thead\tlm_head\t100x16\tadam\tadamw\t0.001\t0\tassign[1]\tall"));
}

TEST(Router, AParameterWithoutALineIsABug) {
  config::RunConfig run = paper();
  run.assign.pop_back();
  EXPECT_THROW(route(config::parameter_specs(run.model), run), base::Bug);
}

}  // namespace
}  // namespace muonlab::optim
