#include "origin.hpp"

#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/hash.hpp"
#include "muonlab/record/json_lines.hpp"

namespace muonlab::run {
namespace {

// The manifest holds the hashes of all other files.
std::string manifest_hash(const std::string& checkpoint) {
  return base::hash_text(base::read_text(base::join_path(checkpoint, "manifest.json"))).hex();
}

}  // namespace

std::optional<Origin> read_origin(const record::RunFolder& folder) {
  const nlohmann::json json = record::value_in(folder.origin());
  if (!json.is_object()) return std::nullopt;
  Origin origin{.checkpoint = record::text_in(json, "checkpoint"),
                .manifest = record::text_in(json, "manifest"),
                .step = record::count_in(json, "step")};
  if (json.contains("from")) origin.from = record::text_in(json, "from");
  return origin;
}

store::Checkpoint open_origin(const Origin& origin, const record::RunFolder& folder) {
  const auto refusal = [&](const std::string& why) {
    return base::Error(folder.path(), ": has no checkpoint of its own, and ", origin.checkpoint,
                       ", from which it was branched, ", why,
                       ". Name the checkpoint to branch from with --from, or start a new run with "
                       "--run-dir");
  };
  if (!base::real_file_system().exists(origin.checkpoint)) throw refusal("is not there");
  store::Checkpoint checkpoint(origin.checkpoint);
  if (checkpoint.step() != origin.step ||
      (!origin.manifest.empty() && manifest_hash(origin.checkpoint) != origin.manifest))
    throw refusal("has changed since");
  return checkpoint;
}

void write_origin(const record::RunFolder& folder, const std::string& from,
                  const store::Checkpoint& checkpoint, const train::CarryOver& carried,
                  base::FileSystem& files) {
  const nlohmann::ordered_json origin{{"from", from},
                                      {"checkpoint", checkpoint.path()},
                                      {"manifest", manifest_hash(checkpoint.path())},
                                      {"step", checkpoint.step()},
                                      {"carried", carried.carried},
                                      {"fresh", carried.fresh},
                                      {"dropped", carried.dropped}};
  base::write_atomically(folder.origin(), record::json_text(origin, 2) + "\n", files);
}

}  // namespace muonlab::run
