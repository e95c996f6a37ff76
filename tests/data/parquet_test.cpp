// Parquet files, read through the program that has Arrow. A script takes its place where only what
// is made of its output matters.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "data/chunk_reader.hpp"
#include "data/document_texts.hpp"
#include "data/parquet_stream.hpp"
#include "data/scratch_folder.hpp"

namespace muonlab::data {
namespace {

// Rows "one", "two\nlines", null and 'naïve "q" 日本 🙂' of the column "text", beside a column
// "id": two row groups, zstd, dictionary encoding; written by pyarrow 26.0.1.
constexpr std::string_view kFile =
    "504152311504152015324c1504150012000028b52ffd20108100000100000000000000020000000000000015"
    "00151215242c15041510150615061c00000028b52ffd200949000002000000040101030215041528153a4c15"
    "04150012000028b52ffd2014a10000030000006f6e650900000074776f0a6c696e65731500151215242c1504"
    "1510150615061c00000028b52ffd20094900000200000004010103021504152015324c1504150012000028b5"
    "2ffd2010810000030000000000000004000000000000001500151215242c15041510150615061c00000028b5"
    "2ffd20094900000200000004010103021504153415464c1502150012000028b52ffd201ad10000160000006e"
    "61c3af76652022712220e697a5e69cac20f09f99821500151215242c15041510150615061c00000028b52ffd"
    "20094900000200000003020102001504193c35001806736368656d61150400150425021802696400150c2502"
    "18047465787425004c1c0000001608192c192c26001c150419350006101918026964150c1604167416980126"
    "562608292c15041500150200150015101502003c29061926000400000026001c150c19350006101918047465"
    "7874150c1604167c16a00126f60126a001292c15041500150200150015101502003c16181906192600040000"
    "0016f0011604260816b80200192c26001c150419350006101918026964150c16041674169801268e0326c002"
    "292c15041500150200150015101502003c29061926000400000026001c150c19350006101918047465787415"
    "0c160416880116ac0126ba0426d803292c15041500150200150015101502003c162c19061926020200000016"
    "fc01160426c00216c402002820706172717565742d6370702d6172726f772076657273696f6e2032362e302e"
    "31192c1c00001c0000005c01000050415231";

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

// The texts in the rows of a file, those left out as "-".
std::vector<std::string> rows(const std::string& path, const ReadOptions& options = {}) {
  const InputList list = list_inputs({path});
  ChunkReader reader(list.inputs, options);
  std::vector<std::string> texts;
  BadLines bad;
  while (const auto chunk = reader.next()) {
    EXPECT_LE(chunk->done_bytes, reader.total_bytes());
    for_each_text(*chunk, options, bad, [&](std::string_view text, bool ends) {
      EXPECT_TRUE(ends);
      texts.emplace_back(text);
    });
  }
  for (const std::string& line : bad.shown) texts.push_back("- " + line.substr(path.size()));
  return texts;
}

class Parquet : public testing::Test {
 protected:
  void TearDown() override { ::unsetenv("MUONLAB_PARQUET_READER"); }

  // A reader that prints `lines` and ends with `code`.
  void pretend(const std::string& lines, int code = 0) {
    const std::string out = folder_.write("lines", lines);
    const std::string program = folder_.write(
        "reader", "#!/bin/sh\ncat '" + out + "'\nexit " + std::to_string(code) + "\n");
    ::chmod(program.c_str(), 0755);
    ::setenv("MUONLAB_PARQUET_READER", program.c_str(), 1);
  }

  ScratchFolder folder_{"parquet"};
  std::string path_ = folder_.write("a.parquet", bytes_of(kFile));
};

using Strings = std::vector<std::string>;

TEST_F(Parquet, RowsAreReadInTheirOrder) {
  try {
    require_parquet_reader(path_);
  } catch (const base::Error&) {
    GTEST_SKIP() << "this build has no reader of Parquet files (scripts/setup --parquet)";
  }
  EXPECT_EQ(rows(path_, {.skip_bad_lines = true}),
            (Strings{"one", "two\nlines", "naïve \"q\" 日本 \U0001F642",
                     "- :3: field \"text\" is null"}));
  EXPECT_EQ(error_of([&] { rows(path_); }),
            path_ +
                ":3: field \"text\" is null; --skip-bad-lines leaves such lines out and lists "
                "them");
  EXPECT_EQ(error_of([&] { rows(path_, {.field = "body"}); }),
            path_ + ": has no column \"body\"; name one with --field (there are: id, text)");
  EXPECT_EQ(error_of([&] { rows(path_, {.field = "id"}); }),
            path_ + ": the column holds int64, not text; name another one with --field");
  const std::string whole = bytes_of(kFile);
  const auto error = [&](const std::string& bytes) {
    const std::string path = folder_.write("b.parquet", bytes);
    return error_of([&] { rows(path); }).substr(path.size());
  };
  for (const size_t size : {whole.size() - 1, whole.size() / 2, size_t{30}}) {
    EXPECT_EQ(error(whole.substr(0, size)),
              ": ends early or is damaged: the table of its contents at the end is missing; fetch "
              "the file again");
  }
  EXPECT_EQ(error("some text"), ": holds no Parquet data; name it as what it is");
  EXPECT_EQ(error("PARE" + whole.substr(4)), ": is encrypted; decrypt it first");
  std::string hurt = whole;
  for (size_t at = 0; (at = hurt.find("\x28\xB5\x2F\xFD")) != hurt.npos;) hurt[at] = 0;
  EXPECT_NE(error(hurt).find(": holds damaged"), std::string::npos) << error(hurt);
}

TEST_F(Parquet, WithoutItsReaderAFileIsRefusedWithARemedy) {
  ::setenv("MUONLAB_PARQUET_READER", (folder_ / "nothing").c_str(), 1);
  const std::string expected =
      ": is a Parquet file, and this build cannot read these; run scripts/setup --parquet and "
      "build again, or convert it to JSON lines";
  EXPECT_TRUE(error_of([&] { rows(path_); }).starts_with(path_ + expected));
  const std::string renamed = folder_.write("a.txt", bytes_of(kFile));
  EXPECT_TRUE(error_of([&] { rows(renamed); }).starts_with(renamed + expected));
}

TEST_F(Parquet, WhatTheReaderWritesIsTakenAsLines) {
  pretend("{\"rows\": 0}\n");
  EXPECT_EQ(rows(path_), Strings{});
  std::string lines = "{\"rows\": 3000}\n";
  Strings texts;
  for (int i = 0; i < 3000; ++i) {
    texts.push_back(std::string(static_cast<size_t>(i % 900), 'x') + std::to_string(i));
    lines += "{\"text\": \"" + texts.back() + "\"}\n";
  }
  texts.emplace_back(3 << 20, 'y');
  pretend(lines + "{\"text\": \"" + texts.back() + "\"}\n");
  EXPECT_EQ(rows(path_), texts);
}

TEST_F(Parquet, AReaderThatStopsIsNoEndOfTheFile) {
  const std::string row = "{\"text\": \"a\"}\n";
  const std::string ended = path_ + ": the reader of Parquet files ended early";
  for (const std::string& lines : {std::string(), std::string("{\"ro"), "{\"rows\": 9}\n" + row}) {
    pretend(lines, 1);
    EXPECT_TRUE(error_of([&] { rows(path_); }).starts_with(ended)) << lines;
  }
  pretend("{\"rows\": 9}\n" + row + "{\"text\": \"cut", 0);
  EXPECT_TRUE(error_of([&] { rows(path_); }).starts_with(ended));
  pretend("{\"rows\": 9}\n" + row + "!holds damaged data (why)\n");
  EXPECT_EQ(error_of([&] { rows(path_); }),
            path_ + ": holds damaged data (why); fetch the file again");
}

}  // namespace
}  // namespace muonlab::data
