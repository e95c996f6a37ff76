#include "optim/panels.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "optim/panel_kernels.hpp"

namespace muonlab::optim {
namespace {

int64_t parts(int64_t value, int64_t unit) { return (value + unit - 1) / unit; }

// Rows or columns of panel q of n, rounded up to whole vectors.
int64_t extent(int64_t n, int64_t q) { return parts(std::min(kPanel, n - q * kPanel), 16) * 16; }

// A matrix in panels: `outer` rows, each `inner` long.
template <class Word>
struct Panels {
  int64_t outer, inner;
  Word* data = nullptr;

  int64_t inner_words() const { return parts(inner, Word::kColumns); }
  // of a panel, in words
  int64_t stride() const { return parts(inner, kPanel) * kPanel / Word::kColumns * kPanel; }
  int64_t size() const { return parts(outer, kPanel) * stride(); }
  Word* panel(int64_t q) const { return data + q * stride(); }
  // Where the columns of panel p begin in panel q.
  Word* part(int64_t q, int64_t p) const { return panel(q) + p * kPanel / Word::kColumns * kPanel; }
};

// One matrix X [s, l] on its way through the iterations.
template <class Word>
class PanelIteration {
 public:
  PanelIteration(int64_t s, int64_t l, void* workspace)
      : s_(s), l_(l), gram_{s, s}, poly_{s, s}, rows_{s, l}, columns_{l, s}, next_{l, s} {
    auto* memory = static_cast<Word*>(workspace);
    for (Panels<Word>* panels : {&gram_, &poly_, &rows_, &columns_, &next_}) {
      panels->data = memory;
      if (memory) memory += panels->size();
    }
  }

  int64_t workspace_bytes() const {
    const int64_t words =
        gram_.size() + poly_.size() + rows_.size() + columns_.size() + next_.size();
    return words * static_cast<int64_t>(sizeof(Word));
  }

  // From and to row-major numbers [s, l].
  void pack(void* x) {
    for_squares(x, [](const PanelSquare<Word>& square) { pack_square(square); });
  }
  void unpack(void* x) {
    for_squares(x, [](const PanelSquare<Word>& square) { unpack_square(square); });
  }

  // The tasks of each product are independent of each other; a product needs the one before it
  // complete.
  int64_t num_triangle_tasks() const { return parts(s_, kPanel) * (parts(s_, kPanel) + 1) / 2; }
  int64_t num_apply_tasks() const { return parts(l_, kPanel); }

  // gram = X Xᵀ, then poly = b gram + c gram²; the lower triangle of panels, mirrored.
  void gram_task(int64_t task) { triangle_task(task, rows_, 1.0f, nullptr, 0.0f, gram_); }
  void poly_task(int64_t task, const Triple& t) {
    triangle_task(task, gram_, static_cast<float>(t.c), &gram_, static_cast<float>(t.b), poly_);
  }
  // X <- a X + poly X, a panel of columns.
  void apply_task(int64_t q, const Triple& t, bool last) {
    for (int64_t i = 0; i < parts(s_, kPanel); ++i) {
      multiply_panels(PanelProduct<Word>{.left = poly_.panel(i),
                                         .right = columns_.panel(q),
                                         .words = poly_.inner_words(),
                                         .rows = extent(s_, i),
                                         .cols = extent(l_, q),
                                         .alpha = 1.0f,
                                         .beta = static_cast<float>(t.a),
                                         .added = columns_.part(q, i),
                                         .by_columns = next_.part(q, i),
                                         .by_rows = last ? nullptr : rows_.part(i, q)});
    }
  }
  void finish_iteration() { std::swap(columns_, next_); }

 private:
  void triangle_task(int64_t task, const Panels<Word>& from, float alpha, const Panels<Word>* added,
                     float beta, const Panels<Word>& to) {
    int64_t i = 0;
    while (task > i) task -= ++i;
    const int64_t j = task;  // i >= j
    multiply_panels(PanelProduct<Word>{.left = from.panel(i),
                                       .right = from.panel(j),
                                       .words = from.inner_words(),
                                       .rows = extent(s_, i),
                                       .cols = extent(s_, j),
                                       .alpha = alpha,
                                       .beta = beta,
                                       .added = added ? added->part(j, i) : nullptr,
                                       .by_columns = to.part(j, i),
                                       .by_rows = i > j ? to.part(i, j) : nullptr});
  }

  template <class Use>
  void for_squares(void* row_major, Use&& use) {
    auto* x = static_cast<typename Word::Number*>(row_major);
    for (int64_t i = 0; i < parts(s_, kPanel); ++i) {
      for (int64_t q = 0; q < parts(l_, kPanel); ++q) {
        use(PanelSquare<Word>{.numbers = x + i * kPanel * l_ + q * kPanel,
                              .stride = l_,
                              .rows = std::min(kPanel, s_ - i * kPanel),
                              .cols = std::min(kPanel, l_ - q * kPanel),
                              .by_columns = columns_.part(q, i),
                              .by_rows = rows_.part(i, q)});
      }
    }
  }

  int64_t s_, l_;
  Panels<Word> gram_, poly_;
  Panels<Word> rows_, columns_;  // X by its rows and by its columns
  Panels<Word> next_;            // by its columns, being written
};

template <class Word>
void iterate_alone(PanelIteration<Word>& x, const Coefficients& coefficients) {
  for (const Triple& t : coefficients.steps) {
    for (int64_t i = 0; i < x.num_triangle_tasks(); ++i) x.gram_task(i);
    for (int64_t i = 0; i < x.num_triangle_tasks(); ++i) x.poly_task(i, t);
    for (int64_t i = 0; i < x.num_apply_tasks(); ++i)
      x.apply_task(i, t, &t == &coefficients.steps.back());
    x.finish_iteration();
  }
}

// The same with the threads sharing each product, for fewer matrices than threads.
template <class Word>
void iterate_together(std::vector<PanelIteration<Word>>& xs, const Coefficients& coefficients) {
  const auto share = [&](int64_t tasks, const auto& run) {
    at::parallel_for(0, static_cast<int64_t>(xs.size()) * tasks, 1,
                     [&](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i)
                         run(xs[static_cast<size_t>(i / tasks)], i % tasks);
                     });
  };
  for (const Triple& t : coefficients.steps) {
    const bool last = &t == &coefficients.steps.back();
    share(xs.front().num_triangle_tasks(), [&](auto& x, int64_t i) { x.gram_task(i); });
    share(xs.front().num_triangle_tasks(), [&](auto& x, int64_t i) { x.poly_task(i, t); });
    share(xs.front().num_apply_tasks(), [&](auto& x, int64_t i) { x.apply_task(i, t, last); });
    for (auto& x : xs) x.finish_iteration();
  }
}

template <class T>
struct WordFor;
template <>
struct WordFor<float> {
  using Word = FloatWord;
};
template <>
struct WordFor<at::BFloat16> {
  using Word = PairWord;
};
template <class T>
using Iteration = PanelIteration<typename WordFor<T>::Word>;

uint8_t* grown(at::Tensor& workspace, int64_t bytes) {
  if (!workspace.defined() || workspace.numel() < bytes) workspace = at::empty({bytes}, at::kByte);
  return workspace.mutable_data_ptr<uint8_t>();
}

template <class T>
void run(const at::Tensor& x_nsl, const Coefficients& coefficients, at::Tensor& workspace) {
  const int64_t n = x_nsl.size(0), s = x_nsl.size(1), l = x_nsl.size(2),
                threads = at::get_num_threads();
  const int64_t bytes = panel_workspace_bytes<T>(s, l);
  T* x = x_nsl.mutable_data_ptr<T>();
  if (n >= threads) {
    uint8_t* memory = grown(workspace, threads * bytes);
    at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        newton_schulz_panels_alone(x + i * s * l, s, l, coefficients,
                                   memory + at::get_thread_num() * bytes);
      }
    });
    return;
  }
  uint8_t* memory = grown(workspace, n * bytes);
  std::vector<Iteration<T>> matrices;
  matrices.reserve(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    matrices.emplace_back(s, l, memory + i * bytes).pack(x + i * s * l);
  iterate_together(matrices, coefficients);
  for (int64_t i = 0; i < n; ++i) matrices[static_cast<size_t>(i)].unpack(x + i * s * l);
}

}  // namespace

template <class T>
int64_t panel_workspace_bytes(int64_t s, int64_t l) {
  return Iteration<T>(s, l, nullptr).workspace_bytes();
}

template <class T>
void newton_schulz_panels_alone(T* x, int64_t s, int64_t l, const Coefficients& coefficients,
                                void* workspace) {
  Iteration<T> iteration(s, l, workspace);
  iteration.pack(x);
  iterate_alone(iteration, coefficients);
  iteration.unpack(x);
}

template int64_t panel_workspace_bytes<float>(int64_t, int64_t);
template int64_t panel_workspace_bytes<at::BFloat16>(int64_t, int64_t);
template void newton_schulz_panels_alone(float*, int64_t, int64_t, const Coefficients&, void*);
template void newton_schulz_panels_alone(at::BFloat16*, int64_t, int64_t, const Coefficients&,
                                         void*);

bool panels_available() {
  static const bool available = panel_kernels_built() && base::has_instruction_set("avx512f") &&
                                base::has_instruction_set("avx512_bf16") &&
                                !base::has_instruction_set("amx_bf16");
  return available;
}

void newton_schulz_panels(const at::Tensor& x_nsl, const Coefficients& coefficients,
                          at::Tensor& workspace) {
  base::check(x_nsl.is_contiguous() && x_nsl.dim() == 3, "panels: expected a contiguous [n, s, l]");
  if (x_nsl.numel() == 0 || coefficients.steps.empty()) return;
  if (x_nsl.scalar_type() == at::kBFloat16)
    return run<at::BFloat16>(x_nsl, coefficients, workspace);
  base::check(x_nsl.scalar_type() == at::kFloat, "panels: expected fp32 or bf16");
  run<float>(x_nsl, coefficients, workspace);
}

}  // namespace muonlab::optim
