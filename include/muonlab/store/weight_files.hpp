// The weights of a Hugging Face folder: model.safetensors, or the files that
// model.safetensors.index.json lists.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "muonlab/base/file.hpp"
#include "muonlab/store/safetensors.hpp"

namespace muonlab::store {

inline constexpr const char* kWeightsFile = "model.safetensors";
inline constexpr const char* kWeightsIndex = "model.safetensors.index.json";

// Whether the folder holds one of the two.
bool has_weight_files(const std::string& folder,
                      base::FileSystem& files = base::real_file_system());

// Calls visit(tensor, file's path) for every tensor, with one file in memory at a time. Throws
// Error where there are no such files, where the index and the files do not agree on what is where,
// and for a damaged file.
using VisitTensor = std::function<void(const TensorView&, const std::string& path)>;
void each_weight(const std::string& folder, const VisitTensor& visit,
                 base::FileSystem& files = base::real_file_system());

// A file of weights to write, and the tensors that go into it.
struct WeightFile {
  std::string name;
  std::vector<TensorView> tensors;
};
// In one file where they fit into max_bytes, else in several (model-00001-of-00003.safetensors): a
// tensor is never cut, so one that is larger has a file of its own.
std::vector<WeightFile> share_out(const std::vector<TensorView>& tensors, uint64_t max_bytes);
// The text of the index of several files.
std::string weights_index(const std::vector<WeightFile>& files);

}  // namespace muonlab::store
