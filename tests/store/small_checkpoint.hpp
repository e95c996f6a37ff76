// Checkpoints a few kilobytes large, whose every byte follows from their step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "muonlab/store/checkpoint.hpp"

namespace muonlab::store {

inline constexpr const char* kFolder = "runs/a/checkpoints";

inline std::string path_of(int64_t step) { return base::join_path(kFolder, checkpoint_name(step)); }

inline std::vector<float> small_values(int64_t step, size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(step) + static_cast<float>(i) * 0.25f;
  return values;
}

// Saves step's checkpoint; `count` floats in the model, as many in the optimizer. `variant` makes
// other bytes.
inline void save_small(base::FileSystem& files, const std::string& folder, int64_t step,
                       size_t count = 24, int64_t variant = 0) {
  const std::vector<float> values = small_values(step + variant, count);
  const std::vector<int32_t> counters{static_cast<int32_t>(step)};
  CheckpointWriter writer(files, folder, step);
  writer.add_safetensors(
      "model.safetensors",
      {{"w", "F32", {static_cast<int64_t>(count)}, std::as_bytes(std::span(values))}});
  writer.add_file("config.json", "{\"architectures\": [\"LlamaForCausalLM\"]}\n");
  writer.add_safetensors(
      "optimizer.safetensors",
      {{"w.moment", "F32", {static_cast<int64_t>(count)}, std::as_bytes(std::span(values))},
       {"step", "I32", {}, std::as_bytes(std::span(counters))}});
  writer.add_file("trainer.json",
                  base::str("{\"step\": ", step, ", \"variant\": ", variant, "}\n"));
  writer.commit();
}

// Every file of a checkpoint folder by name, the manifest included.
inline std::map<std::string, std::string> contents_of(base::FileSystem& files,
                                                      const std::string& path) {
  std::map<std::string, std::string> contents;
  for (const std::string& name : files.list(path))
    contents[name] = base::read_text(base::join_path(path, name), files);
  return contents;
}

}  // namespace muonlab::store
