// The few settings of a sentencepiece model that its C++ interface does not show, read from the
// serialized ModelProto (sentencepiece_model.proto: trainer_spec = 2, normalizer_spec = 3).
#pragma once

#include <string>
#include <string_view>

namespace muonlab::data {

struct ModelSettings {
  int model_type = 1;  // 1 unigram, 2 BPE
  bool byte_fallback = false;
  bool has_character_map = false;  // a normalization other than identity
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Throws Error when the bytes are no such message.
ModelSettings read_model_settings(std::string_view bytes, const std::string& label);

}  // namespace muonlab::data
