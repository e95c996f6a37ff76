#include "study/report/valid_sets.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/study/report/page.hpp"
#include "study/report/sample_runs.hpp"

namespace muonlab::study {
namespace {

using base::str;
using base::TemporaryFolder;
using sample::write;

// The run's data become shards with one named set, on which it has this loss at its last step.
void add_set(const std::string& folder, int seed, double loss, const std::string& file = "c") {
  const std::string source =
      str(R"({"name": "trial", "seed": )", seed, R"(, "threads": 1, "train": {"steps": 4},
            "data": {"kind": "shards", "train": ["t"], "valid": ["v"],
                     "valid_sets": {"code": [")",
          file, R"("]}}})");
  write(folder + "/resolved.json", config::dump_config(config::parse_config(source, "t").run));
  std::string metrics = base::read_text(folder + "/metrics.jsonl");
  const size_t end = metrics.find("0.75}");
  ASSERT_NE(end, std::string::npos);
  metrics.insert(end + 4, str(R"(,"sets":{"code":{"val_loss":)", loss,
                              R"(,"val_perplexity":9,"val_bits_per_byte":1.25}})"));
  write(folder + "/metrics.jsonl", metrics);
}

// The paper's block of the sample sweep; "all" gains 0.25 and 0.75.
std::string sweep_with_sets(const TemporaryFolder& folder) {
  const std::string sweep = sample::make_sweep(folder / "trial"), cells = sweep + "/cells/paper-";
  for (const auto& [row, loss] : {std::pair{"adam", 4.0}, {"all", 3.5}, {"vo", 3.75}}) {
    for (int seed : {1, 2}) {
      const double gain = row == std::string("all") ? (seed == 1 ? 0.25 : -0.25) : 0.0;
      add_set(cells + row + str("-s", seed), seed, loss + gain);
    }
  }
  return sweep;
}

TEST(ValidSets, RowsOfASweepAreComparedOnEachSet) {
  const TemporaryFolder folder;
  const ReportData data = collect_report({sweep_with_sets(folder)});
  ASSERT_EQ(data.blocks[0].sets.size(), 1u);
  EXPECT_TRUE(data.blocks[1].sets.empty());  // its runs have none
  const AblationAnswer& answer = data.blocks[0].sets[0].answer;
  EXPECT_EQ(answer.row("all").loss->value, 3.5);
  EXPECT_EQ(answer.row("all").gain->value, 0.5);
  EXPECT_NE(valid_sets_text(data, 200).find("set code (protocol paper): "), std::string::npos)
      << valid_sets_text(data, 200);
  EXPECT_NE(valid_sets_text(data, 200).find("all Muon 3.5000 ± 0.2500 (p = 0.3)"),
            std::string::npos);
  const std::string html = report_html(data);
  const size_t cell = html.find("3.5000 ± 0.2500<br><small>gain +0.5000, p 0.3");
  ASSERT_NE(cell, std::string::npos);
  EXPECT_EQ(html.substr(cell, 80).find("; 1.2500 bits a byte</small>"), 46u)
      << html.substr(cell, 90);
  const auto json = nlohmann::json::parse(report_json(data));
  ASSERT_EQ(json["validation_sets"].size(), 1u);
  EXPECT_EQ(json["validation_sets"][0]["set"], "code");
}

TEST(ValidSets, AnotherSetOfThatNameIsNotCompared) {
  const TemporaryFolder folder;
  const std::string sweep = sweep_with_sets(folder), cell = sweep + "/cells/paper-all-s1";
  sample::make_run(cell, 1, true, 2.0);
  add_set(cell, 1, 3.0, "other");
  EXPECT_TRUE(collect_report({sweep}).blocks[0].sets.empty());
}

TEST(ValidSets, ThePageOfARunHasThemInSummaryAndCurves) {
  const TemporaryFolder folder;
  const std::string run = sample::make_run(folder / "one", 1, false, 3.0);
  add_set(run, 1, 2.5);
  const ReportData data = collect_report({run});
  const std::string html = report_html(data);
  EXPECT_NE(html.find("<dt>on the set code</dt><dd>2.5000 nats a token at step 4; perplexity"),
            std::string::npos);
  EXPECT_NE(html.find("validation loss on code"), std::string::npos);
  EXPECT_EQ(html.find("<section id=\"valid-sets\""), std::string::npos);
  const auto json = nlohmann::json::parse(report_json(data));
  EXPECT_EQ(json["runs"][0]["validations"][0]["sets"]["code"]["loss"], 2.5);
}

}  // namespace
}  // namespace muonlab::study
