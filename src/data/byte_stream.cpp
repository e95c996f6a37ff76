#include "data/byte_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include <zlib.h>
#include <zstd.h>

#include "data/parquet_stream.hpp"
#include "muonlab/base/file.hpp"

namespace muonlab::data {

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class FileStream : public ByteStream {
 public:
  explicit FileStream(const std::string& path)
      : path_(path), file_(std::fopen(path.c_str(), "rb")) {
    if (!file_) throw base::io_error("open for reading", path, errno);
    std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  }
  size_t read(std::span<char> out) override {
    const size_t count = std::fread(out.data(), 1, out.size(), file_.get());
    if (count < out.size() && std::ferror(file_.get())) throw base::io_error("read", path_, errno);
    position_ += count;
    return count;
  }
  uint64_t file_position() const override { return position_; }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  uint64_t position_ = 0;
};

struct FreeDecoder {
  void operator()(ZSTD_DCtx* decoder) const { ZSTD_freeDCtx(decoder); }
};

class ZstdStream : public ByteStream {
 public:
  explicit ZstdStream(const std::string& path)
      : path_(path), file_(path), decoder_(ZSTD_createDCtx()), packed_(ZSTD_DStreamInSize()) {}

  size_t read(std::span<char> out) override {
    ZSTD_outBuffer target{out.data(), out.size(), 0};
    while (target.pos < target.size) {
      if (source_.pos == source_.size) {
        source_ = {packed_.data(), file_.read(packed_), 0};
        if (source_.size == 0) {
          if (inside_frame_)
            throw base::Error(path_, ": the compressed data end early; fetch the file again");
          break;
        }
      }
      const size_t status = ZSTD_decompressStream(decoder_.get(), &target, &source_);
      if (ZSTD_isError(status)) {
        throw base::Error(path_, ": damaged zstd data near byte ", file_.file_position(), " (",
                          ZSTD_getErrorName(status), ")");
      }
      inside_frame_ = status != 0;
    }
    return target.pos;
  }
  uint64_t file_position() const override { return file_.file_position(); }

 private:
  std::string path_;
  FileStream file_;
  std::unique_ptr<ZSTD_DCtx, FreeDecoder> decoder_;
  std::vector<char> packed_;
  ZSTD_inBuffer source_{nullptr, 0, 0};
  bool inside_frame_ = false;
};

// One or more gzip members, and zeros behind the last, as gzip itself reads them.
class GzipStream : public ByteStream {
 public:
  explicit GzipStream(const std::string& path) : path_(path), file_(path), packed_(1 << 16) {
    constexpr int kWindowBits = 15, kGzip = 16;
    base::check(inflateInit2(&decoder_, kWindowBits + kGzip) == Z_OK, "zlib cannot start");
  }
  ~GzipStream() override { inflateEnd(&decoder_); }

  size_t read(std::span<char> out) override {
    size_t count = 0;
    while (count < out.size() && refill()) {
      if (!inside_member_ && *decoder_.next_in == 0) {  // padding
        ++decoder_.next_in;
        --decoder_.avail_in;
        continue;
      }
      inside_member_ = true;
      const auto space = static_cast<uInt>(std::min<size_t>(out.size() - count, 1 << 30));
      decoder_.next_out = reinterpret_cast<Bytef*>(out.data() + count);
      decoder_.avail_out = space;
      const int status = inflate(&decoder_, Z_NO_FLUSH);
      count += space - decoder_.avail_out;
      if (status == Z_STREAM_END) {
        inside_member_ = false;
        inflateReset(&decoder_);
      } else if (status != Z_OK) {
        throw base::Error(path_, ": damaged gzip data near byte ", file_.file_position(), " (",
                          decoder_.msg ? decoder_.msg : "unreadable", "); fetch the file again");
      }
    }
    return count;
  }
  uint64_t file_position() const override { return file_.file_position(); }

 private:
  // Whether packed bytes are left to read.
  bool refill() {
    if (decoder_.avail_in > 0) return true;
    decoder_.next_in = reinterpret_cast<Bytef*>(packed_.data());
    decoder_.avail_in = static_cast<uInt>(file_.read(packed_));
    if (decoder_.avail_in == 0 && inside_member_)
      throw base::Error(path_, ": the compressed data end early; fetch the file again");
    return decoder_.avail_in > 0;
  }

  std::string path_;
  FileStream file_;
  std::vector<char> packed_;
  z_stream decoder_{};
  bool inside_member_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> open_stream(const Input& input, const std::string& field) {
  switch (input.packing) {
    case Packing::none: return std::make_unique<FileStream>(input.path);
    case Packing::gzip: return std::make_unique<GzipStream>(input.path);
    case Packing::parquet: return open_parquet(input, field);
    case Packing::zstd: return std::make_unique<ZstdStream>(input.path);
  }
  throw base::Bug("a packing without a stream");
}

}  // namespace muonlab::data
