// Parquet files, read by a program of its own (src/parquet/reader.cpp) that is built only where
// Arrow is: `scripts/setup --parquet` fetches it.
#pragma once

#include <memory>
#include <string>

#include "data/byte_stream.hpp"

namespace muonlab::data {

// Throws Error naming the file and how to get the reader, where this build has none.
void require_parquet_reader(const std::string& path);

// The rows of a column as JSON lines {"COLUMN": "…"}, null where a row has no text. Throws Error
// for what is no Parquet file, is damaged or encrypted, or has no such column of text.
std::unique_ptr<ByteStream> open_parquet(const Input& input, const std::string& column);

}  // namespace muonlab::data
