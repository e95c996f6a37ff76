#include "muonlab/study/report/page.hpp"

#include <atomic>
#include <cmath>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/page/html.hpp"
#include "study/report/sample_runs.hpp"
#include "study/report/tail_answer.hpp"

namespace muonlab::study {
namespace {

using base::error_of;
using base::str;
using base::TemporaryFolder;
using sample::add_timing;
using sample::make_run;
using sample::make_sweep;
using sample::write;

bool has_section(const std::string& html, const std::string& id) {
  return html.find("<section id=\"" + id + "\"") != std::string::npos;
}

TEST(Report, SectionsWithoutDataAreAbsent) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5);
  const std::string bare = report_html(collect_report({run}));
  for (const char* id : {"summary", "loss", "assignment", "settings", "commands"})
    EXPECT_TRUE(has_section(bare, id)) << id;
  for (const char* id : {"throughput", "spectra", "sharpness", "token-rows", "rare"})
    EXPECT_FALSE(has_section(bare, id)) << id;
  EXPECT_EQ(bare.find("#rare"), std::string::npos);

  add_timing(run);
  write(run + "/spectra.jsonl",
        R"({"step":2,"name":"a","role":"v","layer":0,"of":"weight","entropy":0.5})"
        "\n"
        R"({"step":2,"name":"b","role":"v","layer":1,"of":"weight","entropy":0.75})"
        "\n"
        R"({"step":2,"name":"b","role":"v","layer":1,"head":0,"of":"weight","entropy":0.1})"
        "\n"
        R"({"step":2,"of":"attention","layer":0,"max_logit":3})"
        "\n"
        R"({"step":2,"of":"attention","layer":1,"max_logit":9})"
        "\n");
  write(
      run + "/tail.jsonl",
      R"({"step":4,"group":8,"questions":64,"first_token_accuracy":0.375,"exact_accuracy":0.25,"loss":1.5})"
      "\n");
  write(
      run + "/sharpness.jsonl",
      R"({"step":2,"of":"update","loss":4.5,"nds":0.25,"within":0.125,"gradient":0.5,"curvature":0.25})"
      "\n"
      R"({"step":2,"of":"block","block":"layer 0","layer":0,"norm":0.5,"within":0.125})"
      "\n"
      R"({"step":4,"of":"update","loss":4,"realised":0,"gradient":0,"curvature":0,"norm":0})"
      "\n");
  write(
      run + "/token_rows.jsonl",
      R"({"step":2,"of":"embed","group":3,"tokens":4,"in_step":0,"update_rms":0.5})"
      "\n"
      R"({"step":4,"of":"embed","group":3,"tokens":4,"in_step":1,"update_rms":0.25,"update_rms_in_step":0.5})"
      "\n");
  const ReportData data = collect_report({run});
  const std::string full = report_html(data);
  for (const char* id : {"throughput", "spectra", "sharpness", "token-rows", "rare"})
    EXPECT_TRUE(has_section(full, id)) << id;
  EXPECT_NE(full.find("37.5 %"), std::string::npos);
  EXPECT_NE(full.find("asked 1×"), std::string::npos);
  // Means over whole matrices, not their heads; the greatest logit.
  EXPECT_EQ(data.runs[0].spectra.at({"weight", "entropy", "v"}).values, std::vector<double>{0.625});
  EXPECT_EQ(data.runs[0].spectra.at({"attention", "max_logit", "attention"}).values,
            std::vector<double>{9});
  // The update as a whole, of steps that moved the weights.
  ASSERT_EQ(data.runs[0].sharpness.size(), 1u);
  EXPECT_EQ(data.runs[0].sharpness[0].loss, 4.5);
  EXPECT_EQ(data.runs[0].sharpness[0].nds, 0.25);
  EXPECT_EQ(nlohmann::json::parse(report_json(data))["runs"][0]["sharpness"]["within"][0], 0.125);
  ASSERT_EQ(data.runs[0].token_rows.size(), 2u);
  EXPECT_TRUE(std::isnan(data.runs[0].token_rows[0].in_step)) << "the step held none of them";
  EXPECT_EQ(nlohmann::json::parse(report_json(data))["runs"][0]["token_rows"][1]["update_rms"],
            0.25);
  EXPECT_EQ(data.runs[0].seconds, 4);
}

TEST(Report, SeedsOfOneConfigurationAreOneRow) {
  const TemporaryFolder folder;
  make_run(folder / "x/vo-seed1", 1, true, 2.5);
  make_run(folder / "x/vo-seed2", 2, true, 2.75);
  make_run(folder / "x/adam-seed1", 1, false, 3.0);
  const ReportData data = collect_report({folder / "x"});
  ASSERT_EQ(data.runs.size(), 3u);
  ASSERT_EQ(data.rows.size(), 2u);
  EXPECT_EQ(data.rows[0].label, "adam-seed1");
  EXPECT_EQ(data.rows[0].colour, 0);  // Adam on every matrix
  EXPECT_EQ(data.rows[1].label, "vo");
  EXPECT_EQ(data.rows[1].colour, 1);  // Muon on every matrix there is
  EXPECT_EQ(members(data, 0, 1).size(), 2u);
  const std::string html = report_html(data);
  EXPECT_NE(html.find("What differs"), std::string::npos);
  EXPECT_NE(html.find("optimizers.muon"), std::string::npos);
}

TEST(Report, RulesOfAnyNameHaveColoursOfTheirOwn) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5);
  write(run + "/assignment.tsv",
        str(sample::kAssignmentHead, "q\tq\tq_proj\t8x8\ta\tfirst_new\t0.1\t0\tassign[0]\tq\n",
            "k\tk\tk_proj\t8x8\tb\tsecond_new\t0.2\t0\tassign[1]\tk\n",
            "v\tv\tv_proj\t8x8\tc\tmuon\t0.3\t0\tassign[2]\tv\n"));
  const std::string html = report_html(collect_report({run}));
  const char* rules[] = {"first_new<br>0.1", "second_new<br>0.2", "muon<br>0.3"};
  for (int i = 0; i < 3; ++i) {
    const std::string cell = str("--rule:", page::colour(i), "\">", rules[i]);
    EXPECT_NE(html.find(cell), std::string::npos) << cell;
  }
}

TEST(Report, RareFactsAreComparedSeedBySeed) {
  const TemporaryFolder folder;
  const std::string sweep = make_sweep(folder / "trial");
  const auto answered = [&](const std::string& cell, double common, double rare) {
    const char* rest = R"(,"questions":64,"exact_accuracy":0.25,"loss":1.5})";
    write(sweep + "/cells/paper-" + cell + "/tail.jsonl",
          str(R"({"step":4,"group":1,"first_token_accuracy":)", common, rest, "\n",
              R"({"step":4,"group":2,"first_token_accuracy":)", rare, rest, "\n"));
  };
  answered("adam-s1", 1, 0.25);
  answered("adam-s2", 1, 0.375);
  answered("all-s1", 1, 0.5);
  answered("all-s2", 1, 0.75);
  const ReportData data = collect_report({sweep});
  const nlohmann::json json = nlohmann::json::parse(report_json(data));
  ASSERT_EQ(json["tail"].size(), 2u);  // the fair block has no probe
  const nlohmann::json& rare = json["tail"][1];
  EXPECT_EQ(rare["block"], "protocol paper");
  EXPECT_EQ(rare["group"], 2);
  bool found = false;
  for (const auto& row : rare["rows"]) {
    if (row["name"] != "all") continue;
    found = true;
    EXPECT_NEAR(row["loss"]["value"].get<double>(), 0.375, 1e-12);  // of wrong answers
    EXPECT_NEAR(row["gain"]["value"].get<double>(), 0.3125, 1e-12);
    // t = 0.3125 / 0.0625, Cauchy's tails
    EXPECT_NEAR(row["p"].get<double>(), 1 - 2 / M_PI * std::atan(5.0), 1e-9);
  }
  EXPECT_TRUE(found);
  const std::string html = report_html(data);
  EXPECT_NE(html.find("0.625 ± 0.125<br><small>+0.312, p 0.13"), std::string::npos);
  EXPECT_NE(rarest_text(data, 200).find("all Muon 0.625 ± 0.125 (p = 0.13)"), std::string::npos);
}

TEST(Report, GainsAreDrawnByLengthAndBySize) {
  const TemporaryFolder folder;
  const std::string sweep = make_sweep(folder / "trial");
  EXPECT_FALSE(has_section(report_html(collect_report({sweep})), "gains"))
      << "one validation, one size";
  // A validation more, and twice the parameters under the fair protocol.
  const auto add = [&](const std::string& cell, double loss) {
    const std::string path = sweep + "/cells/paper-" + cell + "/metrics.jsonl";
    const std::string metrics = base::read_text(path);
    const size_t at = metrics.find("{\"step\":4,\"val_loss\"");
    write(path, str(metrics.substr(0, at), "{\"step\":2,\"val_loss\":", loss,
                    ",\"val_perplexity\":8.5,\"val_bits_per_byte\":0.75}\n", metrics.substr(at)));
  };
  add("adam-s1", 4);
  add("adam-s2", 4);
  add("all-s1", 3.5);
  add("all-s2", 3);
  for (const char* cell : {"adam-s1", "adam-s2", "all-s1", "all-s2", "vo-s1"}) {
    write(sweep + "/cells/fair-" + cell + "/plan.json",
          R"({"steps": 4, "tokens_per_step": 64, "num_parameters": 2000})");
  }
  const std::string html = report_html(collect_report({sweep}));
  ASSERT_TRUE(has_section(html, "gains"));
  const std::string gains = html.substr(html.find("<section id=\"gains\""));
  const std::string section = gains.substr(0, gains.find("</section>"));
  EXPECT_NE(section.find("protocol paper"), std::string::npos);
  EXPECT_EQ(section.find("protocol fair"), std::string::npos) << "has one validation";
  EXPECT_NE(section.find("By size"), std::string::npos);
  EXPECT_NE(section.find("gain over all Adam, nats a token against step: all Muon, V O"),
            std::string::npos)
      << section;
}

TEST(Report, ASweepIsAnsweredBlockByBlock) {
  const TemporaryFolder folder;
  const ReportData data = collect_report({make_sweep(folder / "trial")});
  EXPECT_FALSE(data.complete);  // one cell is still to run
  EXPECT_EQ(data.runs.size(), 11u);
  ASSERT_EQ(data.blocks.size(), 2u);
  EXPECT_EQ(data.blocks[1].title, "protocol fair");
  ASSERT_TRUE(data.blocks[0].answer && data.blocks[1].answer);
  EXPECT_NEAR(data.blocks[0].answer->row("vo").recovered->value, 0.75, 1e-12);
  EXPECT_EQ(data.blocks[0].answer->row("vo").published_recovered, 0.75);
  EXPECT_EQ(data.blocks[1].answer->row("vo").loss->n, 1);
  ASSERT_EQ(data.rows.size(), 3u);
  EXPECT_EQ(data.rows[0].label, "all Adam");
  EXPECT_EQ(data.rows[0].colour, 0);
  EXPECT_EQ(data.rows[1].colour, 1);
  EXPECT_EQ(data.rows[2].colour, 2);

  const std::string html = report_html(data);
  for (const char* id : {"verdict", "ablation", "rates"}) EXPECT_TRUE(has_section(html, id)) << id;
  EXPECT_NE(html.find("not finished"), std::string::npos);
  EXPECT_NE(html.find("muonlab sweep s.json"), std::string::npos);
  EXPECT_NE(html.find("All Muon ends at 2.0100 ± 0.0100, all Adam at 3.0150 ± 0.0150"),
            std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(report_json(data));
  EXPECT_EQ(json["ablation"][0]["title"], "protocol paper");
  bool found = false;
  for (const auto& row : json["ablation"][0]["rows"]) {
    if (row["name"] != "vo") continue;
    found = true;
    EXPECT_NEAR(row["recovered"]["value"].get<double>(), 0.75, 1e-12);
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(json["searches"][0]["best"], nlohmann::json::parse("[0.002]"));
}

TEST(Report, EveryDrawingHasANameOrIsDecoration) {
  const TemporaryFolder folder;
  const std::string html = report_html(collect_report({make_sweep(folder / "trial")}));
  const std::string body = html.substr(0, html.find("<script type=\"application/json\""));
  size_t drawings = 0, tables = 0;
  for (size_t at = 0; (at = body.find("<svg", at)) != std::string::npos; ++at) {
    const std::string tag = body.substr(at, body.find('>', at) - at);
    const bool inner = tag.find("width=\"1\"") != std::string::npos;  // a symbol of a drawing
    if (inner) continue;
    ++drawings;
    const bool named = tag.find("role=\"img\" aria-label=\"") != std::string::npos;
    EXPECT_TRUE(named || tag.find("aria-hidden=\"true\"") != std::string::npos) << tag;
  }
  EXPECT_GT(drawings, 10u);
  for (size_t at = 0; (at = body.find("<table", at)) != std::string::npos; ++at) {
    ++tables;
    const size_t start = body.find('>', at) + 1;
    EXPECT_EQ(body.compare(start, 9, "\n<caption"), 0) << body.substr(at, 80);
  }
  EXPECT_GT(tables, 4u);
  EXPECT_EQ(body.find("<th>"), std::string::npos) << "a heading without a scope";
}

TEST(Report, AnUncertainGainIsNotShared) {
  const TemporaryFolder folder;
  const std::string sweep = make_sweep(folder / "trial");
  const std::string certain = report_html(collect_report({sweep}));
  EXPECT_EQ(certain.find(">undefined<"), std::string::npos);
  EXPECT_EQ(certain.find("More seeds can settle it"), std::string::npos);
  // Muon loses on one seed of the paper's block and gains on the other.
  make_run(sweep + "/cells/paper-all-s1", 1, true, 3.5, "paper-all-s1");
  const ReportData data = collect_report({sweep});
  const std::string html = report_html(data), verdict = data.blocks[0].answer->verdict.front();
  const size_t minus = verdict.find("[-");  // its interval has a negative end
  ASSERT_NE(minus, std::string::npos) << verdict;
  const std::string first = page::escape(std::string(verdict).replace(minus, 2, "[−"));
  EXPECT_NE(html.find("<p class=\"verdict\"><strong>" + first + "</strong>"), std::string::npos);
  EXPECT_NE(html.find(">undefined</td>"), std::string::npos);
  EXPECT_NE(html.find("Muon&#39;s gain is not significant"), std::string::npos);
  EXPECT_NE(html.find("More seeds can settle it"), std::string::npos);
  EXPECT_NE(html.find("gain over all Adam, nats a token"), std::string::npos) << "bars are gains";
}

TEST(Report, ThePageReloadsOnlyWhereAsked) {
  const TemporaryFolder folder;
  const ReportData data = collect_report({make_run(folder / "a", 1, true, 2.5)});
  EXPECT_NE(report_html(data).find("\"reload_s\":0,"), std::string::npos);
  EXPECT_NE(report_html(data, 4).find("\"reload_s\":4,"), std::string::npos);
}

TEST(Report, TheNumbersAreInReportJson) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a b", 3, true, 2.5);
  add_timing(run);
  const nlohmann::json json = nlohmann::json::parse(report_json(collect_report({run})));
  EXPECT_EQ(json["muonlab_report"], 1);
  const auto& first = json["runs"][0];
  EXPECT_EQ(first["validations"][0]["loss"], 2.5);
  EXPECT_EQ(first["train"]["loss"], nlohmann::json::parse("[5,4,3,2]"));
  EXPECT_EQ(first["tokens_per_s"], 62.5);
  EXPECT_EQ(first["seed"], 3);
  EXPECT_EQ(first["assignment"][0]["rule"], "muon");
  EXPECT_EQ(first["config"]["optimizers"]["muon"]["lr"], 0.02);
  EXPECT_EQ(first["command"],
            str("muonlab train '", run, "/resolved.json' --run-dir '", run, "-again'"));
}

TEST(Report, NamesAndSettingsAreText) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "<script>x'&", 1, true, 2.5, "<script>alert(1)");
  const std::string html = report_html(collect_report({run}));
  EXPECT_EQ(html.find("<script>x"), std::string::npos);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;x&#39;&amp;"), std::string::npos);
}

TEST(Report, ReplacesItsOwnFilesOnly) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5);
  EXPECT_EQ(default_report_folder({run}), run);
  EXPECT_EQ(default_report_folder({run, run}), "report");
  const ReportData data = collect_report({run});
  write_report(data, run);
  write_report(data, run);  // its own: replaced
  write(folder / "out/report.json", "{\"mine\": 1}");
  EXPECT_NE(error_of([&] { write_report(data, folder / "out"); }).find("--out"), std::string::npos);
  EXPECT_EQ(base::read_text(folder / "out/report.json"), "{\"mine\": 1}");
  EXPECT_FALSE(base::real_file_system().exists(folder / "out/report.html"));
}

// As `report --watch` and a sweep that ends do.
TEST(Report, TwoWritersOfOneReportDoNotHarmEachOther) {
  const TemporaryFolder folder;
  const std::string run = make_run(folder / "a", 1, true, 2.5);
  const ReportData data = collect_report({run});
  std::atomic<int> failures = 0;
  const auto write_often = [&] {
    for (int i = 0; i < 20; ++i) {
      try {
        write_report(data, run);
      } catch (const base::Error&) {
        ++failures;
      }
    }
  };
  std::thread other(write_often);
  write_often();
  other.join();
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(base::read_text(run + "/report.html").ends_with("</html>\n"));
  for (const std::string& name : base::real_file_system().list(run))
    EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
}

}  // namespace
}  // namespace muonlab::study
