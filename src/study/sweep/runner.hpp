// Runs a queue's cells, several at once, each as a process of its own, and shows how far they are.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cards.hpp"
#include "display.hpp"
#include "muonlab/base/clock.hpp"
#include "muonlab/base/process.hpp"
#include "muonlab/base/terminal.hpp"
#include "muonlab/study/sweep/estimate.hpp"
#include "queue.hpp"

namespace muonlab::study {

class SweepRunner {
 public:
  // jobs: processes at once. grace_s: how long a stopped sweep waits for its cells to save their
  // state before it kills them; a step in progress ends first. program: what trains a cell. Cells
  // on a GPU are spread over `cards`.
  SweepRunner(SweepQueue& queue, int jobs, double grace_s, std::string program,
              std::vector<Card> cards = {});
  // False when a signal stopped it: then the running cells have saved their state.
  bool run();

 private:
  struct Job {
    Cell cell;
    std::unique_ptr<base::ChildProcess> process;
    base::Stopwatch watch;
    int64_t first_step;          // where it resumed
    std::optional<size_t> card;  // of cards_
  };

  void look_around();
  void start_what_can();
  void start(const Cell& cell);
  std::optional<size_t> card_for(const Cell& cell) const;
  void reap();
  void ended(const Job& job, int exit_code);
  bool others_run();
  bool stop();
  void show();
  RunningCell running_cell(const Job& job, double& left_flops);
  double flops_of(const Cell& cell);  // of the whole run

  SweepQueue& queue_;
  int jobs_;
  double grace_s_;
  std::string program_;
  std::vector<Card> cards_;
  base::LiveLine live_;
  std::vector<Job> running_;
  bool killed_ = false;                         // the running cells, after the grace time
  double measured_flops_ = 0, measured_s_ = 0;  // of cells that ended here
  std::map<std::string, double> flops_;         // by key
  DataSizes data_sizes_;
  double shown_s_ = -1e30, next_look_s_ = -1e30;
};

}  // namespace muonlab::study
