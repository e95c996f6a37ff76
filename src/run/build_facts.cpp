#include "build_facts.hpp"

#include <array>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/ops/attention_choice.hpp"
#include "muonlab/tensor/path.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::run {
namespace {

constexpr std::array<const char*, 8> kFacts{"muonlab",  "commit",    "compiler",
                                            "libtorch", "processor", "instruction_sets",
                                            "without",  "attention"};

}  // namespace

std::map<std::string, std::string> build_facts() {
  std::map<std::string, std::string> facts{{"muonlab", MUONLAB_VERSION},
                                           {"commit", MUONLAB_COMMIT},
                                           {"compiler", base::str("g++ ", __VERSION__)},
                                           {"libtorch", tensor::libtorch_info().version},
                                           {"processor", base::cpu_model()},
                                           {"instruction_sets", base::isa_summary()}};
  // Instruction sets that the environment hides, so that other kernels run.
  const char* hidden = std::getenv("MUONLAB_WITHOUT");
  if (hidden != nullptr && *hidden != '\0') facts["without"] = hidden;
  // Of LibTorch's kernels on a GPU; earlier versions noted nothing for the usual one.
  if (ops::gpu_attention() != ops::GpuAttention::flash)
    facts["attention"] = ops::gpu_attention_name(ops::gpu_attention());
  return facts;
}

std::string build_json(const Prepared& prepared) {
  nlohmann::ordered_json json;
  const std::map<std::string, std::string> facts = build_facts();
  for (const char* name : kFacts) {
    if (const auto fact = facts.find(name); fact != facts.end()) json[name] = fact->second;
  }
  json["device"] = prepared.config.device == config::Device::cuda ? "cuda" : "cpu";
  json["path"] = tensor::path_name(prepared.place.path);
  json["threads"] = *prepared.config.threads;
  if (prepared.processes > 1) json["processes"] = prepared.processes;
  if (prepared.place.device.is_cuda()) {
    json["gpu"] = tensor::plugin::gpu().name;
    if (!prepared.attention.empty()) json["attention_measured"] = prepared.attention;
    // Which of several; of a sweep's cell the sweep said it.
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    if (visible != nullptr) json["visible_devices"] = visible;
  }
  return json.dump(2) + "\n";
}

std::map<std::string, std::string> parse_build_facts(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  std::map<std::string, std::string> facts;
  if (!json.is_object()) return facts;
  for (const char* name : kFacts) {
    if (const auto fact = json.find(name); fact != json.end() && fact->is_string())
      facts[name] = fact->get<std::string>();
  }
  return facts;
}

}  // namespace muonlab::run
