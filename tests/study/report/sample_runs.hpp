// Folders as runs and sweeps leave them, small enough to know every figure.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "muonlab/base/file.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/config/load.hpp"

namespace muonlab::study::sample {

inline constexpr const char* kAssignmentHead =
    "parameter\trole\thugging_face_role\tshape\toptimizer\trule\tlearning_"
    "rate\tdecay\tassignment\tselectors\n";

inline void write(const std::string& path, const std::string& text) {
  base::make_directories(base::parent_path(path));
  base::write_atomically(path, text);
}

// A run of four steps, validated at the last; `muon` on V or not.
inline std::string make_run(const std::string& folder, int seed, bool muon, double loss,
                            const std::string& name = "trial") {
  const std::string source = base::str(R"({"name": ")", name, R"(", "seed": )", seed,
                                       R"(, "threads": 1, "train": {"steps": 4}, "optimizers": {)",
                                       muon ? R"("muon": {"rule": "muon", "lr": 0.02},)" : "",
                                       R"("adam": {"rule": "adamw", "lr": 0.002}}, "assign": [)",
                                       muon ? R"({"params": ["v"], "optimizer": "muon"},)" : "",
                                       R"({"params": ["all"], "optimizer": "adam"}]})");
  write(folder + "/resolved.json", config::dump_config(config::parse_config(source, "t").run));
  write(folder + "/plan.json", R"({"steps": 4, "tokens_per_step": 64, "num_parameters": 1000})");
  write(folder + "/checkpoints/step-00000004/manifest.json", "{}");  // what a finished cell has
  std::string metrics;
  for (int step = 1; step <= 4; ++step)
    metrics += base::str("{\"step\":", step, ",\"tokens\":", 64 * step, ",\"loss\":", 6.0 - step,
                         ",\"grad_norm\":1}\n");
  write(
      folder + "/metrics.jsonl",
      metrics + base::str("{\"step\":4,\"val_loss\":", loss,
                          ",\"val_perplexity\":8.5,\"val_bits_per_byte\":0.75}\n{\"step\":5,\"lo"));
  write(folder + "/assignment.tsv",
        base::str(kAssignmentHead, "layers.0.v\tv\tv_proj\t8x8\t",
                  muon ? "muon\tmuon\t0.02" : "adam\tadamw\t0.002", "\t0\tassign[0]\tv\n",
                  "embed\tembed\tembed\t16x8\tadam\tadamw\t0.002\t0\tassign[1]\tall\n"));
  return folder;
}

inline void add_timing(const std::string& folder) {
  std::string timing;
  for (int step = 1; step <= 4; ++step) {
    timing += base::str(
        "{\"step\":", step,
        ",\"forward_s\":0.25,\"backward_s\":0.5,\"optimizer_s\":0.25,\"tokens_per_s\":", 60 + step,
        ",\"peak_rss_mb\":100}\n");
  }
  write(folder + "/timing.jsonl", timing);
}

// A sweep of Adam, Muon and a row between over two protocols and two seeds, whose last cell has not
// begun.
inline std::string make_sweep(const std::string& folder) {
  write(folder + "/sweep.json", R"({"name": "s", "base": "b.json",
    "axes": {"protocol": {"paper": {}, "fair": {}},
             "row": {"adam": {"threads": 1}, "all": {"threads": 1}, "vo": {"threads": 1}}},
    "seeds": [1, 2], "compare": {"axis": "row", "baseline": "adam", "reference": "all"},
    "paper": {"adam": 4.0, "all": 3.0, "vo": 3.25}, "labels": {"adam": "all Adam", "all": "all Muon", "vo": "V O"}})");
  nlohmann::json cells = nlohmann::json::array(), points = nlohmann::json::array();
  for (const std::string block : {"paper", "fair"}) {
    for (const auto& [row, loss] :
         {std::pair{"adam", 3.0}, std::pair{"all", 2.0}, std::pair{"vo", 2.25}}) {
      for (int seed : {1, 2}) {
        const std::string cell = block + "-" + row + base::str("-s", seed);
        cells.push_back({{"name", cell}, {"tuning", false}});
        points.push_back({{"block", block}, {"row", row}, {"seed", seed}, {"cell", cell}});
        if (cell == "fair-vo-s2") continue;
        make_run(folder + "/cells/" + cell, seed, row != std::string("adam"),
                 loss + (seed == 1 ? 0.01 : 0) * loss, cell);
      }
    }
  }
  const nlohmann::json search{{"block", "paper"},
                              {"row", "adam"},
                              {"at_edge", false},
                              {"best", {0.002}},
                              {"rates", {{{"paths", {"optimizers.adam.lr"}}, {"grid", {0.002}}}}},
                              {"trials", {{{"rates", {0.002}}, {"cell", "paper-adam-s1"}}}}};
  write(folder + "/plan.json", nlohmann::json{{"format", 1},
                                              {"command", "muonlab sweep s.json"},
                                              {"cells", cells},
                                              {"points", points},
                                              {"searches", {search}},
                                              {"waiting", 0}}
                                   .dump());
  return folder;
}

}  // namespace muonlab::study::sample
