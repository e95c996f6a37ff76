// `muonlab report` as its users meet it.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::run_program;
using support::slurp;

constexpr const char* kReportedRun = R"({
  "name": "tiny", "threads": 1,
  "data": {"kind": "biographies", "m": 3, "tokenizer": {"kind": "byte"}},
  "model": {"layers": 1, "width": 16, "heads": 2, "context": 32},
  "train": {"steps": 4, "batch": 2}, "eval": {"every": 2, "samples": 4}
})";

TEST(ReportCommand, WritesAPageAndNumbersOfARealRun) {
  const support::Scratch scratch("report_command");
  std::ofstream(scratch / "tiny.json") << kReportedRun;
  ASSERT_EQ(run_program(scratch.path(), {"train", "tiny.json"}).code, 0);
  // The run is finished, so there is nothing to watch.
  const support::Result result = run_program(scratch.path(), {"report", "runs/tiny/", "--watch"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("runs/tiny/report.html"), std::string::npos);
  const std::string page = slurp(scratch / "runs/tiny/report.html");
  EXPECT_NE(page.find("\"reload_s\":0,"), std::string::npos);
  for (const char* id : {"summary", "loss", "assignment", "throughput", "settings", "commands"}) {
    EXPECT_NE(page.find(std::string("<section id=\"") + id + "\""), std::string::npos) << id;
  }
  const auto json = nlohmann::json::parse(slurp(scratch / "runs/tiny/report.json"));
  EXPECT_EQ(json["runs"][0]["validations"].back()["step"], 4);
  EXPECT_GT(json["runs"][0]["tokens_per_s"].get<double>(), 0);

  // The command it names makes the run again.
  ASSERT_EQ(run_program(scratch.path(),
                        {"train", "runs/tiny/resolved.json", "--run-dir", "runs/tiny-again"})
                .code,
            0);
  EXPECT_EQ(slurp(scratch / "runs/tiny-again/metrics.jsonl"),
            slurp(scratch / "runs/tiny/metrics.jsonl"));

  const support::Result both =
      run_program(scratch.path(), {"report", "runs/tiny", "runs/tiny-again"});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_NE(slurp(scratch / "report/report.html").find("runs/tiny-again"), std::string::npos);
}

TEST(ReportCommand, NamesWhatIsMissing) {
  const support::Scratch scratch("report_errors");
  const support::Result none = run_program(scratch.path(), {"report", "runs/none"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("runs/none: no such run"), std::string::npos) << none.err;
  EXPECT_EQ(run_program(scratch.path(), {"report"}).code, 2);
}

}  // namespace
}  // namespace muonlab
