// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/route/upstreams.hpp"

#include <algorithm>
#include <tuple>

namespace sonde::proxy {
namespace {

auto numbers(const ProxyHealthCheck& check) {
  return std::tuple(check.interval, check.timeout, check.rise, check.fall);
}

bool checks(const ProxyHealthCheck& check) { return check.interval.count() > 0; }

}  // namespace

UpstreamGroup::UpstreamGroup(std::vector<ProxyUpstream> upstreams, ProxyBalance balance, ProxyHealthCheck check,
                             const UpstreamGroup* before)
    : upstreams_(std::move(upstreams)),
      balance_(balance),
      check_(check),
      states_(std::make_unique<State[]>(upstreams_.size())) {
  for (std::size_t i = 0; i < upstreams_.size(); ++i) {
    const State* kept = nullptr;
    for (std::size_t j = 0; before != nullptr && j < before->size(); ++j)
      if (before->upstreams_[j] == upstreams_[i]) kept = &before->states_[j];
    states_[i].connections = kept != nullptr ? kept->connections : std::make_shared<std::atomic<std::int64_t>>(0);
    // Nobody would ever find out that an upstream is up again if nobody checks.
    if (kept != nullptr && checks(check_) && checks(before->check_)) states_[i].up.store(kept->up.load());
  }
}

bool UpstreamGroup::same_as(const std::vector<ProxyUpstream>& upstreams, ProxyBalance balance,
                            const ProxyHealthCheck& check) const {
  return upstreams == upstreams_ && balance == balance_ && numbers(check) == numbers(check_);
}

std::vector<std::size_t> UpstreamGroup::order(bool and_down) {
  std::vector<std::size_t> order;
  std::vector<std::size_t> down;
  order.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) (up(i) ? order : down).push_back(i);
  // Turns are taken among those that are up: else the one behind a dead one would get its share too.
  const auto turn = turn_.fetch_add(1, std::memory_order_relaxed);
  if (!order.empty()) std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(turn % order.size()));
  if (balance_ == ProxyBalance::least_connections) {
    // Other threads change the numbers meanwhile, so they are read once. Equals keep the order of their turns.
    std::vector<std::int64_t> counts(size());
    for (const auto index : order) counts[index] = connections(index);
    std::ranges::stable_sort(order, {}, [&](std::size_t index) { return counts[index]; });
  }
  if (and_down) order.insert(order.end(), down.begin(), down.end());
  return order;
}

bool UpstreamGroup::checked(std::size_t index, bool alive) {
  auto& state = states_[index];
  if (state.up.load() == alive) {
    state.in_a_row.store(0);
    return false;
  }
  if (state.in_a_row.fetch_add(1) + 1 < (alive ? check_.rise : check_.fall)) return false;
  state.in_a_row.store(0);
  bool expected = !alive;
  return state.up.compare_exchange_strong(expected, alive);
}

}  // namespace sonde::proxy
