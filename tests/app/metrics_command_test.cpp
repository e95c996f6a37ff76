// What a run gives to other programs: TensorBoard's events, CSV, results as JSON.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <nlohmann/json.hpp>

#include "app/train_fixture.hpp"
#include "muonlab/base/text.hpp"
#include "support/text.hpp"

namespace muonlab {
namespace {

using support::holds;
using support::Result;
using support::slurp;

class MetricsCommand : public support::TrainFixture {
 protected:
  std::string events(const std::string& run) {
    return slurp(scratch_ / (run + "/events.out.tfevents.muonlab"));
  }
};

// The events without their wall times and without the figures of the machine, in their order.
std::vector<std::string> comparable(const std::string& file) {
  std::vector<std::string> events;
  for (size_t at = 0; at + 16 <= file.size();) {
    uint64_t length;
    std::memcpy(&length, file.data() + at, sizeof length);
    std::string event = file.substr(at + 12, length);
    if (event.size() > 9) std::fill_n(event.begin() + 1, 8, '\0');
    if (event.find("machine/") == std::string::npos) events.push_back(event);
    at += length + 16;
  }
  return events;
}

TEST_F(MetricsCommand, KilledRunsLeaveTheEventsOfAStraightOne) {
  const std::vector<std::string> settings{"--set", "log.tensorboard=true", "--set",
                                          "probes.spectra.histogram=true"};
  std::vector<std::string> straight{"--run-dir", "straight"};
  straight.insert(straight.end(), settings.begin(), settings.end());
  ASSERT_EQ(train(straight).code, 0);
  run_with_kills("killed", 4, settings, 7);
  const std::vector<std::string> want = comparable(events("straight"));
  EXPECT_GT(want.size(), 100u);
  EXPECT_TRUE(comparable(events("killed")) == want);
  EXPECT_TRUE(holds(events("straight"), "weight_singular_values/layer_01_v"));
  expect_equal_runs("straight", "killed");

  // Written afterwards, or from a resume on, it says the same.
  ASSERT_EQ(train({"--run-dir", "plain", "--set", "probes.spectra.histogram=true"}).code, 0);
  const Result written =
      support::run_program(scratch_.path(), {"metrics", "plain", "--tensorboard"});
  ASSERT_EQ(written.code, 0) << written.err;
  std::vector<std::string> after = comparable(events("plain"));
  EXPECT_EQ(after.size(), want.size());
  std::vector<std::string> sorted = want;
  std::sort(sorted.begin(), sorted.end());
  std::sort(after.begin(), after.end());
  EXPECT_TRUE(after == sorted);
}

TEST_F(MetricsCommand, PrintsPlotsAndCsv) {
  ASSERT_EQ(train({"--run-dir", "r", "--set", "train.steps=12"}).code, 0);
  const Result plots = support::run_program(scratch_.path(), {"metrics", "r"});
  ASSERT_EQ(plots.code, 0) << plots.err;
  EXPECT_TRUE(holds(plots.out, "r  finished  step 12/12  loss ")) << plots.out;
  EXPECT_TRUE(holds(plots.out, "gradient norm")) << plots.out;

  const Result csv = support::run_program(scratch_.path(), {"metrics", "r", "--csv"});
  ASSERT_EQ(csv.code, 0) << csv.err;
  const std::vector<std::string> lines = base::split(csv.out, '\n');
  EXPECT_TRUE(holds(lines[0],
                    "step,val_loss,val_perplexity,val_bits_per_byte,tokens,loss,grad_norm,"
                    "lr.muon,lr.adam,"))
      << lines[0];
  EXPECT_EQ(lines.size(), 1u + 13u + 1u);  // steps 0 to 12, and the end of the last line
  const auto cells = base::split(lines[11], ',');
  EXPECT_EQ(cells[0], "10");
  EXPECT_NE(cells[1], "");  // validated at step 10
  EXPECT_EQ(cells.size(), base::split(lines[0], ',').size());

  const Result spectra =
      support::run_program(scratch_.path(), {"metrics", "r", "--csv", "--of", "spectra"});
  EXPECT_TRUE(spectra.out.starts_with("step,name,role,layer,of,")) << spectra.out.substr(0, 100);
  const Result none =
      support::run_program(scratch_.path(), {"metrics", "r", "--csv", "--of", "tail"});
  EXPECT_EQ(none.code, 1);
  EXPECT_TRUE(holds(none.err, "records no tail; it has: metrics spectra timing")) << none.err;

  // A run that has ended is printed once, each line as it is.
  const Result followed = support::run_program(scratch_.path(), {"metrics", "r", "--follow"});
  EXPECT_EQ(followed.out, slurp(scratch_ / "r/metrics.jsonl"));
  EXPECT_EQ(support::run_program(scratch_.path(), {"metrics", "r", "--csv", "--follow"}).code, 2);
}

TEST_F(MetricsCommand, ResultsAreOneJsonObjectOnStandardOutput) {
  const Result trained = train({"--run-dir", "r", "--set", "train.steps=12", "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(std::count(trained.out.begin(), trained.out.end(), '\n'), 1);
  const auto result = nlohmann::json::parse(trained.out);
  EXPECT_EQ(result["state"], "finished");
  EXPECT_EQ(result["step"], 12);
  EXPECT_TRUE(result["val_loss"].is_number());
  EXPECT_EQ(result["checkpoint"], "r/checkpoints/step-00000012");
  EXPECT_TRUE(holds(trained.err, "parameters")) << trained.err;

  const auto runs =
      nlohmann::json::parse(support::run_program(scratch_.path(), {"runs", ".", "--json"}).out);
  ASSERT_EQ(runs["runs"].size(), 1u);
  EXPECT_EQ(runs["runs"][0]["val_loss"], result["val_loss"]);

  std::ofstream(scratch_ / "wrong.json") << R"({"modle": {}})";
  const Result checked = support::run_program(
      scratch_.path(), {"config", "check", "tiny.json", "wrong.json", "--json"});
  EXPECT_EQ(checked.code, 2);
  const auto check = nlohmann::json::parse(checked.out);
  EXPECT_EQ(check["ok"], false);
  EXPECT_EQ(check["files"][0]["ok"], true);
  ASSERT_EQ(check["files"][1]["problems"].size(), 2u) << "a length is missing, too";
  EXPECT_EQ(check["files"][1]["problems"][1]["where"], "wrong.json:1:2");
  EXPECT_TRUE(holds(checked.err, "unknown key \"modle\"")) << checked.err;
}

TEST_F(MetricsCommand, BashCompletesCommandsOptionsAndChoices) {
  const Result script = support::run_program(scratch_.path(), {"completion", "bash"});
  ASSERT_EQ(script.code, 0) << script.err;
  std::ofstream(scratch_ / "c.bash") << script.out << R"(
try() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _muonlab; echo "${COMPREPLY[*]}"; }
try muonlab tra
try muonlab data tokenizer --kind b
try muonlab train --resu
try muonlab config ""
)";
  const std::string command = "bash " + (scratch_ / "c.bash") + " > " + (scratch_ / "completed");
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(slurp(scratch_ / "completed"),
            "train\nbpe byte_bpe\n--resume\ncheck show diff schema explain\n");
}

}  // namespace
}  // namespace muonlab
