#include "theory/output.hpp"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/theory/context.hpp"

namespace muonlab::theory {
namespace {

Record record_with(std::vector<std::string> tables) {
  Record record{.name = "memory",
                .title = "A title",
                .paper = "arXiv 1",
                .about = "what it is",
                .settings = "{\n  \"facts\": 9\n}\n",
                .command = "muonlab theory memory",
                .threads = 2,
                .complete = true,
                .result = {}};
  for (std::string& name : tables)
    record.result.tables.push_back({name, "numbers", {"x", "text"}, {{0.1, "a,\"b\""}}});
  record.result.claims.push_back({.statement = "One is <near> two.",
                                  .measured = 1,
                                  .predicted = 2,
                                  .accepted = within(2, 0.5)});
  record.result.claims.push_back({.statement = "One is one.",
                                  .owner = ClaimOwner::ours,
                                  .measured = 1,
                                  .accepted = at_least(1)});
  return record;
}

TEST(TheoryClaim, HoldsInsideTheAcceptedRangeOnly) {
  const auto holds = [](double measured, base::Interval accepted) {
    return Claim{.statement = "", .measured = measured, .accepted = accepted}.holds();
  };
  EXPECT_TRUE(holds(1.05, within_share(1, 0.05 + 1e-12)));
  EXPECT_FALSE(holds(1.06, within_share(1, 0.05)));
  EXPECT_TRUE(holds(-2.1, within_share(-2, 0.05 + 1e-12)));
  EXPECT_TRUE(holds(3, at_least(3)));
  EXPECT_FALSE(holds(3.1, at_most(3)));
  EXPECT_FALSE(holds(std::nan(""), {}));  // what was not measured
  EXPECT_EQ(accepted_text(within(2, 0.5)), "1.5 to 2.5");
  EXPECT_EQ(accepted_text(at_most(3)), "≤ 3");
}

TEST(TheoryOutput, WritesTablesRecordAndPage) {
  const base::TemporaryFolder folder;
  write_record(record_with({"curve"}), folder.path());
  EXPECT_EQ(base::read_text(folder / "curve.csv"), "x,text\n0.1,\"a,\"\"b\"\"\"\n");
  const auto json = nlohmann::json::parse(base::read_text(folder / "result.json"));
  EXPECT_EQ(json["settings"]["facts"], 9);
  EXPECT_EQ(json["claims"][0]["holds"], false);
  EXPECT_EQ(json["claims"][1]["holds"], true);
  EXPECT_EQ(json["claims"][1]["accepted"][1], nullptr);
  EXPECT_EQ(json["tables"]["curve"]["columns"]["x"][0], 0.1);
  const std::string page = base::read_text(folder / "index.html");
  EXPECT_NE(page.find("One is &lt;near&gt; two."), std::string::npos);
  EXPECT_NE(page.find("1 of 2 claims hold; 1 does not."), std::string::npos);
}

TEST(TheoryOutput, AnotherResultReplacesItsOwnFilesOnly) {
  const base::TemporaryFolder folder;
  write_record(record_with({"old", "kept"}), folder.path());
  base::write_atomically(folder / "notes.csv", "mine\n");
  EXPECT_NO_THROW(accept_output_folder(folder.path()));
  write_record(record_with({"kept", "new"}), folder.path());
  EXPECT_FALSE(base::real_file_system().exists(folder / "old.csv"));
  EXPECT_TRUE(base::real_file_system().exists(folder / "new.csv"));
  EXPECT_EQ(base::read_text(folder / "notes.csv"), "mine\n");
  const std::string message =
      base::error_of([&] { write_record(record_with({"notes"}), folder.path()); });
  EXPECT_NE(message.find("notes.csv: exists already"), std::string::npos) << message;
  EXPECT_EQ(base::read_text(folder / "notes.csv"), "mine\n");
}

TEST(TheoryOutput, FilesOfOthersAreRefusedBeforeTheWorkBegins) {
  const base::TemporaryFolder folder;
  base::write_atomically(folder / "thesis.tex", "mine\n");
  EXPECT_NE(base::error_of([&] { accept_output_folder(folder.path()); }).find("thesis.tex"),
            std::string::npos);
  base::write_atomically(folder / "result.json", "{\"mine\": 1}\n");
  EXPECT_NE(base::error_of([&] {
              accept_output_folder(folder.path());
            }).find("is no result of `muonlab theory`"),
            std::string::npos);
  EXPECT_NE(base::error_of([&] { accept_output_folder(folder / "thesis.tex"); }).find("is a file"),
            std::string::npos);
  EXPECT_NO_THROW(accept_output_folder(folder / "absent"));
  base::write_atomically(folder / "index.html", "<p>mine</p>\n");
  EXPECT_NE(base::error_of([&] { write_page(folder.path(), "x"); }).find("is no page of muonlab"),
            std::string::npos);
}

TEST(TheoryOutput, TheTerminalTableCountsTheClaims) {
  Record record = record_with({});
  EXPECT_NE(claims_text(record, 200).find("memory (arXiv 1): 1 of 2 claims hold\n"),
            std::string::npos);
  EXPECT_NE(claims_text(record, 200).find("DOES NOT HOLD"), std::string::npos);
  record.complete = false;
  EXPECT_NE(claims_text(record, 200).find("interrupted"), std::string::npos);
}

TEST(TheoryOutput, AnInterruptedExperimentKeepsTheRowsThatItHas) {
  Record record = record_with({});
  const auto experiment = [&record](bool interrupted) {
    Table table{"curve", "numbers", {"x"}}, none{"none", "numbers", {"x"}};
    const KeptTables kept(record.result, {&table, &none});
    table.rows = {{1.0}, {2.0}};
    if (interrupted) throw Interrupted{};
    record.result.tables.push_back(std::move(table));
  };
  experiment(false);
  ASSERT_EQ(record.result.tables.size(), 1u);
  record.result.tables.clear();
  EXPECT_THROW(experiment(true), Interrupted);
  ASSERT_EQ(record.result.tables.size(), 1u);
  EXPECT_EQ(record.result.tables[0].name, "curve");
  EXPECT_EQ(record.result.tables[0].rows.size(), 2u);
  record.complete = false;
  EXPECT_NE(claims_text(record, 80).find("computed until then: curve.csv (2 rows)\n"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::theory
