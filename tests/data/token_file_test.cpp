#include "data/token_file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "data/scratch_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/data/content_check.hpp"
#include "muonlab/data/corpus.hpp"
#include "muonlab/data/shard.hpp"

namespace muonlab::data {
namespace {

template <class T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::vector<int32_t> some_ids() {
  std::vector<int32_t> ids;
  for (int i = 0; i < 400; ++i) ids.push_back(i % 40 == 0 ? 256 : (i * 37) % 256);
  return ids;
}

std::string raw(uint32_t width) {
  std::string bytes;
  for (const int32_t id : some_ids()) {
    if (width == 2) {
      put(bytes, static_cast<uint16_t>(id));
    } else {
      put(bytes, id);
    }
  }
  return bytes;
}

std::string padded(std::string header) {
  header.resize(1024);
  return header;
}

std::string llmc(uint32_t magic, uint32_t version, uint32_t width) {
  std::string header;
  for (const uint32_t word : {magic, version, 400u}) put(header, word);
  return padded(header) + raw(width);
}

std::string llmq(uint32_t version, bool masked) {
  std::string header = "BIN.TOK\n";
  for (const uint32_t word : {version, 4u, 400u}) put(header, word);
  if (version == 2) {
    put(header, 257u);
    put(header, masked ? 1u : 0u);
  }
  return padded(header) + raw(4) + (masked ? std::string(50, '\xFF') : "");
}

// As numpy.save writes it.
std::string npy(const std::string& type, uint32_t width) {
  std::string text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (400,), }";
  text.resize(117, ' ');
  text += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += '\x01';
  bytes += '\0';
  put(bytes, static_cast<uint16_t>(text.size()));
  return bytes + text + raw(width);
}

std::string megatron_index(uint8_t code) {
  std::string bytes("MMIDIDX\0\0", 9);
  put(bytes, uint64_t{1});
  put(bytes, code);
  put(bytes, uint64_t{10});
  put(bytes, uint64_t{11});
  for (int i = 0; i < 10; ++i) put(bytes, int32_t{40});
  for (int i = 0; i < 10; ++i) put(bytes, int64_t{i * 40 * (code == 8 ? 2 : 4)});
  for (int i = 0; i <= 10; ++i) put(bytes, int64_t{i});
  return bytes;
}

struct Known {
  std::string name, format, bytes;
  uint32_t id_bytes = 0;  // that the caller names
  std::string beside{}, beside_bytes{};
};

std::vector<Known> known_files() {
  return {
      {"a.bin", "llm.c", llmc(20240520, 1, 2)},
      {"b.bin", "llm.c", llmc(20240801, 7, 4)},
      {"c.bin", "llm.q", llmq(1, false)},
      {"d.bin", "llm.q", llmq(2, false)},
      {"e.bin", "llm.q", llmq(2, true)},
      {"f.npy", "NumPy", npy("<u2", 2)},
      {"g.npy", "NumPy", npy("<u4", 4)},
      {"h.npy", "NumPy", npy("<i4", 4)},
      {"i.bin", "Megatron", raw(2), 0, "i.idx", megatron_index(8)},
      {"j.bin", "Megatron", raw(4), 0, "j.idx", megatron_index(4)},
      {"k.ds", "datatrove", raw(2), 0, "k.ds.metadata", "gpt2|2\n400\n0.4 KT"},
      {"l.bin", "headerless", raw(2), 2},
      {"m.npy", "headerless", raw(4), 4},
  };
}

TokenFileOptions byte_options(uint32_t id_bytes) {
  TokenFileOptions options;
  options.id_bytes = id_bytes;
  options.tokenizer = make_byte_tokenizer();
  return options;
}

std::string write(const ScratchFolder& scratch, const Known& file) {
  if (!file.beside.empty()) scratch.write(file.beside, file.beside_bytes);
  return scratch.write(file.name, file.bytes);
}

std::string refusal(const std::string& path, const TokenFileOptions& options) {
  try {
    Shard::open(path, options);
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

TEST(TokenFile, EveryFormatIsReadInPlace) {
  const ScratchFolder scratch("token_file");
  std::set<std::string> hashes;
  for (const Known& file : known_files()) {
    const Shard shard = Shard::open(write(scratch, file), byte_options(file.id_bytes));
    EXPECT_EQ(shard.format(), file.format) << file.name;
    std::vector<int32_t> ids(400);
    ASSERT_EQ(shard.num_tokens(), 400) << file.name;
    shard.read(0, ids);
    EXPECT_EQ(ids, some_ids()) << file.name;
    EXPECT_EQ(shard.header().num_documents, 10u);
    EXPECT_EQ(shard.header().text_bytes, 390u);  // every other id is a byte
    hashes.insert(shard.header().content_hash.hex());
    shard.verify_content();
  }
  EXPECT_EQ(hashes.size(), 2u);  // of the ids alone, in two widths
}

TEST(TokenFile, TrainingTakesThemLikeItsOwn) {
  const ScratchFolder scratch("token_file_dataset");
  config::ShardsConfig config;
  config.train = {scratch.write("data/train_1.bin", llmc(20240520, 1, 2)),
                  scratch.write("data/train_2.bin", llmc(20240520, 1, 2))};
  config.valid = {scratch.write("data/val.bin", llmc(20240520, 1, 2))};
  const Dataset gpt2 = open_dataset(config, 16, 1);  // the magic says that the ids are GPT-2's
  EXPECT_EQ(gpt2.tokenizer->vocabulary(), 50257);
  EXPECT_EQ(gpt2.tokenizer->end_of_text(), 50256);
  EXPECT_TRUE(std::isnan(gpt2.bytes_per_token));
  EXPECT_THROW(gpt2.tokenizer->encode("text"), base::Error);
  std::vector<int32_t> window(17), expected(17);
  gpt2.train->window(24, window);  // over the border of the two files
  for (size_t i = 0; i < 17; ++i) expected[i] = some_ids()[(24 * 16 + i) % 400];
  EXPECT_EQ(window, expected);
  // What a checkpoint carries loads again.
  for (const auto& [name, bytes] : gpt2.tokenizer->files()) scratch.write("saved/" + name, bytes);
  EXPECT_EQ(load_tokenizer(scratch / "saved")->hash(), gpt2.tokenizer->hash());

  config.tokenizer = "byte";
  const Dataset bytes = open_dataset(config, 16, 1);
  EXPECT_NE(bytes.identity, gpt2.identity);
  EXPECT_DOUBLE_EQ(bytes.bytes_per_token, 390.0 / 400.0);
  config.vocabulary = 300;
  EXPECT_THROW(open_dataset(config, 16, 1), base::Error);

  // Headerless files need the width, and what nobody says.
  config = {};
  config.train = config.valid = {scratch.write("nano/train.bin", raw(2))};
  EXPECT_THROW(open_dataset(config, 16, 1), base::Error);
  config.format = config::IdFormat::uint16;
  EXPECT_THROW(open_dataset(config, 16, 1), base::Error);
  config.vocabulary = 257;
  EXPECT_THROW(open_dataset(config, 16, 1), base::Error);
  config.end_of_text = 256;
  EXPECT_EQ(open_dataset(config, 16, 1).train->num_tokens(), 400);
  // A folder of such files is all of them by name.
  config.train = {scratch / "nano"};
  EXPECT_EQ(open_dataset(config, 16, 1).train->num_tokens(), 400);
}

// A header is never read as ids.
TEST(TokenFile, AKnownHeaderCountsMoreThanTheWidthThatWasNamed) {
  const ScratchFolder scratch("token_file_header");
  for (const Known& file : known_files()) {
    if (file.id_bytes != 0 || file.format == "datatrove") continue;
    EXPECT_EQ(Shard::open(write(scratch, file), byte_options(2)).format(), file.format);
  }
}

TEST(TokenFile, AChangeWhileTrainingIsFound) {
  const ScratchFolder scratch("token_file_change");
  const std::string path = scratch.write("a.bin", llmc(20240520, 1, 2));
  const Shard shard = Shard::open(path, byte_options(0));
  ContentCheck check({shard}, {shard});
  check.start();
  check.confirm();
  std::string other = llmc(20240520, 1, 2);
  other[1030] ^= 1;
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.write(other.data(), static_cast<std::streamsize>(other.size()));
  }
  EXPECT_THROW(check.confirm(), base::Error);
  // A file that is cut is an error with its name, not the end of the program.
  std::filesystem::resize_file(path, 1100);
  std::vector<int32_t> ids(400);
  EXPECT_THROW(shard.read(0, ids), base::Error);
}

// Every field of a header changed, and every file cut and made longer: refused with its name.
TEST(TokenFile, MalformedFilesAreRefused) {
  const ScratchFolder scratch("token_file_malformed");
  int kinds = 0;
  const auto expect_refused = [&](const Known& file, const std::string& what) {
    const std::string message = refusal(write(scratch, file), byte_options(file.id_bytes));
    EXPECT_NE(message, "") << file.name << ": " << what;
    EXPECT_EQ(message.find(scratch.path()), 0u) << message;
    ++kinds;
  };
  for (const Known& good : known_files()) {
    for (const size_t less : {1, 3, 5, 7}) {
      if (good.format == "headerless" && less % good.id_bytes == 0) continue;
      Known file = good;
      file.bytes.resize(file.bytes.size() - less);
      expect_refused(file, "shorter by " + std::to_string(less));
      file.bytes = good.bytes + std::string(less, 'x');
      expect_refused(file, "longer by " + std::to_string(less));
    }
    Known large = good;
    large.bytes[large.bytes.size() - (good.name == "e.bin" ? 51 : 1)] = '\x7F';
    expect_refused(large, "an id outside the vocabulary");
    if (good.format == "llm.c" || good.format == "llm.q") {
      const size_t fields = good.format == "llm.c" ? 256 : good.name == "c.bin" ? 5 : 7;
      for (size_t field = 1; field < fields; field += field < 12 ? 1 : 30) {
        if (good.format == "llm.q" && field < 2) continue;
        if (good.format == "llm.q" && field == 5) continue;  // the vocabulary: the caller's counts
        Known file = good;
        file.bytes[4 * field + 1] ^= 0x10;
        expect_refused(file, "field " + std::to_string(field));
      }
      Known shorter = good;
      shorter.bytes.resize(600);
      expect_refused(shorter, "cut within the header");
    }
    if (good.format == "NumPy") {
      const std::string edits[][2] = {{"<", ">"},       {"400", "401"},    {"(400,)", "(20,20)"},
                                      {"(400,)", "()"}, {"descr", "type"}, {"shape", "form"},
                                      {"fortran", "c"}, {"<", "|"}};
      for (const auto& [from, to] : edits) {
        Known file = good;
        file.bytes.replace(file.bytes.find(from), from.size(), to);
        expect_refused(file, from + " is " + to);
      }
      Known version = good;
      version.bytes[6] = 9;
      expect_refused(version, "version");
    }
    if (good.format == "Megatron") {
      for (size_t at = 0; at < good.beside_bytes.size(); at += at < 42 ? 1 : 16) {
        Known file = good;
        file.beside_bytes[at] ^= 0x40;
        expect_refused(file, "index byte " + std::to_string(at));
      }
      for (const size_t left : {0, 5, 20, 33, 100}) {
        Known file = good;
        file.beside_bytes.resize(left);
        expect_refused(file, "an index of " + std::to_string(left) + " bytes");
      }
      Known old = good;
      old.beside_bytes = "TNTIDX\0\0" + std::string(100, '\0');
      expect_refused(old, "the old index");
    }
  }
  Known metadata{"k.ds", "datatrove", raw(2), 0, "k.ds.metadata", "gpt2\n400\n"};
  expect_refused(metadata, "metadata without a width");
  metadata.beside_bytes = "gpt2|2\n401\n0.4 KT";
  expect_refused(metadata, "another number of ids");
  EXPECT_GE(kinds, 100);
}

TEST(TokenFile, WhatIsNotSupportedIsNamed) {
  const ScratchFolder scratch("token_file_named");
  std::string masked = llmq(2, true);
  masked.back() = '\x7F';
  EXPECT_NE(refusal(scratch.write("a.bin", masked), byte_options(0))
                .find("its mask leaves token 399 out of the loss"),
            std::string::npos);
  EXPECT_NE(refusal(scratch.write("b.npy", npy("<i8", 4)), byte_options(0))
                .find("its NumPy type is '<i8', not '<u2'"),
            std::string::npos);
  EXPECT_NE(refusal(scratch.write("c.bin", raw(2)), byte_options(0))
                .find("set data.format to uint16 or uint32"),
            std::string::npos);
  EXPECT_NE(refusal(scratch.write("d.bin", llmc(20240520, 2, 2)), byte_options(0))
                .find("llm.c version (offset 4) is 2, but 1 belongs to the magic 20240520"),
            std::string::npos);
}

TEST(TokenFiles, APatternNamesFiles) {
  const ScratchFolder folder("token_file_patterns");
  for (const char* name : {"web_train_000002.bin", "web_train_000001.bin", "web_val_000000.bin"})
    folder.write(name, "ids");
  EXPECT_EQ(
      shard_paths(folder / "web_train_*.bin"),
      (std::vector<std::string>{folder / "web_train_000001.bin", folder / "web_train_000002.bin"}));
  EXPECT_EQ(shard_paths(folder / "web_val_00000?.bin").size(), 1u);
  EXPECT_EQ(error_of([&] { shard_paths(folder / "web_test_*.bin", "data.valid"); }),
            folder /
                "web_test_*.bin: no such shard or folder (data.valid); make it with `muonlab "
                "data tokens`");
  EXPECT_NE(error_of([&] { shard_paths(folder / "no/web_*.bin"); }), "no error");
}

}  // namespace
}  // namespace muonlab::data
