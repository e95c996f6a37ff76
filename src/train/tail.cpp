#include "muonlab/train/tail.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "muonlab/base/error.hpp"
#include "muonlab/base/non_finite.hpp"
#include "muonlab/data/biographies.hpp"

namespace muonlab::train {
namespace {

// of a batch; about a fifth of them are answers, and only these have logits
constexpr size_t kTokensAtATime = 2048;

struct Sum {
  int64_t questions = 0, first = 0, exact = 0, tokens = 0;
  double nats = 0;

  TailScore score() const {
    const auto share = [](double part, int64_t of) {
      return of == 0 ? 0.0 : part / static_cast<double>(of);
    };
    return {questions, share(static_cast<double>(first), questions),
            share(static_cast<double>(exact), questions), share(nats, tokens)};
  }
};

std::vector<TailScore> scores(const std::vector<Sum>& sums) {
  std::vector<TailScore> result;
  for (const Sum& sum : sums) result.push_back(sum.score());
  return result;
}

}  // namespace

struct TailExam::Sums {
  std::vector<Sum> groups, attributes;
};

TailExam::TailExam(const std::vector<data::Question>& questions, const data::Tokenizer& tokenizer,
                   int64_t context) {
  for (const data::Question& question : questions) {
    Asked asked{{tokenizer.end_of_text()}, 0, question.group, question.attribute};
    // The question ends at a border of pretokens, so its ids begin those of the whole document.
    for (const std::string& part : {question.text, " " + question.answer + "."}) {
      asked.prompt = static_cast<int64_t>(asked.ids.size());
      const std::vector<int32_t> ids =
          asked.prompt == 1 ? tokenizer.encode(part) : tokenizer.encode_rest(part);
      asked.ids.insert(asked.ids.end(), ids.begin(), ids.end());
    }
    num_groups_ = std::max(num_groups_, asked.group + 1);
    num_attributes_ = std::max(num_attributes_, asked.attribute + 1);
    asked_.push_back(std::move(asked));
  }
  std::stable_sort(asked_.begin(), asked_.end(),
                   [](const Asked& a, const Asked& b) { return a.ids.size() < b.ids.size(); });
  if (!asked_.empty() && static_cast<int64_t>(asked_.back().ids.size()) > context) {
    throw base::Error("the longest question takes ", asked_.back().ids.size(),
                      " tokens with its answer, more than model.context, ", context,
                      "; raise model.context or take a larger data.tokenizer.vocabulary");
  }
}

TailResult TailExam::take(model::Model& model, at::Device device) const {
  at::NoGradGuard no_grad;
  Sums sums{std::vector<Sum>(static_cast<size_t>(num_groups_)),
            std::vector<Sum>(static_cast<size_t>(num_attributes_))};
  for (size_t first = 0; first < asked_.size();) {
    // The last of a batch is its longest; one more question must not make it too large.
    size_t count = 1;
    while (first + count < asked_.size() &&
           (count + 1) * asked_[first + count].ids.size() <= kTokensAtATime)
      ++count;
    take_batch(model, device, first, count, sums);
    first += count;
  }
  return {scores(sums.groups), scores(sums.attributes)};
}

void TailExam::take_batch(model::Model& model, at::Device device, size_t first, size_t count,
                          Sums& sums) const {
  const auto length = static_cast<int64_t>(asked_[first + count - 1].ids.size()) - 1;
  // Causal attention: what stands after a question's last id is never seen by it.
  const at::Tensor tokens_bt = at::zeros({static_cast<int64_t>(count), length}, at::kLong);
  std::vector<int64_t> places, targets;
  for (size_t row = 0; row < count; ++row) {
    const Asked& asked = asked_[first + row];
    const int64_t start = static_cast<int64_t>(row) * length;
    std::copy(asked.ids.begin(), asked.ids.end() - 1,
              tokens_bt.mutable_data_ptr<int64_t>() + start);
    for (auto i = asked.prompt; i < static_cast<int64_t>(asked.ids.size()); ++i) {
      places.push_back(start + i - 1);
      targets.push_back(asked.ids[static_cast<size_t>(i)]);
    }
  }
  const at::Tensor targets_n = at::tensor(targets, at::kLong).to(device);
  const at::Tensor logits_nv =
      model.logits_at(tokens_bt.to(device), at::tensor(places, at::kLong).to(device));
  const at::Tensor right_n = logits_nv.argmax(-1).eq(targets_n).cpu();
  const at::Tensor losses_n =
      (logits_nv.logsumexp(-1) - logits_nv.gather(1, targets_n.unsqueeze(1)).squeeze(1))
          .to(at::kDouble)
          .cpu();
  if (!losses_n.isfinite().all().item<bool>()) {
    throw base::NonFinite(
        "the exam of rare facts: the model's logits are not finite; take an earlier checkpoint");
  }
  const bool* right = right_n.const_data_ptr<bool>();
  const double* loss = losses_n.const_data_ptr<double>();
  for (size_t row = 0; row < count; ++row) {
    const Asked& asked = asked_[first + row];
    const auto tokens = static_cast<int64_t>(asked.ids.size()) - asked.prompt;
    for (Sum* sum : {&sums.groups[static_cast<size_t>(asked.group)],
                     &sums.attributes[static_cast<size_t>(asked.attribute)]}) {
      ++sum->questions;
      sum->first += right[0];
      sum->exact += std::all_of(right, right + tokens, [](bool is_right) { return is_right; });
      sum->tokens += tokens;
      for (int64_t i = 0; i < tokens; ++i) sum->nats += loss[i];
    }
    right += tokens;
    loss += tokens;
  }
}

std::vector<std::string> tail_lines(const TailResult& result, int64_t step,
                                    const std::string& checkpoint) {
  std::vector<std::string> lines;
  const auto add = [&](const char* key, const nlohmann::ordered_json& value,
                       const TailScore& score) {
    if (score.questions == 0) return;
    nlohmann::ordered_json line;
    if (!checkpoint.empty()) line["checkpoint"] = checkpoint;
    line.update({{"step", step},
                 {key, value},
                 {"questions", score.questions},
                 {"first_token_accuracy", score.first_token_accuracy},
                 {"exact_accuracy", score.exact_accuracy},
                 {"loss", score.loss}});
    lines.push_back(line.dump());
  };
  for (size_t g = 0; g < result.groups.size(); ++g) add("group", g, result.groups[g]);
  for (size_t a = 0; a < result.attributes.size(); ++a) {
    add("attribute", data::kAttributeNames.at(a), result.attributes[a]);
  }
  return lines;
}

}  // namespace muonlab::train
