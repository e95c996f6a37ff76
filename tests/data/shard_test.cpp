#include "muonlab/data/shard.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

#include "data/scratch_folder.hpp"
#include "data/shard_header.hpp"
#include "muonlab/data/content_check.hpp"

namespace muonlab::data {
namespace {

ShardHeader header(uint64_t vocabulary = 300) {
  ShardHeader h;
  h.id_bytes = vocabulary > (1 << 16) ? 4 : 2;
  h.vocabulary = vocabulary;
  h.end_of_text = 1;
  h.tokenizer_hash = {11, 22};
  return h;
}

std::string write_shard(const ScratchFolder& folder, const std::string& name,
                        uint64_t vocabulary = 300) {
  ShardWriter writer(folder / name, header(vocabulary));
  std::vector<int32_t> ids(200);
  std::iota(ids.begin(), ids.end(), static_cast<int32_t>(vocabulary) - 200);
  writer.add(ids, 500);
  writer.add(std::vector<int32_t>{1, 5, 1}, 7);
  writer.finish();
  return folder / name;
}

// Into the file itself, as a program that has it open would.
void overwrite(const std::string& path, std::streamoff offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(offset);
  file << bytes;
}

TEST(Shard, HoldsWhatWasWritten) {
  const ScratchFolder folder("shard");
  for (const uint64_t vocabulary : {300, 65536, 65537, 200000}) {
    const std::string path = write_shard(folder, "a.tokens", vocabulary);
    EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
    const Shard shard(path);
    EXPECT_EQ(shard.header().id_bytes, vocabulary > 65536 ? 4u : 2u);
    EXPECT_EQ(shard.num_tokens(), 203);
    EXPECT_EQ(shard.header().num_documents, 2u);
    EXPECT_EQ(shard.header().text_bytes, 507u);
    EXPECT_EQ(shard.header().vocabulary, vocabulary);
    EXPECT_EQ(shard.header().tokenizer_hash, (base::Hash128{11, 22}));
    EXPECT_EQ(std::filesystem::file_size(path), 128 + 203 * shard.header().id_bytes);
    std::vector<int32_t> ids(5);
    shard.read(198, ids);
    EXPECT_EQ(ids, (std::vector<int32_t>{static_cast<int32_t>(vocabulary) - 2,
                                         static_cast<int32_t>(vocabulary) - 1, 1, 5, 1}));
    shard.verify_content();
  }
}

TEST(Shard, AnUnfinishedOneHasNotItsName) {
  const ScratchFolder folder("shard_unfinished");
  {
    ShardWriter writer(folder / "a.tokens", header());
    writer.add(std::vector<int32_t>{1, 2, 3}, 3);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a.tokens"));
}

TEST(Shard, TheFormatIsTheDocumentedOne) {
  const ScratchFolder folder("shard_format");
  const std::string bytes = file_bytes(write_shard(folder, "a.tokens"));
  const auto number = [&](size_t at, size_t count) {
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
  };
  EXPECT_EQ(bytes.substr(0, 8), "MUONTOKS");
  EXPECT_EQ(number(8, 4), 1u);     // version
  EXPECT_EQ(number(12, 4), 2u);    // id_bytes
  EXPECT_EQ(number(16, 8), 300u);  // vocabulary
  EXPECT_EQ(number(24, 8), 203u);  // num_tokens
  EXPECT_EQ(number(32, 8), 2u);    // num_documents
  EXPECT_EQ(number(40, 8), 507u);  // text_bytes
  EXPECT_EQ(number(48, 4), 1u);    // end_of_text
  EXPECT_EQ(number(56, 8), 11u);   // tokenizer_hash, high half
  EXPECT_EQ(number(64, 8), 22u);
  EXPECT_EQ(number(80, 8), base::hash_text(bytes.substr(128)).high);
  EXPECT_EQ(number(112, 8), base::hash_text(bytes.substr(0, 112)).high);
  EXPECT_EQ(number(120, 8), base::hash_text(bytes.substr(0, 112)).low);
  EXPECT_EQ(number(128, 2), 100u);
}

struct Damage {
  size_t at;
  std::string says;
};

TEST(Shard, EveryDamagedHeaderFieldIsNamedWithItsOffset) {
  const ScratchFolder folder("shard_damage");
  const std::string good = file_bytes(write_shard(folder, "good.tokens"));
  const std::vector<Damage> cases = {
      {0, "magic (offset 0)"},          {8, "version (offset 8)"},
      {12, "id_bytes (offset 12)"},     {23, "vocabulary (offset 16)"},
      {24, "num_tokens (offset 24)"},   {39, "num_documents (offset 32)"},
      {40, "header_hash (offset 112)"}, {51, "end_of_text (offset 48)"},
      {53, "reserved (offset 53)"},     {56, "header_hash (offset 112)"},
      {75, "reserved (offset 75)"},     {80, "header_hash (offset 112)"},
      {111, "reserved (offset 111)"},   {112, "header_hash (offset 112)"}};
  for (const Damage& damage : cases) {
    std::string bytes = good;
    bytes[damage.at] = static_cast<char>(bytes[damage.at] ^ 0x41);
    const std::string path = folder.write("bad.tokens", bytes);
    const std::string message = error_of([&] { Shard shard(path); });
    EXPECT_NE(message.find(path + ": " + damage.says), std::string::npos)
        << damage.at << ": " << message;
  }
}

TEST(Shard, EveryFlippedHeaderBitIsFound) {
  const ScratchFolder folder("shard_bits");
  const std::string good = file_bytes(write_shard(folder, "good.tokens"));
  for (size_t bit = 0; bit < kShardHeaderBytes * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const auto span = std::as_bytes(std::span(bytes.data(), bytes.size()));
    EXPECT_THROW(parse_header(span, bytes.size(), "x"), base::Error) << "bit " << bit;
  }
}

TEST(Shard, AWrongLengthIsRefused) {
  const ScratchFolder folder("shard_length");
  const std::string good = file_bytes(write_shard(folder, "good.tokens"));
  for (const size_t length :
       {size_t{0}, size_t{100}, size_t{128}, good.size() - 1, good.size() - 2}) {
    const std::string path = folder.write("bad.tokens", good.substr(0, length));
    EXPECT_NE(error_of([&] { Shard shard(path); }), "no error") << length;
  }
  EXPECT_NE(error_of([&] {
              Shard shard(folder.write("bad.tokens", good + "xx"));
            }).find("num_tokens (offset 24) is 203"),
            std::string::npos);
}

TEST(Shard, DamagedContentIsFoundOnRequestAndBadIdsOnReading) {
  const ScratchFolder folder("shard_content");
  std::string bytes = file_bytes(write_shard(folder, "good.tokens"));
  bytes[128 + 2 * 7 + 1] = static_cast<char>(0xFF);  // token 7 becomes 0xFF6B
  const Shard shard(folder.write("bad.tokens", bytes));
  EXPECT_NE(error_of([&] { shard.verify_content(); }).find("do not match content_hash (offset 80)"),
            std::string::npos);
  std::vector<int32_t> ids(10);
  EXPECT_NE(error_of([&] {
              shard.read(2, ids);
            }).find("token 7 at offset 142 is 65387, the vocabulary is 300"),
            std::string::npos);
  EXPECT_NO_THROW(shard.read(8, ids));
}

TEST(Shard, OneThatIsCutWhileItIsOpenGivesAnErrorWithItsName) {
  const ScratchFolder folder("shard_cut");
  const std::string path = write_shard(folder, "a.tokens");
  const Shard shard(path);
  std::filesystem::resize_file(path, 200);
  std::vector<int32_t> ids(5);
  shard.read(0, ids);
  EXPECT_NE(error_of([&] { shard.read(198, ids); }).find("a.tokens: ends at byte "),
            std::string::npos);
  EXPECT_NE(error_of([&] { shard.verify_content(); }).find("another program cut it"),
            std::string::npos);
}

TEST(ContentCheck, FindsIdsThatWereReplacedBeforeItsStart) {
  const ScratchFolder folder("content_before");
  const std::string good = write_shard(folder, "good.tokens"),
                    path = write_shard(folder, "a.tokens");
  ContentCheck fine({Shard(good)}, {Shard(good)});
  EXPECT_EQ(fine.bytes(), std::filesystem::file_size(good));
  fine.start();
  EXPECT_TRUE(fine.wait(10));
  fine.confirm();
  fine.verify_valid();
  overwrite(path, 128, std::string(20, '\0'));  // ids of the vocabulary
  ContentCheck check({Shard(good), Shard(path)}, {Shard(good)});
  check.start();
  EXPECT_NE(error_of([&] { check.wait(10); }).find("a.tokens: the token ids do not match"),
            std::string::npos);
  EXPECT_NE(error_of([&] { check.poll(); }), "no error");
  EXPECT_NE(error_of([&] { check.confirm(); }), "no error");
  ContentCheck swapped({Shard(good)}, {Shard(path)});
  EXPECT_NE(error_of([&] { swapped.verify_valid(); }), "no error");
}

TEST(ContentCheck, FindsIdsThatAreReplacedLater) {
  const ScratchFolder folder("content_later");
  const std::string path = write_shard(folder, "a.tokens"), before = file_bytes(path);
  ContentCheck check({Shard(path)}, {Shard(path)});
  check.start();
  ASSERT_TRUE(check.wait(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a tick of the file system's clock
  overwrite(path, 0, before);                                  // the same bytes: no damage
  check.confirm();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  overwrite(path, 130, std::string(20, '\0'));
  check.poll();
  EXPECT_NE(error_of([&] { check.confirm(); }).find("a.tokens: the token ids do not match"),
            std::string::npos);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::filesystem::resize_file(path, 200);
  EXPECT_NE(error_of([&] { check.confirm(); }).find("another program cut it"), std::string::npos);
}

}  // namespace
}  // namespace muonlab::data
