// muonlab inspect: what the tensors of a file or a model hold.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iostream>
#include <map>
#include <memory>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/record/json_lines.hpp"
#include "muonlab/record/open_checkpoint.hpp"
#include "muonlab/store/weight_files.hpp"
#include "muonlab/tensor/bytes.hpp"

namespace muonlab::app {
namespace {

constexpr size_t kBins = 16;

struct InspectOptions {
  std::vector<std::string> paths;
  std::string tensors = "*";
  bool diff = false, histogram = false, json = false;
};

struct Contents {
  std::string name, dtype;
  std::vector<int64_t> shape;
  bool readable = true;  // else only the count is known
  int64_t count = 0, zeros = 0, not_finite = 0;
  double sum_of_squares = 0, sum = 0;  // of the finite ones, as the rest
  double least = INFINITY, largest = -INFINITY;
  std::array<int64_t, kBins> bins{};  // of equal width from least to largest

  int64_t finite() const { return count - not_finite; }
  double rms() const { return std::sqrt(sum_of_squares / static_cast<double>(finite())); }
  double mean() const { return sum / static_cast<double>(finite()); }
};

std::string shape_of(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += base::str(text.empty() ? "" : " x ", size);
  return text.empty() ? "scalar" : text;
}

// Every tensor under what a person names: a file, a folder with a model, a run or a checkpoint.
void each_tensor(const std::string& path, const std::string& pattern,
                 const std::function<void(const store::TensorView&)>& visit) {
  base::FileSystem& files = base::real_file_system();
  const auto take = [&](const store::TensorView& view, const std::string&) {
    if (base::glob_match(pattern, view.name)) visit(view);
  };
  if (files.exists(path) && !files.is_directory(path)) {
    const store::SafetensorsFile file(path);
    for (const store::TensorView& view : file.tensors()) take(view, path);
  } else if (store::has_weight_files(path)) {
    store::each_weight(path, take);
  } else {
    store::each_weight(record::open_checkpoint(path).path(), take);
  }
}

Contents contents_of(const store::TensorView& view) {
  Contents all{.name = view.name, .dtype = view.dtype, .shape = view.shape};
  all.readable = tensor::is_readable(view.dtype);
  all.count = static_cast<int64_t>(view.bytes.size() / store::dtype_size(view.dtype));
  if (!all.readable) return all;
  const at::Tensor values = tensor::to_tensor(view).to(at::kDouble).reshape({-1});
  const double* x = values.const_data_ptr<double>();
  for (int64_t i = 0; i < all.count; ++i) {
    if (!std::isfinite(x[i])) {
      ++all.not_finite;
      continue;
    }
    all.zeros += x[i] == 0;
    all.sum += x[i];
    all.sum_of_squares += x[i] * x[i];
    all.least = std::min(all.least, x[i]);
    all.largest = std::max(all.largest, x[i]);
  }
  const double width = (all.largest - all.least) / static_cast<double>(kBins);
  for (int64_t i = 0; i < all.count; ++i) {
    if (!std::isfinite(x[i])) continue;
    const double bin = width > 0 ? (x[i] - all.least) / width : 0;
    ++all.bins[std::min(kBins - 1, static_cast<size_t>(bin))];
  }
  return all;
}

// A bar for each bin, as high as its share of the fullest.
std::string drawn(const Contents& contents) {
  static const char* const kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const int64_t most = *std::max_element(contents.bins.begin(), contents.bins.end());
  std::string text;
  for (const int64_t count : contents.bins)
    text += kBars[most > 0 ? (count * 8 + most - 1) / most : 0];
  return text;
}

nlohmann::ordered_json json_of(const Contents& one) {
  nlohmann::ordered_json json{
      {"name", one.name}, {"dtype", one.dtype}, {"shape", one.shape}, {"count", one.count}};
  if (!one.readable) return json;
  json["zeros"] = one.zeros;
  json["not_finite"] = one.not_finite;
  if (one.finite() > 0) {
    json["rms"] = one.rms();
    json["mean"] = one.mean();
    json["min"] = one.least;
    json["max"] = one.largest;
    json["histogram"] = one.bins;
  }
  return json;
}

void inspect_one(const std::string& path, const InspectOptions& options) {
  using enum base::TextColumn::Kind;
  std::vector<base::TextColumn> columns{{"tensor"},      {"type"},         {"shape"},
                                        {"rms", number}, {"mean", number}, {"min", number},
                                        {"max", number}, {"zeros", number}};
  columns.push_back({"not finite", number});
  if (options.histogram) columns.push_back({"min to max"});
  base::TextTable table(columns);
  int64_t num_tensors = 0, num_unread = 0, num_values = 0, not_finite = 0;
  each_tensor(path, options.tensors, [&](const store::TensorView& view) {
    const Contents one = contents_of(view);
    ++num_tensors;
    num_unread += one.readable ? 0 : 1;
    num_values += one.readable ? one.count : 0;
    not_finite += one.not_finite;
    if (options.json) {
      std::cout << record::json_text(json_of(one)) << "\n";
      return;
    }
    const auto figure = [&](double value) {
      return one.readable && one.finite() > 0 ? base::significant(value, 4) : "-";
    };
    const auto number = [&](int64_t value) {
      return one.readable ? base::with_commas(value) : "-";
    };
    std::vector<std::string> cells{one.name,
                                   one.dtype,
                                   shape_of(one.shape),
                                   figure(one.rms()),
                                   figure(one.mean()),
                                   figure(one.least),
                                   figure(one.largest),
                                   number(one.zeros),
                                   number(one.not_finite)};
    if (options.histogram) cells.push_back(one.readable ? drawn(one) : "-");
    table.add_row(std::move(cells));
  });
  if (num_tensors == 0) throw base::Error(path, ": no tensor matches ", options.tensors);
  if (options.json) return;
  std::cout << table.text(base::table_width()) << "\n"
            << base::with_commas(num_tensors) << " tensors, " << base::with_commas(num_values)
            << " numbers, "
            << (not_finite == 0 ? "all finite" : base::with_commas(not_finite) + " not finite")
            << "\n";
  if (num_unread > 0) {
    std::cout << base::with_commas(num_unread)
              << " of the tensors have types whose numbers muonlab neither reads nor counts\n";
  }
}

struct Stored {
  std::string dtype;
  std::vector<int64_t> shape;
  at::Tensor values;  // the bytes where the type is not readable
};

Stored stored_of(const store::TensorView& view) {
  if (tensor::is_readable(view.dtype)) return {view.dtype, view.shape, tensor::to_tensor(view)};
  const store::TensorView bytes{
      view.name, "U8", {static_cast<int64_t>(view.bytes.size())}, view.bytes};
  return {view.dtype, view.shape, tensor::to_tensor(bytes)};
}

struct Compared {
  double relative = 0;  // |A - B| / |A|, Frobenius norms
  double largest = 0;   // |a - b|
  bool equal = false;   // bit for bit, or the same numbers in another type
};

Compared compare_tensors(const at::Tensor& a, const at::Tensor& b) {
  Compared result;
  result.equal = at::equal(a, b);
  if (a.numel() == 0) return result;
  const at::Tensor difference = a - b;
  const double norm = a.norm().item<double>();
  result.relative = difference.norm().item<double>() / (norm > 0 ? norm : 1.0);
  result.largest = difference.abs().max().item<double>();
  return result;
}

// What of `before` is not in `now`, and how far the rest has moved.
void inspect_difference(const InspectOptions& options) {
  using enum base::TextColumn::Kind;
  std::map<std::string, Stored> before;
  each_tensor(options.paths[0], options.tensors,
              [&](const store::TensorView& view) { before[view.name] = stored_of(view); });
  base::TextTable table({{"tensor"}, {"relative", number}, {"largest", number}, {"remark"}});
  int64_t num_equal = 0, num_other = 0;
  const auto report = [&](const std::string& name, const Compared* found,
                          const std::string& remark) {
    ++num_other;
    if (options.json) {
      nlohmann::ordered_json json{{"name", name}};
      if (found) json.update({{"relative", found->relative}, {"largest", found->largest}});
      if (!remark.empty()) json["remark"] = remark;
      std::cout << record::json_text(json) << "\n";
      return;
    }
    table.add_row({name, found ? base::significant(found->relative, 4) : "-",
                   found ? base::significant(found->largest, 4) : "-", remark});
  };
  each_tensor(options.paths[1], options.tensors, [&](const store::TensorView& view) {
    const auto old = before.find(view.name);
    if (old == before.end()) return report(view.name, nullptr, "only in the second");
    const Stored stored = std::move(old->second);
    before.erase(old);
    if (stored.shape != view.shape) {
      return report(view.name, nullptr, shape_of(stored.shape) + " and " + shape_of(view.shape));
    }
    const Stored now = stored_of(view);
    if (!tensor::is_readable(stored.dtype) || !tensor::is_readable(now.dtype)) {
      if (stored.dtype != now.dtype)
        return report(view.name, nullptr, stored.dtype + " and " + now.dtype + ", not compared");
      if (!at::equal(stored.values, now.values))
        return report(view.name, nullptr, "other bytes of type " + now.dtype);
      ++num_equal;
      return;
    }
    const Compared found =
        compare_tensors(stored.values.to(at::kDouble), now.values.to(at::kDouble));
    if (found.equal) {
      ++num_equal;
    } else {
      report(view.name, &found,
             stored.dtype == view.dtype ? "" : stored.dtype + " and " + view.dtype);
    }
  });
  for (const auto& [name, stored] : before) report(name, nullptr, "only in the first");
  if (options.json) return;
  if (num_other > 0) std::cout << table.text(base::table_width()) << "\n";
  std::cout << base::with_commas(num_equal) << " tensors hold the same numbers, "
            << base::with_commas(num_other) << " do not\n";
}

}  // namespace

void add_inspect(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "inspect", R"(Show what the tensors of a model or file hold, or how two of them differ.

  muonlab inspect runs/quickstart --histogram
  muonlab inspect --diff runs/quickstart@100 runs/quickstart@200

The differences are |A - B| / |A| by Frobenius norms, and the largest of a single number.)");
  auto options = std::make_shared<InspectOptions>();
  command
      ->add_option("PATH", options->paths,
                   "a .safetensors file, a run, RUN@STEP, a checkpoint's folder, or a Hugging Face "
                   "folder")
      ->required();
  command->add_flag("--diff", options->diff, "compare two: the first is A");
  command->add_option("--tensors", options->tensors, "only tensors whose names match")
      ->type_name("GLOB")
      ->capture_default_str();
  command->add_flag("--histogram", options->histogram, "draw how often each size occurs");
  command->add_flag("--json", options->json, "print one JSON object a tensor");
  command->callback([options] {
    if (options->diff && options->paths.size() != 2)
      throw base::UsageError("--diff compares two paths, not ", options->paths.size());
    if (options->diff) return inspect_difference(*options);
    for (const std::string& path : options->paths) {
      if (options->paths.size() > 1 && !options->json) std::cout << path << "\n";
      inspect_one(path, *options);
    }
  });
}

}  // namespace muonlab::app
