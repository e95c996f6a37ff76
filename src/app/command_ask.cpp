// muonlab ask: which of the embedded corpus's facts a model knows.
#include <algorithm>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <vector>

#include "commands.hpp"
#include "data_place.hpp"
#include "json_result.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/permutation.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/run/generate.hpp"

namespace muonlab::app {
namespace {

// Questions from the most to the least frequent group, in equal parts; which of a group, the seed
// says.
std::vector<data::Question> spread_over_groups(const std::vector<data::Question>& all,
                                               int64_t count, uint64_t seed) {
  std::map<int, std::vector<const data::Question*>> groups;
  for (const data::Question& question : all) groups[question.group].push_back(&question);
  const auto num_groups = static_cast<int64_t>(groups.size());
  std::map<int, uint64_t> taken;
  std::vector<data::Question> chosen;
  for (int64_t i = 0; i < count; ++i) {
    const auto& [group, members] = *std::next(groups.begin(), i * num_groups / count);
    chosen.push_back(
        *members[base::permute(taken[group]++ % members.size(), members.size(), seed)]);
  }
  return chosen;
}

// A model's answer, right if it begins with the ids of the true one: what `tail` calls exact.
struct Answer {
  std::string text;
  bool right;
};

Answer answer_of(run::LoadedModel& loaded, const data::Question& question) {
  const data::Tokenizer& tokenizer = *loaded.tokenizer;
  // Training puts the end of the document before in front of a question.
  std::vector<int32_t> prompt{tokenizer.end_of_text()};
  for (const int32_t id : tokenizer.encode(question.text)) prompt.push_back(id);
  const std::vector<int32_t> truth = tokenizer.encode_rest(" " + question.answer + ".");
  const run::Sampling likeliest{.temperature = 0,
                                .top_k = 0,
                                .seed = 1,
                                .max_tokens = std::max<int64_t>(24, std::ssize(truth))};
  const std::vector<int32_t> given =
      run::generate(loaded, std::move(prompt), likeliest, [](const std::string&) {});
  return {std::string(base::trim(tokenizer.decode(given))),
          given.size() >= truth.size() && std::equal(truth.begin(), truth.end(), given.begin())};
}

}  // namespace

void add_ask(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "ask",
      R"(Ask a model the embedded corpus's questions and show its answers next to the right ones.

  muonlab ask runs/quickstart
  muonlab ask runs/quickstart@100 --count 12 --seed 2)");
  struct Options {
    std::string checkpoint;
    int64_t count = 6, seed = 1;
    bool json = false;
    config::Device device = config::Device::automatic;
    DataPlace place;
  };
  auto options = std::make_shared<Options>();
  command->add_option("CHECKPOINT", options->checkpoint, kModelHelp)->required();
  command->add_option("--count", options->count, "questions")
      ->capture_default_str()
      ->check(at_least(1));
  command->add_option("--seed", options->seed, "chooses the questions of each frequency group")
      ->capture_default_str();
  add_json(*command, options->json);
  add_device(*command, options->device);
  options->place.add_option(*command);
  command->callback([options] {
    const JsonResult result(options->json);
    run::LoadedModel loaded = run::load_model(options->checkpoint, options->device);
    const data::Dataset data = open_data(loaded, options->checkpoint, options->place);
    if (data.questions.empty()) {
      throw base::Error(options->checkpoint,
                        ": its corpus asks no questions; `ask` is for data.kind biographies");
    }
    const std::vector<data::Question> questions =
        spread_over_groups(data.questions, options->count, static_cast<uint64_t>(options->seed));
    const int rarest = data.questions.back().group;
    nlohmann::ordered_json answers = nlohmann::ordered_json::array();
    int64_t right = 0;
    for (const data::Question& question : questions) {
      const Answer answer = answer_of(loaded, question);
      right += answer.right;
      std::cout << base::trim(question.text) << "\n  model  " << answer.text << "\n  truth  "
                << question.answer << "." << (answer.right ? "   right" : "   wrong")
                << "   (frequency group " << question.group << " of 0–" << rarest << ")\n";
      answers.push_back({{"question", base::trim(question.text)},
                         {"answer", answer.text},
                         {"truth", question.answer},
                         {"right", answer.right},
                         {"group", question.group}});
    }
    const auto* people = std::get_if<config::BiographiesConfig>(&loaded.config.data);
    std::cout << right << " of " << questions.size() << " right ("
              << (people && people->uniform
                      ? std::string("all people are asked about equally often")
                      : base::str("group 0 is asked about most often, group ", rarest, " once"))
              << ")\n";
    if (result.wanted())
      result.print({{"right", right}, {"asked", questions.size()}, {"answers", answers}});
  });
}

}  // namespace muonlab::app
