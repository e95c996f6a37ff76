// What is generated from the field lists: dump, schema, table, README, differences.
#include <fstream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "config/support.hpp"

namespace muonlab::config {
namespace {

// A configuration with something in every corner.
constexpr const char* kFull = R"full({
  "name": "full", "seed": -5, "device": "cpu", "threads": 3, "precision": "bf16", "kernels": "reference",
  "model": {"layers": 3, "width": 48, "heads": 4, "kv_heads": 2, "head_dim": 10, "gated": false, "activation": "relu2",
            "ffn_width": 77, "qk_norm": "gain", "tied": true, "context": 33, "rope_theta": 0.1, "norm_eps": 1e-7,
            "vocabulary": 5000, "init": {"std": 0.3, "zero_output": true}},
  "data": {"kind": "biographies", "m": 3, "questions": 2, "templates": 2, "text": "biographies_and_questions", "uniform": true, "seed": 9,
           "tokenizer": {"kind": "sentencepiece", "path": "a \"quoted\"\\path/ü.model"}},
  "optimizers": {
    "m": {"rule": "muon", "lr": 0.3, "momentum": 0.1, "momentum_form": "average", "nesterov": true,
          "orthogonalizer": "polar_express", "steps": 7, "scale": "0.2*sqrt(max(r,c))", "decay": 0.1, "iteration": "fp32",
          "per_head": true, "spectrum": "random", "schedule": {"kind": "wsd", "warmup": 2, "decay_fraction": 0.3, "final": 0.1}},
    "s": {"rule": "sgd", "momentum": 0}, "g": {"rule": "signsgd"}, "a": {"rule": "adamw"}},
  "assign": [{"params": ["vo@1-2", "model.layers.0.mlp.*"], "optimizer": "m"}, {"params": ["qk"], "optimizer": "s"},
             {"params": ["ffn"], "optimizer": "g"}, {"params": ["all"], "optimizer": "a"}],
  "schedule": {"kind": "inverse_sqrt", "warmup": 5},
  "train": {"epochs": 0.1, "batch": 6, "micro_batch": 3, "reduction": "fast", "clip": 1},
  "eval": {"every": 3, "samples": 4, "windows": "first"}, "checkpoint": {"every": 2, "keep": 3, "permanent_every": 4, "best": true},
  "probes": {"spectra": {"every": 7, "params": ["vo@0", "embed"], "gradients": true, "momentum": true,
             "updates": true, "heads": true, "attention": true, "inputs": true}, "tail": {"every": 9, "classes": 3}}
})full";

TEST(Reference, TheDumpReadsBackEqual) {
  for (const std::string& text :
       {std::string(kFull), minimal(),
        minimal(R"("data": {"kind": "shards", "train": ["a"], "valid": ["b"]})")}) {
    const RunConfig run = parse(text);
    const std::string dump = dump_config(run);
    const LoadedConfig again = parse_config(dump, "resolved.json");
    EXPECT_EQ(again.run, run) << dump;
    EXPECT_EQ(dump_config(again.run), dump);
    EXPECT_EQ(again.dropped, Lines{});
  }
}

TEST(Reference, TheDumpIsInFieldOrder) {
  const auto json = nlohmann::ordered_json::parse(dump_config(parse(kFull)));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_EQ(keys,
            (Lines{"name", "seed", "device", "threads", "precision", "kernels", "model", "data",
                   "optimizers", "assign", "schedule", "train", "eval", "checkpoint", "probes"}));
}

TEST(Reference, DifferencesHavePaths) {
  const RunConfig before = parse(minimal());
  const RunConfig after =
      parse(minimal(), {"optimizers.adam.lr=0.25", "train.steps=200", "schedule.kind=cosine",
                        "assign=[{\"params\": [\"matrices\", \"all\"], \"optimizer\": \"adam\"}]",
                        "optimizers.adam.schedule={\"kind\": \"linear\"}", "schedule=null"});
  std::vector<std::string> lines;
  for (const Difference& d : diff_configs(before, after))
    lines.push_back(d.path + ": " + d.before + " -> " + d.after);
  EXPECT_EQ(
      lines,
      (Lines{"optimizers.adam.lr: 0.001 -> 0.25",
             "assign[0].params: [\"all\"] -> [\"matrices\", \"all\"]", "train.steps: 100 -> 200",
             "optimizers.adam.schedule.kind:  -> \"linear\"",
             "optimizers.adam.schedule.warmup:  -> 0", "optimizers.adam.schedule.final:  -> 0.0"}));
  EXPECT_TRUE(diff_configs(before, before).empty());
}

// Every name in the field lists, by walking a full dump.
void collect(const nlohmann::json& value, std::set<std::string>& names) {
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      names.insert(key);
      collect(item, names);
    }
  } else if (value.is_array()) {
    for (const auto& item : value) collect(item, names);
  }
}

TEST(Reference, SchemaAndTableNameEveryField) {
  const std::string schema = config_schema();
  const auto json = nlohmann::json::parse(schema);
  EXPECT_EQ(json["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(json["additionalProperties"], false);
  EXPECT_EQ(json["properties"]["model"]["anyOf"][0]["properties"]["layers"]["minimum"], 1);
  EXPECT_EQ(json["properties"]["train"]["anyOf"][0]["properties"]["epochs"]["exclusiveMinimum"],
            0.0);
  std::set<std::string> names;
  collect(nlohmann::json::parse(dump_config(parse(kFull))), names);
  for (const char* optimizer : {"m", "s", "g", "a"}) names.erase(optimizer);
  names.insert({"from", "size", "steps", "tokens", "extends", "vocabulary", "valid"});
  const std::string table = config_markdown();
  for (const std::string& name : names) {
    EXPECT_NE(schema.find("\"" + name + "\": {"), std::string::npos) << name;
    const bool listed = table.find("." + name + "`") != std::string::npos ||
                        table.find("`" + name + "`") != std::string::npos ||
                        table.find("`" + name + ".") != std::string::npos ||
                        table.find("." + name + ".") != std::string::npos ||
                        table.find("." + name + "[") != std::string::npos;
    EXPECT_TRUE(listed) << name;
  }
}

TEST(Reference, ExplainsAPathAsTyped) {
  const auto rows = explain_setting("optimizers.muon.steps");
  ASSERT_EQ(rows.size(), 6u);  // of every rule that has it
  EXPECT_EQ(rows[0].path, "optimizers.NAME[rule=muon].steps");
  EXPECT_EQ(rows[0].type, "integer 1 to 20");
  EXPECT_EQ(explain_setting("schedule.final").size(), 3u);
  EXPECT_EQ(explain_setting("eval").size(), 3u);
  EXPECT_EQ(explain_setting("assign.0.params").size() + explain_setting("assign[0].params").size(),
            1u + 1u);
  try {
    explain_setting("train.bach");
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_STREQ(e.what(),
                 "\"train.bach\" is no setting; did you mean \"train.batch\"?; `muonlab config "
                 "explain` lists all");
  }
}

TEST(Reference, TheReadmeHoldsTheTable) {
  std::ifstream file(std::string(MUONLAB_SOURCE_DIR) + "/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  const std::string begin =
      "<!-- configuration reference: scripts/config_reference writes this -->\n";
  const std::string end = "<!-- end of the configuration reference -->";
  const size_t from = readme.str().find(begin), to = readme.str().find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(readme.str().substr(from + begin.size(), to - from - begin.size()), config_markdown())
      << "run scripts/config_reference";
}

}  // namespace
}  // namespace muonlab::config
