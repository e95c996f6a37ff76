// Training a sentencepiece model whose pieces never cross the borders of pretokens (pretoken.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "muonlab/data/inputs.hpp"

namespace muonlab::data {

enum class PieceModel { bpe, unigram };

struct TokenizerTraining {
  PieceModel type = PieceModel::bpe;
  // with unknown (0), end-of-text (1) and the 256 bytes (2 … 257)
  int64_t vocabulary = 4096;
  // share of characters that get a piece; the others become bytes. [0.98, 1]
  double coverage = 0.9995;
  // longer lines are cut, between pretokens, into sentences of about that size
  int64_t max_sentence_bytes = 4192;
  int64_t input_sentences = 2'000'000;  // sentences used at most, drawn evenly from all; 0: all
  // Part of the result for unigram, whose sums are taken by this many workers; BPE does not depend
  // on it.
  int threads = 8;
};

// Told how many bytes of how many have been read (two passes count twice); total 0 when unknown.
using ReadProgress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

// Returns the bytes of the .model, a function of text and settings alone. Throws Error, for
// instance when the text gives fewer pieces than asked for, with the number that is possible.
std::string train_tokenizer(const std::vector<std::string>& texts,
                            const TokenizerTraining& training);

// From files and folders as in inputs.hpp. What was left out is added to `bad`.
std::string train_tokenizer_on_files(const InputList& list, const ReadOptions& options,
                                     const TokenizerTraining& training, BadLines& bad,
                                     const ReadProgress& progress = {});

// A tokenizer.json of byte-level BPE with GPT-2's expression: end-of-text is id 0, the bytes are 1
// to 256, and the merges are those of the trainer of Hugging Face's tokenizers library for the same
// texts (BpeTrainer with ByteLevel.alphabet()). Only training.vocabulary is used. Throws Error
// where the text gives fewer tokens, with their number.
std::string train_byte_bpe(const std::vector<std::string>& texts,
                           const TokenizerTraining& training);
std::string train_byte_bpe_on_files(const InputList& list, const ReadOptions& options,
                                    const TokenizerTraining& training, BadLines& bad,
                                    const ReadProgress& progress = {});

}  // namespace muonlab::data
