#include "muonlab/study/ablation/table.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "muonlab/base/text.hpp"
#include "support/text.hpp"

namespace muonlab::study {
namespace {

using support::holds;

// A seed shifts all rows alike, and each row a little by itself.
AblationRow row_of(const char* name, const char* label, double loss, int n,
                   std::optional<double> published = {}) {
  AblationRow row{.name = name, .label = label, .published = published};
  for (int s = 1; s <= n; ++s) {
    const double own = 0.001 * ((s * 7 + static_cast<int>(loss * 1000)) % 5 - 2);
    row.losses[s] = loss + 0.01 * (s % 4 - 1.5) + own;
  }
  return row;
}

Ablation example(int n, bool published = true) {
  const auto paper = [&](double loss) { return published ? std::optional(loss) : std::nullopt; };
  return {.title = "",
          .rows = {row_of("all", "all", 4.060, n, paper(3.5125)),
                   row_of("vo_ffn", "V O FFN", 4.063, n, paper(3.5312)),
                   row_of("ffn", "FFN", 4.083, n), row_of("vo", "V O", 4.095, n, paper(3.6874)),
                   row_of("qk", "Q K", 4.1104, n, paper(3.8518)),
                   row_of("adam", "none (Adam)", 4.111, n, paper(3.8837))},
          .baseline = "adam",
          .reference = "all"};
}

std::string table(const Ablation& ablation, size_t width = 100) {
  const AblationAnswer answer = answer_ablation(ablation);
  return ablation_table({&answer, 1}, width);
}

size_t widest_line(const std::string& text) {
  size_t widest = 0;
  for (const std::string& line : base::split(text, '\n'))
    widest = std::max(widest, base::display_width(line));
  return widest;
}

TEST(AblationTable, EightSeeds) {
  EXPECT_EQ(table(example(8)),
            R"(  Muon on        val. loss        gain over Adam     recovered         paper
  all            4.060 ± 0.004    0.0511 ± 0.0009    100 %             100 %
  V O FFN        4.063 ± 0.004    0.0476 ± 0.0006     93 % [90, 97]     95 %
  FFN            4.083 ± 0.004    0.0279 ± 0.0009     55 % [51, 57]        -
  V O            4.095 ± 0.004    0.0161 ± 0.0009     32 % [28, 34]     53 %
  Q K            4.111 ± 0.004    0.0003 ± 0.0008      1 % [-4, 3]       9 %
  none (Adam)    4.111 ± 0.004    -                    0 %               0 %
  8 seeds, paired; ± standard error; intervals 95 %. Muon's gain is significant (p = 2e-10).
  V, O and the feed-forward matrices bring 93 % [90, 97] of Muon's gain; Q and K bring none that can
  be told from noise.
)");
}

TEST(AblationTable, OneSeedHasNoErrorBars) {
  const std::string text = table(example(1, false));
  EXPECT_EQ(text, R"(  Muon on        val. loss    gain over Adam
  all            4.0540       0.0530
  V O FFN        4.0600       0.0470
  FFN            4.0760       0.0310
  V O            4.0890       0.0180
  Q K            4.1054       0.0016
  none (Adam)    4.1070       -
  1 seed. Muon gains 0.0530 over Adam on one seed, which cannot tell that from noise.
  Shares of Muon's gain are undefined.
)");
}

TEST(AblationTable, NarrowTerminalsGetAList) {
  EXPECT_TRUE(holds(table(example(8), 80), "  paper\n"));
  const std::string list = table(example(8), 50);
  EXPECT_TRUE(list.starts_with(R"(  all
    val. loss 4.060 ± 0.004
    gain over Adam 0.0511 ± 0.0009
    recovered 100 %   paper 100 %
  V O FFN
    val. loss 4.063 ± 0.004
    gain over Adam 0.0476 ± 0.0006
    recovered 93 % [90, 97]   paper 95 %
)")) << list;
  for (const size_t width : {100u, 80u, 66u, 50u, 34u})
    EXPECT_LE(widest_line(table(example(8), width)), width) << width;
}

TEST(AblationTable, BlocksShareColumnsAndHaveTitles) {
  Ablation paper = example(8), fair = example(3, false);
  paper.title = "paper's protocol";
  fair.title = "fair protocol";
  paper.rows[2] = row_of("ffn", "FFN", 4.083, 3);
  paper.rows[3].losses.clear();
  fair.rows[0] = row_of("all", "all", 4.119, 3);
  const AblationAnswer answers[]{answer_ablation(paper), answer_ablation(fair)};
  EXPECT_EQ(ablation_table(answers), R"(  paper's protocol
  Muon on        seeds    val. loss        gain over Adam    recovered         paper
  all            8        4.060 ± 0.004     0.051 ± 0.001    100 %             100 %
  V O FFN        8        4.063 ± 0.004     0.048 ± 0.001     93 % [90, 97]     95 %
  FFN            3        4.088 ± 0.007     0.028 ± 0.002     54 % [42, 66]        -
  Q K            8        4.111 ± 0.004     0.000 ± 0.001      1 % [-4, 3]       9 %
  none (Adam)    8        4.111 ± 0.004    -                   0 %               0 %
  V O            0        -                -                     -              53 %
  3 to 8 seeds, paired; ± standard error; intervals 95 %. Muon's gain is significant (p = 2e-10).
  V, O and the feed-forward matrices bring 93 % [90, 97] of Muon's gain; Q and K bring none that can
  be told from noise.

  fair protocol
  Muon on        seeds    val. loss        gain over Adam    recovered         paper
  V O FFN        3        4.069 ± 0.006     0.047 ± 0.000        -                 -
  FFN            3        4.088 ± 0.007     0.028 ± 0.002        -                 -
  V O            3        4.099 ± 0.006     0.016 ± 0.002        -                 -
  none (Adam)    3        4.116 ± 0.006    -                     -                 -
  Q K            3        4.116 ± 0.006     0.000 ± 0.002        -                 -
  all            3        4.123 ± 0.006    -0.008 ± 0.002        -                 -
  3 seeds, paired; ± standard error; intervals 95 %. Muon does worse than Adam by 0.0077 [0.0005,
  0.0148] (p = 0.044).
  V, O and the feed-forward matrices gain 0.0470 [0.0470, 0.0470] over Adam (p < 1e-15).
)");
}

// A gain that may be noise has no shares: neither its rows' nor its ends'.
TEST(AblationTable, SharesOfNoiseAreUndefined) {
  Ablation noise = example(3, false), certain = example(3, false);
  for (AblationRow& row : noise.rows) {
    if (row.name == "all") row.losses = {{1, 4.0}, {2, 4.1}, {3, 4.12}};
  }
  EXPECT_FALSE(holds(table(noise), "recovered")) << table(noise);
  EXPECT_TRUE(
      holds(table(noise),
            "Muon's gain cannot be told from noise\n  (p = 0.32): it is 0.0423 [-0.0971, 0.1818]."))
      << table(noise);
  EXPECT_TRUE(holds(table(noise), "Shares of Muon's gain are undefined.")) << table(noise);
  const AblationAnswer both[]{answer_ablation(noise), answer_ablation(certain)};
  const std::string text = ablation_table(both);
  EXPECT_TRUE(holds(text, "undefined")) << text;
  EXPECT_TRUE(holds(text, "100 %")) << text;
  EXPECT_FALSE(holds(text.substr(0, text.find("undefined.")), " %\n")) << text;
}

TEST(AblationTable, RunsThatBrokeAreMarked) {
  Ablation ablation = example(3, false);
  ablation.rows[2].losses[2] = INFINITY;                     // FFN
  ablation.rows[3].losses = {{1, INFINITY}, {2, INFINITY}};  // V O
  ablation.rows[4].doubtful = {1};                           // Q K
  const std::string text = table(ablation);
  EXPECT_TRUE(holds(text, "  FFN diverged on 1 of 3 seeds, which its figures leave out.\n"))
      << text;
  EXPECT_TRUE(holds(text, "  V O            0        diverged")) << text;
  EXPECT_TRUE(holds(text, "  V O diverged on all 2 seeds.\n")) << text;
  EXPECT_TRUE(holds(text, " !  ")) << text;
  EXPECT_TRUE(holds(text, "  ! Q K ended on 1 of 3 seeds no better than a guess")) << text;
}

TEST(AblationTable, NeverPrintsNan) {
  Ablation ablation = example(2);
  ablation.rows[1].losses[1] = std::nan("");
  ablation.rows[2].losses = {{1, std::nan("")}, {2, INFINITY}};
  ablation.rows[3].losses.clear();
  Ablation nothing = example(0);
  for (const std::string& text : {table(ablation), table(nothing)}) {
    EXPECT_FALSE(holds(text, "nan") || holds(text, "inf")) << text;
    EXPECT_TRUE(holds(text, " -")) << text;
  }
}

}  // namespace
}  // namespace muonlab::study
