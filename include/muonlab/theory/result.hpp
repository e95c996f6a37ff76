// What an experiment leaves: claims, tables of numbers, plots.
#pragma once

#include <exception>
#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

#include "muonlab/page/xy_plot.hpp"
#include "muonlab/theory/claim.hpp"

namespace muonlab::theory {

using Cell = std::variant<double, std::string>;

// Becomes NAME.csv and an entry of result.json.
struct Table {
  std::string name;   // a file's name without ".csv"
  std::string about;  // a sentence: what a row is
  std::vector<std::string> columns{};
  std::vector<std::vector<Cell>> rows{};
};

// A part of the page: a heading, sentences, plots beside each other.
struct Section {
  std::string id, heading, text;
  std::vector<page::XyPlot> plots{};
  std::string html{};  // what is no plot, such as a heat map; below the plots
};

struct Result {
  std::vector<Claim> claims;
  std::vector<Table> tables;
  std::vector<Section> sections;
  std::vector<std::string> remarks;  // what a reader must know: what is ours, what differs
};

// Tables that an experiment fills row by row and puts into its result at the end. Where it is
// interrupted before, they go into the result with the rows that they have. To be declared behind
// the tables.
class KeptTables {
 public:
  KeptTables(Result& result, std::initializer_list<const Table*> tables)
      : result_(result), tables_(tables), exceptions_(std::uncaught_exceptions()) {}
  ~KeptTables() {
    if (std::uncaught_exceptions() == exceptions_) return;
    for (const Table* table : tables_) {
      if (!table->rows.empty()) result_.tables.push_back(*table);
    }
  }
  KeptTables(const KeptTables&) = delete;
  KeptTables& operator=(const KeptTables&) = delete;

 private:
  Result& result_;
  std::vector<const Table*> tables_;
  int exceptions_;
};

}  // namespace muonlab::theory
