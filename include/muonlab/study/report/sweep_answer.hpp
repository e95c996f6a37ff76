// What a sweep prints on a terminal after its runs.
#pragma once

#include <cstddef>
#include <string>

namespace muonlab::study {

// The tables of the sweep in a folder, from the cells that are finished, in lines of at most
// `width` columns; writes its page and ends with where that is. Without a comparison there is only
// the page. Empty where no cell of the grid has begun. Throws base::Error where a run cannot be
// read or the page cannot be written.
std::string sweep_answer_text(const std::string& path, size_t width);

}  // namespace muonlab::study
