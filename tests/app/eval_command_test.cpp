// What eval, sample, ask and tail say of a model that they cannot use as it is.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "app/train_fixture.hpp"
#include "muonlab/store/checkpoint.hpp"

namespace muonlab {
namespace {

using support::run_program;
using EvalCommand = support::TrainFixture;

// Rewrites the checkpoint with every weight of the head at the largest number there is: finite, but
// the logits overflow.
void overflow(const std::string& path) {
  const store::Checkpoint checkpoint(path);
  store::CheckpointWriter writer(base::real_file_system(), path.substr(0, path.rfind('/')),
                                 checkpoint.step());
  for (const std::string& name : checkpoint.names()) {
    if (name != "model.safetensors") {
      writer.add_file(name, checkpoint.read(name));
      continue;
    }
    const store::SafetensorsFile stored = checkpoint.safetensors(name);
    std::vector<store::TensorView> tensors = stored.tensors();
    std::vector<float> large;
    for (store::TensorView& tensor : tensors) {
      if (tensor.name != "lm_head.weight") continue;
      large.assign(tensor.bytes.size() / sizeof(float), 3e38f);
      tensor.bytes = std::as_bytes(std::span(large));
    }
    EXPECT_FALSE(large.empty());
    writer.add_safetensors(name, tensors);
  }
  writer.commit();
}

TEST_F(EvalCommand, AModelThatOverflowsEndsWithCode3) {
  // A context that holds the questions, which tail asks for first.
  ASSERT_EQ(train({"--run-dir", "r", "--set", "train.steps=1", "--set", "probes=null", "--set",
                   "model.context=128", "--set", R"(schedule={"kind":"constant"})"})
                .code,
            0);
  overflow(final_checkpoint("r", "00000001"));
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"eval", "r"}, {"sample", "r"}, {"ask", "r"}, {"tail", "r"}}) {
    const support::Result result = run_program(scratch_.path(), command);
    EXPECT_EQ(result.code, 3) << command[0] << ": " << result.out << result.err;
    EXPECT_NE(result.err.find("not finite"), std::string::npos) << command[0] << ": " << result.err;
  }
}

TEST_F(EvalCommand, AModelTrainedInBf16IsReadWithoutItsInstructions) {
  ASSERT_EQ(train({"--run-dir", "r", "--set", "train.steps=1", "--set", "precision=bf16", "--set",
                   R"(schedule={"kind":"constant"})"})
                .code,
            0);
  setenv("MUONLAB_WITHOUT", "avx512_bf16 amx_bf16 bf16", 1);
  const support::Result result = run_program(scratch_.path(), {"eval", "r"});
  unsetenv("MUONLAB_WITHOUT");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE((result.out + result.err).find("fp32 instead of bf16"), std::string::npos)
      << result.out << result.err;
}

}  // namespace
}  // namespace muonlab
