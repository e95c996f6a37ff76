// The pieces of a sentencepiece model, for formats that hold them one by one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace muonlab::data {

struct SentencePiece {
  std::string text;  // with U+2581 for a space
  float score = 0;
  int type = 1;  // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
};

// In the order of their ids, from the bytes of a .model file. Throws Error when the bytes are no
// such file; `label` names it.
std::vector<SentencePiece> read_sentence_pieces(std::string_view bytes, const std::string& label);

// What it does with a text.
struct SentencePieceKind {
  bool bpe = false;  // else unigram
  bool normalizes = false;
  bool adds_space = false;  // before a text
  bool removes_spaces = false;
};
SentencePieceKind sentencepiece_kind(std::string_view bytes, const std::string& label);

}  // namespace muonlab::data
