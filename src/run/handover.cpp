#include "handover.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "build_facts.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"
#include "muonlab/ops/attention_choice.hpp"
#include "muonlab/tensor/runtime.hpp"
#include "muonlab/train/shared_out.hpp"
#include "probes.hpp"

namespace muonlab::run {
namespace {

using Json = nlohmann::ordered_json;

std::string number_text(int64_t count, const char* noun) {
  return base::str(count, " ", noun, count == 1 ? "" : "es");
}

std::string handover_text(train::Trainer& trainer) {
  return Json{{"config", config::dump_config(trainer.config)},
              {"state", train::state_json(trainer.state)},
              {"steps", trainer.plan.steps},
              {"attention", ops::gpu_attention_name(ops::gpu_attention())}}
      .dump();
}

std::unique_ptr<Session> make_session(const std::string& text, int processes_here) {
  const Json json = Json::parse(text);
  const config::RunConfig config =
      config::parse_stored_config(json["config"].get<std::string>(), "the run of rank 0").run;
  const train::TrainState state =
      train::parse_state(json["state"].get<std::string>(), "the state of rank 0");
  tensor::start_runtime(*config.threads);
  // On GPUs rank 0 has timed the kernels of attention, and the others take the same.
  if (config.device == config::Device::cuda)
    ::setenv("MUONLAB_ATTENTION", json["attention"].get<std::string>().c_str(), /*overwrite=*/1);
  Prepared prepared = prepare(config, processes_here);
  prepared.plan = train::make_plan(prepared.config, prepared.data, state);
  prepared.plan.steps = json["steps"].get<int64_t>();
  auto session = std::make_unique<Session>(std::move(prepared));
  session->trainer().state = state;
  session->continue_mixture();
  return session;
}

// What must be alike for equal numbers.
std::string kind_of(const std::string& data_identity) {
  std::string kind;
  const std::map<std::string, std::string> facts = build_facts();
  for (const auto& [name, value] : facts) {
    if (name != "processor") kind += name + " " + value + "; ";
  }
  return kind + "data " + data_identity;
}

// Throws where a process reported a failure, or is of another kind than rank 0. The same on all.
void agree(comm::Communicator& group, const std::string& failure, const std::string& kind) {
  const std::vector<std::string> failures = group.all_gather(failure);
  for (int rank = 0; rank < group.size(); ++rank) {
    const std::string& text = failures[static_cast<size_t>(rank)];
    if (!text.empty()) throw base::Error(group.name(rank), ": ", text);
  }
  const std::vector<std::string> kinds = group.all_gather(kind);
  for (int rank = 1; rank < group.size(); ++rank) {
    if (kinds[static_cast<size_t>(rank)] == kinds[0]) continue;
    throw base::Error("the processes of a run must be alike, or they would compute different ",
                      "numbers: ", group.name(rank), " has \"", kinds[static_cast<size_t>(rank)],
                      "\", ", group.name(0), " has \"", kinds[0], "\"");
  }
}

// The weights of rank 0 go to all, its optimizers' state to the owners.
void begin_together(comm::Communicator& group, train::Trainer& trainer) {
  const at::NoGradGuard no_grad;
  if (!trainer.arena.values().is_cpu()) group.connect_device();
  group.broadcast(trainer.arena.values());
  train::share_out(trainer);
  if (trainer.config.train.average > 0) {
    for (const tensor::NamedTensor& state : trainer.average.state(trainer.arena))
      group.broadcast(state.value);
  }
  trainer.model.weights_changed();
}

using Probes = std::vector<std::unique_ptr<train::Probe>>;

train::LoopEvents quiet_events(train::Trainer& trainer, const Probes& probes) {
  train::LoopEvents events;
  for (const auto& probe : probes) events.probes.push_back(probe.get());
  events.stepped = [](const train::StepRecord&) {};
  events.evaluated = [](int64_t, const train::Evaluation&) {};
  events.save = [](train::SaveKind) {};
  events.stop_requested = [&trainer] { return trainer.stop != 0; };
  return events;
}

train::Outcome train_along(const std::shared_ptr<comm::Communicator>& group) {
  const std::string text = group->broadcast(std::string());
  if (text.empty()) return train::Outcome::finished;  // rank 0 says why
  std::unique_ptr<Session> session;
  std::string failure, kind;
  try {
    session = make_session(text, group->local_size());
    kind = kind_of(session->trainer().data.identity);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  try {
    agree(*group, failure, kind);
  } catch (const comm::Lost&) {
    throw;
  } catch (const base::Error&) {  // rank 0 reports it
    return train::Outcome::finished;
  }
  train::Trainer& trainer = session->trainer();
  trainer.group = group;
  begin_together(*group, trainer);
  const Probes probes = make_probes(trainer.config);
  return train::run_loop(trainer, quiet_events(trainer, probes));
}

}  // namespace

void check_processes(const Prepared& prepared) {
  const int processes = prepared.processes;
  if (processes == 1) return;
  if (!prepared.place.device.is_cpu() && prepared.place.path != tensor::Path::cuda) {
    throw base::Error("several processes on GPUs need kernels \"fused\"; set it, or device to ",
                      "\"cpu\", or start one process");
  }
  const train::Plan& plan = prepared.plan;
  int64_t common = 0;  // divisor of what every step has
  for (const config::BatchSizes::Stage& stage : plan.batches.stages())
    common = std::gcd(common, stage.batch / plan.micro_batch);
  if (common % processes == 0) return;
  const auto refused = std::find_if(
      plan.batches.stages().begin(), plan.batches.stages().end(),
      [&](const auto& stage) { return stage.batch / plan.micro_batch % processes != 0; });
  std::vector<std::string> possible;
  for (int64_t n = 1; n <= common; ++n) {
    if (common % n == 0) possible.push_back(std::to_string(n));
  }
  const bool of_ramp = refused + 1 != plan.batches.stages().end();
  throw base::Error(processes, " processes cannot share ",
                    number_text(refused->batch / plan.micro_batch, "micro-batch"), " a step (",
                    of_ramp ? "train.batch_ramp has a batch of " : "train.batch ", refused->batch,
                    ", train.micro_batch ", plan.micro_batch, ") evenly; possible are ",
                    base::join(possible, ", "), " processes, or another train.micro_batch");
}

Handover::~Handover() {
  if (given_) return;
  try {
    group_->broadcast(std::string());
  } catch (const base::Error&) {  // they are gone already
  }
}

void Handover::give(Session& session) {
  given_ = true;
  train::Trainer& trainer = session.trainer();
  trainer.group = group_;
  if (group_->alone()) return;
  group_->broadcast(handover_text(trainer));
  agree(*group_, "", kind_of(trainer.data.identity));
  begin_together(*group_, trainer);
}

train::Outcome follow(const std::shared_ptr<comm::Communicator>& group) {
  try {
    return train_along(group);
  } catch (const base::NonFinite&) {
    return train::Outcome::finished;
  } catch (const comm::Lost& lost) {
    group->leave("");
    if (lost.is_told()) return train::Outcome::finished;
    throw base::Error(group->name(group->rank()), ": ", lost.what());
  } catch (const std::exception& error) {
    group->leave(error.what());
    throw base::Error(group->name(group->rank()), ": ", error.what());
  }
}

}  // namespace muonlab::run
