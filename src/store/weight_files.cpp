#include "muonlab/store/weight_files.hpp"

#include <cstdio>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::store {
namespace {

constexpr size_t kMaxIndexBytes = size_t{1} << 28;

// By file, the names of its tensors.
using Placement = std::map<std::string, std::vector<std::string>>;

Placement read_index(const std::string& path, base::FileSystem& files) {
  if (files.size(path) > kMaxIndexBytes)
    throw base::Error(path, ": is larger than an index of tensors can be");
  const auto json = nlohmann::json::parse(base::read_text(path, files), nullptr, false);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object() || map->empty()) {
    throw base::Error(path, ": holds no \"weight_map\" of tensors; the file is damaged, get it ",
                      "again");
  }
  Placement placement;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !base::is_bare_name(file.get<std::string>())) {
      throw base::Error(path, ": weight_map: tensor \"", base::clip_text(tensor, 80),
                        "\" is not in a file beside the index; the index is damaged");
    }
    placement[file.get<std::string>()].push_back(tensor);
  }
  return placement;
}

void visit_listed(const std::string& index, const std::string& path,
                  const std::vector<std::string>& listed, const VisitTensor& visit,
                  base::FileSystem& files) {
  if (!files.exists(path)) {
    throw base::Error(path, ": is missing, and ", index, " says that it holds ", listed.size(),
                      " tensors; get the folder again");
  }
  const SafetensorsFile file(path, files);
  for (const std::string& name : listed) visit(file.at(name), path);
  if (file.tensors().size() == listed.size()) return;
  const std::set<std::string> known(listed.begin(), listed.end());
  for (const TensorView& tensor : file.tensors()) {
    if (!known.contains(tensor.name)) {
      throw base::Error(path, ": holds the tensor \"", base::clip_text(tensor.name, 80),
                        "\", which ", index, " does not place there; get the folder again");
    }
  }
}

std::string other_weights(const std::string& folder, base::FileSystem& files) {
  for (const std::string& name : files.list(folder)) {
    if (name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth")) return name;
  }
  return "";
}

}  // namespace

bool has_weight_files(const std::string& folder, base::FileSystem& files) {
  return files.exists(base::join_path(folder, kWeightsFile)) ||
         files.exists(base::join_path(folder, kWeightsIndex));
}

void each_weight(const std::string& folder, const VisitTensor& visit, base::FileSystem& files) {
  const std::string whole = base::join_path(folder, kWeightsFile);
  const std::string index = base::join_path(folder, kWeightsIndex);
  if (files.exists(whole)) {
    // Both may lie there after a folder was written twice; one of them is old.
    if (files.exists(index)) {
      throw base::Error(folder, ": holds both ", kWeightsFile, " and ", kWeightsIndex,
                        "; remove the one that is not the model's");
    }
    const SafetensorsFile file(whole, files);
    for (const TensorView& tensor : file.tensors()) visit(tensor, whole);
    return;
  }
  if (files.exists(index)) {
    for (const auto& [name, tensors] : read_index(index, files))
      visit_listed(index, base::join_path(folder, name), tensors, visit, files);
    return;
  }
  const std::string other = other_weights(folder, files);
  throw base::Error(folder, ": holds neither ", kWeightsFile, " nor ", kWeightsIndex,
                    other.empty()
                        ? ""
                        : "; " + other +
                              " is read by Python only: load the model there and save it with "
                              "save_pretrained(FOLDER, safe_serialization=True)");
}

std::vector<WeightFile> share_out(const std::vector<TensorView>& tensors, uint64_t max_bytes) {
  std::vector<WeightFile> shares(1);
  uint64_t filled = 0;
  for (const TensorView& tensor : tensors) {
    if (!shares.back().tensors.empty() && filled + tensor.bytes.size() > max_bytes) {
      shares.emplace_back();
      filled = 0;
    }
    shares.back().tensors.push_back(tensor);
    filled += tensor.bytes.size();
  }
  if (shares.size() == 1) {
    shares[0].name = kWeightsFile;
    return shares;
  }
  for (size_t i = 0; i < shares.size(); ++i) {
    char name[64];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, shares.size());
    shares[i].name = name;
  }
  return shares;
}

std::string weights_index(const std::vector<WeightFile>& files) {
  uint64_t total = 0;
  nlohmann::ordered_json map = nlohmann::ordered_json::object();
  for (const WeightFile& file : files) {
    for (const TensorView& tensor : file.tensors) {
      total += tensor.bytes.size();
      map[tensor.name] = file.name;
    }
  }
  const nlohmann::ordered_json index{{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  return index.dump(2) + "\n";
}

}  // namespace muonlab::store
