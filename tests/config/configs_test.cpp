// Every file in configs/ loads, and means what its comment says.
#include <filesystem>

#include "config/support.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::config {
namespace {

const std::string kConfigs = std::string(MUONLAB_SOURCE_DIR) + "/configs";

TEST(Configs, AllLoadAndSurviveTheirOwnDump) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConfigs)) {
    if (entry.path().extension() != ".json") continue;
    SCOPED_TRACE(entry.path().string());
    // Those of the theory laboratory are of other types; tests/theory/configs_test.cpp reads them.
    if (entry.path().parent_path().filename() == "theory") continue;
    // Sweep files have axes; tests/study/configs_test.cpp plans them.
    if (base::read_text(entry.path().string()).find("\"axes\"") != std::string::npos) continue;
    const RunConfig run = load_config(entry.path().string()).run;
    EXPECT_EQ(parse_config(dump_config(run), "resolved.json").run, run);
    ++count;
  }
  EXPECT_GE(count, 6);
}

TEST(Configs, TheClassicsDifferOnlyInTheirOptimizers) {
  const RunConfig adam = load_config(kConfigs + "/classics/adam.json").run;
  for (const char* name : {"vo_ffn", "all"}) {
    for (const Difference& d :
         diff_configs(adam, load_config(kConfigs + "/classics/" + name + ".json").run)) {
      EXPECT_TRUE(d.path == "name" || d.path.starts_with("optimizers.") ||
                  d.path.starts_with("assign["))
          << d.path;
    }
  }
}

TEST(Configs, TheClassicsTakeTheTokensAStepThatTheIssueNames) {
  const RunConfig run = load_config(kConfigs + "/classics/vo_ffn.json").run;
  EXPECT_EQ(run.train.batch * run.model.context, 8192);
  EXPECT_EQ(run.name, "vo_ffn");
  EXPECT_EQ(run.precision, Precision::bf16);
}

TEST(Configs, TheBenchmarkHasTheShapeOfTheReference) {
  const RunConfig run = load_config(kConfigs + "/bench_14m.json").run;
  int64_t count = 0;
  for (const ParameterSpec& p : parameter_specs(run.model)) count += p.count();
  EXPECT_EQ(count, 13767552);
  EXPECT_EQ(run.train.batch * run.model.context, 2048);
}

}  // namespace
}  // namespace muonlab::config
