// SPDX-License-Identifier: Apache-2.0
// Random rule sets and packets: the programs decide and count as the plain model does.
#include <gtest/gtest.h>

#include <map>

#include "guard_kernel.hpp"
#include "guard_samples.hpp"
#include "harness/netns.hpp"

namespace sonde::test {
namespace {

constexpr std::uint64_t seed = 20'261'121;

/// What the rules' counters must show.
struct Expected {
  std::map<std::size_t, GuardCount> counts, limited;

  void add(const guard::GuardDecision& decision, std::size_t bytes) {
    const auto count = [&](auto& counts_of, std::size_t rule) {
      counts_of[rule].packets += 1;
      counts_of[rule].bytes += bytes;
    };
    if (decision.rule) count(counts, *decision.rule);
    if (decision.outcome == SONDE_GUARD_DROPPED_LIMIT) count(limited, *decision.rule);
    for (const auto rule : decision.dry_run) count(counts, rule);
    for (const auto rule : decision.dry_run_limited) count(limited, rule);
  }
};

std::string describe_case(const std::vector<GuardRule>& rules, const Bytes& frame, const char* program) {
  std::string text = std::string(program) + " " + hex(frame);
  for (std::size_t i = 0; i < rules.size(); ++i) text += "\n" + std::to_string(i) + ": " + describe(rules[i]);
  return text;
}

void check_counters(const GuardKernel& kernel, const std::vector<GuardRule>& rules, const Expected& expected) {
  const auto view = kernel.view();
  for (std::uint32_t rule = 0; rule < rules.size(); ++rule) {
    const auto at = [&](const auto& counts) { return counts.contains(rule) ? counts.at(rule) : GuardCount{}; };
    EXPECT_EQ(view.count(rule).packets, at(expected.counts).packets) << describe(rules[rule]);
    EXPECT_EQ(view.count(rule).bytes, at(expected.counts).bytes) << describe(rules[rule]);
    EXPECT_EQ(view.limited(rule).packets, at(expected.limited).packets) << describe(rules[rule]);
    EXPECT_EQ(view.limited(rule).bytes, at(expected.limited).bytes) << describe(rules[rule]);
  }
}

struct Hook {
  const char* program;
  GuardDirection direction;
  bool takes_short_packets;
};
// tc refuses packets that are too short for the IP header that their EtherType promises.
constexpr std::array<Hook, 3> hooks{{{"guard_xdp", GuardDirection::in, true},
                                     {"guard_ingress", GuardDirection::in, false},
                                     {"guard_egress", GuardDirection::out, false}}};

bool too_short_for_tc(const Bytes& frame) {
  if (frame.size() <= 14) return true;
  const int type = frame[12] << 8 | frame[13];
  return (type == ether_ipv4 && frame.size() < 34) || (type == ether_ipv6 && frame.size() < 54);
}

void compare(std::size_t rule_sets, std::size_t packets, std::size_t most_rules, std::uint64_t from) {
  const NetworkNamespace net;
  std::map<int, std::size_t> seen;
  net.call([&] {
    GuardKernel kernel;
    GuardSamples samples(from);
    for (std::size_t set = 0; set < rule_sets && !testing::Test::HasFailure(); ++set) {
      const auto now = test_now_wall_ns();
      const auto rules = samples.rules(most_rules, false, now);
      kernel.install(rules);
      Expected expected;
      for (std::size_t i = 0; i < packets && !testing::Test::HasFailure(); ++i) {
        const auto frame = samples.packet();
        const auto& hook = hooks[i % hooks.size()];
        if (!hook.takes_short_packets && too_short_for_tc(frame)) continue;
        const auto wanted = guard::decide(rules, guard::parse_guard_packet(frame, hook.direction), now);
        const auto got = kernel.run(hook.program, frame);
        EXPECT_STREQ(guard::outcome_name(got.outcome), guard::outcome_name(wanted.outcome))
            << describe_case(rules, frame, hook.program);
        EXPECT_EQ(got.dropped, wanted.dropped) << describe_case(rules, frame, hook.program);
        expected.add(wanted, frame.size());
        ++seen[wanted.outcome];
      }
      check_counters(kernel, rules, expected);
    }
  });
  for (const auto& [outcome, times] : seen)
    std::printf("%s: %zu\n", guard::outcome_name(static_cast<sonde_guard_outcome>(outcome)), times);
}

TEST(GuardProperty, SmallRuleSets) { compare(2'500, 8, 12, seed); }
TEST(GuardProperty, LargeRuleSets) { compare(60, 60, 800, seed + 1); }

/// Four of each packet, by the kernel and by the model. False: it took so long that rates were refilled.
bool compare_limits(GuardKernel& kernel, const std::vector<GuardRule>& rules, GuardSamples& samples,
                    std::size_t& dropped) {
  constexpr std::int64_t most_ns = 900'000'000;  // of the second that a packet takes
  const auto now = test_now_wall_ns();
  guard::LimitState limits;
  Expected expected;
  std::vector<std::pair<guard::GuardDecision, GuardRun>> outcomes;
  std::vector<Bytes> frames;
  for (std::size_t i = 0; i < 8; ++i) {
    frames.push_back(samples.packet());
    const auto packet = guard::parse_guard_packet(frames.back(), GuardDirection::in);
    for (int copy = 0; copy < 4; ++copy) {
      outcomes.emplace_back(guard::decide(rules, packet, now, &limits), kernel.run("guard_xdp", frames.back()));
      expected.add(outcomes.back().first, frames.back().size());
      if (outcomes.back().first.outcome == SONDE_GUARD_DROPPED_LIMIT) ++dropped;
    }
  }
  if (test_now_wall_ns() - now > most_ns) return false;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_STREQ(guard::outcome_name(outcomes[i].second.outcome), guard::outcome_name(outcomes[i].first.outcome))
        << describe_case(rules, frames[i / 4], "guard_xdp");
  check_counters(kernel, rules, expected);
  return true;
}

// A rate of one packet a second: within a test, only the burst passes.
TEST(GuardProperty, Limits) {
  const NetworkNamespace net;
  std::size_t dropped = 0, compared = 0;
  net.call([&] {
    GuardKernel kernel;
    GuardSamples samples(seed + 2);
    std::uint64_t id = 1;
    for (std::size_t set = 0; set < 300 && !testing::Test::HasFailure(); ++set) {
      auto rules = samples.rules(10, true, test_now_wall_ns());
      for (auto& rule : rules) rule.id = id++;
      kernel.install(rules);
      if (compare_limits(kernel, rules, samples, dropped)) ++compared;
    }
  });
  EXPECT_GT(dropped, 100U);
  EXPECT_GT(compared, 250U);
}

}  // namespace
}  // namespace sonde::test
