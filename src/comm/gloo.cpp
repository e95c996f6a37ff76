#include "comm/gloo.hpp"

#ifdef MUONLAB_HAS_GLOO
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif

#include "muonlab/base/error.hpp"

namespace muonlab::comm {

#ifdef MUONLAB_HAS_GLOO

bool has_gloo() { return true; }

c10::intrusive_ptr<c10d::Backend> connect_by_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                                  int rank, int size,
                                                  std::chrono::milliseconds timeout) {
  return c10::make_intrusive<c10d::ProcessGroupGloo>(
      store, rank, size, c10d::ProcessGroupGloo::Options::create_default(timeout));
}

#else

bool has_gloo() { return false; }

c10::intrusive_ptr<c10d::Backend> connect_by_gloo(const c10::intrusive_ptr<c10d::Store>&, int, int,
                                                  std::chrono::milliseconds) {
  throw base::Bug("comm: built without Gloo");
}

#endif

}  // namespace muonlab::comm
