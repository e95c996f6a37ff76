// muonlab-parquet FILE COLUMN: the rows of a Parquet file as JSON lines {"COLUMN": "…"} (or null),
// on standard output. A program of its own, so that Arrow and LibTorch never share a process.
//
// The first line is {"rows": N}. A line that begins with '!' says what is wrong, and is the last.
// Row groups are read one after another, in batches: memory stays bounded by one page of a column.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

namespace {

struct Problem {
  std::string what;
};

constexpr int64_t kRowsAtATime = 1024;

void check(const arrow::Status& status) {
  if (!status.ok()) throw Problem{"holds damaged Parquet data (" + status.message() + ")"};
}
template <class Value>
Value take(arrow::Result<Value> result) {
  check(result.status());
  return std::move(result).ValueUnsafe();
}

std::string escaped(std::string_view text) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void write(std::string_view text) {
  // The reader of the pipe may be gone: nothing is left to do then.
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) std::exit(1);
}

// The text in a row; null where there is none.
class Texts {
 public:
  explicit Texts(const arrow::Array& array) : array_(array) {
    switch (array.type_id()) {
      case arrow::Type::STRING:
      case arrow::Type::BINARY:
      case arrow::Type::LARGE_STRING:
      case arrow::Type::LARGE_BINARY:
      case arrow::Type::STRING_VIEW:
      case arrow::Type::BINARY_VIEW: return;
      case arrow::Type::DICTIONARY:
        dictionary_ = static_cast<const arrow::DictionaryArray&>(array).dictionary();
        words_ = std::make_unique<Texts>(*dictionary_);
        return;
      default:
        throw Problem{"the column holds " + array.type()->ToString() +
                      ", not text; name another one with --field"};
    }
  }

  bool is_null(int64_t row) const {
    return array_.IsNull(row) || (words_ && words_->is_null(word(row)));
  }
  std::string_view get(int64_t row) const {
    switch (array_.type_id()) {
      case arrow::Type::STRING:
      case arrow::Type::BINARY: return static_cast<const arrow::BinaryArray&>(array_).GetView(row);
      case arrow::Type::LARGE_STRING:
      case arrow::Type::LARGE_BINARY:
        return static_cast<const arrow::LargeBinaryArray&>(array_).GetView(row);
      case arrow::Type::DICTIONARY: return words_->get(word(row));
      default: return static_cast<const arrow::BinaryViewArray&>(array_).GetView(row);
    }
  }

 private:
  int64_t word(int64_t row) const {
    return static_cast<const arrow::DictionaryArray&>(array_).GetValueIndex(row);
  }
  const arrow::Array& array_;
  std::shared_ptr<arrow::Array> dictionary_;
  std::unique_ptr<Texts> words_;
};

// The number of the column among the leaves of the schema.
int find_column(const parquet::FileMetaData& file, const std::string& column) {
  const parquet::SchemaDescriptor* schema = file.schema();
  std::string names;
  for (int i = 0; i < schema->num_columns(); ++i) {
    const std::string name = schema->Column(i)->path()->ToDotString();
    if (name == column) {
      if (schema->Column(i)->max_repetition_level() > 0)
        throw Problem{"the column \"" + column +
                      "\" holds a list in each row, not a text; "
                      "name another one with --field"};
      return i;
    }
    names += (i == 0 ? "" : ", ") + name;
  }
  throw Problem{"has no column \"" + column + "\"; name one with --field (there are: " + names +
                ")"};
}

void write_batch(const arrow::RecordBatch& batch, const std::string& before) {
  // A column inside others comes as structures around it.
  std::shared_ptr<arrow::Array> array = batch.column(0);
  std::vector<std::shared_ptr<arrow::Array>> around;
  while (array->type_id() == arrow::Type::STRUCT) {
    around.push_back(array);
    array = static_cast<const arrow::StructArray&>(*array).field(0);
  }
  const Texts texts(*array);
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    bool null = texts.is_null(row);
    for (const auto& outer : around) null = null || outer->IsNull(row);
    write(before + (null ? "null" : escaped(texts.get(row))) + "}\n");
  }
}

void write_rows(const std::string& path, const std::string& column) {
  const auto input = take(arrow::io::ReadableFile::Open(path));
  std::array<char, 4> magic{};
  const int64_t size = take(input->GetSize());
  take(input->ReadAt(0, magic.size(), magic.data()));
  if (std::string_view(magic.data(), 4) == "PARE") throw Problem{"is encrypted; decrypt it first"};
  if (size < 12 || std::string_view(magic.data(), 4) != "PAR1")
    throw Problem{"holds no Parquet data; name it as what it is"};
  take(input->ReadAt(size - 4, magic.size(), magic.data()));
  if (std::string_view(magic.data(), 4) != "PAR1")
    throw Problem{"ends early or is damaged: the table of its contents at the end is missing"};

  parquet::ReaderProperties checked;
  checked.set_page_checksum_verification(true);
  auto file = parquet::ParquetFileReader::Open(input, checked);
  const std::shared_ptr<parquet::FileMetaData> metadata = file->metadata();
  const int number = find_column(*metadata, column);
  parquet::ArrowReaderProperties properties;
  properties.set_batch_size(kRowsAtATime);
  const std::unique_ptr<parquet::arrow::FileReader> reader = take(
      parquet::arrow::FileReader::Make(arrow::default_memory_pool(), std::move(file), properties));
  write("{\"rows\": " + std::to_string(metadata->num_rows()) + "}\n");
  const std::string before = "{" + escaped(column) + ": ";
  for (int group = 0; group < metadata->num_row_groups(); ++group) {
    const auto batches = take(reader->GetRecordBatchReader({group}, {number}));
    while (const auto batch = take(batches->Next())) write_batch(*batch, before);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: muonlab-parquet FILE COLUMN\n", stderr);
    return 2;
  }
  std::string problem;
  try {
    write_rows(arguments[1], arguments[2]);
  } catch (const Problem& found) {
    problem = "!" + found.what;
  } catch (const std::exception& error) {
    problem = std::string("!holds damaged or encrypted Parquet data (") + error.what() + ")";
  }
  std::replace(problem.begin(), problem.end(), '\n', ' ');
  if (!problem.empty()) write(problem + "\n");
  return std::fflush(stdout) == 0 ? 0 : 1;
}
