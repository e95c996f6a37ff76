// muonlab lr-find.
#include <unistd.h>

#include <cmath>
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "installed.hpp"
#include "json_result.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/signals.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_plot.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/base/usage_error.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/page/document.hpp"
#include "muonlab/page/html.hpp"
#include "muonlab/page/xy_plot.hpp"
#include "muonlab/run/rate_search.hpp"

namespace muonlab::app {
namespace {

using run::RatePoint;

struct LrFindOptions {
  std::string config_path, page;
  std::vector<std::string> settings;
  run::RateRange range;
  bool json = false;
};

double rate_of(const config::OptimizerConfig& optimizer) {
  return std::visit([](const auto& rule) { return rule.lr; }, optimizer);
}

std::vector<RatePoint> test(const config::RunConfig& config, const run::RateRange& range) {
  base::LiveLine live;
  int64_t step = 0;
  std::vector<RatePoint> points = run::test_rates(config, range, [&](const RatePoint& point) {
    live.update(base::str("step ", ++step, "/", range.steps, "  learning rates times ",
                          base::significant(point.factor, 3), "  loss ",
                          base::fixed(point.loss, 3)));
  });
  live.clear();
  return points;
}

std::string terminal_plot(const std::vector<RatePoint>& points) {
  base::PlotSeries losses, smooth;
  for (const RatePoint& point : points) {
    losses.points.emplace_back(std::log10(point.factor), point.loss);
    smooth.points.emplace_back(std::log10(point.factor), point.smooth);
  }
  constexpr size_t kHeight = 14;
  return base::text_plot(
      "training loss and its mean over nine steps, by log10 of the factor", {losses, smooth},
      {.width = static_cast<size_t>(base::terminal_width(STDOUT_FILENO)), .height = kHeight});
}

std::string proposal_text(const config::RunConfig& config, const run::RateProposal& proposal) {
  base::TextTable table({{"optimizer"},
                         {"learning rate now", base::TextColumn::Kind::number},
                         {"proposed", base::TextColumn::Kind::number}});
  for (const auto& [name, optimizer] : config.optimizers) {
    const double rate = rate_of(optimizer);
    table.add_row({name, base::significant(rate, 3), base::significant(rate * proposal.factor, 2)});
  }
  return table.text(base::table_width(), 2);
}

std::string page_html(const config::RunConfig& config, const std::vector<RatePoint>& points,
                      const run::RateProposal& proposal) {
  page::XySeries losses{.label = "training loss", .x = {}, .y = {}, .marker = 1, .line = false};
  page::XySeries smooth{.label = "its mean over nine steps", .x = {}, .y = {}, .colour = 1};
  double low = points.front().smooth, high = low;
  for (const RatePoint& point : points) {
    losses.x.push_back(point.factor);
    losses.y.push_back(point.loss);
    smooth.x.push_back(point.factor);
    smooth.y.push_back(point.smooth);
    low = std::min({low, point.loss, point.smooth});
    high = std::max({high, point.loss, point.smooth});
  }
  const page::XySeries mark{.label = "proposed",
                            .x = {proposal.factor, proposal.factor},
                            .y = {low, high},
                            .colour = 2,
                            .guide = true};
  const page::XyPlot plot{
      .title = "Loss while the learning rates grow",
      .note =
          "Every learning rate of the configuration is multiplied with the same factor, which "
          "grows from step to step. The proposal is twice the factor at which the mean falls "
          "fastest.",
      .x = {.name = "factor on the learning rates", .log = true},
      .y = {.name = "loss (nats per token)"},
      .series = {losses, smooth, mark}};
  std::vector<std::vector<page::TableCell>> rows;
  for (const auto& [name, optimizer] : config.optimizers) {
    const double rate = rate_of(optimizer);
    rows.push_back({{page::escape(name)},
                    {base::significant(rate, 3), true},
                    {base::significant(rate * proposal.factor, 2), true}});
  }
  const std::vector<page::TableCell> head{
      {"optimizer"}, {"learning rate now", true}, {"proposed", true}};
  page::Document document("Learning rates of " + config.name,
                          base::str("a range test of ", points.size(), " steps"));
  document.section("plot", "Range test", page::xy_plot(plot));
  document.section("rates", "Learning rates", page::table("learning rates", head, rows));
  return document.html();
}

void write_page(const std::string& path, const std::string& html) {
  base::FileSystem& files = base::real_file_system();
  if (files.exists(path) &&
      (files.is_directory(path) || !base::read_text(path).starts_with(page::kPageMark)))
    throw base::Error(path, ": is there and no page of muonlab; name another file with --page");
  base::make_directories(base::parent_path(path));
  base::write_atomically(path, html);
}

void find(const LrFindOptions& options) {
  if (options.range.high <= options.range.low)
    throw base::UsageError("--high is not above --low; the factors grow from low to high");
  const JsonResult result(options.json);
  base::install_signal_handlers("stopping after this step; what is known so far is shown");
  const config::LoadedConfig loaded =
      config::load_config(find_installed(options.config_path), options.settings);
  const config::RunConfig& config = loaded.run;
  const std::vector<RatePoint> points = test(config, options.range);
  if (points.size() < 2)
    throw base::Error("the loss is not finite from the first steps on; lower --low");
  const run::RateProposal proposal = run::propose_rate(points);
  const std::string page =
      options.page.empty() ? base::str("runs/", config.name, "-lr-find.html") : options.page;
  write_page(page, page_html(config, points, proposal));
  std::cout << terminal_plot(points) << "\n" << proposal_text(config, proposal);
  std::cout << "The loss falls fastest at " << base::significant(proposal.steepest, 2)
            << " times the learning rates; proposed is twice that.\n";
  if (!proposal.inside) {
    std::cout << "That is at the edge of what was tried, so the proposal is a guess: "
                 "change --low or --high.\n";
  }
  std::cout << "page     " << page << "\n";
  if (!result.wanted()) return;
  nlohmann::ordered_json json{{"factor", proposal.factor},
                              {"steepest", proposal.steepest},
                              {"inside", proposal.inside},
                              {"page", page}};
  for (const auto& [name, optimizer] : config.optimizers)
    json["lr"][name] = rate_of(optimizer) * proposal.factor;
  for (const RatePoint& point : points)
    json["points"].push_back({{"factor", point.factor}, {"loss", point.loss}});
  result.print(json);
}

}  // namespace

void add_lr_find(CLI::App& app, Exit&) {
  CLI::App* command = app.add_subcommand(
      "lr-find", R"(Propose learning rates from a short test in which they grow from step to step.

  muonlab lr-find configs/quickstart.json
  muonlab lr-find configs/own_text.json --steps 200 --low 0.1 --high 30

All learning rates of the configuration are multiplied with the same factor. The test starts from the initial weights
and writes one page. It gives a place to start from; a sweep with "tune" finds the best learning rates.)");
  auto options = std::make_shared<LrFindOptions>();
  command->add_option("CONFIG", options->config_path, "the configuration file")->required();
  command
      ->add_option("--set", options->settings, "override one setting of the file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->add_option("--low", options->range.low, "the first factor on the learning rates")
      ->capture_default_str()
      ->check(between(1e-6, 1e6));
  command->add_option("--high", options->range.high, "the last factor")
      ->capture_default_str()
      ->check(between(1e-6, 1e6));
  command->add_option("--steps", options->range.steps, "training steps of the test")
      ->capture_default_str()
      ->check(between(2, 100000));
  command->add_option("--page", options->page, "the page to write; default: runs/NAME-lr-find.html")
      ->type_name("FILE");
  add_json(*command, options->json);
  command->callback([options] { find(*options); });
}

}  // namespace muonlab::app
