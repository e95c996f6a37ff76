// Every sweep file in configs/ is planned, each of its cells a valid configuration.
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include "muonlab/base/file.hpp"
#include "muonlab/study/sweep/estimate.hpp"
#include "muonlab/study/sweep/plan.hpp"

namespace muonlab::study {
namespace {

const std::string kConfigs = std::string(MUONLAB_SOURCE_DIR) + "/configs";

SweepPlan outline(const std::string& path) {
  return SweepPlanner(config::load_sweep(path)).outline([](const Cell&) {
    return std::optional<double>();
  });
}

TEST(SweepConfigs, AllArePlanned) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConfigs)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".json" ||
        base::read_text(path).find("\"axes\"") == std::string::npos)
      continue;
    SCOPED_TRACE(path);
    const SweepPlan plan = outline(path);
    EXPECT_GE(plan.points.size(), 8u);
    for (const Cell& cell : plan.cells) EXPECT_GT(run_flops(cell.config), 0) << cell.name;
    ++count;
  }
  EXPECT_GE(count, 7);
}

// Table 1 has 13 plain and 15 gated rows; Q K + FFN, Q K + V O and FFN alone come on top.
TEST(SweepConfigs, ThePapersRowsAreThereAtThreeSizes) {
  for (const char* size : {"tiny", "small", "160m"}) {
    for (const auto& [layer, in_table] : {std::pair{"plain", 13u}, std::pair{"gated", 15u}}) {
      const std::string path = kConfigs + "/paper/" + size + "_" + layer + ".json";
      SCOPED_TRACE(path);
      const config::SweepConfig sweep = config::load_sweep(path);
      EXPECT_EQ(sweep.paper.size(), in_table);
      std::set<std::string> rows;
      for (const Point& point : outline(path).points) rows.insert(point.row);
      EXPECT_EQ(rows.size(), in_table + 3);
      EXPECT_TRUE(rows.contains("qk_ffn") && rows.contains("qk_vo"));
    }
  }
}

}  // namespace
}  // namespace muonlab::study
