// Documents of texts and of token files.
#include "muonlab/data/documents.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/data/ids_tokenizer.hpp"
#include "muonlab/data/tokenize.hpp"

namespace muonlab::data {
namespace {

class Documents : public testing::Test {
 protected:
  std::vector<std::string> texts(const std::vector<std::string>& paths,
                                 const TokenFileOptions& options) {
    std::vector<std::string> found;
    each_document(paths, {}, options, [&](const Document& document) {
      found.push_back(options.tokenizer->decode(document.ids));
      if (!is_ids_tokenizer(*options.tokenizer)) {
        EXPECT_EQ(document.text_bytes, found.back().size());
      }
    });
    return found;
  }

  static TokenFileOptions known(std::shared_ptr<const Tokenizer> tokenizer, uint32_t id_bytes = 0) {
    TokenFileOptions options;
    options.tokenizer = std::move(tokenizer);
    options.id_bytes = id_bytes;
    return options;
  }
  void make_shards(const std::vector<std::string>& inputs) {
    TokenizeOptions options;
    options.inputs = inputs;
    tokenize_files(*bytes_.tokenizer, folder_ / "shards", options);
  }

  const base::TemporaryFolder folder_;
  const TokenFileOptions bytes_ = known(make_byte_tokenizer());
};

TEST_F(Documents, OfTextsJsonLinesAndShardsAreTheSame) {
  base::write_atomically(folder_ / "a.jsonl",
                         "{\"text\": \"one\"}\n{\"text\": \"\"}\n{\"text\": \"two\"}\n");
  base::write_atomically(folder_ / "b.txt", "three\nlines");
  const std::vector<std::string> expected{"one", "two", "three\nlines"};
  EXPECT_EQ(texts({folder_ / "a.jsonl", folder_ / "b.txt"}, bytes_), expected);
  make_shards({folder_ / "a.jsonl", folder_ / "b.txt"});
  EXPECT_EQ(texts({folder_ / "shards"}, bytes_), expected);
}

TEST_F(Documents, OfAnotherProgramsTokenFile) {
  const std::vector<uint16_t> ids{5, 6, 0, 0, 7, 0, 8};
  base::write_atomically(folder_ / "t.bin",
                         {reinterpret_cast<const char*>(ids.data()), 2 * ids.size()});
  const TokenFileOptions options = known(make_ids_tokenizer(9, 0), 2);
  EXPECT_EQ(texts({folder_ / "t.bin"}, options), (std::vector<std::string>{"5 6 ", "7 ", "8 "}));
}

TEST_F(Documents, OfAnotherTokenizerAreRefused) {
  base::write_atomically(folder_ / "b.txt", "three\nlines");
  make_shards({folder_ / "b.txt"});
  const TokenFileOptions few = known(make_ids_tokenizer(100, 0));
  EXPECT_NE(base::error_of([&] { texts({folder_ / "shards"}, few); }).find("vocabulary"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::data
