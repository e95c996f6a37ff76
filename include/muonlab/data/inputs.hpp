// What a person names on the command line becomes a list of files to read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muonlab::data {

enum class InputKind { text, json_lines };  // a text file is one document, a JSON line is one

struct Input {
  std::string path;
  InputKind kind;
  bool compressed;      // zstd
  uint64_t file_bytes;  // on disk
};

// Files in the order given; a folder stands for all *.txt, *.jsonl, *.txt.zst and *.jsonl.zst files
// in it and below, sorted by path. A file named itself may have any extension: .jsonl means JSON
// lines, anything else text. Throws Error for what does not exist and for a folder without such
// files.
std::vector<Input> list_inputs(const std::vector<std::string>& paths);

}  // namespace muonlab::data
