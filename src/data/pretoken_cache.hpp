// Ids of the pretokens met so far, one map a thread; natural text repeats itself. About 15 MB when
// full.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace muonlab::data {

class PretokenCache {
 public:
  // A number that no other tokenizer of this process has.
  static uint64_t new_owner() {
    static std::atomic<uint64_t> next{1};
    return next++;
  }
  // This thread's, emptied where another tokenizer used it last.
  static PretokenCache& of(uint64_t owner) {
    static thread_local PretokenCache cache;
    if (cache.owner_ != owner) {
      cache.clear();
      cache.owner_ = owner;
    }
    return cache;
  }

  // Appends the ids of a pretoken; make(pretoken, ids) appends them where they are not known yet.
  template <class Make>
  void append(std::string_view pretoken, std::vector<int32_t>& ids, const Make& make) {
    auto found = ranges_.find(pretoken);
    if (found == ranges_.end()) {
      if (ranges_.size() >= kMaxEntries) clear();
      const auto first = static_cast<uint32_t>(ids_.size());
      make(pretoken, ids_);
      const Range range{first, static_cast<uint32_t>(ids_.size()) - first};
      found = ranges_.emplace(pretoken, range).first;
    }
    const int32_t* first = ids_.data() + found->second.first;
    ids.insert(ids.end(), first, first + found->second.count);
  }

 private:
  static constexpr size_t kMaxEntries = 1 << 17;
  struct Range {
    uint32_t first, count;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  void clear() {
    ranges_.clear();
    ids_.clear();
  }

  uint64_t owner_ = 0;
  std::unordered_map<std::string, Range, TextHash, std::equal_to<>> ranges_;
  std::vector<int32_t> ids_;
};

}  // namespace muonlab::data
