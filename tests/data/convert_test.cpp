#include "muonlab/data/convert.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/temporary_folder.hpp"
#include "data/scratch_folder.hpp"
#include "muonlab/data/tokenize.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {
namespace {

std::vector<int32_t> ids_of(const Shard& shard) {
  std::vector<int32_t> ids(static_cast<size_t>(shard.num_tokens()));
  shard.read(0, ids);
  return ids;
}

class Convert : public ::testing::Test {
 protected:
  Convert() {
    TokenizeOptions options;
    std::string text;
    for (int i = 0; i < 200; ++i) text += "document " + std::to_string(i * i) + "@@";
    options.inputs = {base::join_path(folder_.path(), "t.txt")};
    options.read.split_at = "@@";
    options.shard_tokens = 700;
    base::write_atomically(options.inputs[0], text);
    tokenize_files(*make_byte_tokenizer(), folder_ / "shards", options);
    for (const std::string& path : shard_paths(folder_ / "shards")) {
      const std::vector<int32_t> ids = ids_of(Shard(path));
      all_.insert(all_.end(), ids.begin(), ids.end());
    }
    token_file_.tokenizer = make_byte_tokenizer();
  }
  base::TemporaryFolder folder_;
  std::vector<int32_t> all_;
  TokenFileOptions token_file_;
};

TEST_F(Convert, EveryLayoutIsReadBackAndConvertedBack) {
  const std::vector<std::string>& names = token_layout_names();
  for (const TokenLayout layout : {TokenLayout::llmc, TokenLayout::uint16, TokenLayout::uint32,
                                   TokenLayout::npy, TokenLayout::megatron}) {
    const std::string& name = names[static_cast<size_t>(layout)];
    const std::string out = folder_ / name;
    const Converted converted = convert_tokens({folder_ / "shards"}, token_file_, layout, out);
    EXPECT_EQ(converted.num_documents, 200u) << name;
    TokenFileOptions options;
    options.vocabulary = 257;
    options.end_of_text = 256;
    if (layout == TokenLayout::uint16) options.id_bytes = 2;
    if (layout == TokenLayout::uint32) options.id_bytes = 4;
    std::string path = converted.files[0];
    if (layout == TokenLayout::llmc) {  // recognised by its first bytes
      path += ".bin";
      std::filesystem::rename(converted.files[0], path);
    }
    const Shard shard = Shard::open(path, options);
    EXPECT_EQ(ids_of(shard), all_) << name;
    EXPECT_EQ(shard.header().num_documents, 200u) << name;

    options.tokenizer = make_byte_tokenizer();
    const std::string back = folder_ / (name + "_back");
    convert_tokens({path}, options, TokenLayout::muonlab, back);
    const std::vector<std::string> shards = shard_paths(back);
    ASSERT_EQ(shards.size(), 1u);
    EXPECT_EQ(ids_of(Shard(shards[0])), all_) << name;
    uint64_t text_bytes = 0;
    for (const std::string& made : shard_paths(folder_ / "shards"))
      text_bytes += Shard(made).header().text_bytes;
    EXPECT_EQ(Shard(shards[0]).header().text_bytes, text_bytes) << name;
    Shard(shards[0]).verify_content();
  }
}

TEST_F(Convert, NothingIsWrittenOverOrLeftHalf) {
  base::write_atomically(folder_ / "there", "mine");
  EXPECT_NE(base::error_of([&] {
              convert_tokens({folder_ / "shards"}, token_file_, TokenLayout::npy,
                             folder_ / "there");
            }).find("there: is there already"),
            std::string::npos);
  EXPECT_EQ(base::read_text(folder_ / "there"), "mine");
  // The third shard is damaged: an id that is not of the vocabulary.
  const std::string shard = shard_paths(folder_ / "shards")[2];
  std::string bytes = base::read_text(shard);
  bytes[bytes.size() - 1] = '\x7f';
  base::write_atomically(shard, bytes);
  EXPECT_NE(base::error_of([&] {
              convert_tokens({folder_ / "shards"}, token_file_, TokenLayout::npy, folder_ / "new");
            }).find(shard),
            std::string::npos);
  EXPECT_FALSE(base::real_file_system().exists(folder_ / "new"));
  EXPECT_FALSE(base::real_file_system().exists(folder_ / "new.partial"));
}

// A folder or file of the person's own, where muonlab makes its output first.
TEST_F(Convert, WhatOthersMadeUnderThePartialNameStays) {
  base::make_directories(folder_ / "shards2.partial");
  base::write_atomically(folder_ / "shards2.partial/thesis.txt", "mine");
  base::write_atomically(folder_ / "a.npy.partial", "mine");
  const auto refusal = [&](TokenLayout layout, const std::string& out) {
    return base::error_of(
        [&] { convert_tokens({folder_ / "shards"}, token_file_, layout, folder_ / out); });
  };
  EXPECT_NE(refusal(TokenLayout::muonlab, "shards2").find("shards2.partial: is there already"),
            std::string::npos);
  EXPECT_NE(refusal(TokenLayout::npy, "a.npy").find("a.npy.partial: is there already"),
            std::string::npos);
  EXPECT_EQ(base::read_text(folder_ / "shards2.partial/thesis.txt"), "mine");
  EXPECT_EQ(base::read_text(folder_ / "a.npy.partial"), "mine");
}

TEST_F(Convert, FilesOfTwoVocabulariesAreRefused) {
  convert_tokens({folder_ / "shards"}, token_file_, TokenLayout::npy, folder_ / "a.npy");
  TokenFileOptions other;
  other.vocabulary = 300;
  other.end_of_text = 256;
  EXPECT_NE(base::error_of([&] {
              convert_tokens({folder_ / "shards", folder_ / "a.npy"}, other, TokenLayout::uint16,
                             folder_ / "b");
            }).find("convert files of one tokenizer together"),
            std::string::npos);
}

// Their ids are of one range, so nothing but the tokenizer's hash tells them apart.
TEST_F(Convert, FilesOfTwoTokenizersAreRefused) {
  std::vector<std::string> models;
  for (const std::string name : {"a", "b"}) {
    std::string text;
    for (int i = 0; i < 400; ++i)
      text += name == "a" ? "the white whale " : "a ship, the cold sea ";
    base::write_atomically(folder_ / (name + ".txt"), text);
    TokenizerTraining training;
    training.vocabulary = 280;
    models.push_back(folder_ / (name + ".model"));
    base::write_atomically(models.back(), train_tokenizer({text}, training));
    TokenizeOptions options;
    options.inputs = {folder_ / (name + ".txt")};
    tokenize_files(*load_tokenizer(models.back()), folder_ / name, options);
  }
  const auto refusal = [&](const std::vector<std::string>& inputs, const std::string& tokenizer,
                           TokenLayout layout) {
    TokenFileOptions options;
    if (!tokenizer.empty()) options.tokenizer = load_tokenizer(tokenizer);
    const std::string message =
        base::error_of([&] { convert_tokens(inputs, options, layout, folder_ / "mixed"); });
    EXPECT_FALSE(base::real_file_system().exists(folder_ / "mixed"));
    return message;
  };
  for (const TokenLayout layout : {TokenLayout::muonlab, TokenLayout::uint16}) {
    EXPECT_NE(
        refusal({folder_ / "a", folder_ / "b"}, "", layout).find("made with another tokenizer"),
        std::string::npos);
    EXPECT_NE(refusal({folder_ / "b"}, models[0], layout).find("b/shard-00000.tokens: made with"),
              std::string::npos);
  }
  std::filesystem::copy_file(models[1], folder_ / "a/tokenizer.model",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(refusal({folder_ / "a"}, "", TokenLayout::muonlab).find("than the one beside"),
            std::string::npos);
  // Ids of another program name no tokenizer: the person says which one it is.
  TokenFileOptions named;
  named.tokenizer = load_tokenizer(models[1]);
  convert_tokens({folder_ / "b"}, named, TokenLayout::npy, folder_ / "b.npy");
  convert_tokens({folder_ / "b", folder_ / "b.npy"}, named, TokenLayout::muonlab, folder_ / "both");
  EXPECT_EQ(load_tokenizer(folder_ / "both")->hash(), named.tokenizer->hash());
}

}  // namespace
}  // namespace muonlab::data
