// muonlab data, as its users meet it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace muonlab {
namespace {

using support::Result;
using support::run_program;
using support::slurp;

class DataCommand : public ::testing::Test {
 protected:
  DataCommand()
      : scratch_(std::string("data_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::create_directories(scratch_ / "books");
    std::ofstream book(scratch_ / "books/a.txt"), lines(scratch_ / "lines.jsonl");
    for (int i = 0; i < 400; ++i) {
      book << "Chapter " << i << ".\n\nThe whale\tswam   past the ship, and the captain saw it "
           << i * i << " times.\n";
      lines << nlohmann::json{{"body", "A sailor wrote letter " + std::to_string(i)}}.dump()
            << "\n";
    }
  }
  Result run(const std::vector<std::string>& arguments) {
    return run_program(scratch_.path(), arguments);
  }
  void expect_success(const Result& result) {
    EXPECT_EQ(result.code, 0) << result.out << result.err;
  }
  support::Scratch scratch_;
};

TEST_F(DataCommand, TrainsATokenizerMakesShardsAndShowsThem) {
  expect_success(run({"data", "tokenizer", "out/books.model", "books", "--vocabulary", "330"}));
  const Result again = run({"data", "tokenizer", "out/books.model", "books"});
  EXPECT_EQ(again.code, 1);
  EXPECT_NE(again.err.find("out/books.model: is there already; --force replaces it"),
            std::string::npos)
      << again.err;

  const Result tokens = run({"data", "tokens", "corpus", "books", "--tokenizer", "out/books.model",
                             "--shard-tokens", "2000"});
  expect_success(tokens);
  EXPECT_NE(tokens.out.find("1 document, "), std::string::npos) << tokens.out;
  EXPECT_EQ(slurp(scratch_ / "corpus/tokenizer.model"), slurp(scratch_ / "out/books.model"));
  EXPECT_EQ(run({"data", "tokens", "corpus", "books", "--tokenizer", "byte"}).code, 1);

  const Result inspected =
      run({"data", "inspect", "corpus/shard-00000.tokens", "--verify", "--show", "12"});
  expect_success(inspected);
  EXPECT_NE(inspected.out.find("2,000 of 2 bytes"), std::string::npos) << inspected.out;
  EXPECT_NE(inspected.out.find("\"Chapter 0.\\n\\nThe"), std::string::npos) << inspected.out;
  EXPECT_NE(inspected.out.find("content matches its hash"), std::string::npos) << inspected.out;
  const Result as_json = run({"data", "inspect", "corpus", "--show", "4", "--verify", "--json"});
  const auto file = nlohmann::json::parse(as_json.out)["files"][0];
  EXPECT_EQ(file["path"], "corpus/shard-00000.tokens");
  EXPECT_EQ(file["ids"].size(), 4u);
  EXPECT_EQ(file["verified"], true);
  EXPECT_EQ(run({"data", "inspect", "corpus"}).out.find("corpus/shard-00000.tokens\n"), 0u)
      << "a folder of shards";
}

TEST_F(DataCommand, AnotherThreadCountGivesTheSameFolder) {
  for (const char* threads : {"1", "3"}) {
    expect_success(run({"data", "tokens", std::string("t") + threads, "lines.jsonl", "books",
                        "--field", "body", "--tokenizer", "byte", "--threads", threads}));
  }
  EXPECT_EQ(support::tree(scratch_ / "t1"), support::tree(scratch_ / "t3"));
  EXPECT_EQ(support::tree(scratch_ / "t1").size(), 1u);
}

TEST_F(DataCommand, TellsWhatItLeftOutAndKeepsDocumentsForValidation) {
  std::filesystem::create_directories(scratch_ / "in");
  std::ofstream(scratch_ / "in/a.txt") << "one<|end|>two<|end|>three";
  std::ofstream(scratch_ / "in/b.jsonl") << "{\"data\": {\"text\": \"four\"}}\n{\"data\": 5}\n";
  std::ofstream(scratch_ / "in/c.json") << R"([{"data": {"text": "six"}}])";
  std::ofstream(scratch_ / "in/d.md") << "# seven";
  const std::vector<std::string> command{"data",    "tokens",    "out",         "in",
                                         "--field", "data.text", "--tokenizer", "byte"};
  const Result stopped = run(command);
  EXPECT_EQ(stopped.code, 1);
  EXPECT_NE(stopped.err.find("in/b.jsonl:2: no field \"data.text\""), std::string::npos)
      << stopped.err;
  std::vector<std::string> skipping = command;
  skipping.insert(skipping.end(),
                  {"--skip-bad-lines", "--split-documents-at", "<|end|>", "--valid-share", "0.3"});
  const Result result = run(skipping);
  expect_success(result);
  EXPECT_NE(result.err.find("1 bad line was left out:"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("in/b.jsonl:2: no field"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("ends in nothing known: in/d.md."), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("out/train  "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("out/valid  "), std::string::npos) << result.out;
  EXPECT_NE(run({"data", "inspect", "out/valid"}).out.find("\"two<|endoftext|>six"),
            std::string::npos);
}

TEST_F(DataCommand, FindsDamage) {
  expect_success(run({"data", "tokens", "corpus", "books", "--tokenizer", "byte"}));
  std::string bytes = slurp(scratch_ / "corpus/shard-00000.tokens");
  bytes[1000] ^= 1;
  std::ofstream(scratch_ / "corpus/shard-00000.tokens", std::ios::binary) << bytes;
  EXPECT_EQ(run({"data", "inspect", "corpus/shard-00000.tokens"}).code, 0);
  const Result verified = run({"data", "inspect", "corpus/shard-00000.tokens", "--verify"});
  EXPECT_EQ(verified.code, 1);
  EXPECT_NE(verified.err.find("do not match content_hash"), std::string::npos) << verified.err;
  bytes[24] ^= 1;
  std::ofstream(scratch_ / "corpus/shard-00000.tokens", std::ios::binary) << bytes;
  EXPECT_NE(
      run({"data", "inspect", "corpus/shard-00000.tokens"}).err.find("num_tokens (offset 24)"),
      std::string::npos);
}

TEST_F(DataCommand, SamplesAreWhatTrainingSees) {
  expect_success(run({"data", "tokens", "corpus", "books", "--tokenizer", "byte"}));
  std::ofstream(scratch_ / "my.json") << R"({"model": {"context": 64, "width": 32, "heads": 2},
    "data": {"kind": "shards", "train": ["corpus"], "valid": ["corpus"]}, "train": {"steps": 10}})";
  const Result result =
      run({"data", "samples", "my.json", "--from", "5", "--count", "3", "--text"});
  expect_success(result);
  std::istringstream lines(result.out);
  std::string line, text = slurp(scratch_ / "books/a.txt");
  int count = 0;
  while (std::getline(lines, line)) {
    const auto row = nlohmann::json::parse(line);
    EXPECT_EQ(row["sample"], 5 + count++);
    EXPECT_EQ(row["tokens"].size(), 65u);
    EXPECT_NE(text.find(row["text"].get<std::string>()), std::string::npos);
  }
  EXPECT_EQ(count, 3);
  EXPECT_EQ(run({"data", "samples", "my.json", "--from", "5", "--count", "3", "--text"}).out,
            result.out);
  EXPECT_NE(run({"data", "samples", "my.json", "--from", "5", "--count", "3", "--text", "--set",
                 "seed=2"})
                .out,
            result.out);
  const Result window = run({"data", "samples", "my.json", "--valid", "--text"});
  EXPECT_EQ(nlohmann::json::parse(window.out)["text"], text.substr(0, 65));
  EXPECT_EQ(run({"data", "samples", "my.json", "--valid", "--count", "100000"}).code, 2);
}

TEST_F(DataCommand, CommandLineMistakesAreNamed) {
  EXPECT_EQ(run({"data"}).code, 2);
  EXPECT_EQ(run({"data", "tokens", "corpus", "books"}).code, 2);
  const Result missing = run({"data", "tokens", "corpus", "nowhere.txt", "--tokenizer", "byte"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.err.find("nowhere.txt: no such file or folder"), std::string::npos)
      << missing.err;
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "corpus"));
}

}  // namespace
}  // namespace muonlab
