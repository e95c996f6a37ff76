#include "muonlab/train/spectra.hpp"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "muonlab/base/non_finite.hpp"
#include "muonlab/train/trainer.hpp"
#include "muonlab/train/update_angle.hpp"
#include "support/model.hpp"
#include "support/parameters.hpp"

namespace muonlab::train {
namespace {

// Four query heads on two key heads of 6, width 16.
const config::ModelConfig kShape = support::model_shape(2, 16, 4, 2, 6, 20, 31, 8);

tensor::Arena filled_arena() {
  tensor::Arena arena = support::make_arena(kShape);
  uint64_t stream = 0;
  for (tensor::Parameter& p : arena.parameters())
    p.value.detach().copy_(support::normal(p.value.sizes(), ++stream));
  return arena;
}

std::vector<MatrixSpectrum> of_role(const std::vector<MatrixSpectrum>& all, const std::string& role,
                                    int layer) {
  std::vector<MatrixSpectrum> some;
  for (const MatrixSpectrum& m : all) {
    if (m.role == role && m.layer == layer) some.push_back(m);
  }
  return some;
}

TEST(Spectra, SelectorsChooseMatrices) {
  const tensor::Arena arena = filled_arena();
  EXPECT_EQ(weight_matrices(arena, {"matrices"}, false, kShape).size(), 14u);
  EXPECT_EQ(weight_matrices(arena, {"all"}, false, kShape).size(), 16u)
      << "embedding and head, but no norm";
  EXPECT_EQ(weight_matrices(arena, {"vo@1", "head"}, false, kShape).size(), 3u);
}

TEST(Spectra, HeadsAreRowsOrColumnsOfTheirMatrix) {
  const tensor::Arena arena = filled_arena();
  const std::vector<MatrixSpectrum> all = weight_matrices(arena, {"attn", "ffn"}, true, kShape);
  const std::vector<MatrixSpectrum> q = of_role(all, "q", 1), k = of_role(all, "k", 1),
                                    o = of_role(all, "o", 1);
  ASSERT_EQ(q.size(), 5u);
  ASSERT_EQ(k.size(), 3u);
  ASSERT_EQ(o.size(), 5u);
  EXPECT_EQ(of_role(all, "ffn_in", 1).size(), 1u);
  EXPECT_EQ(q[0].head, -1);
  EXPECT_EQ(q[3].head, 2);
  EXPECT_TRUE(q[3].value.equal(q[0].value.slice(0, 12, 18)));
  EXPECT_TRUE(k[2].value.equal(k[0].value.slice(0, 6, 12)));
  EXPECT_TRUE(o[4].value.equal(o[0].value.slice(1, 18, 24)));
}

TEST(Spectra, TheProductOfOAndVIsThatOfItsMatrix) {
  const tensor::Arena arena = filled_arena();
  std::vector<MatrixSpectrum> all = weight_matrices(arena, {"vo@0"}, true, kShape);
  const at::Tensor v = of_role(all, "v", 0)[0].value.to(at::kDouble),
                   o = of_role(all, "o", 0)[0].value.to(at::kDouble);
  measure(all);
  const std::vector<MatrixSpectrum> products = of_role(all, "ov", 0);
  ASSERT_EQ(products.size(), 4u);
  for (int64_t head = 0; head < 4; ++head) {
    const MatrixSpectrum& product = products[static_cast<size_t>(head)];
    EXPECT_EQ(product.head, head);
    EXPECT_EQ(product.name, "model.layers.0.self_attn.ov");
    const at::Tensor whole =
        at::mm(o.slice(1, 6 * head, 6 * head + 6), v.slice(0, head / 2 * 6, head / 2 * 6 + 6));
    std::vector<double> values = singular_values(whole);
    values.resize(6);  // the rank of the product
    const Spectrum expected = spectrum(values);
    EXPECT_NEAR(product.spectrum.entropy, expected.entropy, 1e-12);
    EXPECT_NEAR(product.spectrum.condition, expected.condition, 1e-9);
    EXPECT_NEAR(product.spectrum.nuclear_rank, expected.nuclear_rank, 1e-10);
    EXPECT_NEAR(product.rms, root_mean_square(whole), 1e-12);
  }
  EXPECT_TRUE(of_role(weight_matrices(arena, {"o"}, true, kShape), "ov", 0).empty())
      << "without v there is no product";
}

TEST(Spectra, ZerosHaveNoLineAndInfinitiesStop) {
  tensor::Arena arena = filled_arena();
  const std::string name = "model.layers.1.self_attn.o_proj.weight";
  arena.find(name).value.detach().zero_();
  std::vector<MatrixSpectrum> all = weight_matrices(arena, {"vo@1"}, true, kShape);
  measure(all);
  EXPECT_EQ(all.size(), 3u) << "v and its two heads";
  arena.find(name).value.detach()[3][2] = std::numeric_limits<float>::infinity();
  all = weight_matrices(arena, {"o"}, false, kShape);
  EXPECT_THROW(measure(all), base::NonFinite);
}

TEST(Spectra, TheSameBytesWithAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  std::vector<MatrixSpectrum> matrices;
  for (int64_t i = 0; i < 5; ++i) {
    matrices.push_back({.name = "m",
                        .role = "v",
                        .value = support::normal({96, 96 + 64 * i}, static_cast<uint64_t>(i))});
  }
  const auto lines = [&](int num_threads, size_t count) {
    at::set_num_threads(num_threads);
    std::vector<MatrixSpectrum> some(matrices.begin(),
                                     matrices.begin() + static_cast<std::ptrdiff_t>(count));
    measure(some);
    EXPECT_EQ(at::get_num_threads(), num_threads);
    std::vector<std::string> texts;
    for (const MatrixSpectrum& m : some) texts.push_back(spectrum_json(m, 1));
    return texts;
  };
  const std::vector<std::string> one = lines(1, 5);
  EXPECT_EQ(lines(2, 5), one);
  EXPECT_EQ(lines(3, 5), one);
  EXPECT_EQ(lines(2, 1)[0], one[0]) << "a single matrix";
  at::set_num_threads(threads);
}

TEST(Spectra, ALineHasItsKeysInOrder) {
  MatrixSpectrum m{.name = "n", .role = "v", .layer = 3, .of = "update", .head = 2, .value = {}};
  m.spectrum = spectrum(std::vector<double>{2, 2, 0});
  m.rms = 0.5;
  m.ratio = 0.25;
  m.angle_deg = 30;
  EXPECT_EQ(
      spectrum_json(m, 7),
      R"({"step":7,"name":"n","role":"v","layer":3,"of":"update","head":2,"entropy":0.6309297535714574,)"
      R"("effective_rank":2.0,"effective_rank_plain":2.0,"top10_energy":1.0,"q75_q25":2.0,"stable_rank":2.0,)"
      R"("nuclear_rank":2.0,"condition":null,"rms":0.5,"ratio":0.25,"angle_deg":30.0})");
}

TEST(UpdateAngle, OfKnownMatrices) {
  // Symmetric and positive: the polar factor is the identity, the signs are all one.
  const at::Tensor m = at::tensor({2.0, 1.0, 1.0, 2.0}).view({2, 2}).to(at::kFloat);
  EXPECT_NEAR(adam_muon_angle_deg(m, {}), 45.0, 0.1);
  // A second moment that turns M into the identity's direction, and one that is zero off the
  // diagonal.
  EXPECT_NEAR(
      adam_muon_angle_deg(m, at::tensor({4.0, 1e12, 1e12, 4.0}).view({2, 2}).to(at::kFloat)), 0.0,
      0.1);
  EXPECT_NEAR(adam_muon_angle_deg(m, at::eye(2)), 0.0, 0.1);
  // Orthogonal already, entries of one size: both rules agree.
  const at::Tensor h = at::tensor({1.0, 1.0, 1.0, -1.0}).view({2, 2}).to(at::kFloat);
  EXPECT_NEAR(adam_muon_angle_deg(h, {}), 0.0, 0.1);
  EXPECT_NEAR(adam_muon_angle_deg(1e-6 * h, {}), 0.0, 0.1) << "no matter the size";
  EXPECT_TRUE(std::isnan(adam_muon_angle_deg(at::zeros({2, 3}), {})));
}

}  // namespace
}  // namespace muonlab::train
