#include "data/shard_dataset.hpp"
#include "muonlab/data/biographies.hpp"
#include "muonlab/data/corpus.hpp"

namespace muonlab::data {

Dataset open_dataset(const config::DataConfig& config, int64_t context, int64_t seed) {
  struct Open {
    int64_t context, seed;
    Dataset operator()(const config::BiographiesConfig& c) const {
      return open_biographies(c, context, seed);
    }
    Dataset operator()(const config::ShardsConfig& c) const {
      return open_shards(c, context, seed);
    }
  };
  return std::visit(Open{context, seed}, config);
}

}  // namespace muonlab::data
