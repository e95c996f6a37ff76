#include "muonlab/data/inputs.hpp"

#include <algorithm>

#include "muonlab/base/file.hpp"

namespace muonlab::data {

namespace {

Input describe(const std::string& path) {
  base::map_file(path);  // names a folder, device or pipe, which would be read without end
  std::string_view name = path;
  Input input{path, InputKind::text, name.ends_with(".zst"), base::real_file_system().size(path)};
  if (input.compressed) name.remove_suffix(4);
  if (name.ends_with(".jsonl")) input.kind = InputKind::json_lines;
  return input;
}

bool is_known(std::string_view name) {
  if (name.ends_with(".zst")) name.remove_suffix(4);
  return name.ends_with(".txt") || name.ends_with(".jsonl");
}

void collect(const std::string& folder, std::vector<std::string>& paths) {
  base::FileSystem& files = base::real_file_system();
  for (const std::string& name : files.list(folder)) {
    const std::string path = base::join_path(folder, name);
    if (files.is_directory(path)) {
      collect(path, paths);
    } else if (is_known(name)) {
      paths.push_back(path);
    }
  }
}

}  // namespace

std::vector<Input> list_inputs(const std::vector<std::string>& paths) {
  base::FileSystem& files = base::real_file_system();
  std::vector<Input> inputs;
  for (const std::string& path : paths) {
    if (!files.exists(path)) throw base::Error(path, ": no such file or folder");
    if (!files.is_directory(path)) {
      inputs.push_back(describe(path));
      continue;
    }
    std::vector<std::string> found;
    collect(path, found);
    if (found.empty()) {
      throw base::Error(path, ": the folder holds no .txt, .jsonl, .txt.zst or .jsonl.zst file");
    }
    std::sort(found.begin(), found.end());
    for (const std::string& file : found) inputs.push_back(describe(file));
  }
  if (inputs.empty())
    throw base::Error("no input: name text files, JSON lines files or folders of them");
  return inputs;
}

}  // namespace muonlab::data
