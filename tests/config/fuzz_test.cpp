// Damaged texts are refused or accepted, never a crash, a hang or an exception of another kind.
#include <random>

#include "config/support.hpp"

namespace muonlab::config {
namespace {

TEST(Fuzz, DamagedTextsAreRefusedOrAccepted) {
  const std::string seed_text = R"({"extends": null, "seed": 1, // remark
  "model": {"layers": 2, "width": 64, "size": "tiny", "init": {"std": 0.1}},
  "data": {"kind": "biographies", "m": 4, "tokenizer": {"kind": "byte"}},
  "optimizers": {"m": {"rule": "muon", "steps": 5, "schedule": {"kind": "cosine", "warmup": 3}}, "a": {"rule": "adamw", "betas": [0.1, 0.2]}},
  "assign": [{"params": ["vo", "ffn@0-1"], "optimizer": "m"}, {"params": ["all"], "optimizer": "a"}],
  "train": {"steps": 10, "batch": 8, "clip": 1e0}, "eval": {"every": 5},})";
  const std::string pieces[] = {"{",
                                "}",
                                "[",
                                "]",
                                ",",
                                ":",
                                "\"",
                                "null",
                                "true",
                                "-1",
                                "0",
                                "1e400",
                                "99999999999999999999",
                                "\\u0000",
                                "\xFF",
                                "/*",
                                "*/",
                                "//",
                                "\n",
                                "@",
                                "*",
                                "kind",
                                "rule",
                                "muon",
                                "",
                                "1.5"};
  std::mt19937 random(20240607);
  const auto below = [&](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  int accepted = 0, refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = seed_text;
    for (size_t edits = 1 + below(3); edits-- > 0;) {
      const size_t at = below(text.size());
      text.replace(at, below(2) * below(6), pieces[below(std::size(pieces))]);
    }
    std::vector<std::string> settings;
    if (below(4) == 0) {
      const std::string path = seed_text.substr(below(seed_text.size()), below(12));
      settings.push_back(path + "." + pieces[below(std::size(pieces))] + "=" +
                         pieces[below(std::size(pieces))]);
    }
    try {
      const RunConfig run = parse_config(text, "fuzz.json", settings).run;
      EXPECT_EQ(parse_config(dump_config(run), "again.json").run, run) << text;
      ++accepted;
    } catch (const ConfigError& e) {
      EXPECT_FALSE(e.problems().empty());
      for (const Problem& p : e.problems())
        EXPECT_FALSE(p.where.empty() || p.text.empty()) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace muonlab::config
