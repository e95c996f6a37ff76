// One battery for all rules.
#include <array>
#include <set>

#include <gtest/gtest.h>

#include "muonlab/base/error.hpp"
#include "muonlab/optim/rule.hpp"
#include "optim/panels.hpp"
#include "optim/rule_rows.hpp"
#include "optim/trial.hpp"
#include "support/parameters.hpp"

namespace muonlab::optim {
namespace {

class Rules : public testing::TestWithParam<Row> {
 protected:
  // Shapes with rests in every direction; a head is two rows or columns.
  std::vector<ParameterSpec> specs() const {
    std::vector<ParameterSpec> specs{matrix("v", 6, 10),
                                     matrix("o", 10, 6, Role::o),
                                     matrix("in", 33, 17, Role::ffn_in),
                                     matrix("out", 17, 33, Role::ffn_out),
                                     matrix("row", 1, 7, Role::ffn_in),
                                     matrix("column", 7, 1, Role::ffn_out),
                                     matrix("one", 1, 1, Role::ffn_in),
                                     matrix("big", 40, 96, Role::ffn_in, 1),
                                     matrix("v1", 6, 10, Role::v, 1)};
    if (!config::is_for_matrices_only(GetParam().config))
      specs.push_back({"norm", Role::norm, -1, {13}});
    return specs;
  }
  Trial setup(const config::OptimizerConfig& config) const {
    config::RunConfig run = run_with(config);
    run.model.head_dim = 2;
    return Trial(specs(), run);
  }
  Trial setup() const { return setup(GetParam().config); }

  using Trials = std::vector<std::unique_ptr<Trial>>;

  // What the owners have updated, to all.
  static void send_values(const Trials& parts) {
    int64_t end = 0;
    for (const Share& share : parts[0]->optimizer.shares()) {
      EXPECT_EQ(share.begin, end) << "shares cover the arena in its order";
      end = share.end;
      const auto of = [&](const std::unique_ptr<Trial>& trial) {
        return trial->arena.values().narrow(0, share.begin, share.end - share.begin);
      };
      for (const auto& part : parts) of(part).copy_(of(parts[static_cast<size_t>(share.owner)]));
    }
    EXPECT_EQ(end, parts[0]->arena.values().numel());
  }
  // The owners' state, collected at rank 0, is that of one process.
  static void expect_state(const Trials& parts, Trial& whole) {
    Optimizer& first = parts[0]->optimizer;
    EXPECT_THROW(first.state(), base::Error) << "it is not current before it is collected";
    for (size_t owner = 0; owner < parts.size(); ++owner) {
      const auto own = parts[owner]->optimizer.own_state();
      const auto places = first.whole_state_of(static_cast<int>(owner));
      ASSERT_EQ(own.size(), places.size());
      for (size_t i = 0; i < own.size(); ++i) at::Tensor(places[i]).copy_(own[i]);
    }
    first.whole_state_is_current();
    const auto state = first.state(), expected = whole.optimizer.state();
    ASSERT_EQ(state.size(), expected.size());
    for (size_t i = 0; i < state.size(); ++i) {
      EXPECT_EQ(state[i].name, expected[i].name);
      EXPECT_TRUE(identical(state[i].value, expected[i].value)) << state[i].name;
    }
  }
};

TEST_P(Rules, ConvergesOnAQuadratic) {
  const auto config = with(GetParam().config, [&](auto& c) {
    c.lr = GetParam().quadratic_lr;
    c.schedule = config::LinearSchedule{};
  });
  Trial s = setup(config);
  s.fill(1);
  const at::Tensor target = at::zeros_like(s.arena.values());
  for (const tensor::Parameter& p : s.arena.parameters()) {
    target.narrow(0, p.value.storage_offset(), p.value.numel()).copy_(p.grad.flatten());
  }
  const double start = (s.arena.values() - target).norm().item<double>();
  constexpr int64_t kSteps = 400;
  for (int64_t step = 1; step <= kSteps; ++step) {
    s.arena.grads().copy_(s.arena.values() - target);
    s.optimizer.step(step, kSteps);
  }
  EXPECT_LT((s.arena.values() - target).norm().item<double>(), GetParam().tolerance * start);
}

TEST_P(Rules, ZeroRateLeavesValuesAlone) {
  Trial s = setup(with(GetParam().config, [](auto& c) {
    c.lr = 0.0;
    c.decay = 0.5;
  }));
  s.fill(2);
  const at::Tensor before = s.arena.values().clone();
  for (int64_t step = 1; step <= 3; ++step) s.optimizer.step(step, 3);
  EXPECT_TRUE(identical(s.arena.values(), before));
}

TEST_P(Rules, MovesEveryParameterAndKeepsGapsZero) {
  Trial s = setup();
  s.fill(3);
  const at::Tensor before = s.arena.values().clone();
  const at::Tensor used = at::zeros_like(before);
  for (int64_t step = 1; step <= 2; ++step) s.optimizer.step(step, 2);
  for (const tensor::Parameter& p : s.arena.parameters()) {
    const int64_t at = p.value.storage_offset();
    EXPECT_TRUE(p.value.isfinite().all().item<bool>()) << p.spec.name;
    // On a sphere of one dimension there is nowhere to go.
    const bool fixed = p.value.numel() == 1 &&
                       std::visit([](const auto& c) { return c.hyperball; }, GetParam().config);
    EXPECT_EQ(identical(p.value.detach().flatten(), before.narrow(0, at, p.value.numel())), fixed)
        << p.spec.name;
    used.narrow(0, at, p.value.numel()).fill_(1);
  }
  EXPECT_EQ((s.arena.values() * (1 - used)).abs().sum().item<float>(), 0.0f);
}

TEST_P(Rules, LeavesGradientsAlone) {
  Trial s = setup();
  s.fill(4);
  const at::Tensor before = s.arena.grads().clone();
  for (int64_t step = 1; step <= 2; ++step) s.optimizer.step(step, 2);
  EXPECT_TRUE(identical(s.arena.grads(), before));
}

TEST_P(Rules, IsDeterministic) {
  Trial a = setup(), b = setup();
  for (Trial* s : {&a, &b}) {
    s->fill(5);
    for (int64_t step = 1; step <= 4; ++step) {
      s->fill_grads(100 + static_cast<uint64_t>(step));
      s->optimizer.step(step, 4);
    }
  }
  EXPECT_TRUE(identical(a.arena.values(), b.arena.values()));
}

TEST_P(Rules, GoesOnFromSavedState) {
  Trial a = setup(), b = setup();
  a.fill(6);
  const auto steps = [](Trial& s, int64_t from, int64_t to) {
    for (int64_t step = from; step <= to; ++step) {
      s.fill_grads(200 + static_cast<uint64_t>(step));
      s.optimizer.step(step, 10);
    }
  };
  steps(a, 1, 3);
  b.arena.values().copy_(a.arena.values());
  const auto saved = a.optimizer.state();
  const auto fresh = b.optimizer.state();
  ASSERT_EQ(saved.size(), fresh.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    ASSERT_EQ(saved[i].name, fresh[i].name);
    EXPECT_GT(saved[i].value.abs().max().item<float>(), 0.0f) << saved[i].name;
    at::Tensor(fresh[i].value).copy_(saved[i].value);
  }
  steps(a, 4, 6);
  steps(b, 4, 6);
  EXPECT_TRUE(identical(a.arena.values(), b.arena.values()));
}

// Several processes, each of which updates its shares: weights and state are those of one.
TEST_P(Rules, SharedOutItUpdatesToTheBytesOfOne) {
  for (const int processes : {2, 3, 4}) {
    Trial whole = setup();
    whole.fill(9);
    std::vector<std::unique_ptr<Trial>> parts;
    for (int rank = 0; rank < processes; ++rank) {
      Trial& part = *parts.emplace_back(std::make_unique<Trial>(specs(), whole.run));
      part.fill(9);
      part.optimizer.share_out(rank, processes);
    }
    for (int64_t step = 1; step <= 3; ++step) {
      whole.fill_grads(300 + static_cast<uint64_t>(step));
      whole.optimizer.step(step, 3);
      for (const auto& part : parts) {
        part->fill_grads(300 + static_cast<uint64_t>(step));
        part->optimizer.step(step, 3);
      }
      send_values(parts);
      EXPECT_TRUE(identical(parts.back()->arena.values(), whole.arena.values()));
      expect_state(parts, whole);
    }
  }
}

TEST_P(Rules, DecaysOnceByTheRateTimesDecay) {
  Trial s = setup(with(GetParam().config, [](auto& c) {
    c.lr = 0.25;
    c.decay = 0.5;
  }));
  s.fill(7, /*grad_scale=*/0.0);
  const at::Tensor before = s.arena.values().clone();
  s.optimizer.step(1, 10);
  const float keep = std::visit(
      [](const auto& c) {
        if (c.hyperball) return 1.0f;
        return c.decay_form == config::DecayForm::rate ? 0.875f : 0.96875f;
      },
      GetParam().config);
  EXPECT_TRUE(identical(s.arena.values(), before * keep));
}

TEST_P(Rules, KeepsTheMomentsThatItsConfigurationNames) {
  Trial s = setup();
  s.fill(8);
  s.optimizer.step(1, 2);
  const config::MomentNames names = config::moment_names(GetParam().config);
  const auto moments = s.optimizer.moments();
  for (const tensor::Parameter& p : s.arena.parameters()) {
    const auto found = moments.find(p.spec.name);
    const Moments own = found == moments.end() ? Moments{} : found->second;
    for (const auto& [name, value] :
         {std::pair{names.first, own.first}, std::pair{names.second, own.second}}) {
      ASSERT_EQ(value.defined(), !name.empty()) << p.spec.name;
      if (name.empty()) continue;
      EXPECT_EQ(value.sizes(), p.value.sizes());
      EXPECT_TRUE(identical(value, s.state(base::str(p.spec.name, "/", name))));
    }
    const at::Tensor age = s.state(p.spec.name + "/age");
    ASSERT_EQ(age.defined(), config::keeps_age(GetParam().config));
    if (age.defined()) {
      EXPECT_EQ(age.item<int64_t>(), 1);
    }
  }
}

TEST_P(Rules, FollowsItsOwnSchedule) {
  config::RunConfig run = run_with(with(GetParam().config, [](auto& c) {
    c.lr = 2.0;
    c.schedule = config::LinearSchedule{};
  }));
  config::ConstantSchedule warming;
  warming.warmup = 4;
  run.schedule = warming;
  const std::vector<ParameterSpec> one{matrix("v", 4, 4, Role::ffn_in)};
  Trial own(one, run);
  EXPECT_EQ(own.optimizer.learning_rates(3, 5), std::vector<double>{1.0});
  std::visit([](auto& c) { c.schedule.reset(); }, run.optimizers.at("rule"));
  Trial shared(one, run);
  EXPECT_EQ(shared.optimizer.learning_rates(3, 5), std::vector<double>{1.5});
}

INSTANTIATE_TEST_SUITE_P(All, Rules, testing::ValuesIn(kRows),
                         [](const testing::TestParamInfo<Row>& info) { return info.param.name; });

TEST(Battery, HasARowForEveryRule) {
  std::set<std::string_view> names;
  for (const Row& row : kRows) names.insert(config::rule_name(row.config));
  EXPECT_EQ(names.size(), std::variant_size_v<config::OptimizerConfig>);
}

std::vector<std::pair<int64_t, int>> ends_of_shares(Trial& trial, int processes) {
  trial.optimizer.share_out(0, processes);
  std::vector<std::pair<int64_t, int>> ends;
  for (const Share& share : trial.optimizer.shares()) ends.emplace_back(share.end, share.owner);
  return ends;
}
using Ends = std::vector<std::pair<int64_t, int>>;

TEST(SharedOut, MatricesOfMuonAreDividedByTheirCost) {
  if (!panels_available()) GTEST_SKIP() << "the products of this processor are not shared out";
  Trial trial({matrix("a", 64, 64), matrix("b", 32, 32, Role::k), matrix("c", 32, 32, Role::q),
               matrix("d", 32, 128, Role::ffn_in)},
              config::MuonConfig{});
  // In the arena's order: twice 32³, 32² · 128 = 4 · 32³, and 64³ = 8 · 32³.
  EXPECT_EQ(ends_of_shares(trial, 2), (Ends{{2 * 1024 + 4096, 0}, {2 * 1024 + 2 * 4096, 1}}));
}

TEST(SharedOut, ElementsAreDividedEvenlyAndRulesOneByOne) {
  config::RunConfig run = run_with(config::AdamWConfig{});
  run.optimizers["second"] = config::LionConfig{};
  run.assign = {{{"embed"}, "rule"}, {{"all"}, "second"}};
  Trial trial({matrix("e", 100, 8, Role::embed), {"norm", Role::norm, -1, {130}}}, run);
  EXPECT_EQ(ends_of_shares(trial, 3), (Ends{{256, 0}, {512, 1}, {800, 2}, {864, 1}, {944, 2}}));
}

TEST(SharedOut, AProcessKeepsTheStateOfItsSharesAlone) {
  Trial trial({matrix("e", 64, 8, Role::embed)}, config::AdamWConfig{});
  trial.optimizer.share_out(1, 2);
  int64_t values = 0;
  for (const at::Tensor& state : trial.optimizer.own_state()) values += state.numel();
  EXPECT_EQ(values, 64 * 8 + 1) << "half of two moments, and their age";
  EXPECT_THROW(trial.optimizer.state(), base::Error);
}

// What other devices run, here on the CPU.
TEST(ComposedUpdate, EqualsTheKernels) {
  config::RunConfig run = run_with(config::MuonConfig{});
  run.model.head_dim = 4;
  const auto muon_rule = [&](bool nesterov, config::Orthogonalizer orthogonalizer, bool per_head) {
    config::MuonConfig c = muon(orthogonalizer, automatic, average, nesterov, per_head);
    c.scale = config::MuonScale::ratio;
    c.decay = 0.1;
    return c;
  };
  const std::vector<config::OptimizerConfig> configs{
      muon_rule(false, keller, false),
      muon_rule(true, you, true),
      muon_rule(true, svd, false),
      with(AdamWConfig{}, [](auto& c) { c.decay = 0.1; }),
      with(muon_rule(true, you, true),
           [](auto& c) {
             if constexpr (requires { c.order; }) c.order = config::PolarOrder::after;
           }),
      with(muon_rule(true, you, false),
           [](auto& c) {
             if constexpr (requires { c.order; }) c.order = config::PolarOrder::none;
           }),
      config::NorMuonConfig{},
      config::AdaMuonConfig{},
      config::Dion2Config{},
      config::ScionConfig{},
      with(config::SoapConfig{}, [](auto& c) { c.max_side = 10; }),
      config::EmberConfig{}};
  const std::vector<Member> members{{matrix("v", 8, 20), 0}, {matrix("o", 20, 8, Role::o), 160}};
  for (const config::OptimizerConfig& config : configs) {
    std::vector<at::Tensor> results;
    for (const bool composed : {false, true}) {
      const Range range{.values = support::normal({320}, 1),
                        .grads = support::normal({320}, 2),
                        .members = members,
                        .composed = composed,
                        .ages = at::tensor({0, 7}, at::kLong)};
      const auto rule = make_rule(config, range, run);
      for (int64_t step = 1; step <= 3; ++step) {
        range.ages.add_(1);
        rule->update({.lr = 0.1, .step = step, .num_steps = 3});
        range.grads.copy_(support::normal({320}, 2 + static_cast<uint64_t>(step)));
      }
      results.push_back(range.values);
    }
    EXPECT_LT(relative_error(results[1], results[0]), 1e-5);
  }
}

TEST(Range, IsCutWhereTheAgeChanges) {
  const auto cuts = [](const std::vector<int64_t>& ages) {
    Range range{.values = at::zeros({100}), .grads = {}, .members = {}};
    for (size_t i = 0; i < ages.size(); ++i)
      range.members.push_back({matrix("p", 3, 5), static_cast<int64_t>(16 * i)});
    range.ages = at::tensor(ages, at::kLong);
    std::vector<std::array<int64_t, 3>> result;
    for (const Segment& s : range.segments()) result.push_back({s.begin, s.end, s.age});
    return result;
  };
  using Cuts = std::vector<std::array<int64_t, 3>>;
  EXPECT_EQ(cuts({4, 4, 4}), (Cuts{{0, 100, 4}}));
  EXPECT_EQ(cuts({4, 1, 1, 4}), (Cuts{{0, 16, 4}, {16, 48, 1}, {48, 100, 4}}));
  EXPECT_EQ(cuts({1, 2, 1}), (Cuts{{0, 16, 1}, {16, 32, 2}, {32, 100, 1}}));
}

TEST(AdamW, SameBytesForAnyNumberOfThreads) {
  const std::vector<ParameterSpec> specs{matrix("a", 333, 101, Role::embed),
                                         {"n", Role::norm, -1, {1001}}};
  std::vector<at::Tensor> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    Trial s(specs, with(AdamWConfig{}, [](auto& c) { c.decay = 0.1; }));
    s.fill(8);
    for (int64_t step = 1; step <= 3; ++step) s.optimizer.step(step, 3);
    results.push_back(s.arena.values().clone());
  }
  EXPECT_TRUE(identical(results[0], results[1]));
  EXPECT_TRUE(identical(results[0], results[2]));
}

TEST(AdamW, WithoutEpsilonAZeroGradientMovesNothing) {
  Trial s({matrix("a", 3, 5, Role::embed)}, with(AdamWConfig{}, [](auto& c) { c.eps = 0.0; }));
  s.fill(9, 0.0);
  const at::Tensor before = s.arena.values().clone();
  s.optimizer.step(1, 2);
  EXPECT_TRUE(identical(s.arena.values(), before));
}

}  // namespace
}  // namespace muonlab::optim
