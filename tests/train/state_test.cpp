#include "muonlab/train/state.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/base/error.hpp"
#include "muonlab/base/file.hpp"
#include "muonlab/train/metrics.hpp"
#include "muonlab/train/norm.hpp"

namespace muonlab::train {
namespace {

TEST(TrainState, RoundTripsExactly) {
  const TrainState fresh;
  EXPECT_EQ(parse_state(state_json(fresh), "t"), fresh);
  const TrainState used{.step = 600,
                        .next_sample = (int64_t{1} << 60) + 1,
                        .tokens = 123456789012345,
                        .best_val_loss = 0.1 + 0.2,
                        .best_step = 550,
                        .metrics_bytes = 77,
                        .probe_bytes = {{"spectra", int64_t{1} << 55}, {"tail", 0}},
                        .mixture = {{0, {0.1, 2}}, {77, {1, 1}}}};
  EXPECT_EQ(parse_state(state_json(used), "t"), used);
}

TEST(TrainState, NamesWhatIsMissingOrWrong) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      parse_state(text, "here/trainer.json");
    } catch (const base::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("[]"), "here/trainer.json: the training state is not a JSON object");
  EXPECT_EQ(message("{\"step\": 1}"),
            "here/trainer.json: the training state lacks \"next_sample\"");
  EXPECT_EQ(message("{\"step\": \"one\"}"),
            "here/trainer.json: \"step\" is not a whole number of 64 bits");
}

TEST(TrainState, StatesFromBeforeProbesHaveEmptyFiles) {
  std::string text = state_json({.step = 3, .metrics_bytes = 77});
  const size_t at = text.find(",\n  \"probe_bytes\"");
  ASSERT_NE(at, std::string::npos);
  text.resize(at);
  EXPECT_EQ(parse_state(text + "}", "t").probe_bytes, (std::map<std::string, int64_t>{}));
  for (const char* wrong :
       {"7", "{\"spectra\": -1}", "{\"spectra\": 1.5}", "{\"spectra\": null}", "[]"}) {
    EXPECT_THROW(parse_state(text + ", \"probe_bytes\": " + wrong + "}", "t"), base::Error)
        << wrong;
  }
}

TEST(TrainState, CountersAreWholeNumbersThatCanBe) {
  const auto refused = [](const std::string& field, const std::string& value) {
    std::string text = state_json({.step = 12,
                                   .next_sample = 48,
                                   .tokens = 1536,
                                   .best_val_loss = 4.0,
                                   .best_step = 12,
                                   .metrics_bytes = 99});
    const size_t at = text.find("\"" + field + "\": ") + field.size() + 4;
    text.replace(at, text.find_first_of(",\n", at) - at, value);
    try {
      parse_state(text, "t");
    } catch (const base::Error&) {
      return true;
    }
    return false;
  };
  for (const char* field : {"step", "next_sample", "tokens", "best_step", "metrics_bytes"}) {
    EXPECT_FALSE(refused(field, "12")) << field;
    for (const char* value :
         {"null", "\"12\"", "-5", "1.5", "1e300", "9223372036854775808", "true", "[]"}) {
      EXPECT_TRUE(refused(field, value)) << field << " " << value;
    }
  }
  EXPECT_TRUE(refused("best_step", "13"));  // above step
  EXPECT_FALSE(refused("best_val_loss", "null"));
}

TEST(GlobalNorm, IsExactAndTheSameForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  for (const int64_t n : {1, 15, 16, 17, 32768, 32769, 300001}) {
    const at::Tensor x = at::randn({n});
    const double expected = x.to(at::kDouble).norm().item<double>();
    at::set_num_threads(1);
    const double one = global_norm(x);
    at::set_num_threads(2);
    const double two = global_norm(x);
    EXPECT_EQ(one, two);
    EXPECT_NEAR(one, expected, 1e-12 * expected) << n;
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(std::isnan(global_norm(at::full({40}, NAN))));
  EXPECT_TRUE(std::isinf(global_norm(at::full({40}, INFINITY))));
}

TEST(Metrics, ResumingCutsWhatTheCheckpointDidNotSee) {
  const base::TemporaryFolder folder;
  const std::string metrics = folder / "metrics.jsonl", timing = folder / "timing.jsonl";
  StepRecord record{
      .step = 1, .tokens = 8, .loss = 2.5, .grad_norm = 1.25, .lr = {0.5}, .total_s = 1};
  int64_t length = 0;
  {
    MetricsLog log(metrics, timing, 0, {"adam"});
    log.step(record, 8);
    length = log.sync();
    record.step = 2;
    log.step(record, 8);
  }
  const std::string first =
      "{\"step\":1,\"tokens\":8,\"loss\":2.5,\"grad_norm\":1.25,\"lr\":{\"adam\":0.5}}\n";
  EXPECT_EQ(static_cast<size_t>(length), first.size());
  EXPECT_GT(base::read_text(metrics).size(), first.size());
  {
    MetricsLog log(metrics, timing, length, {"adam"});
    EXPECT_EQ(base::read_text(metrics), first);
    log.evaluation(1, {.loss = 1.5, .perplexity = 4.5, .bits_per_byte = 0.5});
  }
  EXPECT_EQ(
      base::read_text(metrics),
      first + "{\"step\":1,\"val_loss\":1.5,\"val_perplexity\":4.5,\"val_bits_per_byte\":0.5}\n");
  EXPECT_THROW(MetricsLog(metrics, timing, 100000, {"adam"}), base::Error);
}

}  // namespace
}  // namespace muonlab::train
