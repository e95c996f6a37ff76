#include "muonlab/record/event_file.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"
#include "muonlab/record/tensorboard.hpp"

namespace muonlab::record {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[static_cast<uint8_t>(byte) >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

TEST(EventFile, ChecksumsAreThoseOfRfc3720) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

// The bytes that torch.utils.tensorboard writes for the same events (scripts/interop checks this
// with the library itself).
TEST(EventFile, ItsBytesAreThoseOfTheFormat) {
  const base::TemporaryFolder folder;
  {
    EventFile file(folder / "f", -1);
    const std::vector<EventValue> values{{"loss/train", 1.5}};
    file.add(300, 2.0, values);
  }
  const std::string bytes = base::read_text(folder / "f");
  ASSERT_EQ(bytes.size(), 40u + 16 + 9 + 3 + 2 + 19);
  // length 24, its checksum; wall time 0, file_version
  EXPECT_EQ(hex(bytes.substr(0, 8)), "1800000000000000");
  EXPECT_EQ(hex(bytes.substr(12, 24)), "0900000000000000001a0d" + hex("brain.Event:2"));
  // wall time 2, step 300, summary {value {tag "loss/train" simple_value 1.5}}
  EXPECT_EQ(hex(bytes.substr(52, 33)),
            "09000000000000004010ac022a130a110a0a" + hex("loss/train") + "150000c03f");
}

std::string record_of(int64_t step) {
  const base::TemporaryFolder folder;
  EventFile file(folder / "f", -1);
  const uint64_t header = base::read_text(folder / "f").size();
  const std::vector<EventValue> values{{"a", static_cast<double>(step)}};
  file.add(step, 1.0, values);
  return base::read_text(folder / "f").substr(header);
}

TEST(EventFile, AResumeKeepsWholeRecordsUpToItsStep) {
  const base::TemporaryFolder folder;
  const std::string path = folder / "f";
  std::string head;
  {
    EventFile file(path, -1);
    head = base::read_text(path);
    for (const int64_t step : {0, 1, 2, 130, 131}) {
      const std::vector<EventValue> values{{"a", static_cast<double>(step)}};
      file.add(step, 1.0, values);
    }
  }
  const std::string whole = base::read_text(path);
  EXPECT_EQ(whole,
            head + record_of(0) + record_of(1) + record_of(2) + record_of(130) + record_of(131));
  const auto kept = [&](const std::string& bytes, int64_t step) {
    base::write_atomically(path, bytes);
    const EventFile file(path, step);
    return std::pair(base::read_text(path), file.last_step());
  };
  EXPECT_EQ(kept(whole, 131), std::pair(whole, int64_t{131}));
  EXPECT_EQ(
      kept(whole, 130),
      std::pair(head + record_of(0) + record_of(1) + record_of(2) + record_of(130), int64_t{130}));
  EXPECT_EQ(kept(whole, 2),
            std::pair(head + record_of(0) + record_of(1) + record_of(2), int64_t{2}));
  EXPECT_EQ(kept(whole, 0), std::pair(head + record_of(0), int64_t{0}));
  EXPECT_EQ(kept(whole, -1), std::pair(head, int64_t{-1}));
  // A kill in the middle of a record, at each of its bytes.
  for (size_t cut = whole.size() - record_of(131).size(); cut < whole.size(); ++cut) {
    EXPECT_EQ(kept(whole.substr(0, cut), 131).second, 130) << cut;
  }
  // A damaged record ends what can be kept.
  std::string damaged = whole;
  damaged[head.size() + record_of(0).size() + 14] ^= 1;
  EXPECT_EQ(kept(damaged, 131), std::pair(head + record_of(0), int64_t{0}));
  EXPECT_EQ(kept("no event file", 131), std::pair(head, int64_t{-1}));
}

std::vector<std::string> tags(const std::string& source, const char* line) {
  std::vector<std::string> names;
  for (const EventValue& value : event_values(source, nlohmann::json::parse(line)))
    names.push_back(value.tag);
  return names;
}

TEST(TensorBoard, LinesBecomeValuesWithNames) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(tags("metrics", R"({"step":1,"tokens":8,"loss":2.5,"grad_norm":1,"lr":{"adam":0.1}})"),
            (Names{"train/grad_norm", "loss/train", "learning_rate/adam", "train/tokens"}));
  EXPECT_EQ(
      tags("metrics", R"({"step":1,"val_loss":2.5,"val_perplexity":12,"val_bits_per_byte":null,
                              "sets":{"code":{"val_loss":1}}})"),
      (Names{"loss/validation", "perplexity/validation", "loss/validation_code"}));
  EXPECT_EQ(tags("timing", R"({"step":1,"tokens_per_s":10})"), (Names{"machine/tokens_per_s"}));
  EXPECT_EQ(tags("spectra", R"({"step":1,"name":"x","role":"v","layer":3,"of":"weight","entropy":1,
                              "condition":null})"),
            (Names{"weight_entropy/layer_03_v"}));
  EXPECT_EQ(tags("spectra", R"({"step":1,"role":"embed","layer":-1,"of":"weight","rms":1})"),
            (Names{"weight_rms/embed"}));
  EXPECT_EQ(tags("tail", R"({"step":1,"group":3,"loss":1})"), (Names{"tail_loss/group_03"}));
  EXPECT_EQ(tags("sharpness", R"({"step":1,"of":"update","loss":1})"), (Names{"update/loss"}));
}

TEST(TensorBoard, HistogramsHaveEqualParts) {
  const std::vector<EventValue> values =
      event_values("spectra", nlohmann::json::parse(R"({"step":1,"role":"q","layer":0,"of":"weight",
        "histogram":{"min":1,"max":3,"sum":5,"sum_squares":11,"counts":[2,0,1,1]}})"));
  ASSERT_EQ(values.size(), 1u);
  EXPECT_EQ(values[0].tag, "weight_singular_values/layer_00_q");
  const auto& histogram = std::get<EventHistogram>(values[0].value);
  EXPECT_EQ(histogram.limits, (std::vector<double>{1.5, 2, 2.5, 3}));
  EXPECT_EQ(histogram.counts, (std::vector<double>{2, 0, 1, 1}));
  EXPECT_EQ(histogram.num, 4);
  EXPECT_EQ(histogram.max, 3);
}

class Followed : public ::testing::Test {
 protected:
  void append(const char* name, const std::string& text) {
    const auto file = base::real_file_system().append(folder_ / name);
    file->write_text(text);
  }
  size_t events() {
    const std::string bytes = base::read_text(RunFolder(folder_.path()).events());
    size_t count = 0;
    for (size_t at = 0; at < bytes.size(); ++count) {
      uint64_t length;
      std::memcpy(&length, bytes.data() + at, 8);
      at += length + 16;
    }
    return count - 1;  // less the first, which names the version
  }
  base::TemporaryFolder folder_;
};

TEST_F(Followed, LinesComeOnceAlsoWhenTheSettingComesAtAResume) {
  const RunFolder run(folder_.path());
  append("metrics.jsonl", "{\"step\":0,\"val_loss\":3}\n{\"step\":1,\"loss\":2}\n");
  append("timing.jsonl",
         "{\"step\":1,\"tokens_per_s\":5}\n{\"step\":2,\"tokens_per_s\":6}\n"
         "{\"step\":1,\"tokens_per_s\":7}\n");
  {
    TensorBoardLog log(run, {"metrics", "timing"}, 1);
    EXPECT_EQ(events(), 3u);  // steps 0 and 1, and the time of step 1 once
    log.catch_up();
    EXPECT_EQ(events(), 3u);
    append("metrics.jsonl", "{\"step\":2,\"loss\":2}\n{\"step\":3,");
    log.catch_up();
    EXPECT_EQ(events(), 4u);
    append("metrics.jsonl", "\"loss\":1}\n");
    log.catch_up();
    EXPECT_EQ(events(), 5u);
  }
  // The run resumes at step 2.
  const std::string before = base::read_text(run.events());
  base::write_atomically(run.metrics(),
                         "{\"step\":0,\"val_loss\":3}\n{\"step\":1,\"loss\":2}\n"
                         "{\"step\":2,\"loss\":2}\n");
  TensorBoardLog log(run, {"metrics", "timing"}, 2);
  EXPECT_EQ(events(), 4u);
  append("metrics.jsonl", "{\"step\":3,\"loss\":1}\n");
  log.catch_up();
  EXPECT_EQ(events(), 5u);
  EXPECT_EQ(base::read_text(run.events()).size(), before.size());
}

}  // namespace
}  // namespace muonlab::record
