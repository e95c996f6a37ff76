// `muonlab theory` as its users meet it.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::run_program;
using support::slurp;

const std::vector<std::string> kSmall{"theory", "memory",       "--set", "facts=30",
                                      "--set",  "head_facts=6", "--set", "sweep_points=40"};

TEST(TheoryCommand, AloneItListsTheExperiments) {
  const support::Scratch scratch("theory_list");
  const support::Result result = run_program(scratch.path(), {"theory"});
  EXPECT_EQ(result.code, 0);
  for (const char* name : {"memory", "dynamics", "saddle"})
    EXPECT_NE(result.out.find(name), std::string::npos) << name;
  const auto json = nlohmann::json::parse(run_program(scratch.path(), {"theory", "--json"}).out);
  EXPECT_EQ(json["experiments"].size(), 7u);
}

TEST(TheoryCommand, ASmallExperimentWritesTheSameFilesTwice) {
  const support::Scratch scratch("theory_small");
  const support::Result first = run_program(scratch.path(), kSmall);
  // Whether all claims hold at this size is not the point; the code says which.
  const auto json = nlohmann::json::parse(slurp(scratch / "theory/memory/result.json"));
  bool all = true;
  for (const auto& claim : json["claims"]) all = all && claim["holds"].get<bool>();
  EXPECT_EQ(first.code, all ? 0 : 5) << first.err;
  EXPECT_EQ(json["settings"]["facts"], 30);
  EXPECT_GE(json["claims"].size(), 10u);
  EXPECT_NE(slurp(scratch / "theory/memory/index.html").find("<svg"), std::string::npos);
  const auto before = support::tree(scratch / "theory");
  std::vector<std::string> again = kSmall;
  again.emplace_back("--json");
  const support::Result second = run_program(scratch.path(), again);
  EXPECT_EQ(second.code, first.code);
  const auto answer = nlohmann::json::parse(second.out);
  EXPECT_EQ(answer["claims"], json["claims"].size());
  EXPECT_EQ(answer["experiments"][0]["path"], "theory/memory");
  EXPECT_EQ(answer["experiments"][0]["claims"], json["claims"]);
  EXPECT_TRUE(support::tree(scratch / "theory") == before);
}

TEST(TheoryCommand, MistakesAreNamedAndNothingIsWritten) {
  const support::Scratch scratch("theory_wrong");
  const auto refused = [&](std::vector<std::string> words, int code, const std::string& text) {
    words.insert(words.begin(), "theory");
    const support::Result result = run_program(scratch.path(), words);
    EXPECT_EQ(result.code, code) << text;
    EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
  };
  refused({"memroy"}, 2, "did you mean \"memory\"?");
  refused({"memory", "--set", "facts=998"}, 2, "998 is not divisible by 3");
  refused({"memory", "--config", "absent.json"}, 2, "absent.json");
  refused({"all", "--set", "facts=30"}, 2, "--config and --set are for one experiment");
  refused({"--out", "x"}, 2, "an experiment is missing");
  EXPECT_FALSE(std::filesystem::exists(scratch / "theory"));
  std::filesystem::create_directories(scratch / "mine");
  std::ofstream(scratch / "mine/thesis.tex") << "mine";
  refused({"memory", "--out", "mine"}, 1, "thesis.tex");
}

TEST(TheoryCommand, AnInterruptedExperimentIsWrittenAsFarAsItGot) {
  const support::Scratch scratch("theory_stop");
  support::Process process(scratch.path(), {"theory", "memory", "--set", "facts=300", "--set",
                                            "head_facts=60", "--set", "sign_steps=100000"});
  // The path of SignGD would take minutes; the sweep before it is done.
  while (process.running()) {
    bool paths = false;
    for (const auto& entry : std::filesystem::directory_iterator(scratch.path()))
      paths = paths || slurp(entry.path()).find("memory  ") != std::string::npos;
    if (paths) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  process.signal(SIGINT);
  const support::Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  const auto json = nlohmann::json::parse(slurp(scratch / "theory/memory/result.json"));
  EXPECT_EQ(json["complete"], false);
  EXPECT_NE(slurp(scratch / "theory/memory/index.html").find("was interrupted"), std::string::npos);
}

}  // namespace
}  // namespace muonlab
