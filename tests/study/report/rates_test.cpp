// The searches of a sweep on its page.
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/study/report/data.hpp"
#include "muonlab/study/report/page.hpp"
#include "study/report/sample_runs.hpp"

namespace muonlab::study {
namespace {

using base::TemporaryFolder;
using sample::make_run;
using sample::make_sweep;
using sample::write;

nlohmann::json trial(std::vector<double> rates, const char* cell) {
  return {{"rates", std::move(rates)}, {"cell", cell}};
}

// A sweep of one row that begins when its four settings are found.
class SearchPage : public testing::Test {
 protected:
  SearchPage() {
    write(sweep_ + "/sweep.json", R"({"name": "s", "base": "b.json",
      "axes": {"row": {"adam": {"threads": 1}, "all": {"threads": 1}}},
      "compare": {"axis": "row", "baseline": "adam", "reference": "all"}})");
    const auto grid = [](std::vector<const char*> paths, std::vector<double> values) {
      return nlohmann::json{{"paths", paths}, {"grid", values}};
    };
    plan_ = {{"format", 1},
             {"command", "muonlab sweep s.json"},
             {"points", nlohmann::json::array()},
             {"waiting", 2},
             {"searches",
              {{{"block", ""},
                {"row", "adam"},
                {"at_edge", false},
                {"best", nullptr},
                {"rates",
                 {grid({"optimizers.adam.lr"}, {1, 2}), grid({"optimizers.muon.lr"}, {3, 4}),
                  grid({"optimizers.adam.decay", "optimizers.muon.decay"}, {0, 5}),
                  grid({"schedule.decay_fraction"}, {0.2, 0.4})}},
                {"trials",
                 {trial({1, 3, 0, 0.2}, "first"), trial({2, 3, 0, 0.2}, "other"),
                  trial({2, 4, 0, 0.2}, "other"), trial({2, 3, 5, 0.2}, "third")}}}}}};
    for (const char* cell : {"first", "other", "third"})
      plan_["cells"].push_back({{"name", cell}, {"tuning", true}});
    store();
  }
  void store() { write(sweep_ + "/plan.json", plan_.dump()); }
  std::string page() const { return report_html(collect_report({sweep_})); }

  const TemporaryFolder folder_;
  const std::string sweep_ = folder_ / "trial";
  nlohmann::json plan_;
};

TEST_F(SearchPage, IsThereBeforeTheTableHasARun) {
  EXPECT_THROW(write_report(collect_report({sweep_}), folder_ / "out"), base::Error);
  make_run(sweep_ + "/cells/first", 1, false, 3.5);
  make_run(sweep_ + "/cells/other", 1, false, 3.25);
  const ReportFiles files = write_report(collect_report({sweep_}), folder_ / "out");
  const std::string html = base::read_text(files.page);
  for (const char* text : {"2 of 3 runs of the searches have finished", ">3.5000<", ">the first<",
                           "<strong>3.2500</strong>", ">best so far<", ">adam.lr 2<",
                           ">adam.lr 2, adam.decay and 1 more 5<", ">not run yet<"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(html.find("muon.lr 4"), std::string::npos) << "a run stands once";
}

TEST_F(SearchPage, NamesTheSettingsThatMatterInTheRow) {
  for (const char* cell : {"first", "other", "third"})
    make_run(sweep_ + "/cells/" + cell, 1, false, cell == std::string("other") ? 3.25 : 3.5);
  plan_["searches"][0]["best"] = {2, 3, 0, 0.2};
  store();
  const std::string html = page();
  for (const char* text :
       {"All 3 trials", "1: 3.5000, <strong>2: 3.2500</strong>",
        "title=\"optimizers.adam.decay = optimizers.muon.decay\">adam.decay and 1 more<",
        "Without effect in this row: muon.lr."}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
}

TEST_F(SearchPage, DrawsTheLossAlongEachSettingAtTheLengthOfTheSearch) {
  for (const char* cell : {"first", "other", "third"})
    make_run(sweep_ + "/cells/" + cell, 1, false, cell == std::string("other") ? 3.25 : 3.5);
  nlohmann::json& search = plan_["searches"][0];
  search["best"] = {2, 3, 0, 0.2};
  for (nlohmann::json& one : search["trials"]) one["steps"] = 20;
  search["trials"].push_back(trial({2, 3, 0, 0.2}, "whole"));  // promoted, and at another length
  plan_["cells"].push_back({{"name", "whole"}, {"tuning", true}});
  make_run(sweep_ + "/cells/whole", 1, false, 2.5);
  store();
  const std::string html = page();
  for (const char* text :
       {"lowest validation loss after 20 steps against multiple of the value taken: adam.lr\"",
        "losses along it after 20 steps", "1: 3.5000, <strong>2: 3.2500</strong><"})
    EXPECT_NE(html.find(text), std::string::npos) << text;
}

// Its runs were removed after it had ended, or its plan was cut: the page is made all the same.
TEST_F(SearchPage, StandsWithoutTheRunsOfAnEndedSearch) {
  make_run(sweep_ + "/cells/first", 1, false, 3.5);
  nlohmann::json& search = plan_["searches"][0];
  search["best"] = {2, 3, 0, 0.2};
  search["trials"] = {trial({2, 3, 0, 0.2}, "other"), trial({2, 4, 0, 0.2}, "third")};
  store();
  EXPECT_NE(page().find(">not run yet<"), std::string::npos);
  search["trials"] = nlohmann::json::array();
  store();
  EXPECT_NE(page().find("what the search took"), std::string::npos);
}

TEST(SearchSection, ShowsItsRatesExactlyAndTheFateOfEachTrial) {
  const TemporaryFolder folder;
  const std::string sweep = make_sweep(folder / "trial"), plan_path = sweep + "/plan.json";
  nlohmann::json plan = nlohmann::json::parse(base::read_text(plan_path));
  plan["searches"][0]["trials"] = {{{"rates", {0.00123456}}, {"cell", "paper-adam-s1"}},
                                   {{"rates", {0.5}}, {"cell", "fair-vo-s2"}},
                                   {{"rates", {0.25}}, {"cell", "fair-vo-s1"}}};
  write(plan_path, plan.dump());
  write(sweep + "/failures/fair-vo-s2.json", R"({"exit_code": 3})");
  make_run(sweep + "/cells/fair-vo-s1", 1, true, 99.0, "fair-vo-s1");
  const std::string html = report_html(collect_report({sweep}));
  for (const char* text :
       {">0.00123456<", ">3.0300</td>", ">diverged</td>", ">99.0000 (the loss exploded)</td>"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace muonlab::study
