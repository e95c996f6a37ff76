// Where the shards go: links, folders of others, and two commands at once.
#include <gtest/gtest.h>

#include "data/scratch_folder.hpp"
#include "muonlab/data/documents.hpp"
#include "muonlab/data/inputs.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenize.hpp"

namespace muonlab::data {
namespace {

namespace fs = std::filesystem;

class OutputFolder : public testing::Test {
 protected:
  OutputFolder() { options_.inputs = {folder_.write("text/a.txt", "one")}; }
  TokenizeResult tokenize(const std::string& out, const TokenizeProgress& progress = {}) {
    return tokenize_files(*tokenizer_, out, options_, progress);
  }
  std::string refusal(const std::string& out) {
    return error_of([&] { tokenize(out); });
  }
  const ScratchFolder folder_{testing::UnitTest::GetInstance()->current_test_info()->name()};
  const std::shared_ptr<const Tokenizer> tokenizer_ = make_byte_tokenizer();
  TokenizeOptions options_;
};

TEST_F(OutputFolder, ALinkToAFolderIsThatFolder) {
  fs::create_directory_symlink("text", folder_ / "texts");
  EXPECT_EQ(list_inputs({folder_ / "texts"}).inputs.at(0).path, folder_ / "texts/a.txt");
  options_.inputs = {folder_ / "texts"};
  fs::create_directories(folder_ / "disk/real");
  fs::create_directory_symlink("disk/real", folder_ / "out");
  EXPECT_EQ(tokenize(folder_ / "out").shards.at(0), folder_ / "out/shard-00000.tokens");
  options_.force = true;
  folder_.write("text/a.txt", "three");
  tokenize((folder_ / "out") + "/");
  EXPECT_TRUE(fs::is_symlink(folder_ / "out")) << "the link stays";
  EXPECT_EQ(shard_paths(folder_ / "out").size(), 1u);
  EXPECT_EQ(Shard(folder_ / "disk/real/shard-00000.tokens").num_tokens(), 6);
  TokenFileOptions token_files;
  token_files.tokenizer = tokenizer_;
  int64_t documents = 0;
  each_document({folder_ / "out", folder_ / "texts"}, {}, token_files,
                [&](const Document&) { ++documents; });
  EXPECT_EQ(documents, 2);
}

TEST_F(OutputFolder, LinksInsideAFolderOfTextsAreFollowedToFilesOnly) {
  fs::create_directory_symlink(".", folder_ / "text/circle");
  fs::create_symlink("a.txt", folder_ / "text/b.txt");
  const InputList list = list_inputs({folder_ / "text"});
  ASSERT_EQ(list.inputs.size(), 2u);
  EXPECT_EQ(list.inputs[1].path, folder_ / "text/b.txt");
  EXPECT_EQ(list.left_out, std::vector<std::string>{folder_ / "text/circle"});
}

TEST_F(OutputFolder, TwoAtOnceDoNotMixTheirIds) {
  bool tried = false;
  const TokenizeResult first = tokenize(folder_ / "out", [&](uint64_t, uint64_t, uint64_t) {
    if (std::exchange(tried, true)) return;
    EXPECT_NE(refusal(folder_ / "out").find("out is in use by process "), std::string::npos);
  });
  EXPECT_TRUE(tried);
  const Shard shard(first.shards.at(0));
  shard.verify_content();
  EXPECT_EQ(shard.num_tokens(), 4);
}

TEST_F(OutputFolder, WhatOthersMadeUnderThePartialNameStays) {
  options_.inputs = {folder_ / "text"};
  tokenize(folder_ / "out.partial");  // the person's own shards of that name
  EXPECT_NE(refusal(folder_ / "out").find("out.partial: is there already"), std::string::npos);
  EXPECT_EQ(Shard(folder_ / "out.partial/shard-00000.tokens").num_tokens(), 4);
}

TEST_F(OutputFolder, TheCurrentFolderIsRefusedBeforeTheWork) {
  const fs::path before = fs::current_path();
  fs::create_directories(folder_ / "here");
  fs::current_path(folder_ / "here");
  const std::string message = refusal(".");
  fs::current_path(before);
  EXPECT_NE(message.find("is the current folder"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(folder_ / "here.partial"));
}

TEST_F(OutputFolder, FinishedShardsThatCannotBeMovedAreKept) {
  const std::string message = error_of([&] {
    tokenize(folder_ / "out",
             [&](uint64_t, uint64_t, uint64_t) { folder_.write("out/thesis.txt", "precious"); });
  });
  EXPECT_NE(message.find("stays in " + (folder_ / "out.partial/out")), std::string::npos)
      << message;
  EXPECT_EQ(Shard(folder_ / "out.partial/out/shard-00000.tokens").num_tokens(), 4);
  EXPECT_EQ(file_bytes(folder_ / "out/thesis.txt"), "precious");
}

}  // namespace
}  // namespace muonlab::data
