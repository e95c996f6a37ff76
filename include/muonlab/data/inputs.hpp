// What a person names on the command line becomes a list of files to read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muonlab::data {

// A text file is one document (or several, see ReadOptions::split_at); each JSON value is one,
// whether it stands on a line of its own or in an array. A row of a Parquet file arrives as a line
// of JSON.
enum class InputKind { text, json_lines, json };
enum class Packing { none, gzip, zstd, parquet };

struct Input {
  std::string path;
  InputKind kind = InputKind::text;
  Packing packing = Packing::none;  // by content, not by name
  uint64_t file_bytes = 0;          // on disk
};

struct InputList {
  std::vector<Input> inputs;
  std::vector<std::string> left_out;  // files in the folders whose names end in nothing known
};

// How documents are taken from inputs.
struct ReadOptions {
  // The string of a JSON object, or the column of a Parquet file; "data.text": "text" in "data".
  std::string field = "text";
  bool skip_bad_lines = false;  // leave JSON values out that give no text, instead of stopping
  std::string split_at{};       // text files: a document ends where this stands; it is left out
};

// What was left out under ReadOptions::skip_bad_lines.
struct BadLines {
  static constexpr int64_t kShown = 20;
  int64_t count = 0;
  std::vector<std::string> shown;  // the first kShown, as "FILE:LINE: why"

  void add(std::string line);
  void add(const BadLines& more);
};

// Files in the order given; a folder stands for all files in it and below whose names end in .txt,
// .jsonl, .ndjson or .json, each also with .gz or .zst behind, or in .parquet, sorted by path. A
// file named itself may have any name: what ends in nothing known is read as text. Throws Error for
// what does not exist, for a folder without such files, for Parquet where this build has no reader,
// and for a file whose content is no UTF-8 text (ZIP, UTF-16, Latin-1, …), with what it is and what
// to do.
InputList list_inputs(const std::vector<std::string>& paths);

}  // namespace muonlab::data
