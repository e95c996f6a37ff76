#include "muonlab/base/file.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

std::string remedy(const std::string& path, int number, uint64_t needed_bytes) {
  switch (number) {
    case ENOSPC:
    case EDQUOT: {
      std::string text = "; ";
      if (needed_bytes > 0) text += human_bytes(needed_bytes) + " needed, ";
      try {
        text += human_bytes(real_file_system().free_space(path)) + " free; ";
      } catch (const Error&) {  // the message must come out whatever the disk says
      }
      return text + "free some space or choose a folder on another disk";
    }
    case EACCES:
    case EPERM: return "; check the owner and the permissions of it and of the folders above it";
    case ELOOP:
      return "; check the symbolic links in this path: one is not allowed here, or they lead in a "
             "circle";
    case EROFS: return "; choose a folder that can be written to";
    case ENXIO: return "; it is a pipe that nothing reads: remove it or choose another name";
    case ENOENT: return "; check the spelling";
    case EIO: return "; the disk reports a fault: see the system's log, and use another disk";
    case ENAMETOOLONG: return "; use a shorter name";
    case EMFILE:
    case ENFILE: return "; raise the limit of open files (ulimit -n)";
    case EFBIG: return "; the file would pass the size limit (ulimit -f, or the file system's own)";
    default: return "";
  }
}

constexpr std::string_view kTemporaryMark = ".tmp-";
constexpr size_t kTemporaryDigits = 8;

}  // namespace

IoError io_error(std::string_view operation, const std::string& path, int number,
                 uint64_t needed_bytes) {
  return IoError(str(path, ": cannot ", operation, ": ", std::generic_category().message(number),
                     remedy(path, number, needed_bytes)),
                 number);
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  std::string path(folder);
  if (path.back() != '/') path += '/';
  return path.append(name);
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

MappedFile map_file(const std::string& path, FileSystem& files) { return files.map(path); }

std::string read_text(const std::string& path, FileSystem& files) {
  return read_tail(path, UINT64_MAX, files);
}

std::string read_tail(const std::string& path, uint64_t bytes, FileSystem& files) {
  const uint64_t size = files.size(path), length = std::min(size, bytes);
  std::string text(length, '\0');
  text.resize(files.read(path, size - length, std::as_writable_bytes(std::span(text))));
  return text;
}

MappedFile load_file(const std::string& path, FileSystem& files) {
  const uint64_t size = files.size(path);
  const std::shared_ptr<std::byte[]> bytes = std::make_shared_for_overwrite<std::byte[]>(size);
  const size_t length = files.read(path, 0, std::span(bytes.get(), size));
  return MappedFile(path, std::span<const std::byte>(bytes.get(), length), bytes);
}

std::string temporary_path(const std::string& path) {
  uint32_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) {
    throw io_error("name a temporary file for", path, errno);
  }
  char digits[kTemporaryDigits + 1];
  std::snprintf(digits, sizeof digits, "%08x", number);
  return str(path, kTemporaryMark, digits);
}

bool is_temporary(std::string_view name) {
  const size_t mark = name.rfind(kTemporaryMark);
  return mark != std::string_view::npos && mark > 0 &&
         name.size() == mark + kTemporaryMark.size() + kTemporaryDigits &&
         name.find_first_not_of("0123456789abcdef", mark + kTemporaryMark.size()) ==
             std::string_view::npos;
}

void remove_temporaries(const std::string& folder, FileSystem& files) {
  for (const std::string& name : files.list(folder)) {
    const std::string path = join_path(folder, name);
    // A report's page and numbers are written by other processes, at any time.
    if (!is_temporary(name) || name.starts_with("report.") || files.is_directory(path)) continue;
    files.remove_file(path);
  }
}

void write_atomically(const std::string& path, std::string_view bytes, FileSystem& files) {
  const std::string temporary = temporary_path(path);
  try {
    auto file = files.create_new(temporary);
    file->write_text(bytes);
    file->sync();
    file->close();
    files.rename(temporary, path);
  } catch (const Error&) {
    try {
      if (files.exists(temporary)) files.remove_file(temporary);
    } catch (const Error&) {  // the first failure is the one to tell
    }
    throw;
  }
  files.sync_directory(parent_path(path));
}

void make_directories(const std::string& path, FileSystem& files) {
  if (path.empty() || files.is_directory(path)) return;
  const std::string parent = parent_path(path);
  if (parent != path && parent != ".") make_directories(parent, files);
  files.make_directory(path);
  files.sync_directory(parent);
}

void remove_tree(const std::string& path, FileSystem& files) {
  if (!files.exists(path)) return;
  if (files.is_link(path) || !files.is_directory(path)) {
    files.remove_file(path);
    return;
  }
  for (const std::string& name : files.list(path)) remove_tree(join_path(path, name), files);
  files.remove_directory(path);
}

bool is_bare_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace muonlab::base
