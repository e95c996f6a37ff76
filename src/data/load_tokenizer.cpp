#include "data/hugging_face.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/tokenizer.hpp"

namespace muonlab::data {

std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path) {
  if (path == "byte") return make_byte_tokenizer();
  base::FileSystem& files = base::real_file_system();
  if (!files.exists(path)) {
    throw base::Error(path,
                      ": no such tokenizer; name a .model file, a checkpoint folder, or \"byte\"");
  }
  if (!files.is_directory(path)) return make_sentencepiece_tokenizer(base::read_text(path), path);

  const std::string model = base::join_path(path, "tokenizer.model");
  if (files.exists(model)) return make_sentencepiece_tokenizer(base::read_text(model), model);
  const std::string config = base::join_path(path, "tokenizer_config.json");
  if (files.exists(config) && is_byte_tokenizer_config(base::read_text(config))) {
    return make_byte_tokenizer();
  }
  throw base::Error(path, ": the folder holds neither tokenizer.model nor the byte tokenizer's ",
                    "tokenizer_config.json");
}

}  // namespace muonlab::data
