#include "installed.hpp"

#include "muonlab/base/file.hpp"
#include "muonlab/base/log.hpp"
#include "muonlab/base/process.hpp"

namespace muonlab::app {

std::string installed_files() {
  const std::string prefix = base::parent_path(base::parent_path(base::own_program()));
  const std::string folder = base::join_path(prefix, "share/muonlab");
  return base::real_file_system().exists(folder) ? folder : "";
}

std::string find_installed(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  if (path.empty() || path.starts_with("/") || files.exists(path)) return path;
  const std::string folder = installed_files();
  const std::string found = base::join_path(folder, path);
  if (folder.empty() || !files.exists(found)) return path;
  base::log_info(path, " is not in this folder; reading ", found);
  return found;
}

}  // namespace muonlab::app
