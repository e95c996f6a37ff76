// One page of several sweeps: their blocks, rows, searches and groups keep apart.
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/study/report/data.hpp"
#include "muonlab/study/report/page.hpp"
#include "study/report/sample_runs.hpp"
#include "study/report/tail_answer.hpp"

namespace muonlab::study {
namespace {

using base::TemporaryFolder;
using sample::make_run;
using sample::make_sweep;
using sample::write;

std::vector<std::string> titles(const ReportData& data) {
  std::vector<std::string> list;
  for (const ReportBlock& block : data.blocks) list.push_back(block.title);
  return list;
}

TEST(ReportOfSeveral, SweepsOfEqualNamesKeepApart) {
  const TemporaryFolder folder;
  const std::string a = make_sweep(folder / "a/trial"), b = make_sweep(folder / "b/trial");
  const ReportData data = collect_report({a, b});
  EXPECT_EQ(titles(data), (std::vector<std::string>{a + " protocol paper", a + " protocol fair",
                                                    b + " protocol paper", b + " protocol fair"}));
  EXPECT_EQ(data.runs.size(), 2u * 11);
  for (const ReportBlock& block : data.blocks) EXPECT_TRUE(block.answer) << block.title;
  // The heading of a search tells whose it is.
  EXPECT_NE(report_html(data).find(b + " protocol paper: all Adam</h3>"), std::string::npos);
}

TEST(ReportOfSeveral, ASweepGivenTwiceIsShownOnce) {
  const TemporaryFolder folder;
  const std::string sweep = make_sweep(folder / "trial");
  EXPECT_EQ(collect_report({sweep, sweep + "/"}).runs.size(), 11u);
}

TEST(ReportOfSeveral, TheTableOfSharesHasTheRowsOfAll) {
  const TemporaryFolder folder;
  const std::string first = make_sweep(folder / "first"), second = make_sweep(folder / "second");
  for (const char* file : {"/sweep.json", "/plan.json"}) {
    std::string text = base::read_text(second + file);
    for (size_t at = 0; (at = text.find("V O", at)) != std::string::npos;)
      text.replace(at, 3, "the third");
    write(second + file, text);
  }
  const std::string html = report_html(collect_report({first, second}));
  const size_t table = html.find("share of the gain by row and block");
  const std::string shares = html.substr(table, html.find("</table>", table) - table);
  for (const char* row : {"V O", "the third", "all Muon"})
    EXPECT_NE(shares.find(row), std::string::npos) << row;
}

TEST(ReportOfSeveral, HowOftenAPersonWasAskedIsOfTheBlocksOwnData) {
  const TemporaryFolder folder;
  std::vector<std::string> sweeps;
  for (const int m : {3, 5}) {
    const std::string sweep = make_sweep(folder / base::str("m", m));
    for (const char* cell : {"adam-s1", "adam-s2", "all-s1", "all-s2", "vo-s1", "vo-s2"}) {
      const std::string run = sweep + "/cells/paper-" + cell;
      nlohmann::json config = nlohmann::json::parse(base::read_text(run + "/resolved.json"));
      config["data"] = {{"kind", "biographies"}, {"m", m}, {"tokenizer", {{"kind", "byte"}}}};
      write(run + "/resolved.json", config.dump());
    }
    sweeps.push_back(sweep);
  }
  const ReportData data = collect_report(sweeps);
  EXPECT_EQ(group_name(data, 0, 3), "asked 1×");
  EXPECT_EQ(group_name(data, 2, 3), "asked 4×");
  EXPECT_EQ(group_name(data, 2, 5), "asked 1×");
}

TEST(ReportOfSeveral, ACertainLossAsksForNoMoreSeeds) {
  const TemporaryFolder folder;
  const std::string sweep = make_sweep(folder / "trial");
  for (const int seed : {1, 2})
    make_run(base::str(sweep, "/cells/paper-all-s", seed), seed, true, 3.5 + 0.01 * seed);
  for (const int seed : {1, 2})
    make_run(base::str(sweep, "/cells/paper-adam-s", seed), seed, false, 3.0 + 0.0101 * seed);
  const std::string html = report_html(collect_report({sweep}));
  EXPECT_NE(html.find("Muon does worse than Adam by"), std::string::npos);
  EXPECT_EQ(html.find("More seeds can settle it"), std::string::npos);
}

}  // namespace
}  // namespace muonlab::study
