#include "muonlab/tensor/parameter.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"

namespace muonlab::tensor {
namespace {

std::vector<config::ParameterSpec> odd_specs() {
  return {{"a", config::Role::v, 0, {3, 5}},
          {"b", config::Role::norm, 0, {7}},
          {"c", config::Role::o, 0, {5, 3}}};
}

TEST(Arena, ParametersAreAlignedViewsOfTheFlatArenas) {
  Arena arena(odd_specs(), {2, 0, 1});
  EXPECT_EQ(arena.offset(2), 0);
  EXPECT_EQ(arena.offset(0), 16);
  EXPECT_EQ(arena.offset(1), 32);
  for (size_t i = 0; i < 3; ++i) {
    Parameter& parameter = arena.parameters()[i];
    EXPECT_EQ(reinterpret_cast<uintptr_t>(parameter.value.data_ptr()) % 64, 0u);
    EXPECT_EQ(parameter.value.data_ptr<float>(),
              arena.values().data_ptr<float>() + arena.offset(i));
    EXPECT_EQ(parameter.grad.data_ptr<float>(), arena.grads().data_ptr<float>() + arena.offset(i));
    EXPECT_TRUE(parameter.value.requires_grad());
    EXPECT_TRUE(parameter.value.is_leaf());
  }
}

TEST(Arena, BackwardAddsIntoTheGradientArena) {
  Arena arena(odd_specs(), {0, 1, 2});
  Parameter& b = arena.find("b");
  for (int pass = 1; pass <= 2; ++pass) {
    (b.value * 3).sum().backward();
    EXPECT_EQ(b.value.grad().data_ptr(), b.grad.data_ptr())
        << "the gradient moved out of the arena";
    EXPECT_TRUE(at::equal(b.grad, at::full({7}, 3.0f * static_cast<float>(pass))));
  }
  EXPECT_EQ(arena.grads().sum().item<float>(), 42.0f);
  arena.zero_grads();
  EXPECT_EQ(b.grad.abs().sum().item<float>(), 0.0f);
}

TEST(Arena, WritingTheFlatArenaChangesTheParameters) {
  Arena arena(odd_specs(), {0, 1, 2});
  at::NoGradGuard no_grad;
  arena.values().fill_(2);
  EXPECT_EQ(arena.find("c").value.sum().item<float>(), 30.0f);
}

TEST(Arena, RefusesAnOrderThatIsNoPermutation) {
  EXPECT_THROW(Arena(odd_specs(), {0, 1}), base::Bug);
  EXPECT_THROW(Arena(odd_specs(), {0, 1, 1}), base::Bug);
  Arena arena(odd_specs(), {0, 1, 2});
  EXPECT_THROW(arena.find("d"), base::Bug);
}

}  // namespace
}  // namespace muonlab::tensor
