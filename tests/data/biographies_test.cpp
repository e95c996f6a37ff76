#include "muonlab/data/biographies.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "data/biography_tables.hpp"
#include "data/scratch_folder.hpp"

namespace muonlab::data {
namespace {

config::BiographiesConfig small(int64_t m = 8) {
  config::BiographiesConfig config;
  config.m = m;
  return config;
}

TEST(Biographies, ListsHaveTheirSizesAndNoRepeats) {
  const auto distinct = [](auto entry, uint64_t count) {
    std::set<std::string> seen;
    for (uint64_t i = 0; i < count; ++i) seen.insert(entry(i));
    return seen.size();
  };
  EXPECT_EQ(distinct(first_name, 400), 400u);
  EXPECT_EQ(distinct(middle_name, 400), 400u);
  EXPECT_EQ(distinct(last_name, 1000), 1000u);
  EXPECT_EQ(distinct(city, 200), 200u);
  EXPECT_EQ(distinct(university, 300), 300u);
  EXPECT_EQ(distinct(major, 100), 100u);
  EXPECT_EQ(distinct(company, 300), 300u);
  EXPECT_EQ(distinct(birth_date, 12 * 28 * 200), 67'200u);
  EXPECT_EQ(birth_date(1), "February 01, 1900");
  std::set<std::string> wordings;
  for (int attribute = 0; attribute < kNumAttributes; ++attribute) {
    for (int wording = 0; wording < kNumWordings; ++wording) {
      wordings.emplace(question_wording(attribute, wording));
      EXPECT_NE(question_wording(attribute, wording).find("{}"), std::string_view::npos);
    }
  }
  EXPECT_EQ(wordings.size(), 36u);
  std::set<std::string> sentences;
  for (int attribute = 0; attribute < kNumAttributes; ++attribute) {
    for (int wording = 0; wording < kNumWordings; ++wording) {
      sentences.emplace(sentence_wording(attribute, wording));
      EXPECT_NE(sentence_wording(attribute, wording).find("{}"), std::string_view::npos);
      EXPECT_NE(sentence_wording(attribute, wording).find("{fact}"), std::string_view::npos);
    }
  }
  EXPECT_EQ(sentences.size(), 36u);
}

// The small version of arXiv 2509.26030's task: 256 classes, 1,280 selections, 7,680 samples.
TEST(Biographies, CountsFollowThePowerLaw) {
  const Biographies people(small());
  EXPECT_EQ(people.num_classes(), 256);
  EXPECT_EQ(people.num_selections(), 1280);
  EXPECT_EQ(people.num_samples(), 7680);
  const Biographies paper(small(15));
  EXPECT_EQ(paper.num_classes(), 32'768);
  EXPECT_EQ(paper.num_selections(), 278'528);
  EXPECT_EQ(paper.num_samples(), 1'671'168);

  std::map<int, int64_t> classes, selections;
  std::map<int64_t, int64_t> count;
  for (int64_t s = 0; s < people.num_selections(); ++s) {
    const int64_t cls = people.class_of(s);
    if (count[cls]++ == 0) {
      EXPECT_EQ(people.first_selection(cls), s);
    }
    ++selections[people.group(cls)];
  }
  for (int64_t cls = 0; cls < 256; ++cls) {
    ++classes[people.group(cls)];
    EXPECT_EQ(count[cls], people.selections(cls));
  }
  EXPECT_EQ(classes[0], 1);
  EXPECT_EQ(selections[0], 256);
  for (int g = 1; g <= 8; ++g) {
    EXPECT_EQ(classes[g], 1 << (g - 1));
    EXPECT_EQ(selections[g], 128);
    EXPECT_EQ(people.selections((1 << g) - 1), 1 << (8 - g));
  }
}

TEST(Biographies, TheUniformControlHasTheSameTotal) {
  for (const int64_t m : {1, 4, 7, 8}) {
    auto config = small(m);
    config.uniform = true;
    const Biographies people(config);
    EXPECT_EQ(people.num_samples(), Biographies(small(m)).num_samples());
    std::map<int64_t, int64_t> count;
    for (int64_t s = 0; s < people.num_selections(); ++s) {
      if (count[people.class_of(s)]++ == 0) {
        EXPECT_EQ(people.first_selection(people.class_of(s)), s);
      }
    }
    EXPECT_EQ(count.size(), static_cast<size_t>(people.num_classes()));
    for (const auto& [cls, n] : count) {
      EXPECT_EQ(n, people.selections(cls));
      EXPECT_LE(std::abs(n - people.num_selections() / people.num_classes()), 1);
    }
  }
}

TEST(Biographies, PeopleAreDistinctAndAFunctionOfTheSeed) {
  const Biographies people(small(12));
  std::set<std::string> names;
  std::map<std::string, std::string> office;
  for (int64_t cls = 0; cls < people.num_classes(); ++cls) {
    const Person person = people.person(cls);
    names.insert(person.name);
    const auto [at, fresh] = office.emplace(person.facts[4], person.facts[5]);
    EXPECT_TRUE(fresh || at->second == person.facts[5]);  // one city a company
  }
  EXPECT_EQ(names.size(), 4096u);
  EXPECT_EQ(people.person(77).name, Biographies(small(12)).person(77).name);
  auto other = small(12);
  other.seed = 2;
  EXPECT_NE(people.person(77).name, Biographies(other).person(77).name);
}

TEST(Biographies, EverySampleOccursOnceAndValidationWordingsAreHeldOut) {
  for (const int64_t templates : {1, 2, 3, 6}) {
    auto config = small(6);
    config.templates = templates;
    const Biographies people(config);
    std::map<std::string, int64_t> seen, wanted;
    for (int64_t i = 0; i < people.num_samples(); ++i) ++seen[people.train_document(i)];
    for (int64_t s = 0; s < people.num_selections(); ++s) {
      for (int attribute = 0; attribute < 6; ++attribute) {
        const int64_t cls = people.class_of(s);
        const int wording = people.train_wording(s, attribute);
        EXPECT_LT(wording, templates);
        const Question q = people.question(cls, attribute, wording);
        ++wanted[q.text + " " + q.answer + "."];
      }
    }
    EXPECT_EQ(seen, wanted);
    std::set<std::string> valid;
    for (int64_t i = 0; i < people.num_classes() * 6; ++i) valid.insert(people.valid_document(i));
    EXPECT_EQ(valid.size(), static_cast<size_t>(people.num_classes() * 6));
    for (const std::string& text : valid) EXPECT_EQ(seen.contains(text), templates == 1) << text;
  }
}

// Every selection adds one biography: a sentence an attribute, each with the name and the fact.
TEST(Biographies, TheTextMayHoldBiographiesBesidesTheQuestions) {
  auto config = small(5);
  config.questions = 4;
  const Biographies questions_only(config);
  config.text = config::BiographyText::biographies_and_questions;
  const Biographies people(config);
  EXPECT_EQ(questions_only.num_documents(), questions_only.num_samples());
  EXPECT_EQ(people.num_documents(), people.num_samples() + people.num_selections());
  std::map<std::string, int64_t> seen, wanted;
  for (int64_t i = 0; i < people.num_documents(); ++i) ++seen[people.train_document(i)];
  for (int64_t i = 0; i < questions_only.num_documents(); ++i)
    ++wanted[questions_only.train_document(i)];
  std::set<std::string> of_the_first;
  for (int64_t s = 0; s < people.num_selections(); ++s) {
    const std::string text = people.biography(s);
    ++wanted[text];
    const Person person = people.person(people.class_of(s));
    size_t names = 0;
    for (size_t at = text.find(person.name); at != std::string::npos;
         at = text.find(person.name, at + 1))
      ++names;
    EXPECT_EQ(names, 4u) << text;
    for (int attribute = 0; attribute < 4; ++attribute) {
      EXPECT_NE(text.find(person.facts[static_cast<size_t>(attribute)]), std::string::npos) << text;
    }
    EXPECT_EQ(text.find('{'), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with(".")) << text;
    if (people.class_of(s) == 0) of_the_first.insert(text);
  }
  EXPECT_EQ(seen, wanted);
  // of 32 selections: 24 orders of 4 sentences in 3 wordings each
  EXPECT_GT(of_the_first.size(), 28u);
  for (int64_t i = 0; i < 10; ++i)
    EXPECT_EQ(people.valid_document(i), questions_only.valid_document(i));

  config.tokenizer = config::TrainedTokenizer{512};
  const Dataset data = open_biographies(config, 64, 1);
  EXPECT_NE(data.description.find("32 people, 448 questions and biographies, "), std::string::npos)
      << data.description;
}

TEST(Biographies, AnExamAsksTheSamePeopleOfEachGroup) {
  const Biographies people(small(6));
  const auto trained = people.exam(5, Wording::trained),
             held_out = people.exam(5, Wording::held_out);
  ASSERT_EQ(trained.size(), 6u * (1 + 1 + 2 + 4 + 3 * 5));
  std::set<std::string> texts, documents;
  for (int64_t i = 0; i < people.num_documents(); ++i) documents.insert(people.train_document(i));
  std::map<int, int64_t> count;
  for (size_t i = 0; i < trained.size(); ++i) {
    EXPECT_EQ(trained[i].answer, held_out[i].answer);
    EXPECT_TRUE(documents.contains(trained[i].text + " " + trained[i].answer + "."));
    EXPECT_FALSE(documents.contains(held_out[i].text + " " + held_out[i].answer + "."));
    texts.insert(trained[i].text);
    ++count[trained[i].group];
  }
  EXPECT_EQ(texts.size(), trained.size());
  EXPECT_EQ(count,
            (std::map<int, int64_t>{{0, 6}, {1, 6}, {2, 12}, {3, 24}, {4, 30}, {5, 30}, {6, 30}}));
  // A larger exam is the whole of a group in its order; the corpus's own questions are the largest.
  EXPECT_EQ(people.exam(1 << 6, Wording::trained).size(), 64u * 6);
  std::set<std::string> more;
  for (const Question& question : people.exam(12, Wording::trained)) more.insert(question.text);
  for (const std::string& text : texts) EXPECT_TRUE(more.contains(text)) << text;
}

TEST(Biographies, DatasetIsPackedTextWithItsQuestions) {
  const Dataset data = open_biographies(small(), 64, 1);
  EXPECT_EQ(data.tokenizer->vocabulary(), 1024);
  EXPECT_EQ(data.questions.size(), 256u * 6);
  EXPECT_EQ(data.train->samples_per_epoch(), (data.train->num_tokens() - 1) / 64);
  std::vector<int32_t> ids, out(65);
  std::string text;
  for (int64_t i = 0; i < data.train->samples_per_epoch(); ++i) {
    data.train->window(i, out);
    ids.insert(ids.end(), out.begin(), out.end() - 1);
  }
  text = data.tokenizer->decode(ids);
  const Biographies people(small());
  EXPECT_TRUE(text.starts_with(people.train_document(0) + "<|endoftext|>" +
                               people.train_document(1) + "<|endoftext|>"));
  // Every question is answered in the training text, in the same words.
  int64_t found = 0;
  for (const Question& q : data.questions)
    found += text.find(q.text + " " + q.answer + ".") != std::string::npos;
  EXPECT_GE(found, 256 * 6 - 3);  // the last partial window is left out
  EXPECT_EQ(data.questions[0].group, 0);
  EXPECT_EQ(data.questions.back().group, 8);
  EXPECT_EQ(data.questions.back().attribute, 5);
  EXPECT_TRUE(data.questions[7].text.ends_with("? Answer:")) << data.questions[7].text;
  EXPECT_GT(data.bytes_per_token, 2.0);
  EXPECT_NE(data.description.find("biographies  256 people, 7,680 questions, "), std::string::npos)
      << data.description;
  // A name is several tokens, its three parts not one each.
  const size_t at = data.description.find(", a name takes ");
  ASSERT_NE(at, std::string::npos) << data.description;
  EXPECT_GT(std::stod(data.description.substr(at + 15)), 5.0) << data.description;
  // The question's ids are the beginning of the whole document's ids, so a first answer token is
  // well defined.
  const auto prompt = data.tokenizer->encode(data.questions[3].text);
  const auto whole =
      data.tokenizer->encode(data.questions[3].text + " " + data.questions[3].answer);
  EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), whole.begin()));
}

TEST(Biographies, IdentityIsOfTheContentAlone) {
  const std::string identity = open_biographies(small(), 64, 1).identity;
  // Runs of earlier versions go on: the text of the defaults stays as it is, bit for bit.
  EXPECT_EQ(identity, "dfecd57262a504868011b022e7cb20aa");
  EXPECT_EQ(open_biographies(small(), 32, 9).identity, identity);
  auto other = small();
  other.seed = 2;
  EXPECT_NE(open_biographies(other, 64, 1).identity, identity);
  other = small();
  other.uniform = true;
  EXPECT_NE(open_biographies(other, 64, 1).identity, identity);
  other = small();
  other.tokenizer = config::ByteTokenizer{};
  EXPECT_NE(open_biographies(other, 64, 1).identity, identity);
}

TEST(Biographies, BytesPerTokenIsExact) {
  auto config = small(3);
  config.tokenizer = config::ByteTokenizer{};
  const Dataset data = open_biographies(config, 16, 1);
  int64_t bytes = 0;
  const Biographies people(config);
  for (int64_t i = 0; i < 48; ++i) bytes += static_cast<int64_t>(people.valid_document(i).size());
  EXPECT_EQ(data.valid->num_tokens(), bytes + 48);
  EXPECT_DOUBLE_EQ(data.bytes_per_token,
                   static_cast<double>(bytes) / static_cast<double>(bytes + 48));
}

TEST(Biographies, RefusesWhatCannotBe) {
  EXPECT_NE(error_of([] { open_biographies(small(20), 64, 1); }).find("lower data.m"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              open_biographies(small(8), 1 << 20, 1);
            }).find("too few for one sample of context 1,048,576"),
            std::string::npos);
  auto config = small(1);
  config.tokenizer = config::TrainedTokenizer{5000};
  EXPECT_NE(error_of([&] {
              open_biographies(config, 8, 1);
            }).find("data.tokenizer.vocabulary: the text gives only"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::data
