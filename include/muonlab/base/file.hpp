// Every operation on files and folders, behind one small interface, so that tests can stop or fail
// each of them. All functions throw IoError naming path, operation, cause and remedy. Paths are
// UTF-8 strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "muonlab/base/error.hpp"

namespace muonlab::base {

// A file operation that failed. `number` is the errno value.
class IoError : public Error {
 public:
  IoError(const std::string& message, int number) : Error(message), number_(number) {}
  int number() const { return number_; }

 private:
  int number_;
};

// The message for a failed operation ("write", "open for writing", …): what, where, the system's
// reason, and what to do. For a full disk or quota it names needed_bytes and the free space of the
// path's file system.
IoError io_error(std::string_view operation, const std::string& path, int number,
                 uint64_t needed_bytes = 0);

// A file open for writing, unbuffered. The destructor closes without checking: it abandons, it does
// not complete.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;  // all of them, or it throws
  virtual void sync() = 0;  // contents are durable; never retried after a failure
  virtual void close() = 0;

  void write_text(std::string_view text) {
    write(std::as_bytes(std::span(text.data(), text.size())));
  }
};

// A file's bytes, mapped read-only (or held in memory). Cheap to copy; the bytes live as long as
// any copy does.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(std::string path, std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : path_(std::move(path)), bytes_(bytes), owner_(std::move(owner)) {}

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // create() truncates what is there, create_new() refuses it; append() creates what is not.
  virtual std::unique_ptr<WritableFile> create(const std::string& path) = 0;
  virtual std::unique_ptr<WritableFile> create_new(const std::string& path) = 0;
  virtual std::unique_ptr<WritableFile> append(const std::string& path) = 0;
  // Regular files only. A process that reads a mapped page behind the end of a file that was cut
  // meanwhile is killed (SIGBUS); read() has no such danger.
  virtual MappedFile map(const std::string& path) = 0;
  // Bytes from the offset on; returns how many there were, fewer than asked for only at the end of
  // the file. Regular files only.
  virtual size_t read(const std::string& path, uint64_t offset, std::span<std::byte> into) = 0;
  virtual void truncate(const std::string& path, uint64_t length) = 0;

  // Atomic; replaces a file of that name.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove_file(const std::string& path) = 0;       // must exist
  virtual void remove_directory(const std::string& path) = 0;  // must exist and be empty
  // Its parent must exist; it may exist itself.
  virtual void make_directory(const std::string& path) = 0;
  virtual void sync_directory(const std::string& path) = 0;  // its entries are durable

  // Names, sorted, without . and ..
  virtual std::vector<std::string> list(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;  // anything of that name, a link not followed
  // Also a symbolic link to a folder, where links are followed at all.
  virtual bool is_directory(const std::string& path) = 0;
  virtual bool is_link(const std::string& path) = 0;   // the entry itself is a symbolic link
  virtual uint64_t size(const std::string& path) = 0;  // bytes
  // Bytes this user may still write there; the path itself need not exist yet.
  virtual uint64_t free_space(const std::string& path) = 0;
};

FileSystem& real_file_system();

std::string join_path(std::string_view folder, std::string_view name);
std::string parent_path(std::string_view path);  // "." for a bare name
std::string base_name(std::string_view path);    // the last part

// The bytes of a file, copied: what another process does to it later makes no difference.
std::string read_text(const std::string& path, FileSystem& files = real_file_system());
// Its last bytes, at most that many.
std::string read_tail(const std::string& path, uint64_t bytes,
                      FileSystem& files = real_file_system());
// Its bytes, held in memory.
MappedFile load_file(const std::string& path, FileSystem& files = real_file_system());
MappedFile map_file(const std::string& path, FileSystem& files = real_file_system());

// The file holds either its old bytes or all of the new ones, whatever happens: temporary file of
// an unpredictable name beside it, synced, renamed, folder synced. A link of the file's name is
// replaced, not followed.
void write_atomically(const std::string& path, std::string_view bytes,
                      FileSystem& files = real_file_system());

// Removes what write_atomically() leaves in a folder when the process is killed. Only a process
// that alone writes to the folder may call it.
void remove_temporaries(const std::string& folder, FileSystem& files = real_file_system());
// Whether a name is that of such a temporary file.
bool is_temporary(std::string_view name);

// Makes a folder and those above it, durably; nothing happens to what is there.
void make_directories(const std::string& path, FileSystem& files = real_file_system());
// Removes a file, or a folder with all it holds; links are removed, not followed. Absent is fine.
void remove_tree(const std::string& path, FileSystem& files = real_file_system());

// Whether a name is a bare file name: not empty, at most 255 bytes, no separator, no NUL, and
// neither . nor ..
bool is_bare_name(std::string_view name);

}  // namespace muonlab::base
