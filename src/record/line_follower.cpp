#include "muonlab/record/line_follower.hpp"

namespace muonlab::record {

void LineFollower::read_more() {
  if (!files_.exists(path_)) return;
  const uint64_t size = files_.size(path_);
  if (size < offset_) {
    offset_ = size;
    pending_.clear();
  }
  if (size == offset_) return;
  std::string more(size - offset_, '\0');
  more.resize(files_.read(path_, offset_, std::as_writable_bytes(std::span(more))));
  offset_ += more.size();
  pending_ += more;
}

}  // namespace muonlab::record
