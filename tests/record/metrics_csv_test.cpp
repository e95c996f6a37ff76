#include "muonlab/record/metrics_csv.hpp"

#include <gtest/gtest.h>

#include "base/temporary_folder.hpp"

namespace muonlab::record {
namespace {

TEST(MetricsCsv, AStepIsARowAndRepeatedLinesCountOnce) {
  const base::TemporaryFolder folder;
  const RunFolder run(folder.path());
  base::write_atomically(run.metrics(),
                         "{\"step\":0,\"val_loss\":6}\n"
                         "{\"step\":1,\"loss\":5,\"lr\":{\"adam\":0.001}}\n"
                         "{\"step\":2,\"loss\":4.5,\"lr\":{\"adam\":0.002}}\n"
                         "{\"step\":2,\"val_loss\":4.25,\"sets\":{\"a,b\":{\"val_loss\":null}}}\n"
                         "{\"step\":3,\"lo");
  base::write_atomically(run.timing(),
                         "{\"step\":1,\"tokens_per_s\":10}\n{\"step\":2,\"tokens_per_s\":11}\n"
                         "{\"step\":1,\"tokens_per_s\":12}\n");
  EXPECT_EQ(metrics_csv(run, "metrics"),
            "step,val_loss,loss,lr.adam,tokens_per_s,\"sets.a,b.val_loss\"\n"
            "0,6,,,,\n"
            "1,,5,0.001,12,\n"
            "2,4.25,4.5,0.002,11,\n");
}

TEST(MetricsCsv, AProbesLinesAreRowsAndTextsAreQuoted) {
  const base::TemporaryFolder folder;
  const RunFolder run(folder.path());
  base::write_atomically(run.probe("spectra"),
                         "{\"step\":1,\"name\":\"a \\\"b\\\", "
                         "c\",\"role\":\"v\",\"rms\":1,\"histogram\":{\"counts\":[1,2],"
                         "\"min\":0}}\n"
                         "{\"step\":1,\"name\":\"d\",\"role\":\"v\",\"rms\":2}\n"
                         "{\"step\":1,\"name\":\"d\",\"role\":\"v\",\"rms\":3}\n");
  EXPECT_EQ(metrics_csv(run, "spectra"),
            "step,name,role,rms,histogram.min\n"
            "1,\"a \"\"b\"\", c\",v,1,0\n"
            "1,d,v,3,\n");
  EXPECT_NE(
      base::error_of([&] { metrics_csv(run, "tail"); }).find("records no tail; it has: spectra"),
      std::string::npos);
  EXPECT_NE(base::error_of([&] { metrics_csv(run, "../x"); }).find("records no"),
            std::string::npos);
}

}  // namespace
}  // namespace muonlab::record
