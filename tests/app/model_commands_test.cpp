// export, logits, inspect, eval and sample on runs and on Hugging Face folders.
#include <cmath>
#include <sstream>

#include <nlohmann/json.hpp>

#include "app/train_fixture.hpp"

namespace muonlab {
namespace {

using nlohmann::json;
using support::run_program;

class ModelCommands : public support::TrainFixture {
 protected:
  ModelCommands() {
    EXPECT_EQ(train({"--run-dir", "r", "--set", "train.steps=2", "--set", "probes=null", "--set",
                     R"(schedule={"kind":"constant"})"})
                  .code,
              0);
  }
  support::Result run(const std::vector<std::string>& words) {
    return run_program(scratch_.path(), words);
  }
  std::vector<json> lines(const std::vector<std::string>& words) {
    const support::Result result = run(words);
    EXPECT_EQ(result.code, 0) << result.out << result.err;
    std::vector<json> found;
    std::istringstream in(result.out);
    for (std::string line; std::getline(in, line);) found.push_back(json::parse(line));
    return found;
  }
};

TEST_F(ModelCommands, AnExportedFolderIsAModelToEveryCommand) {
  const support::Result exported = run({"export", "r", "--to", "hf", "--out", "hf", "--json"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_EQ(json::parse(exported.out)["path"], "hf");
  const support::Result again = run({"export", "r", "--to", "hf", "--out", "hf"});
  EXPECT_EQ(again.code, 1);
  EXPECT_NE(again.err.find("exists already"), std::string::npos) << again.err;
  std::ofstream(scratch_ / "a.txt")
      << "A text of some length, longer than the context of the model.";
  std::ofstream(scratch_ / "b.jsonl") << "{\"text\": \"one\"}\n{\"text\": \"two\"}\n";
  const std::vector<std::string> data{"--data", "a.txt", "--data", "b.jsonl", "--json"};
  for (const std::vector<std::string>& more : {std::vector<std::string>{},
                                               {"--stride", "4"},
                                               {"--by", "document"},
                                               {"--by", "position"}}) {
    std::vector<std::string> ours{"eval", "r"}, theirs{"eval", "hf"};
    for (auto* words : {&ours, &theirs}) {
      words->insert(words->end(), data.begin(), data.end());
      words->insert(words->end(), more.begin(), more.end());
    }
    const std::vector<json> here = lines(ours), there = lines(theirs);
    ASSERT_EQ(here.size(), there.size());
    for (size_t i = 0; i < here.size(); ++i) {  // a run's threads are its own
      EXPECT_EQ(here[i]["tokens"], there[i]["tokens"]);
      EXPECT_NEAR(here[i]["loss"].get<double>(), there[i]["loss"].get<double>(), 1e-6);
    }
    const bool by_document = !more.empty() && more.back() == "document";
    EXPECT_EQ(here.size(), by_document ? 4u : 1u);
    EXPECT_EQ(here.back()["documents"], 3);
    EXPECT_EQ(here.back()["tokens"], 60 + 6);
    EXPECT_NEAR(here.back()["bits_per_byte"].get<double>(),
                here.back()["loss"].get<double>() / std::log(2.0), 1e-9);  // one id a byte
  }
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"sample", "MODEL", "--prompt", "A", "--tokens", "9"},
        {"spectra", "MODEL", "--json", "--params", "v"}}) {
    std::vector<std::string> ours = words, theirs = words;
    ours[1] = "r";
    theirs[1] = "hf";
    support::Result here = run(ours), there = run(theirs);
    EXPECT_EQ(there.code, 0) << there.err;
    if (words[0] == "sample") {
      EXPECT_EQ(here.out, there.out);
    }
  }
  std::filesystem::create_directory_symlink("hf", scratch_ / "link");
  EXPECT_EQ(run({"sample", "link", "--prompt", "A", "--tokens", "9"}).out,
            run({"sample", "hf", "--prompt", "A", "--tokens", "9"}).out);
  EXPECT_EQ(run({"export", "link", "--to", "hf", "--out", "copy"}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "copy/tokenizer.json"));
  const support::Result without = run({"eval", "hf"});
  EXPECT_EQ(without.code, 2);
  EXPECT_NE(without.err.find("--data"), std::string::npos);
  EXPECT_NE(run({"sharpness", "hf"}).err.find("without the training state"), std::string::npos);
}

TEST_F(ModelCommands, ATokenThatTheModelExpectsBeforeTextsIsNotLeftOutSilently) {
  ASSERT_EQ(run({"export", "r", "--to", "hf", "--out", "hf"}).code, 0);
  EXPECT_EQ(run({"sample", "hf", "--prompt", "A", "--tokens", "1"}).err.find("before every text"),
            std::string::npos);
  std::ofstream(scratch_ / "hf/tokenizer_config.json")
      << R"({"muonlab": {"tokenizer": "byte"}, "bos_token": "<s>", "add_bos_token": true})";
  std::ofstream(scratch_ / "a.txt") << "A text that is longer than the context of the model is.";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"sample", "hf", "--prompt", "A", "--tokens", "1"},
        {"eval", "hf", "--data", "a.txt"},
        {"export", "hf", "--to", "hf", "--out", "hf2"}}) {
    const support::Result result = run(words);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("hf: its tokenizer puts <s> before every text; muonlab does not"),
              std::string::npos)
        << words[0] << ": " << result.err;
  }
}

TEST_F(ModelCommands, LogitsAnswerLineByLine) {
  std::ofstream(scratch_ / "in.jsonl") << R"({"text": "abc"})"
                                       << "\n\n"
                                       << R"({"ids": [97, 98], "continuation": "c"})"
                                       << "\n";
  const std::vector<json> found = lines({"logits", "r", "in.jsonl", "--top", "2"});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["ids"], (json{97, 98, 99}));
  EXPECT_EQ(found[0]["ids"], found[1]["ids"]);
  EXPECT_TRUE(found[0]["log_probs"][0].is_null());
  EXPECT_EQ(found[0]["log_probs"], found[1]["log_probs"]);
  const double second = found[0]["log_probs"][1], third = found[0]["log_probs"][2];
  EXPECT_NEAR(found[0]["sum"].get<double>(), second + third, 1e-9);
  EXPECT_EQ(found[1]["sum"], third);
  ASSERT_EQ(found[0]["top"].size(), 3u);
  EXPECT_GE(found[0]["top"][0][0][1], found[0]["top"][0][1][1]);
  for (const char* bad :
       {"[]", "{}", R"({"ids": [257]})", R"({"ids": ["a"]})", R"({"text": 3})",
        R"({"text": "a", "ids": [1]})", R"({"continuation": "a"})", R"({"text": ")"}) {
    std::ofstream(scratch_ / "bad.jsonl") << bad << "\n";
    const support::Result result = run({"logits", "r", "bad.jsonl"});
    EXPECT_EQ(result.code, 1) << bad;
    EXPECT_NE(result.err.find("bad.jsonl:1: "), std::string::npos) << bad << ": " << result.err;
  }
  std::ofstream(scratch_ / "bad.jsonl") << R"({"text": "a"})" << '\0' << R"({"text": "b"})";
  EXPECT_NE(run({"logits", "r", "bad.jsonl"}).err.find("bad.jsonl:1: holds a NUL byte"),
            std::string::npos);
}

TEST_F(ModelCommands, InspectShowsTensorsAndDifferences) {
  const std::vector<json> found = lines({"inspect", "r", "--json", "--tensors", "*norm.weight"});
  ASSERT_FALSE(found.empty());
  for (const json& tensor : found) {
    EXPECT_EQ(tensor["not_finite"], 0);
    int64_t sum = 0;
    for (const json& count : tensor["histogram"]) sum += count.get<int64_t>();
    EXPECT_EQ(sum, tensor["count"]);
  }
  ASSERT_EQ(run({"export", "r", "--to", "hf", "--dtype", "bf16", "--out", "half"}).code, 0);
  EXPECT_NE(run({"inspect", "--diff", "r", "r"}).out.find(" 0 do not"), std::string::npos);
  const std::vector<json> moved = lines({"inspect", "--json", "--diff", "r", "half"});
  ASSERT_FALSE(moved.empty());
  for (const json& tensor : moved) {
    EXPECT_LT(tensor["relative"], 1.0 / 256) << tensor;
    EXPECT_EQ(tensor["remark"], "F32 and BF16");
  }
  EXPECT_EQ(run({"inspect", "--diff", "r"}).code, 2);
  EXPECT_EQ(run({"inspect", "r", "--tensors", "none*"}).code, 1);
}

// Of types that no model of muonlab has, the listing shows what it can.
TEST_F(ModelCommands, InspectShowsTensorsOfEveryType) {
  const auto write = [&](const std::string& name, char last) {
    const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                               R"("b":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]},)"
                               R"("c":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[7,8]}})";
    std::ofstream out(scratch_ / name, std::ios::binary);
    out << static_cast<char>(header.size()) << std::string(7, '\0') << header
        << std::string("\0\0\x80\x3F\1\0\1", 7) << last;
  };
  write("some.safetensors", 'x');
  write("other.safetensors", 'y');
  const support::Result shown = run({"inspect", "some.safetensors", "--histogram"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("3 tensors, 1 numbers, all finite\n2 of the tensors have types whose "
                           "numbers muonlab neither reads nor counts\n"),
            std::string::npos)
      << shown.out;
  const std::vector<json> found = lines({"inspect", "some.safetensors", "--json"});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0]["mean"], 1.0);
  EXPECT_EQ(found[1], (json{{"name", "b"}, {"dtype", "BOOL"}, {"shape", {3}}, {"count", 3}}));
  const std::vector<json> moved =
      lines({"inspect", "--json", "--diff", "some.safetensors", "other.safetensors"});
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_EQ(moved[0], (json{{"name", "c"}, {"remark", "other bytes of type F8_E4M3"}}));
}

TEST_F(ModelCommands, SampleWritesSeveralTextsAndReadsPrompts) {
  const support::Result two =
      run({"sample", "r", "--prompt", "A", "--samples", "2", "--seed", "4", "--tokens", "5"});
  EXPECT_NE(two.out.find("--- seed 4\nA"), std::string::npos) << two.out;
  EXPECT_NE(two.out.find("--- seed 5\nA"), std::string::npos) << two.out;
  const support::Result one =
      run({"sample", "r", "--prompt", "A", "--seed", "5", "--tokens", "5", "--json"});
  const json answer = json::parse(one.out);
  EXPECT_EQ(answer["prompt"], "A");
  EXPECT_LE(answer["samples"][0]["ids"].size(), 5u);
  EXPECT_EQ(answer["samples"][0]["seed"], 5);
  EXPECT_TRUE(answer["samples"][0]["text"].is_string());
  EXPECT_EQ(run({"sample", "r", "--interactive", "--json"}).code, 2);
  EXPECT_EQ(run({"sample", "r", "--stop", ""}).code, 2);
  EXPECT_EQ(run({"sample", "r", "--interactive", "--samples", "2"}).code, 2);
}

TEST_F(ModelCommands, ChoicesAreCounted) {
  std::ofstream(scratch_ / "q.jsonl") << R"({"context": "Q", "choices": ["a", "bb"], "label": 0})"
                                      << "\n"
                                      << R"({"context": "Q", "choices": ["a", "bb"], "label": 1})"
                                      << "\n";
  const std::vector<json> found = lines({"eval", "r", "--choices", "q.jsonl", "--json"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0]["questions"], 2);
  for (const char* way : {"accuracy", "accuracy_per_token", "accuracy_per_byte"})
    EXPECT_EQ(found[0][way], 0.5) << way;
}

}  // namespace
}  // namespace muonlab
