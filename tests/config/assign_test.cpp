#include "config/support.hpp"
#include "muonlab/config/role.hpp"
#include "muonlab/config/routing.hpp"

namespace muonlab::config {
namespace {

std::string with_assign(const std::string& lines, const std::string& model = "{}") {
  return "{\"assign\": [" + lines + "],\n\"model\": " + model +
         R"(, "train": {"steps": 9}, "optimizers": {"muon": {"rule": "muon"}, "adam": {"rule": "adamw"}}})";
}

constexpr const char* kMuonVo = R"({"params": ["vo"], "optimizer": "muon"})";
constexpr const char* kAdamAll = R"({"params": ["all"], "optimizer": "adam"})";

TEST(Assign, SelectsByGroupRoleNameAndLayer) {
  const ParameterSpec v{"model.layers.2.self_attn.v_proj.weight", Role::v, 2, {8, 8}};
  const ParameterSpec embed{"model.embed_tokens.weight", Role::embed, -1, {16, 8}};
  for (const char* yes :
       {"vo", "v", "attn", "matrices", "all", "vo@2", "v@0-2", "all@2-9", "model.layers.*",
        "*v_proj*", "model.layers.*.self_attn.?_proj.weight", "*v_proj*@2"}) {
    EXPECT_TRUE(selector_matches(yes, v)) << yes;
    EXPECT_EQ(selector_problem(yes), "") << yes;
  }
  for (const char* no : {"qk", "o", "ffn", "vo@3", "v@0-1", "*q_proj*", "*v_proj*@0"}) {
    EXPECT_FALSE(selector_matches(no, v)) << no;
    EXPECT_EQ(selector_problem(no), "") << no;
  }
  EXPECT_TRUE(selector_matches("all", embed));
  EXPECT_FALSE(selector_matches("matrices", embed));
  EXPECT_FALSE(selector_matches("all@0-9", embed)) << "it is in no layer";
  for (const char* bad :
       {"", "v_o", "V", "vo@", "vo@x", "vo@3-1", "vo@-1", "vo@1-", "vo@1-2-3", "@2"}) {
    EXPECT_NE(selector_problem(bad), "") << bad;
    EXPECT_FALSE(selector_matches(bad, v)) << bad;
  }
  EXPECT_EQ(selector_problem("vo@3-1"), "\"@3-1\" is no range of layers; write @a or @a-b, from 0");
}

TEST(Assign, GroupsHoldTheRolesOfTheDesign) {
  const auto roles_of = [](std::string_view group) {
    std::string text;
    for (size_t i = 0; i < EnumNames<Role>::names.size(); ++i) {
      const ParameterSpec p{"x", static_cast<Role>(i), 0, {1}};
      if (selector_matches(group, p)) text += std::string(role_name(p.role)) + " ";
    }
    return text;
  };
  EXPECT_EQ(roles_of("qk"), "q k ");
  EXPECT_EQ(roles_of("vo"), "v o ");
  EXPECT_EQ(roles_of("attn"), "q k v o ");
  EXPECT_EQ(roles_of("ffn"), "ffn_in ffn_gate ffn_out ");
  EXPECT_EQ(roles_of("matrices"), "q k v o ffn_in ffn_gate ffn_out ");
  EXPECT_EQ(roles_of("all"), "embed q k v o ffn_in ffn_gate ffn_out norm head bias ");
}

TEST(Assign, BiasesAreVectorsOfTheirOwnRole) {
  const std::string biased =
      R"("model": {"attention_bias": "qkv"}, "optimizers": {"a": {"rule": "adamw"}, "m": {"rule": "muon"}}, )";
  const auto with = [&](const std::string& lines) { return minimal(biased + lines); };
  EXPECT_EQ(errors(with(R"("assign": [{"params": ["attn"], "optimizer": "m"},
                                      {"params": ["bias"], "optimizer": "a"},
                                      {"params": ["all"], "optimizer": "a"}])")),
            Lines{});
  const auto refused = errors(with(R"("assign": [{"params": ["*self_attn*"], "optimizer": "m"},
                                                 {"params": ["all"], "optimizer": "a"}])"));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_NE(refused[0].find("q_proj.bias"), std::string::npos) << refused[0];
}

TEST(Assign, HuggingFacesWordsNameMatrices) {
  const auto roles_of = [](std::string_view word, bool gated) {
    ModelConfig m = parse(minimal()).model;
    m.gated = gated;
    std::string text;
    for (const ParameterSpec& p : parameter_specs(m)) {
      if (p.layer <= 0 && selector_matches(word, p)) text += std::string(role_name(p.role)) + " ";
    }
    return text;
  };
  for (const bool gated : {true, false}) {
    EXPECT_EQ(roles_of("q_proj", gated), "q ");
    EXPECT_EQ(roles_of("k_proj", gated), "k ");
    EXPECT_EQ(roles_of("v_proj", gated), "v ");
    EXPECT_EQ(roles_of("o_proj", gated), "o ");
    EXPECT_EQ(roles_of("down_proj", gated), "ffn_out ");
    EXPECT_EQ(roles_of("embed_tokens", gated), "embed ");
    EXPECT_EQ(roles_of("lm_head", gated), "head ");
  }
  EXPECT_EQ(roles_of("gate_proj", true), "ffn_in ");
  EXPECT_EQ(roles_of("up_proj", true), "ffn_gate ");
  EXPECT_EQ(roles_of("gate_proj", false), "");
  EXPECT_EQ(roles_of("up_proj", false), "ffn_in ");
  const std::string all = std::string(", ") + kAdamAll;
  EXPECT_EQ(
      errors(with_assign(R"({"params": ["v_proj@0-2", "up_proj"], "optimizer": "muon"})" + all)),
      Lines{});
  expect_error(with_assign(R"({"params": ["vo", $"gate_proj"], "optimizer": "muon"})" + all,
                           R"({"gated": false})"),
               "assign[0].params[1]: has no effect: \"gate_proj\" matches no parameter of this "
               "model");
  EXPECT_EQ(selector_problem("up_prj").substr(selector_problem("up_prj").rfind(';')),
            "; did you mean \"up_proj\"?");
}

TEST(Assign, ALayerRangeBeyondTheModelIsRefusedOrCutWhereInherited) {
  const std::string all = std::string(", ") + kAdamAll;
  const std::string text =
      with_assign(R"({"params": ["qk", $"vo@2-6"], "optimizer": "muon"})" + all);
  expect_error(text,
               "assign[0].params[1]: \"vo@2-6\" goes beyond the model's last layer, 5; write "
               "\"vo@2-5\"");
  expect_error(minimal(R"("probes": {"spectra": {"params": ["qk", $"model.layers.*@5-9"]}})"),
               "probes.spectra.params[1]: \"model.layers.*@5-9\" goes beyond the model's last "
               "layer, 5; write \"model.layers.*@5\"");
  // A sweep over model.layers inherits the line.
  const LoadedConfig swept = parse_config(Marked(text).text, "c.json", {}, {"model.layers=3"});
  EXPECT_EQ(swept.run.assign[0].params, (Lines{"qk", "vo@2"}));
  EXPECT_EQ(swept.dropped, Lines{"assign[0].params[1]: \"vo@2-6\" goes beyond the model's last "
                                 "layer, 2"});
  // What an earlier version accepted and stored stays readable.
  EXPECT_EQ(parse_stored_config(Marked(text).text, "resolved.json").run.assign[0].params[1],
            "vo@2-6");
}

TEST(Assign, AcceptsAGoodRouting) {
  const RunConfig run = parse(with_assign(std::string(kMuonVo) + ", " + kAdamAll));
  EXPECT_EQ(run.assign.size(), 2u);
}

TEST(Assign, RefusesWhatCannotWork) {
  const std::string all = std::string(", ") + kAdamAll;
  expect_error(
      with_assign(R"({"params": ["vo"], "optimizer": $"muno"})" + all),
      R"(assign[0].optimizer: "muno" is no optimizer; defined: adam muon; did you mean "muon"?)");
  expect_error(with_assign(R"(${"params": ["vo"]})" + all),
               "assign[0].optimizer: is missing; defined: adam muon");
  expect_error(with_assign(R"({"params": $[], "optimizer": "muon"})" + all),
               "assign[0].params: is missing or empty");
  expect_error(
      with_assign(std::string(kMuonVo) + all + R"(, ${"params": ["v"], "optimizer": "muon"})"),
      "assign[2]: has no effect: the lines above take every parameter it names");
  expect_error(
      with_assign(R"({"params": ["vo", $"ffn_gate"], "optimizer": "muon"})" + all,
                  R"({"gated": false})"),
      "assign[0].params[1]: has no effect: \"ffn_gate\" matches no parameter of this model");
  expect_error(with_assign(R"({"params": ["qk", $"vo@6"], "optimizer": "muon"})" + all),
               "assign[0].params[1]: has no effect: \"vo@6\" matches no parameter of this model");
  expect_error(
      with_assign(R"({"params": [$"head"], "optimizer": "muon"})" + all, R"({"tied": true})"),
      "assign[0].params[0]: has no effect: \"head\" matches no parameter of this model");
}

TEST(Assign, RefusesGapsAndVectorsForMuon) {
  EXPECT_EQ(errors(with_assign(kMuonVo + std::string(", ") +
                               R"({"params": ["qk"], "optimizer": "adam"})")),
            Lines{"c.json:1:12: assign: no line covers model.embed_tokens.weight [1024, 256] and "
                  "32 more; end with a "
                  "line for \"all\""});
  EXPECT_EQ(errors(with_assign(R"({"params": ["all"], "optimizer": "muon"})")),
            (Lines{"c.json:1:13: assign[0]: muon updates matrices; "
                   "model.layers.0.input_layernorm.weight [256] is a "
                   "vector; assign norms to another optimizer above",
                   "c.json:2:86: optimizers.adam: has no effect: no line of assign names it"}));
}

TEST(Assign, TheFirstLineThatMatchesTakesAParameter) {
  const std::vector<ParameterSpec> parameters{{"a.v", Role::v, 0, {2, 2}},
                                              {"b.v", Role::v, 1, {2, 2}},
                                              {"norm", Role::norm, -1, {2}},
                                              {"head", Role::head, -1, {2, 2}}};
  const std::vector<AssignConfig> lines{
      {{"qk", "v@1"}, "a"}, {{"b.*", "norm"}, "b"}, {{"matrices"}, "c"}, {{"v"}, "d"}};
  EXPECT_EQ(first_matches(lines, parameters), (std::vector<size_t>{2, 0, 1, kNoLine}));
  EXPECT_EQ(first_matches({}, parameters), std::vector<size_t>(4, kNoLine));
}

TEST(Assign, OneOptimizerNeedsNoLine) {
  const RunConfig run = parse(minimal(R"("optimizers": {"plain": {"rule": "sgd"}})"));
  EXPECT_EQ(run.assign, (std::vector<AssignConfig>{{{"all"}, "plain"}}));
  EXPECT_EQ(errors(minimal(R"("optimizers": {"a": {"rule": "sgd"}, "b": {"rule": "adamw"}})")),
            Lines{"c.json:1:1: assign: is missing; say which parameters get which of a b"});
}

TEST(Assign, ParametersHaveHuggingFaceNamesAndShapes) {
  ModelConfig m =
      parse(minimal(R"("model": {"layers": 2, "width": 12, "heads": 4, "kv_heads": 2, "head_dim": 6,
      "ffn_width": 20, "qk_norm": "gain", "vocabulary": 2000})"))
          .model;
  std::vector<std::string> lines;
  for (const ParameterSpec& p : parameter_specs(m)) {
    if (p.layer == 1) continue;
    std::string line = p.name + " " + std::string(role_name(p.role));
    for (int64_t d : p.shape) line += " " + std::to_string(d);
    lines.push_back(line);
  }
  EXPECT_EQ(lines, (Lines{"model.embed_tokens.weight embed 2000 12",
                          "model.layers.0.input_layernorm.weight norm 12",
                          "model.layers.0.self_attn.q_proj.weight q 24 12",
                          "model.layers.0.self_attn.k_proj.weight k 12 12",
                          "model.layers.0.self_attn.v_proj.weight v 12 12",
                          "model.layers.0.self_attn.o_proj.weight o 12 24",
                          "model.layers.0.self_attn.q_norm.weight norm 6",
                          "model.layers.0.self_attn.k_norm.weight norm 6",
                          "model.layers.0.post_attention_layernorm.weight norm 12",
                          "model.layers.0.mlp.gate_proj.weight ffn_in 20 12",
                          "model.layers.0.mlp.up_proj.weight ffn_gate 20 12",
                          "model.layers.0.mlp.down_proj.weight ffn_out 12 20",
                          "model.norm.weight norm 12", "lm_head.weight head 2000 12"}));
  m.gated = false;
  m.tied = true;
  m.qk_norm = QkNorm::no_gain;
  const auto specs = parameter_specs(m);
  EXPECT_EQ(specs.size(), 1 + 2 * 8 + 1u);
  EXPECT_EQ(specs[7].name, "model.layers.0.mlp.up_proj.weight");
  EXPECT_EQ(specs[7].role, Role::ffn_in);
}

}  // namespace
}  // namespace muonlab::config
