// report.json: the numbers of a report, for scripts.
#include <nlohmann/json.hpp>

#include "muonlab/base/clock.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/study/report/page.hpp"
#include "sections.hpp"
#include "study/report/history_json.hpp"

namespace muonlab::study {
namespace {

using Json = nlohmann::ordered_json;

Json validations_json(const record::RunRecord& run) {
  const auto figures = [](const record::Validation& v) {
    return Json{{"loss", v.loss}, {"perplexity", v.perplexity}, {"bits_per_byte", v.bits_per_byte}};
  };
  Json list = Json::array();
  for (const record::Validation& v : run.validations) {
    Json& entry = list.emplace_back(Json{{"step", v.step}});
    entry.update(figures(v));
    for (const auto& [name, set] : v.sets) entry["sets"][name] = figures(set);
  }
  return list;
}

Json train_json(const record::RunRecord& run) {
  Json steps = Json::array(), loss = Json::array(), norm = Json::array();
  for (const record::TrainPoint& p : run.train) {
    steps.push_back(p.step);
    loss.push_back(p.loss);
    norm.push_back(p.grad_norm);
  }
  return {{"step", steps}, {"loss", loss}, {"grad_norm", norm}};
}

Json spectra_json(const ReportRun& run) {
  Json list = Json::array();
  for (const auto& [key, trace] : run.spectra) {
    list.push_back({{"of", key.of},
                    {"measure", key.measure},
                    {"role", key.role},
                    {"step", trace.steps},
                    {"value", trace.values}});
  }
  return list;
}

Json sharpness_json(const ReportRun& run) {
  Json json;
  for (const SharpnessPoint& point : run.sharpness) {
    json["step"].push_back(point.step);
    json["loss"].push_back(point.loss);
    json["nds"].push_back(point.nds);
    json["within"].push_back(point.within);
    json["gradient"].push_back(point.gradient);
    json["curvature"].push_back(point.curvature);
  }
  return json;
}

Json token_rows_json(const ReportRun& run) {
  Json list = Json::array();
  for (const TokenRowsPoint& point : run.token_rows) {
    list.push_back({{"step", point.step},
                    {"of", point.of},
                    {"group", point.group},
                    {"update_rms", point.update_rms},
                    {"update_rms_in_step", point.in_step}});
  }
  return list;
}

Json tail_json(const TailTrace& trace) {
  return {{"questions", trace.questions},
          {"step", trace.steps},
          {"first_token_accuracy", trace.first_token},
          {"exact_accuracy", trace.exact},
          {"loss", trace.loss}};
}

Json assignment_json(const ReportRun& run) {
  Json list = Json::array();
  for (const AssignmentLine& line : run.assignment) {
    list.push_back({{"parameter", line.parameter},
                    {"role", line.role},
                    {"shape", line.shape},
                    {"optimizer", line.optimizer},
                    {"rule", line.rule},
                    {"learning_rate", line.learning_rate},
                    {"decay", line.decay},
                    {"selectors", line.selectors}});
  }
  return list;
}

Json search_json(const RateSearch& search) {
  Json paths = Json::array(), trials = Json::array();
  for (const config::RateGrid& rate : search.rates) paths.push_back(rate.paths);
  for (const Trial& trial : search.trials) {
    trials.push_back({{"rates", trial.rates}, {"loss", trial.loss ? Json(*trial.loss) : Json()}});
    if (trial.steps > 0) trials.back()["steps"] = trial.steps;
    if (trial.seed) trials.back()["seed"] = *trial.seed;
  }
  return {{"block", search.block},
          {"row", search.row},
          {"own_rates", search.own_rates},
          {"paths", paths},
          {"trials", trials},
          {"best", search.best ? Json(*search.best) : Json()},
          {"at_edge", search.at_edge},
          {"out_of_runs", search.out_of_runs},
          {"all_diverged", search.all_diverged}};
}

Json run_json(const ReportData& data, const ReportRun& run) {
  const record::RunRecord& record = run.record;
  Json json{{"path", record.path},
            {"row", data.rows[run.row].label},
            {"block", data.blocks[run.block].title},
            {"seed", record.config.seed},
            {"command", run_command(run)},
            {"finished", record.finished()},
            {"state", record::state_name(record.state)},
            {"changes", changes_json(record)},
            {"comparable_group", run.group},
            {"steps", record.steps},
            {"tokens_per_step", record.tokens_per_step},
            {"num_parameters", record.num_parameters},
            {"seconds", run.seconds},
            {"tokens_per_s", tokens_per_second(record)},
            {"peak_rss_mb", peak_memory_mb(record)},
            {"commit", record.commit},
            {"processor", record.processor},
            {"validations", validations_json(record)},
            {"train", train_json(record)}};
  const std::optional<record::RunEnd>& end = record.history.end;
  if (end && !end->warning.empty()) json["warning"] = end->warning;
  if (!run.spectra.empty()) json["spectra"] = spectra_json(run);
  if (!run.sharpness.empty()) json["sharpness"] = sharpness_json(run);
  if (!run.token_rows.empty()) json["token_rows"] = token_rows_json(run);
  for (const auto& [group, trace] : run.groups)
    json["groups"][std::to_string(group)] = tail_json(trace);
  for (const auto& [name, trace] : run.attributes) json["attributes"][name] = tail_json(trace);
  json["assignment"] = assignment_json(run);
  json["config"] = Json::parse(config::dump_config(record.config));
  return json;
}

// The ablation of each frequency group: "loss" is the share of wrong first tokens at the last
// probe.
Json group_answers_json(const ReportData& data) {
  Json list = Json::array();
  for (const ReportBlock& block : data.blocks) {
    for (const GroupAnswer& group : block.groups) {
      list.push_back({{"block", block.title},
                      {"group", group.group},
                      {"loss", "share of wrong first tokens"},
                      {"rows", ablation_json(group.answer)["rows"]}});
    }
  }
  return list;
}

Json set_answers_json(const ReportData& data) {
  Json list = Json::array();
  for (const ReportBlock& block : data.blocks) {
    for (const SetAnswer& set : block.sets) {
      list.push_back(
          {{"block", block.title}, {"set", set.set}, {"rows", ablation_json(set.answer)["rows"]}});
    }
  }
  return list;
}

}  // namespace

std::string report_json(const ReportData& data) {
  Json json{{"muonlab_report", 1},
            {"title", data.title},
            {"made", base::iso_utc_now()},
            {"command", report_command(data)},
            {"paths", data.paths},
            {"comparable",
             {{"losses", data.comparability.losses},
              {"bits_per_byte", data.comparability.bits_per_byte},
              {"reasons", data.comparability.reasons}}}};
  Json rows = Json::array();
  for (const ReportRow& row : data.rows) rows.push_back(row.label);
  json["rows"] = rows;
  Json blocks = Json::array(), ablation = Json::array(), searches = Json::array();
  for (const ReportBlock& block : data.blocks) {
    blocks.push_back(block.title);
    if (block.answer) ablation.push_back(ablation_json(*block.answer));
  }
  for (const SweepResult& sweep : data.sweeps) {
    for (const RateSearch& search : sweep.searches) {
      searches.push_back(search_json(search));
      searches.back()["sweep"] = sweep.path;
    }
  }
  json["blocks"] = blocks;
  if (!ablation.empty()) json["ablation"] = ablation;
  if (const Json groups = group_answers_json(data); !groups.empty()) json["tail"] = groups;
  if (const Json sets = set_answers_json(data); !sets.empty()) json["validation_sets"] = sets;
  if (!searches.empty()) json["searches"] = searches;
  Json runs = Json::array();
  for (const ReportRun& run : data.runs) runs.push_back(run_json(data, run));
  // One run a line: the file stays small, and readable.
  std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace);
  text.resize(text.rfind('\n'));
  text += ",\n  \"runs\": [";
  for (size_t i = 0; i < runs.size(); ++i)
    text +=
        (i ? ",\n    " : "\n    ") + runs[i].dump(-1, ' ', false, Json::error_handler_t::replace);
  return text + "\n  ]\n}\n";
}

}  // namespace muonlab::study
