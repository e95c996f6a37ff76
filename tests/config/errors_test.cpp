// Every kind of mistake, with its text and its place.
#include "config/kinds.hpp"
#include "config/support.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {
namespace {

TEST(Errors, AllAtOnceInTheOrderOfTheFile) {
  const std::string text = R"({
  "train": {"steps": 10},
  "modle": {"width": 64},
  "optimizers": {
    "adam": {"rule": "adamw", "lr": "fast"}
  },
  "assign": [
    {"params": ["v_o"], "optimizer": "adam"}
  ]
})";
  try {
    parse_config(text, "configs/mine.json");
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_STREQ(
        e.what(),
        "configs/mine.json:3:3: unknown key \"modle\"; did you mean \"model\"?\n"
        "configs/mine.json:5:37: optimizers.adam.lr: expected a number, got the string \"fast\"\n"
        "configs/mine.json:8:17: assign[0].params[0]: \"v_o\" is no role, group or matching name; "
        "groups: qk "
        "vo attn ffn matrices all; roles: embed q k v o ffn_in ffn_gate ffn_out norm head bias; "
        "did "
        "you "
        "mean "
        "\"vo\"?\n"
        "3 errors; nothing was started.");
    EXPECT_EQ(e.problems().size(), 3u);
  }
}

// However many rules there are.
TEST(Errors, AMissingRuleNamesAllThereAre) {
  expect_error(minimal(R"("optimizers": {"adam": ${"lr": 1}})"),
               "optimizers.adam: \"rule\" is missing; choices: " +
                   base::join(alternative_names<OptimizerConfig>(), " "));
}

struct Case {
  const char* more;  // members beside train, with a $ before the place
  const char* error;
};

class EveryMistake : public testing::TestWithParam<Case> {};

TEST_P(EveryMistake, IsNamed) {
  expect_error(std::string("{") + GetParam().more + ",\n\"train\": {\"steps\": 9}}",
               GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Types, EveryMistake,
    testing::Values(
        Case{R"("seed": $"x")", R"(seed: expected an integer, got the string "x")"},
        Case{R"("seed": $1.5)", "seed: expected an integer, got the number 1.5"},
        Case{R"("seed": $1e3)", "seed: expected an integer, got the number 1e3; write 1000"},
        Case{R"("seed": $9223372036854775808)",
             "seed: expected an integer of at most 64 bits, got the number 9223372036854775808"},
        Case{R"("seed": $1e30)",
             "seed: expected an integer of at most 64 bits, got the number 1e30"},
        Case{R"("seed": $true)", "seed: expected an integer, got true"},
        Case{R"("name": $3)", "name: expected a string, got the number 3"},
        Case{R"("name": $"a\u0000b")", "name: holds a NUL character"},
        Case{R"("name": $"a/b")", R"(name: "a/b" cannot name a folder)"},
        Case{R"("name": $"..")", R"(name: ".." cannot name a folder)"},
        Case{R"("model": $[])", "model: expected an object, got an array"},
        Case{R"("model": {"tied": $1})", "model.tied: expected true or false, got the number 1"},
        Case{
            R"("model": {"activation": $"silo"})",
            R"(model.activation: "silo" is no choice; choices: silu gelu relu2 gelu_tanh; did you mean "silu"?)"},
        Case{R"("model": {"activation": $7})",
             "model.activation: expected one of silu gelu relu2 gelu_tanh, got the number 7"},
        Case{R"("assign": ${})", "assign: expected an array, got an object"},
        Case{R"("optimizers": {"adam": {"rule": "adamw", "betas": $[0.9]}})",
             "optimizers.adam.betas: expected 2 values, got 1"},
        Case{R"("optimizers": {"adam": {"rule": "adamw", "betas": [0.9, $"b"]}})",
             R"(optimizers.adam.betas[1]: expected a number, got the string "b")"},
        Case{R"("optimizers": {"adam": {"rule": "adamw", "betas": $0.9}})",
             "optimizers.adam.betas: expected an array of 2 values, got the number 0.9"},
        Case{R"("optimizers": {"adam": $"adamw"})",
             R"(optimizers.adam: expected an object, got the string "adamw")"},
        Case{R"("optimizers": {$"a.b": {"rule": "adamw"}, "adam": {"rule": "adamw"}})",
             R"(optimizers: "a.b" is no name; letters, digits, _ and - make one)"},
        Case{R"("data": {"kind": $3})", "data.kind: expected a string, got the number 3"}));

INSTANTIATE_TEST_SUITE_P(
    Ranges, EveryMistake,
    testing::Values(
        Case{R"("model": {"layers": $0})", "model.layers: 0 is below the minimum 1"},
        Case{R"("model": {"layers": $5000})", "model.layers: 5000 is above the maximum 4096"},
        Case{R"("model": {"rope_theta": $0.0})", "model.rope_theta: 0.0 is not above 0"},
        Case{R"("optimizers": {"adam": {"rule": "adamw", "lr": $-1e-3}})",
             "optimizers.adam.lr: -1e-3 is below the minimum 0"},
        Case{R"("optimizers": {"adam": {"rule": "adamw", "betas": [0.9, $1]}})",
             "optimizers.adam.betas[1]: 1 is above the maximum 0.999999"},
        Case{R"("schedule": {"kind": "cosine", "final": $1.5})",
             "schedule.final: 1.5 is above the maximum 1"},
        Case{R"("data": {"m": $21})", "data.m: 21 is above the maximum 20"}));

INSTANTIATE_TEST_SUITE_P(
    Keys, EveryMistake,
    testing::Values(
        Case{R"($"sede": 1)", R"(unknown key "sede"; did you mean "seed"?)"},
        Case{R"($"zzz": 1)", R"(unknown key "zzz")"},
        Case{R"("eval": {$"evry": 5})", R"(eval: unknown key "evry"; did you mean "every"?)"},
        Case{R"("model": {"init": {$"sdt": 1}})",
             R"(model.init: unknown key "sdt"; did you mean "std"?)"},
        Case{
            R"("data": {"kind": $"biografies"})",
            R"(data.kind: "biografies" is no choice; choices: biographies shards; did you mean "biographies"?)"},
        Case{R"("data": {$"train": ["x"]})",
             R"(data: unknown key "train" for the kind "biographies"; it belongs to shards)"},
        Case{
            R"("optimizers": {"adam": {"rule": "adamw", $"nesterov": true}})",
            R"(optimizers.adam: unknown key "nesterov" for the rule "adamw"; it belongs to sgd muon normuon adamuon)"},
        Case{R"("optimizers": {"adam": {"rule": "adamw", $"beta": 1}})",
             R"(optimizers.adam: unknown key "beta" for the rule "adamw"; did you mean "betas"?)"},
        Case{R"("assign": [{"params": ["all"], $"optimiser": "adam"}])",
             R"(assign[0]: unknown key "optimiser"; did you mean "optimizer"?)"},
        Case{R"("seed": 1, $"seed": 2)", R"(duplicate key "seed"; first at line 1, column 2)"}));

INSTANTIATE_TEST_SUITE_P(
    Model, EveryMistake,
    testing::Values(
        Case{R"("model": {"heads": $7})",
             "model.heads: 7 heads do not divide the width 256; change one, or give head_dim"},
        Case{R"("model": {"width": 100, "heads": $20})",
             "model.heads: width 100 over 20 heads gives a head of width 5; rotary embeddings need "
             "an even one"},
        Case{R"("model": {"head_dim": $5})",
             "model.head_dim: 5 is odd; rotary embeddings need an even width"},
        Case{R"("model": {"kv_heads": $3})", "model.kv_heads: 3 does not divide the 4 heads"},
        Case{R"("model": {"size": $"smal"})",
             R"(model.size: "smal" is no size; sizes: tiny small 14m 160m; did you mean "small"?)"},
        Case{R"("model": {"from": "a.json", "size": $"tiny"})",
             "model.size: model.from gives the shape already; keep one of them"},
        Case{R"("model": {"vocabulary": $300})",
             "model.vocabulary: 300 is smaller than the tokenizer's 1024; leave it out to take "
             "that"}));

INSTANTIATE_TEST_SUITE_P(
    Data, EveryMistake,
    testing::Values(
        Case{R"("data": ${"kind": "shards", "train": ["a"]})",
             "data.valid: is missing or empty; name shard files or folders of them"},
        Case{R"("data": {"kind": "shards", "train": ["a", $""], "valid": ["b"]})",
             "data.train[1]: is empty"},
        Case{R"("data": {"tokenizer": ${"kind": "sentencepiece"}})",
             "data.tokenizer.path: is missing; name a .model file from `muonlab data tokenizer`"}));

TEST(Errors, OfTheLength) {
  expect_error("${}", "train: the length is missing; give one of steps, tokens, epochs, seconds");
  expect_error(R"({"train": {"steps": 5, "tokens": $99}})",
               "train.tokens: train.steps gives the length already; keep one of them");
  expect_error(R"({"train": {"steps": 5, "batch": $0}})", "train.batch: 0 is below the minimum 1");
  expect_error(R"({"train": {"steps": 5, "micro_batch": $"all"}})",
               R"(train.micro_batch: expected an integer or "auto", got the string "all")");
  expect_error(R"({"train": {"steps": 5, "micro_batch": $0}})",
               "train.micro_batch: 0 is below the minimum 1");
  expect_error(R"({"train": {"steps": 5, "batch": 30, "micro_batch": $8}})",
               "train.micro_batch: the batch of 30 is no multiple of 8; its divisor below is 6");
  expect_error(R"({"train": {"steps": 5}, "schedule": {"kind": "cosine", "warmup": $5}})",
               "schedule.warmup: 5 steps of warm-up leave nothing of the run's 5 steps");
  expect_error(R"({"train": {"steps": 5}, "checkpoint": {"every": 10, "permanent_every": $15}})",
               "checkpoint.permanent_every: 15 is no multiple of checkpoint.every, 10");
}

TEST(Errors, OfMuonsSteps) {
  const auto with = [](const std::string& fields) {
    return minimal(
        R"("optimizers": {"m": {"rule": "muon", )" + fields +
        R"(}, "a": {"rule": "adamw"}}, "assign": [{"params": ["matrices"], "optimizer": "m"},)" +
        R"({"params": ["all"], "optimizer": "a"}])");
  };
  EXPECT_EQ(errors(with(R"("orthogonalizer": "keller", "steps": 20)")), Lines{});
  EXPECT_EQ(errors(with(R"("orthogonalizer": "polar_express", "steps": 8)")), Lines{});
  expect_error(with(R"("orthogonalizer": "polar_express", "steps": $4)"),
               "optimizers.m.steps: polar_express takes 5 to 8 steps, not 4");
  expect_error(with(R"("orthogonalizer": "you", "steps": $6)"),
               "optimizers.m.steps: you has exactly 5 steps, not 6");
  expect_error(with(R"("orthogonalizer": "exact", "steps": $5)"),
               "optimizers.m.steps: exact has exactly 10 steps, not 5");
  expect_error(with(R"("orthogonalizer": "exact", "iteration": $"bf16")"),
               "optimizers.m.iteration: bf16 rounds away what exact is for; use fp32 or auto");
}

TEST(Errors, OfSyntaxComeAlone) {
  EXPECT_EQ(errors("{\"trian\": 3,\n \"model\" {}}"),
            Lines{"c.json:2:10: unexpected '{'; expected ':'"});
  EXPECT_EQ(errors("[1]"), Lines{"c.json:1:1: expected an object, got an array"});
  EXPECT_EQ(errors("null"), Lines{"c.json:1:1: expected an object, got null"});
}

TEST(Errors, ASweepIsNotTakenForAConfiguration) {
  EXPECT_EQ(errors(R"({"base": "b.json", "axes": {}, "seeds": [1]})"),
            Lines{"c.json:1:1: this is a sweep: `muonlab sweep FILE --dry-run` checks it, `muonlab "
                  "sweep FILE` runs it"});
}

TEST(Errors, OfAMissingFileNameIt) {
  try {
    load_config("no/such.json");
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_EQ(std::string(e.what()).find("no/such.json: cannot open"), 0u);
    EXPECT_NE(std::string(e.what()).find("1 error; nothing was started."), std::string::npos);
  }
}

TEST(Errors, ProbesNameMatricesThatAreThere) {
  EXPECT_EQ(errors(minimal(R"("probes": {"spectra": {"params": ["vo@0-2", "embed", "*mlp*"]}})")),
            Lines{});
  EXPECT_EQ(parse(minimal(R"("probes": {"spectra": {}})")).probes.spectra, SpectraConfig{});
  EXPECT_EQ(parse(minimal()).probes.spectra, std::nullopt);
  EXPECT_EQ(parse(minimal(R"("probes": {"spectra": {}})"), {"probes.spectra=null"}).probes.spectra,
            std::nullopt);
  EXPECT_EQ(parse(minimal(), {"probes.spectra.every=20"}).probes.spectra->every, 20);
  expect_error(minimal(R"("probes": {"spectra": {"every": $0}})"),
               "probes.spectra.every: 0 is below the minimum 1");
  expect_error(minimal(R"("probes": {"spectra": {"params": $[]}})"),
               "probes.spectra.params: is empty; leave probes.spectra out to measure nothing");
  expect_error(minimal(R"("probes": {"spectra": {"params": ["vo", $"norm"]}})"),
               "probes.spectra.params[1]: \"norm\" matches no matrix of this model");
  expect_error(minimal(R"("probes": {"spectra": {"params": [$"v_o"]}})"),
               "probes.spectra.params[0]: " + selector_problem("v_o"));
  EXPECT_EQ(errors(minimal(R"("probes": {"sharpness": {"params": ["vo", "norm"]}})")), Lines{});
  expect_error(minimal(R"("probes": {"sharpness": {"params": [$"v@90"]}})"),
               "probes.sharpness.params[0]: \"v@90\" matches no parameter of this model");
  EXPECT_EQ(parse(minimal(R"("probes": {"tail": {"classes": 20}})")).probes.tail,
            (TailConfig{.every = 100, .classes = 20}));
  expect_error(
      minimal(
          R"("probes": {"tail": ${}}, "data": {"kind": "shards", "train": ["a"], "valid": ["b"]})"),
      "probes.tail: asks about the people of data.kind biographies; the data are shards");
  expect_error(minimal(R"("probes": {$"spektra": {}})"),
               "probes: unknown key \"spektra\"; did you mean \"spectra\"?");
}

}  // namespace
}  // namespace muonlab::config
