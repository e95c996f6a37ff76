#include "muonlab/base/file.hpp"

#include <cerrno>
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
  return std::string(files.map(path).text());
}

void write_atomically(const std::string& path, std::string_view bytes, FileSystem& files) {
  const std::string temporary = path + ".tmp";
  try {
    auto file = files.create(temporary);
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
  if (!files.is_directory(path)) {
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
