#include "muonlab/config/load.hpp"

#include <algorithm>

#include "config/checker.hpp"
#include "config/json.hpp"
#include "config/merge.hpp"
#include "config/writer.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/config/model_hf.hpp"
#include "muonlab/config/resolve.hpp"

namespace muonlab::config {

namespace {

std::string path_in(const std::string& folder, const std::string& path) {
  return folder == "." || path.starts_with('/') ? path : base::join_path(folder, path);
}

std::string read_small_file(const std::string& path) {
  base::FileSystem& files = base::real_file_system();
  if (files.exists(path) && !files.is_directory(path) && files.size(path) > kMaxBytes) {
    throw base::Error(path, " is larger than ", kMaxBytes, " bytes: no configuration");
  }
  return base::read_text(path);
}

class Loader {
 public:
  // stored: of a run that has begun, whose shape stands in the configuration itself.
  explicit Loader(bool stored = false) : stored_(stored) {}

  // Reads a text and, deepest first, what it extends; merges them into tree().
  void load_text(std::string_view text, const std::string& label) {
    std::vector<Value> layers;
    std::vector<std::string> chain{label};
    std::string own(text);
    for (int layer = Source::file;; --layer) {
      const auto source = std::make_shared<const Source>(
          Source{chain.back(), base::parent_path(chain.back()), layer});
      layers.push_back(parse_json(own, source, problems_));
      Value& value = layers.back();
      // a syntax error: the rest is unknown
      if (value.is(Value::Kind::null) && !problems_.empty()) break;
      if (!value.is(Value::Kind::object)) {
        problems_.add(value.mark, "", "expected an object, got " + describe(value));
        break;
      }
      if (value.find("base") && value.find("axes")) {
        problems_.add(value.mark, "",
                      "this is a sweep: `muonlab sweep FILE --dry-run` checks it, `muonlab sweep "
                      "FILE` runs it");
        problems_.raise();
      }
      const Member* extends = value.member("extends");
      if (!extends) break;
      const Value target = extends->value;
      value.erase("extends");
      if (target.is(Value::Kind::null)) break;
      follow(target, chain, own);
    }
    const auto whole = [](const Value& v) { return v.is(Value::Kind::object); };
    // nothing to check against
    if (!std::all_of(layers.begin(), layers.end(), whole)) problems_.raise();
    tree_ = defaults();
    for (; !layers.empty(); layers.pop_back()) merge(tree_, std::move(layers.back()));
    if (!tree_.find("optimizers")) {
      Value adam = Value::object();
      adam.set("rule", Value::of(std::string_view(AdamWConfig::kName)));
      Value optimizers = Value::object();
      optimizers.set("adam", std::move(adam));
      tree_.set("optimizers", std::move(optimizers));
    }
  }

  // Settings that choose a rule or kind come first: they would discard the fields that others set.
  void apply(const std::vector<std::string>& texts, const std::string& label, int layer) {
    const auto source = std::make_shared<const Source>(Source{label, ".", layer});
    std::vector<Setting> settings;
    for (size_t i = 0; i < texts.size(); ++i) {
      settings.push_back(parse_setting(texts[i], source, static_cast<int>(i + 1), problems_));
    }
    std::stable_partition(settings.begin(), settings.end(),
                          [](const Setting& s) { return s.chooses_kind(); });
    for (const Setting& s : settings) {
      if (!s.steps.empty()) apply_setting(tree_, s, problems_);
    }
  }

  // A configuration built in code. Over a named shape stands only what differs from the default.
  void load_built(const RunConfig& run) {
    tree_ = to_value(run);
    if (!run.model.from && !run.model.size) return;
    const Value usual = to_value(ModelConfig{});
    std::erase_if(tree_.find("model")->members, [&](const Member& m) {
      const Value* same = usual.find(m.key);
      return same && compact(*same) == compact(m.value);
    });
  }

  RunConfig read() {
    RunConfig run;
    run.model = base_model();
    Reader(problems_).read(tree_, "", run);
    return run;
  }

  void check_shape(RunConfig& run) {
    Checker checker{run, tree_, problems_, dropped_};
    check_model(checker);
    problems_.raise();
  }

  // Fills in and checks everything; tells what was dropped.
  std::vector<std::string> check(RunConfig& run, const std::string& stem, bool stored = false) {
    if (run.name.empty()) run.name = stem;
    if (!base::is_bare_name(run.name) || run.name.front() == '.' || run.name.size() > 200 ||
        !base::is_valid_utf8(run.name)) {
      problems_.add(mark_at(tree_, "name"), "name", quote(run.name) + " cannot name a folder");
    }
    if (!run.threads) run.threads = base::usable_processors();
    Checker checker{run, tree_, problems_, dropped_};
    checker.stored = stored;
    check_model(checker);
    check_data(checker);
    check_train(checker);
    check_assign(checker);
    check_optimizers(checker);
    check_schedules(checker);
    check_probes(checker);
    problems_.raise();
    return std::move(dropped_);
  }

 private:
  // The kinds that an object without "kind" has.
  static Value defaults() {
    const Value all = to_value(RunConfig{});
    Value out = Value::object();
    for (const char* section : {"data", "schedule"}) {
      Value kind = Value::object();
      kind.set("kind", *all.find(section)->find("kind"));
      out.set(section, std::move(kind));
    }
    Value tokenizer = Value::object();
    tokenizer.set("kind", *at_path(all, "data.tokenizer.kind"));
    out.find("data")->set("tokenizer", std::move(tokenizer));
    return out;
  }

  // Opens what "extends" names, or throws.
  void follow(const Value& target, std::vector<std::string>& chain, std::string& text) {
    const auto refuse = [&](const std::string& reason) {
      problems_.add(target.mark, "extends", reason);
      problems_.raise();
    };
    if (!target.is(Value::Kind::string))
      return refuse("expected a string, got " + describe(target));
    const std::string path = path_in(target.mark.source->folder, target.text);
    if (std::find(chain.begin(), chain.end(), path) != chain.end() || chain.size() >= 32) {
      return refuse(base::str(quote(target.text), " leads back to ", path, " (",
                              base::join(chain, " -> "), ")"));
    }
    try {
      text = read_small_file(path);
    } catch (const base::Error& e) {
      return refuse(e.what());
    }
    chain.push_back(path);
  }

  // The shape that "from" or "size" names, which the fields beside it then override.
  ModelConfig base_model() {
    const auto given = [&](const char* path) {
      const Value* value = at_path(tree_, path);
      return value && value->is(Value::Kind::string) ? std::optional(*value) : std::nullopt;
    };
    std::optional<Value> from = given("model.from"), size = given("model.size");
    const std::optional<Value> init = stored_ ? std::nullopt : given("init.from");
    if (init) return initial_shape(*init, {{"model.from", from}, {"model.size", size}});
    if (from && size) {
      const int from_layer = from->mark.layer(), size_layer = size->mark.layer();
      if (from_layer == size_layer) {
        problems_.add(size->mark, "model.size",
                      "model.from gives the shape already; keep one of them");
        return {};
      }
      const bool size_wins = size_layer > from_layer;
      dropped_.push_back(size_wins ? "model.from: model.size gives the shape"
                                   : "model.size: model.from gives the shape");
      (size_wins ? from : size).reset();
    }
    if (size) {
      give_way(size->mark.layer(), "model.size");
      if (auto model = named_size(size->text)) return *model;
      const auto names = size_names();
      problems_.add(size->mark, "model.size",
                    base::str(quote(size->text), " is no size; sizes: ", base::join(names, " "),
                              suggestion(size->text, names)));
    }
    if (from) {
      give_way(from->mark.layer(), "model.from");
      const std::string folder = from->mark.source ? from->mark.source->folder : ".";
      return shape_from(*from, "model.from", path_in(folder, from->text));
    }
    return {};
  }

  // The shape of the model whose weights a run starts with.
  ModelConfig initial_shape(const Value& init,
                            std::vector<std::pair<std::string, std::optional<Value>>> others) {
    for (const auto& [name, other] : others) {
      if (!other) continue;
      if (other->mark.layer() >= init.mark.layer())
        problems_.add(other->mark, name, "init.from gives the shape already; leave this out");
      dropped_.push_back(name + ": init.from gives the shape");
    }
    give_way(init.mark.layer(), "init.from");
    return shape_from(init, "init.from", base::join_path(init.text, "config.json"));
  }

  // The fields that a named shape holds take the place of those that lower layers wrote.
  void give_way(int layer, const std::string& cause) {
    std::vector<std::string> names{"layers", "width", "heads", "kv_heads", "head_dim", "ffn_width"};
    if (cause != "model.size") {
      names.insert(names.end(),
                   {"gated", "activation", "qk_norm", "tied", "rope_theta", "norm_eps",
                    "vocabulary", "attention_scale", "score_cap", "logit_cap", "rope_scaling",
                    "attention_bias", "ffn_bias", "window", "window_pattern", "window_rope_theta",
                    "embedding_scale", "post_norm"});
    }
    Value* model = tree_.find("model");
    if (!model) return;
    for (const std::string& name : names) {
      const Value* field = model->find(name);
      if (!field || field->mark.layer() >= layer) continue;
      dropped_.push_back(base::str("model.", name, ": ", cause, " gives the shape"));
      model->erase(name);
    }
  }

  ModelConfig shape_from(const Value& from, const std::string& setting, const std::string& path) {
    try {
      return from_hugging_face(read_small_file(path), path);
    } catch (const ConfigError& e) {
      problems_.add(e, from.mark);
    } catch (const base::Error& e) {
      problems_.add(from.mark, setting, e.what());
    }
    return {};
  }

  bool stored_;
  Problems problems_;
  std::vector<std::string> dropped_;
  Value tree_ = Value::object();
};

std::string stem_of(const std::string& path) {
  const std::string name = base::base_name(path);
  const size_t dot = name.rfind('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

}  // namespace

LoadedConfig parse_config(std::string_view text, const std::string& label,
                          const std::vector<std::string>& settings,
                          const std::vector<std::string>& swept) {
  LoadedConfig loaded;
  loaded.source_text = text;
  Loader loader;
  loader.load_text(text, label);
  loader.apply(swept, "sweep setting", Source::swept);
  loader.apply(settings, "--set", Source::setting);
  loaded.run = loader.read();
  loaded.dropped = loader.check(loaded.run, stem_of(label));
  return loaded;
}

LoadedConfig load_config(const std::string& path, const std::vector<std::string>& settings,
                         const std::vector<std::string>& swept) {
  std::string text;
  try {
    text = read_small_file(path);
  } catch (const base::Error& e) {
    throw ConfigError({{"", "", e.what()}});  // it begins with the path
  }
  return parse_config(text, path, settings, swept);
}

LoadedConfig parse_stored_config(std::string_view text, const std::string& label,
                                 const std::vector<std::string>& settings) {
  LoadedConfig loaded;
  loaded.source_text = text;
  Loader loader(/*stored=*/true);
  loader.load_text(text, label);
  loader.apply(settings, "--set", Source::setting);
  loaded.run = loader.read();
  loaded.dropped = loader.check(loaded.run, stem_of(label), /*stored=*/true);
  std::optional<EvalWindows>& windows = loaded.run.eval.windows;
  if (!windows) windows = EvalWindows::first;  // there was no choice
  TrainConfig& train = loaded.run.train;
  if (!train.reduction && train.accumulates()) train.reduction = Reduction::fast;  // nor here
  return loaded;
}

ModelConfig resolve(ModelConfig model) {
  RunConfig run;
  run.model = std::move(model);
  Loader loader;
  loader.load_built(run);
  run = loader.read();
  loader.check_shape(run);
  return run.model;
}

RunConfig resolve(RunConfig run) {
  Loader loader(/*stored=*/true);
  loader.load_built(run);
  run = loader.read();
  loader.check(run, "run");
  return run;
}

}  // namespace muonlab::config
