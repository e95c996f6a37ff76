// What is read of the files that people have, what is refused, and what is left out.
#include "muonlab/data/inputs.hpp"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "data/chunk_reader.hpp"
#include "data/document_texts.hpp"
#include "data/random_text.hpp"
#include "data/scratch_folder.hpp"

namespace muonlab::data {
namespace {

using Strings = std::vector<std::string>;
using namespace std::string_literals;

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

std::string packed_zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

struct ReadTexts {
  Strings texts;
  BadLines bad;
};

ReadTexts read(const Strings& paths, const ReadOptions& options = {},
               size_t chunk_bytes = kChunkBytes) {
  const InputList list = list_inputs(paths);
  ChunkReader reader(list.inputs, options, chunk_bytes);
  ReadTexts documents;
  std::string text;
  while (const auto chunk = reader.next()) {
    for_each_text(*chunk, options, documents.bad, [&](std::string_view part, bool ends) {
      text += part;
      if (!ends) return;
      documents.texts.push_back(text);
      text.clear();
    });
  }
  EXPECT_EQ(text, "") << "the last document ends";
  return documents;
}

constexpr const char* kLines =
    "{\"text\": \"one\"}\n{\"text\": \"two\\nlines\", \"id\": [1, {\"a\": \"]}\"}]}\n";
const Strings kTexts{"one", "two\nlines"};

TEST(Inputs, ReadJsonOfEveryShapePlainAndPacked) {
  const ScratchFolder folder("inputs_json");
  const std::string array = R"([{"text": "one"},
    {"id": [1, {"a": "]}\"["}],
     "text": "two\nlines"}
  ]
)";
  const std::string pretty = "{\n  \"text\": \"one\"\n}\n\n{\"text\":\n\"two\\nlines\"}";
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"a.jsonl", kLines},
                                                        {"b.ndjson", kLines},
                                                        {"c.json", kLines},
                                                        {"d.json", array},
                                                        {"e.json", pretty}}) {
    EXPECT_EQ(read({folder.write(name, text)}).texts, kTexts) << name;
    EXPECT_EQ(read({folder.write(name + ".gz", gzip(text))}).texts, kTexts) << name;
    EXPECT_EQ(read({folder.write(name + ".zst", packed_zstd(text))}).texts, kTexts) << name;
  }
  EXPECT_EQ(read({folder.write("one.json", R"({"text": "only"})")}).texts, Strings{"only"});
  EXPECT_EQ(read({folder.write("none.json", "[]")}).texts, Strings{});
  EXPECT_EQ(read({folder.write("bom.json", "\xEF\xBB\xBF[{\"text\": \"x\"}]")}).texts,
            Strings{"x"});
  EXPECT_EQ(read({folder.write("t.txt.gz", gzip("some text"))}).texts, Strings{"some text"});
  EXPECT_EQ(read({folder.write("no ending", gzip("some text"))}).texts, Strings{"some text"});
}

TEST(Inputs, LongJsonIsCutBetweenItsValuesAnywhere) {
  const ScratchFolder folder("inputs_long_json");
  std::mt19937 random(5);
  Strings texts;
  nlohmann::json array = nlohmann::json::array();
  for (int i = 0; i < 400; ++i) {
    texts.push_back(random_utf8(random, random() % 30));
    array.push_back({{"n", i}, {"inner", {{"deep", "}]\\\""}}}, {"text", texts.back()}});
  }
  for (const int indent : {-1, 2}) {
    const std::string path = folder.write("a.json", array.dump(indent));
    for (const size_t chunk_bytes : {600, 1111, 100'000})
      EXPECT_EQ(read({path}, {}, chunk_bytes).texts, texts) << indent << " " << chunk_bytes;
  }
}

TEST(Inputs, BrokenJsonFilesAreRefusedWithTheLine) {
  const ScratchFolder folder("inputs_broken_json");
  const auto error = [&](const std::string& text) {
    return error_of([&] { read({folder.write("a.json", text)}); });
  };
  EXPECT_NE(error("[{\"text\": \"a\"},\n{\"text\": \"b\"}").find("a.json:2: the JSON ends early"),
            std::string::npos);
  EXPECT_NE(error("[{\"text\": \"a\"},\n{\"text\": \"b").find("a.json:2: the JSON ends early"),
            std::string::npos);
  EXPECT_NE(error("[{\"text\": \"a\"}\n{\"text\": \"b\"}]").find("a.json:2: a comma is missing"),
            std::string::npos);
  EXPECT_NE(error("[{\"text\": \"a\"}]\nmore").find("a.json:2: there is more"), std::string::npos);
  EXPECT_NE(error("[{\"text\": \"a\"},\n\n 7]").find("a.json:3: expected a JSON object"),
            std::string::npos);
  EXPECT_NE(error("{\"a\": {\n\"b\": 1}}\n")
                .find("a.json:1: no field \"text\"; name another one with --field (there are: a)"),
            std::string::npos);
}

TEST(Inputs, GzipMembersFollowEachOtherAndDamageIsNamed) {
  const ScratchFolder folder("inputs_gzip");
  EXPECT_EQ(
      read({folder.write("a.txt.gz", gzip("one ") + gzip("two") + std::string(512, '\0'))}).texts,
      Strings{"one two"});
  std::mt19937 random(6);
  const std::string packed = gzip(random_utf8(random, 50'000));
  const auto error = [&](const std::string& bytes) {
    return error_of([&] { read({folder.write("b.txt.gz", bytes)}); });
  };
  EXPECT_NE(
      error(packed.substr(0, packed.size() - 3)).find("b.txt.gz: the compressed data end early"),
      std::string::npos);
  EXPECT_NE(error(packed.substr(0, packed.size() / 2)).find("end early"), std::string::npos);
  std::string hurt = packed;
  hurt[hurt.size() - 6] ^= 1;  // of the checksum
  EXPECT_NE(error(hurt).find("b.txt.gz: damaged gzip data near byte"), std::string::npos);
  EXPECT_NE(error(packed + "more").find("damaged gzip data"), std::string::npos);
  EXPECT_NE(error("plain text").find("is named like compressed data, but holds none"),
            std::string::npos);
}

TEST(Inputs, WhatIsNoTextIsRefusedByName) {
  const ScratchFolder folder("inputs_no_text");
  const auto error = [&](const std::string& bytes) {
    const std::string text = error_of([&] { read({folder.write("a.txt", bytes)}); });
    EXPECT_EQ(error_of([&] {
                read({folder.write("a.jsonl.gz", gzip(bytes))});
              }).substr(0, (folder / "a.jsonl.gz:").size()),
              folder / "a.jsonl.gz:");
    return text;
  };
  std::mt19937 random(7);
  EXPECT_NE(error("PK\x03\x04" + random_bytes(random, 200)).find("holds a ZIP archive"),
            std::string::npos);
  EXPECT_NE(error("BZh91AY&SY" + random_bytes(random, 200)).find("holds bzip2 data; unpack it"),
            std::string::npos);
  EXPECT_NE(
      error(std::string(257, 'a') + "ustar" + std::string(250, '\0')).find("holds a tar archive"),
      std::string::npos);
  EXPECT_NE(error(random_bytes(random, 2000)).find("holds binary data, not text"),
            std::string::npos);
  EXPECT_NE(error(std::string(2000, '\0')).find("holds binary data, not text"), std::string::npos);
  EXPECT_NE(
      error("\xFF\xFEt\0e\0x\0t\0"s).find("holds UTF-16 text; convert it first: iconv -f UTF-16"),
      std::string::npos);
  EXPECT_NE(error("\xFE\xFF\0t\0e\0x\0t"s).find("holds UTF-16 text"), std::string::npos);
  EXPECT_NE(error("t\0e\0x\0t\0 \0w\0i\0t\0h\0o\0u\0t\0"s).find("holds UTF-16 text"),
            std::string::npos);
  EXPECT_NE(error("one\ncaf\xE9 au lait\n")
                .find("a.txt:2: byte 0xE9 is not UTF-8; text in Latin-1 or Windows-1252 is "
                      "converted by: iconv"),
            std::string::npos);
  // Far behind the part that is looked at first.
  EXPECT_NE(error_of([&] {
              read({folder.write("b.txt", std::string(3 << 20, '\n') + "caf\xE9 au lait")});
            }).find("b.txt:3145729: byte 0xE9 is not UTF-8"),
            std::string::npos);
  for (const char* text : {"PARIS", "BZh is no word", "ORC", "caf\xC3\xA9", "a\tb\r\n", ""})
    EXPECT_EQ(read({folder.write("c.txt", text)}).texts, Strings{text});
  EXPECT_EQ(read({folder.write("d.txt", std::string(65535, 'a') + "\xC3\xA9")}).texts.size(), 1u)
      << "a character at the border";
}

TEST(Inputs, NestedFields) {
  const ScratchFolder folder("inputs_fields");
  const std::string path =
      folder.write("a.jsonl",
                   "{\"data\": {\"text\": \"in\"}}\n{\"data.text\": \"dotted\"}\n"
                   "{\"data\": {\"x\": 1}, \"data.text\": \"dotted\"}\n");
  EXPECT_EQ(read({path}, {.field = "data.text"}).texts, (Strings{"in", "dotted", "dotted"}));
  EXPECT_EQ(
      read({folder.write("b.jsonl", R"({"a": {"b.c": {"d": "deep"}}})")}, {.field = "a.b.c.d"})
          .texts,
      Strings{"deep"});
  EXPECT_NE(error_of([&] {
              read({path}, {.field = "data.body"});
            }).find("a.jsonl:1: no field \"data.body\""),
            std::string::npos);
}

TEST(Inputs, PythonsNanInAnotherFieldIsNoObstacle) {
  const ScratchFolder folder("inputs_nan");
  EXPECT_EQ(
      read({folder.write(
               "a.jsonl",
               "{\"text\":\"NaN \\\"Infinity\",\"score\":NaN,\"x\":[-Infinity, Infinity]}\n")})
          .texts,
      Strings{"NaN \"Infinity"});
}

TEST(Inputs, ANumberThatNoTypeHoldsInAnotherFieldIsNoObstacle) {
  const ScratchFolder folder("inputs_number");
  EXPECT_EQ(read({folder.write("a.jsonl",
                               "{\"x\":1e999,\"text\":\"2e999 \\\"3e999\"}\n"
                               "{\"x\":[-1E+400, 0.00001e310, 7, -1.5],\"text\":\"two\"}\n")})
                .texts,
            (Strings{"2e999 \"3e999", "two"}));
  const std::string error =
      error_of([&] { read({folder.write("b.jsonl", "{\"text\": 1e999}\n")}); });
  EXPECT_NE(error.find("b.jsonl:1: "), std::string::npos) << error;
}

TEST(Inputs, BadLinesStopOrAreCountedAndListed) {
  const ScratchFolder folder("inputs_bad_lines");
  const Strings bad{"{\"text\": null}",
                    "{\"text\":\"bad \\ud83d lone\"}",
                    "{\"text\":\"caf\xE9 latin1\"}",
                    "{\"text\": 3}",
                    "{\"body\": \"x\"}",
                    "[1]",
                    "{\"text\": \"cut",
                    "{\"text\": NaN}"};
  for (const std::string& line : bad) {
    const std::string text = "{\"text\": \"fine\"}\n" + line + "\n{\"text\": \"fine too\"}\n";
    const std::string path = folder.write("a.jsonl", text);
    const std::string error = error_of([&] { read({path}); });
    EXPECT_NE(error.find("a.jsonl:2: "), std::string::npos) << error;
    EXPECT_NE(error.find("--skip-bad-lines"), std::string::npos) << error;
    const ReadTexts left = read({path}, {.skip_bad_lines = true});
    EXPECT_EQ(left.texts, (Strings{"fine", "fine too"})) << line;
    EXPECT_EQ(left.bad.count, 1);
    ASSERT_EQ(left.bad.shown.size(), 1u);
    EXPECT_NE(left.bad.shown[0].find("a.jsonl:2: "), std::string::npos);
  }
  std::string many;
  for (int i = 0; i < 100; ++i) many += "{}\n";
  const ReadTexts none = read({folder.write("b.jsonl", many)}, {.skip_bad_lines = true}, 600);
  EXPECT_EQ(none.bad.count, 100);
  ASSERT_EQ(none.bad.shown.size(), static_cast<size_t>(BadLines::kShown));
  EXPECT_NE(none.bad.shown[19].find("b.jsonl:20: no field"), std::string::npos);
}

TEST(Inputs, ATextIsSplitIntoDocumentsWherever) {
  const ScratchFolder folder("inputs_split");
  std::mt19937 random(8);
  for (const std::string& mark : {"<|endoftext|>"s, "\n\n\n"s, "aa"s, "x"s}) {
    std::string text;
    for (int i = 0; i < 3000; ++i)
      text += random() % 4 == 0 ? mark : random() % 2 ? "a \n" : random_utf8(random, 3);
    Strings expected;
    std::string_view rest = text;
    for (size_t at; (at = rest.find(mark)) != rest.npos; rest.remove_prefix(at + mark.size()))
      expected.emplace_back(rest.substr(0, at));
    expected.emplace_back(rest);
    ASSERT_GT(expected.size(), 300u);
    const std::string path = folder.write("a.txt", text);
    for (const size_t chunk_bytes : {600, 777, 5000, 1 << 20})
      EXPECT_EQ(read({path}, {.split_at = mark}, chunk_bytes).texts, expected)
          << mark << chunk_bytes;
  }
}

}  // namespace
}  // namespace muonlab::data
