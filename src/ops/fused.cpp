#include "ops/fused.hpp"

#include "ops/accumulate_kernel.hpp"

namespace muonlab::ops {

void sum_over_rows(int64_t n, int64_t w, const std::function<void(int64_t, int64_t, float*)>& f,
                   float* total) {
  const int64_t block = (n + kRowBlocks - 1) / kRowBlocks;
  std::vector<float> partials(static_cast<size_t>(kRowBlocks * w), 0.0f);
  at::parallel_for(0, kRowBlocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = std::min(n, i * block), end = std::min(n, begin + block);
      if (begin < end) f(begin, end, partials.data() + i * w);
    }
  });
  for (int64_t i = 0; i < kRowBlocks; ++i) accumulate(total, partials.data() + i * w, 1.0f, 0, w);
}

void accumulate_into(const at::Tensor& y, const at::Tensor& x, double scale) {
  base::check(y.numel() == x.numel(), "accumulate: lengths differ");
  dispatch(x.scalar_type(), [&]<class T>(T*) {
    float* to = data<float>(y);
    const T* from = const_data<T>(x);
    for_rows(y.numel(), 1, [&](int64_t begin, int64_t end) {
      accumulate(to, from, static_cast<float>(scale), begin, end);
    });
  });
}

}  // namespace muonlab::ops
