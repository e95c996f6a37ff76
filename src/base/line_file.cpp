#include "muonlab/base/line_file.hpp"

namespace muonlab::base {

LineFile::LineFile(std::string path, std::optional<uint64_t> keep_bytes, FileSystem& files)
    : path_(std::move(path)) {
  const bool present = files.exists(path_);
  size_ = present ? files.size(path_) : 0;
  if (keep_bytes) {
    if (size_ < *keep_bytes) {
      throw Error(path_, ": holds ", size_, " bytes, but the checkpoint was saved when it held ",
                  *keep_bytes, "; put the lost file back, or start a new run folder");
    }
    if (size_ > *keep_bytes) files.truncate(path_, *keep_bytes);
    size_ = *keep_bytes;
  }
  file_ = files.append(path_);
  if (!present) files.sync_directory(parent_path(path_));
}

void LineFile::write(std::string_view line) {
  check(line.find('\n') == std::string_view::npos, path_ + ": a line holds a newline");
  std::string whole(line);
  whole += '\n';
  file_->write_text(whole);
  size_ += whole.size();
}

void LineFile::sync() { file_->sync(); }

}  // namespace muonlab::base
