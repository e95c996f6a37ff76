#include "cuda/host_operators.hpp"

#include "cuda/operators.hpp"

namespace muonlab::cuda {
namespace {

struct HostGrid {
  struct Guard {
    explicit Guard(const at::Tensor&) {}
  };

  template <int kSize, class Body>
  static void run(const Body& body, const Launch& how) {
    for (int64_t block = 0; block < how.num_blocks; ++block) {
      HostTeam team(how.lanes, how.scratch_floats);
      body.template run<kSize>(team, block, how.num_blocks);
    }
  }

  template <class Body>
  static void start(const Body& body, const Launch& how) {
    if constexpr (Body::kPacked) {
      if (how.size == kPack) return run<kPack>(body, how);
    }
    run<1>(body, how);
  }
};

}  // namespace

void register_host_operators() {
  static torch::Library library(torch::Library::FRAGMENT, "muonlab", std::nullopt, __FILE__,
                                __LINE__);
  static const bool once = [] {
    define_operators<HostGrid>(library, c10::DispatchKey::CPU);
    return true;
  }();
  (void)once;
}

}  // namespace muonlab::cuda
