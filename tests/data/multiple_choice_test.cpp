// Questions with answers to choose from, as other programs write them.
#include "muonlab/data/multiple_choice.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"

namespace muonlab::data {
namespace {

class MultipleChoice : public testing::Test {
 protected:
  std::vector<ChoiceQuestion> read(const std::string& text) {
    base::write_atomically(folder_ / "q", text);
    return read_choice_questions(folder_ / "q", *tokenizer_, 257);
  }
  std::string refusal(const std::string& text) {
    return base::error_of([&] { read(text); });
  }
  // llm.c's file with one question: context 1 2, answers 3 and 4 5.
  static std::string eval_file(std::vector<uint16_t> body = {65535, 22, 0, 1, 2, 2, 1, 2, 1, 3, 2,
                                                             4, 5},
                               int32_t examples = 1, int32_t version = 1) {
    body[1] = static_cast<uint16_t>(body[1] == 22 ? 2 * body.size() : body[1]);
    std::vector<int32_t> header(256);
    header[0] = 20240522;
    header[1] = version;
    header[2] = examples;
    return std::string(reinterpret_cast<const char*>(header.data()), 1024) +
           std::string(reinterpret_cast<const char*>(body.data()), 2 * body.size());
  }

  const base::TemporaryFolder folder_;
  const std::shared_ptr<const Tokenizer> tokenizer_ = make_byte_tokenizer();
};

TEST_F(MultipleChoice, TheFormsOfHellaSwagArcAndPiqaAreOneQuestion) {
  for (
      const char* line :
      {R"({"context": "Who?", "choices": ["I", "You"], "label": 1})",
       R"({"ctx": "Who?", "endings": ["I", " You "], "label": "1"})",
       R"({"question": "Who?", "choices": {"text": ["I", "You"], "label": ["A", "B"]}, "answerKey": "B"})",
       R"({"question": "Who?", "choices": {"text": ["I", "You"], "label": ["1", "2"]}, "answerKey": "2"})",
       R"({"goal": "Who?", "sol1": "I", "sol2": "You", "label": 1})"}) {
    const auto questions = read(std::string(line) + "\n\n");
    ASSERT_EQ(questions.size(), 1u) << line;
    EXPECT_EQ(tokenizer_->decode(questions[0].context), "Who?");
    ASSERT_EQ(questions[0].choices.size(), 2u);
    EXPECT_EQ(tokenizer_->decode(questions[0].choices[1].ids), " You");
    EXPECT_EQ(questions[0].choices[1].text_bytes, 3u);
    EXPECT_EQ(questions[0].right, 1u) << line;
  }
}

TEST_F(MultipleChoice, AnEvaluationFileOfLlmC) {
  const auto questions = read(eval_file());
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_EQ(questions[0].context, (std::vector<int32_t>{1, 2}));
  ASSERT_EQ(questions[0].choices.size(), 2u);
  EXPECT_EQ(questions[0].choices[1].ids, (std::vector<int32_t>{4, 5}));
  EXPECT_EQ(questions[0].right, 1u);
}

TEST_F(MultipleChoice, MalformedFilesAreRefusedWithTheirPlace) {
  EXPECT_NE(refusal(eval_file({65535, 22, 0, 2, 2, 2, 1, 2, 1, 3, 2, 4, 5})).find("is right"),
            std::string::npos);
  EXPECT_NE(refusal(eval_file({65535, 99, 0, 1, 2, 2, 1, 2, 1, 3, 2, 4, 5})).find("as long as"),
            std::string::npos);
  EXPECT_NE(refusal(eval_file({65535, 22, 0, 1, 2, 2, 1, 2, 1, 3, 2, 4, 300})).find("vocabulary"),
            std::string::npos);
  EXPECT_NE(refusal(eval_file({65535, 22, 0, 1, 2, 2, 1, 2, 1, 3, 2, 4})).find("ends inside"),
            std::string::npos);
  EXPECT_NE(refusal(eval_file({7, 22, 0, 1, 2, 2, 1, 2, 1, 3, 2, 4, 5})).find("no example"),
            std::string::npos);
  EXPECT_NE(refusal(eval_file({65535, 22, 0, 1, 2, 0, 1, 3, 2, 4, 5})).find("no tokens"),
            std::string::npos);
  EXPECT_NE(refusal(eval_file() + "xx").find("behind the last"), std::string::npos);
  EXPECT_NE(refusal(eval_file({65535, 22, 0, 1, 2, 2, 1, 2, 1, 3, 2, 4, 5}, 1, 2)).find("version"),
            std::string::npos);
  for (
      const char* line :
      {"[1]", R"({"choices": ["a", "b"], "label": 0})", R"({"context": "c", "label": 0})",
       R"({"context": "c", "choices": ["a"], "label": 0})",
       R"({"context": "c", "choices": ["a", 3], "label": 0})",
       R"({"context": "c", "choices": ["a", " "], "label": 0})",
       R"({"context": "c", "choices": ["a", "b"]})",
       R"({"context": "c", "choices": ["a", "b"], "label": 2})",
       R"({"context": "c", "choices": ["a", "b"], "label": "x"})",
       R"({"context": "c", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "label": "0"})"}) {
    EXPECT_NE(refusal(std::string("\n") + line).find("q:2: "), std::string::npos)
        << line << ": " << refusal(std::string("\n") + line);
  }
  EXPECT_NE(refusal("\n").find("no questions"), std::string::npos);
  const std::string good = R"({"context": "c", "choices": ["a", "b"], "label": 0})";
  EXPECT_NE(refusal(good + std::string(2, '\0') + good).find("q:1: holds a NUL byte"),
            std::string::npos);
}

// RACE, CosmosQA and Social IQa: the answers are about a text and a question.
TEST_F(MultipleChoice, ATextAndAQuestionInTwoFieldsAreRefused) {
  const std::string rest = R"("choices": ["a", "b"], "label": 0})";
  for (const std::string fields : {R"("context": "The sea is cold.", "question": "What is cold?")",
                                   R"("article": "The sea is cold.", "question": "What is cold?")",
                                   R"("ctx": "c", "query": "q")"}) {
    const std::string message = refusal("{" + fields + ", " + rest);
    EXPECT_NE(message.find("q:1: has both "), std::string::npos) << fields << message;
    EXPECT_NE(message.find("join them in one \"context\""), std::string::npos) << message;
  }
  for (const std::string fields :
       {R"("context": "", "question": "What?")", R"("context": null, "question": "What?")",
        R"("ctx": "What?", "ctx_a": "What", "ctx_b": "?")"}) {
    EXPECT_EQ(tokenizer_->decode(read("{" + fields + ", " + rest)[0].context), "What?") << fields;
  }
}

}  // namespace
}  // namespace muonlab::data
