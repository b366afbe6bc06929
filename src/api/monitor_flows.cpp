// SPDX-License-Identifier: Apache-2.0
#include "monitor_flows.hpp"

#include <chrono>
#include <unordered_map>

#include "pipeline/flows.hpp"
#include "registry/flows.hpp"

namespace sonde {
namespace {

constexpr std::chrono::milliseconds poll_interval{20};
constexpr std::chrono::seconds collect_interval{1};

}  // namespace

class MonitorFlows::Interface final : public pipeline::FlowVisitor {
 public:
  Interface(std::unique_ptr<pipeline::FlowSource> source, std::size_t most) : source_(std::move(source)), most_(most) {}

  void visit(const pipeline::FlowSample& sample) override {
    const auto packets = sample.delta[0].packets + sample.delta[1].packets;
    if (sample.end == FlowEnd::none) {
      active_[sample.id] = source_->describe(sample);
    } else {
      active_.erase(sample.id);
      if (ended_.size() < most_)
        ended_.push_back(source_->describe(sample));
      else
        not_told_ += packets;
    }
    taken_ += packets;
  }

  void poll() { keep_first_error(source_->poll(std::chrono::milliseconds{0})); }
  void collect() {
    if (!source_->finished()) keep_first_error(source_->collect(*this));
  }
  void stop() {
    keep_first_error(source_->stop());
    while (!source_->finished() && !error_) collect();
  }

  Result<void> take(std::vector<Flow>& flows) {
    for (auto& flow : ended_) flows.push_back(std::move(flow));
    ended_.clear();
    for (const auto& [id, flow] : active_) flows.push_back(flow);
    if (error_) return std::unexpected(*error_);
    return {};
  }

  void add_loss(std::vector<LossStage>& stages) const {
    auto own = source_->loss();
    own.push_back({"flow_stats", taken_, taken_ - not_told_, 0, not_told_,
                   not_told_ > 0 ? "more flows ended between two calls than are kept" : ""});
    if (stages.empty()) {
      stages = std::move(own);
      return;
    }
    for (std::size_t i = 0; i < stages.size() && i < own.size(); ++i) {
      stages[i].taken += own[i].taken;
      stages[i].given += own[i].given;
      stages[i].filtered += own[i].filtered;
      stages[i].lost += own[i].lost;
    }
  }

 private:
  void keep_first_error(const Result<void>& done) {
    if (!done && !error_) error_ = done.error();
  }

  std::unique_ptr<pipeline::FlowSource> source_;
  std::size_t most_;
  std::unordered_map<std::uint64_t, Flow> active_;  ///< by id; as many as the source holds
  std::vector<Flow> ended_;
  std::uint64_t taken_ = 0, not_told_ = 0;  ///< packets
  std::optional<Error> error_;
};

MonitorFlows::MonitorFlows(const MonitorOptions& options)
    : options_(options), thread_([this](const std::stop_token& stop) { run(stop); }) {}

MonitorFlows::~MonitorFlows() { close(); }

Result<void> MonitorFlows::add(const std::string& interface) {
  FlowOptions flows;
  flows.interfaces = {interface};
  flows.source = "ebpf";
  flows.filter = options_.filter;
  if (options_.xdp_mode != "off") flows.xdp_mode = options_.xdp_mode;
  flows.max_flows = options_.max_flows;
  auto source = registry::open_flows(flows);
  if (!source) return std::unexpected(source.error());
  const std::scoped_lock lock(mutex_);
  interfaces_.push_back(std::make_unique<Interface>(std::move(*source), options_.max_flows));
  return {};
}

void MonitorFlows::run(const std::stop_token& stop) {
  auto collected = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    {
      const std::scoped_lock lock(mutex_);
      const auto now = std::chrono::steady_clock::now();
      const bool due = now - collected >= collect_interval;
      if (due) collected = now;
      for (const auto& interface : interfaces_) due ? interface->collect() : interface->poll();
    }
    std::this_thread::sleep_for(poll_interval);
  }
}

Result<std::vector<Flow>> MonitorFlows::take() {
  const std::scoped_lock lock(mutex_);
  std::vector<Flow> flows;
  for (const auto& interface : interfaces_) {
    interface->collect();
    const auto taken = interface->take(flows);
    if (!taken) return std::unexpected(taken.error());
  }
  return flows;
}

LossReport MonitorFlows::loss() const {
  const std::scoped_lock lock(mutex_);
  LossReport report;
  for (const auto& interface : interfaces_) interface->add_loss(report.stages);
  return report;
}

void MonitorFlows::close() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  const std::scoped_lock lock(mutex_);
  for (const auto& interface : interfaces_) interface->stop();
}

}  // namespace sonde
