// tokenizer.json and tokenizer_config.json, by which transformers' AutoTokenizer makes the same
// ids.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/model_proto.hpp"
#include "muonlab/data/sentencepiece_pieces.hpp"

namespace muonlab::data {

// A piece as bytes of text ("▁the" is " the"); byte pieces keep their name "<0x41>".
struct HfPiece {
  std::string text;
  float score = 0;
  bool special = false;  // unknown and control pieces: no text makes them
  bool byte = false;
};

// Pieces in the order of their ids; unknown is id `unknown`.
std::map<std::string, std::string> hugging_face_files(const std::vector<HfPiece>& pieces, bool bpe,
                                                      int unknown, int end_of_text);
// For a sentencepiece model that adds a space before a text or normalizes it. There is no
// tokenizer.json where the tokenizers library has no way to give the same ids: for unigram models
// and for those that change characters or remove spaces.
std::map<std::string, std::string> hugging_face_normalizing_files(
    const std::vector<SentencePiece>& pieces, const ModelSettings& settings, int end_of_text);
std::map<std::string, std::string> hugging_face_byte_files();
// A tokenizer_config.json; `kind`: which of muonlab's tokenizers it is.
std::string tokenizer_config_file(std::string_view end_of_text_token, std::string_view kind,
                                  bool adds_space = false);

// Whether a tokenizer_config.json is that of the byte tokenizer.
bool is_byte_tokenizer_config(const std::string& json);

}  // namespace muonlab::data
