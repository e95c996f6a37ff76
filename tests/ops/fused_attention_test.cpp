// Fused attention against its plain reference in double, in fp32 and bf16, over odd shapes.
#include <gtest/gtest.h>

#include "muonlab/ops/attention.hpp"
#include "muonlab/ops/visible_keys.hpp"
#include "ops/attention_kernel.hpp"
#include "ops/fused_runner.hpp"

namespace muonlab::ops {
namespace {

struct AttentionCase {
  int64_t b, t, queries, keys, d;
};

void check_attention(const AttentionCase& c, config::QkNorm mode, at::ScalarType dtype) {
  const AttentionSpec spec{.heads = {.queries = c.queries, .keys = c.keys, .head_dim = c.d},
                           .norm = {.mode = mode}};
  const Runner runner{[&](Path path, const Tensors& x, std::vector<tensor::Parameter>& p,
                          at::ScalarType) {
    const bool is_reference = path == Path::reference;
    const RotaryTable table =
        make_rotary_table(c.t + 3, c.d, 1000.0, is_reference ? at::kDouble : at::kFloat, at::kCPU);
    HeadGains gains;
    if (mode == config::QkNorm::gain) gains = {p[0], p[1]};
    return Tensors{self_attention(path, x[0], c.b, spec, table, gains)};
  }};
  Tensors gains;
  if (mode == config::QkNorm::gain)
    gains = {1 + 0.3 * normal({c.d}, 2), 1 + 0.3 * normal({c.d}, 3)};
  SCOPED_TRACE(testing::Message() << "b " << c.b << " t " << c.t << " heads " << c.queries << "/"
                                  << c.keys << " d " << c.d << " norm " << static_cast<int>(mode)
                                  << " " << at::toString(dtype));
  runner.check({normal({c.b * c.t, spec.heads.packed_width()}, 1, dtype)}, gains, dtype, 2.0);
}

const std::vector<AttentionCase> kAttentionCases{
    {1, 1, 1, 1, 2},   {2, 5, 2, 1, 6},    {1, 63, 4, 2, 16},  {2, 64, 2, 2, 64},
    {1, 65, 3, 1, 20}, {1, 130, 2, 1, 80}, {1, 200, 6, 3, 32}, {1, 9, 2, 1, 600}};

TEST(FusedOps, SelfAttention) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const AttentionCase& c : kAttentionCases) {
      for (const auto mode :
           {config::QkNorm::none, config::QkNorm::no_gain, config::QkNorm::gain}) {
        check_attention(c, mode, dtype);
      }
    }
  }
}

TEST(FusedOps, SelfAttentionOnMachinesWithoutOurKernel) {
  allow_attention_kernel(false);
  for (const at::ScalarType dtype : kDtypes) {
    for (const AttentionCase& c : kAttentionCases) check_attention(c, config::QkNorm::none, dtype);
  }
  allow_attention_kernel(true);
}

// Windows, documents, a scale and a cap, alone and together, by our kernel and without it.
// Sequences differ in their documents; windows begin in the first block of 64 and beyond it.
void check_masked(const AttentionCase& c, AttentionSpec spec, at::ScalarType dtype) {
  spec.heads = {.queries = c.queries, .keys = c.keys, .head_dim = c.d};
  const at::Tensor first = first_keys(support::ids({c.b, c.t}, 40, 4), spec);
  const Runner runner{
      [&](Path path, const Tensors& x, std::vector<tensor::Parameter>&, at::ScalarType) {
        const RotaryTable table = make_rotary_table(
            c.t, c.d, 1000.0, path == Path::reference ? at::kDouble : at::kFloat, at::kCPU);
        return Tensors{self_attention(path, x[0], c.b, spec, table, {}, first)};
      }};
  SCOPED_TRACE(testing::Message() << "b " << c.b << " t " << c.t << " heads " << c.queries << "/"
                                  << c.keys << " d " << c.d << " window " << spec.window.value_or(0)
                                  << " " << at::toString(dtype));
  runner.check({normal({c.b * c.t, spec.heads.packed_width()}, 1, dtype)}, {}, dtype, 2.0);
}

TEST(FusedOps, SelfAttentionWithWindowsDocumentsScaleAndCap) {
  const std::vector<AttentionSpec> specs{{.scale = 0.5},
                                         {.window = 1},
                                         {.window = 7},
                                         {.window = 70},
                                         {.document_start = 3},
                                         {.scale = 0.2, .window = 33, .document_start = 3},
                                         {.scale = 0.7, .score_cap = 1.5},
                                         {.score_cap = 2.0, .window = 9}};
  for (const bool ours : {true, false}) {
    allow_attention_kernel(ours);
    for (const at::ScalarType dtype : kDtypes) {
      for (const AttentionSpec& spec : specs) {
        for (const AttentionCase& c :
             {kAttentionCases[0], kAttentionCases[1], kAttentionCases[4], kAttentionCases[6]})
          check_masked(c, spec, dtype);
      }
    }
  }
  allow_attention_kernel(true);
}

TEST(FusedOps, SelfAttentionSurvivesLargeScores) {
  const AttentionSpec spec{.heads = {.queries = 1, .keys = 1, .head_dim = 16}};
  const RotaryTable table = make_rotary_table(40, 16, 1000.0, at::kFloat, at::kCPU);
  at::Tensor qkv = normal({40, 48}, 1) * 30;
  const at::Tensor out = self_attention(Path::cpu, qkv, 1, spec, table, {});
  EXPECT_TRUE(at::isfinite(out).all().item<bool>());
}

}  // namespace
}  // namespace muonlab::ops
