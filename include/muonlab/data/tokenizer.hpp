// Text to token ids and back, exactly: decode(encode(bytes)) == bytes for every sequence of bytes,
// valid UTF-8 or not. Only two kinds give a changed text back: a tokenizer.json that asks for the
// normalization form NFC, and sentencepiece models that add a space before a text or normalize it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muonlab::data {

// The text by which decode() shows the end-of-text id. encode() never makes that id: in text these
// are 13 characters.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

// Constant after construction; every method may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of a text from its beginning. No end-of-text is added.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // The ids of text that has text before it, which decides whether a tokenizer adds a space there.
  // Where a text is cut at last_safe_cut(), encode() of the first part and encode_rest() of the
  // others give the ids of the whole.
  virtual std::vector<int32_t> encode_rest(std::string_view text) const { return encode(text); }
  // The bytes that ids from the middle of a text stand for; end-of-text gives kEndOfText, and
  // behind it a text begins. One id may be a part of a character. Throws Error for an id outside
  // [0, vocabulary()).
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  // The same for ids from the beginning of a text, without a space that encode() added.
  virtual std::string decode_start(std::span<const int32_t> ids) const { return decode(ids); }

  // The last place in `text` (> 0) where it may be cut whatever follows it, given that text begins
  // at such a place; 0 if there is none yet.
  virtual size_t last_safe_cut(std::string_view text) const;

  virtual int64_t vocabulary() const = 0;  // ids are 0 … vocabulary() - 1
  virtual int32_t end_of_text() const = 0;
  virtual std::string hash() const = 0;         // XXH3-128, 32 hex digits, of what defines the ids
  virtual std::string description() const = 0;  // "bpe 4,096", "unigram 8,192", "byte"

  // What a checkpoint stores: file name -> bytes. transformers' AutoTokenizer loads them
  // (tokenizer.json and tokenizer_config.json) and gives the same ids; load_tokenizer loads the
  // folder as well.
  virtual std::map<std::string, std::string> files() const = 0;
  // The names of those files that token shards have beside them: load_tokenizer needs no others.
  virtual std::vector<std::string> defining_files() const = 0;
};

// One id a byte, end-of-text 256.
std::shared_ptr<const Tokenizer> make_byte_tokenizer();

// From the bytes of a sentencepiece .model (BPE or unigram) with byte fallback and an
// end-of-sentence id. A model that neither adds a space nor normalizes is read as muonlab's own
// are, others (Llama 2, Mistral) as sentencepiece does. Throws Error saying what is missing;
// `label` names the model in messages.
std::shared_ptr<const Tokenizer> make_sentencepiece_tokenizer(std::string model_bytes,
                                                              const std::string& label);

// From the text of a tokenizer.json with byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM2, DeepSeek).
// `end_of_text`: the token that ends a text; empty: the one with a well-known name. The ids are
// those of the tokenizers library with encode_special_tokens. Throws Error naming what is not
// supported.
std::shared_ptr<const Tokenizer> make_json_tokenizer(std::string json,
                                                     const std::string& end_of_text,
                                                     const std::string& label);

// "byte", a .model file, a tokenizer.json, or a folder with the files() above (a checkpoint).
// Throws Error.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path);
// The token that a Hugging Face folder's own tokenizer puts before every text, and muonlab does
// not; empty where there is none. Throws Error when a file of the folder is damaged.
std::string token_before_texts(const std::string& folder);
// The one whose files lie in a folder of token shards; null where there is none.
std::shared_ptr<const Tokenizer> find_tokenizer(const std::string& folder);

}  // namespace muonlab::data
