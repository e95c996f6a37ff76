#include "data/parquet_stream.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/process.hpp"

namespace muonlab::data {

namespace {

constexpr const char* kReader = "muonlab-parquet";

// Beside the running program; MUONLAB_PARQUET_READER names another one. Empty where there is none.
std::string reader_program() {
  const char* named = std::getenv("MUONLAB_PARQUET_READER");
  const std::string path =
      named != nullptr ? named : base::join_path(base::parent_path(base::own_program()), kReader);
  return ::access(path.c_str(), X_OK) == 0 ? path : "";
}

// The reader's first line says how many rows there are, and a line that begins with '!' says why
// it stopped; the others are JSON and are handed on.
class ParquetStream : public ByteStream {
 public:
  ParquetStream(const Input& input, const std::string& column)
      : path_(input.path),
        file_bytes_(input.file_bytes),
        program_({reader_program(), input.path, column}) {
    const std::string line = take_line();
    constexpr std::string_view kRows = "{\"rows\": ";
    if (!line.starts_with(kRows)) fail(line);
    num_rows_ = std::max<uint64_t>(1, std::stoull(line.substr(kRows.size())));
  }

  size_t read(std::span<char> out) override {
    size_t count = 0;
    while (count < out.size() && (!lines_.empty() || refill())) {
      const size_t part = std::min(out.size() - count, lines_.size());
      lines_.copy(out.data() + count, part);
      lines_.erase(0, part);
      count += part;
    }
    return count;
  }

  // As if every row took as many bytes.
  uint64_t file_position() const override {
    return static_cast<uint64_t>(static_cast<double>(file_bytes_) *
                                 static_cast<double>(std::min(rows_read_, num_rows_)) /
                                 static_cast<double>(num_rows_));
  }

 private:
  [[noreturn]] void fail(std::string_view line) {
    if (line.starts_with('!')) {
      throw base::Error(path_, ": ", line.substr(1),
                        line.find("; ") == line.npos ? "; fetch the file again" : "");
    }
    throw base::Error(path_,
                      ": the reader of Parquet files ended early; build it again, or convert the "
                      "file to JSON lines");
  }

  // The next line without its end; fails at the end of the output.
  std::string take_line() {
    while (raw_.find('\n') == std::string::npos) {
      if (!append()) fail(raw_);
    }
    const size_t end = raw_.find('\n');
    std::string line = raw_.substr(0, end);
    raw_.erase(0, end + 1);
    return line;
  }

  bool append() {
    const size_t old_size = raw_.size();
    raw_.resize(old_size + kPart);
    raw_.resize(old_size + program_.read(std::span(raw_).subspan(old_size)));
    return raw_.size() > old_size;
  }

  // Makes the whole lines that have come those that read() hands out; false behind the last row.
  bool refill() {
    size_t end = raw_.rfind('\n');
    while (end == std::string::npos) {
      const size_t old_size = raw_.size();
      if (append()) {
        const size_t found = std::string_view(raw_).substr(old_size).rfind('\n');
        if (found != std::string::npos) end = old_size + found;
        continue;
      }
      if (!raw_.empty() || program_.wait() != 0) fail(raw_);
      return false;
    }
    lines_ = raw_.substr(0, end + 1);
    raw_.erase(0, end + 1);
    if (lines_.starts_with('!')) fail(lines_.substr(0, lines_.size() - 1));
    if (const size_t stop = lines_.find("\n!"); stop != std::string::npos)
      fail(lines_.substr(stop + 1, lines_.size() - stop - 2));
    rows_read_ += static_cast<uint64_t>(std::count(lines_.begin(), lines_.end(), '\n'));
    return true;
  }

  static constexpr size_t kPart = 1 << 16;
  std::string path_;
  uint64_t file_bytes_, num_rows_ = 1, rows_read_ = 0;
  base::ProgramOutput program_;
  std::string raw_, lines_;  // as they came; whole lines for read()
};

}  // namespace

void require_parquet_reader(const std::string& path) {
  if (!reader_program().empty()) return;
  throw base::Error(path,
                    ": is a Parquet file, and this build cannot read these; run scripts/setup "
                    "--parquet and build again, or convert it to JSON lines (Python: "
                    "pandas.read_parquet(\"FILE\").to_json(\"FILE.jsonl\", orient=\"records\", "
                    "lines=True))");
}

std::unique_ptr<ByteStream> open_parquet(const Input& input, const std::string& column) {
  return std::make_unique<ParquetStream>(input, column);
}

}  // namespace muonlab::data
