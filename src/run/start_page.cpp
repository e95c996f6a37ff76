#include "start_page.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <vector>

#include "muonlab/base/error.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/base/text_table.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/config/model_hf.hpp"

namespace muonlab::run {
namespace {

using base::human_count;
using base::with_commas;

std::string model_line(const config::ModelConfig& model) {
  using config::QkNorm;
  std::string name = config::hugging_face_architecture(model);  // "LlamaForCausalLM"
  name.resize(name.find("For"));
  name[0] = static_cast<char>(std::tolower(name[0]));
  std::string heads = base::str(model.heads, model.heads == 1 ? " head" : " heads");
  if (*model.head_dim * model.heads != model.width) heads += base::str(" of ", *model.head_dim);
  if (*model.kv_heads != model.heads) heads += base::str(" (", *model.kv_heads, " key-value)");
  const auto activation =
      config::EnumNames<config::Activation>::names[static_cast<size_t>(model.activation)];
  const char* norm = model.qk_norm == QkNorm::none   ? ""
                     : model.qk_norm == QkNorm::gain ? ", QK-norm"
                                                     : ", QK-norm without gain";
  return base::str(name, "  ", model.layers, model.layers == 1 ? " layer" : " layers", ", width ",
                   model.width, ", ", heads, ", ", model.gated ? "gated " : "plain ", activation,
                   " ", *model.ffn_width, norm, model.tied ? ", tied" : "", ", context ",
                   model.context);
}

std::string plan_line(const Prepared& prepared) {
  const config::RunConfig& config = prepared.config;
  const train::Plan& plan = prepared.plan;
  const std::string shape =
      plan.num_micro_batches == 1
          ? base::str(plan.batch, " x ", plan.context)
          : base::str(plan.num_micro_batches, " x ", plan.micro_batch, " x ", plan.context);
  const char* precision = config.precision == config::Precision::bf16 ? "bf16" : "fp32";
  const char* device = config.device == config::Device::cuda ? ", cuda" : "";
  const std::string processes =
      prepared.processes == 1 ? "" : base::str(prepared.processes, " processes of ");
  return base::str(with_commas(plan.steps), " steps of ", plan.batches.grow() ? "up to " : "",
                   with_commas(plan.tokens_per_step), " tokens (", shape, "), ", precision, ", ",
                   processes, *config.threads, *config.threads == 1 ? " thread" : " threads",
                   device);
}

// "steps 101 to 200: 4 x 8 x 256", a stage of a batch that grows.
std::vector<std::string> stage_lines(const train::Plan& plan) {
  std::vector<std::array<std::string, 3>> rows;
  const std::vector<config::BatchSizes::Stage>& stages = plan.batches.stages();
  for (size_t i = 0; i < stages.size(); ++i) {
    const int64_t last = i + 1 < stages.size() ? stages[i + 1].first_step - 1 : plan.steps;
    const int64_t micro = stages[i].batch / plan.micro_batch;
    rows.push_back(
        {base::str("steps ", with_commas(stages[i].first_step), " to ", with_commas(last)),
         with_commas(stages[i].batch * plan.context),
         base::str(micro, " x ", plan.micro_batch, " x ", plan.context)});
  }
  std::array<size_t, 2> widths{};
  for (const auto& row : rows) {
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::vector<std::string> lines;
  for (const auto& row : rows)
    lines.push_back(base::str(base::pad_right(row[0], widths[0]), "  ",
                              base::pad_left(row[1], widths[1]), " tokens a step (", row[2], ")"));
  return lines;
}

// Label, what is on the left, and what stands to the right of it or, on a terminal too narrow for
// that, below.
using Line = std::array<std::string, 3>;

std::string columns(const std::vector<Line>& lines) {
  constexpr size_t kLabel = 9;
  size_t left = 0, right = 0;
  for (const Line& line : lines) {
    if (!line[2].empty()) left = std::max(left, base::display_width(line[1]));
    right = std::max(right, base::display_width(line[2]));
  }
  const bool below = base::is_terminal(1) &&
                     kLabel + left + 2 + right > static_cast<size_t>(base::terminal_width(1));
  std::string text;
  for (const auto& [label, first, second] : lines) {
    text += base::pad_right(label, kLabel);
    if (second.empty()) {
      text += first;
    } else if (below) {
      text += first + "\n" + std::string(kLabel, ' ') + second;
    } else {
      text += base::pad_right(first, left) + "  " + second;
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string start_page(const Prepared& prepared) {
  const config::RunConfig& config = prepared.config;
  const train::Plan& plan = prepared.plan;
  const std::string sizes =
      base::str(human_count(static_cast<double>(plan.num_parameters)), " parameters, ",
                human_count(static_cast<double>(plan.num_matrix_parameters)), " in matrices");
  std::string length = human_count(static_cast<double>(plan.tokens)) + " tokens";
  if (std::isfinite(plan.epochs)) length += ", " + base::significant(plan.epochs, 3) + " epochs";
  std::vector<Line> lines{{"model", model_line(config.model), sizes},
                          {"data", prepared.data.description, ""},
                          {"plan", plan_line(prepared), length}};
  if (config.train.seconds) {
    lines.push_back({"length",
                     base::human_duration(*config.train.seconds) +
                         " of training at the speed measured when it began",
                     ""});
  }
  if (plan.batches.grow()) {
    std::string label = "ramp";
    for (const std::string& line : stage_lines(plan)) {
      lines.push_back({label, line, ""});
      label.clear();
    }
  }
  lines.push_back({"memory",
                   base::str("about ", base::human_bytes(static_cast<uint64_t>(plan.memory_bytes))),
                   ""});
  const std::string gap = config::hugging_face_gap(config.model);
  if (!gap.empty())
    lines.push_back({"note", "transformers will not load its checkpoints: " + gap, ""});
  return columns(lines) + "\n" +
         optim::routing_table(prepared.routing, config, base::table_width());
}

}  // namespace muonlab::run
