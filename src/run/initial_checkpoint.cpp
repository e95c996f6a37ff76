#include "initial_weights.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/base/partial_output.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/run/train_run.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/checkpoint.hpp"

namespace muonlab::run {

void write_initial_checkpoint(const std::string& config_path,
                              const std::vector<std::string>& settings, const std::string& folder) {
  base::FileSystem& files = base::real_file_system();
  if (files.exists(folder))
    throw base::Error(folder, ": exists already; name a folder that does not");
  const config::LoadedConfig loaded = config::load_config(config_path, settings);
  tensor::start_runtime(loaded.run.threads.value_or(base::usable_processors()));
  Session session(prepare(loaded.run));
  load_initial_weights(session);
  base::PartialOutput output(folder);
  output.publish(
      train::save_checkpoint(session.trainer(), store::CheckpointWriter(files, output.path(), 0)));
  base::print_line(
      base::str(folder, "  step 0, ",
                base::human_count(static_cast<double>(session.prepared().plan.num_parameters)),
                " parameters"));
}

}  // namespace muonlab::run
