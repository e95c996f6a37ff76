#include "muonlab/train/foreign_weights.hpp"

#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/base/text.hpp"
#include "muonlab/store/finite.hpp"
#include "muonlab/store/weight_files.hpp"
#include "muonlab/tensor/bytes.hpp"

namespace muonlab::train {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += base::str(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

// rows [r, w] as [wanted, w].
at::Tensor with_rows(const at::Tensor& rows, int64_t wanted) {
  const int64_t there = rows.size(0);
  if (wanted <= there) return rows.narrow(0, 0, wanted);
  const at::Tensor mean = rows.to(at::kDouble).mean(0, /*keepdim=*/true).to(at::kFloat);
  return at::cat({rows, mean.expand({wanted - there, rows.size(1)})});
}

class Loader {
 public:
  Loader(const std::string& folder, const config::ModelConfig& model, bool resize_vocabulary,
         bool gains_less_one, tensor::Arena& arena)
      : folder_(folder),
        model_(model),
        resize_(resize_vocabulary),
        gains_less_one_(gains_less_one) {
    for (tensor::Parameter& parameter : arena.parameters())
      targets_.emplace(parameter.spec.name, parameter.value.detach());
  }

  ForeignWeights load() {
    store::each_weight(folder_, [this](const store::TensorView& view, const std::string& path) {
      take(view, path);
    });
    finish();
    return std::move(result_);
  }

 private:
  void take(const store::TensorView& view, const std::string& path) {
    // Tables that old versions of transformers stored; they follow from the configuration.
    if (view.name.ends_with(".rotary_emb.inv_freq")) return;
    const std::string where = base::str(path, ": tensor \"", base::clip_text(view.name, 80), "\"");
    if (view.dtype != "F32" && view.dtype != "BF16" && view.dtype != "F16" && view.dtype != "F64") {
      throw base::Error(where, " is ", view.dtype, "; weights of F32, BF16, F16 and F64 are read. ",
                        "Save the model there in one of these");
    }
    if (!store::all_finite(view)) {
      throw base::NonFinite(where, " holds values that are not finite; take another model");
    }
    ++result_.tensors_of_dtype[view.dtype];
    const at::Tensor value = tensor::to_tensor(view).to(at::kFloat);
    if (is_unit_gain(view.name)) return require_ones(value, where);
    if (model_.tied && view.name == kHead) {
      head_ = value;
      head_place_ = where;
      return;
    }
    const auto target = targets_.find(view.name);
    if (target == targets_.end()) {
      throw base::Error(where, " belongs to no parameter of the model that config.json describes; ",
                        "muonlab would compute something else with the rest");
    }
    const bool is_gain = value.dim() == 1 && view.name.ends_with("norm.weight");
    copy(is_gain && gains_less_one_ ? value + 1.0 : value, target->second, view.name, where);
    targets_.erase(target);
  }

  // A model without gains in its QK-norm is stored as a Qwen3 whose gains are ones.
  bool is_unit_gain(const std::string& name) const {
    return model_.qk_norm == config::QkNorm::no_gain &&
           (name.ends_with(".self_attn.q_norm.weight") ||
            name.ends_with(".self_attn.k_norm.weight"));
  }

  static void require_ones(const at::Tensor& gain, const std::string& where) {
    if (at::all(gain == 1).item<bool>()) return;
    throw base::Error(where, " was trained since, but the section \"muonlab\" of config.json says ",
                      "that qk_norm has no gain. Set its qk_norm to \"gain\"");
  }

  void copy(const at::Tensor& value, at::Tensor target, const std::string& name,
            const std::string& where) {
    const bool is_rows = (name == kEmbedding || name == kHead) && value.dim() == 2 &&
                         value.size(1) == target.size(1);
    if (name == kEmbedding) embedding_ = value;
    if (is_rows && resize_) {
      result_.added_rows = target.size(0) - value.size(0);
      target.copy_(with_rows(value, target.size(0)));
      return;
    }
    if (value.sizes() != target.sizes()) {
      throw base::Error(where, " is ", shape_text(value.sizes()), ", expected ",
                        shape_text(target.sizes()),
                        is_rows ? "; set init.resize_vocabulary to cut or add rows" : "");
    }
    target.copy_(value);
  }

  void finish() {
    if (targets_.empty()) {
      if (!head_.defined() || at::equal(head_, embedding_)) return;
      throw base::Error(head_place_, " differs from the embedding, but tie_word_embeddings of ",
                        "config.json is true; set it to false if the model has a head of its own");
    }
    const bool only_head = targets_.size() == 1 && targets_.begin()->first == kHead;
    throw base::Error(folder_, ": holds no tensor \"", targets_.begin()->first, "\"",
                      targets_.size() == 1 ? "" : base::str(" (", targets_.size(), " are missing)"),
                      only_head ? "; if the model's head is its embedding, tie_word_embeddings of "
                                  "config.json must be true"
                                : ", which the model of its config.json has");
  }

  const std::string& folder_;
  const config::ModelConfig& model_;
  bool resize_, gains_less_one_;
  std::map<std::string, at::Tensor> targets_;  // not yet read
  at::Tensor embedding_, head_;                // as stored; the head of a tied model
  std::string head_place_;
  ForeignWeights result_;
};

}  // namespace

std::string ForeignWeights::description() const {
  int64_t count = 0;
  std::string types;
  for (const auto& [type, number] : tensors_of_dtype) {
    count += number;
    types += ", " + type;
  }
  std::string text = base::str(count, " tensors", types);
  if (added_rows > 0) text += base::str(", ", added_rows, " rows of the vocabulary added");
  if (added_rows < 0) text += base::str(", ", -added_rows, " rows of the vocabulary cut off");
  return text;
}

ForeignWeights load_foreign_weights(const std::string& folder, const config::ModelConfig& model,
                                    bool resize_vocabulary, bool gains_less_one,
                                    tensor::Arena& arena) {
  const at::NoGradGuard no_grad;
  return Loader(folder, model, resize_vocabulary, gains_less_one, arena).load();
}

}  // namespace muonlab::train
