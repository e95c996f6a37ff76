// Muon: momentum, orthogonalized, scaled (muon.md §1; Keller Jordan; arXiv 2509.26030).
//
// The matrices of an optimizer become blocks: a whole parameter, or with per_head one head's rows
// of q, k and v and one head's columns of o. Blocks of one shape, or of transposed shapes, are
// worked on together with the short side first. With spectrum "random" the polar factor's singular
// values are replaced (random_spectrum.hpp). A stage may come between the polar factor and its
// scale (polar_stage.hpp).
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <type_traits>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/orthogonalize.hpp"
#include "muonlab/optim/rule.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "optim/blocks.hpp"
#include "optim/muon_device.hpp"
#include "optim/newton_schulz.hpp"
#include "optim/panels.hpp"
#include "optim/polar_batch.hpp"
#include "optim/polar_stage.hpp"
#include "optim/random_spectrum.hpp"

namespace muonlab::optim {
namespace {

// Values of a batch for each thread.
constexpr size_t kBatchValues = 1 << 18;

MomentumForm momentum_form(const config::MuonConfig& config, double momentum) {
  const auto mu = static_cast<float>(momentum);
  const bool sum = config.momentum_form == config::MomentumForm::sum;
  const float mix = sum ? 1.0f : static_cast<float>(1.0 - momentum);
  if (config.nesterov) return {mu, mix, mix, mu};
  return {mu, mix, 0.0f, 1.0f};
}

// Momentum at a step of a run: rising at its beginning and going to its final value at its end.
double momentum_at(const config::MuonConfig& config, const UpdateStep& now) {
  const auto toward = [](double from, double to, int64_t done, int64_t all) {
    return from + (to - from) * static_cast<double>(done) / static_cast<double>(all);
  };
  double momentum = config.momentum;
  if (now.step <= config.momentum_warmup) {
    momentum = toward(*config.momentum_start, momentum, now.step - 1, config.momentum_warmup);
  }
  const int64_t cooled = now.step - (now.num_steps - config.momentum_cooldown);
  if (cooled > 0 && config.momentum_cooldown > 0) {
    momentum = toward(momentum, *config.momentum_final, cooled, config.momentum_cooldown);
  }
  return momentum;
}

class Muon final : public Rule {
 public:
  Muon(const config::MuonConfig& config, Range range, const config::RunConfig& run,
       const MakeStage& make_stage, bool sign)
      : config_(config),
        range_(std::move(range)),
        coefficients_(coefficients(config.orthogonalizer, config.steps)),
        dtype_(iteration_type(config.orthogonalizer, config.iteration,
                              run.precision == config::Precision::bf16)),
        form_(momentum_form(config, config.momentum)),
        sign_(sign),
        seed_(run.seed) {
    if (config.order != config::PolarOrder::none) momentum_ = at::zeros_like(range_.values);
    std::map<std::pair<int64_t, int64_t>, std::vector<Block>> by_shape;
    std::vector<MemberBlocks> members;
    for (const Member& member : range_.members) {
      const std::vector<Block> blocks =
          blocks_of(member, config.per_head ? config.heads_per_group : 0,
                    run.model.head_dim.value_or(run.model.width / run.model.heads));
      members.push_back({member, blocks});
      for (size_t i = 0; i < blocks.size(); ++i)
        names_[blocks[i].offset] = base::str(member.spec.name, "/", i);
      for (const Block& block : blocks)
        by_shape[{block.short_side(), block.long_side()}].push_back(block);
    }
    const bool constant = config.momentum_warmup == 0 && config.momentum_cooldown == 0;
    const bool plain = config.order == config::PolarOrder::before && !make_stage && !sign;
    if (range_.on_plugin && plain && constant && !is_svd() && !is_random())
      make_device_groups(by_shape);
    for (auto& [shape, blocks] : by_shape) groups_.push_back(std::move(blocks));
    if (make_stage) stage_ = make_stage(range_, members);
  }

  int64_t num_step_numbers() const override {
    return 2 * static_cast<int64_t>(device_groups_.size());
  }

  void write_step_numbers(double lr, float* numbers) override {
    for (const DeviceGroup& group : device_groups_) {
      *numbers++ = static_cast<float>(1.0 - lr * config_.decay);
      *numbers++ = rate_of(lr, group.block());
      num_orthogonalizations_ += group.count();
    }
  }

  void enqueue_update(const at::Tensor& numbers, const at::Tensor& status) override {
    int64_t first = 0;
    for (const DeviceGroup& group : device_groups_) {
      group.enqueue(range_.values, range_.grads, momentum_, form_, coefficients_, dtype_,
                    numbers.narrow(0, first, 2), status);
      first += 2;
    }
  }

  void update(const UpdateStep& now) override {
    const double lr = now.lr;
    step_ = now.step;
    form_ = momentum_form(config_, momentum_at(config_, now));
    if (range_.composed) return update_composed(lr);
    switch (dtype_) {
      case at::kFloat: return update_here<float>(lr);
      case at::kBFloat16: return update_here<at::BFloat16>(lr);
      default: return update_here<double>(lr);
    }
  }

  // Random singular values are multiplied in by batches of the library's products.
  Division division() const override {
    const PolarSettings settings{config_.orthogonalizer, config_.steps, dtype_};
    return is_random() ? Division::none : division_of(range_, settings);
  }

  std::vector<tensor::NamedTensor> state() override {
    std::vector<tensor::NamedTensor> all;
    if (momentum_.defined()) all = named_state(range_, momentum_, config_.moments().first);
    if (!stage_) return all;
    for (tensor::NamedTensor& state : stage_->state()) all.push_back(std::move(state));
    return all;
  }

  int64_t num_orthogonalizations() const override { return num_orthogonalizations_; }

 private:
  void make_device_groups(
      const std::map<std::pair<int64_t, int64_t>, std::vector<Block>>& by_shape) {
    std::map<std::tuple<int64_t, int64_t, int64_t>, std::vector<Block>> by_layout;
    for (const auto& [shape, blocks] : by_shape) {
      for (const Block& block : blocks)
        by_layout[{block.rows, block.cols, block.stride}].push_back(block);
    }
    for (const auto& [layout, blocks] : by_layout)
      device_groups_.emplace_back(blocks, range_.values.device());
  }

  // T: the iteration's number type.
  template <class T>
  void update_here(double lr) {
    for (const std::vector<Block>& group : groups_) {
      size_t done = update_one_by_one<T>(lr, group);
      while (done < group.size()) {
        const size_t end = std::min(group.size(), done + batch_size(group.front()));
        update_batch<T>(lr, group.data() + done, static_cast<int64_t>(end - done));
        done = end;
      }
      num_orthogonalizations_ += static_cast<int64_t>(group.size());
    }
  }

  // Each thread takes the same number of blocks, one after the other, from momentum to weights.
  // Returns how many blocks that were: those that are left have to be shared.
  template <class T>
  size_t update_one_by_one(double lr, const std::vector<Block>& group) {
    if constexpr (!std::is_same_v<T, double>) {
      if (!panels_available() || is_random()) return 0;
      const int64_t threads = at::get_num_threads();
      const int64_t n = static_cast<int64_t>(group.size()) / threads * threads;
      const int64_t s = group.front().short_side(), l = group.front().long_side();
      // a multiple of the cache line
      const int64_t workspace_bytes = panel_workspace_bytes<T>(s, l);
      const int64_t bytes = workspace_bytes + s * l * static_cast<int64_t>(sizeof(T));
      if (n > 0 && (!workspace_.defined() || workspace_.numel() < threads * bytes)) {
        workspace_ = at::empty({threads * bytes}, at::kByte);
      }
      at::parallel_for(0, n, 1, [&](int64_t first, int64_t last) {
        uint8_t* memory = workspace_.mutable_data_ptr<uint8_t>() + at::get_thread_num() * bytes;
        T* x = reinterpret_cast<T*>(memory + workspace_bytes);
        for (int64_t i = first; i < last; ++i) {
          const Block& block = group[static_cast<size_t>(i)];
          advance(block, x);
          newton_schulz_panels_alone(x, s, l, coefficients_, memory);
          apply(lr, block, x);
        }
      });
      return static_cast<size_t>(n);
    }
    return 0;
  }

  template <class T>
  void update_batch(double lr, const Block* blocks, int64_t n) {
    const int64_t s = blocks[0].short_side(), l = blocks[0].long_side();
    at::Tensor x_nsl = at::empty({n, s, l}, at::TensorOptions().dtype(dtype_));
    T* x = x_nsl.mutable_data_ptr<T>();
    at::parallel_for(0, n, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) advance(blocks[i], x + i * s * l);
    });
    const at::Tensor factors = is_random() ? factors_of(x_nsl, blocks) : at::Tensor();
    x_nsl =
        (is_svd() ? svd_polar(x_nsl) : newton_schulz(std::move(x_nsl), coefficients_, workspace_))
            .contiguous();
    if (is_random()) x_nsl = at::bmm(factors, x_nsl.to(at::kFloat)).to(dtype_);
    T* polar = x_nsl.mutable_data_ptr<T>();
    // On one thread, as a single block would else get all threads, and its sums another order.
    tensor::each_on_one_thread(n, [&](int64_t i) { apply(lr, blocks[i], polar + i * s * l); });
  }

  // Blocks of a batch: some for every thread, within a bound on memory.
  static size_t batch_size(const Block& block) {
    const auto threads = static_cast<size_t>(at::get_num_threads());
    return threads *
           std::max<size_t>(1, kBatchValues / static_cast<size_t>(block.rows * block.cols));
  }

  // Momentum, look-ahead and norm; x becomes what the iteration starts from.
  template <class T>
  void advance(const Block& block, T* x) {
    const float* g = range_.grads.const_data_ptr<float>();
    const bool averaged = config_.order == config::PolarOrder::before;
    float* m = averaged ? momentum_.mutable_data_ptr<float>() : nullptr;
    const double squared = averaged ? update_momentum(block, form_, g, m) : squared_norm(block, g);
    // Without an average the direction is the gradient.
    const MomentumForm form = averaged ? form_ : MomentumForm{0.0f, 0.0f, 1.0f, 0.0f};
    const float* from = averaged ? m : g;
    if (sign_) {
      pack_direction(block, form, 1.0f, g, from, x);
      const int64_t n = block.rows * block.cols;
      double count = 0.0;
      for (int64_t i = 0; i < n; ++i) count += x[i] != T(0);
      const T size(is_svd() ? 1.0f : start_factor(count, coefficients_.norm_factor));
      for (int64_t i = 0; i < n; ++i) x[i] = x[i] > T(0) ? size : x[i] < T(0) ? T(-size) : T(0);
    } else {
      const float factor = is_svd() ? 1.0f : start_factor(squared, coefficients_.norm_factor);
      pack_direction(block, form, factor, g, from, x);
    }
  }

  template <class T>
  void apply(double lr, const Block& block, T* polar) {
    const auto keep = static_cast<float>(1.0 - lr * config_.decay);
    if (is_plain()) {
      apply_direction(block, keep, rate_of(lr, block), polar,
                      range_.values.mutable_data_ptr<float>());
      return;
    }
    const at::NoGradGuard no_grad;
    const at::Tensor o_sl =
        at::from_blob(polar, {block.short_side(), block.long_side()}, at::TensorOptions(dtype_));
    const at::Tensor o_rc = (block.tall() ? o_sl.t() : o_sl).to(at::kFloat).contiguous();
    const at::Tensor w_rc = block_view(range_.values, block);
    if (keep != 1.0f) w_rc.mul_(keep);
    w_rc.sub_(direction(block, o_rc), rate_of(lr, block));
  }

  // The direction of a block from its polar factor, where that is not the factor itself.
  at::Tensor direction(const Block& block, at::Tensor o_rc) {
    if (config_.order == config::PolarOrder::after) {
      const at::Tensor m_rc = block_view(momentum_, block);
      m_rc.mul_(form_.keep).add_(o_rc, form_.mix);
      o_rc.mul_(form_.ahead_g).add_(m_rc, form_.ahead_m);
    }
    return stage_ ? stage_->direction(block, std::move(o_rc)) : o_rc;
  }

  void update_composed(double lr) {
    at::Tensor ahead = range_.grads;
    if (config_.order == config::PolarOrder::before) {
      momentum_.mul_(form_.keep).add_(range_.grads, form_.mix);
      ahead = config_.nesterov ? at::add(momentum_ * form_.ahead_m, range_.grads, form_.ahead_g)
                               : momentum_;
    }
    if (sign_) ahead = ahead.sign();
    range_.values.mul_(1.0 - lr * config_.decay);
    for (const std::vector<Block>& group : groups_) {
      std::vector<at::Tensor> views;
      for (const Block& block : group) views.push_back(short_first(ahead, block));
      const at::Tensor stack_nsl = at::stack(views);
      at::Tensor polar_nsl =
          orthogonalize(stack_nsl, config_.orthogonalizer, config_.steps, dtype_).to(at::kFloat);
      if (is_random()) polar_nsl = at::bmm(factors_of(stack_nsl, group.data()), polar_nsl);
      num_orthogonalizations_ += static_cast<int64_t>(group.size());
      for (size_t i = 0; i < group.size(); ++i) {
        const Block& block = group[i];
        const at::Tensor o_sl = polar_nsl[static_cast<int64_t>(i)];
        const at::Tensor o_rc = (block.tall() ? o_sl.t() : o_sl).contiguous();
        block_view(range_.values, block).sub_(direction(block, o_rc), rate_of(lr, block));
      }
    }
  }

  // What gives the polar factors of x_nsl, made of these blocks, their random singular values.
  at::Tensor factors_of(const at::Tensor& x_nsl, const Block* blocks) const {
    std::vector<std::vector<double>> values;
    for (int64_t i = 0; i < x_nsl.size(0); ++i) {
      values.push_back(
          random_singular_values(seed_, names_.at(blocks[i].offset), step_, x_nsl.size(1)));
    }
    return spectrum_factors(x_nsl, values);
  }

  float rate_of(double lr, const Block& block) const {
    return static_cast<float>(lr * scale_of(config_.scale, block.rows, block.cols));
  }
  // Whether the polar factor is the direction.
  bool is_plain() const { return !stage_ && config_.order != config::PolarOrder::after; }
  bool is_random() const { return config_.spectrum == config::UpdateSpectrum::random; }
  bool is_svd() const { return config_.orthogonalizer == config::Orthogonalizer::svd; }

  config::MuonConfig config_;
  Range range_;
  Coefficients coefficients_;
  at::ScalarType dtype_;
  MomentumForm form_;  // of the step
  bool sign_;
  int64_t seed_;
  int64_t step_ = 0;
  std::map<int64_t, std::string> names_;  // of the blocks, by offset: "<parameter>/<head>"
  at::Tensor momentum_;                   // of the range's layout; undefined for order none
  std::unique_ptr<PolarStage> stage_;
  at::Tensor workspace_;
  std::vector<std::vector<Block>> groups_;
  std::vector<DeviceGroup> device_groups_;  // on the path cuda
  int64_t num_orthogonalizations_ = 0;
};

}  // namespace

std::unique_ptr<Rule> make_muon(const config::MuonConfig& config, Range range,
                                const config::RunConfig& run, const MakeStage& make_stage,
                                bool sign) {
  return std::make_unique<Muon>(config, std::move(range), run, make_stage, sign);
}

MakeRule::Made MakeRule::operator()(const config::MuonConfig& config) {
  return make_muon(config, std::move(range), run, {}, /*sign=*/false);
}

}  // namespace muonlab::optim
