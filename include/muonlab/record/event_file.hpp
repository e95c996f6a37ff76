// TensorBoard's event files: records of TensorFlow's TFRecord format, each a protocol buffer Event
// (tensorflow/core/util/event.proto, framework/summary.proto), encoded here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "muonlab/base/file.hpp"

namespace muonlab::record {

struct EventHistogram {
  double min = 0, max = 0, num = 0, sum = 0, sum_squares = 0;
  // counts[i] values lie above limits[i - 1] and at most at limits[i]; as many limits as counts
  std::vector<double> limits{}, counts{};
};

struct EventValue {
  std::string tag;  // "loss/train"
  std::variant<double, EventHistogram> value;
};

// The checksum of the format, CRC-32C (Castagnoli), without the mask that is added to it.
uint32_t crc32c(std::string_view bytes);

// A file that only grows, record by record, each in one write.
class EventFile {
 public:
  // Keeps the whole records with steps up to keep_step that are there and cuts off the rest: later
  // steps, and what a killed process left of a record. -1 starts anew. Steps must come in order.
  EventFile(std::string path, int64_t keep_step,
            base::FileSystem& files = base::real_file_system());

  // wall_time_s: seconds since 1970. A number is stored as a 32-bit float, as the format has it.
  void add(int64_t step, double wall_time_s, std::span<const EventValue> values);
  void sync();
  int64_t last_step() const { return last_step_; }  // of the records that were kept; -1: none

 private:
  void append_record(const std::string& data);

  std::unique_ptr<base::WritableFile> file_;
  int64_t last_step_ = -1;
};

}  // namespace muonlab::record
