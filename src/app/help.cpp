#include "help.hpp"

#include <sstream>

#include "muonlab/base/text.hpp"

namespace muonlab::app {

Help::Help() {
  label("Positionals", "Arguments");
  label("SUBCOMMAND", "COMMAND");
  column_width(26);
}

std::string Help::make_usage(const CLI::App* app, std::string name) const {
  return "\n" + Formatter::make_usage(app, std::move(name));
}

// CLI11 puts two empty lines between groups of options and one at the end.
std::string Help::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string text = Formatter::make_help(app, std::move(name), mode);
  for (size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  return std::string(base::trim(text)) + "\n";
}

std::string Help::make_subcommand(const CLI::App* sub) const {
  const std::string about = sub->get_description();
  std::stringstream out;
  CLI::detail::format_help(out, sub->get_display_name(true), about.substr(0, about.find('\n')),
                           get_column_width());
  return out.str();
}

std::string Help::make_option_name(const CLI::Option* option, bool is_positional) const {
  return base::join(base::split(Formatter::make_option_name(option, is_positional), ','), ", ");
}

std::string Help::make_option_opts(const CLI::Option* option) const {
  const bool takes_value = !option->get_positional() && option->get_type_size() != 0;
  return takes_value ? " " + option->get_type_name() : "";
}

std::string Help::make_option_desc(const CLI::Option* option) const {
  return option_meaning(*option);
}

std::string option_meaning(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_default_str().empty()) text += " (default " + option.get_default_str() + ")";
  return text;
}

}  // namespace muonlab::app
