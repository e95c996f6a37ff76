#include "ops/gemm.hpp"

#include <memory>
#include <type_traits>

#include "ops/fused.hpp"
#include "ops/gemm_kernel.hpp"

namespace muonlab::ops {
namespace {

// Packing the weight costs more than a product with so few rows, as when a text is generated.
constexpr int64_t kFewRows = 4;

// Memory for packed operands: kept from call to call, so that its pages stay mapped.
class PackBuffer {
 public:
  uint32_t* at_least(int64_t count) {
    if (count > size_) {
      memory_.reset(new (std::align_val_t{64}) uint32_t[static_cast<size_t>(count)]);
      size_ = count;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(uint32_t* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<uint32_t[], Free> memory_;
  int64_t size_ = 0;
};

thread_local PackBuffer panels_buffer, transposed_buffer;

// Pairs of bf16 numbers must not straddle rows.
template <class T>
bool suits(const T* type, int64_t a, int64_t b) {
  return has_gemm_kernel(type) && (units(type, 2) == 2 || (a % 2 == 0 && b % 2 == 0));
}

template <class T, class Pack>
const uint32_t* pack_panels(const T* type, int64_t k, int64_t n, const Pack& pack) {
  uint32_t* panels = panels_buffer.at_least(num_panels(n) * panel_stride(units(type, k)));
  at::parallel_for(0, num_panels(n), 1,
                   [&](int64_t begin, int64_t end) { pack(panels, begin, end); });
  return panels;
}

template <class T, class C>
void run(const Gemm& gemm, const T* type, C* c, int64_t stride, bool add) {
  at::parallel_for(0, gemm.num_tasks(), 1, [&](int64_t begin, int64_t end) {
    multiply(gemm, type, c, stride, add, begin, end);
  });
}

// Sums that follow each other in memory as one, since one large product is faster than two.
std::vector<at::Tensor> joined(std::span<const at::Tensor> sums) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& sum : sums) {
    if (!all.empty() && all.back().is_contiguous() && sum.is_contiguous() &&
        all.back().is_alias_of(sum) &&
        all.back().storage_offset() + all.back().numel() == sum.storage_offset()) {
      const at::Tensor& before = all.back();
      all.back() = before.as_strided({before.size(0) + sum.size(0), before.size(1)},
                                     {before.size(1), 1}, before.storage_offset());
    } else {
      all.push_back(sum);
    }
  }
  return all;
}

// In bf16 the products are summed in fp32, right into the sums.
void add_device_gradient(std::span<const at::Tensor> sums, const at::Tensor& d_y,
                         const at::Tensor& x) {
  int64_t row = 0;
  for (at::Tensor sum : joined(sums)) {
    const at::Tensor d_rows = d_y.narrow(1, row, sum.size(0)).t();
    row += sum.size(0);
    if (x.scalar_type() == at::kFloat) {
      at::addmm_out(sum, sum, d_rows, x);
    } else if (x.is_cuda()) {
      at::addmm_out(sum, sum, d_rows, x, at::kFloat);
    } else {
      at::addmm_out(sum, sum, d_rows.to(at::kFloat), x.to(at::kFloat));
    }
  }
}

// b [k, n]: a [m, k] b
template <class T>
void natural_product(const T* a, const T* b, T* out, int64_t m, int64_t k, int64_t n) {
  const uint32_t* panels = pack_panels(b, k, n, [&](uint32_t* to, int64_t begin, int64_t end) {
    pack_natural(b, n, k, n, to, begin, end);
  });
  run(Gemm{m, n, units(a, k), a, units(a, k), panels}, a, out, n, false);
}

}  // namespace

at::Tensor multiply_transposed(tensor::Path path, const at::Tensor& x, const at::Tensor& w) {
  if (by_plugin(path)) return at::mm(x, w.t());
  const int64_t n = x.size(0), c = x.size(1), r = w.size(0);
  at::Tensor y;
  dispatch(x.scalar_type(), [&]<class T>(T* type) {
    if (!suits(type, c, 0) || (n <= kFewRows && std::is_same_v<T, float>)) {
      y = at::mm(x, w.t());
      return;
    }
    y = at::empty({n, r}, x.options());
    const T *from = const_data<T>(x), *weight = const_data<T>(w);
    const uint32_t* panels = pack_panels(from, c, r, [&](uint32_t* to, int64_t begin, int64_t end) {
      pack_transposed(weight, c, r, c, to, begin, end);
    });
    run(Gemm{n, r, units(from, c), from, units(from, c), panels}, from, data<T>(y), r, false);
  });
  return y;
}

at::Tensor multiply_natural(tensor::Path path, const at::Tensor& d_y, const at::Tensor& w) {
  const at::Tensor out = at::empty({d_y.size(0), w.size(1)}, d_y.options());
  multiply_natural_into(path, out, d_y, w);
  return out;
}

void multiply_natural_into(tensor::Path path, const at::Tensor& out, const at::Tensor& d_y,
                           const at::Tensor& w) {
  if (by_plugin(path)) {
    at::Tensor result = out;
    at::mm_out(result, d_y, w);
    return;
  }
  dispatch(d_y.scalar_type(), [&]<class T>(T* type) {
    if (suits(type, d_y.size(1), 0)) {
      return natural_product(const_data<T>(d_y), const_data<T>(w), data<T>(out), d_y.size(0),
                             d_y.size(1), w.size(1));
    }
    at::Tensor result = out;
    at::mm_out(result, d_y, w);
  });
}

void add_weight_gradient(tensor::Path path, std::span<const at::Tensor> sums, const at::Tensor& d_y,
                         const at::Tensor& x) {
  if (by_plugin(path)) return add_device_gradient(sums, d_y, x);
  const int64_t n = x.size(0), r = d_y.size(1), c = x.size(1);
  dispatch(x.scalar_type(), [&]<class T>(T* type) {
    if (!suits(type, 0, 0)) {
      const bool is_fp32 = x.scalar_type() == at::kFloat;
      const at::Tensor product = is_fp32 ? at::Tensor() : at::mm(d_y.t(), x);
      int64_t row = 0;
      for (at::Tensor sum : sums) {
        const int64_t count = sum.size(0);
        if (is_fp32) {
          at::addmm_out(sum, sum, d_y.narrow(1, row, count).t(), x);
        } else {
          accumulate_into(sum, product.narrow(0, row, count));
        }
        row += count;
      }
      return;
    }
    const T *gradient = const_data<T>(d_y), *input = const_data<T>(x);
    const uint32_t* panels =
        pack_panels(input, n, c, [&](uint32_t* to, int64_t begin, int64_t end) {
          pack_natural(input, c, n, c, to, begin, end);
        });
    const int64_t k_units = units(input, n), stride = transposed_a_stride(k_units),
                  blocks = (r + 15) / 16;
    uint32_t* transposed = transposed_buffer.at_least(16 * blocks * stride);
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      pack_transposed_a(gradient, r, n, r, transposed, begin, end);
    });
    int64_t row = 0;
    for (const at::Tensor& sum : sums) {
      const int64_t count = sum.size(0);
      run(Gemm{count, c, k_units, transposed + row * stride, stride, panels}, input,
          data<float>(sum), c, true);
      row += count;
    }
  });
}

}  // namespace muonlab::ops
