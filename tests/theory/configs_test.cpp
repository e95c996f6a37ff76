// Every file in configs/theory loads as the experiment of its name.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/config/error.hpp"
#include "muonlab/config/typed.hpp"
#include "muonlab/theory/experiments.hpp"
#include "muonlab/theory/run.hpp"

namespace muonlab::theory {
namespace {

template <class Config>
void load(const std::string& path, const std::vector<std::string>& settings = {}) {
  Config config;
  config::read_typed(config::typed_fields(config), path, settings,
                     [&](const config::Fail& fail) { config.check(fail); });
}

template <class Visit>
void each_config(Visit&& visit) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    (visit(std::variant_alternative_t<I, Experiment>{}), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Experiment>>{});
}

TEST(TheoryConfigs, EveryExperimentHasAFileThatLoads) {
  const std::filesystem::path folder = std::string(MUONLAB_SOURCE_DIR) + "/configs/theory";
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files += entry.path().extension() == ".json" ? 1 : 0;
  EXPECT_EQ(files, std::variant_size_v<Experiment>);
  each_config([&]<class Config>(const Config&) {
    const std::string path = (folder / (std::string(Config::kName) + ".json")).string();
    EXPECT_NO_THROW(load<Config>(path)) << path;
  });
}

TEST(TheoryConfigs, DefaultsPassTheirOwnChecks) {
  each_config([]<class Config>(const Config&) { EXPECT_NO_THROW(load<Config>("")); });
}

template <class Config = MemoryConfig>
std::string refusal(const std::vector<std::string>& settings) {
  try {
    load<Config>("", settings);
  } catch (const config::ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TheoryConfigs, MistakesAreRefusedByNameWithTheirPlace) {
  EXPECT_NE(refusal({"facts=100"}).find("--set 1: facts: 100 is not divisible by 3"),
            std::string::npos)
      << refusal({"facts=100"});
  EXPECT_EQ(refusal({"facts=100", "embeddings=[\"decoupled\"]", "head_facts=20"}), "accepted");
  EXPECT_NE(refusal({"fact=99"}).find("unknown key \"fact\"; did you mean \"facts\"?"),
            std::string::npos)
      << refusal({"fact=99"});
  EXPECT_NE(refusal({"head_mass=0"}).find("--set 1: head_mass: 0 is not above 0"),
            std::string::npos)
      << refusal({"head_mass=0"});
  EXPECT_NE(refusal({"facts=many"}).find("expected an integer"), std::string::npos);
}

TEST(TheoryConfigs, SettingsThatWouldRunForHoursAreRefusedWithTheLargestAllowed) {
  const auto expect = [](const std::string& message, const char* words) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  expect(refusal<DynamicsConfig>({"group_exponent=4"}), "is the largest exponent");
  expect(refusal<DynamicsConfig>({"group_exponent=6"}), "steps of single facts to learn it");
  expect(refusal<DynamicsConfig>({"muon_step=1e-6"}), "choose at least");
  expect(refusal<DynamicsConfig>({"noisy_step=1e-6"}), "choose at least");
  expect(refusal<DynamicsConfig>({"law_facts=10000000"}), "choose at most");
  expect(refusal<CapacityConfig>({"alpha=4"}), "the largest alpha is 3.04");
  expect(refusal<MemoryConfig>({"facts=99"}), "head_facts: 198 of 99 facts");
  expect(refusal<MemoryConfig>({"embeddings=[\"coupled\",\"coupled\"]"}), "names one twice");
}

// The commands that a page or a help text shows, as its words behind `muonlab theory`.
std::vector<std::vector<std::string>> shown_commands(const std::string& file) {
  std::ifstream in(std::string(MUONLAB_SOURCE_DIR) + "/" + file);
  std::vector<std::vector<std::string>> commands;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string first, second;
    if (!(words >> first >> second) || first != "muonlab" || second != "theory") continue;
    commands.emplace_back();
    for (std::string word; words >> word;) commands.back().push_back(word);
  }
  return commands;
}

TEST(TheoryConfigs, ShownCommandsAreAccepted) {
  size_t with_settings = 0;
  for (const char* file : {"docs/theory.md", "src/app/command_theory.cpp"}) {
    for (const std::vector<std::string>& words : shown_commands(file)) {
      std::vector<std::string> settings;
      for (size_t i = 1; i < words.size(); ++i) {
        if (words[i - 1] == "--set") settings.push_back(words[i]);
      }
      with_settings += settings.empty() ? 0 : 1;
      each_config([&]<class Config>(const Config&) {
        if (!words.empty() && words[0] == Config::kName) {
          EXPECT_NO_THROW(load<Config>("", settings)) << file << ": " << words[0];
        }
      });
    }
  }
  EXPECT_EQ(with_settings, 2u);
}

TEST(TheoryConfigs, AFileIsNamedWithLineAndColumn) {
  const base::TemporaryFolder folder;
  const std::string path = folder / "wrong.json";
  std::ofstream(path) << "{\n  \"facts\": 99,\n  \"hed_mass\": 1\n}\n";
  try {
    load<MemoryConfig>(path);
    FAIL() << "accepted";
  } catch (const config::ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("wrong.json:3:3"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace muonlab::theory
