// What a report takes its figures from: paths given, and folders that cannot be read.
#include "muonlab/study/report/data.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/study/report/page.hpp"
#include "study/report/sample_runs.hpp"

namespace muonlab::study {
namespace {

using base::error_of;
using base::TemporaryFolder;
using sample::make_run;
using sample::make_sweep;
using sample::write;

TEST(Report, AFolderStandsForItsRunsAndSweeps) {
  const TemporaryFolder folder;
  make_sweep(folder / "runs/trial");
  make_run(folder / "runs/alone", 1, true, 2.5);
  const ReportData data = collect_report({folder / "runs"});
  EXPECT_EQ(data.runs.size(), 12u);
  ASSERT_EQ(data.sweeps.size(), 1u);
  ASSERT_EQ(data.blocks.size(), 3u);
  EXPECT_EQ(data.blocks[0].title, "trial protocol paper");
  EXPECT_EQ(data.blocks[2].title, "");
  base::remove_tree(folder / "runs/alone");
  EXPECT_EQ(collect_report({folder / "runs"}).runs.size(), 11u);
}

TEST(Report, ASweepThatHasNotBegunIsAnError) {
  const TemporaryFolder folder;
  const std::string sweep = make_sweep(folder / "trial");
  base::remove_tree(sweep + "/cells");
  EXPECT_NE(error_of([&] {
              write_report(collect_report({sweep}), sweep);
            }).find("no cell of the sweep has begun"),
            std::string::npos);
  write(sweep + "/plan.json", "{");
  EXPECT_NE(error_of([&] { collect_report({sweep}); }).find("plan.json: is damaged"),
            std::string::npos);
}

TEST(Report, RunsOfOneNameStayApart) {
  const TemporaryFolder folder;
  make_run(folder / "x/run", 1, true, 2.5);
  make_run(folder / "y/run", 1, false, 3.0);
  const ReportData data = collect_report({folder / "x/run", folder / "y/run"});
  ASSERT_EQ(data.rows.size(), 2u);
  EXPECT_EQ(data.rows[1].label, folder / "y/run");
}

TEST(Report, WhatCannotBeReadIsNamedWithARemedy) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of([&] { collect_report({folder / "none"}); }).find("none: no such run"),
            std::string::npos);
  write(folder / "file", "x");
  EXPECT_NE(error_of([&] { collect_report({folder / "file"}); }).find("is a file"),
            std::string::npos);
  base::make_directories(folder / "empty");
  EXPECT_NE(error_of([&] { collect_report({folder / "empty"}); }).find("holds no run"),
            std::string::npos);
  const std::string run = make_run(folder / "a", 1, true, 2.5);
  write(run + "/assignment.tsv", "parameter\trole\n");
  EXPECT_NE(error_of([&] { collect_report({run}); }).find("assignment.tsv: has no column"),
            std::string::npos);
  write(run + "/resolved.json", "{\"modle\": 1}");
  EXPECT_NE(error_of([&] { collect_report({run}); }).find("resolved.json:1:2"), std::string::npos);
}

}  // namespace
}  // namespace muonlab::study
