#include "muonlab/record/run_folder.hpp"

#include "muonlab/base/file.hpp"
#include "muonlab/store/checkpoint.hpp"

namespace muonlab::record {

std::string RunFolder::manifest(int64_t step) const {
  return base::join_path(base::join_path(checkpoints(), store::checkpoint_name(step)),
                         "manifest.json");
}

}  // namespace muonlab::record
