// The files that come with an installed program: PREFIX/share/muonlab beside PREFIX/bin/muonlab.
#pragma once

#include <string>

namespace muonlab::app {

// That folder, or "" where the program is not installed (a build's folder).
std::string installed_files();

// A configuration as the user names it: `path` where it is there or absolute, else the file of that
// name among the installed ones, said on standard error, else `path` again. So
// `configs/quickstart.json` works in any folder.
std::string find_installed(const std::string& path);

}  // namespace muonlab::app
