#include "muonlab/record/event_file.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace muonlab::record {
namespace {

static_assert(std::endian::native == std::endian::little);

// A record: length (8 bytes), its checksum (4), the data, their checksum (4).
constexpr uint64_t kHeaderBytes = 12, kFooterBytes = 4;
constexpr std::string_view kVersion = "brain.Event:2";

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}();

uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8u; }

template <class T>
void append_bytes(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T bytes_at(std::string_view text, size_t offset) {
  T value;
  std::memcpy(&value, text.data() + offset, sizeof value);
  return value;
}

// The encoding of protocol buffers: a key (field number, wire type), then the value.
enum class Wire : uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void key(std::string& out, uint32_t field, Wire wire) {
  varint(out, field << 3 | static_cast<uint32_t>(wire));
}

void number_field(std::string& out, uint32_t field, double value) {
  key(out, field, Wire::fixed64);
  append_bytes(out, value);
}

void bytes_field(std::string& out, uint32_t field, std::string_view bytes) {
  key(out, field, Wire::bytes);
  varint(out, bytes.size());
  out += bytes;
}

void numbers_field(std::string& out, uint32_t field, const std::vector<double>& values) {
  bytes_field(out, field,
              {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)});
}

std::string histogram_message(const EventHistogram& histogram) {
  std::string out;
  number_field(out, 1, histogram.min);
  number_field(out, 2, histogram.max);
  number_field(out, 3, histogram.num);
  number_field(out, 4, histogram.sum);
  number_field(out, 5, histogram.sum_squares);
  numbers_field(out, 6, histogram.limits);
  numbers_field(out, 7, histogram.counts);
  return out;
}

std::string value_message(const EventValue& value) {
  std::string out;
  bytes_field(out, 1, value.tag);
  if (const auto* number = std::get_if<double>(&value.value)) {
    key(out, 2, Wire::fixed32);
    append_bytes(out, static_cast<float>(*number));
  } else {
    bytes_field(out, 5, histogram_message(std::get<EventHistogram>(value.value)));
  }
  return out;
}

// The step of an event that add() wrote: the field after the wall time. Events without one are of
// step 0.
int64_t step_of(std::string_view event) {
  constexpr size_t kStepKey = 9;  // after the key and the 8 bytes of the wall time
  if (event.size() <= kStepKey || event[kStepKey] != (2 << 3)) return 0;
  uint64_t step = 0;
  for (size_t i = kStepKey + 1, shift = 0; i < event.size() && shift < 64; ++i, shift += 7) {
    step |= static_cast<uint64_t>(event[i] & 0x7f) << shift;
    if (!(event[i] & 0x80)) break;
  }
  return static_cast<int64_t>(step);
}

struct Kept {
  uint64_t bytes = 0;
  int64_t last_step = -1;
};

// The whole records up to a step. A record of another length or checksum than it says ends them.
Kept records_up_to(const std::string& path, int64_t step, base::FileSystem& files) {
  Kept kept;
  const uint64_t size = files.size(path);
  std::string data;
  for (uint64_t at = 0; at + kHeaderBytes + kFooterBytes <= size;) {
    std::string header(kHeaderBytes, '\0');
    if (files.read(path, at, std::as_writable_bytes(std::span(header))) < kHeaderBytes) break;
    const auto length = bytes_at<uint64_t>(header, 0);
    if (bytes_at<uint32_t>(header, 8) != masked_crc(std::string_view(header).substr(0, 8))) break;
    if (length > size - at - kHeaderBytes - kFooterBytes) break;
    data.resize(length + kFooterBytes);
    if (files.read(path, at + kHeaderBytes, std::as_writable_bytes(std::span(data))) < data.size())
      break;
    const std::string_view event = std::string_view(data).substr(0, length);
    if (bytes_at<uint32_t>(data, length) != masked_crc(event)) break;
    const bool is_first = at == 0;  // names the format's version, and no step
    const int64_t event_step = step_of(event);
    if (!is_first && event_step > step) break;
    at += kHeaderBytes + length + kFooterBytes;
    kept.bytes = at;
    if (!is_first) kept.last_step = event_step;
  }
  return kept;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes)
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  return ~crc;
}

EventFile::EventFile(std::string path, int64_t keep_step, base::FileSystem& files) {
  Kept kept;
  const bool present = files.exists(path);
  if (present && keep_step >= 0) kept = records_up_to(path, keep_step, files);
  if (present && kept.bytes < files.size(path)) files.truncate(path, kept.bytes);
  last_step_ = kept.last_step;
  file_ = files.append(path);
  if (!present) files.sync_directory(base::parent_path(path));
  if (kept.bytes > 0) return;
  std::string event;
  number_field(event, 1, 0.0);
  bytes_field(event, 3, kVersion);
  append_record(event);
}

void EventFile::add(int64_t step, double wall_time_s, std::span<const EventValue> values) {
  std::string event, summary;
  number_field(event, 1, wall_time_s);
  key(event, 2, Wire::varint);
  varint(event, static_cast<uint64_t>(step));
  for (const EventValue& value : values) bytes_field(summary, 1, value_message(value));
  bytes_field(event, 5, summary);
  append_record(event);
}

void EventFile::append_record(const std::string& data) {
  std::string record;
  append_bytes(record, static_cast<uint64_t>(data.size()));
  append_bytes(record, masked_crc(record));
  record += data;
  append_bytes(record, masked_crc(data));
  file_->write_text(record);
}

void EventFile::sync() { file_->sync(); }

}  // namespace muonlab::record
