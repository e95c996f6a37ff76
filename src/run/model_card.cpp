#include "export_parts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/config/model_hf.hpp"

namespace muonlab::run {
namespace {

int64_t num_parameters(const LoadedModel& loaded) {
  int64_t count = 0;
  for (const tensor::Parameter& parameter : loaded.arena->parameters())
    count += parameter.value.numel();
  return count;
}

std::string row(const std::string& name, const std::string& value) {
  return base::str("| ", name, " | ", value, " |\n");
}

// The optimizer of each assignment, as "vo ffn: muon (muon, learning rate 0.02)".
std::string optimizers(const config::RunConfig& config) {
  std::string text;
  for (const config::AssignConfig& assign : config.assign) {
    const auto found = config.optimizers.find(assign.optimizer);
    if (found == config.optimizers.end()) continue;
    const double lr = std::visit([](const auto& rule) { return rule.lr; }, found->second);
    text += base::str(text.empty() ? "" : "; ", base::join(assign.params, " "), ": ",
                      config::rule_name(found->second), ", learning rate ", base::exact(lr));
  }
  return text;
}

std::string run_facts(const LoadedModel& loaded) {
  const train::TrainState& state = loaded.state;
  std::string text = row("steps", base::with_commas(state.step));
  text += row("tokens trained on", base::with_commas(state.tokens));
  if (state.best_step >= 0) {
    text += row("best validation loss", base::str(base::fixed(state.best_val_loss, 4),
                                                  " nats per token, at step ", state.best_step));
  }
  if (loaded.is_average) text += row("weights", "average over the end of the run");
  text += row("optimizers (first match)", optimizers(loaded.config));
  text += row("seed", base::str(loaded.config.seed));
  if (loaded.config.init) text += row("weights at the start", loaded.config.init->from);
  if (!loaded.data_identity.empty()) text += row("hash of the data", loaded.data_identity);
  return text;
}

}  // namespace

std::string model_card(const LoadedModel& loaded, const std::string& name) {
  const config::ModelConfig& model = loaded.config.model;
  std::string text = base::str(
      "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- muonlab\n---\n\n# ",
      name, "\n\nA language model written by muonlab: ",
      loaded.is_foreign ? "a Hugging Face model in another number type.\n\n"
                        : "it was trained from a JSON configuration, which stands below.\n\n",
      "| | |\n|---|---|\n");
  text += row("architecture", config::hugging_face_architecture(model, config::HfFile::exported));
  text += row("parameters", base::with_commas(num_parameters(loaded)));
  text += row("shape", base::str(model.layers, " layers, width ", model.width, ", ", model.heads,
                                 " heads, vocabulary ", *model.vocabulary));
  text += row("context in training", base::str(model.context, " tokens"));
  text += row("tokenizer", loaded.tokenizer->description());
  if (!loaded.is_foreign) text += run_facts(loaded);
  text +=
      "\n```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
      "model = AutoModelForCausalLM.from_pretrained(\"THIS_FOLDER\")\n"
      "tokenizer = AutoTokenizer.from_pretrained(\"THIS_FOLDER\")\n```\n";
  if (!loaded.is_foreign) {
    text += "\n<details><summary>Configuration of the run</summary>\n\n```json\n" +
            config::dump_config(loaded.config) + "```\n\n</details>\n";
  }
  return text;
}

}  // namespace muonlab::run
