#include <bit>
#include <cmath>
#include <iostream>

#include <nlohmann/json.hpp>

#include "eval_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/data/documents.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/train/scoring.hpp"

namespace muonlab::app {
namespace {

// So many tokens are scored together: enough to fill batches, little to hold.
constexpr int64_t kTogether = 1 << 16;

struct Measured {
  int64_t tokens = 0;
  uint64_t bytes = 0;
  double nats = 0;

  double loss() const { return nats / static_cast<double>(tokens); }
  double bits_per_byte() const {
    if (bytes == 0) return std::nan("");
    return nats / std::log(2.0) / static_cast<double>(bytes);
  }
  void add(double loss) {
    ++tokens;
    nats += loss;
  }
};

class DocumentEval {
 public:
  DocumentEval(run::LoadedModel& loaded, const FileEvalOptions& options)
      : loaded_(loaded), options_(options) {
    windows_.device = loaded.arena->values().device();
    const int64_t own = loaded.config.model.context;
    windows_.context = options.context > 0 ? options.context : own;
    windows_.stride = options.stride > 0 ? options.stride : windows_.context;
    if (windows_.context > own) {
      throw base::UsageError("--context ", windows_.context, " is more than the model's ", own);
    }
    if (windows_.stride > windows_.context) {
      throw base::UsageError("--stride ", windows_.stride, " is more than the context of ",
                             windows_.context, ": tokens between windows would be left out");
    }
  }

  void run() {
    data::TokenFileOptions token_files;
    token_files.tokenizer = loaded_.tokenizer;
    if (!options_.format.empty()) token_files.id_bytes = options_.format == "uint16" ? 2 : 4;
    data::ReadOptions read;
    read.field = options_.field;
    data::each_document(options_.data, read, token_files,
                        [this](const data::Document& document) { add(document); });
    score();
    if (total_.tokens == 0) throw base::Error("the files hold no text; nothing was measured");
    options_.json ? print_json() : print_table();
  }

 private:
  struct Waiting {
    std::string file;
    uint64_t bytes;
  };

  void add(const data::Document& document) {
    std::vector<int32_t> ids{loaded_.tokenizer->end_of_text()};
    ids.insert(ids.end(), document.ids.begin(), document.ids.end());
    const auto vocabulary = static_cast<int32_t>(*loaded_.config.model.vocabulary);
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocabulary) {
        throw base::Error(document.file, ": holds the id ", id,
                          ", which is not below the model's vocabulary of ", vocabulary);
      }
    }
    held_ += std::ssize(ids);
    sequences_.push_back(std::move(ids));
    waiting_.push_back({document.file, document.text_bytes});
    if (held_ >= kTogether) score();
  }

  void score() {
    const auto losses = train::sequence_losses(*loaded_.model, sequences_, windows_);
    for (size_t i = 0; i < losses.size(); ++i) {
      Measured one{.tokens = 0, .bytes = waiting_[i].bytes, .nats = 0};
      for (size_t position = 0; position < losses[i].size(); ++position) {
        one.add(losses[i][position]);
        // Tokens before it, the end of text included: 1, 2-3, 4-7, …
        const auto bucket = static_cast<size_t>(std::bit_width(position + 1)) - 1;
        if (bucket >= positions_.size()) positions_.resize(bucket + 1);
        positions_[bucket].add(losses[i][position]);
      }
      total_.tokens += one.tokens;
      total_.nats += one.nats;
      total_.bytes += one.bytes;
      ++num_documents_;
      if (options_.by == "document") report_document(waiting_[i].file, one);
    }
    sequences_.clear();
    waiting_.clear();
    held_ = 0;
  }

  nlohmann::ordered_json json_of(const Measured& one) const {
    nlohmann::ordered_json json{{"tokens", one.tokens}, {"loss", one.loss()}};
    json["perplexity"] = std::exp(one.loss());
    if (one.bytes > 0) {
      json["bytes"] = one.bytes;
      json["bits_per_byte"] = one.bits_per_byte();
    }
    return json;
  }

  void report_document(const std::string& file, const Measured& one) {
    if (!options_.json) {
      documents_.push_back({base::with_commas(num_documents_), file, base::with_commas(one.tokens),
                            base::fixed(one.loss(), 4),
                            base::bits_per_byte_text(one.bits_per_byte())});
      return;
    }
    nlohmann::ordered_json json{{"document", num_documents_}, {"file", file}};
    json.update(json_of(one));
    std::cout << record::json_text(json) << "\n";
  }

  static std::string bucket_name(size_t bucket) {
    const int64_t first = int64_t{1} << bucket;
    return first == 1 ? "1" : base::str(first, "-", 2 * first - 1);
  }

  void print_json() const {
    nlohmann::ordered_json json{{"documents", num_documents_}};
    json.update(json_of(total_));
    json["context"] = windows_.context;
    json["stride"] = windows_.stride;
    if (options_.by == "position") {
      for (size_t i = 0; i < positions_.size(); ++i) {
        if (positions_[i].tokens == 0) continue;
        json["by_position"].push_back({{"tokens_before", bucket_name(i)},
                                       {"tokens", positions_[i].tokens},
                                       {"loss", positions_[i].loss()}});
      }
    }
    std::cout << record::json_text(json) << "\n";
  }

  void print_table() const {
    using enum base::TextColumn::Kind;
    if (options_.by == "document") {
      base::TextTable table({{"document"},
                             {"file"},
                             {"tokens", number},
                             {"loss", number},
                             {"bits per byte", number}});
      for (const auto& row : documents_) table.add_row(row);
      std::cout << table.text(base::table_width()) << "\n";
    }
    if (options_.by == "position") {
      base::TextTable table({{"tokens before", number}, {"tokens", number}, {"loss", number}});
      for (size_t i = 0; i < positions_.size(); ++i) {
        if (positions_[i].tokens == 0) continue;
        table.add_row({bucket_name(i), base::with_commas(positions_[i].tokens),
                       base::fixed(positions_[i].loss(), 4)});
      }
      std::cout << table.text(base::table_width()) << "\n";
    }
    base::TextTable table({{""}, {""}});
    table.add_row({"loss", base::fixed(total_.loss(), 4)});
    table.add_row({"perplexity", base::perplexity_text(std::exp(total_.loss()))});
    table.add_row({"bits per byte", base::bits_per_byte_text(total_.bits_per_byte())});
    table.add_row({"measured on", base::str(base::with_commas(total_.tokens), " tokens of ",
                                            base::with_commas(num_documents_),
                                            num_documents_ == 1 ? " document" : " documents",
                                            ", each with at least ",
                                            base::with_commas(windows_.context - windows_.stride),
                                            " tokens before it where its document has them")});
    std::cout << table.text(base::table_width());
  }

  run::LoadedModel& loaded_;
  const FileEvalOptions& options_;
  train::Windows windows_;
  std::vector<train::Ids> sequences_;
  std::vector<Waiting> waiting_;
  int64_t held_ = 0, num_documents_ = 0;
  Measured total_;
  std::vector<Measured> positions_;
  std::vector<std::vector<std::string>> documents_;
};

}  // namespace

void evaluate_documents(run::LoadedModel& loaded, const FileEvalOptions& options) {
  DocumentEval(loaded, options).run();
}

}  // namespace muonlab::app
