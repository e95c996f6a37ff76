#include "muonlab/train/metrics.hpp"

#include <nlohmann/json.hpp>

#include "muonlab/base/cpu.hpp"

namespace muonlab::train {

using Json = nlohmann::ordered_json;

MetricsLog::MetricsLog(const std::string& metrics_path, const std::string& timing_path,
                       int64_t metrics_bytes, std::vector<std::string> optimizer_names,
                       base::FileSystem& files)
    : metrics_(metrics_path, static_cast<uint64_t>(metrics_bytes), files),
      timing_(timing_path, std::nullopt, files),
      optimizer_names_(std::move(optimizer_names)) {}

void MetricsLog::step(const StepRecord& record, int64_t tokens_per_step) {
  Json lr = Json::object();
  for (size_t i = 0; i < optimizer_names_.size(); ++i) lr[optimizer_names_[i]] = record.lr[i];
  Json line{{"step", record.step},
            {"tokens", record.tokens},
            {"loss", record.loss},
            {"grad_norm", record.grad_norm},
            {"lr", lr}};
  if (record.clipped_heads >= 0) line["clipped_heads"] = record.clipped_heads;
  metrics_.write(line.dump());
  timing_.write(Json{{"step", record.step},
                     {"forward_s", record.forward_s},
                     {"backward_s", record.backward_s},
                     {"optimizer_s", record.optimizer_s},
                     {"tokens_per_s", static_cast<double>(tokens_per_step) / record.total_s},
                     {"peak_rss_mb", static_cast<double>(base::peak_rss_bytes()) / 1e6}}
                    .dump());
}

void MetricsLog::evaluation(int64_t step, const Evaluation& evaluation) {
  Json line{{"step", step},
            {"val_loss", evaluation.loss},
            {"val_perplexity", evaluation.perplexity},
            {"val_bits_per_byte", evaluation.bits_per_byte}};
  for (const auto& [name, set] : evaluation.sets) {
    line["sets"][name] = {{"val_loss", set.loss},
                          {"val_perplexity", set.perplexity},
                          {"val_bits_per_byte", set.bits_per_byte}};
  }
  metrics_.write(line.dump());
}

int64_t MetricsLog::sync() {
  timing_.sync();
  metrics_.sync();
  return static_cast<int64_t>(metrics_.size());
}

}  // namespace muonlab::train
