#include "muonlab/data/tokenize.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "data/chunk_reader.hpp"
#include "data/random_text.hpp"
#include "data/scratch_folder.hpp"
#include "muonlab/data/inputs.hpp"
#include "muonlab/data/shard.hpp"
#include "muonlab/data/tokenizer_training.hpp"

namespace muonlab::data {
namespace {

std::string zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

std::string valid_text(std::mt19937& random, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += random_utf8(random, 50);
  return text;
}

std::shared_ptr<const Tokenizer> small_bpe() {
  static const auto tokenizer = [] {
    std::mt19937 random(1);
    TokenizerTraining training;
    training.vocabulary = 600;
    training.coverage = 0.98;
    std::string text;
    for (int i = 0; i < 3000; ++i) text += random() % 2 ? "the white whale " : "sea and ship\n";
    training.vocabulary = 290;
    return make_sentencepiece_tokenizer(train_tokenizer({text}, training), "small");
  }();
  return tokenizer;
}

std::vector<int32_t> all_ids(const TokenizeResult& result) {
  std::vector<int32_t> ids;
  for (const std::string& path : result.shards) {
    const Shard shard(path);
    shard.verify_content();
    std::vector<int32_t> part(static_cast<size_t>(shard.num_tokens()));
    shard.read(0, part);
    ids.insert(ids.end(), part.begin(), part.end());
  }
  return ids;
}

void append_document(std::vector<int32_t>& ids, const Tokenizer& tokenizer,
                     const std::string& text) {
  const auto more = tokenizer.encode(text);
  ids.insert(ids.end(), more.begin(), more.end());
  ids.push_back(tokenizer.end_of_text());
}

TEST(Tokenize, GivesTheIdsOfTheWholeTextsForEveryThreadCount) {
  const ScratchFolder folder("tokenize_threads");
  std::mt19937 random(21);
  const std::string long_text = valid_text(random, 5 << 20), one_line(3 << 20, 'x');
  folder.write("in/a.txt", long_text);
  folder.write("in/b.txt", one_line);
  folder.write("in/c.txt.zst", zstd("the white whale\n"));
  folder.write("in/empty.txt", "");
  folder.write("in/notes.md", "not read");
  const auto tokenizer = small_bpe();
  std::vector<int32_t> expected;
  for (const std::string& text : {long_text, one_line, std::string("the white whale\n")}) {
    append_document(expected, *tokenizer, text);
  }
  std::string first_bytes;
  for (const int threads : {1, 2, 5}) {
    TokenizeOptions options;
    options.inputs = {folder / "in"};
    options.threads = threads;
    options.shard_tokens = 700'001;
    options.force = true;
    const auto result = tokenize_files(*tokenizer, folder / "out", options);
    EXPECT_TRUE(all_ids(result) == expected) << threads;
    EXPECT_EQ(result.num_documents, 3u);
    EXPECT_EQ(result.text_bytes, long_text.size() + one_line.size() + 16);
    EXPECT_EQ(result.num_tokens, expected.size());
    std::string bytes;
    for (const std::string& path : result.shards) bytes += file_bytes(path);
    if (first_bytes.empty()) first_bytes = bytes;
    EXPECT_TRUE(bytes == first_bytes);
  }
}

TEST(Tokenize, ShardsAreFullAndTheirTextBytesExact) {
  const ScratchFolder folder("tokenize_shards");
  std::mt19937 random(22);
  const std::string text = valid_text(random, 50'000);
  const auto tokenizer = small_bpe();
  TokenizeOptions options;
  options.inputs = {folder.write("a.txt", text), folder.write("b.txt", "sea\n")};
  options.shard_tokens = 1000;
  const auto result = tokenize_files(*tokenizer, folder / "out", options);
  ASSERT_GT(result.shards.size(), 5u);
  uint64_t text_bytes = 0, documents = 0;
  std::string decoded;
  for (const std::string& path : result.shards) {
    const Shard shard(path);
    if (path != result.shards.back()) {
      EXPECT_EQ(shard.num_tokens(), 1000);
    }
    std::vector<int32_t> ids(static_cast<size_t>(shard.num_tokens()));
    shard.read(0, ids);
    const std::string part = tokenizer->decode(ids);
    EXPECT_EQ(part.size(),
              shard.header().text_bytes + shard.header().num_documents * kEndOfText.size());
    text_bytes += shard.header().text_bytes;
    documents += shard.header().num_documents;
    decoded += part;
  }
  EXPECT_EQ(text_bytes, text.size() + 4);
  EXPECT_EQ(documents, 2u);
  EXPECT_EQ(decoded, text + std::string(kEndOfText) + "sea\n" + std::string(kEndOfText));
  EXPECT_EQ(load_tokenizer(folder / "out/tokenizer.model")->hash(), tokenizer->hash());
}

TEST(Tokenize, ReadsJsonLinesPlainAndCompressed) {
  const ScratchFolder folder("tokenize_json");
  std::mt19937 random(23);
  std::string lines;
  std::vector<int32_t> expected;
  const auto tokenizer = small_bpe();
  for (int i = 0; i < 30000; ++i) {
    const std::string text = random_utf8(random, random() % 12);
    lines += nlohmann::json{{"id", i}, {"content", text}}.dump() + (i % 50 == 0 ? "\r\n\n" : "\n");
    if (!text.empty()) append_document(expected, *tokenizer, text);
  }
  lines += R"({"content":"last, without a line feed"})";
  append_document(expected, *tokenizer, "last, without a line feed");
  ASSERT_GT(lines.size(), 2 * kChunkBytes);
  for (const std::string& input :
       {folder.write("a.jsonl", lines), folder.write("b.jsonl.zst", zstd(lines))}) {
    TokenizeOptions options;
    options.inputs = {input};
    options.read.field = "content";
    options.threads = 2;
    options.force = true;
    EXPECT_TRUE(all_ids(tokenize_files(*tokenizer, folder / "out", options)) == expected);
  }
}

TEST(Tokenize, NamesTheLineOfABadJsonLine) {
  const ScratchFolder folder("tokenize_bad_json");
  const auto message = [&](const std::string& bad, bool compressed) {
    std::string lines;
    for (int i = 0; i < 40'000; ++i)
      lines += R"({"text": "the white whale is in the sea"})"
               "\n";
    lines += bad + "\n";
    lines += "also not json\n";
    TokenizeOptions options;
    options.inputs = {compressed ? folder.write("a.jsonl.zst", zstd(lines))
                                 : folder.write("a.jsonl", lines)};
    options.threads = 2;
    const std::string text =
        error_of([&] { tokenize_files(*make_byte_tokenizer(), folder / "out", options); });
    EXPECT_FALSE(std::filesystem::exists(folder / "out"));
    EXPECT_FALSE(std::filesystem::exists(folder / "out.partial"));
    return text;
  };
  EXPECT_NE(message("{\"text\": \"a", false).find("a.jsonl:40001: not valid JSON at byte"),
            std::string::npos);
  EXPECT_NE(
      message("{\"text\": 3}", true).find("a.jsonl.zst:40001: field \"text\" is not a string"),
      std::string::npos);
  EXPECT_NE(message("{\"body\": \"x\"}", false)
                .find(":40001: no field \"text\"; name another one with --field"),
            std::string::npos);
  EXPECT_NE(message("[1]", false).find(":40001: expected a JSON object"), std::string::npos);
  EXPECT_NE(message("{\"text\": \"\\ud800\"}", false).find(":40001: not valid JSON"),
            std::string::npos);
  const std::string second = "{\"text\": \"b\"}", nuls(2, '\0');
  EXPECT_NE(message(second + nuls + second, true).find(":40001: not valid JSON at byte 14: a NUL"),
            std::string::npos);
  EXPECT_NE(message(second + nuls, false).find(":40001: not valid JSON at byte 14: a NUL"),
            std::string::npos);
}

TEST(Tokenize, DamagedCompressedDataAreAnError) {
  const ScratchFolder folder("tokenize_zstd");
  std::mt19937 random(24);
  const std::string packed = zstd(valid_text(random, 300'000));
  TokenizeOptions options;
  options.inputs = {folder.write("a.txt.zst", packed.substr(0, packed.size() / 2))};
  EXPECT_NE(error_of([&] {
              tokenize_files(*make_byte_tokenizer(), folder / "out", options);
            }).find("end early"),
            std::string::npos);
  options.inputs = {folder.write("b.txt.zst", "garbage that is no zstd")};
  EXPECT_NE(error_of([&] {
              tokenize_files(*make_byte_tokenizer(), folder / "out", options);
            }).find("b.txt.zst: is named like compressed data, but holds none"),
            std::string::npos);
}

TEST(Tokenize, NeverReplacesOutputUnasked) {
  const ScratchFolder folder("tokenize_force");
  TokenizeOptions options;
  options.inputs = {folder.write("a.txt", "one")};
  tokenize_files(*make_byte_tokenizer(), folder / "out", options);
  options.inputs = {folder.write("b.txt", "three")};
  EXPECT_EQ(error_of([&] { tokenize_files(*make_byte_tokenizer(), folder / "out", options); }),
            (folder / "out") + ": holds token shards already; --force replaces them");
  EXPECT_EQ(Shard(folder / "out/shard-00000.tokens").num_tokens(), 4);
  options.force = true;
  tokenize_files(*make_byte_tokenizer(), (folder / "out") + "/", options);
  EXPECT_EQ(Shard(folder / "out/shard-00000.tokens").num_tokens(), 6);
  folder.write("out/thesis.txt", "precious");
  EXPECT_NE(error_of([&] {
              tokenize_files(*make_byte_tokenizer(), folder / "out", options);
            }).find("holds thesis.txt"),
            std::string::npos);
  EXPECT_EQ(file_bytes(folder / "out/thesis.txt"), "precious");
}

TEST(Tokenize, GoesOnAfterAnInterruptedRun) {
  const ScratchFolder folder("tokenize_partial");
  folder.write("out.partial/.muonlab-partial", "1\n");
  folder.write("out.partial/out/shard-00000.tokens.tmp", "half a shard");
  TokenizeOptions options;
  options.inputs = {folder.write("a.txt", "one")};
  EXPECT_EQ(tokenize_files(*make_byte_tokenizer(), folder / "out", options).num_tokens, 4u);
  EXPECT_FALSE(std::filesystem::exists(folder / "out.partial"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out/shard-00000.tokens.tmp"));
}

TEST(Tokenize, SplitsDocumentsBetweenTrainingAndValidation) {
  const ScratchFolder folder("tokenize_share");
  std::string lines, text;
  for (int i = 0; i < 1000; ++i) {
    lines +=
        nlohmann::json{{"text", i % 7 == 0 ? "" : "document " + std::to_string(i)}}.dump() + "\n";
    text += "part " + std::to_string(i) + (i % 50 == 0 ? "##" : "") + "##";
  }
  TokenizeOptions options;
  options.inputs = {folder.write("a.jsonl", lines), folder.write("b.txt", text)};
  options.read.split_at = "##";
  options.valid_share = 0.05;
  options.shard_tokens = 3000;
  const auto tokenizer = small_bpe();
  std::string first;
  for (const int threads : {1, 3}) {
    options.threads = threads;
    options.force = true;
    const TokenizeResult result = tokenize_files(*tokenizer, folder / "out", options);
    ASSERT_TRUE(result.valid);
    EXPECT_EQ(result.num_documents + result.valid->num_documents, 857u + 1000u);
    EXPECT_EQ(result.valid->num_documents, 93u);  // (1857 + 10) / 20
    EXPECT_EQ(result.num_splits, 1020u);
    EXPECT_EQ(result.shards.front(), folder / "out/train/shard-00000.tokens");
    EXPECT_EQ(result.valid->shards.front(), folder / "out/valid/shard-00000.tokens");
    const std::string train = tokenizer->decode(all_ids(result));
    TokenizeResult held;
    static_cast<ShardTotals&>(held) = *result.valid;
    const std::string valid = tokenizer->decode(all_ids(held));
    std::set<std::string> seen;
    for (const std::string& part : {train, valid}) {
      for (size_t at = 0; at < part.size();) {
        const size_t end = part.find(kEndOfText, at);
        EXPECT_TRUE(seen.insert(part.substr(at, end - at)).second) << part.substr(at, end - at);
        at = end + kEndOfText.size();
      }
    }
    EXPECT_EQ(seen.size(), 1857u);
    EXPECT_EQ(load_tokenizer(folder / "out/valid/tokenizer.model")->hash(), tokenizer->hash());
    EXPECT_EQ(result.text_bytes + result.valid->text_bytes,
              train.size() + valid.size() - 1857 * kEndOfText.size());
    if (first.empty()) first = train + valid;
    EXPECT_EQ(train + valid, first);
  }
  options.inputs = {folder.write("c.txt", "one document")};
  EXPECT_NE(error_of([&] {
              tokenize_files(*tokenizer, folder / "out", options);
            }).find("the inputs hold 1 document, too few"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "out/train/shard-00000.tokens")) << "kept";
  options.valid_share = 1;
  EXPECT_NE(error_of([&] { tokenize_files(*tokenizer, folder / "out", options); }), "no error");
}

// Documents are cut over several chunks here, some of them with their end alone in the next chunk.
TEST(Tokenize, DocumentsAreLeftOutByLengthAndAsRepeats) {
  ScratchFolder folder("tokenize_select");
  const std::string long_text(3'000'000, 'x');
  std::vector<std::string> kept;
  std::string text;
  const auto add = [&](const std::string& document, bool keep) {
    text += document + "@@";
    if (keep) kept.push_back(document);
  };
  add("first document", true);
  add("short", false);
  add("first document", false);
  add(long_text, false);
  add("another document", true);
  add(std::string(2'000'000, 'y'), true);
  add(std::string(2'000'000, 'y'), false);
  add("", false);
  add("first document.", true);
  const auto bytes = make_byte_tokenizer();
  TokenizeOptions options;
  options.inputs = {folder.write("t.txt", text)};
  options.read.split_at = "@@";
  options.min_bytes = 6;
  options.max_bytes = 2'500'000;
  options.deduplicate = true;
  for (const int threads : {1, 3}) {
    options.threads = threads;
    options.force = true;
    const TokenizeResult result = tokenize_files(*bytes, folder / "out", options);
    std::vector<int32_t> expected;
    for (const std::string& document : kept) append_document(expected, *bytes, document);
    EXPECT_EQ(all_ids(result), expected);
    EXPECT_EQ(result.num_documents, kept.size());
    EXPECT_EQ(result.num_too_short, 1u);
    EXPECT_EQ(result.num_too_long, 1u);
    EXPECT_EQ(result.num_repeated, 2u);
  }
  options.min_bytes = 10'000'000;
  options.max_bytes = 0;
  EXPECT_THROW(tokenize_files(*bytes, folder / "none", options), base::Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

TEST(Inputs, FoldersAreSortedAndStrangersLeftOut) {
  const ScratchFolder folder("inputs");
  folder.write("in/b.txt", "b");
  folder.write("in/a/z.jsonl", "{}");
  folder.write("in/c.jsonl.zst", zstd(""));
  folder.write("in/readme.md", "");
  const auto list = list_inputs({folder / "in", folder / "in/readme.md"});
  const auto& inputs = list.inputs;
  ASSERT_EQ(inputs.size(), 4u);
  EXPECT_EQ(list.left_out, std::vector<std::string>{folder / "in/readme.md"});
  EXPECT_EQ(inputs[0].path, folder / "in/a/z.jsonl");
  EXPECT_EQ(inputs[0].kind, InputKind::json_lines);
  EXPECT_EQ(inputs[1].path, folder / "in/b.txt");
  EXPECT_EQ(inputs[2].packing, Packing::zstd);
  EXPECT_EQ(inputs[3].kind, InputKind::text);
  folder.write("none/readme.md", "");
  EXPECT_NE(error_of([&] {
              list_inputs({folder / "none"});
            }).find("holds no file whose name ends in .txt, .jsonl"),
            std::string::npos);
  EXPECT_NE(error_of([&] { list_inputs({folder / "absent"}); }).find("no such file or folder"),
            std::string::npos);
}

TEST(ChunkReader, JoinedChunksAreTheFile) {
  const ScratchFolder folder("chunks");
  std::mt19937 random(25);
  const std::string text =
      valid_text(random, 100'000) + random_bytes(random, 5000) + std::string(10'000, 'y');
  const auto inputs = list_inputs({folder.write("a.txt", text)}).inputs;
  const auto tokenizer = small_bpe();
  for (const size_t chunk_bytes : {600, 1000, 4097}) {
    ChunkReader reader(inputs, {}, chunk_bytes);
    std::string joined;
    std::vector<int32_t> ids;
    int64_t count = 0;
    while (const auto chunk = reader.next()) {
      joined += chunk->text;
      const auto more = tokenizer->encode(chunk->text);
      ids.insert(ids.end(), more.begin(), more.end());
      ++count;
    }
    EXPECT_TRUE(joined == text);
    EXPECT_TRUE(ids == tokenizer->encode(text));
    EXPECT_GT(count, 20);
  }
}

}  // namespace
}  // namespace muonlab::data
