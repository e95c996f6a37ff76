// What every `--help` and the manual page say: each example must work as typed.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "app/help.hpp"
#include "app/man_page.hpp"
#include "app/program.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::app {
namespace {

using Visit = std::function<void(CLI::App&, const std::string& name)>;

void each_command(CLI::App& app, const std::string& name, const Visit& visit) {
  visit(app, name);
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; }))
    each_command(*sub, name + " " + sub->get_name(), visit);
}

// A program whose commands end with CLI::Success where they would begin to work.
class HelpTest : public ::testing::Test {
 protected:
  HelpTest() : program_(make_program(exit_)) {
    each([](CLI::App& app, const std::string&) {
      const bool is_leaf = app.get_subcommands([](CLI::App*) { return true; }).empty();
      if (is_leaf) app.parse_complete_callback([] { throw CLI::Success(); });
    });
  }
  void each(const Visit& visit) { each_command(*program_, "muonlab", visit); }
  static std::vector<std::string> examples(const CLI::App& app) {
    std::vector<std::string> found;
    for (const std::string& line : base::split(app.get_description(), '\n'))
      if (line.starts_with("  ")) found.push_back(line.substr(2));
    return found;
  }
  Exit exit_;
  std::unique_ptr<CLI::App> program_;
};

TEST_F(HelpTest, OpensWithASentenceAndTwoExamples) {
  each([](const CLI::App& app, const std::string& name) {
    const std::vector<std::string> lines = base::split(app.get_description(), '\n');
    EXPECT_TRUE(lines[0].ends_with(".")) << name << ": " << lines[0];
    EXPECT_LE(base::display_width(lines[0]), 100u) << name;
    EXPECT_GE(examples(app).size(), 2u) << name;
    EXPECT_EQ(app.help().find(lines[0]), 0u) << name;
  });
}

TEST_F(HelpTest, ExamplesParseAndNameConfigurationsThatExist) {
  each([this](const CLI::App& app, const std::string& name) {
    for (const std::string& example : examples(app)) {
      ASSERT_TRUE(example.starts_with(name)) << name << ": " << example;
      const std::string typed = example.substr(0, example.find_first_of("#>"));
      const size_t program_name = typed.find(' ');
      EXPECT_THROW(program_->parse(typed.substr(program_name)), CLI::Success) << example;
      for (const std::string& word : base::split(typed, ' ')) {
        if (!word.starts_with("configs/") || word.find('*') != std::string::npos) continue;
        EXPECT_TRUE(std::filesystem::exists(MUONLAB_SOURCE_DIR "/" + word)) << example;
      }
    }
  });
}

TEST_F(HelpTest, ArgumentsAndOptionsSayWhatTheyTake) {
  each([](const CLI::App& app, const std::string& name) {
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
      if (option->get_group().empty()) continue;
      EXPECT_FALSE(option->get_description().empty()) << name << " " << option->get_name();
      EXPECT_NE(app.help().find(option_meaning(*option)), std::string::npos)
          << name << " " << option->get_name();
    }
  });
}

TEST_F(HelpTest, TheManualPageHasEveryCommandExampleAndOption) {
  std::string page = man_page(*program_, "1.2.3");
  EXPECT_NE(page.find("muonlab 1.2.3"), std::string::npos);
  for (size_t at = 0; (at = page.find("\\-", at)) != std::string::npos;) page.erase(at, 1);
  for (size_t at = 0; (at = page.find("\\e", at)) != std::string::npos;) page.erase(++at, 1);
  each([&](const CLI::App& app, const std::string& name) {
    if (&app != program_.get()) {
      EXPECT_NE(page.find(".SS \"" + name), std::string::npos) << name;
    }
    for (const std::string& line : base::split(app.get_description(), '\n')) {
      const std::string text = line.substr(std::min(line.find_first_not_of(' '), line.size()));
      EXPECT_NE(page.find("\n" + text), std::string::npos) << name << ": " << text;
    }
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
      if (option->get_group().empty() || &app == program_.get()) continue;
      EXPECT_NE(page.find(option_meaning(*option)), std::string::npos)
          << name << " " << option->get_name();
    }
  });
}

}  // namespace
}  // namespace muonlab::app
