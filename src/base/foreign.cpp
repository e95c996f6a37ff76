#include "muonlab/base/foreign.hpp"

#include <algorithm>

#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::base {
namespace {

constexpr size_t kShown = 3;

}  // namespace

void refuse_foreign_folder(const std::string& path, const std::string& mark,
                           std::span<const std::string> known, const std::string& remedy) {
  FileSystem& files = real_file_system();
  if (!files.exists(path)) return;
  std::vector<std::string> foreign = files.list(path);
  if (std::find(foreign.begin(), foreign.end(), mark) != foreign.end()) return;
  std::erase_if(foreign, [&](const std::string& name) {
    return is_temporary(name) || std::find(known.begin(), known.end(), name) != known.end();
  });
  if (foreign.empty()) return;
  const size_t shown = std::min(foreign.size(), kShown);
  throw Error(path, ": holds files that muonlab did not write (",
              join(std::span(foreign).first(shown), ", "), foreign.size() > shown ? ", …" : "",
              ") and no ", mark, ", so nothing is written there. ", remedy);
}

}  // namespace muonlab::base
