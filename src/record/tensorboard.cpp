#include "muonlab/record/tensorboard.hpp"

#include <chrono>
#include <cmath>
#include <map>

#include "muonlab/base/error.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::record {
namespace {

using Json = nlohmann::json;

double unix_seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// "3" as "03", so that layers are in order where names are sorted.
std::string two_digits(int64_t number) {
  const std::string text = std::to_string(number);
  return text.size() < 2 ? "0" + text : text;
}

void add_number(std::vector<EventValue>& values, const std::string& tag, const Json& number) {
  if (number.is_number() && std::isfinite(number.get<double>()))
    values.push_back({tag, number.get<double>()});
}

void add_validation(std::vector<EventValue>& values, const Json& json, const std::string& set) {
  const std::string suffix = set.empty() ? "" : "_" + set;
  for (const auto& [key, name] : {std::pair{"val_loss", "loss"},
                                  {"val_perplexity", "perplexity"},
                                  {"val_bits_per_byte", "bits_per_byte"}}) {
    if (json.contains(key)) add_number(values, base::str(name, "/validation", suffix), json[key]);
  }
}

void add_metrics(std::vector<EventValue>& values, const Json& line) {
  if (line.contains("val_loss")) {
    add_validation(values, line, "");
    if (!line.contains("sets")) return;
    for (const auto& [set, numbers] : line["sets"].items()) add_validation(values, numbers, set);
    return;
  }
  for (const auto& [key, value] : line.items()) {
    if (key == "step") continue;
    if (key == "lr" && value.is_object()) {
      for (const auto& [optimizer, rate] : value.items())
        add_number(values, "learning_rate/" + optimizer, rate);
    } else {
      add_number(values, key == "loss" ? "loss/train" : "train/" + key, value);
    }
  }
}

// {"min":…,"max":…,"sum":…,"sum_squares":…,"counts":[…]}: counts in equal parts from min to max.
void add_histogram(std::vector<EventValue>& values, const std::string& tag, const Json& json) {
  if (!json.is_object() || !json.contains("counts") || !json["counts"].is_array()) return;
  EventHistogram histogram{.min = number_in(json, "min", 0),
                           .max = number_in(json, "max", 0),
                           .sum = number_in(json, "sum", 0),
                           .sum_squares = number_in(json, "sum_squares", 0)};
  const auto parts = static_cast<double>(json["counts"].size());
  for (const Json& count : json["counts"]) {
    histogram.counts.push_back(count.is_number() ? count.get<double>() : 0);
    histogram.num += histogram.counts.back();
    const double share = static_cast<double>(histogram.counts.size()) / parts;
    histogram.limits.push_back(histogram.min + (histogram.max - histogram.min) * share);
  }
  values.push_back({tag, std::move(histogram)});
}

// A line of a probe: texts, layer, head and group say what was measured, the other numbers how
// much.
void add_probe(std::vector<EventValue>& values, const std::string& source, const Json& line) {
  std::string group = source, label;
  const auto append = [&label](const std::string& text) {
    label += (label.empty() ? "" : "_") + text;
  };
  if (line.contains("of")) group = text_in(line, "of");
  const int64_t layer = line.contains("layer") ? count_in(line, "layer") : -1;
  if (layer >= 0) append("layer_" + two_digits(layer));
  if (layer < 0 && line.contains("block")) append(text_in(line, "block"));
  for (const char* key : {"role", "attribute"})
    if (line.contains(key)) append(text_in(line, key));
  for (const char* key : {"head", "group"})
    if (line.contains(key)) append(base::str(key, "_", two_digits(count_in(line, key))));
  for (const auto& [key, value] : line.items()) {
    if (key == "step" || key == "layer" || key == "head" || key == "group") continue;
    const std::string tag =
        label.empty() ? base::str(group, "/", key) : base::str(group, "_", key, "/", label);
    add_number(values, tag, value);
    if (key == "histogram")
      add_histogram(values, base::str(group, "_singular_values/", label), value);
  }
}

}  // namespace

std::vector<EventValue> event_values(const std::string& source, const Json& line) {
  std::vector<EventValue> values;
  if (source == "metrics") {
    add_metrics(values, line);
  } else if (source == "timing") {
    for (const auto& [key, value] : line.items())
      if (key != "step") add_number(values, "machine/" + key, value);
  } else {
    add_probe(values, source, line);
  }
  return values;
}

TensorBoardLog::TensorBoardLog(const RunFolder& folder, const std::vector<std::string>& sources,
                               int64_t keep_step, base::FileSystem& files)
    : events_(folder.events(), keep_step, files) {
  for (const std::string& name : sources) {
    const std::string path = folder.probe(name);
    sources_.push_back(
        {name, LineFollower(path, files.exists(path) ? files.size(path) : 0, files)});
  }
  if (events_.last_step() < keep_step) add_earlier(folder, keep_step, files);
}

// Of steps that were repeated, timing holds the lines of all passes: the last one counts.
void TensorBoardLog::add_earlier(const RunFolder& folder, int64_t keep_step,
                                 base::FileSystem& files) {
  std::map<int64_t, std::vector<std::pair<std::string, Json>>> by_step;
  std::map<int64_t, Json> timing;
  for (const Source& source : sources_) {
    const std::string path = folder.probe(source.name);
    if (!files.exists(path)) continue;
    LineFollower(path, 0, files).poll([&](const std::string& text) {
      const Json line = Json::parse(text, nullptr, false);
      if (!line.is_object()) return;
      const int64_t step = count_in(line, "step");
      if (step <= events_.last_step() || step > keep_step) return;
      if (source.name == "timing") {
        timing[step] = line;
      } else {
        by_step[step].emplace_back(source.name, line);
      }
    });
  }
  for (auto& [step, line] : timing) by_step[step].emplace_back("timing", std::move(line));
  for (const auto& [step, lines] : by_step)
    for (const auto& [source, line] : lines) add(source, line);
}

void TensorBoardLog::catch_up() {
  for (Source& source : sources_) {
    source.lines.poll([&](const std::string& text) {
      const Json line = Json::parse(text, nullptr, false);
      if (line.is_object()) add(source.name, line);
    });
  }
}

void TensorBoardLog::add(const std::string& source, const Json& line) {
  const std::vector<EventValue> values = event_values(source, line);
  if (!values.empty()) events_.add(count_in(line, "step"), unix_seconds_now(), values);
}

}  // namespace muonlab::record
