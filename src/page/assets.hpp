// Texts of files that the build put into the program (embed.cmake).
#pragma once

#include <string_view>

namespace muonlab::page::asset {

extern const std::string_view dygraphs_js, dygraphs_css, dygraphs_license;
extern const std::string_view page_css, tools_js, paper_js, panel_js, page_js;

}  // namespace muonlab::page::asset
