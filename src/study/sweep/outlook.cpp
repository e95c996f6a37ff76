#include "outlook.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/batch_sizes.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/study/sweep/data_fit.hpp"
#include "muonlab/study/sweep/estimate.hpp"

namespace muonlab::study {
namespace {

// What decides a step's speed.
std::string shape_of(const config::RunConfig& run) {
  config::RunConfig shape;
  shape.model = run.model;
  shape.train.batch = run.train.batch;
  shape.train.micro_batch = run.train.micro_batch;
  shape.precision = run.precision;
  shape.kernels = run.kernels;
  shape.threads = run.threads;
  return config::dump_config(shape);
}

std::string counted(int64_t count, const char* one, const char* many) {
  return base::str(base::with_commas(count), " ", count == 1 ? one : many);
}

// "optimizers.adam.lr = optimizers.embed.lr", "optimizers.qk.decay and 5 more".
std::string paths_text(const std::vector<std::string>& paths) {
  if (paths.size() <= 2) return base::join(paths, " = ");
  return base::str(paths.front(), " and ", paths.size() - 1, " more");
}

std::string rates_text(const RateSearch& search) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < search.rates.size(); ++i) {
    if (has_effect(search, i))
      texts.push_back(
          base::str(paths_text(search.rates[i].paths), " ", base::exact((*search.best)[i])));
  }
  return base::join(texts, ", ");
}

// The n-th search of its row, counted from 0.
using SearchPlace = std::tuple<std::string, std::string, int>;
std::map<SearchPlace, const RateSearch*> by_place(const std::vector<RateSearch>& searches) {
  std::map<SearchPlace, const RateSearch*> places;
  for (const RateSearch& search : searches) {
    int number = 0;
    while (!places.try_emplace({search.block, search.row, number}, &search).second) ++number;
  }
  return places;
}

// A line for every search in `after` that has found its rates and had not before.
std::vector<std::string> found_rates(const std::vector<RateSearch>& before,
                                     const std::vector<RateSearch>& after) {
  std::vector<std::string> lines;
  const auto earlier = by_place(before), now = by_place(after);
  for (const auto& [place, found] : now) {
    const RateSearch& search = *found;
    const auto same = earlier.find(place);
    if (!search.best || (same != earlier.end() && same->second->best)) continue;
    lines.push_back(base::str("rates    ", search.block.empty() ? "" : search.block + ", ",
                              search.row, ": ", rates_text(search), " (best of ", num_runs(search),
                              ")", search.at_edge ? "; still at the grid's edge" : "",
                              search.out_of_runs ? "; stopped at max_runs" : ""));
  }
  return lines;
}

}  // namespace

Outlook look_ahead(SweepQueue& queue, int jobs, bool measure) {
  const SweepPlan plan = queue.outline();
  Outlook outlook;
  outlook.num_waiting = queue.num_waiting();
  outlook.max_more_trials = plan.max_more_trials;
  std::map<std::string, Rate> rates;  // by shape
  DataSizes data_sizes;
  DataFit data_fit;  // data that are not there are left to the run
  std::vector<uint64_t> memory;
  uint64_t running_disk = 0;
  for (const Cell& cell : plan.cells) {
    if (!queue.is_wanted(cell)) continue;
    const CellState state = queue.is_planned(cell) ? queue.status(cell).state : CellState::queued;
    if (has_ended(state)) {
      ++outlook.num_finished;
      continue;
    }
    ++outlook.num_runs;
    data_fit.check(cell.config, queue.sweep().path, "cell " + cell.name);
    const config::RunConfig run = data_sizes.complete(cell.config);
    const double flops = run_flops(run);
    outlook.num_unknown += flops == 0 && !run.train.seconds;
    const DiskUse disk = run_disk(run);
    outlook.disk_bytes += disk.finished;
    running_disk = std::max(running_disk, disk.running);
    const auto bytes = static_cast<uint64_t>(run_memory_bytes(run));
    const bool on_card = runs_on_card(run);
    on_card ? outlook.card_bytes = std::max(outlook.card_bytes, bytes) : memory.emplace_back(bytes);
    outlook.fills_memory |= run.train.micro_batch == config::kAutomatic;
    const config::BatchSizes batches(run);
    std::vector<std::string>& known = outlook.batches;
    if (batches.grow() && std::find(known.begin(), known.end(), batches.text()) == known.end())
      known.push_back(batches.text());
    if (run.train.seconds) {
      if (outlook.rate_source.empty()) outlook.rate_source = "train.seconds";
      outlook.seconds += *run.train.seconds / jobs;
      continue;
    }
    // To know a GPU's speed, a process must use it.
    if (flops == 0 || (on_card && !measure)) continue;
    const auto [rate, is_new] = rates.try_emplace(measure ? shape_of(run) : "");
    if (is_new) rate->second = measure ? measure_rate(run) : usual_rate(run);
    outlook.rate_source = rate->second.source;
    outlook.seconds += flops / rate->second.flops_per_s / jobs;
  }
  outlook.disk_bytes += static_cast<uint64_t>(jobs) * running_disk;
  std::sort(memory.rbegin(), memory.rend());
  for (size_t i = 0; i < std::min(memory.size(), static_cast<size_t>(jobs)); ++i)
    outlook.memory_bytes += memory[i];
  return outlook;
}

std::string cards_text(const Outlook& outlook, const std::vector<Card>& cards) {
  if (cards.empty() || outlook.card_bytes == 0) return "";
  std::string text =
      base::str("gpus     ", cards.size(), " with ", base::human_bytes(cards.front().bytes),
                "; a run takes about ", base::human_bytes(outlook.card_bytes));
  if (outlook.fills_memory)
    return text + " or more, since its train.micro_batch is \"auto\": run one a GPU";
  return base::str(text, ", so that memory allows --jobs ",
                   jobs_that_fit(cards, outlook.card_bytes, base::usable_processors()));
}

std::string outlook_text(const Outlook& outlook, SweepQueue& queue, int jobs) {
  std::string text = base::str("sweep    ", queue.folder().path(), "  ",
                               counted(outlook.num_runs, "run", "runs"), " to do");
  if (outlook.num_finished > 0) text += base::str(", ", outlook.num_finished, " finished earlier");
  if (outlook.num_waiting > 0)
    text += base::str("; ", outlook.num_waiting, " of them ",
                      outlook.num_waiting == 1 ? "waits" : "wait", " for rates");
  text += base::str("; ", jobs, " at once");
  if (outlook.max_more_trials > 0) {
    text += base::str("\nsearch   up to ",
                      base::with_commas(static_cast<int64_t>(outlook.max_more_trials)),
                      " more runs, as the searches of settings need them (not in the time below)");
  }
  for (const std::string& batches : outlook.batches)
    text += "\nbatch    " + batches + " samples a step";
  if (outlook.seconds > 0) {
    text += base::str("\ntime     about ", base::human_duration(outlook.seconds), " (",
                      outlook.rate_source, ")");
  }
  if (outlook.memory_bytes > 0)
    text += base::str("\nmemory   about ", base::human_bytes(outlook.memory_bytes));
  if (outlook.disk_bytes > 0)
    text += base::str("\ndisk     about ", base::human_bytes(outlook.disk_bytes));
  if (outlook.num_unknown > 0) {
    text += base::str(
        "\nunknown  ", counted(outlook.num_unknown, "run", "runs"),
        " left out of these figures: the data cannot be read, or their length is not known");
  }
  return text;
}

void plan_again(SweepQueue& queue) {
  const std::vector<RateSearch> before = queue.plan().searches;
  if (queue.refresh()) write_sweep_record(queue.folder(), queue.sweep(), queue.plan());
  for (const std::string& line : found_rates(before, queue.plan().searches)) base::print_line(line);
}

}  // namespace muonlab::study
