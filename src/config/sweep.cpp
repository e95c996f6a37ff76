#include "muonlab/config/sweep.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "config/json.hpp"
#include "config/sweep_tune.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"

namespace muonlab::config {
namespace {

// A count of cells for a message; beyond what a double counts exactly, its size.
std::string counted(double cells) {
  if (cells < 1e15) return base::with_commas(static_cast<int64_t>(cells));
  return std::isfinite(cells) ? "about " + base::scientific(cells, 0) : "more than 1e308";
}

class SweepReader : TuneReader {
 public:
  SweepReader(const Value& root, Problems& problems, SweepConfig& out)
      : TuneReader(problems, out.axes, out.tune), root_(root), out_(out) {}

  void read() {
    known(root_, "",
          {"name", "base", "settings", "axes", "seeds", "runs", "tune", "compare", "paper",
           "labels", "max_cells"});
    if (const Value* name = root_.find("name")) out_.name = text(*name, "name");
    if (!base::is_bare_name(out_.name) || out_.name.front() == '.')
      wrong(root_, "name", "a name for a folder");
    const Value* base = root_.find("base");
    if (!base) {
      const bool one_run = root_.find("model") || root_.find("optimizers");
      const char* remedy =
          one_run ? "this looks like the configuration of one run: `muonlab train FILE`"
                  : "name the configuration that all cells start from";
      return problems_.add(root_.mark, "base", std::string("is missing; ") + remedy);
    }
    const std::string file = text(*base, "base");
    const std::string& folder = root_.mark.source->folder;
    out_.base = folder == "." || file.starts_with('/') ? file : base::join_path(folder, file);
    if (const Value* settings = root_.find("settings")) {
      out_.settings = patch(*settings, "settings");
      for (const Member& m : settings->members)
        refuse_given_by_sweep(m.key, &m.value, m.mark, "settings", problems_);
    }
    if (const Value* axes = root_.find("axes")) read_axes(*axes);
    read_compare();
    read_runs();
    if (const Value* tune = root_.find("tune")) read_tune(*tune, out_.compare_axis, out_.baseline);
    read_published();
    check_size();
  }

 private:
  void read_compare() {
    const Value* compare = root_.find("compare");
    if (!compare) return;
    known(*compare, "compare", {"axis", "baseline", "reference"});
    for (const auto& [key, target] :
         {std::pair{"axis", &out_.compare_axis}, std::pair{"baseline", &out_.baseline},
          std::pair{"reference", &out_.reference}}) {
      const Value* value = compare->find(key);
      const std::string path = child_path("compare", key);
      if (!value) {
        problems_.add(compare->mark, path, "is missing");
      } else {
        *target = text(*value, path);
        if (const Axis* axis = find_axis(out_.compare_axis); axis && target != &out_.compare_axis) {
          check_value(value->mark, path, *axis, *target);
        }
      }
    }
    if (!out_.compare_axis.empty() && !find_axis(out_.compare_axis)) {
      problems_.add(compare->mark, "compare.axis",
                    base::str(quote(out_.compare_axis),
                              " is no axis; axes: ", base::join(axis_names(), " ")));
    }
    if (!out_.baseline.empty() && out_.baseline == out_.reference) {
      problems_.add(compare->find("reference")->mark, "compare.reference",
                    quote(out_.reference) +
                        " is the baseline too; name another row, whose gain over the baseline is "
                        "asked for");
    }
  }

  void check_size() {
    int64_t limit = kMaxCells;
    if (const Value* own = root_.find("max_cells")) {
      if (!own->is(Kind::integer) || own->integer < 1) return wrong(*own, "max_cells", "a count");
      limit = own->integer;
    }
    const double count = num_cells(out_);
    if (count <= static_cast<double>(limit)) return;
    const Value* place = root_.find("axes");
    problems_.add(
        place ? place->mark : root_.mark, "",
        base::str("the sweep has ", counted(count), " cells, more than ", base::with_commas(limit),
                  "; choose fewer values, seeds or rates, or allow more with "
                  "\"max_cells\""));
  }

  void read_runs() {
    const Value* common = root_.find("seeds");
    const std::vector<int64_t> default_seeds =
        common ? distinct_integers(*common, "seeds") : std::vector<int64_t>{};
    const Value* runs = root_.find("runs");
    if (!runs) return out_.runs.push_back({{}, default_seeds});
    if (!runs->is(Kind::array) || runs->items.empty())
      return wrong(*runs, "runs", "an array of objects");
    for (size_t i = 0; i < runs->items.size(); ++i) {
      const Value& item = runs->items[i];
      const std::string path = item_path("runs", i);
      known(item, path, {"only", "seeds"});
      SweepRuns chosen{{}, default_seeds};
      if (const Value* only = item.find("only")) chosen.only = selection(*only, path + ".only");
      if (const Value* list = item.find("seeds"))
        chosen.seeds = distinct_integers(*list, path + ".seeds");
      out_.runs.push_back(std::move(chosen));
    }
  }

  void read_published() {
    const Axis* axis = find_axis(out_.compare_axis);
    for (const char* key : {"paper", "labels"}) {
      const Value* value = root_.find(key);
      if (!value) continue;
      if (!value->is(Kind::object)) {
        wrong(*value, key, "an object");
        continue;
      }
      for (const Member& m : value->members) {
        if (axis) check_value(m.mark, key, *axis, m.key);
        if (key == std::string_view("labels")) {
          out_.labels[m.key] = text(m.value, child_path(key, m.key));
        } else if (m.value.is(Kind::integer) || m.value.is(Kind::real)) {
          out_.paper[m.key] = m.value.real;
        } else {
          wrong(m.value, child_path(key, m.key), "a number");
        }
      }
      if (axis && key == std::string_view("labels")) check_labels_differ(*value, *axis);
    }
  }

  // Rows with one label could not be told apart in tables and plots.
  void check_labels_differ(const Value& labels, const Axis& axis) {
    std::map<std::string, std::string> rows;
    for (const AxisValue& value : axis.values) {
      const auto [same, is_new] = rows.emplace(out_.label(value.name), value.name);
      if (!is_new) {
        problems_.add(labels.mark, "labels",
                      base::str(quote(same->second), " and ", quote(value.name),
                                " are both called ", quote(same->first)));
      }
    }
  }

  const Value& root_;
  SweepConfig& out_;
};

}  // namespace

SweepConfig parse_sweep(std::string_view text, const std::string& label) {
  SweepConfig sweep;
  sweep.path = label;
  sweep.source_text = text;
  const std::string file = base::base_name(label);
  sweep.name = file.substr(0, std::max<size_t>(1, file.rfind('.')));
  Problems problems;
  const auto source =
      std::make_shared<const Source>(Source{label, base::parent_path(label), Source::file});
  const Value root = parse_json(text, source, problems);
  problems.raise();
  SweepReader(root, problems, sweep).read();
  problems.raise();
  return sweep;
}

bool is_sweep(const std::string& path) {
  try {
    Problems problems;
    const auto source = std::make_shared<const Source>(Source{path, "", Source::file});
    return parse_json(base::read_text(path), source, problems).find("base") != nullptr;
  } catch (const base::Error&) {
    return false;
  }
}

SweepConfig load_sweep(const std::string& path) {
  std::string text;
  try {
    text = base::read_text(path);
  } catch (const base::Error& e) {
    throw ConfigError({{"", "", e.what()}});
  }
  return parse_sweep(text, path);
}

}  // namespace muonlab::config
