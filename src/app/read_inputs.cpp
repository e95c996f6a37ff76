#include "read_inputs.hpp"

#include <algorithm>
#include <span>

#include "muonlab/base/log.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::app {

void add_read_options(CLI::App& command, data::ReadOptions& read) {
  command
      .add_option("--field", read.field,
                  "the string to read from a JSON object; data.text: text in the object data")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Text");
  command
      .add_flag("--skip-bad-lines", read.skip_bad_lines,
                "leave out and list JSON lines without text instead of stopping")
      ->group("Text");
}

void tell_left_out(const std::vector<std::string>& files, const data::BadLines& lines) {
  if (!files.empty()) {
    constexpr size_t kShown = 10;
    const std::span<const std::string> shown(files.data(), std::min(files.size(), kShown));
    base::log_warning(
        files.size(), files.size() == 1 ? " file of the folders was" : " files of the folders were",
        " not read, since the name ends in nothing known: ", base::join(shown, ", "),
        shown.size() < files.size() ? ", …" : "", ". A file that is named itself is read as text");
  }
  if (lines.count == 0) return;
  base::log_warning(base::with_commas(lines.count),
                    lines.count == 1 ? " bad line was left out:" : " bad lines were left out:");
  for (const std::string& line : lines.shown) base::log_warning("  ", line);
  if (lines.count > std::ssize(lines.shown))
    base::log_warning("  … and ", base::with_commas(lines.count - std::ssize(lines.shown)),
                      " more");
}

}  // namespace muonlab::app
