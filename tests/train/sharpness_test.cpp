#include "muonlab/train/sharpness.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <nlohmann/json.hpp>

#include "support/model.hpp"
#include "support/parameters.hpp"

namespace muonlab::train {
namespace {

// A whole model in double, two batches and an update of some parameters.
class SharpnessTest : public ::testing::Test {
 protected:
  SharpnessTest() {
    at::NoGradGuard no_grad;
    uint64_t stream = 0;
    for (tensor::Parameter& p : arena_.parameters()) {
      const bool gain = p.value.dim() == 1;
      p.value.copy_(support::normal(p.value.sizes(), ++stream, at::kDouble) * (gain ? 0.1 : 0.3));
      if (gain) p.value.add_(1.0);
    }
    for (uint64_t i = 0; i < 2; ++i) {
      batches_.push_back({support::ids({3, 8}, kShape.vocabulary.value(), 100 + i),
                          support::ids({3, 8}, kShape.vocabulary.value(), 200 + i)});
    }
    model_ = model::make_llama(kShape, config::Precision::fp32, tensor::Path::reference, arena_);
  }

  Update update(const std::vector<std::string>& selectors) const {
    Update z;
    for (size_t i = 0; i < arena_.parameters().size(); ++i) {
      const tensor::Parameter& p = arena_.parameters()[i];
      for (const std::string& selector : selectors) {
        if (config::selector_matches(selector, p.spec))
          z[i] = support::normal(p.value.sizes(), 1000 + i, at::kDouble);
      }
    }
    return z;
  }

  // <Z, mean gradient at W + h Z>
  double slope_at(const Update& z, double h) {
    move(z, h);
    double sum = 0;
    for (const Batch& batch : batches_) {
      std::vector<at::Tensor> values;
      for (const auto& [index, change] : z) values.push_back(arena_.parameters()[index].value);
      const auto gradients =
          torch::autograd::grad({model_->forward(batch.tokens_bt, batch.targets_bt)}, values);
      size_t i = 0;
      for (const auto& [index, change] : z) sum += (gradients[i++] * change).sum().item<double>();
    }
    move(z, -h);
    return sum / static_cast<double>(batches_.size());
  }

  // <Z, H Z> by differences of gradients, extrapolated to distance zero.
  double difference(const Update& z) {
    const auto central = [&](double h) { return (slope_at(z, h) - slope_at(z, -h)) / (2 * h); };
    constexpr double kStep = 1e-4;
    return (4 * central(kStep / 2) - central(kStep)) / 3;
  }

  const config::ModelConfig kShape = support::model_shape(2, 16, 4, 2, 4, 20, 31, 8);
  tensor::Arena arena_ = support::make_arena(kShape, at::kDouble);
  std::unique_ptr<model::Model> model_;
  std::vector<Batch> batches_;

 private:
  void move(const Update& z, double h) {
    at::NoGradGuard no_grad;
    for (const auto& [index, change] : z) arena_.parameters()[index].value.add_(change, h);
    model_->weights_changed();
  }
};

TEST_F(SharpnessTest, HessianVectorProductsAgreeWithDifferencesOfGradients) {
  for (const std::string selector : {"all", "matrices", "qk", "vo", "ffn", "norm", "embed"}) {
    const Update z = update({selector});
    const Sharpness measured = sharpness(*model_, arena_, batches_, z);
    const double expected = difference(z);
    EXPECT_GT(std::abs(expected), 1e-5) << selector;
    EXPECT_NEAR(2 * measured.curvature, expected, 1e-6 * std::abs(expected)) << selector;
    EXPECT_NEAR(measured.gradient, slope_at(z, 0), 1e-9 * std::abs(measured.gradient)) << selector;
  }
}

TEST_F(SharpnessTest, WithinIsTheSumOfEachBlockAlone) {
  const Sharpness all = sharpness(*model_, arena_, batches_, update({"all"}));
  ASSERT_EQ(all.blocks.size(), 5u) << "two layers, embedding, head, final norm";
  double sum = 0, squares = 0;
  for (const BlockSharpness& block : all.blocks) {
    Update alone = update({"all"});
    std::erase_if(alone, [&](const auto& entry) {
      const config::ParameterSpec& spec = arena_.parameters()[entry.first].spec;
      return block.layer >= 0 ? spec.layer != block.layer
                              : spec.layer >= 0 || config::role_name(spec.role) != block.name;
    });
    const double expected = difference(alone);
    EXPECT_NEAR(block.within, expected, 1e-6 * std::abs(expected)) << block.name;
    sum += block.within;
    squares += block.norm * block.norm;
  }
  EXPECT_NEAR(all.norm, std::sqrt(squares), 1e-12 * all.norm);
  EXPECT_NEAR(all.within() * squares, sum, 1e-12 * std::abs(sum));
  EXPECT_NEAR(all.nds(), all.within() + all.across(), 1e-12 * std::abs(all.nds()));
}

TEST_F(SharpnessTest, ASmallStepIsPredictedToThirdOrder) {
  Update z = update({"matrices"});
  const auto error = [&](double size) {
    Update small;
    for (const auto& [index, change] : z) small[index] = change * size;
    const Sharpness measured = sharpness(*model_, arena_, batches_, small);
    return std::abs(measured.realised - (measured.gradient - measured.curvature));
  };
  const double coarse = error(1e-3), fine = error(1e-4);
  EXPECT_GT(coarse, 0);
  EXPECT_NEAR(std::log10(coarse / fine), 3, 0.1);
}

TEST_F(SharpnessTest, LeavesWeightsAndGradientsAsTheyAre) {
  arena_.grads().fill_(0.5);
  const at::Tensor values = arena_.values().clone(), grads = arena_.grads().clone();
  sharpness(*model_, arena_, batches_, update({"all"}));
  EXPECT_TRUE(at::equal(arena_.values(), values));
  EXPECT_TRUE(at::equal(arena_.grads(), grads));
}

TEST_F(SharpnessTest, AnUpdateOfZerosHasNoDirection) {
  Update z = update({"vo"});
  for (auto& [index, change] : z) change.zero_();
  const auto lines = sharpness_lines(sharpness(*model_, arena_, batches_, z), 7);
  ASSERT_EQ(lines.size(), 1u);
  const auto json = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(json.at("step"), 7);
  EXPECT_FALSE(json.contains("nds"));
}

}  // namespace
}  // namespace muonlab::train
