// Muon: momentum, orthogonalised, scaled (muon.md §1; Keller Jordan; arXiv 2509.26030).
//
// The matrices of an optimizer become blocks: a whole parameter, or with per_head one head's rows
// of q, k and v and one head's columns of o. Blocks of one shape, or of transposed shapes, are
// worked on together with the short side first. With spectrum "random" the polar factor's singular
// values are replaced (random_spectrum.hpp).
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <type_traits>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/orthogonalize.hpp"
#include "muonlab/optim/rule.hpp"
#include "optim/muon_device.hpp"
#include "optim/muon_kernels.hpp"
#include "optim/newton_schulz.hpp"
#include "optim/panels.hpp"
#include "optim/random_spectrum.hpp"

namespace muonlab::optim {
namespace {

using config::Role;

// Values of a batch for each thread.
constexpr size_t kBatchValues = 1 << 18;

MomentumForm momentum_form(const config::MuonConfig& config) {
  const auto mu = static_cast<float>(config.momentum);
  const bool sum = config.momentum_form == config::MomentumForm::sum;
  const float mix = sum ? 1.0f : static_cast<float>(1.0 - config.momentum);
  if (config.nesterov) return {mu, mix, mix, mu};
  return {mu, mix, 0.0f, 1.0f};
}

double scale_of(config::MuonScale scale, const Block& block) {
  const auto r = static_cast<double>(block.rows), c = static_cast<double>(block.cols);
  switch (scale) {
    case config::MuonScale::none: return 1.0;
    case config::MuonScale::max_ratio: return std::sqrt(std::max(1.0, r / c));
    case config::MuonScale::rms_adam: return 0.2 * std::sqrt(std::max(r, c));
    case config::MuonScale::ratio: return std::sqrt(r / c);
  }
  throw base::Bug("muon: a scale without a case");
}

// The matrices that are orthogonalised by themselves: row blocks of q, k, v and column blocks of o
// where heads are split.
void append_blocks(const Member& member, bool per_head, int64_t head_dim,
                   std::vector<Block>& blocks) {
  const int64_t rows = member.spec.shape.at(0), cols = member.spec.shape.at(1);
  const Role role = member.spec.role;
  if (per_head && (role == Role::q || role == Role::k || role == Role::v)) {
    base::check(rows % head_dim == 0,
                "muon: the rows of " + member.spec.name + " are not whole heads");
    for (int64_t i = 0; i < rows; i += head_dim)
      blocks.push_back({member.offset + i * cols, head_dim, cols, cols});
  } else if (per_head && role == Role::o) {
    base::check(cols % head_dim == 0,
                "muon: the columns of " + member.spec.name + " are not whole heads");
    for (int64_t j = 0; j < cols; j += head_dim)
      blocks.push_back({member.offset + j, rows, head_dim, cols});
  } else {
    blocks.push_back({member.offset, rows, cols, cols});
  }
}

class Muon final : public Rule {
 public:
  Muon(const config::MuonConfig& config, Range range, const config::RunConfig& run)
      : config_(config),
        range_(std::move(range)),
        coefficients_(coefficients(config.orthogonalizer, config.steps)),
        dtype_(iteration_type(config.orthogonalizer, config.iteration,
                              run.precision == config::Precision::bf16)),
        form_(momentum_form(config)),
        seed_(run.seed),
        momentum_(at::zeros_like(range_.values)) {
    std::map<std::pair<int64_t, int64_t>, std::vector<Block>> by_shape;
    for (const Member& member : range_.members) {
      base::check(member.spec.shape.size() == 2, "muon: " + member.spec.name + " is no matrix");
      std::vector<Block> blocks;
      append_blocks(member, config.per_head,
                    run.model.head_dim.value_or(run.model.width / run.model.heads), blocks);
      for (size_t i = 0; i < blocks.size(); ++i)
        names_[blocks[i].offset] = base::str(member.spec.name, "/", i);
      for (const Block& block : blocks)
        by_shape[{block.short_side(), block.long_side()}].push_back(block);
    }
    if (range_.on_plugin && !is_svd() && !is_random()) make_device_groups(by_shape);
    for (auto& [shape, blocks] : by_shape) groups_.push_back(std::move(blocks));
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

  void update(double lr, int64_t step) override {
    step_ = step;
    if (range_.composed) return update_composed(lr);
    switch (dtype_) {
      case at::kFloat: return update_here<float>(lr);
      case at::kBFloat16: return update_here<at::BFloat16>(lr);
      default: return update_here<double>(lr);
    }
  }

  std::vector<tensor::NamedTensor> state() override {
    return named_state(range_, momentum_, config_.moments().first);
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
    const T* polar = x_nsl.const_data_ptr<T>();
    at::parallel_for(0, n, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) apply(lr, blocks[i], polar + i * s * l);
    });
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
    float* m = momentum_.mutable_data_ptr<float>();
    const double squared_norm = update_momentum(block, form_, g, m);
    const float factor = is_svd() ? 1.0f : start_factor(squared_norm, coefficients_.norm_factor);
    pack_direction(block, form_, factor, g, m, x);
  }

  template <class T>
  void apply(double lr, const Block& block, const T* polar) {
    const auto keep = static_cast<float>(1.0 - lr * config_.decay);
    apply_direction(block, keep, rate_of(lr, block), polar,
                    range_.values.mutable_data_ptr<float>());
  }

  void update_composed(double lr) {
    momentum_.mul_(form_.keep).add_(range_.grads, form_.mix);
    const at::Tensor ahead = config_.nesterov
                                 ? at::add(momentum_ * form_.ahead_m, range_.grads, form_.ahead_g)
                                 : momentum_;
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
        short_first(range_.values, group[i])
            .sub_(polar_nsl[static_cast<int64_t>(i)], rate_of(lr, group[i]));
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

  static at::Tensor short_first(const at::Tensor& flat, const Block& block) {
    const int64_t start = flat.storage_offset() + block.offset;
    if (block.tall()) return flat.as_strided({block.cols, block.rows}, {1, block.stride}, start);
    return flat.as_strided({block.rows, block.cols}, {block.stride, 1}, start);
  }

  float rate_of(double lr, const Block& block) const {
    return static_cast<float>(lr * scale_of(config_.scale, block));
  }
  bool is_random() const { return config_.spectrum == config::UpdateSpectrum::random; }
  bool is_svd() const { return config_.orthogonalizer == config::Orthogonalizer::svd; }

  config::MuonConfig config_;
  Range range_;
  Coefficients coefficients_;
  at::ScalarType dtype_;
  MomentumForm form_;
  int64_t seed_;
  int64_t step_ = 0;
  std::map<int64_t, std::string> names_;  // of the blocks, by offset: "<parameter>/<head>"
  at::Tensor momentum_;                   // of the range's layout
  at::Tensor workspace_;
  std::vector<std::vector<Block>> groups_;
  std::vector<DeviceGroup> device_groups_;  // on the path cuda
  int64_t num_orthogonalizations_ = 0;
};

}  // namespace

MakeRule::Made MakeRule::operator()(const config::MuonConfig& config) {
  return std::make_unique<Muon>(config, std::move(range), run);
}

}  // namespace muonlab::optim
