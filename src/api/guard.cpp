// SPDX-License-Identifier: Apache-2.0
#include "sonde/guard.hpp"

#include "actuators/guard/directory.hpp"
#include "actuators/guard/session.hpp"

namespace sonde {

struct Guard::State {
  std::string directory;
};

Guard::Guard(std::unique_ptr<State> state) : state_(std::move(state)) {}
Guard::Guard(Guard&&) noexcept = default;
Guard& Guard::operator=(Guard&&) noexcept = default;
Guard::~Guard() = default;

Result<Guard> Guard::open() {
  auto directory = guard::find_directory();
  if (!directory) return std::unexpected(directory.error());
  return Guard(std::make_unique<State>(State{std::move(*directory)}));
}

Result<std::vector<GuardInterface>> Guard::attach(const GuardAttachOptions& options) {
  return guard::attach(state_->directory, options);
}

Result<bool> Guard::detach(const std::vector<std::string>& interfaces) {
  return guard::detach(state_->directory, interfaces);
}

Result<GuardChange> Guard::add(std::span<const GuardRule> rules, const GuardChangeOptions& options) {
  return guard::change(state_->directory, options, [&](const guard::RuleSet& from, const guard::PlanOptions& plan) {
    return Result<guard::Plan>(guard::plan_add(from, rules, plan));
  });
}

Result<GuardChange> Guard::remove(std::span<const std::uint64_t> ids, std::span<const GuardRule> rules,
                                  const GuardChangeOptions& options) {
  return guard::change(state_->directory, options, [&](const guard::RuleSet& from, const guard::PlanOptions& plan) {
    return guard::plan_remove(from, ids, rules, plan);
  });
}

Result<GuardChange> Guard::apply(std::span<const GuardRule> rules, const GuardChangeOptions& options) {
  return guard::change(state_->directory, options, [&](const guard::RuleSet& from, const guard::PlanOptions& plan) {
    return Result<guard::Plan>(guard::plan_apply(from, rules, plan));
  });
}

Result<GuardChange> Guard::clear(const GuardChangeOptions& options) { return apply({}, options); }

Result<std::vector<GuardEntry>> Guard::list() const { return guard::list(state_->directory); }

Result<GuardStats> Guard::stats() const { return guard::stats(state_->directory); }

const std::string& Guard::directory() const { return state_->directory; }

}  // namespace sonde
