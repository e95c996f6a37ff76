#include "store/safetensors_header.hpp"

#include <iterator>
#include <limits>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "muonlab/base/text.hpp"

namespace muonlab::store {
namespace {

constexpr size_t kMaxDimensions = 64;

// Counts what the parser has consumed, so that events know where they are in the file.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, uint64_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  uint64_t* count_;
};

// Receives the parser's events. Anything but the four levels of the format is refused on sight, so
// depth and memory are bounded whatever the file says.
class HeaderEvents {
 public:
  HeaderEvents(const std::string& path, const uint64_t& position)
      : path_(path), position_(position) {}

  Header take() { return std::move(header_); }

  bool start_object(size_t) {
    if (level_ == Level::outside) {
      level_ = Level::root;
    } else if (level_ == Level::root && tensor_ == "__metadata__") {
      level_ = Level::metadata;
    } else if (level_ == Level::root) {
      level_ = Level::tensor;
      entry_ = {};
      has_dtype_ = has_shape_ = has_offsets_ = false;
    } else {
      fail("an object where none belongs");
    }
    return true;
  }

  bool end_object() {
    if (level_ == Level::tensor) finish_tensor();
    level_ = level_ == Level::root ? Level::outside : Level::root;
    if (level_ == Level::root) tensor_.clear(), field_.clear(), in_entry_ = false;
    return true;
  }

  bool key(std::string& name) {
    if (level_ == Level::root) {
      tensor_ = name;
      in_entry_ = true;
      if (!names_.insert(name).second) fail("the name appears twice");
    } else if (level_ == Level::metadata) {
      field_ = name;
      if (header_.metadata.count(name) != 0) fail("the key appears twice");
    } else {
      field_ = name;
      bool* seen = name == "dtype"          ? &has_dtype_
                   : name == "shape"        ? &has_shape_
                   : name == "data_offsets" ? &has_offsets_
                                            : nullptr;
      if (!seen) fail("no such field in the format; dtype, shape and data_offsets are");
      if (*seen) fail("the field appears twice");
      *seen = true;
    }
    return true;
  }

  bool string(std::string& value) {
    if (level_ == Level::metadata) {
      header_.metadata.emplace(field_, value);
    } else if (level_ == Level::tensor && field_ == "dtype") {
      if (value == "F4" || value == "F6_E2M3" || value == "F6_E3M2") refuse_packed(value);
      if (dtype_size(value) == 0) fail("unknown type \"" + base::clip_text(value, 20) + "\"");
      entry_.view.dtype = value;
    } else {
      fail("a string where none belongs");
    }
    return true;
  }

  bool start_array(size_t) {
    if (level_ != Level::tensor || field_ == "dtype") fail("an array where none belongs");
    level_ = field_ == "shape" ? Level::shape : Level::offsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() {
    if (level_ == Level::offsets && offsets_ != 2) fail("expected two numbers, begin and end");
    level_ = Level::tensor;
    return true;
  }

  bool number_unsigned(uint64_t value) {
    if (level_ == Level::shape) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        fail("an extent is too large");
      }
      if (entry_.view.shape.size() == kMaxDimensions) fail("more than 64 dimensions");
      entry_.view.shape.push_back(static_cast<int64_t>(value));
    } else if (level_ == Level::offsets && offsets_ < 2) {
      (offsets_ == 0 ? entry_.begin : entry_.end) = value;
      ++offsets_;
    } else {
      fail(level_ == Level::offsets ? "expected two numbers, begin and end"
                                    : "a number where none belongs");
    }
    return true;
  }

  bool number_integer(int64_t) { fail("a negative number"); }
  bool number_float(double, const std::string& text) {
    fail("not a whole number below 2^64: " + base::clip_text(text, 24));
  }
  bool null() { fail("null where a value belongs"); }
  bool boolean(bool) { fail("true or false where none belongs"); }
  bool binary(nlohmann::json::binary_t&) { fail("binary data where none belong"); }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) {
    tensor_.clear(), field_.clear(), in_entry_ = false;
    fail("the header is not valid JSON in UTF-8");
  }

  [[noreturn]] void fail(const std::string& what) const {
    std::string where;
    if (in_entry_) where += "tensor \"" + base::clip_text(tensor_, 80) + "\": ";
    if (!field_.empty()) where += base::clip_text(field_, 40) + ": ";
    throw base::Error(path_, ": ", where, what, " (byte ", position_,
                      "); the file is damaged or no safetensors file");
  }

 private:
  enum class Level { outside, root, metadata, tensor, shape, offsets };

  [[noreturn]] void refuse_packed(const std::string& dtype) const {
    throw base::Error(path_, ": tensor \"", base::clip_text(tensor_, 80), "\": has the type ",
                      dtype,
                      ", whose numbers are parts of bytes; muonlab does not read it. Convert the "
                      "model to BF16 or F32");
  }

  void finish_tensor() {
    field_.clear();
    if (!has_dtype_ || !has_shape_ || !has_offsets_) {
      fail(base::str("the field ",
                     !has_dtype_   ? "dtype"
                     : !has_shape_ ? "shape"
                                   : "data_offsets",
                     " is missing"));
    }
    if (entry_.begin > entry_.end) {
      field_ = "data_offsets";
      fail(base::str("begin ", entry_.begin, " is behind end ", entry_.end));
    }
    const auto bytes = tensor_bytes(entry_.view.dtype, entry_.view.shape);
    if (!bytes) {
      field_ = "shape";
      fail("the number of bytes does not fit into 64 bits");
    }
    if (*bytes != entry_.end - entry_.begin) {
      field_ = "data_offsets";
      fail(base::str("the range holds ", entry_.end - entry_.begin,
                     " bytes, but shape and dtype ask for ", *bytes));
    }
    entry_.view.name = tensor_;
    entry_.position = position_;
    header_.tensors.push_back(std::move(entry_));
  }

  const std::string& path_;
  const uint64_t& position_;
  Header header_;
  Level level_ = Level::outside;
  std::string tensor_, field_;
  bool in_entry_ = false;
  std::unordered_set<std::string> names_;
  HeaderTensor entry_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  int offsets_ = 0;
};

}  // namespace

Header parse_header(const std::string& path, std::string_view json, uint64_t offset) {
  uint64_t position = offset;
  HeaderEvents events(path, position);
  if (json.empty() || json.front() != '{') events.fail("the header does not start with {");
  // The parser takes a NUL byte for the end of its input; what is behind it would go unread.
  if (const size_t nul = json.find('\0'); nul != std::string_view::npos) {
    position += nul;
    events.fail("a NUL byte in the header");
  }
  nlohmann::json::sax_parse(CountingIterator(json.data(), &position),
                            CountingIterator(json.data() + json.size(), &position), &events);
  return events.take();
}

}  // namespace muonlab::store
