// A run's shards that are moved, replaced, overwritten or cut.
#include "app/train_fixture.hpp"

namespace muonlab {
namespace {

using support::Process;
using support::Result;
using support::run_program;
using support::slurp;

const std::string kOnShards = R"(data={"kind":"shards","train":["text"],"valid":["text"]})";

class DataFiles : public support::TrainFixture {
 protected:
  Result run(const std::vector<std::string>& arguments) {
    return run_program(scratch_.path(), arguments);
  }
  // A corpus of numbers as shards in the folder `name`.
  void make_shards(const std::string& name, const std::string& more = "") {
    std::ofstream text(scratch_ / (name + ".txt"));
    for (int i = 0; i < 3000; ++i) text << i << " ";
    text << more << std::flush;
    ASSERT_EQ(run({"data", "tokens", name, name + ".txt", "--tokenizer", "byte"}).code, 0);
  }
};

TEST_F(DataFiles, TheSameDataMayLieElsewhere) {
  make_shards("text");
  make_shards("other", "and one");
  ASSERT_EQ(train({"--set", kOnShards, "--set", "train.steps=8"}).code, 0);
  std::filesystem::rename(scratch_ / "text", scratch_ / "moved");
  const auto resume = [&](const std::string& folder) {
    return run_program(
        scratch_.path(),
        {"train", "--resume", "runs/tiny", "--set", "train.steps=12", "--set",
         "data.train=[\"" + folder + "\"]", "--set", "data.valid=[\"" + folder + "\"]"});
  };
  const Result other = resume("other");
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("the data are not those it was trained on"), std::string::npos)
      << other.err;
  const Result moved = resume("moved");
  EXPECT_EQ(moved.code, 0) << moved.err;
  EXPECT_NE(moved.out.find("changed  data.train [\"text\"] -> [\"moved\"] (another place: allowed "
                           "where the content is the same)"),
            std::string::npos)
      << moved.out;
  EXPECT_EQ(run({"eval", "runs/tiny"}).code, 0) << "the new place is kept";
}

TEST_F(DataFiles, EvalIsToldWhereMovedDataAre) {
  make_shards("text");
  make_shards("other", "and one");
  ASSERT_EQ(train({"--set", kOnShards, "--set", "train.steps=8"}).code, 0);
  const auto eval = [&](const std::vector<std::string>& settings) {
    std::vector<std::string> command{"eval", "runs/tiny"};
    for (const std::string& setting : settings) command.insert(command.end(), {"--set", setting});
    return run(command);
  };
  const auto in = [](const std::string& folder) {
    return std::vector<std::string>{"data.train=[\"" + folder + "\"]",
                                    "data.valid=[\"" + folder + "\"]"};
  };
  const Result before = eval({});
  ASSERT_EQ(before.code, 0) << before.err;
  std::filesystem::rename(scratch_ / "text", scratch_ / "moved");
  const Result lost = eval({});
  EXPECT_EQ(lost.code, 1);
  EXPECT_NE(lost.err.find("If the data were moved, say where they are with --set"),
            std::string::npos)
      << lost.err;
  const Result moved = eval(in("moved"));
  EXPECT_EQ(moved.out, before.out);
  EXPECT_EQ(moved.err, "");
  const Result other = eval(in("other"));
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(other.err.find("these are not the data that it was trained on (content hash "),
            std::string::npos)
      << other.err;
  const Result wrong = eval({"model.width=64"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("--set model.width: here --set says where the data are now"),
            std::string::npos)
      << wrong.err;
}

// Ids of the vocabulary in the place of others: nothing but the hash tells.
TEST_F(DataFiles, ShardsOverwrittenWhileItTrainsStopTheRunAndItsResume) {
  make_shards("text");
  const std::string shard = scratch_ / "text/shard-00000.tokens";
  const std::string good = slurp(shard);
  std::vector<std::string> arguments{"train", "tiny.json"};
  for (const std::string& setting :
       {kOnShards, std::string("train.steps=100000"), std::string("checkpoint.every=20"),
        std::string("probes=null"), std::string("eval.every=0")}) {
    arguments.insert(arguments.end(), {"--set", setting});
  }
  Process process(scratch_.path(), arguments);
  ASSERT_TRUE(process.wait_for(scratch_ / "runs/tiny/metrics.jsonl", "\"step\":25,"));
  EXPECT_NE(process.out_so_far().find("content  the shards match their hashes ("),
            std::string::npos);
  std::fstream(shard, std::ios::in | std::ios::out | std::ios::binary).seekp(128)
      << std::string(20'000, '\0') << std::flush;
  const Result stopped = process.wait();
  EXPECT_EQ(stopped.code, 1);
  EXPECT_NE(stopped.err.find("text/shard-00000.tokens: the token ids do not match content_hash"),
            std::string::npos)
      << stopped.err;
  EXPECT_NE(stopped.err.find("since its last checkpoint is not saved"), std::string::npos)
      << stopped.err;
  const auto saved = support::tree(scratch_ / "runs/tiny/checkpoints");

  const Result resumed = run_program(
      scratch_.path(), {"train", "--resume", "runs/tiny", "--set", "train.steps=100001"});
  EXPECT_EQ(resumed.code, 1);
  EXPECT_NE(resumed.err.find("the token ids do not match content_hash"), std::string::npos)
      << resumed.err;
  EXPECT_EQ(run({"eval", "runs/tiny"}).code, 1);
  EXPECT_EQ(support::tree(scratch_ / "runs/tiny/checkpoints"), saved);

  std::ofstream(shard, std::ios::binary) << good;
  EXPECT_EQ(run({"eval", "runs/tiny"}).code, 0);
}

TEST_F(DataFiles, AShardThatIsCutWhileItTrainsIsNamed) {
  make_shards("text");
  Process process(scratch_.path(), {"train", "tiny.json", "--set", kOnShards, "--set",
                                    "train.steps=100000", "--set", "probes=null"});
  ASSERT_TRUE(process.wait_for(scratch_ / "runs/tiny/metrics.jsonl", "\"step\":5,"));
  std::filesystem::resize_file(scratch_ / "text/shard-00000.tokens", 200);
  const Result stopped = process.wait();
  EXPECT_EQ(stopped.code, 1) << "not a signal";
  EXPECT_NE(stopped.err.find("text/shard-00000.tokens: ends at byte "), std::string::npos)
      << stopped.err;
}

// A finished cell stays finished, and one that was stopped resumes.
TEST_F(DataFiles, ASweepWhoseDataWereMovedHasNoChangedCells) {
  make_shards("text");
  make_shards("other", "and one");
  const auto sweep_on = [&](const std::string& folder) {
    std::ofstream(scratch_ / "sweep.json")
        << R"({"base": "tiny.json", "seeds": [1, 2], "settings": {"train.steps": 8,
               "data": {"kind": "shards", "train": [")"
        << folder << R"("], "valid": [")" << folder << R"("]}}})";
    return run({"sweep", "sweep.json"});
  };
  ASSERT_EQ(sweep_on("text").code, 0);
  std::filesystem::rename(scratch_ / "text", scratch_ / "moved");
  const auto before = support::tree(scratch_ / "runs/sweep/cells");
  const Result moved = sweep_on("moved");
  EXPECT_EQ(moved.code, 0) << moved.out << moved.err;
  EXPECT_EQ(moved.out.find("changed"), std::string::npos) << moved.out;
  EXPECT_NE(moved.out.find("2 finished earlier"), std::string::npos) << moved.out;
  EXPECT_EQ(support::tree(scratch_ / "runs/sweep/cells"), before);
  const Result other = sweep_on("other");
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.out.find("changed  s1: data.train [\"text\"] -> [\"other\"]"), std::string::npos)
      << other.out;
}

}  // namespace
}  // namespace muonlab
