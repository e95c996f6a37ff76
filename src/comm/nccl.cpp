#include "comm/nccl.hpp"

#include <dlfcn.h>

#include "muonlab/base/error.hpp"

namespace muonlab::comm {

c10::intrusive_ptr<c10d::Backend> connect_by_nccl(const c10::intrusive_ptr<c10d::Store>& store,
                                                  int rank, int size) {
  using Connect = c10d::Backend*(const c10::intrusive_ptr<c10d::Store>&, int, int);
  // The plugin was loaded for all to see.
  auto* connect = reinterpret_cast<Connect*>(dlsym(RTLD_DEFAULT, "muonlab_cuda_connect"));
  if (connect == nullptr) {
    throw base::Error("this build's CUDA plugin cannot connect several GPUs, as nccl.h was not ",
                      "found when it was built. Install NCCL's headers (package libnccl-dev, or ",
                      "nvidia-nccl of PyTorch) and build again");
  }
  return c10::intrusive_ptr<c10d::Backend>::reclaim(connect(store, rank, size));
}

}  // namespace muonlab::comm
