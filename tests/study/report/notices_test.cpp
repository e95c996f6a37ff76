// What a report says before its figures.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.hpp"
#include "muonlab/study/report/page.hpp"
#include "study/report/sample_runs.hpp"
#include "support/text.hpp"

namespace muonlab::study {
namespace {

using base::TemporaryFolder;
using sample::make_run;
using sample::write;
using support::holds;

TEST(Notices, ARunLikeEveryOtherNeedsNone) {
  const TemporaryFolder folder;
  const std::string html = report_html(collect_report({make_run(folder / "a", 1, true, 2.5)}));
  EXPECT_FALSE(holds(html, "Before you read"));
}

TEST(Notices, SettingsChangedAtAResumeWithdrawTheCommand) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5);
  write(
      run + "/history.jsonl",
      R"({"event":"start","step":0})"
      "\n"
      R"({"event":"start","step":2,"changes":[{"path":"optimizers.adam.lr","before":"0.001","after":"0.002"}]})"
      "\n"
      R"({"event":"end","step":4,"outcome":"finished"})"
      "\n");
  const ReportData data = collect_report({run});
  const std::string html = report_html(data);
  EXPECT_TRUE(holds(html,
                    "was resumed with other settings (at step 2 optimizers.adam.lr 0.001 → "
                    "0.002): no single command makes it."));
  EXPECT_FALSE(holds(html, "-again")) << "a command that does not make this run";
  const nlohmann::json json = nlohmann::json::parse(report_json(data));
  EXPECT_EQ(json["runs"][0]["command"], "");
  EXPECT_EQ(json["runs"][0]["changes"][0]["step"], 2);
  // The same last settings, but another run.
  const std::string plain = make_run(folder / "b", 2, true, 2.5);
  EXPECT_EQ(collect_report({run, plain}).rows.size(), 2u);
}

TEST(Notices, ABranchIsMadeFromItsCheckpoint) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5);
  write(run + "/origin.json", R"({"checkpoint": "runs/base/checkpoints/step-00000002"})");
  EXPECT_TRUE(holds(report_html(collect_report({run})),
                    "-again --from runs/base/checkpoints/step-00000002"));
}

TEST(Notices, ADivergedRunHasNoLoss) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5),
                    other = make_run(folder / "b", 1, false, 3.0);
  write(run + "/history.jsonl", R"({"event":"start","step":0})"
                                "\n"
                                R"({"event":"end","step":4,"outcome":"diverged"})"
                                "\n");
  const std::string html = report_html(collect_report({run, other}));
  EXPECT_TRUE(holds(html, run + " diverged: "));
  EXPECT_TRUE(holds(html, "diverged at step 4 of 4"));
  EXPECT_TRUE(holds(html, "<td class=\"n\">diverged</td>"));
  EXPECT_FALSE(holds(html, "<td class=\"n\">2.5000</td>"));
  EXPECT_FALSE(holds(report_html(collect_report({run})), "2.5000 nats"));
}

TEST(Notices, AWarningOfTheRunIsShown) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 12.5);
  write(run + "/history.jsonl",
        R"({"event":"end","step":4,"outcome":"finished","warning":"its loss ended above guessing"})"
        "\n");
  EXPECT_TRUE(holds(report_html(collect_report({run})), "/a: its loss ended above guessing"));
}

TEST(Notices, RunsOfOtherDataStandApart) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5),
                    other = make_run(folder / "b", 1, false, 3.0);
  config::RunConfig config =
      config::parse_config(base::read_text(other + "/resolved.json"), "t").run;
  std::get<config::BiographiesConfig>(config.data).m = 3;
  write(other + "/resolved.json", config::dump_config(config));
  const ReportData data = collect_report({run, other});
  EXPECT_EQ(data.num_groups, 2u);
  const std::string html = report_html(data);
  EXPECT_TRUE(holds(html, "validated on different text (data.m)"));
  EXPECT_TRUE(holds(html, "<h3>group A</h3>"));
  EXPECT_TRUE(holds(html, "<h3>group B</h3>"));
  EXPECT_LT(html.find("validated on different text"), html.find("group A</h3>"));
  const nlohmann::json json = nlohmann::json::parse(report_json(data));
  EXPECT_FALSE(json["comparable"]["losses"]);
  EXPECT_EQ(json["runs"][1]["comparable_group"], 1);
}

TEST(Notices, ABlockOfOtherDataHasNoVerdict) {
  const TemporaryFolder folder;
  const std::string sweep = sample::make_sweep(folder / "trial");
  EXPECT_TRUE(collect_report({sweep}).blocks[0].answer);
  const std::string cell = sweep + "/cells/paper-all-s1/resolved.json";
  config::RunConfig config = config::parse_config(base::read_text(cell), "t").run;
  config.eval.samples = 2;
  write(cell, config::dump_config(config));
  const ReportData data = collect_report({sweep});
  EXPECT_FALSE(data.blocks[0].answer);
  EXPECT_TRUE(data.blocks[1].answer);
  EXPECT_TRUE(holds(report_html(data), "has no verdict"));
}

}  // namespace
}  // namespace muonlab::study
