#include "data/megatron_index.hpp"

#include <cstring>
#include <string_view>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::data {

namespace {

constexpr std::string_view kMagic{"MMIDIDX\0\0", 9};
constexpr size_t kHeaderBytes = 34;

template <class T>
T number_at(std::string_view bytes, uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

MegatronIndex read_megatron_index(const std::string& path) {
  const auto refuse = [&](const auto&... what) {
    throw base::Error(path, ": ", what..., "; the index is damaged or was cut, get it again");
  };
  const std::string bytes = base::read_text(path);
  if (bytes.starts_with("TNTIDX")) {
    throw base::Error(path,
                      ": an index of the old kind TNTIDX, which muonlab does not support; "
                      "make it again with --dataset-impl mmap");
  }
  if (!bytes.starts_with(kMagic)) refuse("does not begin with MMIDIDX");
  if (bytes.size() < kHeaderBytes) refuse("ends within its header of 34 bytes");
  if (const auto version = number_at<uint64_t>(bytes, 9); version != 1)
    refuse("version (offset 9) is ", version, ", not 1");
  const auto code = number_at<uint8_t>(bytes, 17);
  if (code != 4 && code != 8) {
    throw base::Error(path, ": its ids have the type ", int{code},
                      " (offset 17), which muonlab does not support: 8 is uint16, 4 is int32");
  }
  const auto sequences = number_at<uint64_t>(bytes, 18), documents = number_at<uint64_t>(bytes, 26);
  const uint64_t room = bytes.size() - kHeaderBytes;
  if (sequences > room / 12 || documents > room / 8) {
    refuse("names ", sequences, " sequences and ", documents, " documents, but has ", room,
           " bytes for them");
  }
  const uint64_t needed = sequences * 12 + documents * 8;
  if (room != needed && room != needed + sequences)  // the latter with modes
    refuse("has ", room, " bytes behind its header, not ", needed);
  MegatronIndex index;
  index.id_bytes = code == 8 ? 2 : 4;
  const uint64_t pointers = kHeaderBytes + sequences * 4;
  for (uint64_t i = 0; i < sequences; ++i) {
    const auto length = number_at<int32_t>(bytes, kHeaderBytes + i * 4);
    if (length < 0) refuse("sequence ", i, " has the length ", length);
    const auto pointer = number_at<int64_t>(bytes, pointers + i * 8);
    if (pointer < 0 || static_cast<uint64_t>(pointer) != index.num_tokens * index.id_bytes) {
      refuse("sequence ", i, " lies at byte ", pointer, ", not behind the one before it, at ",
             index.num_tokens * index.id_bytes);
    }
    index.num_tokens += static_cast<uint64_t>(length);
  }
  const uint64_t list = pointers + sequences * 8;
  int64_t last = 0;
  for (uint64_t i = 0; i < documents; ++i) {
    const auto first = number_at<int64_t>(bytes, list + i * 8);
    if (first < last || static_cast<uint64_t>(first) > sequences || (i == 0 && first != 0))
      refuse("document ", i, " begins with the sequence ", first);
    last = first;
  }
  return index;
}

}  // namespace muonlab::data
