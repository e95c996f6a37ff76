// The choices of rules that orthogonalize.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "muonlab/config/field.hpp"

namespace muonlab::config {

enum class MomentumForm { sum, average };
template <>
struct EnumNames<MomentumForm> {
  static constexpr std::array<std::string_view, 2> names{"sum", "average"};
};
// Ways to the polar factor U Vᵀ (reference: muon.md §2): Keller Jordan's five equal steps,
// YouJiacheng's five, Polar Express (5 to 8 steps, safety factor in the coefficients), Keller x 8
// then (2, -1.5, 0.5) x 2, an SVD in double, and (2, -1.5, 0.5) alone, which converges from below
// (modded-nanogpt's optimization benchmark takes 12 of it).
enum class Orthogonalizer { keller, you, polar_express, exact, svd, quintic };
template <>
struct EnumNames<Orthogonalizer> {
  static constexpr std::array<std::string_view, 6> names{"keller", "you", "polar_express",
                                                         "exact",  "svd", "quintic"};
};
// The numbers of steps an orthogonalizer can take, and the usual one; an SVD takes none.
struct StepRange {
  int64_t least, most, usual;
};
constexpr StepRange step_range(Orthogonalizer orthogonalizer) {
  switch (orthogonalizer) {
    case Orthogonalizer::keller: return {1, 20, 5};
    case Orthogonalizer::you: return {5, 5, 5};
    case Orthogonalizer::polar_express: return {5, 8, 5};
    case Orthogonalizer::exact: return {10, 10, 10};
    case Orthogonalizer::quintic: return {1, 30, 12};
    case Orthogonalizer::svd: break;
  }
  return {0, 0, 0};
}
// Factor of the update of an r x c matrix.
enum class MuonScale { none, max_ratio, rms_adam, ratio };
template <>
struct EnumNames<MuonScale> {
  static constexpr std::array<std::string_view, 4> names{"none", "sqrt(max(1,r/c))",
                                                         "0.2*sqrt(max(r,c))", "sqrt(r/c)"};
};
enum class IterationType { automatic, fp32, bf16 };
template <>
struct EnumNames<IterationType> {
  static constexpr std::array<std::string_view, 3> names{"auto", "fp32", "bf16"};
};
// Singular values of the orthogonalized update: Muon's, all one; or random ones on the same
// singular vectors (Kaon, arXiv 2605.11181), a control for what the flat spectrum does.
enum class UpdateSpectrum { flat, random };
template <>
struct EnumNames<UpdateSpectrum> {
  static constexpr std::array<std::string_view, 2> names{"flat", "random"};
};

}  // namespace muonlab::config
