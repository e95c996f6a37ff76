// "init": the weights that a run starts from, and the shape that comes with them.
#include "base/temporary_folder.hpp"
#include "config/support.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {
namespace {

class Init : public testing::Test {
 protected:
  Init() {
    ModelConfig model;
    model.layers = 3;
    model.width = 96;
    model.heads = 6;
    model.kv_heads = 2;
    model.ffn_width = 128;
    model.rope_theta = 5000;
    model.context = 64;
    model.vocabulary = 2000;
    base::write_atomically(folder_ / "config.json", hugging_face_config(resolve(model)));
  }
  std::string init(const std::string& more = "") const {
    return R"("init": {"from": ")" + folder_.path() + "\"" + more + "}";
  }

  const base::TemporaryFolder folder_;
};

TEST_F(Init, GivesTheShapeOfTheFolder) {
  const RunConfig run = parse(minimal(init()));
  ASSERT_TRUE(run.init);
  EXPECT_EQ(run.init->from, folder_.path());
  EXPECT_FALSE(run.init->resize_vocabulary);
  EXPECT_EQ(run.model.layers, 3);
  EXPECT_EQ(run.model.kv_heads, 2);
  EXPECT_EQ(run.model.vocabulary, 2000);
  EXPECT_EQ(run.model.rope_theta, 5000);
  EXPECT_EQ(run.model.context, 64);
  EXPECT_EQ(parse(minimal(init() + R"(, "model": {"context": 32})")).model.context, 32);
}

// A run that has begun needs its folder no more.
TEST_F(Init, AStoredConfigurationStandsAlone) {
  const RunConfig run = parse(minimal(init()));
  const std::string stored = dump_config(run);
  EXPECT_EQ(parse_config(stored, "c.json").run, run);
  base::real_file_system().remove_file(folder_ / "config.json");
  EXPECT_EQ(parse_stored_config(stored, "resolved.json").run.model, run.model);
  EXPECT_NE(errors(minimal(init())), Lines{});
}

TEST_F(Init, AnotherShapeBesideItIsRefused) {
  EXPECT_EQ(errors(minimal(init() + R"(, "model": {"size": "tiny"})")).size(), 1u);
  EXPECT_EQ(errors(minimal(init() + R"(, "model": {"init": {"zero_output": true}})")).size(), 1u);
  EXPECT_EQ(errors(minimal(R"("init": {})")).size(), 1u);
  EXPECT_EQ(errors(minimal(R"("init": {"from": "nowhere"})")).size(), 1u);
  EXPECT_EQ(errors(minimal(init(R"(, "vocabulary": 3)"))).size(), 1u);
}

// What a base configuration says of the shape gives way.
TEST_F(Init, OverridesTheShapeOfLowerLayers) {
  base::write_atomically(folder_ / "base.json",
                         minimal(R"("model": {"size": "tiny", "heads": 2, "vocabulary": 3000})"));
  base::write_atomically(folder_ / "c.json", R"({"extends": "base.json", )" + init() + "}");
  const LoadedConfig loaded = load_config(folder_ / "c.json");
  EXPECT_EQ(loaded.run.model.layers, 3);
  EXPECT_EQ(loaded.run.model.heads, 6);
  EXPECT_EQ(loaded.run.model.vocabulary, 2000);
  EXPECT_EQ(loaded.dropped.size(), 3u);
}

}  // namespace
}  // namespace muonlab::config
