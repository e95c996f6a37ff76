#include "cards.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace muonlab::study {
namespace {

constexpr double kUsableShare = 0.95;  // of a card's memory; the driver keeps some

// The names in CUDA_VISIBLE_DEVICES, in the order in which the driver counts its devices.
std::vector<std::string> visible_devices() {
  std::vector<std::string> names;
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  std::istringstream text(visible == nullptr ? "" : visible);
  for (std::string name; std::getline(text, name, ',');) names.push_back(name);
  return names;
}

}  // namespace

std::vector<Card> find_cards() {
  // The driver's own functions make no context, which would take some 500 MB of every card.
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return {};
  const auto initialize = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  const auto get = reinterpret_cast<int (*)(int*, int)>(dlsym(driver, "cuDeviceGet"));
  const auto total = reinterpret_cast<int (*)(size_t*, int)>(dlsym(driver, "cuDeviceTotalMem_v2"));
  int num_cards = 0;
  if (!initialize || !count || !get || !total || initialize(0) != 0 || count(&num_cards) != 0)
    return {};
  const std::vector<std::string> names = visible_devices();
  std::vector<Card> cards;
  for (int i = 0; i < num_cards; ++i) {
    int device = 0;
    size_t bytes = 0;
    if (get(&device, i) != 0 || total(&bytes, device) != 0) continue;
    const auto place = static_cast<size_t>(i);
    cards.push_back({place < names.size() ? names[place] : std::to_string(i), bytes});
  }
  return cards;
}

bool runs_on_card(const config::RunConfig& run) { return run.device == config::Device::cuda; }

int jobs_that_fit(const std::vector<Card>& cards, uint64_t run_bytes, int most) {
  double jobs = 0;
  for (const Card& card : cards) {
    const double usable = kUsableShare * static_cast<double>(card.bytes);
    jobs += std::floor(usable / static_cast<double>(std::max<uint64_t>(run_bytes, 1)));
  }
  return static_cast<int>(std::clamp<double>(jobs, 1, std::max(most, 1)));
}

size_t next_card(const std::vector<int>& busy) {
  return static_cast<size_t>(std::min_element(busy.begin(), busy.end()) - busy.begin());
}

}  // namespace muonlab::study
