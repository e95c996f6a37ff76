// muonlab doctor: what this build found on this machine.
#include <iostream>
#include <memory>

#include "commands.hpp"
#include "installed.hpp"
#include "json_result.hpp"
#include "muonlab/base/cpu.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/comm/communicator.hpp"
#include "muonlab/ops/gemm_rate.hpp"
#include "muonlab/run/session.hpp"
#include "muonlab/tensor/plugin.hpp"
#include "muonlab/tensor/runtime.hpp"

namespace muonlab::app {
namespace {

// The rows as they are found: each is printed at once and kept for --json.
class Findings {
 public:
  void row(const std::string& name, const std::string& value) {
    std::cout << base::pad_right(name, 13) << value << "\n" << std::flush;
    json_[name] = value;
  }
  const nlohmann::ordered_json& json() const { return json_; }

 private:
  nlohmann::ordered_json json_;
};

std::string gemm_rates(at::ScalarType type) {
  std::string text;
  for (const int64_t n : {512, 1024, 2048}) {
    constexpr double kBudget_s = 0.4;
    text += base::str(text.empty() ? "" : ", ",
                      base::fixed(ops::gemm_gflops(type, n, kBudget_s), 0), " at n = ", n);
  }
  return text;
}

std::string describe_gpu() {
  const tensor::plugin::Gpu gpu = tensor::plugin::gpu();
  return base::str(gpu.name, ", compute capability ", gpu.capability / 10, ".", gpu.capability % 10,
                   ", driver for CUDA ", gpu.driver / 1000, ".", gpu.driver % 1000 / 10, ", ",
                   base::human_bytes(static_cast<uint64_t>(gpu.total_bytes)), " of memory, ",
                   base::human_bytes(static_cast<uint64_t>(gpu.free_bytes)), " of it free");
}

std::string gpu_rates() {
  constexpr double kBudget_s = 0.4;
  const double bf16 = ops::gemm_peak_gflops(config::Precision::bf16, kBudget_s, at::kCUDA);
  const double fp32 = ops::gemm_peak_gflops(config::Precision::fp32, kBudget_s, at::kCUDA);
  return base::str("products in bf16 ", base::fixed(bf16 / 1e3, 0), " TFLOP/s, in fp32 ",
                   base::fixed(fp32 / 1e3, 0), "; a copy moves ",
                   base::fixed(ops::copy_gigabytes(at::kCUDA, kBudget_s), 0), " GB/s");
}

}  // namespace

void add_doctor(CLI::App& app, Exit& exit) {
  CLI::App* command = app.add_subcommand(
      "doctor", R"(Show what this build found: LibTorch, threads, instruction sets, GEMM rates, GPU.

  muonlab doctor
  muonlab doctor > doctor.txt)");
  auto json = std::make_shared<bool>(false);
  add_json(*command, *json);
  command->callback([json, &exit] {
    const JsonResult result(*json);
    Findings findings;
    const auto row = [&findings](const std::string& name, const std::string& value) {
      findings.row(name, value);
    };
    const int processors = base::usable_processors();
    tensor::start_runtime(processors);
    const tensor::LibtorchInfo libtorch = tensor::libtorch_info();
    row("muonlab", MUONLAB_VERSION);
    row("LibTorch", base::str(libtorch.version, "  from ", libtorch.path));
    const std::string installed = installed_files();
    if (installed.empty()) {
      row("found by", MUONLAB_TORCH_FOUND_BY);
    } else {
      row("configs", base::str(installed,
                               "/configs  (`muonlab train configs/quickstart.json` "
                               "finds them in any folder)"));
    }
    row("processor", base::cpu_model());
    row("instructions", base::isa_summary());
    row("threads", base::str(processors, processors == 1 ? " processor" : " processors",
                             " this process may use"));
    row("OpenMP", libtorch.num_openmp == 1
                      ? std::string("one runtime, as it should be")
                      : base::str(libtorch.num_openmp,
                                  " runtimes are loaded; one is right. Two share the processors ",
                                  "badly: check LD_PRELOAD and how LibTorch was linked"));
    row("processes", comm::missing().empty() ? "several can work on one run" : comm::missing());
    row("memory", base::human_bytes(base::usable_memory_bytes()));
    const std::string no_gpu = tensor::cuda_problem();
    row("GPU", no_gpu.empty() ? describe_gpu() : "none: " + no_gpu);
    if (no_gpu.empty()) row("GPU rates", gpu_rates());
    row("GEMM fp32", gemm_rates(at::kFloat) + "  (GFLOP/s)");
    config::RunConfig bf16;
    bf16.precision = config::Precision::bf16;
    const bool native = run::usable_precision(bf16) == config::Precision::bf16;
    row("GEMM bf16", native ? gemm_rates(at::kBFloat16) + "  (GFLOP/s)"
                            : "none: no bf16 instructions; runs in bf16 compute in fp32");
    if (result.wanted()) result.print(findings.json());
    if (libtorch.num_openmp != 1) exit.code = base::exit_code::kError;
  });
}

}  // namespace muonlab::app
