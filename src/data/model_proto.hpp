// The few settings of a sentencepiece model that its C++ interface does not show, read from the
// serialized ModelProto (sentencepiece_model.proto: trainer_spec = 2, normalizer_spec = 3).
#pragma once

#include <string>
#include <string_view>

namespace muonlab::data {

struct ModelSettings {
  int model_type = 1;  // 1 unigram, 2 BPE
  bool byte_fallback = false;
  bool treat_whitespace_as_suffix = false;
  std::string character_map;  // a normalization other than identity; see character_map.hpp
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool denormalizes = false;  // decoding changes the text
};

// Throws Error when the bytes are no such message.
ModelSettings read_model_settings(std::string_view bytes, const std::string& label);

// The same model for texts that are normalized already: it leaves them as they are.
std::string without_normalization(std::string_view bytes, const std::string& label);

}  // namespace muonlab::data
