#include "muonlab/data/inputs.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "data/byte_stream.hpp"
#include "data/content_kind.hpp"
#include "data/parquet_stream.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/readable_file.hpp"

namespace muonlab::data {

namespace {

constexpr size_t kHeadBytes = 1 << 16;
constexpr const char* kKnown =
    ".txt, .jsonl, .ndjson or .json, plain or with .gz or .zst behind, or .parquet";

// The name without .gz or .zst.
std::string_view unpacked_name(std::string_view name) {
  if (name.ends_with(".gz")) name.remove_suffix(3);
  if (name.ends_with(".zst")) name.remove_suffix(4);
  return name;
}

std::optional<InputKind> kind_of(std::string_view name) {
  name = unpacked_name(name);
  if (name.ends_with(".txt")) return InputKind::text;
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return InputKind::json_lines;
  if (name.ends_with(".json")) return InputKind::json;
  if (name.ends_with(".parquet")) return InputKind::json_lines;
  return std::nullopt;
}

std::string head_of(const std::string& path) {
  const base::ReadableFile file(path);  // names a folder, device or pipe
  std::string head(std::min<uint64_t>(file.size(), 512), '\0');
  file.read(0, std::as_writable_bytes(std::span(head)));
  return head;
}

Input describe(const std::string& path) {
  Input input{path, kind_of(path).value_or(InputKind::text), packing_of(head_of(path)),
              base::real_file_system().size(path)};
  if (input.packing == Packing::parquet || path.ends_with(".parquet")) {
    require_parquet_reader(path);
    input.kind = InputKind::json_lines;
    input.packing = Packing::parquet;
    return input;
  }
  if (input.packing == Packing::none && unpacked_name(path) != path) {
    throw base::Error(path,
                      ": is named like compressed data, but holds none; fetch it again, or "
                      "name it as what it is");
  }
  std::string head(kHeadBytes, '\0');
  head.resize(open_stream(input)->read(head));
  if (const auto reason = why_no_text(head)) throw base::Error(path, ": ", *reason);
  return input;
}

void collect(const std::string& folder, std::vector<std::string>& paths,
             std::vector<std::string>& left_out) {
  base::FileSystem& files = base::real_file_system();
  for (const std::string& name : files.list(folder)) {
    const std::string path = base::join_path(folder, name);
    const bool is_folder = files.is_directory(path);
    // A link to a folder may lead in a circle.
    if (is_folder && !files.is_link(path)) {
      collect(path, paths, left_out);
    } else {
      (!is_folder && kind_of(name) ? paths : left_out).push_back(path);
    }
  }
}

}  // namespace

InputList list_inputs(const std::vector<std::string>& paths) {
  base::FileSystem& files = base::real_file_system();
  InputList list;
  for (const std::string& path : paths) {
    if (!files.exists(path)) throw base::Error(path, ": no such file or folder");
    if (!files.is_directory(path)) {
      list.inputs.push_back(describe(path));
      continue;
    }
    std::vector<std::string> found;
    collect(path, found, list.left_out);
    if (found.empty()) {
      throw base::Error(path, ": the folder holds no file whose name ends in ", kKnown);
    }
    std::sort(found.begin(), found.end());
    for (const std::string& file : found) list.inputs.push_back(describe(file));
  }
  if (list.inputs.empty())
    throw base::Error("no input: name text files, JSON files or folders of them");
  return list;
}

}  // namespace muonlab::data
